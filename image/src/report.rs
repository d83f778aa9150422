//! A disk image comes in; what a download of it weighs, with its sums, goes out
//! beside it, and a list of what in the root is how large.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

use crate::fetch::hex;
use crate::qcow2;
use crate::tools::Tools;
use crate::tree::{Content, Tree};

/// Octets of a compressed image, at most: what is promised to who downloads it.
pub const PACKED_MAX: u64 = 40_000_000;
/// Octets it should have.
pub const PACKED_GOAL: u64 = 32_000_000;
/// Kernel and memory disk lie in the image twice, for two loaders. This window
/// finds the second copy, and every `zstd -d` unpacks it without being asked.
const WINDOW: &str = "--long=27";
/// What is shipped with an image if it was made.
const BESIDE: [&str; 4] = ["licences", "sbcfw", "sizes", "spdx.json"];
/// How hard a release is compressed, and how hard where only the size is asked.
const LEVELS: [&str; 2] = ["-19", "-3"];

/// Writes `IMAGE.zst`, the disk as `.qcow2` and `SHA256SUMS` of all that is shipped
/// beside the image; returns what was written and how large it is. With `quick`, it is compressed less.
///
/// # Errors
/// When it is over the budget, or cannot be written.
pub fn pack(tools: &Tools, image: &Path, quick: bool) -> anyhow::Result<String> {
    let [hard, fast] = LEVELS;
    let packed = with_end(image, ".zst");
    let (from, to) = (image.display().to_string(), packed.display().to_string());
    let level = if quick { fast } else { hard };
    let words = [
        "-q",
        "-f",
        level,
        WINDOW,
        "--single-thread",
        &from,
        "-o",
        &to,
    ];
    tools.run("usr/bin/zstd", &words, &[])?;
    let disk = image.with_extension("qcow2");
    qcow2::write(image, &disk)?;
    let mut text = String::new();
    for one in [image, &packed, &disk] {
        text += &sum(one)?;
    }
    let beside = BESIDE.map(|end| image.with_extension(end));
    for one in beside.iter().filter(|one| one.exists()) {
        text += &sum(one)?;
    }
    let folder = image.parent().context("an image lies in a folder")?;
    fs::write(folder.join("SHA256SUMS"), text)?;
    let size = fs::metadata(&packed)?.len();
    ensure!(
        size <= PACKED_MAX,
        "{to} has {size} octets, and {PACKED_MAX} were promised"
    );
    let than_goal = match size.checked_sub(PACKED_GOAL) {
        Some(more) if more > 0 => format!("{more} over"),
        _ => "within".to_owned(),
    };
    Ok(format!(
        "{to} {size} octets, at most {PACKED_MAX}, {than_goal} the goal of {PACKED_GOAL}"
    ))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Returns the line of `sha256sum`.
fn sum(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{}  {name}\n", hex(&Sha256::digest(&bytes))))
}

/// Octets of the files of the root, before they are compressed, at most.
pub const ROOT_MAX: u64 = 44_000_000;

/// Returns the octets of each file of the root, the largest first, of all, and the
/// budget.
///
/// # Errors
/// When a file cannot be read.
pub fn sizes(tree: &Tree) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for (path, entry) in tree.entries() {
        let size = match &entry.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::From(file) => fs::metadata(file)?.len(),
            Content::Folder | Content::Link(_) | Content::Device(..) => continue,
        };
        rows.push((size, path));
    }
    rows.sort_by_key(|&(size, path)| (std::cmp::Reverse(size), path));
    let all: u64 = rows.iter().map(|(size, _)| size).sum();
    let lines = rows
        .iter()
        .map(|(size, path)| format!("{size:>10}  {path}\n"));
    ensure!(
        all <= ROOT_MAX,
        "the root's files have {all} octets, and {ROOT_MAX} were promised"
    );
    let last = format!("{all:>10}  all\n{ROOT_MAX:>10}  at most\n");
    Ok(lines.chain([last]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_comes_first_and_the_sum_last() {
        let mut tree = Tree::new();
        tree.file("usr/a", 0o644, [0; 3]);
        tree.file("usr/b", 0o644, [0; 20]);
        tree.link("usr/c", "b");
        assert_eq!(
            sizes(&tree).unwrap(),
            "        20  usr/b\n         3  usr/a\n        23  all\n  44000000  at most\n"
        );
    }

    #[test]
    fn sums_are_written_as_the_common_tool_reads_them() {
        let path = std::env::temp_dir().join(format!("sbc-sum-{}", std::process::id()));
        fs::write(&path, "abc").unwrap();
        let line = sum(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(
            line.starts_with("ba7816bf8f01cfea414140de5dae2223"),
            "{line}"
        );
        assert!(line.ends_with(&format!("  sbc-sum-{}\n", std::process::id())));
    }
}
