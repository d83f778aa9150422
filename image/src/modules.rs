//! The kernel's folder of modules and a list of names come in; the modules with
//! all they depend on, and the table by which they are loaded, go out.
//!
//! Debian's package has no `modules.dep`: a module says itself, in `.modinfo`,
//! on whom it depends and for which devices it is meant.

use core::fmt;
use core::str::FromStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::elf;

/// What one module says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Module {
    /// Its name, with `_` for `-`.
    pub name: String,
    /// Its compressed file on this machine.
    pub file: PathBuf,
    /// The modules that must be loaded before it, directly.
    pub depends: Vec<String>,
    /// Patterns of devices and services it is meant for.
    pub aliases: Vec<String>,
}

/// Why modules cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unloadable {
    /// The folder or a file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The kernel has no module of this name, and nothing of it built in.
    #[error("the kernel has no module {0}")]
    Absent(String),
    /// A file is no compressed module.
    #[error("{} is not a compressed module: {said}", path.display())]
    Broken { path: PathBuf, said: String },
}

/// All modules of one kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    version: String,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Kernel {
    /// Reads the names in an unpacked kernel package.
    ///
    /// # Errors
    /// When there is no folder of modules.
    pub fn open(package: &Path) -> Result<Self, Unloadable> {
        let all = package.join("usr/lib/modules");
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| Unloadable::File { path, source }
        };
        let mut versions = fs::read_dir(&all).map_err(fail(&all))?.flatten();
        let folder = versions
            .next()
            .map(|entry| entry.path())
            .ok_or_else(|| Unloadable::Absent("at all".into()))?;
        let list = folder.join("modules.builtin");
        let text = fs::read_to_string(&list).map_err(fail(&list))?;
        let built_in = text.lines().filter_map(|line| name_of(Path::new(line)));
        let mut files = BTreeMap::new();
        gather(&folder, &mut files).map_err(fail(&folder))?;
        let version = folder.file_name().unwrap_or_default();
        Ok(Self {
            version: version.to_string_lossy().into_owned(),
            files,
            built_in: built_in.collect(),
        })
    }

    /// Returns the kernel's version as `uname -r` says it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the named modules with all they depend on, in the order of names.
    /// What is built in needs no module and is passed over.
    ///
    /// # Errors
    /// When a name is unknown or a file cannot be read.
    pub fn close(&self, names: &[&str]) -> Result<Vec<Module>, Unloadable> {
        let mut open: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let mut found = BTreeMap::new();
        while let Some(name) = open.pop() {
            if found.contains_key(&name) {
                continue;
            }
            let Some(file) = self.files.get(&name) else {
                if self.built_in.contains(&name) {
                    continue;
                }
                return Err(Unloadable::Absent(name));
            };
            let module = read(&name, file)?;
            open.extend(module.depends.iter().cloned());
            found.insert(name, module);
        }
        Ok(found.into_values().collect())
    }
}

fn gather(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

impl Module {
    /// Returns what the kernel takes: the module, unpacked.
    ///
    /// # Errors
    /// When its file is broken.
    pub fn unpacked(&self) -> Result<Vec<u8>, Unloadable> {
        unpacked(&self.file)
    }

    /// Returns the name of its file once it is unpacked.
    #[must_use]
    pub fn plain_file(&self) -> String {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        file.strip_suffix(".xz").unwrap_or(&file).to_owned()
    }
}

/// Returns the name of the module in a file, if one is in it.
fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let name = file
        .strip_suffix(".ko.xz")
        .or_else(|| file.strip_suffix(".ko"))?;
    Some(plain(name))
}

/// Returns a module's name as the kernel writes it.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// Returns a module's file, unpacked.
fn unpacked(file: &Path) -> Result<Vec<u8>, Unloadable> {
    let opened = fs::File::open(file).map_err(|source| Unloadable::File {
        path: file.to_owned(),
        source,
    })?;
    let broken = |said: String| Unloadable::Broken {
        path: file.to_owned(),
        said,
    };
    let (mut bytes, mut opened) = (Vec::new(), BufReader::new(opened));
    let unpacked = if file.extension().is_some_and(|end| end == "xz") {
        lzma_rs::xz_decompress(&mut opened, &mut bytes).map_err(|error| error.to_string())
    } else {
        let whole = opened.read_to_end(&mut bytes);
        whole.map(drop).map_err(|error| error.to_string())
    };
    unpacked.map_err(broken)?;
    Ok(bytes)
}

fn read(name: &str, file: &Path) -> Result<Module, Unloadable> {
    let bytes = unpacked(file)?;
    let broken = |said: String| Unloadable::Broken {
        path: file.to_owned(),
        said,
    };
    let said = elf::section(&bytes, ".modinfo").map_err(|error| broken(error.to_string()))?;
    let said = said.ok_or_else(|| broken("it says nothing of itself".into()))?;
    let (depends, aliases) = modinfo(said);
    Ok(Module {
        name: name.to_owned(),
        file: file.to_owned(),
        depends,
        aliases,
    })
}

/// Reads `key=value` texts, each ended by a zero.
fn modinfo(said: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut depends, mut aliases) = (Vec::new(), Vec::new());
    for text in said.split(|byte| *byte == 0) {
        let text = String::from_utf8_lossy(text);
        match text.split_once('=') {
            Some(("depends", names)) => {
                let names = names.split(',').filter(|name| !name.is_empty());
                depends.extend(names.map(plain));
            }
            Some(("alias", pattern)) => aliases.push(pattern.to_owned()),
            _ => {}
        }
    }
    (depends, aliases)
}

/// By which a running node loads modules: what must be loaded before what, and
/// what is meant for which device. A line each:
/// `load NAME FILE DEPENDENCY…` (in the order of loading) and
/// `alias PATTERN NAME`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Table {
    /// Name to file (relative to the folder of the table) and dependencies.
    pub loads: BTreeMap<String, (String, Vec<String>)>,
    /// Pattern and name.
    pub aliases: Vec<(String, String)>,
}

impl Table {
    /// Returns the table of closed modules; each file is called as in the
    /// kernel's package, without its folders.
    #[must_use]
    pub fn of(modules: &[Module]) -> Self {
        let direct: BTreeMap<&str, &Module> =
            modules.iter().map(|one| (one.name.as_str(), one)).collect();
        let mut table = Self::default();
        for module in modules {
            let mut before = Vec::new();
            order(&direct, &module.name, &mut before);
            before.pop();
            let file = module.file.file_name().unwrap_or_default();
            let file = file.to_string_lossy().into_owned();
            table.loads.insert(module.name.clone(), (file, before));
            for pattern in &module.aliases {
                table.aliases.push((pattern.clone(), module.name.clone()));
            }
        }
        table
    }
}

/// Puts `name` behind all it depends on. A circle ends where it closes: the
/// name is put down before its dependencies are looked at a second time.
fn order(direct: &BTreeMap<&str, &Module>, name: &str, before: &mut Vec<String>) {
    fn visit(
        direct: &BTreeMap<&str, &Module>,
        name: &str,
        seen: &mut BTreeSet<String>,
        before: &mut Vec<String>,
    ) {
        if !seen.insert(name.to_owned()) {
            return;
        }
        let Some(module) = direct.get(name) else {
            return;
        };
        for one in &module.depends {
            visit(direct, one, seen, before);
        }
        before.push(name.to_owned());
    }
    visit(direct, name, &mut BTreeSet::new(), before);
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (file, before)) in &self.loads {
            write!(out, "load {name} {file}")?;
            for one in before {
                write!(out, " {one}")?;
            }
            writeln!(out)?;
        }
        for (pattern, name) in &self.aliases {
            // A pattern of the kernel holds no space; the name stands behind the last one.
            writeln!(out, "alias {pattern} {name}")?;
        }
        Ok(())
    }
}

/// A line of a table that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a line of a table of modules: {0}")]
pub struct Malformed(String);

impl FromStr for Table {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut table = Self::default();
        for line in text.lines() {
            let bad = || Malformed(line.to_owned());
            let (kind, rest) = line.split_once(' ').ok_or_else(bad)?;
            match kind {
                "load" => {
                    let mut words = rest.split(' ').map(str::to_owned);
                    let (Some(name), Some(file)) = (words.next(), words.next()) else {
                        return Err(bad());
                    };
                    table.loads.insert(name, (file, words.collect()));
                }
                "alias" => {
                    let (pattern, name) = rest.rsplit_once(' ').ok_or_else(bad)?;
                    table.aliases.push((pattern.to_owned(), name.to_owned()));
                }
                _ => return Err(bad()),
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, depends: &[&str], aliases: &[&str]) -> Module {
        let owned = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
        Module {
            name: name.into(),
            file: PathBuf::from(format!("/x/{name}.ko.xz")),
            depends: owned(depends),
            aliases: owned(aliases),
        }
    }

    fn sample() -> Table {
        Table::of(&[
            module("ip_gre", &["ip_tunnel", "gre"], &["rtnl-link-gre"]),
            module("gre", &[], &[]),
            module("ip_tunnel", &["tunnel4"], &[]),
            module("tunnel4", &[], &["a b", "pci:v*d1sv*"]),
        ])
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(sample().to_string().parse(), Ok(sample()));
        assert!("load x\n".parse::<Table>().is_err());
        assert!("lord x y\n".parse::<Table>().is_err());
    }

    #[test]
    fn dependencies_stand_in_the_order_of_loading() {
        let (file, before) = sample().loads["ip_gre"].clone();
        assert_eq!(file, "ip_gre.ko.xz");
        assert_eq!(before, ["tunnel4", "ip_tunnel", "gre"]);
    }

    #[test]
    fn a_circle_of_dependencies_ends() {
        let table = Table::of(&[module("a", &["b"], &[]), module("b", &["a"], &[])]);
        assert_eq!(table.loads["a"].1, ["b"]);
    }

    #[test]
    fn a_module_says_on_whom_it_depends_and_for_what_it_is_meant() {
        let said =
            b"license=GPL\0alias=rtnl-link-gre\0alias=netdev-gre0\0depends=ip_tunnel,gre-x\0\0";
        let (depends, aliases) = modinfo(said);
        assert_eq!(depends, ["ip_tunnel", "gre_x"]);
        assert_eq!(aliases, ["rtnl-link-gre", "netdev-gre0"]);
    }

    #[test]
    fn names_are_read_from_files_and_what_is_built_in_is_passed_over() {
        let folder = std::env::temp_dir().join(format!("sbc-modules-{}", std::process::id()));
        let modules = folder.join("usr/lib/modules/6.0/kernel");
        fs::create_dir_all(&modules).unwrap();
        fs::write(modules.join("some-thing.ko.xz"), "no module").unwrap();
        fs::write(modules.join("../modules.builtin"), "kernel/a/virtio-x.ko\n").unwrap();
        let kernel = Kernel::open(&folder).unwrap();
        let absent = kernel.close(&["none"]).unwrap_err();
        let broken = kernel.close(&["some-thing"]).unwrap_err();
        let passed = kernel.close(&["virtio_x"]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(kernel.version(), "6.0");
        assert!(matches!(absent, Unloadable::Absent(name) if name == "none"));
        assert!(matches!(broken, Unloadable::Broken { .. }));
        assert!(passed.is_empty());
    }
}
