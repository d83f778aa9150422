//! An Ethernet frame comes in; its tags, what it is and a line for people go out
//! (IEEE 802.3, IEEE 802.1Q, RFC 826, RFC 791).

use core::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A hardware address.
pub type Mac = [u8; 6];

/// IEEE 802.1Q customer tag.
pub const TAG: u16 = 0x8100;
/// IEEE 802.1ad service tag.
pub const SERVICE_TAG: u16 = 0x88a8;
/// ARP.
pub const ARP: u16 = 0x0806;
/// IPv4.
pub const IPV4: u16 = 0x0800;
/// IPv6.
pub const IPV6: u16 = 0x86dd;

/// ICMP.
pub const ICMP: u8 = 1;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// GRE.
pub const GRE: u8 = 47;
/// ESP.
pub const ESP: u8 = 50;

/// What a frame carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carried {
    /// ARP: operation, who asks, for whom.
    Arp {
        operation: u16,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    /// IPv4.
    Ipv4(Packet),
    /// IPv6: source, destination and the number of what is next.
    Ipv6 {
        from: Ipv6Addr,
        to: Ipv6Addr,
        next: u8,
    },
    /// Anything else, by its type; also what is cut short.
    Other(u16),
}

/// The head of an IPv4 packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet {
    pub from: Ipv4Addr,
    pub to: Ipv4Addr,
    pub protocol: u8,
    /// The six bits of DSCP.
    pub dscp: u8,
    /// More fragments follow, or this one is not the first.
    pub is_fragment: bool,
    /// Octets, the head among them.
    pub length: u16,
    /// Source and destination port of TCP and UDP, type and code of ICMP.
    pub ports: Option<(u16, u16)>,
}

/// Returns the address a frame is for and the one it is from.
#[must_use]
pub fn addresses(frame: &[u8]) -> Option<(Mac, Mac)> {
    let (to, rest) = frame.split_first_chunk::<6>()?;
    let (from, _) = rest.split_first_chunk::<6>()?;
    Some((*to, *from))
}

/// Returns whether an address is a group's, broadcast among them.
#[must_use]
pub const fn is_group(address: Mac) -> bool {
    let [first, ..] = address;
    first & 1 == 1
}

/// Returns the outermost customer tag (priority and VLAN) and the frame without
/// it; an untagged frame as it is.
#[must_use]
pub fn untagged(frame: &[u8]) -> (Option<u16>, Vec<u8>) {
    match (kind(frame, 12), number(frame, 14)) {
        (Some(TAG), Some(tag)) => {
            let mut inner = frame.to_vec();
            inner.drain(12..16);
            (Some(tag), inner)
        }
        _ => (None, frame.to_vec()),
    }
}

/// Returns the frame with a customer tag in front of its type.
#[must_use]
pub fn tagged(frame: &[u8], tag: u16) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    let [kind_high, kind_low] = TAG.to_be_bytes();
    let [high, low] = tag.to_be_bytes();
    let at = bytes.len().min(12);
    bytes.splice(at..at, [kind_high, kind_low, high, low]);
    bytes
}

/// Returns what an untagged frame carries.
#[must_use]
pub fn carried(frame: &[u8]) -> Carried {
    let kind = kind(frame, 12).unwrap_or_default();
    let body = frame.get(14..).unwrap_or_default();
    let read = match kind {
        ARP => arp(body),
        IPV4 => packet(body).map(Carried::Ipv4),
        IPV6 => ipv6(body),
        _ => None,
    };
    read.unwrap_or(Carried::Other(kind))
}

fn arp(body: &[u8]) -> Option<Carried> {
    Some(Carried::Arp {
        operation: number(body, 6)?,
        sender: v4(body, 14)?,
        target: v4(body, 24)?,
    })
}

/// Reads the head of an IPv4 packet; nothing when it is cut short or no IPv4.
#[must_use]
pub fn packet(body: &[u8]) -> Option<Packet> {
    let first = *body.first()?;
    if first >> 4 != 4 {
        return None;
    }
    let words = usize::from(first & 0x0f);
    let fragment = number(body, 6)?;
    let protocol = *body.get(9)?;
    let rest = body.get(words * 4..)?;
    let ports = match protocol {
        _ if fragment & 0x1fff != 0 => None,
        TCP | UDP => number(rest, 0).zip(number(rest, 2)),
        ICMP => rest
            .first()
            .zip(rest.get(1))
            .map(|(&kind, &code)| (kind.into(), code.into())),
        _ => None,
    };
    Some(Packet {
        from: v4(body, 12)?,
        to: v4(body, 16)?,
        protocol,
        dscp: body.get(1)? >> 2,
        is_fragment: fragment & 0x3fff != 0,
        length: number(body, 2)?,
        ports,
    })
}

fn ipv6(body: &[u8]) -> Option<Carried> {
    let address = |at: usize| {
        let octets: [u8; 16] = body.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets))
    };
    Some(Carried::Ipv6 {
        next: *body.get(6)?,
        from: address(8)?,
        to: address(24)?,
    })
}

fn v4(body: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = body.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let pair: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(pair))
}

fn kind(frame: &[u8], at: usize) -> Option<u16> {
    number(frame, at)
}

impl Carried {
    /// Returns whether this is IKE: UDP from or to port 500 or 4500 (RFC 7296
    /// §2.23: with NAT, ESP goes the same way).
    #[must_use]
    pub fn is_ike(&self) -> bool {
        let is_port = |port: u16| port == 500 || port == 4500;
        self.is(UDP)
            && matches!(self, Self::Ipv4(Packet { ports: Some((from, to)), .. })
                if is_port(*from) || is_port(*to))
    }

    /// Returns whether this is an IPv4 packet of that protocol.
    #[must_use]
    pub fn is(&self, protocol: u8) -> bool {
        matches!(self, Self::Ipv4(packet) if packet.protocol == protocol)
    }

    /// Returns whether this is ARP.
    #[must_use]
    pub const fn is_arp(&self) -> bool {
        matches!(self, Self::Arp { .. })
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arp {
                operation: 1,
                sender,
                target,
            } => write!(out, "ARP {sender} asks for {target}"),
            Self::Arp {
                operation,
                sender,
                target,
            } => write!(out, "ARP {operation} of {sender} to {target}"),
            Self::Ipv4(packet) => {
                let name = match packet.protocol {
                    ICMP => "ICMP",
                    TCP => "TCP",
                    UDP => "UDP",
                    GRE => "GRE",
                    ESP => "ESP",
                    _ => "IP",
                };
                write!(out, "{name} {} > {}", packet.from, packet.to)?;
                match packet.ports {
                    Some((from, to)) => write!(out, " ({from}, {to})"),
                    None => write!(out, " (protocol {})", packet.protocol),
                }
            }
            Self::Ipv6 { from, to, next } => write!(out, "IPv6 {from} > {to} ({next})"),
            Self::Other(kind) => write!(out, "type {kind:#06x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_goes_on_and_comes_off() {
        let frame = [&[1; 6][..], &[2; 6], &[8, 0, 0x45]].concat();
        let on = tagged(&frame, 0xa014);
        assert_eq!(on[12..16], [0x81, 0, 0xa0, 0x14]);
        assert_eq!(untagged(&on), (Some(0xa014), frame.clone()));
        assert_eq!(untagged(&frame), (None, frame));
        assert_eq!(untagged(&[1, 2]).0, None);
    }

    /// RFC 7296 §2.23: port 500, and 4500 behind a NAT.
    #[test]
    fn ike_is_known_by_its_ports() {
        let datagram = |from: u16, to: u16| {
            let mut frame = vec![0; 12];
            frame.extend([8, 0, 0x45, 0xb8, 0, 28, 0, 0, 0, 0, 64, UDP, 0, 0]);
            frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            frame.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
            frame.extend([0, 8, 0, 0]);
            carried(&frame)
        };
        assert!(datagram(500, 500).is_ike() && datagram(1024, 4500).is_ike());
        assert!(!datagram(5060, 5061).is_ike());
        let Carried::Ipv4(packet) = datagram(5060, 5060) else {
            panic!("an IPv4 packet");
        };
        assert_eq!(
            (packet.dscp, packet.is_fragment, packet.length),
            (46, false, 28)
        );
    }

    #[test]
    fn what_is_cut_short_is_something_else() {
        assert_eq!(carried(&[0; 13]), Carried::Other(0));
        let short = [&[0; 12][..], &[8, 0, 0x45, 0]].concat();
        assert_eq!(carried(&short), Carried::Other(IPV4));
    }
}
