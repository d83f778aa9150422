//! Secrets at rest: the store's key and a value come in, octets that tell nobody
//! anything go out, and the way back (XChaCha20-Poly1305). Nothing here touches a
//! file; the key is wiped from memory when it is dropped.

pub mod backup;
pub mod keys;
pub mod passphrase;
pub mod tpm;

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

/// Octets of a key.
pub const KEY: usize = 32;

/// How a sealed file begins: no value that is typed has a NUL in it.
const MAGIC: &[u8; 8] = b"\0SBCSEAL";

/// Octets of a nonce: long enough to be drawn at random for ever.
const NONCE: usize = 24;

/// Octets of the tag behind what is sealed.
const TAG: usize = 16;

/// Octets that sealing adds to a value.
pub const ADDED: usize = MAGIC.len() + NONCE + TAG;

/// Why octets could not be sealed or opened. None of these says anything of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsealable {
    #[error("not what it should be: too short, or of another kind")]
    Malformed,
    #[error("damaged, or sealed with another key")]
    WrongKey,
    #[error("the kernel gives no randomness")]
    NoRandomness,
    #[error("the costs it names are beyond what this node takes")]
    Costs,
}

/// The key of a store. It has no way to be printed.
#[derive(Clone, Eq, PartialEq)]
pub struct StoreKey(Zeroizing<[u8; KEY]>);

impl fmt::Debug for StoreKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl StoreKey {
    /// Returns a new key.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn random() -> Result<Self, Unsealable> {
        let mut key = Self(Zeroizing::new([0; KEY]));
        fill(&mut *key.0)?;
        Ok(key)
    }

    /// Takes a key that was unwrapped; nothing if it has another length.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let mut key = Self(Zeroizing::new([0; KEY]));
        (octets.len() == KEY).then(|| key.0.copy_from_slice(octets))?;
        Some(key)
    }

    /// Returns the key, for the one who wraps it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &*self.0
    }

    /// Returns the file of a secret; it opens under this name alone.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn seal(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let mut file = MAGIC.to_vec();
        append(&mut file, self.reveal(), name.as_bytes(), value)?;
        Ok(file)
    }

    /// Returns the value of a sealed file.
    ///
    /// # Errors
    /// When it is damaged, of another name, or of another key.
    pub fn open(&self, name: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let rest = file.strip_prefix(MAGIC).ok_or(Unsealable::Malformed)?;
        open(self.reveal(), name.as_bytes(), rest)
    }
}

/// Returns whether a file is sealed.
#[must_use]
pub fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Returns whether a value is the hash of a password. It stays as it is: whoever
/// types the passphrase of a locked store must log in first.
#[must_use]
pub fn is_hash(value: &[u8]) -> bool {
    value.starts_with(b"$argon2id$")
}

/// Fills a buffer at random.
fn fill(octets: &mut [u8]) -> Result<(), Unsealable> {
    let got = getrandom(&mut *octets, GetRandomFlags::empty());
    if got == Ok(octets.len()) {
        Ok(())
    } else {
        Err(Unsealable::NoRandomness)
    }
}

/// Appends a nonce and what is sealed with it; `along` is held to it.
fn append(file: &mut Vec<u8>, key: &[u8], along: &[u8], value: &[u8]) -> Result<(), Unsealable> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    let payload = Payload {
        msg: value,
        aad: along,
    };
    let cipher = XChaCha20Poly1305::new(&key_of(key)?);
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
    file.extend_from_slice(&nonce);
    file.extend(sealed.map_err(|_| Unsealable::Malformed)?);
    Ok(())
}

/// Returns what was appended so.
fn open(key: &[u8], along: &[u8], rest: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let (nonce, sealed) = rest
        .split_first_chunk::<NONCE>()
        .ok_or(Unsealable::Malformed)?;
    let payload = Payload {
        msg: sealed,
        aad: along,
    };
    let cipher = XChaCha20Poly1305::new(&key_of(key)?);
    let value = cipher.decrypt(&XNonce::from(*nonce), payload);
    value.map(Zeroizing::new).map_err(|_| Unsealable::WrongKey)
}

fn key_of(key: &[u8]) -> Result<Key, Unsealable> {
    Key::try_from(key).map_err(|_| Unsealable::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_under_its_name_and_key_and_nowhere_else() {
        let (key, other) = (StoreKey::random().unwrap(), StoreKey::random().unwrap());
        let file = key.seal("vpn/itsp-a", b"correct horse").unwrap();
        assert!(is_sealed(&file) && !is_sealed(b"correct horse"));
        assert_eq!(file.len(), b"correct horse".len() + ADDED);
        assert!(!file.windows(7).any(|part| part == b"correct"));
        assert_eq!(&**key.open("vpn/itsp-a", &file).unwrap(), b"correct horse");
        assert_eq!(key.open("vpn/itsp-b", &file), Err(Unsealable::WrongKey));
        assert_eq!(other.open("vpn/itsp-a", &file), Err(Unsealable::WrongKey));
        assert_ne!(file, key.seal("vpn/itsp-a", b"correct horse").unwrap());
        assert_eq!(format!("{key:?}"), "***");
    }

    #[test]
    fn a_file_with_any_bit_flipped_or_any_octet_missing_is_refused() {
        let key = StoreKey::random().unwrap();
        let file = key.seal("a", b"x").unwrap();
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(key.open("a", &bad).is_err(), "{at}");
            assert!(key.open("a", &file[..at]).is_err(), "{at}");
        }
    }
}
