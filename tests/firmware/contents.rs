//! What is in the image, and that it is the same whenever it is built.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sbc_tests::kit::firmware::{Image, keys};
use sbc_tests::kit::programs::house;

use super::folder;

/// Names under which programs that run other programs' text are known.
const INTERPRETERS: [&str; 22] = [
    "ash", "awk", "bash", "busybox", "csh", "dash", "env", "gawk", "gdb", "ksh", "lua", "mawk",
    "node", "perl", "php", "python", "python3", "rbash", "ruby", "sh", "tclsh", "zsh",
];
/// All that is executable and no library.
const PROGRAMS: [&str; 4] = [
    "usr/lib/ipsec/charon",
    "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    "usr/sbin/nft",
    "usr/sbin/sbc",
];

/// Returns every path below a folder, links not followed.
fn walk(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Returns what is wrong with the root of an image.
fn faults(top: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut programs = BTreeSet::new();
    for path in walk(top) {
        let short = path.strip_prefix(top).unwrap().display().to_string();
        let entry = fs::symlink_metadata(&path).unwrap();
        let mode = entry.permissions().mode() & 0o7777;
        if entry.is_symlink() {
            continue;
        }
        if mode & 0o6000 != 0 {
            faults.push(format!("{short} lends rights: {mode:o}"));
        }
        if mode & 0o022 != 0 {
            faults.push(format!("{short} can be written by others: {mode:o}"));
        }
        if (entry.uid(), entry.gid()) != (0, 0) {
            faults.push(format!("{short} does not belong to user 0"));
        }
        if !entry.is_file() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if INTERPRETERS.contains(&name.as_str()) {
            faults.push(format!("{short} is an interpreter"));
        }
        let bytes = fs::read(&path).unwrap();
        if bytes.starts_with(b"#!") {
            faults.push(format!("{short} is a script"));
        }
        let is_library = name.contains(".so") && !name.starts_with("ld-");
        if mode & 0o111 != 0 && bytes.starts_with(b"\x7fELF") && !is_library {
            programs.insert(short);
        }
    }
    let wanted: BTreeSet<String> = PROGRAMS.map(str::to_owned).into();
    let odd = programs.symmetric_difference(&wanted);
    faults.extend(odd.map(|one| format!("{one} is not what is to be executed")));
    faults
}

#[test]
fn the_unpacked_image_holds_no_shell_no_interpreter_and_nothing_that_lends_rights() {
    let name = "the_unpacked_image_holds_no_shell_no_interpreter_and_nothing_that_lends_rights";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let root = folder(name).join("root");
    let (disk, to) = (image.path.display().to_string(), root.display().to_string());
    image.errand(&["unpack", &disk, &to]).unwrap();
    assert_eq!(faults(&root), Vec::<String>::new());

    // The search finds what is planted.
    fs::write(root.join("usr/sbin/sh"), "#!/bin/none\n").unwrap();
    fs::set_permissions(root.join("usr/sbin/sh"), PermissionsExt::from_mode(0o4777)).unwrap();
    fs::copy(root.join("usr/sbin/nft"), root.join("usr/sbin/other")).unwrap();
    let found = faults(&root).join("\n");
    for words in [
        "sh lends rights",
        "sh can be written",
        "sh is an interpreter",
        "sh is a script",
        "other is not what",
    ] {
        assert!(found.contains(words), "{words} in {found}");
    }
    fs::remove_dir_all(root).unwrap();
}

/// A root as Buildroot leaves it: the programs, and the kernel's modules as the kernel's
/// own build lays them.
#[test]
fn a_root_and_a_kernel_of_another_builder_make_the_same_slot() {
    let name = "a_root_and_a_kernel_of_another_builder_make_the_same_slot";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let (root, out) = (folder(name).join("root"), folder(name).join("out"));
    let (disk, to) = (image.path.display().to_string(), root.display().to_string());
    image.errand(&["unpack", &disk, &to]).unwrap();
    let told = image.errand(&["lab"]).unwrap();
    let kernel = told.lines().find_map(|line| line.strip_prefix("kernel "));
    let kernel = Path::new(kernel.unwrap());
    let modules = kernel.ancestors().nth(2).unwrap().join("usr/lib/modules");
    fs::remove_dir_all(root.join("usr/lib/modules")).unwrap();
    symlink(modules, root.join("usr/lib/modules")).unwrap();

    let keys = keys().unwrap().display().to_string();
    let (kernel, out_at) = (kernel.display().to_string(), out.display().to_string());
    let words = [
        "assemble", "--rootfs", &to, "--kernel", &kernel, "--out", &out_at, "--keys", &keys,
    ];
    let made = image.errand(&words).unwrap();
    let made = PathBuf::from(made.trim());
    assert!(are_same(&image.path, &made), "two disks differ");
    image
        .errand(&["verify", &made.display().to_string()])
        .unwrap();

    // A shell in it, or no firewall's program, and it is refused.
    symlink("sbc", root.join("usr/bin/sh")).unwrap();
    fs::remove_file(root.join("usr/sbin/nft")).unwrap();
    let refused = image.errand(&words).unwrap_err();
    for fault in ["/usr/bin/sh is an interpreter", "/usr/sbin/nft is missing"] {
        assert!(refused.contains(fault), "{refused}");
    }
    fs::remove_dir_all(folder(name)).unwrap();
}

#[test]
fn the_same_parts_make_the_same_disk_in_another_folder() {
    let name = "the_same_parts_make_the_same_disk_in_another_folder";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let out = folder(name).join("out");
    let keys = keys().unwrap().display().to_string();
    let to = out.display().to_string();
    let other = image.errand(&["build", "--out", &to, "--keys", &keys]);
    let other = PathBuf::from(other.unwrap().trim());
    assert!(other.starts_with(&out), "it is another file");
    assert!(are_same(&image.path, &other), "two disks differ");
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn a_download_of_the_image_keeps_to_its_budget_and_is_unpacked_by_plain_zstd() {
    let name = "a_download_of_the_image_keeps_to_its_budget_and_is_unpacked_by_plain_zstd";
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let folder = folder(name);
    let disk = folder.join("sbc.img");
    image.copy(&disk).unwrap();
    let told = image.errand(&["pack", &disk.display().to_string(), "--quick"]);
    println!("{}", told.unwrap().trim());
    let packed = folder.join("sbc.img.zst");
    let size = fs::metadata(&packed).unwrap().len();
    assert!((1_000_000..=40_000_000).contains(&size), "{size} octets");
    fs::rename(&disk, folder.join("before.img")).unwrap();
    // As whoever downloads it does.
    let unpacked = Command::new("zstd")
        .args(["-q", "-d"])
        .arg(&packed)
        .status();
    assert!(unpacked.unwrap().success());
    assert!(
        are_same(&disk, &folder.join("before.img")),
        "two disks differ"
    );
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--quiet", "SHA256SUMS"])
        .current_dir(&folder);
    assert!(sums.status().unwrap().success());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_checkouts_in_two_folders_build_the_same_image() {
    let name = "two_checkouts_in_two_folders_build_the_same_image";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(image) = Image::for_test(name).expect("the image") else {
        return;
    };
    let checkout = folder(name).join("a folder with another name");
    copy_repository(&checkout);
    let keys = keys().unwrap().display().to_string();
    let words = ["build", "--out", "made", "--keys", &keys];
    let made = image.errand_at(&checkout, &words);
    let other = PathBuf::from(made.unwrap().trim());
    assert!(other.starts_with(&checkout), "it is another file");
    assert!(are_same(&image.path, &other), "two disks differ");
    fs::remove_dir_all(checkout).unwrap();
}

/// Copies what a checkout has, and shares what was fetched.
fn copy_repository(to: &Path) {
    let house = house();
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(&house)
        .output()
        .expect("git lists the files");
    let text = String::from_utf8(listed.stdout).expect("names are UTF-8");
    for path in text.split('\0').filter(|path| !path.is_empty()) {
        let to = to.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(house.join(path), to).unwrap();
    }
    let cache = house.join("target/image-cache");
    if cache.is_dir() {
        fs::create_dir_all(to.join("target")).unwrap();
        symlink(cache, to.join("target/image-cache")).unwrap();
    }
}

fn are_same(one: &Path, other: &Path) -> bool {
    fs::read(one).unwrap() == fs::read(other).unwrap()
}
