//! Addresses, networks, ports and where a peer is: RFC 3986 forms, RFC 6890
//! for what a host may have.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use crate::codes::{OUT_OF_RANGE, WRONG_TYPE};
use crate::file::units::not_a;
use crate::file::values::{is_host_name, text_fields};
use crate::file::{Fault, FromText};
use crate::network::Network;

text_fields!(
    Network, Own, IpAddr, PortRange, PortSpec, Remote, HostPort, Mac
);

fn cidr(text: &str) -> Option<Network> {
    match text.split_once('/') {
        Some((address, length)) if length.bytes().all(|o| o.is_ascii_digit()) => {
            Network::new(address.parse().ok()?, length.parse().ok()?)
        }
        Some(_) => None,
        None => Some(Network::host(text.parse().ok()?)),
    }
}

impl FromText for Network {
    const FORM: &'static str = "a network or address";
    const EXAMPLE: &'static str = "172.20.31.0/29";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let network = cidr(text).ok_or_else(|| not_a(Self::FORM, text))?;
        if network.address() != network.first() {
            let message = format!("{text} has bits set behind its length");
            return Err(Fault {
                code: WRONG_TYPE,
                message,
                help: "write the first address of the network",
            });
        }
        Ok(network)
    }
}

/// An address of ours with the network it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Own(pub Network);

impl FromText for Own {
    const FORM: &'static str = "an address with the length of its network";
    const EXAMPLE: &'static str = "10.20.120.1/29";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let network = cidr(text).filter(|_| text.contains('/'));
        let network = network.ok_or_else(|| not_a(Self::FORM, text))?;
        if !is_host(network.address()) || !usable(&network) {
            let message = format!("{text} is not an address a node can have");
            return Err(Fault {
                code: OUT_OF_RANGE,
                message,
                help: "the first and the last address of a network are no hosts",
            });
        }
        Ok(Self(network))
    }
}

/// Returns true if a host may have this address: RFC 6890 §2.2.
pub fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.octets().first() == Some(&0))
        }
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast()),
    }
}

/// RFC 3021 §2.1: networks of 31 bits have no broadcast address.
fn usable(network: &Network) -> bool {
    let address = network.address();
    !address.is_ipv4()
        || network.length() >= 31
        || (address != network.first() && address != network.last())
}

impl FromText for IpAddr {
    const FORM: &'static str = "an IP address";
    const EXAMPLE: &'static str = "10.20.120.2";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let address = text.parse().map_err(|_| not_a(Self::FORM, text))?;
        if is_host(address) {
            Ok(address)
        } else {
            Err(not_a("the address of a host", text))
        }
    }
}

/// The ports of media, pairs of RTP and RTCP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl FromText for PortRange {
    const FORM: &'static str = "a range of ports";
    const PATTERN: &'static str = "^\\d+-\\d+$";
    const EXAMPLE: &'static str = "16384-32767";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let ends = text
            .split_once('-')
            .and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
        let (first, last): (u16, u16) = ends.ok_or_else(|| not_a(Self::FORM, text))?;
        if first < 1024 || first % 2 != 0 || last % 2 != 1 || last < first {
            let message = format!("{text} does not hold whole pairs of ports above 1023");
            return Err(Fault {
                code: OUT_OF_RANGE,
                message,
                help: "RTP is even and RTCP the next: start even, end odd",
            });
        }
        Ok(Self(first..=last))
    }
}

/// What a file may say is spoken; a peer of today's image speaks the first two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spoken {
    Udp,
    Tcp,
    Tls,
}

impl Spoken {
    fn new(text: &str) -> Option<Self> {
        match text {
            "udp" => Some(Self::Udp),
            "tcp" => Some(Self::Tcp),
            "tls" => Some(Self::Tls),
            _ => None,
        }
    }
}

/// A port and what is spoken there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PortSpec {
    pub port: u16,
    pub spoken: Spoken,
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|o| o.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|port| *port > 0)
}

impl FromText for PortSpec {
    const FORM: &'static str = "a port and a transport";
    const PATTERN: &'static str = "^\\d{1,5}/(udp|tcp|tls)$";
    const EXAMPLE: &'static str = "5068/tcp";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let spec = text.split_once('/').and_then(|(number, spoken)| {
            Some(Self {
                port: port(number)?,
                spoken: Spoken::new(spoken)?,
            })
        });
        spec.ok_or_else(|| not_a(Self::FORM, text))
    }
}

/// Where a trunk is: an address, or a name to look up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    pub host: Host,
    pub port: Option<u16>,
    pub spoken: Spoken,
}

/// An address or a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    Address(IpAddr),
    Name(String),
}

impl FromText for Remote {
    const FORM: &'static str = "HOST:PORT/TRANSPORT";
    const PATTERN: &'static str = "^[^/ ]+/(udp|tcp|tls)$";
    const EXAMPLE: &'static str = "192.0.2.2:5060/tcp";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let parse = || {
            let (place, spoken) = text.split_once('/')?;
            let spoken = Spoken::new(spoken)?;
            if let Ok(socket) = place.parse::<SocketAddr>() {
                let host = Host::Address(socket.ip());
                return (socket.port() > 0).then_some(Self {
                    host,
                    port: Some(socket.port()),
                    spoken,
                });
            }
            let bare = place.trim_start_matches('[').trim_end_matches(']');
            if let Ok(address) = bare.parse::<IpAddr>() {
                return Some(Self {
                    host: Host::Address(address),
                    port: None,
                    spoken,
                });
            }
            let (name, number) = match place.split_once(':') {
                Some((name, number)) => (name, Some(port(number)?)),
                None => (place, None),
            };
            // All digits and dots is an address with a slip, never a name.
            let named = is_host_name(name) && name.bytes().any(|o| o.is_ascii_alphabetic());
            named.then(|| Self {
                host: Host::Name(name.to_string()),
                port: number,
                spoken,
            })
        };
        let remote = parse().ok_or_else(|| not_a(Self::FORM, text))?;
        match remote.host {
            Host::Address(address) if !is_host(address) => {
                Err(not_a("the address of a host", text))
            }
            _ => Ok(remote),
        }
    }
}

/// Where a collector listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostPort(pub SocketAddr);

impl FromText for HostPort {
    const FORM: &'static str = "ADDRESS:PORT";
    const EXAMPLE: &'static str = "10.0.0.20:6514";

    fn from_text(text: &str) -> Result<Self, Fault> {
        text.parse().map(Self).map_err(|_| not_a(Self::FORM, text))
    }
}

/// A hardware address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mac(pub [u8; 6]);

impl FromText for Mac {
    const FORM: &'static str = "a MAC address of one station";
    const PATTERN: &'static str = "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$";
    const EXAMPLE: &'static str = "52:54:00:12:34:56";

    fn from_text(text: &str) -> Result<Self, Fault> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && !part.starts_with('+'));
            let value = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            *octet = value.ok_or_else(|| not_a(Self::FORM, text))?;
        }
        // The lowest bit of the first octet marks a group of stations.
        let group = octets.first().is_some_and(|first| first & 0x01 != 0);
        if parts.next().is_some() || group || octets == [0; 6] {
            return Err(not_a(Self::FORM, text));
        }
        Ok(Self(octets))
    }
}
