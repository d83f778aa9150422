//! A place is one link with addresses: an interface or a tunnel, and who is
//! allowed there. Everything about it is gathered once.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use sbc_config::network::{Interface, Tunnel, Via};
use sbc_config::node::{Collector, TimeServer};
use sbc_config::{Name, Network, Node, Peer, Socket, Zone};

use super::{Ports, names};
use crate::desired::Gre;

/// RFC 791 §3.2: the outer packets' time to live.
const TTL: u8 = 64;

/// One link with addresses.
#[derive(Debug)]
pub struct Place {
    pub link: String,
    pub owner: String,
    pub name: Name,
    pub zone: Zone,
    /// The port it is or lies on; none for a tunnel.
    pub port: Option<String>,
    pub tag: Option<u16>,
    pub tunnel: Option<Gre>,
    pub mtu: u16,
    pub own: Vec<Network>,
    pub gateway: Option<IpAddr>,
    pub table: u32,
    pub peers: Vec<Caller>,
    /// Far ends of tunnels that lie on it.
    pub remotes: Vec<Remote>,
    /// Operators.
    pub operators: Vec<Network>,
    /// Collectors of the log.
    pub collectors: Vec<Collector>,
    /// Servers of the time.
    pub servers: Vec<TimeServer>,
}

/// A peer as the fence sees it.
#[derive(Debug)]
pub struct Caller {
    pub allow: Vec<Network>,
    pub media: Vec<Network>,
    pub targets: Vec<Socket>,
    pub listen: Vec<Socket>,
}

/// The far end of a tunnel.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    pub address: IpAddr,
    pub translated: bool,
}

impl Place {
    /// Returns our address in the family of `other`.
    pub fn own_towards(&self, other: IpAddr) -> Option<IpAddr> {
        let mut own = self.own.iter().map(Network::address);
        own.find(|own| own.is_ipv4() == other.is_ipv4())
    }

    /// Returns true for the place of that interface.
    pub fn is_interface(&self, name: &Name) -> bool {
        self.tunnel.is_none() && self.name == *name
    }

    /// Returns our addresses of one family.
    pub fn own_of(&self, v4: bool) -> Vec<Network> {
        let own = self.own.iter().map(|own| Network::host(own.address()));
        own.filter(|own| own.address().is_ipv4() == v4).collect()
    }

    /// Returns true if something of ours here is IPv6.
    pub fn speaks(&self, v4: bool) -> bool {
        self.own.iter().any(|own| own.address().is_ipv4() == v4)
    }

    /// Returns everybody who may be heard here, and told something, in one family
    /// we speak.
    pub fn listed(&self, v4: bool) -> Vec<Network> {
        let peers = self.peers.iter().flat_map(|peer| {
            let targets = peer.targets.iter().map(|to| Network::host(to.address.ip()));
            let lists = peer.allow.iter().chain(&peer.media).copied();
            lists.chain(targets)
        });
        let remotes = self.remotes.iter().map(|one| Network::host(one.address));
        let collectors = self.collectors.iter();
        let collectors = collectors.map(|one| Network::host(one.target.ip()));
        let servers = self.servers.iter().map(|one| Network::host(one.address));
        let all = peers.chain(remotes).chain(collectors).chain(servers);
        let all = all.chain(self.operators.iter().copied());
        let mut all: Vec<Network> = all
            .filter(|one| one.address().is_ipv4() == v4 && self.speaks(v4))
            .filter_map(|one| Network::new(one.first(), one.length()))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns true if `network` lies wholly on the link itself.
    pub fn on_link(&self, network: &Network) -> bool {
        self.own.iter().any(|own| own.covers(network))
    }

    /// Returns whom ARP or neighbour discovery may ask for: listed ones on the
    /// link, and the gateway. Without a gateway everybody listed counts as on the
    /// link.
    pub fn neighbours(&self, v4: bool) -> Vec<Network> {
        let gateway = self.gateway.filter(|gateway| gateway.is_ipv4() == v4);
        let near = |one: &Network| gateway.is_none() || self.on_link(one);
        let mut all: Vec<Network> = self.listed(v4).into_iter().filter(near).collect();
        all.extend(gateway.map(Network::host));
        all
    }

    /// Returns true where a peer speaks UDP, whose large messages are fragments.
    pub fn takes_fragments(&self) -> bool {
        let sockets = self.peers.iter().flat_map(|peer| &peer.listen);
        self.zone != Zone::Mediation
            && sockets
                .into_iter()
                .any(|socket| socket.transport == sbc_config::Transport::Udp)
    }
}

/// Returns all places: untagged ports, VLANs, tunnels.
pub fn places(node: &Node, ports: &Ports) -> Vec<Place> {
    let port_of =
        |interface: &Interface| names::port(&interface.device, ports.get(&interface.device));
    let mut taken: BTreeSet<String> = node.interfaces.values().map(port_of).collect();
    let mut tables = BTreeSet::new();
    let mut places = Vec::new();
    let interfaces = node.interfaces.values();
    let (tagged, plain): (Vec<_>, Vec<_>) = interfaces.partition(|one| one.vlan.is_some());
    for interface in plain.into_iter().chain(tagged) {
        let port = port_of(interface);
        let link = match interface.vlan {
            Some(tag) => names::vlan(tag, &mut taken),
            None => port.clone(),
        };
        let table = names::table(&link, &mut tables);
        places.push(of_interface(node, interface, port, link, table));
    }
    for tunnel in node.tunnels.values() {
        let link = names::tunnel(tunnel.name.as_str(), &mut taken);
        let table = names::table(&link, &mut tables);
        let place = of_tunnel(node, tunnel, &places, link, table);
        places.extend(place);
    }
    places
}

fn of_interface(
    node: &Node,
    interface: &Interface,
    port: String,
    link: String,
    table: u32,
) -> Place {
    let tunnels = node.tunnels.values();
    let over = tunnels.filter(|tunnel| tunnel.underlay == interface.name);
    let remotes = over.map(|tunnel| Remote {
        address: tunnel.remote,
        translated: tunnel.nat_traversal,
    });
    let trunks = node.trunks.values();
    let trunks = trunks.filter(|trunk| trunk.via == Via::Interface(interface.name.clone()));
    let mut peers: Vec<Caller> = trunks.map(|trunk| caller(&trunk.peer)).collect();
    let servers = node.mediation.values();
    for server in servers.filter(|server| server.interface == interface.name) {
        let mut peer = caller(&server.peer);
        peer.media.extend(server.bypass.iter().copied());
        peers.push(peer);
    }
    let ours = node.management.interface.as_ref() == Some(&interface.name);
    Place {
        link,
        owner: format!("interface {}", interface.name),
        name: interface.name.clone(),
        zone: interface.zone,
        port: Some(port),
        tag: interface.vlan,
        tunnel: None,
        mtu: interface.mtu,
        own: interface.addresses.clone(),
        gateway: interface.gateway,
        table,
        peers,
        remotes: remotes.collect(),
        operators: if ours {
            node.management.allow.clone()
        } else {
            Vec::new()
        },
        collectors: if ours {
            node.log.collectors.values().cloned().collect()
        } else {
            Vec::new()
        },
        servers: if ours {
            node.system.ntp.clone()
        } else {
            Vec::new()
        },
    }
}

fn of_tunnel(
    node: &Node,
    tunnel: &Tunnel,
    below: &[Place],
    link: String,
    table: u32,
) -> Option<Place> {
    let underlay = below
        .iter()
        .find(|one| one.is_interface(&tunnel.underlay))?;
    let trunks = node.trunks.values();
    let trunks = trunks.filter(|trunk| trunk.via == Via::Tunnel(tunnel.name.clone()));
    Some(Place {
        link,
        owner: format!("tunnel {}", tunnel.name),
        name: tunnel.name.clone(),
        zone: underlay.zone,
        port: None,
        tag: None,
        tunnel: Some(Gre {
            local: underlay.own_towards(tunnel.remote)?,
            remote: tunnel.remote,
            key: tunnel.key,
            ttl: TTL,
            path_mtu_discovery: true,
            inherit_tos: true,
        }),
        mtu: tunnel.mtu,
        own: Vec::from([tunnel.address]),
        gateway: None,
        table,
        peers: trunks.map(|trunk| caller(&trunk.peer)).collect(),
        remotes: Vec::new(),
        operators: Vec::new(),
        collectors: Vec::new(),
        servers: Vec::new(),
    })
}

fn caller(peer: &Peer) -> Caller {
    Caller {
        allow: peer.allow.clone(),
        media: peer.media_from.clone(),
        targets: peer.targets.clone(),
        listen: peer.listen.clone(),
    }
}
