//! What a disk may have after a power cut that loses writes: QEMU's log of all of them
//! comes in (`blklogwrites`, the format of Linux's `dm-log-writes`), a disk goes out.
//! Whatever was written behind the last flush is there, is missing or is torn between
//! two sectors, each write for itself and in any order.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::moments::Moments;

/// How the log begins: its magic number and version, little-endian.
const MAGIC: u64 = 0x6a_7366_7773_6872;
const SECTOR: usize = 512;
const FLUSH: u64 = 1;
/// This write is on the disk when it is answered.
const FUA: u64 = 2;
/// The range may have anything behind it, and here keeps what it had.
const DISCARD: u64 = 4;

/// A write, a flush or both.
#[derive(Debug)]
struct Entry {
    flags: u64,
    /// Where on the disk, in octets.
    to: u64,
    /// Where in the log what was written stands.
    from: usize,
    length: usize,
}

fn number(log: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(log.get(at..at + 8)?.try_into().ok()?))
}

/// Reads all that is whole in a log; what the end of QEMU cut off was not answered.
fn entries(log: &[u8]) -> Vec<(usize, Entry)> {
    let mut all = Vec::new();
    if number(log, 0) != Some(MAGIC) {
        return all;
    }
    let mut at = SECTOR;
    // The length in octets, the fourth word, is left empty by QEMU.
    while let (Some(sector), Some(count), Some(flags)) =
        (number(log, at), number(log, at + 8), number(log, at + 16))
    {
        let is_blank = flags == 0 && count == 0;
        let is_discard = flags & DISCARD != 0;
        let length = if is_discard {
            0
        } else {
            count as usize * SECTOR
        };
        let from = at + SECTOR;
        if is_blank || log.len() < from + length {
            break;
        }
        let to = sector * SECTOR as u64;
        let entry = Entry {
            flags,
            to,
            from,
            length,
        };
        all.push((at, entry));
        at = from + length.next_multiple_of(SECTOR);
    }
    all
}

/// A disk whose writes are logged.
#[derive(Debug)]
pub struct Lossy {
    pub disk: PathBuf,
    pub log: PathBuf,
    before: PathBuf,
}

/// What became of the writes behind the last flush.
#[derive(Debug, Default)]
pub struct Lost {
    /// The power went when the last of them was answered, not earlier.
    pub at_end: bool,
    pub kept: u32,
    pub gone: u32,
    pub torn: u32,
}

impl Lost {
    /// Nothing was lost.
    pub fn none() -> Self {
        let at_end = true;
        Self {
            at_end,
            ..Self::default()
        }
    }

    /// Returns what to say of it behind the words on the cut.
    pub fn words(&self) -> String {
        let Self {
            at_end,
            kept,
            gone,
            torn,
        } = self;
        if kept + gone + torn == 0 && *at_end {
            return String::new();
        }
        let moment = if *at_end { "at the end" } else { "earlier" };
        format!("; {moment}, of what was not flushed {kept} kept, {gone} gone, {torn} torn")
    }
}

impl Lossy {
    pub fn new(disk: &Path) -> Self {
        let beside = |end| disk.with_extension(end);
        Self {
            disk: disk.to_owned(),
            log: beside("log"),
            before: beside("before"),
        }
    }

    /// Keeps what the disk has, and begins a log of what comes.
    ///
    /// # Errors
    /// When either cannot be written.
    pub fn begin(&self) -> io::Result<()> {
        sbc_tests::kit::firmware::sparse(&self.disk, &self.before)?;
        File::create(&self.log).map(drop)
    }

    /// Returns how long the log is: where what comes begins.
    pub fn mark(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Makes the disk what it may be after a power cut behind `mark`.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn lose(&self, mark: u64, moments: &mut Moments) -> io::Result<Lost> {
        let log = fs::read(&self.log)?;
        let mut all = entries(&log);
        let first = all.partition_point(|(at, _)| (*at as u64) < mark);
        let count = all.len() - first;
        let at_end = count == 0 || moments.below(3) == 0;
        if !at_end {
            all.truncate(first + 1 + moments.below(count));
        }
        let flushed = all.iter().rposition(|(_, entry)| entry.flags & FLUSH != 0);
        let (sure, open) = all.split_at(flushed.map_or(0, |at| at + 1));
        let disk = File::options().write(true).open(&self.before)?;
        for (_, entry) in sure {
            write(&disk, &log, entry, 0..entry.length)?;
        }
        let lost = lose_some(&disk, &log, open, moments)?;
        fs::rename(&self.before, &self.disk)?;
        Ok(Lost { at_end, ..lost })
    }
}

/// Writes some of the open writes, in any order.
fn lose_some(
    disk: &File,
    log: &[u8],
    open: &[(usize, Entry)],
    moments: &mut Moments,
) -> io::Result<Lost> {
    let mut lost = Lost::default();
    let mut order: Vec<usize> = (0..open.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, moments.below(at + 1));
    }
    for at in order {
        let Some((_, entry)) = open.get(at) else {
            continue;
        };
        let whole = 0..entry.length;
        let sectors = entry.length / SECTOR;
        if entry.flags & FUA != 0 || moments.below(2) == 0 {
            lost.kept += 1;
            write(disk, log, entry, whole)?;
        } else if sectors > 1 && moments.below(2) == 0 {
            lost.torn += 1;
            let cut = SECTOR * (1 + moments.below(sectors - 1));
            let part = if moments.below(2) == 0 {
                0..cut
            } else {
                cut..entry.length
            };
            write(disk, log, entry, part)?;
        } else {
            lost.gone += 1;
        }
    }
    Ok(lost)
}

fn write(disk: &File, log: &[u8], entry: &Entry, part: std::ops::Range<usize>) -> io::Result<()> {
    let octets = log.get(entry.from + part.start..entry.from + part.end);
    disk.write_all_at(octets.unwrap_or_default(), entry.to + part.start as u64)
}

#[test]
fn a_log_of_writes_gives_back_what_was_flushed_and_any_part_of_the_rest() {
    let folder = super::folder("a_log_of_writes");
    let lossy = Lossy::new(&folder.join("disk.img"));
    let mut seen = std::collections::BTreeSet::new();
    let mut moments = Moments::with(7);
    for _ in 0..200 {
        fs::write(&lossy.disk, [b'.'; 4 * SECTOR]).unwrap();
        lossy.begin().unwrap();
        let mut log = MAGIC.to_le_bytes().to_vec();
        let mut push = |sector: u64, flags: u64, data: &[u8]| {
            log.resize(log.len().next_multiple_of(SECTOR), 0);
            for word in [sector, (data.len() / SECTOR) as u64, flags] {
                log.extend(word.to_le_bytes());
            }
            log.resize(log.len().next_multiple_of(SECTOR), 0);
            log.extend(data);
        };
        push(0, 0, &[b'a'; SECTOR]);
        push(0, FLUSH, &[]);
        push(1, 0, &[b'b'; 2 * SECTOR]);
        push(3, FUA, &[b'c'; SECTOR]);
        // What was cut off was never answered.
        push(0, 0, &[b'd'; SECTOR]);
        log.pop();
        fs::write(&lossy.log, &log).unwrap();
        let lost = lossy.lose(log.len() as u64, &mut moments).unwrap();
        assert!(lost.at_end && lost.kept >= 1, "{lost:?}");
        let disk = fs::read(&lossy.disk).unwrap();
        seen.insert(String::from_utf8(disk.iter().copied().step_by(SECTOR).collect()).unwrap());
    }
    let all: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(all, ["a..c", "a.bc", "ab.c", "abbc"]);
    fs::remove_dir_all(&folder).unwrap();
}
