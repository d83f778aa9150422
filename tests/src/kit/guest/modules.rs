//! Inside a guest: the name of a module or what it is meant for comes in, the
//! modules are loaded from `/lib/modules` by the table the builder made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::kit::sys;

const FOLDER: &str = "/usr/lib/modules";

/// What can be loaded.
#[derive(Debug, Default)]
pub struct Table {
    /// Name to file and what comes before it.
    loads: BTreeMap<String, (String, Vec<String>)>,
    /// Pattern and name.
    aliases: Vec<(String, String)>,
}

impl Table {
    /// Reads the guest's own table.
    ///
    /// # Errors
    /// When there is none.
    pub fn read() -> Result<Self, String> {
        let path = format!("{FOLDER}/table");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["load", name, file, before @ ..] => {
                    let before = before.iter().map(|&one| one.to_owned()).collect();
                    let entry = ((*file).to_owned(), before);
                    table.loads.insert((*name).to_owned(), entry);
                }
                ["alias", pattern, name] => {
                    let alias = ((*pattern).to_owned(), (*name).to_owned());
                    table.aliases.push(alias);
                }
                _ => {}
            }
        }
        table
    }

    /// Returns the modules that are called or meant for `wanted`.
    #[must_use]
    pub fn meant_for(&self, wanted: &str) -> Vec<&str> {
        let plain = wanted.replace('-', "_");
        if let Some((name, _)) = self.loads.get_key_value(&plain) {
            return vec![name];
        }
        let fits = |pattern: &str| {
            matches(pattern.as_bytes(), wanted.as_bytes())
                || matches(pattern.replace('-', "_").as_bytes(), plain.as_bytes())
        };
        let found = self.aliases.iter().filter(|(pattern, _)| fits(pattern));
        found.map(|(_, name)| name.as_str()).collect()
    }

    /// Loads a module by name or by what it is meant for.
    ///
    /// # Errors
    /// When there is none, or the kernel refuses it.
    pub fn load(&self, wanted: &str) -> Result<(), String> {
        let names = self.meant_for(wanted);
        if names.is_empty() {
            return Err(format!("no module is meant for {wanted}"));
        }
        for name in names {
            self.load_one(name)?;
        }
        Ok(())
    }

    fn load_one(&self, name: &str) -> Result<(), String> {
        let Some((file, before)) = self.loads.get(name) else {
            return Err(format!("no module is called {name}"));
        };
        let before = before.iter().filter_map(|one| self.loads.get(one));
        for file in before.map(|(file, _)| file).chain([file]) {
            let path = folder()?.join(file);
            File::open(&path)
                .and_then(|file| sys::load_module(&file))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Returns the folder of the running kernel's modules.
fn folder() -> Result<PathBuf, String> {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_err(|error| format!("the kernel's version: {error}"))?;
    Ok(PathBuf::from(FOLDER).join(version.trim()))
}

/// Returns whether `text` fits a pattern with `*`, `?` and `[…]`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => {
            rest.is_empty()
                || (0..=text.len()).any(|at| text.get(at..).is_some_and(|tail| matches(rest, tail)))
        }
        Some((b'[', rest)) => {
            let (Some(end), Some((first, more))) = (
                rest.iter().position(|byte| *byte == b']'),
                text.split_first(),
            ) else {
                return false;
            };
            let (set, tail) = (rest.get(..end), rest.get(end + 1..));
            set.is_some_and(|set| is_in(set, *first))
                && tail.is_some_and(|tail| matches(tail, more))
        }
        Some((one, rest)) => text
            .split_first()
            .is_some_and(|(first, more)| (*one == b'?' || one == first) && matches(rest, more)),
    }
}

/// Returns whether a set such as `0-9ab` has the byte.
fn is_in(set: &[u8], byte: u8) -> bool {
    let range = |three: &[u8]| matches!(three, [from, b'-', to] if (*from..=*to).contains(&byte));
    set.contains(&byte) || set.windows(3).any(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "load ip_gre ip_gre.ko.xz ip_tunnel gre\nload virtio_net virtio_net.ko.xz\n\
        alias rtnl-link-gre ip_gre\nalias virtio:d00000001v* virtio_net\nalias pci:v*d0000002[0-9]sv* x\n";

    #[test]
    fn a_module_is_found_by_name_by_alias_and_by_device() {
        let table = Table::of(TEXT);
        assert_eq!(table.meant_for("ip-gre"), ["ip_gre"]);
        assert_eq!(table.meant_for("rtnl-link-gre"), ["ip_gre"]);
        assert_eq!(table.meant_for("virtio:d00000001v00001AF4"), ["virtio_net"]);
        assert_eq!(table.meant_for("pci:v8d00000025sv1"), ["x"]);
        assert!(table.meant_for("pci:v8d0000002asv1").is_empty());
        assert!(table.meant_for("rtnl-link-gretap").is_empty());
        assert_eq!(table.loads["ip_gre"].1, ["ip_tunnel", "gre"]);
    }

    #[test]
    fn patterns_match_as_a_shell_s_do() {
        let fits = |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes());
        assert!(fits("a*c*", "abcd") && fits("*", "") && fits("a?c", "abc"));
        assert!(!fits("a*c", "abcd") && !fits("a?c", "ac") && !fits("[ab", "a"));
    }
}
