//! Where peers are: zones, interfaces, tunnels and the path a call takes to a
//! peer, with what one call costs on it. IEEE 802.1Q, RFC 2784, RFC 4303,
//! RFC 4106 for the sizes.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use crate::name::Name;

/// An address and the length of its network part: `10.20.120.1/29`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// Takes an address and its prefix length in bits; returns nothing when
    /// the length is more than the address has.
    pub const fn new(address: IpAddr, length: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        if length <= most {
            Some(Self { address, length })
        } else {
            None
        }
    }

    /// Returns the network that holds `address` alone.
    pub const fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: if address.is_ipv4() { 32 } else { 128 },
        }
    }

    /// Returns the address as written, host part included.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the prefix length in bits.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Returns the first address of the network.
    pub fn first(&self) -> IpAddr {
        let shift = self.host_bits();
        match self.address {
            IpAddr::V4(a) => {
                let bits = a.to_bits().checked_shr(shift).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(bits.checked_shl(shift).unwrap_or(0)))
            }
            IpAddr::V6(a) => {
                let bits = a.to_bits().checked_shr(shift).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(bits.checked_shl(shift).unwrap_or(0)))
            }
        }
    }

    /// Returns the last address of the network; for IPv4 its broadcast address.
    pub fn last(&self) -> IpAddr {
        let shift = self.host_bits();
        match self.first() {
            IpAddr::V4(a) => {
                let host = u32::MAX.checked_shl(shift).map_or(u32::MAX, |net| !net);
                IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() | host))
            }
            IpAddr::V6(a) => {
                let host = u128::MAX.checked_shl(shift).map_or(u128::MAX, |net| !net);
                IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() | host))
            }
        }
    }

    /// Returns true if `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && (self.first()..=self.last()).contains(&address)
    }

    /// Returns true if the two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first()) || other.contains(self.first())
    }

    /// Returns true if every address of `other` is in this network.
    pub fn covers(&self, other: &Self) -> bool {
        self.contains(other.first()) && self.contains(other.last())
    }

    const fn host_bits(&self) -> u32 {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        bits - self.length as u32
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host_bits() == 0 {
            write!(out, "{}", self.address)
        } else {
            write!(out, "{}/{}", self.address, self.length)
        }
    }
}

/// What lies behind an interface. The fence follows from it; it has no default.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Zone {
    /// Operators: no peer.
    Management,
    /// A public network: a trunk reaches it through a tunnel only.
    Internet,
    /// MPLS or a private line: trunks without a tunnel.
    Private,
    /// A VLAN with a mediation server and nothing else.
    Mediation,
}

impl Zone {
    /// Returns the word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Management => "management",
            Self::Internet => "internet",
            Self::Private => "private",
            Self::Mediation => "mediation",
        }
    }
}

/// A port of the machine, or one VLAN on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    pub name: Name,
    pub zone: Zone,
    /// The device by kernel name, MAC address or bus path.
    pub device: String,
    /// The 802.1Q tag, 1 to 4094; without one the interface is untagged.
    pub vlan: Option<u16>,
    /// Our addresses with their networks; the first of a family is the one
    /// calls use.
    pub addresses: Vec<Network>,
    pub gateway: Option<IpAddr>,
    /// Octets of an IP packet.
    pub mtu: u16,
}

impl Interface {
    /// Returns our address in the family of `peer`.
    pub fn address_towards(&self, peer: IpAddr) -> Option<IpAddr> {
        let mut family = self.addresses.iter().map(Network::address);
        family.find(|own| own.is_ipv4() == peer.is_ipv4())
    }
}

/// GRE inside IPsec ESP, transport mode. One without the other does not exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tunnel {
    pub name: Name,
    /// The interface the encrypted packets leave by.
    pub underlay: Name,
    /// The outer address of the far end.
    pub remote: IpAddr,
    /// Our inner address with its network.
    pub address: Network,
    pub auth: TunnelAuth,
    pub suite: Suite,
    /// Octets of an inner IP packet.
    pub mtu: u16,
    /// Silence of the far end after which the tunnel is made anew.
    pub dead_peer: Duration,
    /// ESP in UDP where a translator lies between (RFC 3948).
    pub nat_traversal: bool,
    /// The GRE key (RFC 2890), four octets more in each packet.
    pub key: Option<u32>,
    /// Who opens the security association.
    pub initiates: bool,
}

/// How the two ends of a tunnel know each other. Secrets are names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TunnelAuth {
    Psk {
        secret: String,
    },
    Certificate {
        own: Box<Certificate>,
        authority: Box<Authority>,
        /// What the far end calls itself (RFC 7296 §3.5).
        remote_id: String,
    },
}

/// One of our certificates. Files and keys are names in the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    pub name: Name,
    /// The certificate, then those that sign it.
    pub chain: String,
    /// Its private key.
    pub key: String,
}

/// An authority we trust.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority {
    pub name: Name,
    pub pem: String,
}

/// The one proposal a tunnel makes (RFC 8221 §5, RFC 8247 §2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suite {
    Aes256Gcm16Prfsha256X25519,
    /// `cnsa`.
    Aes256Gcm16Prfsha384Ecp384,
}

impl Suite {
    /// Returns the proposal as IKE daemons write it.
    pub const fn proposal(self) -> &'static str {
        match self {
            Self::Aes256Gcm16Prfsha256X25519 => "aes256gcm16-prfsha256-x25519",
            Self::Aes256Gcm16Prfsha384Ecp384 => "aes256gcm16-prfsha384-ecp384",
        }
    }
}

/// What carries a trunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Via {
    Interface(Name),
    Tunnel(Name),
}

impl fmt::Display for Via {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(out, "interface:{name}"),
            Self::Tunnel(name) => write!(out, "tunnel:{name}"),
        }
    }
}

/// Payload octets a codec of 64 kbit/s puts in one millisecond.
const G711_OCTETS_PER_MS: u32 = 8;
/// RTP without extension or contributors (RFC 3550 §5.1).
const RTP: u32 = 12;
const UDP: u32 = 8;
const IPV4: u32 = 20;
const IPV6: u32 = 40;
/// Ethernet header and frame check sequence.
const ETHERNET: u32 = 14 + 4;
/// IEEE 802.1Q §9: tag protocol identifier and tag.
const VLAN_TAG: u32 = 4;
/// RFC 2784 §2: header without checksum.
const GRE: u32 = 4;
/// RFC 2890 §2: the key field.
const GRE_KEY: u32 = 4;
/// RFC 4303 §2: SPI and sequence number, pad length and next header.
const ESP_HEADER: u32 = 8;
const ESP_TRAILER: u32 = 2;
/// RFC 4106 §3.1 and §6: the IV sent with each packet, the full-length tag.
const ESP_IV: u32 = 8;
const ESP_TAG: u32 = 16;
/// RFC 3948 §2.1: ESP in UDP.
const NAT_TRAVERSAL: u32 = 8;

/// What the packets of a call wear on the way to a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Path {
    pub zone: Zone,
    /// Our address on this path: signalling and media leave from it.
    pub local: IpAddr,
    /// The frames carry an 802.1Q tag.
    pub tagged: bool,
    pub tunnel: Option<Encapsulation>,
    /// Octets of the largest IP packet that carries signalling or media.
    pub mtu: u16,
    /// Milliseconds of speech in a packet.
    pub ptime: u8,
}

/// What a tunnel adds to each packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Encapsulation {
    /// The outer packets are IPv6.
    pub outer_v6: bool,
    pub key: bool,
    pub nat_traversal: bool,
}

impl Path {
    /// Returns what one call takes on the wire of this path, in bit/s, one
    /// direction: 87,200 on plain Ethernet, 88,800 on a tagged VLAN, 111,200
    /// through GRE in ESP, at 20 ms and IPv4.
    pub fn cost_bits_per_call(&self) -> u64 {
        let tag = if self.tagged { VLAN_TAG } else { 0 };
        self.bits_per_second(self.outer_packet() + ETHERNET + tag)
    }

    /// Returns the same at the outermost IP header: 80,000 bit/s without a
    /// tunnel, 104,000 through GRE in ESP.
    pub fn cost_at_ip(&self) -> u64 {
        self.bits_per_second(self.outer_packet())
    }

    /// Returns the planning formula's figure, 20 octets of header in each
    /// packet: 72,000 bit/s at 20 ms. Shown beside the true cost, never used.
    pub fn cost_by_formula(&self) -> u64 {
        self.bits_per_second(self.payload() + 20)
    }

    /// Returns how many calls fit `bandwidth`, in bit/s.
    pub fn calls_that_fit(&self, bandwidth: u64) -> u32 {
        let calls = bandwidth
            .checked_div(self.cost_bits_per_call())
            .unwrap_or(0);
        u32::try_from(calls).unwrap_or(u32::MAX)
    }

    fn payload(&self) -> u32 {
        G711_OCTETS_PER_MS * u32::from(self.ptime)
    }

    fn outer_packet(&self) -> u32 {
        let ip = if self.local.is_ipv4() { IPV4 } else { IPV6 };
        let inner = self.payload() + RTP + UDP + ip;
        self.tunnel.map_or(inner, |tunnel| tunnel.wrap(inner))
    }

    fn bits_per_second(&self, octets: u32) -> u64 {
        let per_second = u64::from(octets) * 8 * 1000;
        per_second
            .checked_div(u64::from(self.ptime))
            .unwrap_or(per_second)
    }
}

impl Encapsulation {
    /// Returns the octets of the outer IP packet around an inner one.
    const fn wrap(self, inner: u32) -> u32 {
        let gre = GRE + if self.key { GRE_KEY } else { 0 };
        // RFC 4303 §2.4: what is encrypted ends on a four-octet boundary.
        let encrypted = (gre + inner + ESP_TRAILER).next_multiple_of(4);
        let outer = if self.outer_v6 { IPV6 } else { IPV4 };
        let udp = if self.nat_traversal { NAT_TRAVERSAL } else { 0 };
        outer + udp + ESP_HEADER + ESP_IV + encrypted + ESP_TAG
    }

    /// Returns the largest inner IP packet an outer one of `mtu` octets holds.
    pub const fn inner_mtu(self, mtu: u16) -> u16 {
        let mut inner = mtu as u32;
        while inner > 0 && self.wrap(inner) > mtu as u32 {
            inner -= 1;
        }
        inner as u16
    }
}

#[cfg(test)]
mod tests;
