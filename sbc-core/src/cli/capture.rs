//! The messages of a ladder come in, a capture file goes out (pcapng), as text
//! that survives any terminal: base64 with a hash.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use sbc_call::Side;
use sbc_call::ladder::{Ladder, Rung};
use sha2::{Digest, Sha256};

/// The node has no one address in a ladder; this one is for documentation
/// (RFC 5737 §3).
const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Octets of base64 in a line.
const LINE: usize = 76;

/// Returns the file between two lines that name it.
pub fn framed(ladder: &Ladder) -> String {
    let file = file(ladder).unwrap_or_default();
    as_text(&format!("call-{}.pcapng", ladder.call), &file)
}

/// Returns any file as lines of base64 between two lines: its name and length,
/// and its hash.
pub fn as_text(name: &str, file: &[u8]) -> String {
    let hash: String = Sha256::digest(file)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut out = format!("begin {name} {} octets\n", file.len());
    let text = base64(file);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str(&format!("end sha256 {hash}\n"));
    out
}

/// Returns the file itself: each message as a datagram, whatever carried it, so
/// that each is one packet.
fn file(ladder: &Ladder) -> Result<Vec<u8>, pcap_file::PcapError> {
    let mut writer = PcapNgWriter::new(Vec::new())?;
    writer.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: 0xffff,
        options: Vec::new(),
    })?;
    for rung in ladder.rungs.iter().filter(|rung| !rung.message.is_empty()) {
        let packet = packet(ladder, rung);
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: 0,
            timestamp: rung.at,
            original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
            data: packet.into(),
            options: Vec::new(),
        })?;
    }
    Ok(writer.into_inner())
}

fn packet(ladder: &Ladder, rung: &Rung) -> Vec<u8> {
    let [a, b] = &ladder.peers;
    let (party, other) = match rung.side {
        Side::A => (a, Ipv4Addr::new(192, 0, 2, 2)),
        Side::B => (b, Ipv4Addr::new(192, 0, 2, 3)),
    };
    let at: Option<SocketAddr> = party.place.split('/').next().and_then(|at| at.parse().ok());
    let (peer, port) = match at {
        Some(at) => match at.ip() {
            IpAddr::V4(ip) => (ip, at.port()),
            IpAddr::V6(_) => (other, at.port()),
        },
        None => (other, 5060),
    };
    let (from, to) = match rung.ours {
        true => ((NODE, 5060), (peer, port)),
        false => ((peer, port), (NODE, 5060)),
    };
    datagram(from, to, rung.message.as_bytes())
}

/// Returns an IPv4 packet (RFC 791 §3.1) with a UDP datagram (RFC 768) in it.
fn datagram(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), body: &[u8]) -> Vec<u8> {
    // A longer message than a datagram holds is cut; its original length is told.
    let body = body.get(..body.len().min(0xffff - 28)).unwrap_or_default();
    let udp = u16::try_from(body.len() + 8).unwrap_or(u16::MAX);
    let mut header = vec![0x45, 0];
    header.extend((udp + 20).to_be_bytes());
    header.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    header.extend(from.0.octets());
    header.extend(to.0.octets());
    let sum = checksum(&header).to_be_bytes();
    header.splice(10..12, sum);
    header.extend(from.1.to_be_bytes());
    header.extend(to.1.to_be_bytes());
    header.extend(udp.to_be_bytes());
    // No checksum (RFC 768 allows it).
    header.extend([0, 0]);
    header.extend(body);
    header
}

/// The checksum of RFC 1071 §1.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2);
    let sum: u32 = words
        .map(|pair| {
            pair.iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        })
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0)
}

/// Returns base64 (RFC 4648 §4).
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in octets.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * at) & 63) as usize);
            let padded = at > three.len();
            out.push(if padded {
                '='
            } else {
                letter.map_or('=', |letter| char::from(*letter))
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sbc_call::ladder::Party;

    use super::*;

    /// The examples of RFC 4648 §10, spelt as RFC 4648 §4 says.
    #[test]
    fn base64_is_that_of_the_standard() {
        for (octets, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(octets.as_bytes()), text);
        }
    }

    /// The header of RFC 1071 §1 sums to nothing once its checksum is in it
    /// (RFC 791 §3.1); the addresses are those of RFC 5737 §3.
    #[test]
    fn a_packet_has_the_checksum_of_its_header_and_the_message_behind_it() {
        let packet = datagram((NODE, 5060), (Ipv4Addr::LOCALHOST, 5062), b"SIP/2.0 200 OK");
        assert_eq!(checksum(&packet[..20]), 0);
        assert!(packet.ends_with(b"SIP/2.0 200 OK"));
        assert_eq!(packet.len(), 28 + 14);
    }

    #[test]
    fn a_capture_opens_again_with_every_message_in_its_order() {
        let rung = |message: &str, ours| Rung {
            at: Duration::from_millis(1),
            side: Side::A,
            ours,
            what: String::new(),
            sdp: false,
            note: String::new(),
            message: message.to_owned(),
        };
        let ladder = Ladder {
            call: 7,
            rungs: vec![rung("INVITE", false), rung("", true), rung("100", true)],
            peers: [Party::default(), Party::default()],
            ..Ladder::default()
        };
        let file = file(&ladder).unwrap();
        let mut reader = pcap_file::pcapng::PcapNgReader::new(file.as_slice()).unwrap();
        let mut bodies = Vec::new();
        while let Some(block) = reader.next_block() {
            if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block.unwrap() {
                bodies.push(String::from_utf8_lossy(&packet.data[28..]).into_owned());
            }
        }
        assert_eq!(bodies, ["INVITE", "100"]);
        assert!(framed(&ladder).starts_with("begin call-7.pcapng "));
    }
}
