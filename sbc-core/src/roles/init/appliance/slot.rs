//! A slot comes in; the boot loaders are told that it is good, that it has one
//! try, or that it must not be tried again. UEFI's loader counts in file names
//! (`sbc-a_0.1.0+2-1.efi` has two tries left) and prefers the newest version with
//! tries, GRUB in its block of variables, by `order`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::whole;
use super::disks::Partition;
use super::mounts;
use super::update::Version;

/// Octets of GRUB's block of variables.
const ENV: usize = 1024;
/// Where UEFI's loader looks for programs.
pub const PROGRAMS: &str = "EFI/Linux";

/// What the kernel was started with (Linux, "The zero page": `secure_boot` at 0x1ec).
const BOOT_PARAMETERS: &str = "/sys/kernel/boot_params/data";
const SECURE_AT: usize = 0x1ec;
const SECURE: u8 = 3;

/// Returns whether UEFI started only what keys it knows had signed.
#[must_use]
pub fn is_secure() -> bool {
    fs::read(BOOT_PARAMETERS).is_ok_and(|bytes| bytes.get(SECURE_AT) == Some(&SECURE))
}

/// What the loaders are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// It came up: no more counting, and it is the preferred one.
    Good,
    /// It is broken: no more tries.
    Bad,
    /// It is preferred for one boot.
    Once,
    /// UEFI's loader takes it only when no other has a try left.
    Last,
}

/// What the loaders know of a slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Known {
    /// `a` or `b`.
    pub letter: char,
    /// What is in it; nothing if it is empty.
    pub version: Option<Version>,
    /// As GRUB knows it: `good`, a number of tries, or 0.
    pub left: String,
}

impl Known {
    /// Returns whether it came up once and was not found broken since.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.version.is_some() && self.left == "good"
    }

    /// Returns the word for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.version, self.left.as_str()) {
            (None, _) => "empty",
            (_, "good") => "good",
            (_, "0") => "not to be booted",
            _ => "on trial",
        }
    }
}

/// The other slot.
#[must_use]
pub const fn other(letter: char) -> char {
    if letter == 'a' { 'b' } else { 'a' }
}

/// Mounts the boot partition for as long as `errand` takes. Each process has a
/// place of its own for it.
///
/// # Errors
/// When the boot partition cannot be mounted, and what the errand fails by.
pub fn with_loaders<T>(
    partitions: &[Partition],
    errand: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let esp = partitions.iter().find(|one| one.name == "esp");
    let esp = esp.ok_or_else(|| io::Error::other("there is no boot partition"))?;
    let place = PathBuf::from(format!("/run/esp-{}", std::process::id()));
    mounts::boot(&esp.node, &place)?;
    let done = errand(&place);
    rustix::mount::unmount(&place, rustix::mount::UnmountFlags::empty())?;
    done
}

/// Returns the slot whose command line has this root: UEFI's loader does not say which
/// one it took.
///
/// # Errors
/// When the boot partition cannot be mounted, or no slot has it.
pub fn of_root(partitions: &[Partition], root: &str) -> io::Result<char> {
    with_loaders(partitions, |esp| {
        let has = |letter: &char| {
            let line = fs::read_to_string(esp.join(format!("grub/slot-{letter}.cfg")));
            line.is_ok_and(|line| !root.is_empty() && line.contains(&format!("sbc.root={root}")))
        };
        let found = ['a', 'b'].into_iter().find(has);
        found.ok_or_else(|| io::Error::other("no slot has this root"))
    })
}

/// Tells both loaders, with the boot partition mounted. Each step leaves either the
/// old or the new state, also when the power goes.
///
/// # Errors
/// When it cannot be written.
pub fn tell(esp: &Path, letter: char, mark: Mark) -> io::Result<()> {
    let folder = esp.join(PROGRAMS);
    for (name, _) in programs(esp, letter) {
        if let Some(new) = renamed(&name, letter, mark).filter(|new| *new != name) {
            fs::rename(folder.join(&name), folder.join(new))?;
        }
    }
    if let Ok(folder) = File::open(&folder) {
        folder.sync_all()?;
    }
    let left = format!("left_{letter}");
    let order = format!("{letter} {}", other(letter));
    let changes: &[(&str, &str)] = match mark {
        Mark::Good => &[(&left, "good"), ("order", &order)],
        Mark::Once => &[(&left, "1"), ("order", &order)],
        Mark::Bad => &[(&left, "0")],
        Mark::Last => &[],
    };
    let env = esp.join("grub/grubenv");
    if let Ok(old) = fs::read(&env)
        && let Some(new) = changed(&old, changes)
        && new != old
    {
        whole::write(&env, &new)?;
    }
    Ok(())
}

/// Returns what the loaders know of both slots.
#[must_use]
pub fn known(esp: &Path) -> [Known; 2] {
    let env = fs::read(esp.join("grub/grubenv")).unwrap_or_default();
    let env = String::from_utf8_lossy(&env).into_owned();
    ['a', 'b'].map(|letter| {
        let mut lines = env.lines();
        let left = lines.find_map(|line| line.strip_prefix(&format!("left_{letter}=")));
        Known {
            letter,
            version: programs(esp, letter).first().map(|(_, version)| *version),
            left: left.unwrap_or("0").to_owned(),
        }
    })
}

/// Returns the programs of a slot for UEFI, and their versions.
fn programs(esp: &Path, letter: char) -> Vec<(String, Version)> {
    let Ok(entries) = fs::read_dir(esp.join(PROGRAMS)) else {
        return Vec::new();
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<_> = names
        .filter_map(|name| {
            let version = version_of(&name, letter)?;
            Some((name, version))
        })
        .collect();
    found.sort();
    found
}

fn version_of(name: &str, letter: char) -> Option<Version> {
    let stem = name.strip_suffix(".efi")?;
    let rest = stem.strip_prefix(&format!("sbc-{letter}_"))?;
    Version::parse(rest.split('+').next()?)
}

/// Takes all files of a slot away; GRUB was told before.
///
/// # Errors
/// When one cannot be removed.
pub fn clear(esp: &Path, letter: char) -> io::Result<()> {
    let start = format!("sbc-{letter}_");
    for (folder, start) in [(PROGRAMS, start), ("grub", format!("slot-{letter}."))] {
        let folder = esp.join(folder);
        for entry in fs::read_dir(&folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&start) {
                fs::remove_file(entry.path())?;
            }
        }
        File::open(&folder)?.sync_all()?;
    }
    Ok(())
}

/// Returns the name of a program that is whole and has no try: it is given one by
/// [`tell`], when somebody has written down what the try is for.
#[must_use]
pub fn untried(letter: char, version: Version) -> String {
    format!("sbc-{letter}_{version}+0-3.efi")
}

/// Returns the new name of a file that belongs to the slot.
fn renamed(name: &str, letter: char, mark: Mark) -> Option<String> {
    let version = version_of(name, letter)?;
    let bare = format!("sbc-{letter}_{version}");
    Some(match mark {
        Mark::Good => format!("{bare}.efi"),
        Mark::Bad => untried(letter, version),
        Mark::Once => format!("{bare}+1.efi"),
        Mark::Last => format!("{bare}+0.efi"),
    })
}

/// Returns GRUB's block with variables changed.
fn changed(block: &[u8], changes: &[(&str, &str)]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(block).ok()?;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let name = line.split_once('=').map(|(name, _)| name);
        let change = changes.iter().find(|(wanted, _)| Some(*wanted) == name);
        match (change, name) {
            (Some((name, value)), _) => lines.push(format!("{name}={value}\n")),
            (None, Some(_)) => lines.push(format!("{line}\n")),
            (None, None) if line.starts_with("# GRUB") => lines.push(format!("{line}\n")),
            (None, None) => {}
        }
    }
    let mut bytes = lines.concat().into_bytes();
    bytes.resize(ENV.max(bytes.len()), b'#');
    (bytes.len() == ENV).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_slot_loses_its_counter_or_its_tries() {
        let name = "sbc-a_0.1.0+2-1.efi";
        let becomes = |mark| renamed(name, 'a', mark).unwrap();
        assert_eq!(becomes(Mark::Good), "sbc-a_0.1.0.efi");
        assert_eq!(becomes(Mark::Bad), "sbc-a_0.1.0+0-3.efi");
        assert_eq!(becomes(Mark::Once), "sbc-a_0.1.0+1.efi");
        assert_eq!(becomes(Mark::Last), "sbc-a_0.1.0+0.efi");
        let blessed = "sbc-a_0.1.0.efi";
        assert_eq!(renamed(blessed, 'a', Mark::Good).unwrap(), blessed);
        assert_eq!(renamed(name, 'b', Mark::Good), None);
        assert_eq!(renamed("other.efi", 'a', Mark::Bad), None);
        let installed = untried('b', Version::parse("0.2.0").unwrap());
        let tried = renamed(&installed, 'b', Mark::Once).unwrap();
        assert_eq!(tried, "sbc-b_0.2.0+1.efi");
    }

    #[test]
    fn variables_change_and_the_block_keeps_its_size() {
        let mut block = b"# GRUB Environment Block\norder=a b\nleft_a=2\nleft_b=0\n".to_vec();
        block.resize(ENV, b'#');
        let good = changed(&block, &[("left_b", "good"), ("order", "b a")]).unwrap();
        assert_eq!(good.len(), ENV);
        let text = String::from_utf8(good).unwrap();
        assert!(text.starts_with("# GRUB Environment Block\norder=b a\nleft_a=2\nleft_b=good\n#"));
    }

    /// Returns a boot partition with a good slot A and slot B at its last try.
    fn esp(name: &str) -> PathBuf {
        let esp = std::env::temp_dir().join(format!("sbc-esp-{name}-{}", std::process::id()));
        fs::create_dir_all(esp.join(PROGRAMS)).unwrap();
        fs::create_dir_all(esp.join("grub")).unwrap();
        fs::write(esp.join("EFI/Linux/sbc-a_0.1.0.efi"), "x").unwrap();
        fs::write(esp.join("EFI/Linux/sbc-b_0.2.0+1-2.efi"), "x").unwrap();
        fs::write(esp.join("grub/slot-b.linux"), "x").unwrap();
        let mut block = b"# GRUB Environment Block\norder=a b\nleft_a=good\nleft_b=1\n".to_vec();
        block.resize(ENV, b'#');
        fs::write(esp.join("grub/grubenv"), block).unwrap();
        esp
    }

    #[test]
    fn both_loaders_are_told() {
        let esp = esp("told");
        let words = |esp: &Path| known(esp).map(|known| known.word());
        assert_eq!(words(&esp), ["good", "on trial"]);
        tell(&esp, 'b', Mark::Good).unwrap();
        let kept = esp.join("EFI/Linux/sbc-b_0.2.0.efi").exists();
        let env = fs::read_to_string(esp.join("grub/grubenv")).unwrap();
        assert!(
            kept && env.contains("order=b a\n") && env.contains("left_b=good\n"),
            "{env}"
        );
        assert_eq!(known(&esp)[1].version, Version::parse("0.2.0"));
        tell(&esp, 'a', Mark::Last).unwrap();
        assert!(esp.join("EFI/Linux/sbc-a_0.1.0+0.efi").exists());
        assert_eq!(words(&esp), ["good", "good"]);
        fs::remove_dir_all(&esp).unwrap();
    }

    #[test]
    fn a_slot_that_is_cleared_leaves_nothing_of_itself() {
        let esp = esp("cleared");
        tell(&esp, 'b', Mark::Bad).unwrap();
        clear(&esp, 'b').unwrap();
        let [a, b] = known(&esp);
        assert_eq!((a.word(), b.word()), ("good", "empty"));
        assert!(!esp.join("grub/slot-b.linux").exists());
        assert!(esp.join("EFI/Linux/sbc-a_0.1.0.efi").exists());
        fs::remove_dir_all(&esp).unwrap();
    }
}
