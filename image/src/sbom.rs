//! What an image is made of comes in; a list of it for programs (SPDX 2.3, §7 to
//! §11) and the texts of all licences with the offer of the sources go out.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::deb;
use crate::fetch::Cache;
use crate::lock::{Lock, Package};
use crate::release::Release;
use crate::tree::{Content, Tree};

/// Packages of which something is on the disk outside the root: the loaders.
const LOADERS: [&str; 2] = ["grub-pc-bin", "systemd-boot-efi"];

/// A crate that is linked into the binary.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// Returns the packages of which the disk holds something.
///
/// # Errors
/// When one cannot be unpacked.
pub fn packages(cache: &Cache, lock: &Lock, tree: &Tree) -> anyhow::Result<Vec<Package>> {
    let kernel = lock.kernel().map(|one| one.name.clone());
    let mut found = Vec::new();
    for one in &lock.packages {
        let folder = deb::unpack(cache, one)?;
        let from = |content: &Content| match content {
            Content::From(path) => path.starts_with(&folder),
            _ => false,
        };
        let lies_there = tree.entries().any(|(_, entry)| from(&entry.content));
        let boots = LOADERS.contains(&one.name.as_str()) || Some(&one.name) == kernel.as_ref();
        if lies_there || boots {
            found.push(one.clone());
        }
    }
    Ok(found)
}

/// Returns the crates that are linked into the binary, as cargo says.
///
/// # Errors
/// When cargo fails.
pub fn crates(repository: &Path, target: &str) -> anyhow::Result<Vec<Crate>> {
    let output = Command::new("cargo")
        .args([
            "tree",
            "--locked",
            "--package",
            "sbc-core",
            "--edges",
            "normal",
        ])
        .args([
            "--target", target, "--prefix", "none", "--format", "{p}|{l}",
        ])
        .current_dir(repository)
        .output()
        .context("cargo tree")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "cargo tree: {said}");
    Ok(listed(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads cargo's lines: `name vVERSION (where)|LICENCE`, repeated ones with a mark.
fn listed(text: &str) -> Vec<Crate> {
    let of = |line: &str| {
        let (what, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut words = what.split_whitespace();
        let (name, version) = (words.next()?, words.next()?);
        Some(Crate {
            name: name.to_owned(),
            version: version.strip_prefix('v')?.to_owned(),
            licence: licence.replace('/', " OR "),
        })
    };
    let all: BTreeSet<Crate> = text.lines().filter_map(of).collect();
    all.into_iter().collect()
}

/// Returns the list for programs.
#[must_use]
pub fn spdx(release: &Release, packages: &[Package], crates: &[Crate]) -> String {
    let version = &release.version;
    let mut out = format!(
        "{{\n\"spdxVersion\": \"SPDX-2.3\",\n\"dataLicense\": \"CC0-1.0\",\n\
         \"SPDXID\": \"SPDXRef-DOCUMENT\",\n\"name\": \"sbc-{version}\",\n\
         \"documentNamespace\": \"urn:uuid:{}\",\n\
         \"creationInfo\": {{\"created\": \"{}\", \"creators\": [\"Tool: sbc-image\"]}},\n\
         \"packages\": [\n",
        release.uuid("sbom"),
        moment(release.time)
    );
    let debian = packages.iter().map(|one| {
        let (name, version, sum) = (&one.name, &one.version, &one.sha256);
        format!(
            "{{\"SPDXID\": \"SPDXRef-deb-{}\", \"name\": \"{name}\", \"versionInfo\": \"{version}\", \
             \"supplier\": \"Organization: Debian\", \"downloadLocation\": \"NOASSERTION\", \
             \"licenseConcluded\": \"NOASSERTION\", \"licenseDeclared\": \"NOASSERTION\", \
             \"checksums\": [{{\"algorithm\": \"SHA256\", \"checksumValue\": \"{sum}\"}}]}}",
            plain(name)
        )
    });
    let linked = crates.iter().map(|one| {
        let (name, version) = (&one.name, &one.version);
        let licence = match one.licence.as_str() {
            "" => "NOASSERTION",
            named => named,
        };
        format!(
            "{{\"SPDXID\": \"SPDXRef-crate-{}-{}\", \"name\": \"{name}\", \"versionInfo\": \"{version}\", \
             \"downloadLocation\": \"NOASSERTION\", \"licenseConcluded\": \"NOASSERTION\", \
             \"licenseDeclared\": \"{licence}\"}}",
            plain(name),
            plain(version)
        )
    });
    let rows: Vec<String> = debian.chain(linked).collect();
    out.push_str(&rows.join(",\n"));
    out.push_str("\n]\n}\n");
    out
}

/// An identifier has letters, digits, points and dashes (SPDX 2.3 §7.2).
fn plain(name: &str) -> String {
    let kept = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
    name.chars()
        .map(|letter| if kept(letter) { letter } else { '-' })
        .collect()
}

/// Returns a moment as `2026-11-25T00:00:00Z`.
fn moment(seconds: u64) -> String {
    let (year, month, day) = crate::fat::civil(seconds / 86_400);
    let rest = seconds % 86_400;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns the texts of all licences, with the offer of the sources.
///
/// # Errors
/// When a package cannot be unpacked.
pub fn licences(
    cache: &Cache,
    release: &Release,
    packages: &[Package],
    crates: &[Crate],
) -> anyhow::Result<String> {
    let mut out = format!(
        "What is in sbc {}, and under which terms.\n\n\
         The kernel, nft, strongSwan, GRUB and the libraries below are separate programs from\n\
         Debian 13, as Debian ships them, nothing changed. Whoever has this image may have\n\
         their complete source: Debian's archive has it under the names and versions below\n\
         (`apt-get source NAME=VERSION`), and for three years after this release we hand it\n\
         out for the cost of copying.\n\n\
         Crates that are linked into the program sbc:\n\n",
        release.version
    );
    for one in crates {
        let _infallible = writeln!(out, "{} {}: {}", one.name, one.version, one.licence);
    }
    for one in packages {
        let folder = deb::unpack(cache, one)?;
        let text = fs::read(folder.join(format!("usr/share/doc/{}/copyright", one.name)));
        let text = text.map_or_else(
            |_| "See the package it is built with.\n".to_owned(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        );
        let line = "=".repeat(72);
        let _infallible = write!(
            out,
            "\n{line}\n{} {}\n{line}\n\n{text}",
            one.name, one.version
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        Release {
            version: "0.1.0".into(),
            time: crate::release::TIME,
        }
    }

    #[test]
    fn crates_are_read_from_cargo_s_lines_once_each_and_without_their_place() {
        let text = "sbc-core v0.1.0 (/somewhere)|MIT OR Apache-2.0\nbytes v1.12.2|MIT\n\
                    bytes v1.12.2|MIT (*)\nold v1.0.0|MIT/Apache-2.0\n\n";
        let crates = listed(text);
        let names: Vec<&str> = crates.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["bytes", "old", "sbc-core"]);
        assert_eq!(crates[1].licence, "MIT OR Apache-2.0");
        assert!(!spdx(&release(), &[], &crates).contains("somewhere"));
    }

    /// SPDX 2.3 §7: each has a name, a version and an identifier of its own.
    #[test]
    fn the_list_for_programs_names_all_with_version_and_sum() {
        let package = Package {
            name: "libstdc++6".into(),
            version: "14.2.0-19".into(),
            sha256: "ab".repeat(32),
        };
        let text = spdx(&release(), &[package], &listed("bytes v1.12.2|MIT\n"));
        assert!(text.contains("\"SPDXRef-deb-libstdc--6\""), "{text}");
        assert!(text.contains(&"ab".repeat(32)));
        assert!(text.contains("\"created\": \"2026-11-25T"), "{text}");
        let (open, close) = (text.matches('{').count(), text.matches('}').count());
        assert_eq!(open, close);
    }
}
