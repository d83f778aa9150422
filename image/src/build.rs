//! A lock, the source of the binary and the overlay come in; the disk image and
//! what is shipped beside it go out, the same octets for the same input.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

use crate::deb;
use crate::fat::{self, Files};
use crate::fetch::{Cache, Fetched, hex};
use crate::gpt::SECTOR;
use crate::lab::{kernel_image, unpacked_kernel};
use crate::lay::lay;
use crate::lock::Lock;
use crate::modules::Kernel;
use crate::release::Release;
use crate::tools::Tools;
use crate::tree::Tree;
use crate::{disk, grub, report, root, sbom, stage1, symbols, uki, verify, verity};

/// The binary's target: named, so that programs of the build itself are not
/// linked like it.
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What the kernel must have, in the repository.
const SYMBOLS: &str = "buildroot-overlay/board/sbc/linux.config";
/// Octets of the data partition as it is shipped.
const DATA: u64 = 64 << 20;
/// Blocks of data in a slot's root, at most.
const ROOT_MAX: usize = 64 << 20;

/// One version's parts, as a slot holds them.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The root filesystem.
    pub root: Vec<u8>,
    /// Its hash tree.
    pub tree: verity::Tree,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The compressed memory disk of the first stage.
    pub initrd: Vec<u8>,
    /// The command line.
    pub cmdline: String,
    /// All of it in one program for UEFI.
    pub uki: Vec<u8>,
}

/// Builds the one binary, linked statically; returns where it lies.
///
/// # Errors
/// When cargo fails.
pub fn binary(repository: &Path) -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository.join("target"), PathBuf::from);
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    // Names of folders must not get into the binary.
    let flags = [
        "-C".to_owned(),
        "target-feature=+crt-static".to_owned(),
        "-C".to_owned(),
        "link-arg=-Wl,--build-id=none".to_owned(),
        format!("--remap-path-prefix={}=/sbc", repository.display()),
        format!("--remap-path-prefix={}=/cargo", home.unwrap_or_default()),
    ];
    let status = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "image",
            "--target",
            TARGET,
        ])
        .args(["--package", "sbc-core", "--bin", "sbc"])
        .current_dir(repository)
        // Parted by a character that no name of a folder has.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .status()
        .context("cargo")?;
    ensure!(status.success(), "cargo could not build the binary");
    Ok(target.join(TARGET).join("image/sbc"))
}

/// What a version's parts are made from, wherever it came from.
#[derive(Debug)]
pub struct Source {
    /// The root.
    pub tree: Tree,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// Its version, as `uname -r` says it.
    pub uname: String,
    /// The memory disk of the first stage, not compressed.
    pub stage1: Vec<u8>,
}

/// Makes the parts of one version.
///
/// # Errors
/// When a program fails, or something does not fit its place.
pub fn parts(
    tools: &Tools,
    cache: &Cache,
    lock: &Lock,
    release: &Release,
    source: &Source,
) -> anyhow::Result<Parts> {
    let root = erofs(tools, release, &source.tree)?;
    let salt = salt(release);
    let hashes = verity::tree(&root, &salt, &release.uuid("hash").0)?;
    let initrd = tools.compress(&source.stage1)?;
    let cmdline = release.cmdline(&hashes.root);
    let stub = file_of(
        cache,
        lock,
        "systemd-boot-efi",
        "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    )?;
    let sections: [uki::Section<'_>; 5] = [
        (".osrel", &release.os_release()),
        (".cmdline", cmdline.as_bytes()),
        (".uname", source.uname.as_bytes()),
        (".linux", &source.kernel),
        (".initrd", &initrd),
    ];
    let uki = uki::write(&stub, &sections)?;
    Ok(Parts {
        root,
        tree: hashes,
        kernel: source.kernel.clone(),
        initrd,
        cmdline,
        uki,
    })
}

fn salt(release: &Release) -> [u8; 32] {
    let mut salt = [0; 32];
    let halves = [release.uuid("salt 1").0, release.uuid("salt 2").0].concat();
    salt.copy_from_slice(&halves);
    salt
}

/// Returns the root as a compressed read-only filesystem, in whole blocks.
fn erofs(tools: &Tools, release: &Release, tree: &Tree) -> anyhow::Result<Vec<u8>> {
    let (from, to) = (tools.scratch("root"), tools.scratch("root.erofs"));
    lay(tree, &from)?;
    let (time, uuid) = (release.time.to_string(), release.uuid("root").to_string());
    let words = [
        "--quiet",
        "-zlz4hc,12",
        "-C65536",
        "-T",
        &time,
        "-U",
        &uuid,
        "--all-root",
        "--workers=1",
        &to.display().to_string(),
        &from.display().to_string(),
    ];
    tools.run("usr/bin/mkfs.erofs", &words, &[])?;
    let mut bytes = fs::read(&to)?;
    bytes.resize(bytes.len().next_multiple_of(verity::BLOCK), 0);
    ensure!(
        bytes.len() <= ROOT_MAX,
        "the root has {} octets",
        bytes.len()
    );
    Ok(bytes)
}

/// Returns the data partition as it is shipped: empty.
fn data(tools: &Tools, release: &Release) -> anyhow::Result<Vec<u8>> {
    let (to, settings) = (tools.scratch("data.ext4"), tools.scratch("mke2fs.conf"));
    fs::File::create(&to)?.set_len(DATA)?;
    fs::write(
        &settings,
        "[defaults]\nbase_features = sparse_super,filetype,resize_inode,dir_index,ext_attr,has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize\nblocksize = 4096\ninode_size = 256\ninode_ratio = 16384\n",
    )?;
    let uuid = release.uuid("data").to_string();
    let seed =
        format!("hash_seed={uuid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard");
    let words = [
        "-q", "-F", "-t", "ext4", "-L", "sbc-data", "-U", &uuid, "-E", &seed, "-m", "0",
    ];
    let place = to.display().to_string();
    tools.run(
        "usr/sbin/mke2fs",
        &[&words[..], &[&place]].concat(),
        &[
            ("E2FSPROGS_FAKE_TIME", &release.time.to_string()),
            ("MKE2FS_CONFIG", &settings.display().to_string()),
        ],
    )?;
    Ok(fs::read(&to)?)
}

/// Returns the files of the boot partition with slot A filled.
fn esp(cache: &Cache, lock: &Lock, release: &Release, parts: &Parts) -> anyhow::Result<Files> {
    let loader = file_of(
        cache,
        lock,
        "systemd-boot-efi",
        "usr/lib/systemd/boot/efi/systemd-bootx64.efi",
    )?;
    Ok(Files::from([
        ("EFI/BOOT/BOOTX64.EFI".into(), loader),
        (
            format!("EFI/Linux/sbc-a_{}+3.efi", release.version),
            parts.uki.clone(),
        ),
        (
            "loader/loader.conf".into(),
            b"timeout 0\neditor no\nauto-entries no\nauto-firmware no\n".to_vec(),
        ),
        ("grub/grub.cfg".into(), grub::MENU.into()),
        (
            "grub/grubenv".into(),
            grub::env(&[("order", "a b"), ("left_a", "3"), ("left_b", "0")])?,
        ),
        ("grub/slot-a.cfg".into(), grub::slot(&parts.cmdline)),
        ("grub/slot-a.linux".into(), parts.kernel.clone()),
        ("grub/slot-a.initrd".into(), parts.initrd.clone()),
    ]))
}

/// Returns a file of a package.
fn file_of(cache: &Cache, lock: &Lock, package: &str, path: &str) -> anyhow::Result<Vec<u8>> {
    let found = lock.packages.iter().find(|one| one.name == package);
    let found = found.with_context(|| format!("the lock names no {package}"))?;
    let place = deb::unpack(cache, found)?.join(path);
    fs::read(&place).with_context(|| place.display().to_string())
}

/// What is built from.
#[derive(Debug)]
pub struct Order<'a> {
    /// The top of the repository.
    pub repository: &'a Path,
    /// What is built.
    pub release: Release,
    /// Where results go.
    pub out: &'a Path,
    /// What is laid over the root.
    pub overlay: &'a Path,
    /// Public keys an update may be signed with, by the names of their files.
    pub keys: Vec<(String, Vec<u8>)>,
}

/// Builds everything; returns the path of the disk image.
///
/// # Errors
/// What could not be made.
pub fn build(cache: &Cache, fetched: &Fetched, order: &Order<'_>) -> anyhow::Result<PathBuf> {
    let Order {
        repository,
        release,
        out,
        overlay,
        keys,
    } = order;
    let lock = &fetched.lock;
    fs::create_dir_all(out)?;
    say("the binary");
    let binary = binary(repository)?;
    let image = out.join(format!("sbc-{}.img", release.version));
    let (key, key_at) = (key(order, lock, &binary)?, image.with_extension("from"));
    if image.exists() && fs::read_to_string(&key_at).is_ok_and(|made| made == key) {
        say("nothing has changed, the disk stays");
        return Ok(image);
    }
    // What is half made belongs to no key.
    let _not_there = fs::remove_file(&key_at);
    let scratch = out.join("scratch");
    let tools = Tools::new(cache, lock, scratch.clone(), release.time)?;
    say("the root");
    let tree = root::tree(cache, lock, release, &binary, overlay, keys)?;
    fs::write(image.with_extension("sizes"), report::sizes(&tree)?)?;
    say("what it is made of");
    let packages = sbom::packages(cache, lock, &tree)?;
    let crates = sbom::crates(repository, TARGET)?;
    let list = sbom::spdx(release, &packages, &crates);
    fs::write(image.with_extension("spdx.json"), list)?;
    let texts = sbom::licences(cache, release, &packages, &crates)?;
    fs::write(image.with_extension("licences"), texts)?;
    let package = unpacked_kernel(cache, lock)?;
    let kernel = Kernel::open(&package)?;
    let wanted = repository.join(SYMBOLS);
    symbols::held(&fs::read_to_string(&wanted)?, &package, kernel.version())?;
    let source = Source {
        tree,
        kernel: fs::read(kernel_image(&package)?)?,
        uname: kernel.version().to_owned(),
        stage1: stage1::archive(&kernel, &binary)?,
    };
    let parts = parts(&tools, cache, lock, release, &source)?;
    say("the disk");
    assemble(&tools, cache, lock, release, &parts, &image)?;
    fs::remove_dir_all(&scratch)?;
    fs::write(&key_at, key)?;
    Ok(image)
}

/// Returns the hash of all an image is made from: the binary, the packages, the
/// overlay, what the release says, and this program.
fn key(order: &Order<'_>, lock: &Lock, binary: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for path in [binary.to_owned(), std::env::current_exe()?] {
        hash.update(Sha256::digest(&fs::read(path)?));
    }
    hash.update(Sha256::digest(lock.to_string().as_bytes()));
    hash.update(Sha256::digest(&order.release.file()));
    for (name, key) in &order.keys {
        hash.update(Sha256::digest(name.as_bytes()));
        hash.update(Sha256::digest(key));
    }
    let laid = root::laid_over(order.overlay)?;
    for (path, entry) in laid.entries() {
        let mode = entry.mode;
        hash.update(Sha256::digest(format!("{path} {mode:o}").as_bytes()));
        hash.update(Sha256::digest(&entry.content.octets()?));
    }
    Ok(hex(&hash.finalize()))
}

/// Writes the disk of one version.
///
/// # Errors
/// When a program fails, or something does not fit its place.
pub fn assemble(
    tools: &Tools,
    cache: &Cache,
    lock: &Lock,
    release: &Release,
    parts: &Parts,
    image: &Path,
) -> anyhow::Result<()> {
    let (core_at, room) = disk::place("bios").context("no bios partition in the layout")?;
    let pieces = lock.packages.iter().find(|one| one.name == "grub-pc-bin");
    let pieces = pieces.context("the lock names no grub-pc-bin")?;
    let pieces = deb::unpack(cache, pieces)?.join("usr/lib/grub/i386-pc");
    let (code, core) = grub::loader(tools, &pieces, core_at, room)?;
    let (data, mut files) = (data(tools, release)?, esp(cache, lock, release, parts)?);
    let (root, tree) = (parts.root.as_slice(), parts.tree.bytes.as_slice());
    let sums = verify::sums(release.time, [&code, &core, root, tree, &data], &files);
    files.insert(verify::SUMS.to_owned(), sums);
    let (_, sectors) = disk::place("esp").context("no esp in the layout")?;
    let form = disk::esp_form((sectors * SECTOR) as usize, release.time);
    let esp = fat::write(&form, &files)?;
    let contents: [(&str, &[u8]); 5] = [
        ("bios", &core),
        ("esp", &esp),
        ("root-a", root),
        ("hash-a", tree),
        ("data", &data),
    ];
    Ok(disk::write(image, &code, &contents)?)
}

fn say(what: &str) {
    eprintln!("sbc-image: {what}");
}
