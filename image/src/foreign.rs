//! A root and a kernel that another builder made, Buildroot for one, come in; our disk
//! image goes out: slots, hash tree, loaders and checks are the same.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::build::{Source, assemble, parts};
use crate::fetch::{Cache, Fetched};
use crate::modules::Kernel;
use crate::release::Release;
use crate::tools::Tools;
use crate::tree::{Content, Tree};
use crate::{root, stage1};

/// The one binary, in a root.
const BINARY: &str = "usr/sbin/sbc";
/// Programs a root must have beside it.
const NEEDED: [&str; 3] = [BINARY, "usr/sbin/nft", "usr/sbin/init"];
/// Programs that run what they are told: none may be in a root.
const BARRED: [&str; 12] = [
    "ash", "awk", "bash", "busybox", "dash", "gdb", "ksh", "lua", "perl", "python3", "sh", "zsh",
];

/// What is put together.
#[derive(Debug)]
pub struct Foreign<'a> {
    /// The folder of the root.
    pub rootfs: &'a Path,
    /// The kernel, as a loader starts it.
    pub kernel: &'a Path,
    /// What it is called.
    pub release: Release,
    /// Where the image goes.
    pub out: &'a Path,
    /// Public keys an update may be signed with, by the names of their files.
    pub keys: Vec<(String, Vec<u8>)>,
}

/// Returns everything that keeps a root from being a node's.
#[must_use]
pub fn faults(tree: &Tree) -> Vec<String> {
    let absent = NEEDED.iter().filter(|path| tree.entry(path).is_none());
    let mut faults: Vec<String> = absent.map(|path| format!("/{path} is missing")).collect();
    for (path, entry) in tree.entries() {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_program = path.contains("bin/") && !matches!(entry.content, Content::Folder);
        if is_program && BARRED.contains(&name) {
            faults.push(format!("/{path} is an interpreter"));
        }
    }
    faults
}

/// Writes the disk image; returns its path.
///
/// # Errors
/// What the root lacks or may not have, or what could not be made.
pub fn build(cache: &Cache, fetched: &Fetched, order: &Foreign<'_>) -> anyhow::Result<PathBuf> {
    let Foreign {
        rootfs,
        kernel,
        release,
        out,
        keys,
    } = order;
    let modules = Kernel::open(rootfs)?;
    let tree = root::foreign(rootfs, &modules, release, keys)?;
    let faults = faults(&tree);
    ensure!(
        faults.is_empty(),
        "{}: {}",
        rootfs.display(),
        faults.join("; ")
    );
    fs::create_dir_all(out)?;
    let image = out.join(format!("sbc-{}.img", release.version));
    let scratch = out.join("scratch");
    let tools = Tools::new(cache, &fetched.lock, scratch.clone(), release.time)?;
    let source = Source {
        tree,
        kernel: fs::read(kernel).with_context(|| kernel.display().to_string())?,
        uname: modules.version().to_owned(),
        stage1: stage1::archive(&modules, &rootfs.join(BINARY))?,
    };
    let parts = parts(&tools, cache, &fetched.lock, release, &source)?;
    assemble(&tools, cache, &fetched.lock, release, &parts, &image)?;
    fs::remove_dir_all(&scratch)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_with_a_shell_or_without_the_binary_is_refused_with_all_its_faults() {
        let mut tree = Tree::new();
        tree.file("usr/bin/busybox", 0o755, *b"x");
        tree.link("usr/bin/sh", "busybox");
        tree.file("usr/sbin/nft", 0o755, *b"x");
        let found = faults(&tree);
        assert_eq!(
            found,
            [
                "/usr/sbin/sbc is missing",
                "/usr/sbin/init is missing",
                "/usr/bin/busybox is an interpreter",
                "/usr/bin/sh is an interpreter",
            ]
        );
    }
}
