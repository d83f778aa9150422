//! Files are laid into a tree by their path in the guest; the tree goes out in
//! one order, whatever the order they came in.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What an entry of the tree holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file whose bytes are here.
    Bytes(Vec<u8>),
    /// A file whose bytes lie in a file of this machine.
    From(PathBuf),
    /// A symbolic link, and where it leads.
    Link(String),
    /// A character device: major and minor number.
    Device(u32, u32),
}

impl Content {
    /// Returns what a file of it holds, and of a link where it leads; nothing
    /// for the rest.
    ///
    /// # Errors
    /// When a file of this machine cannot be read.
    pub fn octets(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::From(path) => std::fs::read(path),
            Self::Link(target) => Ok(target.clone().into_bytes()),
            Self::Folder | Self::Device(..) => Ok(Vec::new()),
        }
    }
}

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Permission bits, 0o7777 at most.
    pub mode: u32,
    /// What it is.
    pub content: Content,
}

/// Files of a root filesystem. A path has no slash at its start or end; all
/// belongs to user 0.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// Returns an empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays an entry at `path`, with folders above it where there are none.
    pub fn put(&mut self, path: &str, mode: u32, content: Content) {
        let path = path.trim_matches('/');
        let ends = path.match_indices('/').map(|(at, _)| at);
        for above in ends.filter_map(|at| path.get(..at)) {
            let folder = || Entry {
                mode: 0o755,
                content: Content::Folder,
            };
            self.entries.entry(above.to_owned()).or_insert_with(folder);
        }
        self.entries
            .insert(path.to_owned(), Entry { mode, content });
    }

    /// Lays a folder that all may read.
    pub fn folder(&mut self, path: &str) {
        self.put(path, 0o755, Content::Folder);
    }

    /// Lays a file with these bytes.
    pub fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.put(path, mode, Content::Bytes(bytes.into()));
    }

    /// Lays a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.put(path, 0o777, Content::Link(target.to_owned()));
    }

    /// Lays Debian's links from the old places of programs and libraries to
    /// those under `usr`.
    pub fn merge_usr(&mut self) {
        for name in ["bin", "sbin", "lib", "lib64"] {
            self.folder(&format!("usr/{name}"));
            self.link(name, &format!("usr/{name}"));
        }
    }

    /// Takes away a folder and all that is in it.
    pub fn remove(&mut self, folder: &str) {
        let inside = format!("{folder}/");
        self.entries
            .retain(|path, _| path != folder && !path.starts_with(&inside));
    }

    /// Returns the entry at `path`.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path.trim_matches('/'))
    }

    /// Returns all entries, folders before what is in them.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_appear_above_a_file_and_come_before_it() {
        let mut tree = Tree::new();
        tree.file("/usr/sbin/nft", 0o755, *b"x");
        tree.put("usr", 0o700, Content::Folder);
        let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, ["usr", "usr/sbin", "usr/sbin/nft"]);
        assert_eq!(tree.entry("usr").unwrap().mode, 0o700);
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it_and_nothing_else() {
        let mut tree = Tree::new();
        for path in ["a/b/c", "a/b/d", "a/bc"] {
            tree.file(path, 0o644, *b"x");
        }
        tree.remove("a/b");
        let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/bc"]);
    }

    #[test]
    fn a_later_file_does_not_change_the_folder_above_it() {
        let mut tree = Tree::new();
        tree.put("data", 0o700, Content::Folder);
        tree.file("data/key", 0o600, *b"x");
        assert_eq!(tree.entry("data").unwrap().mode, 0o700);
    }
}
