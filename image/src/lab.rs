//! Unpacked packages come in; the root filesystem of the lab's guests goes out,
//! as the initial memory disk QEMU gives to the kernel.
//!
//! It has the image's programs and all of its modules, and what tests look
//! with: busybox, iproute2, swanctl. It has no `/init`: whoever boots it adds
//! a second archive with one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::closure::Roots;
use crate::cpio;
use crate::deb;
use crate::fetch::{Cache, Fetched, hex, sha256_of};
use crate::lock::Lock;
use crate::manifest;
use crate::modules::{Kernel, Module, Table, Unloadable};
use crate::tree::{Content, Tree};

/// What a guest is booted with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boot {
    /// The kernel's image.
    pub kernel: PathBuf,
    /// The archive of the root filesystem.
    pub initrd: PathBuf,
}

/// Returns the lab's kernel and root filesystem, made if they are not there.
///
/// # Errors
/// When a package cannot be unpacked or lacks what it should have.
pub fn boot(cache: &Cache, fetched: &Fetched) -> anyhow::Result<Boot> {
    let kernel = unpacked_kernel(cache, &fetched.lock)?;
    let image = kernel_image(&kernel)?;
    let initrd = cache
        .folder()
        .join(format!("lab-{}.cpio", key(&fetched.lock)?));
    if initrd.is_file() {
        return Ok(Boot {
            kernel: image,
            initrd,
        });
    }
    let tree = tree(cache, &fetched.lock)?;
    let half = initrd.with_extension(std::process::id().to_string());
    let mut out = std::io::BufWriter::new(fs::File::create(&half)?);
    cpio::write(&tree, &mut out)?;
    drop(out);
    fs::rename(&half, &initrd)?;
    Ok(Boot {
        kernel: image,
        initrd,
    })
}

/// Returns the tree of the lab's guests.
///
/// # Errors
/// As [`boot`].
pub fn tree(cache: &Cache, lock: &Lock) -> anyhow::Result<Tree> {
    let folders = lock
        .packages
        .iter()
        .map(|package| deb::unpack(cache, package));
    let roots = Roots::new(folders.collect::<Result<_, _>>()?);
    let mut tree = Tree::new();
    tree.merge_usr();
    for folder in ["dev", "etc", "proc", "root", "run", "sys", "tmp", "var/log"] {
        tree.folder(folder);
    }
    tree.put("dev/console", 0o600, Content::Device(5, 1));
    tree.put("dev/null", 0o666, Content::Device(1, 3));
    tree.link("var/run", "/run");
    tree.file("etc/passwd", 0o644, *b"root:x:0:0:root:/root:/bin/sh\n");
    tree.file("etc/group", 0o644, *b"root:x:0:\n");
    for seed in manifest::SEEDS.iter().chain(manifest::LAB_SEEDS) {
        roots.close(seed, &mut tree)?;
    }
    for plugin in manifest::PLUGINS {
        roots.close(
            &format!("/usr/lib/ipsec/plugins/libstrongswan-{plugin}.so"),
            &mut tree,
        )?;
    }
    tree.link("usr/bin/sh", "dash");
    for applet in manifest::LAB_APPLETS {
        tree.link(&format!("usr/bin/{applet}"), "busybox");
    }
    let kernel = Kernel::open(&unpacked_kernel(cache, lock)?)?;
    let names = [manifest::PROTOCOLS, manifest::FILES, manifest::DEVICES].concat();
    lay_modules(&mut tree, kernel.version(), kernel.close(&names)?, |_| {
        false
    })?;
    Ok(tree)
}

/// Lays modules into `lib/modules/VERSION`, their table `lib/modules/table`
/// beside it. Those that `is_plain` names are unpacked: the kernel takes them in a
/// tenth of the time, and what they lie in is compressed itself.
///
/// # Errors
/// When one cannot be unpacked.
pub fn lay_modules(
    tree: &mut Tree,
    version: &str,
    mut modules: Vec<Module>,
    is_plain: impl Fn(&str) -> bool,
) -> Result<(), Unloadable> {
    for module in &mut modules {
        let content = if is_plain(&module.name) {
            let bytes = module.unpacked()?;
            module.file.set_file_name(module.plain_file());
            Content::Bytes(bytes)
        } else {
            Content::From(module.file.clone())
        };
        let file = module
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        tree.put(&format!("usr/lib/modules/{version}/{file}"), 0o644, content);
    }
    let table = Table::of(&modules).to_string();
    tree.file("usr/lib/modules/table", 0o644, table);
    Ok(())
}

/// Returns the folder of the unpacked kernel package.
///
/// # Errors
/// When the lock has none, or it cannot be unpacked.
pub fn unpacked_kernel(cache: &Cache, lock: &Lock) -> anyhow::Result<PathBuf> {
    let package = lock.kernel().context("the lock names no kernel")?;
    Ok(deb::unpack(cache, package)?)
}

/// Returns the file QEMU and the boot loaders start.
///
/// # Errors
/// When the package has none.
pub fn kernel_image(package: &Path) -> anyhow::Result<PathBuf> {
    let folder = package.join("boot");
    let mut files = fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .flatten()
        .map(|entry| entry.path());
    files
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
        })
        .context("the kernel's package has no image")
}

/// Returns a name for what the lock and this very program make.
fn key(lock: &Lock) -> anyhow::Result<String> {
    let program = sha256_of(&std::env::current_exe()?)?;
    let both = format!("{lock}{program}");
    let mut key = hex(&Sha256::digest(both.as_bytes()));
    key.truncate(16);
    Ok(key)
}
