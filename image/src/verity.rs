//! A filesystem's bytes come in; its dm-verity hash tree with superblock and
//! its root hash go out, as the kernel reads them
//! (Documentation/admin-guide/device-mapper/verity.rst, format 1); and back.

use sha2::{Digest, Sha256};

/// Octets of a block of data and of a block of hashes.
pub const BLOCK: usize = 4096;
/// Hashes in one block.
const FAN: usize = BLOCK / DIGEST;
const DIGEST: usize = 32;
const MAGIC: &[u8] = b"verity\0\0";
const SALT_MAX: usize = 256;
/// Where the fields of the superblock lie.
const UUID_AT: usize = 16;
const BLOCKS_AT: usize = 72;
const SALT_SIZE_AT: usize = 80;
const SALT_AT: usize = 88;

/// A hash tree, and the hash that stands for all of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tree {
    /// The superblock in a block of its own, then the levels, the top one first.
    pub bytes: Vec<u8>,
    /// The root hash.
    pub root: [u8; DIGEST],
}

/// Why data and tree do not belong together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unverified {
    /// The data is no whole number of blocks, or less than two.
    #[error("{0} octets are not two or more whole blocks")]
    Uneven(usize),
    /// The tree does not begin with a superblock of this form.
    #[error("the hash tree begins with no superblock of dm-verity, format 1, SHA-256")]
    Superblock,
    /// The superblock speaks of more data than there is.
    #[error("the hash tree is of {said} blocks, and there are {there}")]
    Length { said: u64, there: u64 },
    /// The tree is not the one that follows from the data.
    #[error("block {0} of the hash tree does not follow from the data")]
    Hash(usize),
    /// All is whole, and it is another filesystem.
    #[error("the root hash is another")]
    Root,
}

/// Returns the tree of `data`, whose length is a multiple of [`BLOCK`].
///
/// # Errors
/// When it is not.
pub fn tree(data: &[u8], salt: &[u8; DIGEST], uuid: &[u8; 16]) -> Result<Tree, Unverified> {
    // A single block would have no level, and its own hash as the root.
    if data.len() <= BLOCK || !data.len().is_multiple_of(BLOCK) {
        return Err(Unverified::Uneven(data.len()));
    }
    let mut levels = vec![level(data, salt)];
    while levels.last().is_some_and(|level| level.len() > BLOCK) {
        let above = level(levels.last().map_or(&[], Vec::as_slice), salt);
        levels.push(above);
    }
    let top = levels.last().map_or(&[][..], Vec::as_slice);
    let root = hash(top, salt);
    let mut bytes = superblock(data.len() / BLOCK, salt, uuid);
    for level in levels.iter().rev() {
        bytes.extend(level);
    }
    Ok(Tree { bytes, root })
}

/// Returns the hashes of all blocks of `data`, padded to whole blocks.
fn level(data: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut hashes = Vec::with_capacity(data.len() / FAN + BLOCK);
    for block in data.chunks(BLOCK) {
        hashes.extend(hash(block, salt));
    }
    hashes.resize(hashes.len().next_multiple_of(BLOCK), 0);
    hashes
}

fn hash(block: &[u8], salt: &[u8]) -> [u8; DIGEST] {
    Sha256::new().chain(salt).chain(block).finalize().into()
}

fn superblock(blocks: usize, salt: &[u8], uuid: &[u8; 16]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(1_u32.to_le_bytes()); // version of the superblock
    bytes.extend(1_u32.to_le_bytes()); // the salt stands before the data
    bytes.extend(uuid);
    bytes.extend(b"sha256");
    bytes.resize(64, 0);
    bytes.extend((BLOCK as u32).to_le_bytes());
    bytes.extend((BLOCK as u32).to_le_bytes());
    bytes.extend((blocks as u64).to_le_bytes());
    bytes.extend((salt.len() as u16).to_le_bytes());
    bytes.resize(SALT_AT, 0);
    bytes.extend(salt);
    bytes.resize(SALT_AT + SALT_MAX, 0);
    bytes.resize(BLOCK, 0);
    bytes
}

/// What a superblock says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Superblock {
    /// Blocks of data.
    pub blocks: u64,
    /// What stands before every block when it is hashed.
    pub salt: [u8; DIGEST],
    /// The tree's own name.
    pub uuid: [u8; 16],
}

/// Reads the superblock a tree begins with.
///
/// # Errors
/// When it begins with none that this writer writes.
pub fn read(tree: &[u8]) -> Result<Superblock, Unverified> {
    let fixed = |at: usize, length: usize| tree.get(at..at + length);
    let known = fixed(0, 8) == Some(MAGIC)
        && fixed(8, 8) == Some(&[1, 0, 0, 0, 1, 0, 0, 0])
        && fixed(32, 7) == Some(b"sha256\0")
        && fixed(64, 8) == Some(&[0, 0x10, 0, 0, 0, 0x10, 0, 0])
        && fixed(SALT_SIZE_AT, 2) == Some(&[DIGEST as u8, 0]);
    let parts = || {
        Some(Superblock {
            blocks: u64::from_le_bytes(fixed(BLOCKS_AT, 8)?.try_into().ok()?),
            salt: fixed(SALT_AT, DIGEST)?.try_into().ok()?,
            uuid: fixed(UUID_AT, 16)?.try_into().ok()?,
        })
    };
    let read = parts().ok_or(Unverified::Superblock)?;
    if known {
        Ok(read)
    } else {
        Err(Unverified::Superblock)
    }
}

/// Holds a slot's data and tree, each with whatever padding its partition has
/// behind it, to a root hash. Returns how many octets of the data are covered.
///
/// # Errors
/// What does not belong together.
pub fn verify(data: &[u8], found: &[u8], root: &[u8; DIGEST]) -> Result<usize, Unverified> {
    let Superblock { blocks, salt, uuid } = read(found)?;
    let there = (data.len() / BLOCK) as u64;
    let said = blocks;
    let short = Unverified::Length { said, there };
    let length = usize::try_from(blocks)
        .ok()
        .and_then(|blocks| blocks.checked_mul(BLOCK));
    let covered = length.and_then(|length| data.get(..length)).ok_or(short)?;
    let wanted = tree(covered, &salt, &uuid)?;
    let pairs = wanted.bytes.chunks(BLOCK).zip(found.chunks(BLOCK));
    if let Some(at) = pairs.clone().position(|(wanted, found)| wanted != found) {
        return Err(Unverified::Hash(at));
    }
    if found.len() < wanted.bytes.len() {
        return Err(Unverified::Hash(pairs.count()));
    }
    if wanted.root == *root {
        Ok(covered.len())
    } else {
        Err(Unverified::Root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const SALT: [u8; 32] = [7; 32];
    const UUID: [u8; 16] = *b"0123456789abcdef";

    fn data(blocks: usize) -> Vec<u8> {
        let block = |number: usize| vec![(number % 251) as u8; BLOCK];
        (0..blocks).flat_map(block).collect()
    }

    #[test]
    fn veritysetup_verifies_trees_of_one_two_and_three_levels() {
        let folder = std::env::temp_dir().join(format!("sbc-verity-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for blocks in [2, 128, 129, 128 * 128 + 1] {
            let data = data(blocks);
            let tree = tree(&data, &SALT, &UUID).unwrap();
            let (one, two) = (folder.join("data"), folder.join("hash"));
            std::fs::write(&one, &data).unwrap();
            std::fs::write(&two, &tree.bytes).unwrap();
            let root: String = tree.root.iter().map(|b| format!("{b:02x}")).collect();
            let output = Command::new("veritysetup")
                .arg("verify")
                .args([&one, &two])
                .arg(root)
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .output();
            // Without the program there is no second opinion; `verify` has its own tests.
            let Ok(output) = output else { break };
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{blocks} blocks: {said}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn padding_behind_data_and_tree_is_not_looked_at() {
        let mut data = data(130);
        let mut tree = tree(&data, &SALT, &UUID).unwrap();
        data.extend([0xff; 2 * BLOCK]);
        tree.bytes.extend([0xff; BLOCK]);
        assert_eq!(verify(&data, &tree.bytes, &tree.root), Ok(130 * BLOCK));
    }

    #[test]
    fn one_bit_anywhere_is_noticed() {
        let data = data(130);
        let tree = tree(&data, &SALT, &UUID).unwrap();
        for at in [0, 5 * BLOCK + 9, 129 * BLOCK + 4095] {
            let mut bad = data.clone();
            bad[at] ^= 1;
            let told = verify(&bad, &tree.bytes, &tree.root);
            assert!(matches!(told, Err(Unverified::Hash(_))), "{told:?}");
        }
        for at in [0, 40, 90, BLOCK, 2 * BLOCK + 31, 3 * BLOCK + 40] {
            let mut bad = tree.bytes.clone();
            bad[at] ^= 1;
            assert!(verify(&data, &bad, &tree.root).is_err(), "octet {at}");
        }
        let told = verify(&data, &tree.bytes, &[0; 32]);
        assert_eq!(told, Err(Unverified::Root));
    }

    #[test]
    fn a_cut_tree_and_cut_data_are_refused() {
        let data = data(130);
        let tree = tree(&data, &SALT, &UUID).unwrap();
        let cut = &tree.bytes[..3 * BLOCK];
        assert_eq!(verify(&data, cut, &tree.root), Err(Unverified::Hash(3)));
        let short = verify(&data[..BLOCK], &tree.bytes, &tree.root);
        let (said, there) = (130, 1);
        assert_eq!(short, Err(Unverified::Length { said, there }));
        assert_eq!(
            super::tree(&data[1..], &SALT, &UUID),
            Err(Unverified::Uneven(130 * BLOCK - 1))
        );
    }
}
