//! A datagram goes in, a bounded view of its RTP header and payload comes out
//! (RFC 3550 §5.1, §5.3.1), with what tells RTP from RTCP (RFC 5761 §4).

use core::ops::Range;

/// The fixed part: version to SSRC.
const FIXED: usize = 12;

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    #[error("rtp packet of {bytes} bytes is shorter than its header")]
    Short { bytes: usize },
    #[error("rtp version {version} is not 2")]
    Version { version: u8 },
    #[error("rtp padding of {padding} bytes exceeds the payload")]
    Padding { padding: u8 },
}

/// The header of an RTP packet: RFC 3550 §5.1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    pub marker: bool,
    /// The payload number.
    pub number: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Where the payload lies in the packet, padding left out.
    pub payload: Range<usize>,
}

impl Header {
    /// Reads the header; sources, extension and padding are stepped over and must lie
    /// inside the packet.
    pub fn parse(packet: &[u8]) -> Result<Self, Malformed> {
        let short = Malformed::Short {
            bytes: packet.len(),
        };
        let Some((fixed, rest)) = packet.split_first_chunk::<FIXED>() else {
            return Err(short);
        };
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if first >> 6 != 2 {
            return Err(Malformed::Version {
                version: first >> 6,
            });
        }
        let sources = usize::from(first & 0x0f) * 4;
        let after = rest.get(sources..).ok_or(short)?;
        let extension = if first & 0x10 == 0 {
            Some(0)
        } else {
            extension(after)
        };
        let body = after.get(extension.ok_or(short)?..).ok_or(short)?;
        let padding = if first & 0x20 == 0 { 0 } else { padding(body)? };
        Ok(Self {
            marker: second & 0x80 != 0,
            number: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            payload: packet.len() - body.len()..packet.len() - padding,
        })
    }
}

/// Writes another payload number into a packet; the marker stays.
pub fn set_number(packet: &mut [u8], number: u8) {
    if let Some(second) = packet.get_mut(1) {
        *second = (*second & 0x80) | (number & 0x7f);
    }
}

/// Returns whether a datagram on a shared port is RTCP: a second byte of 192 to 223
/// (RFC 5761 §4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [_, 192..=223, ..])
}

/// The length of a header extension in bytes (RFC 3550 §5.3.1).
fn extension(after: &[u8]) -> Option<usize> {
    let [_, _, high, low, ..] = after else {
        return None;
    };
    Some(4 + usize::from(u16::from_be_bytes([*high, *low])) * 4)
}

/// The last byte counts the padding, itself included (RFC 3550 §5.1).
fn padding(body: &[u8]) -> Result<usize, Malformed> {
    let padding = body.last().copied().unwrap_or(0);
    if padding == 0 || usize::from(padding) > body.len() {
        return Err(Malformed::Padding { padding });
    }
    Ok(padding.into())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;
    use rtp_types::{RtpPacket, RtpPacketBuilder};

    use super::*;

    const PLAIN: [u8; 14] = [0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4, 0xd5, 0xd5];

    /// RFC 3550 §5.1
    #[test]
    fn a_plain_packet_is_read_field_by_field() {
        let wanted = Header {
            marker: true,
            number: 8,
            sequence: 0x1234,
            timestamp: 160,
            ssrc: 0x0102_0304,
            payload: 12..14,
        };
        assert_eq!(Header::parse(&PLAIN), Ok(wanted));
    }

    #[test]
    fn every_shortening_of_a_full_header_is_told() {
        // Two sources, an extension of one word, four bytes of padding.
        let mut full = Vec::from([0xb2, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        full.extend([0, 0, 0, 4, 0, 0, 0, 5, 0xbe, 0xde, 0, 1, 9, 9, 9, 9]);
        full.extend([7, 7, 0, 0, 0, 4]);
        assert_eq!(Header::parse(&full).unwrap().payload, 28..30);
        for length in 0..28 {
            let wanted = Malformed::Short { bytes: length };
            assert_eq!(Header::parse(&full[..length]), Err(wanted));
        }
        assert_eq!(
            Header::parse(&full[..28]),
            Err(Malformed::Padding { padding: 0 })
        );
    }

    #[test]
    fn other_versions_and_impossible_padding_are_refused() {
        for version in [0, 1, 3] {
            let mut packet = PLAIN;
            packet[0] = version << 6;
            assert_eq!(Header::parse(&packet), Err(Malformed::Version { version }));
        }
        for padding in [0, 3, 255] {
            let mut packet = PLAIN;
            packet[0] |= 0x20;
            packet[13] = padding;
            assert_eq!(Header::parse(&packet), Err(Malformed::Padding { padding }));
        }
    }

    /// RFC 5761 §4: payload numbers 64 to 95 would be taken for RTCP, and are not used.
    #[test]
    fn rtcp_is_told_by_its_second_byte() {
        for second in 0..=255_u8 {
            assert_eq!(is_rtcp(&[0x80, second]), (192..=223).contains(&second));
        }
        assert!(!is_rtcp(&[0x80]) && !is_rtcp(&[]));
    }

    #[test]
    fn a_new_number_leaves_the_marker_alone() {
        let mut packet = PLAIN;
        set_number(&mut packet, 0xff);
        assert_eq!(packet[1], 0xff);
        packet[1] = 0x08;
        set_number(&mut packet, 101);
        assert_eq!(packet[1], 101);
        set_number(&mut [], 1);
    }

    proptest! {
        /// RFC 3550 §5.3.1: any packet another library builds is read the same here.
        #[test]
        fn another_library_agrees_on_what_it_wrote(
            marker: bool, number in 0..128_u8, sequence: u16, timestamp: u32, ssrc: u32,
            sources in proptest::collection::vec(any::<u32>(), 0..15),
            extension in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..8)),
            payload in proptest::collection::vec(any::<u8>(), 1..40), padding in 0..5_u8,
        ) {
            let mut builder = RtpPacketBuilder::new().marker_bit(marker).payload_type(number)
                .sequence_number(sequence).timestamp(timestamp).ssrc(ssrc)
                .payload(payload.as_slice());
            for source in sources {
                builder = builder.add_csrc(source);
            }
            let words = extension.unwrap_or_default();
            if let Some(words) = words.get(..words.len() / 4 * 4).filter(|words| !words.is_empty()) {
                builder = builder.extension(7, words);
            }
            if padding > 0 {
                builder = builder.padding(padding * 4);
            }
            let bytes = builder.write_vec().unwrap();
            let header = Header::parse(&bytes).unwrap();
            prop_assert_eq!(&bytes[header.payload.clone()], payload.as_slice());
            let ours = (header.marker, header.number, header.sequence, header.timestamp, header.ssrc);
            prop_assert_eq!(ours, (marker, number, sequence, timestamp, ssrc));
        }

        /// Whatever arrives: no panic, and both libraries agree on the payload.
        #[test]
        fn another_library_agrees_on_any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(first) = bytes.first_mut() {
                *first = (*first & 0x3f) | 0x80;
            }
            if let (Ok(header), Ok(theirs)) = (Header::parse(&bytes), RtpPacket::parse(&bytes)) {
                prop_assert_eq!(&bytes[header.payload], theirs.payload());
                prop_assert_eq!(header.sequence, theirs.sequence_number());
            }
        }
    }
}
