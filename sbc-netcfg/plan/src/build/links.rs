//! Links, addresses, fixed neighbours, and the kernel's switches: nothing is
//! forwarded, no redirect is believed, no address answers for another link.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use sbc_config::{Name, Node};

use super::place::Place;
use crate::desired::{Address, Link, LinkKind, Neighbour, Sysctl};

/// Local ports of connections we open: what answers come to. RFC 6056 §3.2 asks
/// for a wide range; this one lies apart from the usual media ports.
pub const EPHEMERAL: (u16, u16) = (40_000, 59_999);

/// Returns ports, then VLANs, then tunnels.
pub fn links(places: &[Place]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for place in places {
        let Some(port) = &place.port else { continue };
        if links.iter().any(|link| link.name == *port) {
            continue;
        }
        let here = places.iter().filter(|one| one.port.as_ref() == Some(port));
        let mtu = here.clone().map(|one| one.mtu).max().unwrap_or(place.mtu);
        let plain = here.clone().find(|one| one.tag.is_none());
        links.push(Link {
            name: port.clone(),
            owner: plain.map_or("port".into(), |one| one.owner.clone()),
            zone: plain.map(|one| one.zone),
            kind: LinkKind::Port,
            mtu,
            sysctls: of_link(port, plain),
        });
    }
    let made = places.iter().filter(|place| place.link_is_made());
    links.extend(made.map(|place| Link {
        name: place.link.clone(),
        owner: place.owner.clone(),
        zone: Some(place.zone),
        kind: place.kind(),
        mtu: place.mtu,
        sysctls: of_link(&place.link, Some(place)),
    }));
    links
}

impl Place {
    fn link_is_made(&self) -> bool {
        self.tag.is_some() || self.tunnel.is_some()
    }

    fn kind(&self) -> LinkKind {
        match (&self.port, self.tag, self.tunnel) {
            (_, _, Some(gre)) => LinkKind::Gre(gre),
            (Some(port), Some(tag), _) => LinkKind::Vlan {
                below: port.clone(),
                tag,
            },
            _ => LinkKind::Port,
        }
    }
}

/// Returns our addresses.
pub fn addresses(places: &[Place]) -> Vec<Address> {
    let all = places.iter().flat_map(|place| {
        place.own.iter().map(|own| Address {
            link: place.link.clone(),
            network: *own,
        })
    });
    all.collect()
}

/// Returns the neighbours the file names with their MAC.
pub fn neighbours(node: &Node, places: &[Place]) -> Vec<Neighbour> {
    let link = |name: &Name| places.iter().find(|place| place.is_interface(name));
    let mut all = Vec::new();
    for server in node.mediation.values() {
        let (Some(mac), Some(place)) = (server.mac, link(&server.interface)) else {
            continue;
        };
        let targets = server.peer.targets.iter().map(|to| to.address.ip());
        let mut addresses: Vec<IpAddr> = targets.collect();
        addresses.dedup();
        all.extend(addresses.into_iter().map(|address| Neighbour {
            link: place.link.clone(),
            address,
            mac,
        }));
    }
    all
}

fn sysctl(path: &str, value: &str) -> Sysctl {
    Sysctl {
        path: path.to_string(),
        value: value.to_string(),
    }
}

/// Switches of the whole machine, each with its value.
const MACHINE: [(&str, &str); 21] = [
    // Nothing is forwarded between links.
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/all/forwarding", "0"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv4/conf/all/mc_forwarding", "0"),
    // What a neighbour says of ways is not believed, and we say nothing of them.
    ("net/ipv4/conf/all/accept_redirects", "0"),
    ("net/ipv4/conf/all/secure_redirects", "0"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/all/accept_source_route", "0"),
    ("net/ipv6/conf/all/accept_redirects", "0"),
    ("net/ipv6/conf/all/accept_source_route", "0"),
    // RFC 3704 §2.2: a source must be reachable by the link it comes from.
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv4/icmp_echo_ignore_broadcasts", "1"),
    ("net/ipv4/tcp_syncookies", "1"),
    ("net/ipv4/ip_local_port_range", "40000\t59999"),
    // A link that appears has no IPv6 until its own switch says otherwise.
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv6/conf/default/autoconf", "0"),
    ("net/ipv4/conf/default/accept_redirects", "0"),
    ("net/ipv4/conf/default/arp_ignore", "1"),
    ("net/ipv4/conf/default/rp_filter", "1"),
];

/// Returns the switches of the machine.
pub fn machine() -> Vec<Sysctl> {
    MACHINE
        .iter()
        .map(|(path, value)| sysctl(path, value))
        .collect()
}

/// Returns the switches of one link; `place` is what it carries itself.
fn of_link(link: &str, place: Option<&Place>) -> Vec<Sysctl> {
    let v6 = place.is_some_and(|place| place.speaks(false));
    let one = |family: &str, name: &str, value: &str| {
        sysctl(&format!("net/{family}/conf/{link}/{name}"), value)
    };
    Vec::from([
        one("ipv4", "forwarding", "0"),
        one("ipv4", "accept_redirects", "0"),
        one("ipv4", "secure_redirects", "0"),
        one("ipv4", "send_redirects", "0"),
        one("ipv4", "accept_source_route", "0"),
        one("ipv4", "rp_filter", "1"),
        one("ipv4", "arp_ignore", "1"),
        one("ipv4", "arp_announce", "2"),
        one("ipv4", "arp_accept", "0"),
        one("ipv4", "proxy_arp", "0"),
        one("ipv4", "drop_gratuitous_arp", "1"),
        one("ipv6", "disable_ipv6", if v6 { "0" } else { "1" }),
        one("ipv6", "accept_ra", "0"),
        one("ipv6", "autoconf", "0"),
        one("ipv6", "dad_transmits", "0"),
        one("ipv6", "accept_redirects", "0"),
    ])
}
