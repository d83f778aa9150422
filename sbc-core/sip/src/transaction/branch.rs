//! 128 random bits come in, the branch of a request of ours goes out: RFC 3261 §8.1.1.7, §17.1.3.

use core::fmt::{self, Write};

use crate::message::MAGIC_COOKIE as COOKIE;

/// How long the text of a [`Branch`] is: the cookie and 32 hexadecimal digits.
pub const BRANCH_LENGTH: usize = COOKIE.len() + 32;

/// The branch of a request of ours, and with it the name of its client
/// transaction. Nobody who does not see the request can guess it, so a
/// response that carries it comes from where the request went.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Branch([u8; 16]);

impl Branch {
    /// Takes 128 bits that were never used before and cannot be foreseen.
    pub const fn new(random: u128) -> Self {
        Self(random.to_be_bytes())
    }

    /// Returns the branch a response carries back, if it is one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(COOKIE)?;
        let ours = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 32 || !digits.bytes().all(ours) {
            return None;
        }
        u128::from_str_radix(digits, 16).ok().map(Self::new)
    }

    /// Returns the 128 bits it was made from.
    pub const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Returns the value of the Via parameter.
    pub fn text(self) -> heapless::String<BRANCH_LENGTH> {
        let mut text = heapless::String::new();
        // The text has room for exactly this.
        let _ = write!(text, "{self}");
        text
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{COOKIE}{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §8.1.1.7: the branch begins with the cookie.
    #[test]
    fn a_branch_reads_back_from_its_text() {
        for random in [0, 1, 0x0123_4567_89ab_cdef << 32, u128::MAX] {
            let branch = Branch::new(random);
            assert_eq!(branch.text().len(), BRANCH_LENGTH);
            assert_eq!(Branch::parse(&branch.text()), Some(branch));
        }
        assert_eq!(
            Branch::new(0xa1).text(),
            "z9hG4bK000000000000000000000000000000a1"
        );
    }

    /// RFC 3261 §17.1.3: a response matches by the branch of its top Via.
    #[test]
    fn a_branch_that_is_not_ours_is_nobody() {
        for text in [
            "",
            "z9hG4bK",
            "z9hG4bK00000000000000000000000000000a1",
            "z9hG4bK0000000000000000000000000000000a1",
            "z9hG4bK+00000000000000000000000000000a1",
            "z9hG4bK000000000000000000000000000000A1",
            "Z9HG4BK000000000000000000000000000000a1",
            "000000000000000000000000000000a1",
        ] {
            assert_eq!(Branch::parse(text), None, "{text}");
        }
    }
}
