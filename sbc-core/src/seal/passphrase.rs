//! What a passphrase locks: octets come in, a box goes out that names its costs,
//! and the way back. The key is drawn from the passphrase by argon2id
//! (RFC 9106 §3.1).

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::{KEY, NONCE, TAG, Unsealable, append, fill, open};

/// Characters of a passphrase, at least: a stolen disk may be asked as often as
/// its thief likes.
pub const LEAST: usize = 12;

/// Octets of a passphrase, at most.
pub const MOST: usize = 1024;

/// Octets of a salt.
const SALT: usize = 16;

/// What a guess costs: memory in KiB, passes and lanes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Costs {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// As much work as 64 MiB in three passes, in the memory that the console has below
/// its ceiling of 48 MiB; one lane, because the node has one thread for it.
const COSTS: Costs = Costs {
    memory: 19 * 1024,
    passes: 10,
    lanes: 1,
};

/// The highest costs that are taken: a box comes from anywhere, and must not eat
/// the console's memory or its day.
const COSTS_MAX: Costs = Costs {
    memory: 24 * 1024,
    passes: 16,
    lanes: 4,
};

/// What a box is for: how it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The key of a store.
    Key,
    /// A backup.
    Backup,
}

impl Kind {
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Key => b"SBCKEY-1",
            Self::Backup => b"SBCBAK-1",
        }
    }
}

/// Octets before the nonce.
const HEAD: usize = 8 + 3 * 4 + SALT;

/// Octets that a box adds.
pub const ADDED: usize = HEAD + NONCE + TAG;

/// Returns a box that this passphrase opens.
///
/// # Errors
/// When the kernel gives no randomness.
pub fn lock(kind: Kind, passphrase: &str, value: &[u8]) -> Result<Vec<u8>, Unsealable> {
    let mut salt = [0; SALT];
    fill(&mut salt)?;
    let mut file = kind.magic().to_vec();
    for cost in [COSTS.memory, COSTS.passes, COSTS.lanes] {
        file.extend_from_slice(&cost.to_be_bytes());
    }
    file.extend_from_slice(&salt);
    let key = derived(passphrase, &salt, COSTS)?;
    let head = file.clone();
    append(&mut file, &*key, &head, value)?;
    Ok(file)
}

/// Returns what is in a box.
///
/// # Errors
/// When it is damaged, of another kind, or of another passphrase.
pub fn unlock(kind: Kind, passphrase: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let (head, rest) = file
        .split_first_chunk::<HEAD>()
        .ok_or(Unsealable::Malformed)?;
    let numbers = head.strip_prefix(kind.magic());
    let mut numbers = numbers.ok_or(Unsealable::Malformed)?;
    let mut next = || {
        let (number, rest) = numbers.split_first_chunk::<4>()?;
        numbers = rest;
        Some(u32::from_be_bytes(*number))
    };
    let (Some(memory), Some(passes), Some(lanes)) = (next(), next(), next()) else {
        return Err(Unsealable::Malformed);
    };
    let over = memory > COSTS_MAX.memory || passes > COSTS_MAX.passes || lanes > COSTS_MAX.lanes;
    if over {
        return Err(Unsealable::Costs);
    }
    let costs = Costs {
        memory,
        passes,
        lanes,
    };
    let key = derived(passphrase, numbers, costs)?;
    open(&*key, head, rest)
}

fn derived(
    passphrase: &str,
    salt: &[u8],
    costs: Costs,
) -> Result<Zeroizing<[u8; KEY]>, Unsealable> {
    let params = Params::new(costs.memory, costs.passes, costs.lanes, Some(KEY));
    let params = params.map_err(|_| Unsealable::Costs)?;
    let mut key = Zeroizing::new([0; KEY]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .map_err(|_| Unsealable::Costs)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// argon2id (RFC 9106 §3.1), with its costs in the head of the box.
    #[test]
    fn a_box_opens_with_its_passphrase_and_as_its_kind_alone() {
        let file = lock(Kind::Key, "correct horse battery", b"value").unwrap();
        assert_eq!(file.len(), 5 + ADDED);
        assert_eq!(file[8..12], (19_u32 * 1024).to_be_bytes());
        let opened = |kind, passphrase| unlock(kind, passphrase, &file);
        assert_eq!(
            &**opened(Kind::Key, "correct horse battery").unwrap(),
            b"value"
        );
        assert_eq!(
            opened(Kind::Key, "correct horse batterz"),
            Err(Unsealable::WrongKey)
        );
        assert_eq!(
            opened(Kind::Backup, "correct horse battery"),
            Err(Unsealable::Malformed)
        );
    }

    #[test]
    fn a_box_that_asks_for_all_memory_is_refused_before_any_is_taken() {
        let mut file = vec![7; ADDED + 1];
        file[..8].copy_from_slice(Kind::Backup.magic());
        for at in [8, 12, 16] {
            let mut file = file.clone();
            file[8..20].copy_from_slice(&[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1]);
            file[at] = 0xff;
            assert_eq!(unlock(Kind::Backup, "x", &file), Err(Unsealable::Costs));
        }
        file[8..20].fill(0);
        assert_eq!(unlock(Kind::Backup, "x", &file), Err(Unsealable::Costs));
        assert_eq!(
            unlock(Kind::Backup, "x", &file[..20]),
            Err(Unsealable::Malformed)
        );
    }
}
