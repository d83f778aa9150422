//! The contents of partitions come in, a disk with two slots goes out; and back.
//!
//! | p | name | MiB | content |
//! |---|---|---|---|
//! | 1 | bios | 1 | GRUB's core image |
//! | 2 | esp | 96 | both loaders, kernels, command lines |
//! | 3, 4 | root-a, hash-a | 64, 2 | slot A: root and hash tree |
//! | 5, 6 | root-b, hash-b | 64, 2 | slot B |
//! | 7 | data | 64 | grows at the first boot |

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::fat::Form;
use crate::gpt::{HEAD, Kind, Malformed, Partition, SECTOR, TAIL, Table};
use crate::uuid::Uuid;

/// Sectors of a MiB; every partition begins at one.
const MIB: u64 = (1 << 20) / SECTOR;

/// Name, kind and MiB of each partition, in their order on the disk.
pub const LAYOUT: [(&str, Kind, u64); 7] = [
    ("bios", Kind::BiosBoot, 1),
    ("esp", Kind::Esp, 96),
    ("root-a", Kind::Linux, 64),
    ("hash-a", Kind::Linux, 2),
    ("root-b", Kind::Linux, 64),
    ("hash-b", Kind::Linux, 2),
    ("data", Kind::Linux, 64),
];

/// Returns the table of the disk: the same names for every image, because an
/// image is copied; a node takes its own at its first boot.
#[must_use]
pub fn table() -> Table {
    let mut first = MIB;
    let mut partitions = Vec::new();
    for (name, kind, mib) in LAYOUT {
        let sectors = mib * MIB;
        partitions.push(Partition {
            kind,
            uuid: Uuid::of("partition", name.as_bytes()),
            first,
            sectors,
            name: name.to_owned(),
        });
        first += sectors;
    }
    Table {
        disk: Uuid::of("disk", b"sbc"),
        sectors: first + MIB,
        partitions,
    }
}

/// Returns the sectors of a partition of the layout, first and count.
#[must_use]
pub fn place(name: &str) -> Option<(u64, u64)> {
    let table = table();
    let found = table.partitions.iter().find(|one| one.name == name)?;
    Some((found.first, found.sectors))
}

/// Returns how the boot partition is written.
#[must_use]
pub const fn esp_form(size: usize, time: u64) -> Form<'static> {
    Form {
        size,
        label: "SBC-ESP",
        serial: 0x5bc0_0001,
        time,
    }
}

/// Writes a disk: the code of its first sector, and for named partitions what
/// lies at their start. All else is zero, and takes no room in the file.
///
/// # Errors
/// When a content is longer than its partition, or a write fails.
pub fn write(path: &Path, code: &[u8], contents: &[(&str, &[u8])]) -> io::Result<()> {
    let table = table();
    let (mut head, tail) = table.write();
    if let Some(room) = head.get_mut(..code.len()) {
        room.copy_from_slice(code);
    }
    let mut file = File::create(path)?;
    file.set_len(table.sectors * SECTOR)?;
    file.write_all(&head)?;
    for (name, bytes) in contents {
        let found = table.partitions.iter().find(|one| one.name == *name);
        let fits = found.filter(|one| bytes.len() as u64 <= one.sectors * SECTOR);
        let one = fits.ok_or_else(|| {
            io::Error::other(format!("{} octets do not fit into {name}", bytes.len()))
        })?;
        file.seek(SeekFrom::Start(one.first * SECTOR))?;
        sparse(&mut file, bytes)?;
    }
    file.seek(SeekFrom::Start((table.sectors - TAIL) * SECTOR))?;
    file.write_all(&tail)
}

/// Writes all but whole blocks of zeros.
fn sparse(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    for block in bytes.chunks(1 << 16) {
        if block.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(block.len() as i64))?;
        } else {
            file.write_all(block)?;
        }
    }
    Ok(())
}

/// A disk that is read.
#[derive(Debug)]
pub struct Disk {
    file: File,
    /// Its table, the copy at its end compared.
    pub table: Table,
}

/// Why a disk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Its table.
    #[error(transparent)]
    Table(#[from] Malformed),
    /// A partition is not there.
    #[error("there is no partition {0}")]
    Absent(String),
}

impl Disk {
    /// Opens a disk and reads its table.
    ///
    /// # Errors
    /// When it has none that is whole.
    pub fn open(path: &Path) -> Result<Self, Unreadable> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = vec![0; (HEAD * SECTOR) as usize];
        let mut tail = vec![0; (TAIL * SECTOR) as usize];
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL * SECTOR)))?;
        file.read_exact(&mut tail)?;
        let table = Table::read(&head, &tail)?;
        Ok(Self { file, table })
    }

    /// Returns all octets of a partition.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn partition(&mut self, name: &str) -> Result<Vec<u8>, Unreadable> {
        let found = self.table.partitions.iter().find(|one| one.name == name);
        let found = found.ok_or_else(|| Unreadable::Absent(name.to_owned()))?;
        let mut bytes = vec![0; (found.sectors * SECTOR) as usize];
        self.file.seek(SeekFrom::Start(found.first * SECTOR))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the sectors of the table's copy, the last ones.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tail(&mut self) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = vec![0; (TAIL * SECTOR) as usize];
        let end = self.file.metadata()?.len();
        self.file
            .seek(SeekFrom::Start(end.saturating_sub(TAIL * SECTOR)))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the sectors before the first partition.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn head(&mut self) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = vec![0; (HEAD * SECTOR) as usize];
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let path = std::env::temp_dir().join(format!("sbc-disk-{}", std::process::id()));
        let mut hash = vec![0; 200_000];
        hash[150_000] = 7;
        write(
            &path,
            &[0xeb; 440],
            &[("root-a", b"root"), ("hash-a", &hash)],
        )
        .unwrap();
        let mut disk = Disk::open(&path).unwrap();
        assert_eq!(disk.table, table());
        assert!(disk.partition("root-a").unwrap().starts_with(b"root\0"));
        assert!(disk.partition("hash-a").unwrap().starts_with(&hash));
        assert!(
            disk.partition("root-b")
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
        assert!(disk.head().unwrap().starts_with(&[0xeb; 440]));
        assert!(disk.partition("none").is_err());
        let long = vec![1; 3 << 20];
        assert!(write(&path, &[], &[("hash-a", &long)]).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn partitions_lie_side_by_side_from_the_first_mebibyte() {
        let table = table();
        assert_eq!(table.partitions[0].first, 2048);
        for two in table.partitions.windows(2) {
            assert_eq!(two[0].first + two[0].sectors, two[1].first);
        }
        assert_eq!(place("esp"), Some((4096, 96 * 2048)));
    }
}
