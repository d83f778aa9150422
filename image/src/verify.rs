//! A disk image comes in; everything that is not as the builder writes it goes
//! out. Every octet of the disk belongs to something that is looked at: the
//! table and its copy, both loaders, each file, the root under its hash tree, the
//! data partition, and zeros between them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::disk::{self, Disk, Unreadable};
use crate::fat::{self, Files};
use crate::fetch::hex;
use crate::gpt::{HEAD, SECTOR, TAIL};
use crate::{authenticode, grub, uki, verity};

/// The file of sums on the boot partition.
pub const SUMS: &str = "sbc.sums";
/// Names of what lies on the disk outside the boot partition's files. No path of
/// a file begins so.
const OUTSIDE: [&str; 5] = ["@code", "@bios", "@root-a", "@hash-a", "@data"];

/// The name under which the file of sums has the time all writers gave.
const TIME: &str = "@time";

/// Returns the file of sums: the time all writers gave, sums of the pieces of the disk in the order of
/// [`OUTSIDE`], each without the zeros behind it, and of each file.
#[must_use]
pub fn sums(time: u64, outside: [&[u8]; 5], files: &Files) -> Vec<u8> {
    let outside = OUTSIDE.iter().copied().zip(outside.map(trimmed));
    let files = files
        .iter()
        .filter(|(path, _)| path.as_str() != SUMS)
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let lines = outside.chain(files).map(|(name, bytes)| {
        let sum = hex(&Sha256::digest(bytes));
        format!("{sum}  {name}\n")
    });
    let first = format!("{time}  {TIME}\n");
    [first]
        .into_iter()
        .chain(lines)
        .collect::<String>()
        .into_bytes()
}

/// Returns the time all writers gave, by the file of sums.
///
/// # Errors
/// When there is no such file, or no time in it.
pub fn time(files: &Files) -> Result<u64, String> {
    let found = files.get(SUMS).ok_or(format!("there is no {SUMS}"))?;
    let found = String::from_utf8_lossy(found);
    let first = found.lines().next();
    let time = first.and_then(|line| line.strip_suffix(TIME)?.trim_end().parse().ok());
    time.ok_or_else(|| "the file of sums names no time".to_owned())
}

/// Returns what comes before the zeros at the end.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|octet| *octet != 0);
    bytes
        .get(..end.map_or(0, |end| end + 1))
        .unwrap_or_default()
}

/// What an image that is whole says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Whole {
    /// The hash that stands for all of the root.
    pub root: String,
    /// The sum of the file of sums: it stands for the whole disk.
    pub disk: String,
}

/// Looks at all of an image as it is shipped.
///
/// # Errors
/// Everything that is not as the builder writes it, a sentence each.
pub fn verify(image: &Path) -> Result<Whole, Vec<String>> {
    let mut look = Look { faults: Vec::new() };
    let whole = look.disk(image);
    match whole {
        Ok(whole) if look.faults.is_empty() => Ok(whole),
        Ok(_) => Err(look.faults),
        Err(fault) => {
            look.faults.push(fault);
            Err(look.faults)
        }
    }
}

struct Look {
    faults: Vec<String>,
}

impl Look {
    fn holds(&mut self, is_so: bool, fault: &str) {
        if !is_so {
            self.faults.push(fault.to_owned());
        }
    }

    /// Returns at the first thing without which nothing else can be looked at.
    fn disk(&mut self, image: &Path) -> Result<Whole, String> {
        let say = |error: Unreadable| error.to_string();
        let mut disk = Disk::open(image).map_err(say)?;
        self.holds(disk.table == disk::table(), "the partitions are others");
        let head = disk.head().map_err(say)?;
        let (mut wanted, copy) = disk.table.write();
        let is_copy = disk.tail().map_err(say)? == copy;
        self.holds(is_copy, "the sectors of the table's copy hold more than it");
        let code = head.get(..grub::CODE).unwrap_or_default().to_vec();
        if let Some(room) = wanted.get_mut(..grub::CODE) {
            room.copy_from_slice(&code);
        }
        self.holds(head == wanted, "the sectors of the table hold more than it");
        let mut parts = BTreeMap::new();
        for (name, ..) in disk::LAYOUT {
            parts.insert(name, disk.partition(name).map_err(say)?);
        }
        self.holds(
            gaps_are_zero(image, &disk),
            "something lies outside the partitions",
        );
        let part = |name: &str| parts.get(name).map_or(&[][..], Vec::as_slice);
        for name in ["root-b", "hash-b"] {
            let is_empty = trimmed(part(name)).is_empty();
            self.holds(is_empty, &format!("{name} is not empty"));
        }
        let files =
            fat::read(part("esp")).map_err(|error| format!("the boot partition: {error}"))?;
        let outside = [
            &code,
            part("bios"),
            part("root-a"),
            part("hash-a"),
            part("data"),
        ];
        let time = self.sums(outside, &files)?;
        self.esp(part("esp"), time, &files);
        self.signatures(&files);
        let root = self.slot(&files, part("root-a"), part("hash-a"))?;
        let sums = files.get(SUMS).map_or(&[][..], Vec::as_slice);
        Ok(Whole {
            root,
            disk: hex(&Sha256::digest(sums)),
        })
    }

    /// Returns the time all writers gave.
    fn sums(&mut self, outside: [&[u8]; 5], files: &Files) -> Result<u64, String> {
        let time = time(files)?;
        let found = files.get(SUMS).map_or(&[][..], Vec::as_slice);
        let found = String::from_utf8_lossy(found).into_owned();
        let wanted = String::from_utf8_lossy(&sums(time, outside, files)).into_owned();
        let rows = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.lines().filter_map(|line| line.split_once("  "));
            pairs
                .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
                .collect()
        };
        let (said, there) = (rows(&found), rows(&wanted));
        for (name, sum) in &there {
            match said.get(name) {
                Some(other) if other == sum => {}
                Some(_) => self.faults.push(format!("{name} is not what {SUMS} says")),
                None => self.faults.push(format!("{name} is not in {SUMS}")),
            }
        }
        for name in said.keys().filter(|name| !there.contains_key(*name)) {
            self.faults.push(format!("{name} is missing"));
        }
        self.holds(
            said != there || found == wanted,
            "the file of sums has another form",
        );
        Ok(time)
    }

    /// What is written from the files must be the partition, octet by octet.
    fn esp(&mut self, bytes: &[u8], time: u64, files: &Files) {
        let again = fat::write(&disk::esp_form(bytes.len(), time), files);
        let is_same = again.is_ok_and(|again| trimmed(&again) == trimmed(bytes));
        self.holds(is_same, "the boot partition holds more than its files");
    }

    /// A program that is signed must be the one that was signed.
    fn signatures(&mut self, files: &Files) {
        let signed = files
            .iter()
            // GRUB's kernel has its distribution's signature, which nobody here asks.
            .filter(|(path, _)| uki::is_program(path))
            .filter(|(_, bytes)| authenticode::is_signed(bytes));
        for (path, program) in signed {
            if let Err(error) = authenticode::check(program) {
                self.faults.push(format!("{path}: {error}"));
            }
        }
    }

    /// Both loaders must start the same, and the root must be the one they name.
    fn slot(&mut self, files: &Files, root: &[u8], tree: &[u8]) -> Result<String, String> {
        let file = |path: &str| files.get(path).ok_or(format!("there is no {path}"));
        let found = files
            .iter()
            .find(|(path, _)| path.starts_with("EFI/Linux/sbc-a_"));
        let (_, program) = found.ok_or("there is no program for UEFI")?;
        let section = |name: &str| {
            let found = uki::section(program, name);
            found.map_err(|error| format!("the program for UEFI: {error}"))
        };
        let (linux, initrd) = (section(".linux")?, section(".initrd")?);
        let cmdline = String::from_utf8_lossy(section(".cmdline")?).into_owned();
        self.holds(
            linux == file("grub/slot-a.linux")?,
            "the loaders start two kernels",
        );
        self.holds(
            initrd == file("grub/slot-a.initrd")?,
            "the loaders start two memory disks",
        );
        let same = *file("grub/slot-a.cfg")? == grub::slot(&cmdline);
        self.holds(same, "the loaders have two command lines");
        let hash = cmdline
            .split_whitespace()
            .find_map(|word| word.strip_prefix("sbc.root="));
        let hash = hash.ok_or("the command line names no root")?;
        let octets = unhex(hash).ok_or("the command line's root is no hash")?;
        match verity::verify(root, tree, &octets) {
            Ok(covered) => {
                let rest = root.get(covered..).unwrap_or_default();
                self.holds(trimmed(rest).is_empty(), "something lies behind the root");
            }
            Err(error) => self.faults.push(format!("slot A: {error}")),
        }
        Ok(hash.to_owned())
    }
}

/// Returns whether there is nothing between the table, the partitions, which
/// lie side by side, and the copy of the table.
fn gaps_are_zero(image: &Path, disk: &Disk) -> bool {
    let all = &disk.table.partitions;
    let first = all.iter().map(|one| one.first).min().unwrap_or_default();
    let end = all.iter().map(|one| one.first + one.sectors).max();
    let last = disk.table.sectors.saturating_sub(TAIL);
    let gaps = [(HEAD, first), (end.unwrap_or_default(), last)];
    let is_zero = |(from, to)| between(image, from, to).is_ok_and(|gap| trimmed(&gap).is_empty());
    gaps.into_iter().all(is_zero)
}

fn between(image: &Path, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(image)?;
    file.seek(SeekFrom::Start(from * SECTOR))?;
    let mut bytes = Vec::new();
    file.take(to.saturating_sub(from) * SECTOR)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = pairs.map(octet).collect();
    octets?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_name_every_piece_and_every_file_but_themselves() {
        let files = Files::from([("a".into(), b"x".to_vec()), (SUMS.into(), vec![1])]);
        let text = sums(7, [b"c\0\0", b"", b"", b"", b""], &files);
        let text = String::from_utf8(text).unwrap();
        let (time, text) = text.split_once('\n').unwrap();
        assert_eq!(time, "7  @time");
        let names: Vec<&str> = text.lines().map(|line| &line[66..]).collect();
        assert_eq!(
            names,
            ["@code", "@bios", "@root-a", "@hash-a", "@data", "a"]
        );
        assert!(
            text.starts_with(&hex(&Sha256::digest(b"c"))),
            "zeros do not count"
        );
    }

    #[test]
    fn a_hash_is_read_whole_or_not_at_all() {
        assert_eq!(unhex(&"0f".repeat(32)), Some([15; 32]));
        assert_eq!(unhex("0f"), None);
        assert_eq!(unhex(&"0x".repeat(32)), None);
    }
}
