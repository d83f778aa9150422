//! Two partitions and a root hash come in; a device that gives only verified
//! blocks goes out, made by the device mapper
//! (Documentation/admin-guide/device-mapper/verity.rst).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::ioctl::{self, Opcode, Updater, opcode};
use sha2::{Digest, Sha256};

use super::disks::{self, Partition};

const BLOCK: usize = 4096;
const CONTROL: &str = "/dev/mapper/control";
/// Octets of the head of every request (`struct dm_ioctl`).
const HEAD: usize = 312;
/// Head and table together; a table of ours takes about 300.
const ROOM: usize = 2048;
/// `DM_READONLY_FLAG`.
const READ_ONLY: u32 = 1;
const CREATE: u8 = 3;
const SUSPEND: u8 = 6;
const LOAD: u8 = 9;

/// A slot whose hash tree begins with the root hash of this boot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slot {
    /// `a` or `b`.
    pub letter: char,
    root: PathBuf,
    hash: PathBuf,
    salt: Vec<u8>,
    blocks: u64,
}

/// Returns the slots of one root hash, the hinted one first.
#[must_use]
pub fn slots(partitions: &[Partition], root_hash: &[u8], hint: Option<char>) -> Vec<Slot> {
    let named = |name: &str, disk: &str| {
        let mut all = partitions.iter();
        all.find(|one| one.name == name && one.disk == disk)
    };
    let mut slots = Vec::new();
    for hash in partitions {
        let Some(letter) = hash
            .name
            .strip_prefix("hash-")
            .and_then(|rest| rest.chars().next())
        else {
            continue;
        };
        let Some(root) = named(&format!("root-{letter}"), &hash.disk) else {
            continue;
        };
        let Ok(head) = disks::read_at(&hash.node, 0, 2 * BLOCK) else {
            continue;
        };
        if let Some((salt, blocks)) = of_this_hash(&head, root_hash) {
            slots.push(Slot {
                letter,
                root: root.node.clone(),
                hash: hash.node.clone(),
                salt,
                blocks,
            });
        }
    }
    slots.sort_by_key(|slot| hint != Some(slot.letter));
    slots
}

/// Returns whether a hash tree, of which `head` is the begin, has this root hash.
#[must_use]
pub fn is_tree_of(head: &[u8], root_hash: &[u8]) -> bool {
    of_this_hash(head, root_hash).is_some()
}

/// Takes the superblock and the top block of a hash tree; returns salt and
/// count of blocks if the top block has this hash.
fn of_this_hash(head: &[u8], root_hash: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (superblock, top) = head.get(..2 * BLOCK)?.split_at_checked(BLOCK)?;
    let length = u16::from_le_bytes(superblock.get(80..82)?.try_into().ok()?);
    let salt = superblock.get(88..88 + usize::from(length))?;
    let blocks = u64::from_le_bytes(superblock.get(72..80)?.try_into().ok()?);
    let hash = Sha256::new().chain(salt).chain(top).finalize();
    let known = superblock.starts_with(b"verity\0\0") && hash.as_slice() == root_hash;
    known.then(|| (salt.to_vec(), blocks))
}

/// Makes the device, and reads all of it once, so that a slot with any wrong
/// block is known before anything of it runs. Returns its node.
///
/// # Errors
/// When the kernel refuses it, or a block is wrong.
pub fn open(slot: &Slot, root_hash: &[u8]) -> io::Result<PathBuf> {
    let control = File::options().read(true).write(true).open(CONTROL)?;
    let created = ask::<CREATE>(&control, 0, &[])?;
    let device = u64::from_ne_bytes(part(&created, 40)?);
    let table = table(slot, root_hash);
    ask::<LOAD>(&control, READ_ONLY, &target(slot, &table))?;
    // Without the flag that would suspend, this resumes: the table is live.
    ask::<SUSPEND>(&control, 0, &[])?;
    let minor = device & 0xff | device >> 12 & 0xf_ff00;
    let node = PathBuf::from(format!("/dev/dm-{minor}"));
    await_device(&node)?;
    read_all(&node, slot.blocks)?;
    Ok(node)
}

fn table(slot: &Slot, root_hash: &[u8]) -> String {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!(
        "1 {} {} {BLOCK} {BLOCK} {} 1 sha256 {} {}",
        slot.root.display(),
        slot.hash.display(),
        slot.blocks,
        hex(root_hash),
        hex(&slot.salt)
    )
}

/// Returns the one row of the table (`struct dm_target_spec`).
fn target(slot: &Slot, table: &str) -> Vec<u8> {
    let mut bytes = 0_u64.to_ne_bytes().to_vec();
    bytes.extend((slot.blocks * (BLOCK as u64 / 512)).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(b"verity");
    bytes.resize(40, 0);
    bytes.extend(table.bytes());
    bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    bytes
}

/// One request to the device mapper; its room is written by the kernel too.
#[repr(C, align(8))]
struct Request([u8; ROOM]);

fn ask<const NUMBER: u8>(control: &File, flags: u32, body: &[u8]) -> io::Result<Vec<u8>> {
    struct Code<const NUMBER: u8>;
    impl<const NUMBER: u8> Code<NUMBER> {
        const OPCODE: Opcode =
            opcode::from_components(ioctl::Direction::ReadWrite, 0xfd, NUMBER, HEAD);
    }
    let mut bytes = Vec::with_capacity(ROOM);
    for number in [
        4_u32,
        0,
        0,
        ROOM as u32,
        HEAD as u32,
        u32::from(!body.is_empty()),
        0,
        flags,
        0,
        0,
    ] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend([0; 8]);
    bytes.extend(b"sbc-root");
    bytes.resize(HEAD, 0);
    bytes.extend(body);
    let mut request = Request([0; ROOM]);
    let room = request.0.get_mut(..bytes.len());
    room.ok_or_else(|| io::Error::other("the table is too long"))?
        .copy_from_slice(&bytes);
    match NUMBER {
        CREATE => run::<{ Code::<CREATE>::OPCODE }>(control, &mut request)?,
        LOAD => run::<{ Code::<LOAD>::OPCODE }>(control, &mut request)?,
        _ => run::<{ Code::<SUSPEND>::OPCODE }>(control, &mut request)?,
    }
    Ok(request.0.to_vec())
}

#[expect(unsafe_code, reason = "the device mapper is asked by ioctl")]
fn run<const OPCODE: Opcode>(control: &File, request: &mut Request) -> io::Result<()> {
    // SAFETY: the request says how long it is, the kernel reads and writes no
    // further, and the opcode is one of the device mapper's that take this head.
    unsafe { ioctl::ioctl(control, Updater::<OPCODE, Request>::new(request)) }?;
    Ok(())
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> io::Result<[u8; N]> {
    let part = bytes.get(at..at + N).and_then(|part| part.try_into().ok());
    part.ok_or_else(|| io::Error::other("a short answer of the device mapper"))
}

/// Waits until the kernel has made the node, five seconds at most.
fn await_device(node: &Path) -> io::Result<()> {
    for _ in 0..500 {
        if node
            .metadata()
            .is_ok_and(|entry| entry.file_type().is_block_device())
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(io::Error::other(
        "the device mapper's device does not appear",
    ))
}

fn read_all(node: &Path, blocks: u64) -> io::Result<()> {
    let mut file = File::open(node)?;
    let mut left = blocks * BLOCK as u64;
    let mut buffer = vec![0; 1 << 18];
    while left > 0 {
        let count = file.read(&mut buffer)? as u64;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_known_by_the_hash_of_its_top_block() {
        let mut head = b"verity\0\0".to_vec();
        head.resize(72, 0);
        head.extend(9_u64.to_le_bytes());
        head.extend(2_u16.to_le_bytes());
        head.resize(88, 0);
        head.extend([7, 8]);
        head.resize(BLOCK, 0);
        head.extend([3; BLOCK]);
        let hash = Sha256::new().chain([7, 8]).chain([3; BLOCK]).finalize();
        assert_eq!(of_this_hash(&head, &hash), Some((vec![7, 8], 9)));
        assert_eq!(of_this_hash(&head, &[0; 32]), None);
        assert_eq!(of_this_hash(&head[..BLOCK], &hash), None);
    }

    #[test]
    fn the_row_of_the_table_ends_with_a_zero_on_a_border() {
        let slot = Slot {
            letter: 'a',
            root: "/dev/vda3".into(),
            hash: "/dev/vda4".into(),
            salt: vec![1, 0xff],
            blocks: 4000,
        };
        let text = table(&slot, &[0xab; 2]);
        assert_eq!(
            text,
            "1 /dev/vda3 /dev/vda4 4096 4096 4000 1 sha256 abab 01ff"
        );
        let row = target(&slot, &text);
        assert_eq!(row.len() % 8, 0);
        assert_eq!(row[8..16], 32_000_u64.to_ne_bytes());
        assert_eq!(row.last(), Some(&0));
    }
}
