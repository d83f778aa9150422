//! Who reaches whom, computed from the rules alone: every chain a packet passes
//! is walked with sets of packets, which are split only where a rule tells them
//! apart. What is left open is the matrix.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use sbc_config::Zone;

use crate::desired::{Desired, LinkKind};
use crate::firewall::{Action, Chain, Field, Values};
use packets::{Frame, Packets, Truth, address};

mod allowed;
mod packets;
mod text;

pub use allowed::{Breach, breaches};

/// Which way packets go.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Way {
    /// From the link to the node.
    In,
    /// From the node to the link.
    Out,
}

/// Packets that pass. What is absent may be anything.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cell {
    pub way: Way,
    pub link: String,
    pub zone: Option<Zone>,
    /// `request` or `reply`: the packets are ARP.
    pub arp: Option<&'static str>,
    /// First and last.
    pub source: (IpAddr, IpAddr),
    pub target: (IpAddr, IpAddr),
    pub protocol: Option<u8>,
    /// The user whose socket sends; inside, nothing where no socket does.
    pub user: Option<Option<u32>>,
    pub source_ports: Option<(u16, u16)>,
    pub target_ports: Option<(u16, u16)>,
    /// A TCP segment that begins a connection, or none that does.
    pub begins: Option<bool>,
    pub icmp: Option<&'static str>,
    /// It came through, or will go into, an association.
    pub ipsec: Option<bool>,
}

/// Everything that is open, and whether anything is forwarded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Matrix {
    pub cells: Vec<Cell>,
    /// The forward chain lets something through, or a switch says forward.
    pub forwards: bool,
}

/// Returns all that the rules of `desired` leave open: well-formed frames with the
/// link's own tag. Of others nothing is open, or a cell says so.
pub fn matrix(desired: &Desired) -> Matrix {
    let mut cells = Vec::new();
    for link in desired.links.iter().filter(|link| link.zone.is_some()) {
        for way in [Way::In, Way::Out] {
            for start in starts(&link.name, link.zone, way) {
                let path = path(desired, &start);
                Splits::of(&path, &start).walk(&path, start, 0, &mut cells);
            }
        }
    }
    Matrix {
        cells,
        forwards: forwards(desired),
    }
}

/// Returns the frames that must never pass and do: broadcast, multicast, wrong
/// tags, options. Neighbour discovery is multicast where a zone is IPv6.
pub fn strays(desired: &Desired) -> Vec<(String, Frame)> {
    let mut found = Vec::new();
    for link in desired.links.iter().filter(|link| link.zone.is_some()) {
        let framed = !matches!(link.kind, LinkKind::Gre(_));
        for way in [Way::In, Way::Out] {
            let frames = Frame::STRAY
                .into_iter()
                .filter(|one| one.occurs(way, framed));
            for frame in frames {
                let starts = starts(&link.name, link.zone, way).into_iter();
                for start in starts.filter(|one| one.arp.is_none() && one.ipsec.is_none()) {
                    let stray = Packets { frame, ..start };
                    let path = path(desired, &stray);
                    let mut cells = Vec::new();
                    Splits::of(&path, &stray).walk(&path, stray, 0, &mut cells);
                    let asks = |cell: &Cell| cell.icmp == Some("nd-neighbor-solicit");
                    cells.retain(|cell| frame != Frame::Multicast || !asks(cell));
                    if !cells.is_empty() {
                        found.push((link.name.clone(), frame));
                    }
                }
            }
        }
    }
    found
}

fn forwards(desired: &Desired) -> bool {
    let mut switches = desired.sysctls.iter();
    let off = switches.any(|one| one.path == "net/ipv4/ip_forward" && one.value == "0");
    let mut closed = false;
    for table in &desired.firewall.tables {
        for chain in table
            .chains
            .iter()
            .filter(|one| one.hook.point == "forward")
        {
            let open = chain.rules.iter().any(|rule| rule.action == Action::Accept);
            closed |= chain.hook.drops && !open;
        }
    }
    !off || !closed
}

/// A chain on the way, and the tag a frame shows there.
struct Stop<'d> {
    chain: &'d Chain,
    tag: Option<u16>,
}

/// Returns the chains between a link and the node's sockets, in order. ARP does not
/// come to the machine's table; what an association carries comes to no other.
fn path<'d>(desired: &'d Desired, packets: &Packets) -> Vec<Stop<'d>> {
    let link = packets.link.as_str();
    let (netdev, inet) = match packets.way {
        Way::In => ("ingress", "input"),
        Way::Out => ("egress", "output"),
    };
    let below = desired.link(link).and_then(|one| match &one.kind {
        LinkKind::Vlan { below, tag } => Some((below.as_str(), Some(*tag))),
        LinkKind::Port | LinkKind::Gre(_) => None,
    });
    let devices = below.into_iter().chain([(link, None)]);
    let mut stops = Vec::new();
    for (device, tag) in devices.filter(|_| packets.ipsec != Some(true)) {
        let table = desired.firewall.of_link(device);
        let chains = table.into_iter().flat_map(|table| &table.chains);
        let chains = chains.filter(|chain| chain.hook.point == netdev);
        stops.extend(chains.map(|chain| Stop { chain, tag }));
    }
    let tables = desired.firewall.tables.iter();
    let chains = tables.filter(|table| table.link.is_none() && packets.arp.is_none());
    let chains = chains.flat_map(|table| &table.chains);
    let chains = chains.filter(|chain| chain.hook.point == inet);
    stops.extend(chains.map(|chain| Stop { chain, tag: None }));
    stops
}

/// Returns all packets of a link, by kind.
fn starts(link: &str, zone: Option<Zone>, way: Way) -> Vec<Packets> {
    let all = |v4, arp| Packets::all(link, zone, way, v4, arp);
    // Associations are made for GRE alone (RFC 7296).
    let carried = |v4| Packets {
        ipsec: Some(true),
        protocol: Some(47),
        ..all(v4, None)
    };
    Vec::from([
        all(true, None),
        all(false, None),
        all(true, Some("request")),
        all(true, Some("reply")),
        carried(true),
        carried(false),
    ])
}

/// What a chain does with a set of packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Accept,
    Drop,
    /// It does not do the same with all of them.
    Mixed,
}

fn verdict(stop: &Stop<'_>, packets: &Packets) -> Verdict {
    let (mut accepts, mut drops) = (false, false);
    for rule in &stop.chain.rules {
        let accept = match rule.action {
            Action::Accept => true,
            Action::Drop => false,
            Action::ClampMss(_) | Action::Mark { .. } | Action::Classify(_) => continue,
        };
        match packets.all_of(&rule.matches, stop.tag) {
            Truth::No => continue,
            // Over its rate, a packet goes on to the next rule.
            Truth::Yes if rule.limit.is_none() || accept => {
                accepts |= accept;
                drops |= !accept;
                return both(accepts, drops);
            }
            Truth::Yes | Truth::Maybe => {
                accepts |= accept;
                drops |= !accept;
            }
        }
    }
    accepts |= !stop.chain.hook.drops;
    drops |= stop.chain.hook.drops;
    both(accepts, drops)
}

const fn both(accepts: bool, drops: bool) -> Verdict {
    match (accepts, drops) {
        (true, false) => Verdict::Accept,
        (_, true) if !accepts => Verdict::Drop,
        _ => Verdict::Mixed,
    }
}

/// Where sets are split: at the borders of what rules name.
struct Splits {
    addresses: Vec<(u128, u128)>,
    ports: Vec<(u16, u16)>,
    users: Vec<Option<u32>>,
}

/// The order sets are split in.
const ORDER: [Dimension; 8] = [
    Dimension::Target,
    Dimension::Source,
    Dimension::Protocol,
    Dimension::Begins,
    Dimension::TargetPort,
    Dimension::SourcePort,
    Dimension::Icmp,
    Dimension::User,
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dimension {
    Target,
    Source,
    Protocol,
    User,
    Begins,
    TargetPort,
    SourcePort,
    Icmp,
}

/// Protocols that rules can tell apart, and one that stands for all others.
const PROTOCOLS: [u8; 7] = [6, 17, 1, 58, 47, 50, 132];

/// Kinds of ICMP that rules can tell apart, and one for all others.
const ICMP: [&str; 5] = [
    "echo-request",
    "echo-reply",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "destination-unreachable",
];

impl Splits {
    fn of(path: &[Stop<'_>], start: &Packets) -> Self {
        let mut borders = Vec::from([0]);
        let mut ports = Vec::from([0_u32]);
        let mut users = Vec::new();
        let rules = path.iter().flat_map(|stop| &stop.chain.rules);
        for one in rules.flat_map(|rule| &rule.matches) {
            match &one.values {
                Values::Networks(networks) => {
                    let family = networks
                        .iter()
                        .filter(|n| n.address().is_ipv4() == start.v4);
                    for network in family {
                        borders.push(packets::bits(network.first()));
                        borders.extend(packets::bits(network.last()).checked_add(1));
                    }
                }
                Values::Ports(list) => {
                    for (first, last) in list {
                        ports.extend([u32::from(*first), u32::from(*last) + 1]);
                    }
                }
                Values::Numbers(list) if one.field == Field::User => {
                    users.extend(list.iter().map(|user| Some(*user)));
                }
                _ => {}
            }
        }
        users.sort_unstable();
        users.dedup();
        let other = users.iter().flatten().max().map_or(65_534, |most| most + 1);
        users.extend([Some(other), None]);
        let last = start.source.1;
        let ports = ranges(ports.into_iter().map(u128::from).collect(), 65_535);
        let ports = ports.into_iter().filter_map(|(first, last)| {
            Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
        });
        Self {
            addresses: ranges(borders, last),
            ports: ports.collect(),
            users,
        }
    }

    fn walk(&self, path: &[Stop<'_>], packets: Packets, depth: usize, cells: &mut Vec<Cell>) {
        let verdicts = path.iter().map(|stop| verdict(stop, &packets));
        let mut mixed = false;
        for one in verdicts {
            match one {
                Verdict::Drop => return,
                Verdict::Mixed => mixed = true,
                Verdict::Accept => {}
            }
        }
        let Some(dimension) = ORDER.get(depth).filter(|_| mixed) else {
            cells.push(packets.cell());
            return;
        };
        for part in self.parts(*dimension, packets) {
            self.walk(path, part, depth + 1, cells);
        }
    }

    fn parts(&self, dimension: Dimension, whole: Packets) -> Vec<Packets> {
        let with = |change: &dyn Fn(&mut Packets)| {
            let mut part = whole.clone();
            change(&mut part);
            part
        };
        let ports = matches!(whole.protocol, Some(6 | 17));
        let icmp = matches!(whole.protocol, Some(1 | 58));
        let addresses = self.addresses.iter();
        match dimension {
            Dimension::Target => addresses.map(|one| with(&|p| p.target = *one)).collect(),
            Dimension::Source => addresses.map(|one| with(&|p| p.source = *one)).collect(),
            Dimension::Protocol if whole.arp.is_none() && whole.ipsec.is_none() => PROTOCOLS
                .iter()
                .map(|one| with(&|p| p.protocol = Some(*one)))
                .collect(),
            Dimension::User if whole.way == Way::Out => {
                let users = self.users.iter();
                users.map(|one| with(&|p| p.user = Some(*one))).collect()
            }
            Dimension::Begins if whole.protocol == Some(6) => [true, false]
                .iter()
                .map(|one| with(&|p| p.begins = Some(*one)))
                .collect(),
            Dimension::TargetPort if ports => {
                let all = self.ports.iter();
                all.map(|one| with(&|p| p.target_ports = Some(*one)))
                    .collect()
            }
            Dimension::SourcePort if ports => {
                let all = self.ports.iter();
                all.map(|one| with(&|p| p.source_ports = Some(*one)))
                    .collect()
            }
            Dimension::Icmp if icmp => ICMP
                .iter()
                .map(|one| with(&|p| p.icmp = Some(one)))
                .collect(),
            _ => Vec::from([whole]),
        }
    }
}

/// Returns the ranges between borders, up to `last`.
fn ranges(mut borders: Vec<u128>, last: u128) -> Vec<(u128, u128)> {
    borders.retain(|border| *border <= last);
    borders.sort_unstable();
    borders.dedup();
    let ends = borders.iter().skip(1).map(|next| next - 1).chain([last]);
    borders.iter().copied().zip(ends).collect()
}

impl Packets {
    fn cell(&self) -> Cell {
        let ends = |(first, last): (u128, u128)| (address(first, self.v4), address(last, self.v4));
        Cell {
            way: self.way,
            link: self.link.clone(),
            zone: self.zone,
            arp: self.arp,
            source: ends(self.source),
            target: ends(self.target),
            protocol: self.protocol,
            user: self.user,
            source_ports: self.source_ports,
            target_ports: self.target_ports,
            begins: self.begins,
            icmp: self.icmp,
            ipsec: self.ipsec,
        }
    }
}
