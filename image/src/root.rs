//! Packages, modules, the binary and the overlay come in; the tree of the
//! image's read-only root goes out. It has no shell and no interpreter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::closure::Roots;
use crate::deb;
use crate::fetch::Cache;
use crate::lab::{lay_modules, unpacked_kernel};
use crate::lock::Lock;
use crate::manifest;
use crate::modules::Kernel;
use crate::release::Release;
use crate::tree::{Content, Tree};

/// Folders over which something is mounted at boot.
const MOUNT_POINTS: [&str; 9] = [
    "data",
    "dev",
    "etc",
    "proc",
    "run",
    "sys",
    "tmp",
    "usr/share/sbc",
    "var",
];
/// The names under which the one binary is called.
const NAMES: [&str; 2] = ["init", "modprobe"];

/// Returns the tree. `keys` are the files of the public keys an update may be
/// signed with.
///
/// # Errors
/// When a package lacks what it should have, or a file cannot be read.
pub fn tree(
    cache: &Cache,
    lock: &Lock,
    release: &Release,
    binary: &Path,
    overlay: &Path,
    keys: &[(String, Vec<u8>)],
) -> anyhow::Result<Tree> {
    let unpacked = lock.packages.iter().map(|one| deb::unpack(cache, one));
    let roots = Roots::new(unpacked.collect::<Result<_, _>>()?);
    let mut tree = Tree::new();
    tree.merge_usr();
    for folder in MOUNT_POINTS {
        tree.folder(folder);
    }
    for seed in manifest::SEEDS {
        roots.close(seed, &mut tree)?;
    }
    for plugin in manifest::PLUGINS {
        let path = format!("/usr/lib/ipsec/plugins/libstrongswan-{plugin}.so");
        roots.close(&path, &mut tree)?;
    }
    modules(&mut tree, &Kernel::open(&unpacked_kernel(cache, lock)?)?)?;
    tree.put("usr/sbin/sbc", 0o755, Content::From(binary.to_owned()));
    for name in NAMES {
        tree.link(&format!("usr/sbin/{name}"), "sbc");
    }
    own(&mut tree, release, keys);
    over(&mut tree, overlay, "").with_context(|| overlay.display().to_string())?;
    move_etc(&mut tree);
    Ok(without_privilege(&tree))
}

/// Returns the tree of a root that somebody else has made, as [`tree`] would leave it:
/// of the modules of `kernel` it keeps those a node may need.
///
/// # Errors
/// When a file of it cannot be read, or a module is not there.
pub fn foreign(
    folder: &Path,
    kernel: &Kernel,
    release: &Release,
    keys: &[(String, Vec<u8>)],
) -> anyhow::Result<Tree> {
    let mut tree = Tree::new();
    for folder in MOUNT_POINTS {
        tree.folder(folder);
    }
    over(&mut tree, folder, "").with_context(|| folder.display().to_string())?;
    tree.remove("usr/lib/modules");
    modules(&mut tree, kernel)?;
    own(&mut tree, release, keys);
    move_etc(&mut tree);
    Ok(without_privilege(&tree))
}

/// Lays the modules a node may need.
fn modules(tree: &mut Tree, kernel: &Kernel) -> anyhow::Result<()> {
    let names = [manifest::PROTOCOLS, manifest::FILES, manifest::DEVICES].concat();
    let at_boot = kernel.close(manifest::AT_BOOT)?;
    let is_plain = |name: &str| at_boot.iter().any(|one| one.name == name);
    lay_modules(tree, kernel.version(), kernel.close(&names)?, is_plain)?;
    Ok(())
}

/// Lays what a release says of itself.
fn own(tree: &mut Tree, release: &Release, keys: &[(String, Vec<u8>)]) {
    tree.file("usr/lib/os-release", 0o644, release.os_release());
    tree.file("usr/share/sbc/release", 0o644, release.file());
    for (name, key) in keys {
        tree.file(&format!("usr/share/sbc/keys/{name}"), 0o644, key.clone());
    }
}

/// Returns the files of the overlay alone.
///
/// # Errors
/// When one cannot be read.
pub fn laid_over(overlay: &Path) -> anyhow::Result<Tree> {
    let mut tree = Tree::new();
    over(&mut tree, overlay, "").with_context(|| overlay.display().to_string())?;
    Ok(tree)
}

/// Lays the files of a folder over the tree; `.keep` holds a folder in the
/// repository and is passed over.
fn over(tree: &mut Tree, folder: &Path, path: &str) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let to = format!("{path}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if tree.entry(&to).is_none() {
                tree.folder(&to);
            }
            over(tree, &entry.path(), &format!("{to}/"))?;
        } else if kind.is_symlink() {
            tree.link(&to, &fs::read_link(entry.path())?.to_string_lossy());
        } else if kind.is_file() && name != ".keep" {
            let mode = if entry.metadata()?.permissions().mode() & 0o100 == 0 {
                0o644
            } else {
                0o755
            };
            tree.put(&to, mode, Content::From(entry.path()));
        }
    }
    Ok(())
}

/// At boot `/etc` is a filesystem in memory; what is to be in it from the start
/// lies under `usr/share/sbc/etc` and is copied from there.
fn move_etc(tree: &mut Tree) {
    let inside = tree.entries().filter(|(path, _)| path.starts_with("etc/"));
    let inside: Vec<_> = inside
        .map(|(path, entry)| (path.to_owned(), entry.clone()))
        .collect();
    let mut rest = Tree::new();
    for (path, entry) in tree.entries().filter(|(path, _)| !path.starts_with("etc/")) {
        rest.put(path, entry.mode, entry.content.clone());
    }
    for (path, entry) in inside {
        rest.put(&format!("usr/share/sbc/{path}"), entry.mode, entry.content);
    }
    *tree = rest;
}

/// Returns the tree without bits that would lend a user's rights, or let
/// others write.
fn without_privilege(tree: &Tree) -> Tree {
    let mut kept = Tree::new();
    for (path, entry) in tree.entries() {
        let mode = match entry.content {
            Content::Link(_) => entry.mode,
            _ => entry.mode & 0o755,
        };
        kept.put(path, mode, entry.content.clone());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_lends_rights_or_lets_others_write() {
        let mut tree = Tree::new();
        tree.file("usr/bin/lends", 0o4755, *b"x");
        tree.file("usr/bin/open", 0o666, *b"x");
        let kept = without_privilege(&tree);
        let mode = |path| kept.entry(path).map(|entry| entry.mode);
        assert_eq!(mode("usr/bin/lends"), Some(0o755));
        assert_eq!(mode("usr/bin/open"), Some(0o644));
    }

    #[test]
    fn files_of_etc_wait_where_they_are_copied_from() {
        let mut tree = Tree::new();
        tree.folder("etc");
        tree.file("etc/protocols", 0o644, *b"gre 47");
        move_etc(&mut tree);
        assert!(tree.entry("etc").is_some(), "the mount point stays");
        assert!(tree.entry("etc/protocols").is_none());
        assert!(tree.entry("usr/share/sbc/etc/protocols").is_some());
    }
}
