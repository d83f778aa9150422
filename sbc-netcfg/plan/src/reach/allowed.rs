//! What may be open, told from the node and not from the rules: listed peers,
//! the far ends of tunnels, operators. A cell beyond that is a breach.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use sbc_config::network::{Interface, Tunnel, Via};
use sbc_config::node::{CollectedBy, Collector, TimeServer};
use sbc_config::{Network, Node, Peer, Transport};

use super::packets::bits;
use super::{Cell, Matrix, Way};
use crate::build::{EPHEMERAL, TIME, Users};
use crate::desired::Desired;

/// Something open that nobody listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Breach {
    Cell(Cell),
    Forwards,
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(cell) => write!(out, "{}: {cell}", cell.link),
            Self::Forwards => out.write_str("packets pass between links"),
        }
    }
}

/// Returns what is open beyond the listed.
pub fn breaches(node: &Node, desired: &Desired, users: &Users, matrix: &Matrix) -> Vec<Breach> {
    let cells = matrix.cells.iter();
    let open = cells.filter(|cell| {
        !Allowed {
            node,
            desired,
            users,
        }
        .holds(cell)
    });
    let mut all: Vec<Breach> = open.cloned().map(Breach::Cell).collect();
    all.extend(matrix.forwards.then_some(Breach::Forwards));
    all
}

struct Allowed<'a> {
    node: &'a Node,
    desired: &'a Desired,
    users: &'a Users,
}

type Range = (IpAddr, IpAddr);

fn inside(range: Range, network: &Network) -> bool {
    network.contains(range.0) && network.contains(range.1)
}

/// Returns true if the networks together hold the whole range.
fn covered(range: Range, networks: &[Network]) -> bool {
    let v4 = range.0.is_ipv4();
    let mut parts: Vec<(u128, u128)> = networks
        .iter()
        .filter(|one| one.address().is_ipv4() == v4)
        .map(|one| (bits(one.first()), bits(one.last())))
        .collect();
    parts.sort_unstable();
    let mut next = bits(range.0);
    for (first, last) in parts {
        if first > next {
            break;
        }
        if last >= bits(range.1) {
            return true;
        }
        next = next.max(last.saturating_add(1));
    }
    false
}

impl Allowed<'_> {
    fn holds(&self, cell: &Cell) -> bool {
        let owner = self
            .desired
            .link(&cell.link)
            .map(|link| link.owner.as_str());
        let (kind, name) = owner
            .and_then(|owner| owner.split_once(' '))
            .unwrap_or_default();
        match kind {
            "interface" => {
                let interface = self.node.interfaces.get(name);
                interface.is_some_and(|one| self.on_interface(one, cell))
            }
            "tunnel" => {
                let tunnel = self.node.tunnels.get(name);
                tunnel.is_some_and(|one| self.in_tunnel(one, cell))
            }
            _ => false,
        }
    }

    /// Returns our end and theirs.
    fn ends(cell: &Cell) -> (Range, Range) {
        match cell.way {
            Way::In => (cell.target, cell.source),
            Way::Out => (cell.source, cell.target),
        }
    }

    fn on_interface(&self, interface: &Interface, cell: &Cell) -> bool {
        let trunks = self.node.trunks.values();
        let trunks = trunks.filter(|one| one.via == Via::Interface(interface.name.clone()));
        let servers = self.node.mediation.values();
        let servers = servers.filter(|one| one.interface == interface.name);
        let bypass = servers.clone().flat_map(|one| one.bypass.iter().copied());
        let bypass: Vec<Network> = bypass.collect();
        let peers: Vec<&Peer> = trunks
            .map(|one| &one.peer)
            .chain(servers.map(|one| &one.peer))
            .collect();
        let tunnels = self.node.tunnels.values();
        let tunnels: Vec<&Tunnel> = tunnels
            .filter(|one| one.underlay == interface.name)
            .collect();
        let managed = self.node.management.interface.as_ref() == Some(&interface.name);
        let operators = if managed {
            self.node.management.allow.as_slice()
        } else {
            &[]
        };
        let collectors: Vec<&Collector> = match managed {
            true => self.node.log.collectors.values().collect(),
            false => Vec::new(),
        };
        let clocks: &[TimeServer] = if managed { &self.node.system.ntp } else { &[] };
        if cell.arp.is_some() || matches!(cell.icmp, Some(kind) if kind.starts_with("nd-")) {
            let mut others = bypass;
            others.extend(operators.iter().copied());
            let hosts = collectors.iter().map(|one| Network::host(one.target.ip()));
            others.extend(hosts);
            others.extend(clocks.iter().map(|one| Network::host(one.address)));
            return neighbourly(interface, &peers, &tunnels, &others, cell);
        }
        let (ours, theirs) = Self::ends(cell);
        let mut own = interface.addresses.iter().map(Network::address);
        if !own.any(|own| ours == (own, own)) {
            return false;
        }
        let echo = cell.icmp.is_some_and(|kind| kind.starts_with("echo-"));
        (echo && covered(theirs, operators))
            || collectors.iter().any(|one| self.of_collector(one, cell))
            || clocks.iter().any(|one| self.of_clock(one, cell))
            || tunnels.iter().any(|one| self.of_tunnel(one, cell))
            || peers.iter().any(|one| self.of_peer(one, &bypass, cell))
    }

    fn in_tunnel(&self, tunnel: &Tunnel, cell: &Cell) -> bool {
        let own = tunnel.address.address();
        let trunks = self.node.trunks.values();
        let mut trunks = trunks.filter(|one| one.via == Via::Tunnel(tunnel.name.clone()));
        Self::ends(cell).0 == (own, own) && trunks.any(|one| self.of_peer(&one.peer, &[], cell))
    }

    /// The far end: IKE, ESP, and GRE that is inside an association.
    fn of_tunnel(&self, tunnel: &Tunnel, cell: &Cell) -> bool {
        let theirs = Self::ends(cell).1;
        let charon = cell.user == Some(Some(self.users.charon)) || cell.user == Some(None);
        let ike = |ports: Option<(u16, u16)>| matches!(ports, Some((500, 500) | (4500, 4500)));
        let (own, other) = match cell.way {
            Way::In => (cell.target_ports, cell.source_ports),
            Way::Out => (cell.source_ports, cell.target_ports),
        };
        let may = match cell.way {
            Way::In => true,
            Way::Out => charon || cell.user.is_none() || tunnel.nat_traversal,
        };
        theirs == (tunnel.remote, tunnel.remote)
            && match cell.protocol {
                Some(50) => true,
                Some(47) => cell.ipsec == Some(true),
                Some(17) => ike(own) && (ike(other) || tunnel.nat_traversal) && may,
                _ => false,
            }
    }

    /// The log, which the console's role sends; a collector answers on a connection.
    fn of_collector(&self, collector: &Collector, cell: &Cell) -> bool {
        let (ours, theirs) = Self::ends(cell);
        let (our_ports, their_ports) = match cell.way {
            Way::In => (cell.target_ports, cell.source_ports),
            Way::Out => (cell.source_ports, cell.target_ports),
        };
        let (source, host) = (collector.source, collector.target.ip());
        let at = collector.target.port();
        let there = theirs == (host, host) && their_ports == Some((at, at));
        let by_datagram = collector.by == CollectedBy::Udp;
        let may = match (cell.way, cell.user) {
            (Way::In, _) => {
                let here = our_ports.is_some_and(|(a, b)| EPHEMERAL.0 <= a && b <= EPHEMERAL.1);
                !by_datagram && cell.begins == Some(false) && here
            }
            (Way::Out, Some(Some(user))) => user == self.users.console,
            // The kernel finishes what a socket began, and begins nothing.
            (Way::Out, Some(None)) => cell.begins == Some(false),
            (Way::Out, None) => false,
        };
        let protocol = if by_datagram { 17 } else { 6 };
        cell.protocol == Some(protocol) && ours == (source, source) && there && may
    }

    /// The time, which the console's role asks for; a server answers.
    fn of_clock(&self, server: &TimeServer, cell: &Cell) -> bool {
        let (ours, theirs) = Self::ends(cell);
        let (our_ports, their_ports) = match cell.way {
            Way::In => (cell.target_ports, cell.source_ports),
            Way::Out => (cell.source_ports, cell.target_ports),
        };
        let there = theirs == (server.address, server.address) && their_ports == Some((TIME, TIME));
        let may = match cell.way {
            Way::In => our_ports.is_some_and(|(a, b)| EPHEMERAL.0 <= a && b <= EPHEMERAL.1),
            Way::Out => cell.user == Some(Some(self.users.console)),
        };
        let here = ours == (server.source, server.source);
        cell.protocol == Some(17) && here && there && may
    }

    fn of_peer(&self, peer: &Peer, bypass: &[Network], cell: &Cell) -> bool {
        let theirs = Self::ends(cell).1;
        let (our_ports, their_ports) = match cell.way {
            Way::In => (cell.target_ports, cell.source_ports),
            Way::Out => (cell.source_ports, cell.target_ports),
        };
        let speaks = |users: &[u32]| match (cell.way, cell.user) {
            (Way::In, _) => true,
            (Way::Out, Some(Some(user))) => users.contains(&user),
            // The kernel finishes what a socket began, and begins nothing.
            (Way::Out, Some(None)) => cell.begins == Some(false),
            (Way::Out, None) => false,
        };
        let signal = speaks(&[self.users.signal, self.users.netcfg]);
        let listens = |transport: Transport| {
            let mut here = peer.listen.iter();
            here.any(|one| {
                let at = one.address.port();
                one.transport == transport && our_ports == Some((at, at))
            })
        };
        let ours = our_ports.is_some_and(|(a, b)| EPHEMERAL.0 <= a && b <= EPHEMERAL.1);
        let goes_on = cell.way == Way::Out || (cell.begins == Some(false) && ours);
        // Targets of that transport and, if told, that port.
        let target = |transport: Transport, port: Option<u16>| {
            let here = peer.targets.iter();
            let here = here.filter(|one| one.transport == transport);
            let here = here.filter(|one| port.is_none_or(|port| one.address.port() == port));
            let hosts: Vec<Network> = here.map(|one| Network::host(one.address.ip())).collect();
            covered(theirs, &hosts)
        };
        let listed = covered(theirs, &peer.allow);
        match cell.protocol {
            Some(6) => {
                let asked = match their_ports {
                    Some((first, last)) if first == last => target(Transport::Tcp, Some(first)),
                    _ => false,
                };
                signal && ((listed && listens(Transport::Tcp)) || (asked && goes_on))
            }
            Some(17) => {
                let known = listed || target(Transport::Udp, None);
                let sip = signal && known && listens(Transport::Udp);
                sip || self.media(peer, bypass, cell, our_ports)
            }
            _ => false,
        }
    }

    fn media(
        &self,
        peer: &Peer,
        bypass: &[Network],
        cell: &Cell,
        ours: Option<(u16, u16)>,
    ) -> bool {
        let range = &self.node.media.ports;
        let mut networks = peer.media_from.clone();
        networks.extend_from_slice(bypass);
        let relay = cell.way == Way::In || cell.user == Some(Some(self.users.relay));
        relay
            && ours.is_some_and(|(a, b)| range.contains(&a) && range.contains(&b))
            && covered(Self::ends(cell).1, &networks)
    }
}

/// ARP and neighbour discovery: between our addresses and those of the listed and
/// the gateway.
fn neighbourly(
    interface: &Interface,
    peers: &[&Peer],
    tunnels: &[&Tunnel],
    others: &[Network],
    cell: &Cell,
) -> bool {
    let mut all: Vec<Network> = Vec::new();
    for peer in peers {
        all.extend(peer.allow.iter().chain(&peer.media_from).copied());
        all.extend(peer.targets.iter().map(|to| Network::host(to.address.ip())));
    }
    all.extend(tunnels.iter().map(|one| Network::host(one.remote)));
    all.extend(others.iter().copied());
    all.extend(interface.gateway.map(Network::host));
    let own: Vec<Network> = interface
        .addresses
        .iter()
        .map(|own| Network::host(own.address()))
        .collect();
    // RFC 4291 §2.7.1: who is asked is asked by a group of its own.
    let group = |range: Range| match range.0 {
        IpAddr::V6(v6) => v6.segments().starts_with(&[0xff02, 0, 0, 0, 0, 1]),
        IpAddr::V4(_) => false,
    };
    let (from, to) = match cell.way {
        Way::In => (&all, &own),
        Way::Out => (&own, &all),
    };
    let asked = covered(cell.target, to)
        || (cell.icmp == Some("nd-neighbor-solicit") && group(cell.target));
    covered(cell.source, from)
        && asked
        && !own.iter().any(|own| match cell.way {
            Way::In => inside(cell.source, own) && cell.arp.is_none(),
            Way::Out => false,
        })
}
