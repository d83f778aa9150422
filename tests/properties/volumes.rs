//! Boot partitions as power cuts leave them: after they were mended, a checker of other
//! people (`fsck.fat`) finds nothing to say about them, and no file that was whole has
//! changed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use proptest::prelude::*;
use sbc_core::fat::{Mended, Odd, mend};
use sbc_image::disk::esp_form;
use sbc_image::fat;
use sbc_tests::kit::programs::fsck;

const SIZE: u64 = 96 << 20;
const CLUSTER: u64 = 1024;
/// Where the builder puts the first table, and the octet that says "mounted".
const TABLE: u64 = 32 * 512;
const STATE: u64 = 65;
const LAST: u32 = 0x0fff_ffff;

const KEPT: [(&str, usize); 4] = [
    ("EFI/Linux/sbc-a_0.1.0.efi", 90_000),
    ("EFI/BOOT/BOOTX64.EFI", 3_000),
    ("grub/grubenv", 1_024),
    ("grub/slot-a.linux", 40_000),
];
/// Of these a cut may have left anything.
const BEGUN: [(&str, usize); 3] = [
    ("EFI/Linux/sbc-b_0.2.0.new", 70_000),
    ("grub/grubenv.half", 1_024),
    ("grub/slot-b.linux", 30_000),
];

/// A volume in a file that goes with it.
struct Volume {
    path: PathBuf,
    file: File,
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

fn content(name: &str, length: usize) -> Vec<u8> {
    name.bytes().cycle().take(length).collect()
}

impl Volume {
    /// Writes one with all files, marked as mounted.
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sbc-{name}-{}.fat", std::process::id()));
        let files = KEPT.iter().chain(&BEGUN);
        let files = files.map(|(path, length)| ((*path).to_owned(), content(path, *length)));
        let form = esp_form(SIZE as usize, 1_700_000_000);
        let octets = fat::write(&form, &files.collect::<BTreeMap<_, _>>()).unwrap();
        std::fs::write(&path, octets).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.unwrap();
        file.set_len(SIZE).unwrap();
        let volume = Self { path, file };
        volume.dirty();
        volume
    }

    fn dirty(&self) {
        self.file.write_all_at(&[1], STATE).unwrap();
    }

    fn word(&self, at: u64) -> u32 {
        let mut octets = [0; 4];
        self.file.read_exact_at(&mut octets, at).unwrap();
        u32::from_le_bytes(octets)
    }

    fn next(&self, cluster: u32) -> u32 {
        self.word(TABLE + u64::from(cluster) * 4)
    }

    fn set_next(&self, cluster: u32, next: u32) {
        let at = TABLE + u64::from(cluster) * 4;
        self.file.write_all_at(&next.to_le_bytes(), at).unwrap();
    }

    /// Returns where the short entry of a file lies, by what its name begins with.
    fn entry(&self, short: &str) -> u64 {
        let data = TABLE + 2 * u64::from(self.word(36)) * 512;
        let mut octets = vec![0; 1 << 20];
        self.file.read_exact_at(&mut octets, data).unwrap();
        let is_it = |entry: &[u8]| entry[11] == 0x20 && entry.starts_with(short.as_bytes());
        let found = octets.chunks_exact(32).position(is_it);
        data + 32 * found.unwrap_or_else(|| panic!("no {short}")) as u64
    }

    fn first(&self, entry: u64) -> u32 {
        self.word(entry + 18) >> 16 << 16 | self.word(entry + 26) & 0xffff
    }

    fn set_first(&self, entry: u64, first: u32) {
        let [low, high, upper, top] = first.to_le_bytes();
        self.file.write_all_at(&[upper, top], entry + 20).unwrap();
        self.file.write_all_at(&[low, high], entry + 26).unwrap();
    }

    fn chain(&self, entry: u64) -> Vec<u32> {
        let mut chain = vec![self.first(entry)];
        while let Some(next) = chain.last().map(|last| self.next(*last))
            && next < 0x0fff_fff8
        {
            chain.push(next);
        }
        chain
    }

    fn files(&self) -> fat::Files {
        fat::read(&std::fs::read(&self.path).unwrap()).unwrap()
    }

    /// What was whole before is what it was, and others find nothing wrong.
    fn is_whole(&self) {
        let files = self.files();
        for (path, length) in KEPT {
            assert!(files.get(path) == Some(&content(path, length)), "{path}");
        }
        let text = fsck(&self.path).unwrap();
        for wrong in ["Dirty", "differ", "orphan", "Reclaim", "wrong"] {
            assert!(!text.contains(wrong), "{text}");
        }
    }
}

/// The first octets of the short names of `BEGUN`, and of what stays.
const PROGRAM: &str = "SBCB0";
const HALF: &str = "GRUBEN~";
const KERNEL: &str = "SLOTB";

#[test]
fn a_volume_that_was_left_in_order_is_not_looked_at() {
    let volume = Volume::new("in-order");
    assert_eq!(mend(&volume.file).unwrap(), Some(Mended::default()));
    volume.is_whole();
    volume.set_next(90_000, LAST);
    assert_eq!(mend(&volume.file).unwrap(), None);
    volume.dirty();
    let mended = mend(&volume.file).unwrap().unwrap();
    assert_eq!((mended.freed, mended.names, mended.files), (CLUSTER, 0, 0));
    volume.is_whole();
}

#[test]
fn a_file_that_was_being_removed_takes_no_place_for_ever() {
    let volume = Volume::new("removed");
    let entry = volume.entry(PROGRAM);
    let taken = volume.chain(entry).len() as u64 * CLUSTER;
    volume.file.write_all_at(&[0xe5], entry).unwrap();
    let mended = mend(&volume.file).unwrap().unwrap();
    // The two parts of its long name are removed as well.
    assert_eq!((mended.freed, mended.names), (taken, 2));
    volume.is_whole();
}

#[test]
fn of_two_names_of_a_renamed_file_the_one_it_is_to_keep_is_kept() {
    let volume = Volume::new("renamed");
    let (half, whole) = (volume.entry(HALF), volume.entry("GRUBENV "));
    // The old block is what no name leads to.
    let (lost, first) = (volume.first(half), volume.first(whole));
    volume.set_first(half, first);
    let mended = mend(&volume.file).unwrap().unwrap();
    assert_eq!((mended.freed, mended.names, mended.files), (CLUSTER, 1, 0));
    assert_eq!(volume.next(lost), 0);
    assert!(!volume.files().contains_key("grub/grubenv.half"));
    volume.is_whole();
}

#[test]
fn a_file_whose_clusters_are_not_taken_is_as_long_as_it_is() {
    let volume = Volume::new("not-taken");
    let kernel = volume.entry(KERNEL);
    let chain = volume.chain(kernel);
    volume.set_next(chain[10], 0);
    let mended = mend(&volume.file).unwrap().unwrap();
    let rest = (chain.len() - 11) as u64 * CLUSTER;
    assert_eq!((mended.freed, mended.names, mended.files), (rest, 0, 1));
    assert_eq!(volume.files()["grub/slot-b.linux"].len(), 10 * 1024);
    volume.is_whole();
    // Only the name was written.
    volume.set_next(chain[0], 0);
    volume.dirty();
    let mended = mend(&volume.file).unwrap().unwrap();
    assert_eq!((mended.freed, mended.files), (9 * CLUSTER, 1));
    assert_eq!(volume.files()["grub/slot-b.linux"].len(), 0);
    volume.is_whole();
}

#[test]
fn what_is_no_boot_partition_is_left_as_it_is() {
    let volume = Volume::new("odd");
    volume.file.write_all_at(&[3], 16).unwrap();
    assert!(matches!(mend(&volume.file), Err(Odd::Form)));
    let volume = Volume::new("no-folder");
    volume.set_next(2, 0);
    let before = std::fs::read(&volume.path).unwrap();
    assert!(matches!(mend(&volume.file), Err(Odd::Folder)));
    assert!(std::fs::read(&volume.path).unwrap() == before);
}

/// What a cut may have done to a file that was not whole.
#[derive(Clone, Debug)]
enum Damage {
    /// Its name is gone, or says it has no octets yet.
    Unnamed,
    Short,
    /// The table does not know one of its clusters yet.
    Unwritten(usize),
    /// The table still knows of a file that was there before.
    Stale(usize, usize),
    /// A cluster is taken and nothing knows why.
    Lost(u32),
}

fn damage() -> impl Strategy<Value = (usize, Damage)> {
    let kind = prop_oneof![
        Just(Damage::Unnamed),
        Just(Damage::Short),
        any::<usize>().prop_map(Damage::Unwritten),
        any::<(usize, usize)>().prop_map(|(at, to)| Damage::Stale(at, to)),
        (2_000_u32..90_000).prop_map(Damage::Lost),
    ];
    (0..BEGUN.len(), kind)
}

fn inflict(volume: &Volume, entry: u64, chain: &[u32], damage: &Damage) {
    match damage {
        Damage::Unnamed => volume.file.write_all_at(&[0xe5], entry).unwrap(),
        Damage::Short => volume.file.write_all_at(&[0; 4], entry + 28).unwrap(),
        Damage::Unwritten(at) => volume.set_next(chain[at % chain.len()], 0),
        Damage::Stale(at, to) => volume.set_next(chain[at % chain.len()], chain[to % chain.len()]),
        Damage::Lost(cluster) => volume.set_next(*cluster, LAST),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn after_any_cut_the_volume_is_whole_again(all in prop::collection::vec(damage(), 1..12)) {
        let volume = Volume::new("any-cut");
        let entries = [PROGRAM, HALF, KERNEL].map(|short| volume.entry(short));
        let chains = entries.map(|entry| volume.chain(entry));
        for (file, damage) in &all {
            inflict(&volume, entries[*file], &chains[*file], damage);
        }
        mend(&volume.file).unwrap().unwrap();
        volume.is_whole();
        volume.dirty();
        prop_assert_eq!(mend(&volume.file).unwrap(), Some(Mended::default()));
    }

    #[test]
    fn no_damage_at_all_is_more_than_an_error(
        writes in prop::collection::vec((0_u64..600_000, any::<u32>(), any::<bool>()), 1..40)
    ) {
        let volume = Volume::new("no-sense");
        let data = TABLE + 2 * u64::from(volume.word(36)) * 512;
        for (at, word, in_table) in &writes {
            let at = if *in_table { TABLE + at % 1_200 } else { data + at % 8_192 };
            volume.file.write_all_at(&word.to_le_bytes(), at).unwrap();
        }
        if mend(&volume.file).is_ok() {
            volume.dirty();
            prop_assert_eq!(mend(&volume.file).unwrap(), Some(Mended::default()));
        }
    }
}
