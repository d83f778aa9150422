//! Names of modules and of devices come in; the kernel takes the modules. By
//! the table made when the image was built: what must be loaded before what,
//! and what is meant for which device.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::{seal, words};

/// Where the table lies, in the first stage and in the root.
const TABLE: &str = "/usr/lib/modules/table";
/// The kernel unpacks a file `….xz` itself (`MODULE_INIT_COMPRESSED_FILE`).
const COMPRESSED: i32 = 4;
/// The names of modules that were wanted too late.
const MISSED: &str = "/run/sbc/missed";
/// A table has a few thousand lines; more is no table of ours.
const TABLE_MAX: u64 = 4 << 20;

/// What the table says.
#[derive(Debug, Default)]
pub struct Modules {
    folder: String,
    loads: BTreeMap<String, (String, Vec<String>)>,
    aliases: Vec<(String, String)>,
}

impl Modules {
    /// Reads the table of the running kernel.
    ///
    /// # Errors
    /// When there is none.
    pub fn read() -> io::Result<Self> {
        if fs::metadata(TABLE)?.len() > TABLE_MAX {
            return Err(io::Error::other("the table of modules is too long"));
        }
        let kernel = rustix::system::uname();
        let folder = format!("/usr/lib/modules/{}", kernel.release().to_string_lossy());
        Ok(Self::parse(folder, &fs::read_to_string(TABLE)?))
    }

    fn parse(folder: String, text: &str) -> Self {
        let mut modules = Self {
            folder,
            ..Self::default()
        };
        for line in text.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            match (words.next().as_deref(), words.next(), words.next()) {
                (Some("load"), Some(name), Some(file)) => {
                    modules.loads.insert(name, (file, words.collect()));
                }
                (Some("alias"), Some(pattern), Some(name)) => modules.aliases.push((pattern, name)),
                _ => {}
            }
        }
        modules
    }

    /// Returns the names of modules meant for `wanted`: a module's own name, a
    /// device's alias, a service's.
    #[must_use]
    pub fn for_alias(&self, wanted: &str) -> Vec<&str> {
        let plain = wanted.replace('-', "_");
        if let Some((name, _)) = self.loads.get_key_value(&plain) {
            return vec![name];
        }
        let matching = self.aliases.iter();
        matching
            .filter(|(pattern, _)| glob(pattern.as_bytes(), wanted.as_bytes()))
            .map(|(_, name)| name.as_str())
            .collect()
    }

    /// Loads a module and all it needs before it.
    ///
    /// # Errors
    /// When the table has none of this name, or the kernel refuses it.
    pub fn load(&self, name: &str) -> io::Result<()> {
        let absent = || io::Error::new(io::ErrorKind::NotFound, format!("no module {name}"));
        let (file, before) = self.loads.get(name).ok_or_else(absent)?;
        for one in before {
            let (file, _) = self.loads.get(one).ok_or_else(absent)?;
            self.put(one, file)?;
        }
        self.put(name, file)
    }

    /// The kernel unpacks a module and proves its signature before it finds that it
    /// has it already: what it has is not given to it again.
    fn put(&self, name: &str, file: &str) -> io::Result<()> {
        if is_loaded(name) {
            return Ok(());
        }
        let opened = File::open(Path::new(&self.folder).join(file))?;
        let flags = if file.ends_with(".ko") { 0 } else { COMPRESSED };
        match rustix::system::finit_module(&opened, c"", flags) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(io::Error::other(format!("module {file}: {error}"))),
        }
    }

    /// Loads what every device that is there asks for; returns how many
    /// modules were asked for. A device whose module does not load stays
    /// without one.
    pub fn load_for_devices(&self, seen: &mut BTreeSet<String>) -> usize {
        let mut asked = 0;
        for alias in device_aliases() {
            if !seen.insert(alias.clone()) {
                continue;
            }
            for name in self.for_alias(&alias) {
                asked += 1;
                let _stays_without = self.load(name);
            }
        }
        asked
    }
}

/// Returns whether the kernel has the module, and is done with it.
#[must_use]
pub fn is_loaded(name: &str) -> bool {
    let state = Path::new("/sys/module").join(name).join("initstate");
    fs::read_to_string(state).is_ok_and(|state| state.trim_end() == "live")
}

/// Returns the aliases of all devices.
fn device_aliases() -> Vec<String> {
    let Ok(buses) = fs::read_dir("/sys/bus") else {
        return Vec::new();
    };
    let folders = buses.flatten().map(|bus| bus.path().join("devices"));
    let devices = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let aliases = devices
        .flat_map(Iterator::flatten)
        .filter_map(|device| fs::read_to_string(device.path().join("modalias")).ok());
    aliases.map(|text| text.trim_end().to_owned()).collect()
}

/// Returns whether `text` is what `pattern` means: `*`, `?` and `[a-z]`. The
/// last star met is the only one ever tried again, so that no pattern takes more
/// than the product of both lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), *byte),
            Some(letter) if letter == byte => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                t = from + 1;
                star = Some((after, from + 1));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|letter| *letter == b'*'))
}

/// Returns the length of the class a pattern begins with, if `byte` is in it.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().position(|letter| *letter == b']')?;
    let mut inside = pattern.get(1..end)?;
    let mut found = false;
    while let [first, rest @ ..] = inside {
        if let [b'-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&byte);
            inside = rest;
        } else {
            found |= *first == byte;
            inside = rest;
        }
    }
    found.then_some(end + 1)
}

/// The kernel calls `/sbin/modprobe -q -- NAME` when it wants a module; returns
/// whether all went well.
#[must_use]
pub fn modprobe(words: &[String]) -> bool {
    let Ok(modules) = Modules::read() else {
        return false;
    };
    let names = words.iter().filter(|word| !word.starts_with('-'));
    names.fold(true, |well, name| {
        let found = modules.for_alias(name);
        let loaded = found.iter().all(|module| {
            let loaded = modules.load(module).is_ok();
            if !loaded && seal::is_closed() {
                missed(module, name);
            }
            loaded
        });
        well && !found.is_empty() && loaded
    })
}

/// Tells, once for each module, that the kernel wants it and is sealed.
fn missed(module: &str, wanted: &str) {
    let is_there = Path::new("/sys/module").join(module).exists();
    let told = Path::new(MISSED).join(module);
    let _there = fs::create_dir_all(MISSED);
    if !is_there && File::create_new(told).is_ok() {
        words::note(&format!(
            "the sealed kernel wants module {module} ({wanted})"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_the_kernel_means() {
        let yes = [
            ("pci:v00001AF4d*sv*", "pci:v00001AF4d00001041sv00001AF4"),
            (
                "cpu:type:x86,ven*fam*mod*:feature:*0099*",
                "cpu:type:x86,ven0000fam0006mod002C:feature:,0099,00B1",
            ),
            (
                "usb:v*d*dc*dsc*dp*ic08isc06ip[56]0in*",
                "usb:v1d2dc0dsc0dp0ic08isc06ip50in0",
            ),
            ("a?c", "abc"),
            ("*", ""),
        ];
        for (pattern, text) in yes {
            assert!(
                glob(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [
            ("abc", "abd"),
            ("a*c", "ab"),
            ("a[0-9]", "ax"),
            ("a[", "a["),
            ("", "a"),
        ] {
            assert!(
                !glob(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        let stars = "a*".repeat(200);
        assert!(
            !glob(stars.as_bytes(), "a".repeat(199).as_bytes()),
            "and soon"
        );
    }

    #[test]
    fn a_table_names_files_dependencies_and_devices() {
        let text = "load dm_verity dm-verity.ko.xz dm_mod dm_bufio\nload dm_mod dm-mod.ko.xz\n\
                    alias devname:mapper/control dm_mod\nalias pci:v00001AF4d* virtio_pci\nnonsense\n";
        let modules = Modules::parse("/m".into(), text);
        let (file, before) = &modules.loads["dm_verity"];
        assert_eq!(file, "dm-verity.ko.xz");
        assert_eq!(before, &["dm_mod", "dm_bufio"]);
        assert_eq!(modules.for_alias("dm-verity"), ["dm_verity"]);
        assert_eq!(modules.for_alias("pci:v00001AF4d1000"), ["virtio_pci"]);
        assert!(modules.for_alias("pci:v00008086").is_empty());
        assert!(modules.load("none").is_err());
    }
}
