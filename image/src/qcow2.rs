//! A disk image comes in; the same disk as QEMU and other machines' owners like to
//! keep it goes out (qcow2, version 3, of QEMU's docs/interop/qcow2.txt): clusters
//! of zeros take no room; and back.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const MAGIC: &[u8; 4] = b"QFI\xfb";
const CLUSTER: u64 = 1 << 16;
/// Entries of eight octets in a cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// Counts of two octets in a cluster.
const COUNTS: u64 = CLUSTER / 2;
/// A cluster that nobody else uses.
const OWN: u64 = 1 << 63;

/// Where everything lies, in clusters.
struct Layout {
    size: u64,
    /// Clusters of the disk that hold something.
    used: Vec<u64>,
    /// Clusters of the second tables, and of the counts.
    seconds: u64,
    counts: u64,
}

impl Layout {
    /// Header, first table, table of counts, counts, second tables, data.
    fn of(size: u64, used: Vec<u64>) -> Self {
        let seconds = size.div_ceil(CLUSTER).div_ceil(ENTRIES);
        let rest = 3 + seconds + used.len() as u64;
        // Counts count themselves.
        let counts = (rest + rest.div_ceil(COUNTS) + 1).div_ceil(COUNTS);
        Self {
            size,
            used,
            seconds,
            counts,
        }
    }

    fn second_at(&self) -> u64 {
        3 + self.counts
    }

    fn data_at(&self) -> u64 {
        self.second_at() + self.seconds
    }

    fn header(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let word = |value: u64| (value as u32).to_be_bytes();
        bytes.extend(word(3));
        bytes.extend([0; 12]); // no backing file
        bytes.extend(word(16)); // bits of a cluster
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(word(0)); // not encrypted
        bytes.extend(word(self.seconds));
        bytes.extend(CLUSTER.to_be_bytes());
        bytes.extend((2 * CLUSTER).to_be_bytes());
        bytes.extend(word(1)); // clusters of the table of counts
        bytes.extend([0; 36]); // no snapshots, no features
        bytes.extend(word(4)); // counts of 16 bits
        bytes.extend(word(104)); // octets of this header
        bytes
    }

    /// Returns all before the data.
    fn tables(&self) -> Vec<u8> {
        let mut bytes = self.header();
        let entries = |bytes: &mut Vec<u8>, first: u64, count: u64, flag: u64| {
            for cluster in first..first + count {
                bytes.extend(((cluster * CLUSTER) | flag).to_be_bytes());
            }
            fill(bytes);
        };
        fill(&mut bytes);
        entries(&mut bytes, self.second_at(), self.seconds, OWN);
        entries(&mut bytes, 3, self.counts, 0);
        let all = self.data_at() + self.used.len() as u64;
        for _ in 0..all {
            bytes.extend([0, 1]);
        }
        bytes.resize((self.second_at() * CLUSTER) as usize, 0);
        let mut at = 0;
        for (place, cluster) in (self.data_at()..).zip(&self.used) {
            bytes.resize(bytes.len() + (cluster - at) as usize * 8, 0);
            bytes.extend(((place * CLUSTER) | OWN).to_be_bytes());
            at = cluster + 1;
        }
        bytes.resize((self.data_at() * CLUSTER) as usize, 0);
        bytes
    }
}

fn fill(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(CLUSTER as usize), 0);
}

/// Writes a disk image in this form.
///
/// # Errors
/// When it cannot be read or written, or is larger than one first table holds.
pub fn write(image: &Path, to: &Path) -> io::Result<()> {
    let mut disk = File::open(image)?;
    let size = disk.metadata()?.len();
    let mut cluster = vec![0; CLUSTER as usize];
    let mut used = Vec::new();
    for number in 0..size.div_ceil(CLUSTER) {
        read(&mut disk, size, number, &mut cluster)?;
        if cluster.iter().any(|octet| *octet != 0) {
            used.push(number);
        }
    }
    let layout = Layout::of(size, used);
    if layout.seconds > ENTRIES || layout.counts > ENTRIES {
        return Err(io::Error::other("the disk is too large for this form"));
    }
    let mut out = File::create(to)?;
    out.write_all(&layout.tables())?;
    for number in &layout.used {
        read(&mut disk, size, *number, &mut cluster)?;
        out.write_all(&cluster)?;
    }
    Ok(())
}

/// Reads a cluster of the disk; behind its end there are zeros.
fn read(disk: &mut File, size: u64, number: u64, cluster: &mut [u8]) -> io::Result<()> {
    let length = CLUSTER.min(size - number * CLUSTER) as usize;
    let (there, behind) = cluster.split_at_mut(length);
    disk.seek(SeekFrom::Start(number * CLUSTER))?;
    disk.read_exact(there)?;
    behind.fill(0);
    Ok(())
}

/// Returns the disk a file of this form holds; nothing if it is none of ours.
#[must_use]
pub fn disk_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let long = |at: u64| {
        let at = usize::try_from(at).ok()?;
        Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    };
    let size = long(24).filter(|_| bytes.starts_with(MAGIC))?;
    let first = long(40)?;
    let mut disk = Vec::new();
    for number in 0..size.div_ceil(CLUSTER) {
        let second = long(first + number / ENTRIES * 8)? & !OWN;
        let place = long(second + number % ENTRIES * 8)? & !OWN;
        let zeros = disk.len() + CLUSTER as usize;
        match usize::try_from(place).ok()? {
            0 => disk.resize(zeros, 0),
            at => disk.extend(bytes.get(at..at + CLUSTER as usize)?),
        }
    }
    disk.truncate(usize::try_from(size).ok()?);
    Some(disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_read_back_and_its_zeros_take_no_room() {
        let folder = std::env::temp_dir().join(format!("sbc-qcow2-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (image, to) = (folder.join("disk.img"), folder.join("disk.qcow2"));
        let mut disk = vec![0; 600 * CLUSTER as usize + 512];
        for at in [0, 70_000, 300 * CLUSTER as usize, disk.len() - 1] {
            disk[at] = 7;
        }
        std::fs::write(&image, &disk).unwrap();
        write(&image, &to).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(disk_of(&bytes).is_some_and(|found| found == disk));
        assert_eq!(
            bytes.len() as u64,
            (5 + 4) * CLUSTER,
            "four clusters of data"
        );
        assert_eq!(disk_of(&disk), None);
    }
}
