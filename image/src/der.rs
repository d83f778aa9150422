//! The little of ASN.1's distinguished encoding (X.690 §8, §10) a signature needs:
//! values come in, elements go out; and back, one at a time.

/// An element in front of others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Element<'a> {
    /// What it is.
    pub tag: u8,
    /// With its head.
    pub whole: &'a [u8],
    /// Without.
    pub inside: &'a [u8],
}

impl<'a> Element<'a> {
    /// Returns the first element and what is behind it; nothing if it is cut short.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets
                    .iter()
                    .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
                (length, rest)
            }
            _ => return None,
        };
        let (inside, behind) = rest.split_at_checked(length)?;
        let whole = bytes.get(..bytes.len() - behind.len())?;
        Some((Self { tag, whole, inside }, behind))
    }
}

/// Returns an element.
#[must_use]
pub fn element(tag: u8, inside: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = inside.len();
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let from = octets.iter().position(|octet| *octet != 0).unwrap_or(0);
        let octets = octets.get(from..).unwrap_or_default();
        bytes.push(0x80 | octets.len() as u8);
        bytes.extend(octets);
    }
    bytes.extend(inside);
    bytes
}

/// Returns elements in their order as one.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// Returns elements, already in the order of a set, as one.
#[must_use]
pub fn set(inside: &[u8]) -> Vec<u8> {
    element(0x31, inside)
}

/// Returns the name of a thing.
#[must_use]
pub fn oid(octets: &[u8]) -> Vec<u8> {
    element(0x06, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_length_are_read_back_and_cut_ones_are_not() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut bytes = element(0x04, &vec![7; length]);
            let whole = bytes.len();
            bytes.push(0xff);
            let (read, behind) = Element::read(&bytes).unwrap();
            assert_eq!(
                (read.tag, read.inside.len(), behind),
                (4, length, &[0xff][..])
            );
            assert_eq!(read.whole.len(), whole);
            assert_eq!(Element::read(&bytes[..whole - 1]), None);
        }
        assert_eq!(
            sequence(&[&oid(&[1]), &set(&[])]),
            [0x30, 5, 6, 1, 1, 0x31, 0]
        );
        // A length without end, and one that no program has.
        assert_eq!(Element::read(&[0x30, 0x80, 0, 0]), None);
        assert_eq!(Element::read(&[0x30, 0x84, 0, 0, 0, 0]), None);
    }
}
