//! Partitions come in; the table of a disk goes out: the protective MBR, the
//! primary header and entries at the start, their copies at the end (UEFI 2.10
//! §5.2.3 and §5.3); and back.

use crate::uuid::Uuid;

/// Octets of a sector.
pub const SECTOR: u64 = 512;
/// Entries of a table: what every tool expects.
const ENTRIES: usize = 128;
const ENTRY: usize = 128;
/// Sectors of the entries.
const TABLE: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;
/// Sectors at the start: MBR, header, entries.
pub const HEAD: u64 = 2 + TABLE;
/// Sectors at the end: entries, header.
pub const TAIL: u64 = 1 + TABLE;
const MAGIC: &[u8] = b"EFI PART";
const HEADER: usize = 92;
const NAME_MAX: usize = 36;

/// What a partition is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// GRUB's core image.
    BiosBoot,
    /// The EFI system partition.
    Esp,
    /// Anything that Linux reads.
    Linux,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::BiosBoot, "21686148-6449-6e6f-744e-656564454649"),
    (Kind::Esp, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
    (Kind::Linux, "0fc63daf-8483-4772-8e79-3d69d8477de4"),
];

/// One partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Partition {
    /// What it is for.
    pub kind: Kind,
    /// Its own name among all partitions of the world.
    pub uuid: Uuid,
    /// Its first sector.
    pub first: u64,
    /// How many sectors it has.
    pub sectors: u64,
    /// Its label, at most 36 letters.
    pub name: String,
}

/// A disk and its partitions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// The disk's own name.
    pub disk: Uuid,
    /// Sectors of the whole disk.
    pub sectors: u64,
    /// In the order of their entries.
    pub partitions: Vec<Partition>,
}

/// Why a table cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// No header where one must be.
    #[error("sector {0} holds no header of a partition table")]
    Header(u64),
    /// A sum that does not match.
    #[error("the checksum of the {0} does not match")]
    Sum(&'static str),
    /// A partition of a kind this writer never makes, or outside the disk.
    #[error("partition {0} is of an unknown kind, or not on the disk")]
    Partition(usize),
    /// The copy at the end tells another story.
    #[error("the copy of the table at the end of the disk differs")]
    Copy,
}

impl Table {
    /// Returns the sectors for the start of the disk ([`HEAD`]) and for its end
    /// ([`TAIL`]). The first 440 octets are left for a boot loader.
    #[must_use]
    pub fn write(&self) -> (Vec<u8>, Vec<u8>) {
        let entries = self.entries();
        let sum = crc32(&entries);
        let last = self.sectors.saturating_sub(1);
        let mut head = self.protective();
        head.extend(self.header(1, last, 2, sum));
        head.extend(&entries);
        let mut tail = entries;
        tail.extend(self.header(last, 1, self.sectors.saturating_sub(TAIL), sum));
        (head, tail)
    }

    fn entries(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRIES * ENTRY);
        for (number, one) in (1..).zip(&self.partitions) {
            let kind = KINDS.iter().find(|(kind, _)| *kind == one.kind);
            let kind = kind.and_then(|(_, text)| text.parse::<Uuid>().ok());
            bytes.extend(kind.unwrap_or_default().mixed());
            bytes.extend(one.uuid.mixed());
            bytes.extend(one.first.to_le_bytes());
            bytes.extend((one.first + one.sectors.saturating_sub(1)).to_le_bytes());
            bytes.extend([0; 8]);
            for letter in one.name.encode_utf16().take(NAME_MAX) {
                bytes.extend(letter.to_le_bytes());
            }
            bytes.resize(number * ENTRY, 0);
        }
        bytes.resize(ENTRIES * ENTRY, 0);
        bytes
    }

    fn header(&self, own: u64, other: u64, table: u64, sum: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(0x0001_0000_u32.to_le_bytes());
        bytes.extend((HEADER as u32).to_le_bytes());
        bytes.extend([0; 8]); // its own sum, put in below, and four zeros
        for number in [own, other, HEAD, self.sectors.saturating_sub(TAIL + 1)] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.disk.mixed());
        bytes.extend(table.to_le_bytes());
        for number in [ENTRIES as u32, ENTRY as u32, sum] {
            bytes.extend(number.to_le_bytes());
        }
        let own_sum = crc32(&bytes).to_le_bytes();
        bytes.splice(16..20, own_sum);
        bytes.resize(SECTOR as usize, 0);
        bytes
    }

    /// One partition of the old form over the whole disk, so that old tools see
    /// that it is not empty. It is marked active: some firmwares refuse to boot
    /// a disk without an active one.
    fn protective(&self) -> Vec<u8> {
        let length = u32::try_from(self.sectors.saturating_sub(1)).unwrap_or(u32::MAX);
        let mut bytes = vec![0; 446];
        bytes.extend([0x80, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.resize(510, 0);
        bytes.extend([0x55, 0xaa]);
        bytes
    }

    /// Reads a table from the bytes of the disk's start and end, and holds the
    /// two to each other.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn read(head: &[u8], tail: &[u8]) -> Result<Self, Malformed> {
        let (header, entries) = (part(head, 1, 1), part(head, 2, TABLE));
        let table = Self::read_one(header, entries, 1)?;
        let (entries, header) = (part(tail, 0, TABLE), part(tail, TABLE, 1));
        let copy = Self::read_one(header, entries, table.sectors.saturating_sub(1))?;
        if table == copy {
            Ok(table)
        } else {
            Err(Malformed::Copy)
        }
    }

    fn read_one(header: &[u8], entries: &[u8], at: u64) -> Result<Self, Malformed> {
        let absent = Malformed::Header(at);
        if !header.starts_with(MAGIC) || number(header, 24) != Some(at) {
            return Err(absent);
        }
        let mut zeroed = header.get(..HEADER).ok_or(absent.clone())?.to_vec();
        let own: Vec<u8> = zeroed.splice(16..20, [0; 4]).collect();
        if own != crc32(&zeroed).to_le_bytes() {
            return Err(Malformed::Sum("header"));
        }
        if header.get(88..92) != Some(&crc32(entries).to_le_bytes()) {
            return Err(Malformed::Sum("entries"));
        }
        let sectors = number(header, 48).ok_or(absent.clone())? + TAIL + 1;
        let disk = Uuid::from_mixed(header.get(56..72).unwrap_or_default()).ok_or(absent)?;
        let mut partitions = Vec::new();
        for (place, entry) in (1..).zip(entries.chunks(ENTRY)) {
            if entry.iter().all(|byte| *byte == 0) {
                break;
            }
            let one = partition(entry).ok_or(Malformed::Partition(place))?;
            if one.first < HEAD || one.first + one.sectors > sectors - TAIL {
                return Err(Malformed::Partition(place));
            }
            partitions.push(one);
        }
        Ok(Self {
            disk,
            sectors,
            partitions,
        })
    }
}

fn part(bytes: &[u8], first: u64, sectors: u64) -> &[u8] {
    let (from, to) = (first * SECTOR, (first + sectors) * SECTOR);
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn partition(entry: &[u8]) -> Option<Partition> {
    let kind = Uuid::from_mixed(entry.get(..16)?)?.to_string();
    let (kind, _) = KINDS.iter().find(|(_, text)| *text == kind)?;
    let (first, last) = (number(entry, 32)?, number(entry, 40)?);
    let letters = entry.get(56..)?.chunks_exact(2);
    let letters = letters.map(|two| two.iter().rev().fold(0, |sum, b| sum << 8 | u16::from(*b)));
    let name: Vec<u16> = letters.take_while(|letter| *letter != 0).collect();
    Some(Partition {
        kind: *kind,
        uuid: Uuid::from_mixed(entry.get(16..32)?)?,
        first,
        sectors: last.checked_sub(first)?.checked_add(1)?,
        name: String::from_utf16(&name).ok()?,
    })
}

/// Returns the sum of UEFI and of zip files: CRC-32 of ISO 3309.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let partition = |kind, number: u8, first, sectors, name: &str| Partition {
            kind,
            uuid: Uuid::of("test", &[number]),
            first,
            sectors,
            name: name.into(),
        };
        Table {
            disk: Uuid::of("test", b"disk"),
            sectors: 20_480,
            partitions: vec![
                partition(Kind::BiosBoot, 1, 2048, 2048, "bios"),
                partition(Kind::Esp, 2, 4096, 4096, "esp"),
                partition(Kind::Linux, 3, 8192, 8192, "root-a"),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (head, tail) = sample().write();
        assert_eq!(
            (head.len() as u64, tail.len() as u64),
            (HEAD * SECTOR, TAIL * SECTOR)
        );
        assert_eq!(Table::read(&head, &tail), Ok(sample()));
    }

    #[test]
    fn the_sum_is_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn one_bit_anywhere_is_noticed() {
        let (head, tail) = sample().write();
        for at in [512, 512 + 30, 512 + 60, 1024 + 5, 1024 + 40, 17_000] {
            let mut bad = head.clone();
            bad[at] ^= 1;
            assert!(Table::read(&bad, &tail).is_err(), "octet {at}");
        }
        for at in [5, 16_000, 32 * 512, 32 * 512 + 60] {
            let mut bad = tail.clone();
            bad[at] ^= 1;
            assert!(Table::read(&head, &bad).is_err(), "octet {at} of the copy");
        }
    }

    #[test]
    fn a_copy_of_another_table_is_refused() {
        let mut other = sample();
        other.partitions[1].name = "other".into();
        let told = Table::read(&sample().write().0, &other.write().1);
        assert_eq!(told, Err(Malformed::Copy));
    }

    #[test]
    fn sfdisk_sees_the_same_partitions() {
        let path = std::env::temp_dir().join(format!("sbc-gpt-{}", std::process::id()));
        let (head, tail) = sample().write();
        let mut disk = head;
        disk.resize(((20_480 - TAIL) * SECTOR) as usize, 0);
        disk.extend(tail);
        std::fs::write(&path, disk).unwrap();
        let output = std::process::Command::new("sfdisk")
            .args(["--verify", "--dump"])
            .arg(&path)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        std::fs::remove_file(&path).unwrap();
        // Without the program there is no second opinion; the reader above has its own test.
        let Ok(output) = output else { return };
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(said.contains("label: gpt"), "{said}");
        assert!(
            said.contains("start=        8192, size=        8192"),
            "{said}"
        );
        assert!(said.contains("name=\"root-a\""), "{said}");
        assert!(said.contains(&sample().disk.to_string()), "{said}");
    }
}
