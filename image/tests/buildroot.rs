//! The external tree for Buildroot as far as it can be held without Buildroot: its files
//! name each other, and its kernel has the modules of the image.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sbc_image::manifest::{DEVICES, FILES, PROTOCOLS, STAGE1};
use sbc_image::symbols;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../buildroot-overlay")
}

fn text(name: &str) -> String {
    fs::read_to_string(top().join(name)).unwrap()
}

/// Files that name others by the variable of the tree.
const NAMING: [&str; 4] = [
    "Config.in",
    "external.mk",
    "configs/sbc_x86_64_defconfig",
    "package/sbc/sbc.mk",
];

#[test]
fn the_external_tree_has_a_name_and_every_file_it_names() {
    let described = text("external.desc");
    let name = described
        .lines()
        .find_map(|line| line.strip_prefix("name: "));
    let name = name.unwrap();
    assert!(described.contains("\ndesc: "));
    let variable = format!("BR2_EXTERNAL_{name}_PATH");
    for file in NAMING {
        let text = text(file);
        assert!(text.contains(&variable), "{file} finds the tree");
        for (at, _) in text.match_indices("BR2_EXTERNAL_") {
            let rest = &text[at..];
            assert!(rest.starts_with(&variable), "{file}: another tree");
            let rest = rest[variable.len()..].trim_start_matches(')');
            let ends = ['"', ' ', '\n', ')', '*'];
            let named = rest.split(ends).next().unwrap().trim_matches('/');
            assert!(top().join(named).exists(), "{file} names {named}");
        }
    }
    let script = fs::metadata(top().join("board/sbc/post-image.sh")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_ne!(script.permissions().mode() & 0o100, 0, "it can be run");
}

#[test]
fn every_symbol_of_the_defconfig_is_a_line_of_its_own_and_none_is_set_twice() {
    let text = text("configs/sbc_x86_64_defconfig");
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let off = line
            .strip_prefix("# ")
            .and_then(|line| line.strip_suffix(" is not set"));
        let symbol = off.or_else(|| line.split_once('=').map(|(symbol, _)| symbol));
        let symbol = symbol.unwrap_or_else(|| panic!("{line}"));
        let is_one = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        assert!(symbol.starts_with("BR2_") && symbol.chars().all(is_one));
        assert!(seen.insert(symbol), "{symbol} is set twice");
    }
    for needed in ["BR2_INIT_NONE", "BR2_SYSTEM_BIN_SH_NONE", "BR2_PACKAGE_SBC"] {
        assert!(text.lines().any(|line| line == format!("{needed}=y")));
    }
}

/// The image's lists and the kernel's list name the same modules; that Debian's kernel
/// has each symbol is held whenever an image is built.
#[test]
fn the_kernels_list_names_the_modules_of_the_image_no_more_and_no_less() {
    let list = text("board/sbc/linux.config");
    let named: BTreeSet<&str> = symbols::modules(&list).collect();
    let lists = [STAGE1, PROTOCOLS, FILES, DEVICES].concat();
    assert_eq!(named, lists.into_iter().collect());
    let lines: Vec<&str> = list.lines().collect();
    for pair in lines.windows(2) {
        let is_module = pair[0]
            .strip_prefix("# ")
            .is_some_and(|name| named.contains(name));
        let is_symbol = pair[1].starts_with("CONFIG_");
        assert!(!is_module || is_symbol, "{} has no symbol", pair[0]);
    }
}
