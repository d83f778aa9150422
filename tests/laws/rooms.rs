//! Manifests come in, rooms that know somebody they must not go out.

use crate::assert_kept;
use crate::metadata::{Dependency, Package, WORKSPACE};
use crate::scan::Source;
use crate::tree::{self, SOURCES};

/// Every package of ours, where it lies, and whom of the others it may know.
const ROOMS: [(&str, &str, &[&str]); 11] = [
    ("sbc-sip", "sbc-core/sip", &[]),
    ("sbc-media", "sbc-core/media", &[]),
    ("sbc-config", "sbc-core/config", &[]),
    ("sbc-clock", "sbc-core/clock", &[]),
    (
        "sbc-call",
        "sbc-core/call",
        &["sbc-sip", "sbc-media", "sbc-config"],
    ),
    ("sbc-plan", "sbc-netcfg/plan", &["sbc-config"]),
    ("sbc-netcfg", "sbc-netcfg", &["sbc-plan", "sbc-config"]),
    (
        "sbc-core",
        "sbc-core",
        &[
            "sbc-sip",
            "sbc-media",
            "sbc-config",
            "sbc-call",
            "sbc-clock",
            "sbc-plan",
            "sbc-netcfg",
        ],
    ),
    ("sbc-image", "image", &["sbc-config"]),
    (
        "sbc-tests",
        "tests",
        &[
            "sbc-sip",
            "sbc-media",
            "sbc-config",
            "sbc-call",
            "sbc-plan",
            "sbc-netcfg",
            "sbc-core",
            "sbc-image",
        ],
    ),
    (
        "sbc-fuzz",
        "tests/fuzz",
        &["sbc-sip", "sbc-media", "sbc-config"],
    ),
];

/// Crates from outside that have one home, and why. A name ending in `-` or
/// `_` stands for all that begin so. The lab may know all of them.
const HOMES: [(&str, &[&str], &str); 12] = [
    (
        "rsip",
        &["sbc-sip"],
        "its types must not leak past the message layer",
    ),
    (
        "tokio",
        &["sbc-core", "sbc-netcfg"],
        "only `src/` touches the world",
    ),
    (
        "rustls",
        &["sbc-core"],
        "keys and TLS live beside the sockets",
    ),
    (
        "tokio-rustls",
        &["sbc-core"],
        "keys and TLS live beside the sockets",
    ),
    (
        "netlink-",
        &["sbc-netcfg"],
        "one process has its hands in the kernel",
    ),
    (
        "rtnetlink",
        &["sbc-netcfg"],
        "one process has its hands in the kernel",
    ),
    (
        "nftables",
        &["sbc-netcfg"],
        "one process has its hands in the kernel",
    ),
    (
        "lzma-rs",
        &["sbc-image"],
        "the kernel's modules are opened where the image is built",
    ),
    ("rsvici", &["sbc-netcfg"], "one process speaks to charon"),
    ("vici-", &["sbc-netcfg"], "one process speaks to charon"),
    (
        "ring",
        &["sbc-netcfg"],
        "keys are made, and signatures held against them, where certificates are read",
    ),
    (
        "x509-cert",
        &["sbc-netcfg"],
        "certificates are looked at where charon is told of them",
    ),
];

/// Where inside its home a crate's name may be written.
const CORNERS: [(&str, &str); 1] = [("rsip", "sbc-core/sip/src/message")];

fn acquaintances(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages.iter().filter(|package| package.member) {
        let Some((_, _, known)) = ROOMS.iter().find(|(name, ..)| *name == package.name) else {
            faults.push(format!(
                "{}: no room of this name is on the map in tests/laws/rooms.rs",
                package.name
            ));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.local)
        {
            if !known.contains(&dependency.name.as_str()) {
                faults.push(format!(
                    "{} must not know {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    faults
}

fn strangers(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages
        .iter()
        .filter(|package| package.member && package.name != "sbc-tests")
    {
        for dependency in &package.dependencies {
            for (krate, homes, why) in HOMES {
                let named = dependency.name == krate
                    || (krate.ends_with('-') && dependency.name.starts_with(krate));
                if named && !homes.contains(&package.name.as_str()) {
                    faults.push(format!(
                        "{} depends on {}, whose home is {}: {why}",
                        package.name,
                        dependency.name,
                        homes.join(" and ")
                    ));
                }
            }
        }
    }
    faults
}

fn out_of_their_corner(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for (krate, corner) in CORNERS
            .iter()
            .filter(|(_, corner)| !source.path.starts_with(corner))
        {
            for at in source.find_word(krate) {
                let line = source.line_of(at);
                if !source.is_test(line) && source.path.starts_with("sbc-") {
                    faults.push(format!(
                        "{}:{line}: {krate} is for {corner} only",
                        source.path
                    ));
                }
            }
        }
    }
    faults
}

fn loose_versions(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages.iter().filter(|package| package.member) {
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| !dependency.local)
        {
            if !dependency.requirement.starts_with('=') {
                faults.push(format!(
                    "{}: {} = \"{}\" must be exact, as `=1.2.3`",
                    package.name, dependency.name, dependency.requirement
                ));
            }
        }
    }
    faults
}

/// Holds one manifest to the workspace: `(path, text)`.
fn estranged(path: &str, manifest: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !manifest.contains("[lints]\nworkspace = true") {
        faults.push(format!(
            "{path}: say `[lints]` `workspace = true`, the lints have one home"
        ));
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !manifest.contains(&format!("\n{key}.workspace = true")) {
            faults.push(format!("{path}: say `{key}.workspace = true`"));
        }
    }
    let mut table = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            table = line;
        }
        let declares = table.ends_with("dependencies]") && line.contains('=');
        if declares && !line.contains("workspace = true") {
            faults.push(format!(
                "{path}: `{line}` must come from the root's [workspace.dependencies]"
            ));
        }
    }
    faults
}

/// Returns what is wrong with the root manifest's list of members.
fn unlisted(root: &str) -> Vec<String> {
    let members = root
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_default();
    let listed: Vec<&str> = members
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
        .filter(|member| !member.is_empty())
        .collect();
    let mut wanted: Vec<&str> = ROOMS.iter().map(|(_, folder, _)| *folder).collect();
    wanted.retain(|folder| !listed.contains(folder));
    let missing = wanted
        .iter()
        .map(|folder| format!("Cargo.toml: members must name \"{folder}\""));
    let extra = listed
        .iter()
        .filter(|member| !ROOMS.iter().any(|(_, folder, _)| folder == *member));
    missing
        .chain(extra.map(|member| {
            format!("Cargo.toml: member \"{member}\" is not on the map in tests/laws/rooms.rs")
        }))
        .collect()
}

#[test]
fn every_room_knows_only_whom_it_may() {
    assert_kept("who may know whom", &acquaintances(&WORKSPACE));
}

#[test]
fn a_crate_with_one_home_is_met_only_there() {
    assert_kept("one home for a crate from outside", &strangers(&WORKSPACE));
    assert_kept(
        "one corner for a crate from outside",
        &out_of_their_corner(&SOURCES),
    );
}

#[test]
fn every_version_is_exact() {
    assert_kept("exact versions", &loose_versions(&WORKSPACE));
    let root = tree::read("Cargo.toml");
    let table = root
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let loose: Vec<String> = table
        .lines()
        .filter(|line| {
            line.contains('=')
                && !line.starts_with('#')
                && !line.contains("\"=")
                && !line.contains("path = ")
        })
        .map(|line| format!("Cargo.toml: `{line}` must be exact"))
        .collect();
    assert_kept("exact versions", &loose);
}

#[test]
fn every_manifest_inherits_from_the_workspace_which_names_it() {
    let mut faults = unlisted(&tree::read("Cargo.toml"));
    for (_, folder, _) in ROOMS {
        let path = format!("{folder}/Cargo.toml");
        faults.extend(estranged(&path, &tree::read(&path)));
    }
    assert_kept("workspace inheritance", &faults);
}

fn package(name: &str, dependencies: &[(&str, &str, bool)]) -> Package {
    Package {
        name: name.into(),
        member: true,
        dependencies: dependencies
            .iter()
            .map(|&(name, requirement, local)| Dependency {
                name: name.into(),
                requirement: requirement.into(),
                local,
            })
            .collect(),
        ..Package::default()
    }
}

#[test]
fn a_room_that_knows_too_many_is_seen() {
    let bad = [package(
        "sbc-sip",
        &[
            ("sbc-media", "*", true),
            ("tokio", "^1", false),
            ("netlink-sys", "=1.0.0", false),
        ],
    )];
    assert_eq!(acquaintances(&bad), ["sbc-sip must not know sbc-media"]);
    assert_eq!(strangers(&bad).len(), 2);
    assert_eq!(loose_versions(&bad).len(), 1);
}

#[test]
fn a_package_off_the_map_is_seen() {
    assert_eq!(acquaintances(&[package("sbc-shed", &[])]).len(), 1);
    let root = tree::read("Cargo.toml").replace("\"image\",", "\"sh*d\",");
    assert_eq!(unlisted(&root).len(), 2);
}

#[test]
fn a_crate_out_of_its_corner_is_seen() {
    let bad = Source::new(
        "sbc-core/sip/src/wire/x.rs".into(),
        "use rsip::Method;\n#[cfg(test)]\nuse rsip::Uri;\n".into(),
    );
    assert_eq!(out_of_their_corner(&[bad]).len(), 1);
}

#[test]
fn a_manifest_on_its_own_is_seen() {
    let bad = "[package]\nname = \"x\"\nversion = \"1.0.0\"\n[dependencies]\nserde = \"=1.0.0\"\n";
    assert_eq!(estranged("x/Cargo.toml", bad).len(), 7);
}
