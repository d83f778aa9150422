//! A tree comes in; its files are laid into a folder of this machine.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::Context;

use crate::tree::{Content, Tree};

/// Lays `tree` into `folder`, which is made, and emptied first. Devices need
/// privilege and are refused.
///
/// # Errors
/// When a file cannot be written, or the tree holds a device.
pub fn lay(tree: &Tree, folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| folder.display().to_string());
        }
        _ => fs::create_dir_all(folder)?,
    }
    for (path, entry) in tree.entries() {
        let to = folder.join(path);
        one(&entry.content, &to, entry.mode).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

fn one(content: &Content, to: &Path, mode: u32) -> io::Result<()> {
    match content {
        Content::Folder => fs::create_dir(to)?,
        Content::Bytes(bytes) => fs::write(to, bytes)?,
        Content::From(file) => {
            fs::copy(file, to)?;
        }
        Content::Link(target) => return symlink(target, to),
        Content::Device(..) => {
            return Err(io::Error::other("a device cannot be laid into a folder"));
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_links_and_content_arrive() {
        let folder = std::env::temp_dir().join(format!("sbc-lay-{}", std::process::id()));
        let mut tree = Tree::new();
        tree.file("a/b", 0o640, *b"x");
        tree.link("a/c", "b");
        tree.put("d", 0o700, Content::Folder);
        lay(&tree, &folder).unwrap();
        lay(&tree, &folder).unwrap();
        let mode = |path: &str| {
            fs::metadata(folder.join(path))
                .unwrap()
                .permissions()
                .mode()
        };
        assert_eq!((mode("a/b") & 0o7777, mode("d") & 0o7777), (0o640, 0o700));
        assert_eq!(fs::read(folder.join("a/c")).unwrap(), b"x");
        tree.put("null", 0o666, Content::Device(1, 3));
        assert!(lay(&tree, &folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
