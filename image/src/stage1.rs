//! The binary and a few modules come in; the initial memory disk of the image
//! goes out: what finds, verifies and mounts the root.

use std::path::Path;

use crate::cpio;
use crate::lab::lay_modules;
use crate::manifest;
use crate::modules::Kernel;
use crate::tree::{Content, Tree};

/// Returns the archive, not compressed.
///
/// # Errors
/// When a module is missing or a file cannot be read.
pub fn archive(kernel: &Kernel, binary: &Path) -> anyhow::Result<Vec<u8>> {
    let mut tree = Tree::new();
    for folder in ["dev", "proc", "root", "run", "sys"] {
        tree.folder(folder);
    }
    // What the first process writes before anything is mounted must be seen.
    tree.put("dev/console", 0o600, Content::Device(5, 1));
    tree.put("init", 0o755, Content::From(binary.to_owned()));
    tree.link("sbin/modprobe", "../init");
    tree.link("lib", "usr/lib");
    lay_modules(
        &mut tree,
        kernel.version(),
        kernel.close(manifest::STAGE1)?,
        |_| true,
    )?;
    let mut bytes = Vec::new();
    cpio::write(&tree, &mut bytes)?;
    Ok(bytes)
}
