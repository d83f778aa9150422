//! Digest algorithms: an `algorithm` token comes in, hashes in lower-case hex
//! go out (RFC 7616 §3.3, RFC 8760 §2.1).

use alloc::string::String;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512Trunc256};

/// A hash function, weakest first.
///
/// SHA-256 stands above SHA-512/256: both are equally strong, but SHA-256 is
/// the one every implementation of RFC 8760 §2.1 must have.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Hash {
    Md5,
    Sha512Trunc256,
    Sha256,
}

/// A digest algorithm: a hash, and whether its key belongs to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Algorithm {
    pub hash: Hash,
    /// Whether the token ends in `-sess`.
    pub session: bool,
}

const TOKENS: [(&str, Hash, bool); 6] = [
    ("MD5", Hash::Md5, false),
    ("MD5-sess", Hash::Md5, true),
    ("SHA-512-256", Hash::Sha512Trunc256, false),
    ("SHA-512-256-sess", Hash::Sha512Trunc256, true),
    ("SHA-256", Hash::Sha256, false),
    ("SHA-256-sess", Hash::Sha256, true),
];

impl Algorithm {
    /// What a challenge without an `algorithm` means (RFC 7616 §3.3).
    pub const DEFAULT: Self = Self {
        hash: Hash::Md5,
        session: false,
    };

    /// Returns the algorithm of a token, in any case, if it is one of ours.
    pub fn of(token: &str) -> Option<Self> {
        TOKENS
            .iter()
            .find(|(name, ..)| name.eq_ignore_ascii_case(token))
            .map(|&(_, hash, session)| Self { hash, session })
    }

    /// Returns the token in its registered spelling.
    pub fn token(self) -> &'static str {
        TOKENS
            .iter()
            .find(|&&(_, hash, session)| (hash, session) == (self.hash, self.session))
            .map_or("MD5", |&(name, ..)| name)
    }
}

impl Hash {
    /// Returns the hash of `parts` joined by colons, in lower-case hex: the `H`
    /// and, over its arguments, the `KD` of RFC 7616 §3.3.
    pub fn hex(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hex_of::<Md5>(parts),
            Self::Sha512Trunc256 => hex_of::<Sha512Trunc256>(parts),
            Self::Sha256 => hex_of::<Sha256>(parts),
        }
    }
}

fn hex_of<D: Digest>(parts: &[&str]) -> String {
    let mut hash = D::new();
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    let octets = hash.finalize();
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 0x0f])
        .map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
        .collect()
}
