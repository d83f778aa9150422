//! A place's name and what it is made of come in, a UUID goes out: the same for
//! the same (RFC 9562 §5.8); written in the order of UEFI and of everybody else.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest, Sha256};

/// Sixteen octets that name one thing, in the order of their text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Uuid(pub [u8; 16]);

/// A text that is no UUID.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a UUID: {0}")]
pub struct Malformed(String);

impl Uuid {
    /// Returns a UUID that follows from what it stands for and its content.
    #[must_use]
    pub fn of(what: &str, content: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain(what)
            .chain([0])
            .chain(content)
            .finalize();
        let mut octets = [0; 16];
        for (to, from) in octets.iter_mut().zip(hash) {
            *to = from;
        }
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut octets;
        *version = *version & 0x0f | 0x80;
        *variant = *variant & 0x3f | 0x80;
        Self(octets)
    }

    /// Returns the octets as UEFI lays them: the first three groups backwards.
    #[must_use]
    pub const fn mixed(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        let [i, j, k, l, m, n, o, p] = rest;
        [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
    }

    /// Returns what UEFI laid as `bytes`, if they are sixteen.
    #[must_use]
    pub fn from_mixed(bytes: &[u8]) -> Option<Self> {
        // Turning the groups a second time turns them back.
        Some(Self(Self(bytes.try_into().ok()?).mixed()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, octet) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                out.write_str("-")?;
            }
            write!(out, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Uuid {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(text.to_owned());
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
        let mut octets = [0; 16];
        if digits.len() != 32 {
            return Err(malformed());
        }
        for (octet, two) in octets.iter_mut().zip(digits.chunks(2)) {
            let two = core::str::from_utf8(two).map_err(|_| malformed())?;
            *octet = u8::from_str_radix(two, 16).map_err(|_| malformed())?;
        }
        Ok(Self(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9562 §5.8: version 8, variant 10.
    #[test]
    fn the_same_content_has_the_same_name_of_version_eight() {
        let one = Uuid::of("root", b"content");
        assert_eq!(one, Uuid::of("root", b"content"));
        assert_ne!(one, Uuid::of("hash", b"content"));
        let text = one.to_string();
        assert_eq!(&text[14..15], "8");
        assert!("89ab".contains(&text[19..20]), "{text}");
        assert_eq!(text.parse(), Ok(one));
    }

    #[test]
    fn uefi_turns_three_groups() {
        let esp: Uuid = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".parse().unwrap();
        assert_eq!(
            esp.mixed()[..8],
            [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]
        );
        assert_eq!(Uuid::from_mixed(&esp.mixed()), Some(esp));
        assert!("c12a7328".parse::<Uuid>().is_err());
    }
}
