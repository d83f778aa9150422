//! Frames nobody should send: whom they are for comes in, each kind of forgery
//! goes out as it would be on a trunk's wire.

use std::net::Ipv4Addr;

use super::frame::{ARP, ICMP, IPV4, IPV6, Mac, TCP, UDP, tagged};

/// Whom the forged frames are for, and whose they pretend to be.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The victim's hardware address.
    pub mac: Mac,
    /// The victim's address.
    pub address: Ipv4Addr,
    /// The victim's VLAN.
    pub vlan: u16,
    /// A VLAN the victim has no business with.
    pub other_vlan: u16,
    /// A neighbour the victim trusts.
    pub peer_mac: Mac,
    /// That neighbour's address.
    pub peer: Ipv4Addr,
    /// Somebody nobody knows.
    pub stranger: Ipv4Addr,
    /// A port the victim listens on.
    pub port: u16,
}

/// One way to break the rules of a VLAN.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Forgery {
    /// A datagram to all.
    Broadcast,
    /// A datagram to a group.
    Multicast,
    /// A datagram with the tag of another VLAN.
    WrongTag,
    /// A datagram with the tag of another VLAN inside the right one.
    DoubleTag,
    /// A datagram from an address no peer has, with the peer's hardware address.
    SpoofedSource,
    /// An ARP answer that claims the peer's address for somebody else.
    ForeignArp,
    /// Half a datagram of the peer's.
    Fragment,
    /// A datagram of the peer's with a source route (RFC 791 §3.1).
    IpOptions,
    /// An ICMP redirect (RFC 792) of the peer's.
    Redirect,
    /// A router advertisement (RFC 4861 §4.2).
    Ipv6,
    /// A TCP segment with every flag, from a stranger.
    Segment,
}

/// All kinds.
pub const ALL: [Forgery; 11] = [
    Forgery::Broadcast,
    Forgery::Multicast,
    Forgery::WrongTag,
    Forgery::DoubleTag,
    Forgery::SpoofedSource,
    Forgery::ForeignArp,
    Forgery::Fragment,
    Forgery::IpOptions,
    Forgery::Redirect,
    Forgery::Ipv6,
    Forgery::Segment,
];

const BROADCAST: Mac = [0xff; 6];
const STRANGER: Mac = [0x02, 0xba, 0xd0, 0, 0, 1];

impl Forgery {
    /// Returns a frame of this kind as a trunk carries it; `number` makes one
    /// differ from the next.
    #[must_use]
    pub fn frame(self, target: &Target, number: u16) -> Vec<u8> {
        let Target {
            mac,
            address,
            vlan,
            peer_mac,
            peer,
            stranger,
            ..
        } = *target;
        let say = |to| udp(49_152 | number, target.port, peer, to, b"forged");
        let own = |from, protocol, body: &[u8]| {
            ethernet(
                mac,
                peer_mac,
                IPV4,
                &ipv4(from, address, protocol, number, 0, &[], body),
            )
        };
        let plain = |to_mac, to| {
            ethernet(
                to_mac,
                peer_mac,
                IPV4,
                &ipv4(peer, to, UDP, number, 0, &[], &say(to)),
            )
        };
        let group = Ipv4Addr::new(224, 0, 1, 75);
        let inner = match self {
            Self::Broadcast => plain(BROADCAST, Ipv4Addr::BROADCAST),
            Self::Multicast => plain([0x01, 0x00, 0x5e, 0, 1, 75], group),
            Self::WrongTag => return tagged(&plain(mac, address), target.other_vlan),
            Self::DoubleTag => tagged(&plain(mac, address), target.other_vlan),
            Self::SpoofedSource => own(
                stranger,
                UDP,
                &udp(5060, target.port, stranger, address, b"spoofed"),
            ),
            Self::ForeignArp => ethernet(mac, STRANGER, ARP, &arp_claim(peer, mac, address)),
            Self::Fragment => {
                let body = [0x55; 64];
                let packet = ipv4(
                    peer,
                    address,
                    UDP,
                    number,
                    0x2000 | (number & 7),
                    &[],
                    &body,
                );
                ethernet(mac, peer_mac, IPV4, &packet)
            }
            Self::IpOptions => {
                // Loose source route with one hop, and the end of the list.
                let [a, b, c, d] = stranger.octets();
                let options = [131, 7, 4, a, b, c, d, 0];
                let packet = ipv4(peer, address, UDP, number, 0, &options, &say(address));
                ethernet(mac, peer_mac, IPV4, &packet)
            }
            Self::Redirect => own(peer, ICMP, &redirect(target)),
            Self::Ipv6 => ethernet([0x33, 0x33, 0, 0, 0, 1], STRANGER, IPV6, &advertisement()),
            Self::Segment => own(stranger, TCP, &segment(49_152 | number, target)),
        };
        tagged(&inner, vlan)
    }
}

/// Returns a frame of this type.
#[must_use]
pub fn ethernet(to: Mac, from: Mac, kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), body].concat();
    // IEEE 802.3: a frame has 60 octets at least.
    frame.resize(frame.len().max(60), 0);
    frame
}

/// Returns an IPv4 packet (RFC 791 §3.1) with a true checksum. `options` fill
/// whole words.
#[must_use]
pub fn ipv4(
    from: Ipv4Addr,
    to: Ipv4Addr,
    protocol: u8,
    number: u16,
    fragment: u16,
    options: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let head = 20 + options.len();
    let length = u16::try_from(head + body.len()).unwrap_or(u16::MAX);
    let words = u8::try_from(head / 4).unwrap_or(5);
    let mut packet = vec![0x40 | words, 0];
    packet.extend(length.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(options);
    let sum = checksum(&[&packet]).to_be_bytes();
    packet.splice(10..12, sum);
    packet.extend(body);
    packet
}

/// Returns a UDP datagram (RFC 768) with a true checksum.
#[must_use]
pub fn udp(port: u16, to_port: u16, from: Ipv4Addr, to: Ipv4Addr, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + body.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let head = [port.to_be_bytes(), to_port.to_be_bytes(), length, [0, 0]].concat();
    let mut datagram = [&head, body].concat();
    let sum = checksum(&[&pseudo(from, to, UDP, datagram.len()), &datagram]);
    datagram.splice(6..8, sum.to_be_bytes());
    datagram
}

fn segment(port: u16, target: &Target) -> Vec<u8> {
    let mut bytes = [port.to_be_bytes(), target.port.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x3f, 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo = pseudo(target.stranger, target.address, TCP, bytes.len());
    let sum = checksum(&[&pseudo, &bytes]);
    bytes.splice(16..18, sum.to_be_bytes());
    bytes
}

fn pseudo(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [&from.octets()[..], &to.octets(), &[0, protocol], &length].concat()
}

fn arp_claim(claimed: Ipv4Addr, mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 2];
    body.extend(STRANGER);
    body.extend(claimed.octets());
    body.extend(mac);
    body.extend(address.octets());
    body
}

fn redirect(target: &Target) -> Vec<u8> {
    let lost = ipv4(target.address, target.peer, UDP, 1, 0, &[], &[0; 8]);
    let mut body = vec![5, 1, 0, 0];
    body.extend(target.stranger.octets());
    body.extend(lost);
    let sum = checksum(&[&body]);
    body.splice(2..4, sum.to_be_bytes());
    body
}

fn advertisement() -> Vec<u8> {
    let from = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xba, 0xd0];
    let to = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let sum = checksum(&[&from, &to, &[0, 0, 0, length, 0, 0, 0, 58], &message]);
    message.splice(2..4, sum.to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0, 0, length, 58, 255];
    packet.extend(from);
    packet.extend(to);
    packet.extend(message);
    packet
}

/// The sum of RFC 1071 over pieces of even length (the last may be odd).
fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in pieces.iter().flat_map(|piece| piece.chunks(2)) {
        let high = pair.first().copied().unwrap_or_default();
        let low = pair.get(1).copied().unwrap_or_default();
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Carried, addresses, carried, untagged};
    use super::*;

    fn target() -> Target {
        Target {
            mac: [0x52, 0x54, 0, 0, 0, 1],
            address: Ipv4Addr::new(10, 20, 0, 1),
            vlan: 20,
            other_vlan: 21,
            peer_mac: [0x52, 0x54, 0, 0, 0, 2],
            peer: Ipv4Addr::new(10, 20, 0, 2),
            stranger: Ipv4Addr::new(192, 0, 2, 66),
            port: 5060,
        }
    }

    /// RFC 791 §3.1 (options), RFC 792 (redirect), RFC 826 and RFC 4861 §4.2, read
    /// back by a reader that shares nothing with the writer but the standard.
    #[test]
    fn each_forgery_is_what_its_name_says() {
        let read = |kind: Forgery| untagged(&kind.frame(&target(), 7));
        let (tag, inner) = read(Forgery::WrongTag);
        assert_eq!(tag, Some(21));
        assert_eq!(
            carried(&inner).to_string(),
            "UDP 10.20.0.2 > 10.20.0.1 (49159, 5060)"
        );
        let (tag, inner) = read(Forgery::DoubleTag);
        assert_eq!((tag, untagged(&inner).0), (Some(20), Some(21)));
        let (_, inner) = read(Forgery::Broadcast);
        assert_eq!(addresses(&inner).unwrap().0, BROADCAST);
        let (_, inner) = read(Forgery::Redirect);
        assert_eq!(
            carried(&inner).to_string(),
            "ICMP 10.20.0.2 > 10.20.0.1 (5, 1)"
        );
        let (_, inner) = read(Forgery::Fragment);
        assert!(matches!(carried(&inner), Carried::Ipv4(packet) if packet.is_fragment));
        let (_, inner) = read(Forgery::IpOptions);
        // Seven words of head; the first option is the loose source route.
        assert_eq!((inner[14], inner[34]), (0x47, 131));
        let (_, inner) = read(Forgery::Ipv6);
        assert_eq!(inner[54], 134, "a router advertisement");
        assert!(matches!(carried(&inner), Carried::Ipv6 { next: 58, .. }));
        let (_, inner) = read(Forgery::ForeignArp);
        assert_eq!(
            carried(&inner).to_string(),
            "ARP 2 of 10.20.0.2 to 10.20.0.1"
        );
    }

    /// RFC 768 over its pseudo header, RFC 791 §3.1 over the head.
    #[test]
    fn checksums_of_heads_and_datagrams_add_up() {
        let body = udp(1, 2, target().peer, target().address, b"odd");
        let pseudo = pseudo(target().peer, target().address, UDP, body.len());
        assert_eq!(checksum(&[&pseudo, &body]), 0);
        let packet = ipv4(target().peer, target().address, UDP, 1, 0, &[1; 4], &body);
        assert_eq!(checksum(&[&packet[..24]]), 0);
        // RFC 1071 §3: the example's sum is ddf2.
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&[&example]), !0xddf2);
    }
}
