//! What the kernel must hold, as plain values: links (IEEE 802.1Q; RFC 2784,
//! RFC 2890), addresses, neighbours, switches, routes, rules, the firewall,
//! shapers, and what charon is told (RFC 7296).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use sbc_config::network::{Suite, TunnelAuth};
use sbc_config::{Network, Zone};

use crate::firewall::Ruleset;

/// Everything the kernel and charon must hold for one configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Desired {
    /// Ports first, then VLANs, then tunnels: none needs one that follows.
    pub links: Vec<Link>,
    pub addresses: Vec<Address>,
    pub neighbours: Vec<Neighbour>,
    /// Switches of the whole machine; those of a link are with the link.
    pub sysctls: Vec<Sysctl>,
    pub routes: Vec<Route>,
    pub rules: Vec<PolicyRule>,
    pub firewall: Ruleset,
    pub shapers: Vec<Shaper>,
    pub connections: Vec<Connection>,
}

impl Desired {
    /// Returns the link of that kernel name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Returns every switch, of the machine and of its links.
    pub fn all_sysctls(&self) -> impl Iterator<Item = &Sysctl> {
        let links = self.links.iter().flat_map(|link| &link.sysctls);
        self.sysctls.iter().chain(links)
    }
}

/// A device that must exist and be up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// The kernel's name: at most 15 octets.
    pub name: String,
    /// Whose it is in the file: `interface voice-a`, `tunnel itsp-a`; for a port
    /// that carries nothing but VLANs, `port`.
    pub owner: String,
    /// What lies behind it; a port that carries nothing but VLANs has none.
    pub zone: Option<Zone>,
    pub kind: LinkKind,
    /// Octets of an IP packet.
    pub mtu: u16,
    /// Set while it exists and is not yet up. `addr_gen_mode none` (IPv6, no
    /// address of the kernel's own making) is asked of every link besides.
    pub sysctls: Vec<Sysctl>,
}

/// What a link is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkKind {
    /// A port of the machine: it is there, or it is missing.
    Port,
    Vlan {
        /// The port below.
        below: String,
        /// The 802.1Q tag, 1 to 4094.
        tag: u16,
    },
    Gre(Gre),
}

/// A GRE tunnel (RFC 2784 §2, RFC 2890 §2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gre {
    pub local: IpAddr,
    pub remote: IpAddr,
    /// The same both ways.
    pub key: Option<u32>,
    pub ttl: u8,
    pub path_mtu_discovery: bool,
    /// The outer packet has the inner one's DSCP.
    pub inherit_tos: bool,
}

/// One of our addresses. It is set without a route to its network.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    pub link: String,
    pub network: Network,
}

/// A neighbour nobody needs to be asked for (RFC 826).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Neighbour {
    pub link: String,
    pub address: IpAddr,
    pub mac: [u8; 6],
}

/// A switch below `/proc/sys`: parts divided by `/`, as a link's name may hold
/// dots.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sysctl {
    pub path: String,
    pub value: String,
}

/// A route of a zone's table.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Route {
    pub table: u32,
    pub to: Network,
    pub way: Way,
}

/// Where a route leads.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Way {
    /// Nowhere, silently.
    Blackhole,
    Link {
        link: String,
        /// Next hop, taken to be on the link; without one the destination is.
        via: Option<IpAddr>,
        /// Our address it leaves from.
        source: IpAddr,
    },
}

/// Which table a packet is looked up in.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PolicyRule {
    pub priority: u32,
    pub is_v4: bool,
    /// Packets from this address of ours; without one, all.
    pub from: Option<IpAddr>,
    /// The table; without one the packet goes into a blackhole.
    pub table: Option<u32>,
}

/// A hierarchy of token buckets at the root of a link (handle `1:`). Packets
/// name their class by `meta priority`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shaper {
    pub link: String,
    /// bit/s of the whole link.
    pub rate: u64,
    pub classes: Vec<Class>,
    /// The class of what names none.
    pub default: u16,
}

/// A class of a shaper, child of a root class that has the whole rate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Class {
    /// `1:minor`.
    pub minor: u16,
    /// bit/s it is given, and may borrow up to.
    pub rate: u64,
    pub ceiling: u64,
    /// 0 goes first.
    pub priority: u8,
}

/// One association as charon is told of it: transport mode, GRE alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    pub name: String,
    pub local: IpAddr,
    pub remote: IpAddr,
    pub auth: TunnelAuth,
    pub suite: Suite,
    pub dead_peer: Duration,
    pub nat_traversal: bool,
    pub initiates: bool,
    /// The mark of the packets that agree on keys (RFC 2474 §3): that of signalling, so
    /// that they do not wait behind what may wait.
    pub dscp: u8,
}

impl fmt::Display for LinkKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port => out.write_str("port"),
            Self::Vlan { below, tag } => write!(out, "802.1Q {tag} on {below}"),
            Self::Gre(gre) => gre.fmt(out),
        }
    }
}

impl fmt::Display for Gre {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "GRE {} to {}", self.local, self.remote)?;
        if let Some(key) = self.key {
            write!(out, " key {key}")?;
        }
        write!(out, " ttl {}", self.ttl)?;
        if self.path_mtu_discovery {
            out.write_str(" pmtudisc")?;
        }
        if self.inherit_tos {
            out.write_str(" tos inherit")?;
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.network;
        write!(
            out,
            "{}/{} on {}",
            network.address(),
            network.length(),
            self.link
        )
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.mac;
        write!(
            out,
            "{} is {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} on {}",
            self.address, self.link
        )
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} = {}", self.path, self.value)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.to.length() == 0 {
            let family = if self.to.address().is_ipv4() {
                "IPv4"
            } else {
                "IPv6"
            };
            write!(out, "table {}: all other {family}", self.table)?;
        } else {
            write!(out, "table {}: {}", self.table, self.to)?;
        }
        match &self.way {
            Way::Blackhole => out.write_str(" into a blackhole"),
            Way::Link { link, via, source } => {
                if let Some(via) = via {
                    write!(out, " via {via}")?;
                }
                write!(out, " dev {link} from {source}")
            }
        }
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.priority)?;
        match self.from {
            Some(from) => write!(out, "from {from}")?,
            None => write!(out, "all IPv{}", if self.is_v4 { 4 } else { 6 })?,
        }
        match self.table {
            Some(table) => write!(out, " by table {table}"),
            None => out.write_str(" into a blackhole"),
        }
    }
}

impl fmt::Display for Shaper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {} bit/s:", self.link, self.rate)?;
        for class in &self.classes {
            write!(
                out,
                " 1:{:x} prio {} rate {} ceil {}",
                class.minor, class.priority, class.rate, class.ceiling
            )?;
            if class.minor == self.default {
                out.write_str(" (default)")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} to {}", self.name, self.local, self.remote)?;
        match &self.auth {
            TunnelAuth::Psk { secret } => write!(out, " psk {secret}")?,
            TunnelAuth::Certificate {
                own,
                authority,
                remote_id,
            } => write!(
                out,
                " certificate {} trust {} id {remote_id}",
                own.name, authority.name
            )?,
        }
        write!(out, " {}", self.suite.proposal())?;
        write!(out, " dead-peer {}s", self.dead_peer.as_secs())?;
        out.write_str(if self.nat_traversal { " nat-t" } else { "" })?;
        out.write_str(if self.initiates {
            " initiates"
        } else {
            " waits"
        })
    }
}
