//! The boot partition of a disk that a machine is writing to at this moment, or
//! was when its power went: its names and its small files. Unlike the builder's
//! reader it takes a filesystem that is not whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sbc_image::disk::place;
use sbc_tests::kit::programs::fsck;

const SECTOR: u64 = 512;
const ENTRY: usize = 32;
/// Clusters of one chain that are read: folders and small files have few.
const CHAIN_MAX: usize = 64;
const DEEP_MAX: usize = 4;

/// Where a file begins, and how long it says it is.
type Found = (u32, u32);

/// Holds that a boot partition nobody writes to is in order: a checker of other people
/// has nothing to say, and a name leads to every cluster that is taken.
pub fn is_in_order(disk: &Path, context: &str) {
    let (first, sectors) = place("esp").unwrap();
    let mut octets = vec![0; (sectors * SECTOR) as usize];
    let file = File::open(disk).unwrap();
    file.read_exact_at(&mut octets, first * SECTOR).unwrap();
    let copy = disk.with_extension("esp");
    std::fs::write(&copy, octets).unwrap();
    let said = fsck(&copy);
    std::fs::remove_file(&copy).unwrap();
    assert!(said.is_ok(), "{context}: {said:?}");
    assert_eq!(Esp::read(disk).lost(), 0, "{context}: {said:?}");
}

/// What lies on a boot partition.
pub struct Esp {
    disk: File,
    start: u64,
    table: u64,
    data: u64,
    cluster: u64,
    /// All files by their paths in small letters.
    pub files: BTreeMap<String, Found>,
    /// The first cluster of each folder.
    folders: Vec<u32>,
}

impl Esp {
    /// Reads the names as the disk has them now.
    pub fn read(disk: &Path) -> Self {
        let disk = File::open(disk).unwrap();
        let start = place("esp").unwrap().0 * SECTOR;
        let mut head = [0; 512];
        disk.read_exact_at(&mut head, start).unwrap();
        let word = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let table = word(14) * SECTOR;
        let mut esp = Self {
            data: table + 2 * (word(36) | word(38) << 16) * SECTOR,
            cluster: u64::from(head[13]) * SECTOR,
            disk,
            start,
            table,
            files: BTreeMap::new(),
            folders: Vec::new(),
        };
        esp.folder(2, "", DEEP_MAX);
        esp
    }

    fn chain(&self, first: u32) -> Vec<u8> {
        let (mut at, mut octets) = (first, Vec::new());
        for _ in 0..CHAIN_MAX {
            if !(2..0x0fff_fff8).contains(&at) {
                break;
            }
            let mut cluster = vec![0; self.cluster as usize];
            let place = self.start + self.data + (u64::from(at) - 2) * self.cluster;
            let mut next = [0; 4];
            let entry = self.start + self.table + u64::from(at) * 4;
            let is_there = self.disk.read_exact_at(&mut cluster, place).is_ok();
            if !is_there || self.disk.read_exact_at(&mut next, entry).is_err() {
                break;
            }
            octets.extend(cluster);
            at = u32::from_le_bytes(next) & 0x0fff_ffff;
        }
        octets
    }

    fn folder(&mut self, first: u32, path: &str, deep: usize) {
        let mut long = String::new();
        self.folders.push(first);
        for entry in self.chain(first).chunks_exact(ENTRY) {
            let half = |at: usize| u32::from(u16::from_le_bytes([entry[at], entry[at + 1]]));
            match (entry[0], entry[11]) {
                (0, _) => break,
                (0xe5, _) => long.clear(),
                (_, 0x0f) => {
                    let places = (1..11).step_by(2).chain((14..26).step_by(2));
                    let letters = places.chain([28, 30]).map(|at| half(at) as u16);
                    let letters: Vec<u16> = letters.take_while(|one| *one != 0).collect();
                    long.insert_str(0, &String::from_utf16_lossy(&letters));
                }
                (_, kind) if kind & 0x08 != 0 => long.clear(),
                (b'.', _) => long.clear(),
                (_, kind) => {
                    let name = if long.is_empty() {
                        short(entry)
                    } else {
                        std::mem::take(&mut long)
                    };
                    let whole = format!("{path}{name}").to_lowercase();
                    let first = half(20) << 16 | half(26);
                    if kind & 0x10 == 0 {
                        self.files.insert(whole, (first, half(28) | half(30) << 16));
                    } else if deep > 0 {
                        self.folder(first, &format!("{whole}/"), deep - 1);
                    }
                }
            }
        }
    }

    /// Returns how many octets are taken by clusters no name leads to, after a cut or
    /// many of them.
    pub fn lost(&self) -> u64 {
        let mut table = vec![0; (self.data - self.table) as usize / 2];
        let at = self.start + self.table;
        self.disk.read_exact_at(&mut table, at).unwrap();
        let (entries, _) = table.as_chunks::<4>();
        let next: Vec<u32> = entries
            .iter()
            .map(|entry| u32::from_le_bytes(*entry) & 0x0fff_ffff)
            .collect();
        let mut led = vec![false; next.len()];
        let firsts = self.files.values().map(|(first, _)| *first);
        for first in firsts.chain(self.folders.iter().copied()) {
            let mut at = first as usize;
            while at >= 2 && led.get(at) == Some(&false) {
                led[at] = true;
                at = next[at] as usize;
            }
        }
        let lost = (2..next.len()).filter(|at| next[*at] != 0 && !led[*at]);
        lost.count() as u64 * self.cluster
    }

    /// Returns a small file's text; an empty one if it is not there.
    pub fn text(&self, path: &str) -> String {
        let Some((first, length)) = self.files.get(path) else {
            return String::new();
        };
        let mut octets = self.chain(*first);
        octets.truncate(*length as usize);
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Returns what GRUB knows by this name.
    pub fn variable(&self, name: &str) -> String {
        let text = self.text("grub/grubenv");
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    }

    /// Returns whether nothing was ever written to a slot.
    pub fn is_blank(&self, slot: char) -> bool {
        let mut head = [0; 4096];
        let start = place(&format!("root-{slot}")).unwrap().0 * SECTOR;
        self.disk.read_exact_at(&mut head, start).unwrap();
        head.iter().all(|octet| *octet == 0)
    }

    /// Returns the names of a slot's programs for UEFI.
    pub fn programs(&self, slot: char) -> Vec<&str> {
        let start = format!("efi/linux/sbc-{slot}_");
        let names = self.files.keys();
        names
            .filter(|name| name.starts_with(&start))
            .map(String::as_str)
            .collect()
    }
}

fn short(entry: &[u8]) -> String {
    let part = |from, to| {
        String::from_utf8_lossy(&entry[from..to])
            .trim_end()
            .to_owned()
    };
    let (stem, end) = (part(0, 8), part(8, 11));
    if end.is_empty() {
        stem
    } else {
        format!("{stem}.{end}")
    }
}
