//! A disk larger than its image comes in; its last partition reaches to its end,
//! the filesystem on it too, and the disk has a name of its own (UEFI 2.10 §5.3). A
//! power cut leaves the old table, or the new one at one end of the disk at least;
//! whatever is missing is done at the next boot.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::ioctl::{self, Setter, opcode};

use super::disks::Partition;

const SECTOR: u64 = 512;
/// Sectors of a MiB: partitions end with one.
const MIB: u64 = 2048;
/// Sectors of the table's entries, and of all at the end of a disk.
const ENTRIES: u64 = 32;
const TAIL: u64 = ENTRIES + 1;
const ENTRY: usize = 128;
const HEADER: usize = 92;
/// The filesystem's block.
const BLOCK: u64 = 4096;
/// `BLKPG`, `BLKPG_RESIZE_PARTITION` (linux/blkpg.h) and `EXT4_IOC_RESIZE_FS`.
const BLKPG: ioctl::Opcode = opcode::none(0x12, 105);
const RESIZE: i32 = 3;
const RESIZE_FS: ioctl::Opcode = opcode::write::<u64>(b'f', 16);

/// A partition table as it lies at the start of a disk.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Table {
    header: Vec<u8>,
    entries: Vec<u8>,
}

/// What is to be changed: the new table, and the sectors of the last partition.
#[derive(Debug, Eq, PartialEq)]
struct Change {
    table: Table,
    first: u64,
    sectors: u64,
}

/// Lets the data partition reach to the end of its disk, before it is mounted.
/// Returns its MiB if it grew.
///
/// # Errors
/// When the disk's table is not whole or cannot be written; nothing was changed
/// then, or the next boot finds the rest to do.
pub fn partition(partitions: &[Partition]) -> io::Result<Option<u64>> {
    let data = partitions.iter().find(|one| one.name == "data");
    let data = data.ok_or_else(|| io::Error::other("there is no data partition"))?;
    let size = fs::read_to_string(format!("/sys/class/block/{}/size", data.disk))?;
    let size: u64 = size.trim().parse().map_err(io::Error::other)?;
    let node = Path::new("/dev").join(&data.disk);
    let mut disk = File::options().read(true).write(true).open(node)?;
    let mut name = [0; 16];
    rustix::rand::getrandom(&mut name, rustix::rand::GetRandomFlags::empty())?;
    let table = Table::read(&mut disk)?;
    let malformed = || io::Error::other("the disk's table is not as the image has it");
    let change = table
        .grown(size, data.number, random(name))
        .ok_or_else(malformed)?;
    let Some(change) = change else {
        return Ok(None);
    };
    change
        .table
        .write(&mut disk, size)
        .ok_or_else(malformed)??;
    let sizes = fs::read_to_string(format!("/sys/class/block/{}/size", node_name(data)))?;
    if sizes.trim().parse() == Ok(change.sectors) {
        return Ok(None);
    }
    tell_kernel(&disk, data.number, &change)?;
    Ok(Some(change.sectors / MIB))
}

fn node_name(data: &Partition) -> String {
    let name = data.node.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Lets the filesystem, which is mounted at `place`, fill its partition.
///
/// # Errors
/// When the kernel refuses it: it stays as large as it was.
#[expect(unsafe_code, reason = "a mounted filesystem is told its size by ioctl")]
pub fn filesystem(partitions: &[Partition], place: &Path) -> io::Result<()> {
    let data = partitions.iter().find(|one| one.name == "data");
    let data = data.ok_or(io::ErrorKind::NotFound)?;
    let size = fs::read_to_string(format!("/sys/class/block/{}/size", node_name(data)))?;
    let size: u64 = size.trim().parse().map_err(io::Error::other)?;
    let blocks = size * SECTOR / BLOCK;
    let folder = File::open(place)?;
    // SAFETY: EXT4_IOC_RESIZE_FS reads one u64 and writes nothing.
    unsafe { ioctl::ioctl(&folder, Setter::<RESIZE_FS, u64>::new(blocks)) }?;
    Ok(())
}

/// Makes a random name one of version 4 (RFC 9562 §5.4), in the disk's order.
fn random(mut name: [u8; 16]) -> [u8; 16] {
    // The third group lies with its low octet first.
    let [.., version, variant, _, _, _, _, _, _, _] = &mut name;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    name
}

impl Table {
    fn read(disk: &mut File) -> io::Result<Self> {
        disk.seek(SeekFrom::Start(SECTOR))?;
        let mut header = vec![0; SECTOR as usize];
        let mut entries = vec![0; (ENTRIES * SECTOR) as usize];
        disk.read_exact(&mut header)?;
        disk.read_exact(&mut entries)?;
        Ok(Self { header, entries })
    }

    /// Returns what to change on a disk of so many sectors; the inner nothing if
    /// all is done.
    fn grown(&self, size: u64, number: u32, name: [u8; 16]) -> Option<Option<Change>> {
        let at = ENTRY * usize::try_from(number.checked_sub(1)?).ok()?;
        let is_whole = self.header.starts_with(b"EFI PART")
            && long(&self.header, 24)? == 1
            && self.header.get(88..92)? == crc32(&self.entries).to_le_bytes();
        // Nothing may lie behind the partition that grows.
        let behind = self.entries.get(at + ENTRY..)?;
        if !is_whole || behind.iter().any(|octet| *octet != 0) {
            return None;
        }
        let (first, last) = (long(&self.entries, at + 32)?, long(&self.entries, at + 40)?);
        let end = (size.checked_sub(TAIL)? / MIB * MIB).checked_sub(1)?;
        let had = long(&self.header, 32)?.checked_add(1)?;
        if had == size && last >= end {
            return Some(None);
        }
        if end < last {
            return None;
        }
        let mut table = self.clone();
        put(&mut table.entries, at + 40, &end.to_le_bytes())?;
        put(&mut table.header, 32, &(size - 1).to_le_bytes())?;
        put(&mut table.header, 48, &(size - TAIL - 1).to_le_bytes())?;
        put(&mut table.header, 56, &name)?;
        let sum = crc32(&table.entries).to_le_bytes();
        put(&mut table.header, 88, &sum)?;
        table.sum()?;
        Some(Some(Change {
            table,
            first,
            sectors: end - first + 1,
        }))
    }

    /// Puts the header's own sum in.
    fn sum(&mut self) -> Option<()> {
        put(&mut self.header, 16, &[0; 4])?;
        let sum = crc32(self.header.get(..HEADER)?).to_le_bytes();
        put(&mut self.header, 16, &sum)
    }

    /// Writes the copy at the end, then the table itself, each made durable.
    fn write(&self, disk: &mut File, size: u64) -> Option<io::Result<()>> {
        let mut copy = self.clone();
        put(&mut copy.header, 24, &(size - 1).to_le_bytes())?;
        put(&mut copy.header, 32, &1_u64.to_le_bytes())?;
        put(&mut copy.header, 72, &(size - TAIL).to_le_bytes())?;
        copy.sum()?;
        let tail = [copy.entries, copy.header].concat();
        let head = [self.header.as_slice(), &self.entries].concat();
        let mut both = || {
            for (at, octets) in [(size - TAIL, tail.as_slice()), (1, head.as_slice())] {
                disk.seek(SeekFrom::Start(at * SECTOR))?;
                disk.write_all(octets)?;
                disk.sync_all()?;
            }
            Ok(())
        };
        Some(both())
    }
}

fn long(octets: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(octets.get(at..at + 8)?.try_into().ok()?))
}

fn put(octets: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    octets.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(())
}

/// Returns the sum of the table's parts: CRC-32 of ISO 3309.
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| {
            let low = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            (sum >> 1) ^ low
        })
    })
}

/// `struct blkpg_partition`.
#[repr(C)]
struct Place {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct Order {
    what: i32,
    flags: i32,
    length: i32,
    place: *const Place,
}

#[expect(unsafe_code, reason = "the kernel is told a partition's size by ioctl")]
fn tell_kernel(disk: &File, number: u32, change: &Change) -> io::Result<()> {
    let octets = |sectors: u64| i64::try_from(sectors * SECTOR).map_err(io::Error::other);
    let place = Place {
        start: octets(change.first)?,
        length: octets(change.sectors)?,
        number: i32::try_from(number).map_err(io::Error::other)?,
        names: [0; 128],
    };
    let order = Order {
        what: RESIZE,
        flags: 0,
        length: i32::try_from(size_of::<Place>()).map_err(io::Error::other)?,
        place: &raw const place,
    };
    // SAFETY: BLKPG reads the order and the place it points to, both of which live
    // until it returns, and writes nothing.
    unsafe { ioctl::ioctl(disk, Setter::<BLKPG, Order>::new(order)) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the table of a disk of 10 MiB whose second partition has 2.
    fn table() -> Table {
        let mut entries = vec![0; (ENTRIES * SECTOR) as usize];
        for (place, (first, last)) in [(2048_u64, 4095_u64), (4096, 8191)].iter().enumerate() {
            entries[place * ENTRY] = 1;
            put(&mut entries, place * ENTRY + 32, &first.to_le_bytes()).unwrap();
            put(&mut entries, place * ENTRY + 40, &last.to_le_bytes()).unwrap();
        }
        let mut header = b"EFI PART".to_vec();
        header.resize(SECTOR as usize, 0);
        put(&mut header, 24, &1_u64.to_le_bytes()).unwrap();
        put(&mut header, 32, &20_479_u64.to_le_bytes()).unwrap();
        put(&mut header, 88, &crc32(&entries).to_le_bytes()).unwrap();
        let mut table = Table { header, entries };
        table.sum().unwrap();
        table
    }

    #[test]
    fn the_last_partition_reaches_to_the_end_and_then_there_is_nothing_to_do() {
        let size = 100 * MIB;
        let change = table().grown(size, 2, [7; 16]).unwrap().unwrap();
        assert_eq!((change.first, change.sectors), (4096, 97 * MIB));
        assert_eq!(change.table.header[56..72], [7; 16]);
        assert_eq!(long(&change.table.header, 48), Some(size - 34));
        assert_eq!(change.table.grown(size, 2, [8; 16]), Some(None));
    }

    #[test]
    fn a_table_that_is_not_whole_or_has_more_behind_is_left_alone() {
        let mut broken = table();
        broken.entries[0] ^= 1;
        assert_eq!(broken.grown(100 * MIB, 2, [7; 16]), None);
        assert_eq!(table().grown(100 * MIB, 1, [7; 16]), None, "not the last");
        assert_eq!(table().grown(3 * MIB, 2, [7; 16]), None, "a smaller disk");
    }

    /// RFC 9562 §5.4: version and variant are where they belong.
    #[test]
    fn a_disk_s_name_is_a_random_one() {
        let name = random([0xff; 16]);
        assert_eq!((name[7] & 0xf0, name[8] & 0xc0), (0x40, 0x80));
    }

    #[test]
    fn both_ends_of_a_disk_have_the_new_table() {
        let path = std::env::temp_dir().join(format!("sbc-grow-{}", std::process::id()));
        let mut disk = File::options();
        let disk = disk.read(true).write(true).create(true).truncate(true);
        let mut disk = disk.open(&path).unwrap();
        let size = 64 * MIB;
        disk.set_len(size * SECTOR).unwrap();
        let change = table().grown(size, 2, [7; 16]).unwrap().unwrap();
        change.table.write(&mut disk, size).unwrap().unwrap();
        assert_eq!(Table::read(&mut disk).unwrap(), change.table);
        let mut tail = vec![0; (TAIL * SECTOR) as usize];
        disk.seek(SeekFrom::Start((size - TAIL) * SECTOR)).unwrap();
        disk.read_exact(&mut tail).unwrap();
        fs::remove_file(&path).unwrap();
        let (entries, header) = tail.split_at((ENTRIES * SECTOR) as usize);
        assert_eq!(entries, change.table.entries);
        assert_eq!(long(header, 24), Some(size - 1));
        assert_eq!(long(header, 72), Some(size - TAIL));
    }
}
