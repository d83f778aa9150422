//! Unpacked packages and the paths of programs come in; the programs, their
//! loader and every library they name go into a tree.
//!
//! What a program opens by name at run time is in no table: it must be a seed
//! (strongSwan's plugins, `libgcc_s.so.1`).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::tree::{Content, Tree};

/// Where the loader looks when a file names no folder.
const FOLDERS: [&str; 3] = ["usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64"];
/// Links to links, at most.
const MAX_LINKS: usize = 16;

/// Why a tree cannot be closed.
#[derive(Debug, thiserror::Error)]
pub enum Unclosed {
    /// A seed is in none of the packages.
    #[error("no package has the file /{0}")]
    NoFile(String),
    /// A library is in none of the packages.
    #[error("/{file} wants {library}, which no package has")]
    NoLibrary { file: String, library: String },
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file begins like a program and is none.
    #[error("/{file}: {source}")]
    Program {
        file: String,
        #[source]
        source: elf::Malformed,
    },
    /// Links lead in a circle.
    #[error("/{0} is a link that leads nowhere")]
    Circle(String),
}

/// Packages unpacked each in a folder of its own, seen as one root.
#[derive(Clone, Debug)]
pub struct Roots {
    folders: Vec<PathBuf>,
}

impl Roots {
    /// Takes the folders.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// Returns where on this machine a path of the root lies, a link as itself.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<PathBuf> {
        let path = merged(path);
        let mut places = self.folders.iter().map(|folder| folder.join(&path));
        places.find(|place| place.symlink_metadata().is_ok())
    }

    /// Lays one file and all it needs into `tree`; a link is laid together with
    /// what it leads to.
    ///
    /// # Errors
    /// When something it needs is in no package.
    pub fn close(&self, seed: &str, tree: &mut Tree) -> Result<(), Unclosed> {
        let mut open = vec![merged(seed)];
        while let Some(path) = open.pop() {
            if tree.entry(&path).is_some() {
                continue;
            }
            let path = self.follow(path, tree)?;
            if tree.entry(&path).is_some() {
                continue;
            }
            let place = self.find(&path).ok_or(Unclosed::NoFile(path.clone()))?;
            let mode = mode(&place)?;
            open.extend(self.wanted(&path, &place)?);
            tree.put(&path, mode, Content::From(place));
        }
        Ok(())
    }

    /// Lays links into `tree` from `path` on; returns the path of the file.
    fn follow(&self, mut path: String, tree: &mut Tree) -> Result<String, Unclosed> {
        for _ in 0..MAX_LINKS {
            let place = self.find(&path).ok_or(Unclosed::NoFile(path.clone()))?;
            let Ok(target) = fs::read_link(&place) else {
                return Ok(path);
            };
            let target = target.to_string_lossy().into_owned();
            tree.link(&path, &target);
            path = merged(&beside(&path, &target));
        }
        Err(Unclosed::Circle(path))
    }

    /// Returns the paths of what the file at `place` needs.
    fn wanted(&self, path: &str, place: &Path) -> Result<Vec<String>, Unclosed> {
        let bytes = fs::read(place).map_err(|source| Unclosed::File {
            path: place.to_owned(),
            source,
        })?;
        if !elf::is_elf(&bytes) {
            return Ok(Vec::new());
        }
        let wants = elf::wants(&bytes).map_err(|source| Unclosed::Program {
            file: path.to_owned(),
            source,
        })?;
        let mut found: Vec<String> = wants.loader.iter().map(|loader| merged(loader)).collect();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let own = wants
            .folders
            .iter()
            .map(|named| merged(&named.replace("$ORIGIN", folder)));
        let folders: Vec<String> = own.chain(FOLDERS.map(str::to_owned)).collect();
        for library in &wants.needed {
            let mut places = folders.iter().map(|folder| format!("{folder}/{library}"));
            let place = places.find(|place| self.find(place).is_some());
            found.push(place.ok_or_else(|| Unclosed::NoLibrary {
                file: path.to_owned(),
                library: library.clone(),
            })?);
        }
        Ok(found)
    }
}

fn mode(place: &Path) -> Result<u32, Unclosed> {
    let found = place.metadata().map_err(|source| Unclosed::File {
        path: place.to_owned(),
        source,
    })?;
    // Nothing in a tree runs as somebody else.
    Ok(found.permissions().mode() & 0o755)
}

/// Returns a path without slashes at its ends, and below `usr` if Debian moved
/// it there.
fn merged(path: &str) -> String {
    let path = path.trim_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if ["bin", "sbin", "lib", "lib64"].contains(&first) {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

/// Returns what `target` means, read in a link at `path`.
fn beside(path: &str, target: &str) -> String {
    if target.starts_with('/') {
        return target.to_owned();
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This machine's own root serves as a package: it has the test's libraries.
    fn machine(extra: &Path) -> Roots {
        Roots::new(vec![extra.to_owned(), PathBuf::from("/")])
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("sbc-closure-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("usr/bin")).unwrap();
        folder
    }

    #[test]
    fn a_program_brings_its_loader_and_libraries_along() {
        let folder = folder("program");
        fs::copy(std::env::current_exe().unwrap(), folder.join("usr/bin/own")).unwrap();
        std::os::unix::fs::symlink("own", folder.join("usr/bin/alias")).unwrap();
        let mut tree = Tree::new();
        machine(&folder).close("/bin/alias", &mut tree).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let link = tree.entry("usr/bin/alias").map(|entry| &entry.content);
        assert_eq!(link, Some(&Content::Link("own".into())));
        assert!(tree.entry("usr/bin/own").is_some());
        let names: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        for library in ["/libc.so.6", "/libgcc_s.so.1", "/ld-linux-x86-64.so.2"] {
            assert!(
                names.iter().any(|name| name.ends_with(library)),
                "{names:?}"
            );
        }
    }

    #[test]
    fn what_no_package_has_is_named() {
        let folder = folder("absent");
        fs::copy(std::env::current_exe().unwrap(), folder.join("usr/bin/own")).unwrap();
        let alone = Roots::new(vec![folder.clone()]);
        let error = alone.close("usr/bin/own", &mut Tree::new()).unwrap_err();
        assert!(matches!(error, Unclosed::NoLibrary { .. }), "{error}");
        let error = alone.close("usr/bin/none", &mut Tree::new()).unwrap_err();
        assert_eq!(error.to_string(), "no package has the file /usr/bin/none");
        std::os::unix::fs::symlink("round", folder.join("usr/bin/round")).unwrap();
        let error = alone.close("usr/bin/round", &mut Tree::new()).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(error, Unclosed::Circle(_)), "{error}");
    }

    #[test]
    fn a_link_is_read_from_where_it_lies() {
        assert_eq!(
            beside("usr/lib64/ld.so", "../lib/x/ld.so"),
            "usr/lib/x/ld.so"
        );
        assert_eq!(beside("usr/bin/a", "/etc/b"), "/etc/b");
        assert_eq!(merged("/lib64/ld.so"), "usr/lib64/ld.so");
        assert_eq!(merged("/libx"), "libx");
    }
}
