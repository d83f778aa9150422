//! The table of the machine: what the node's own sockets may hear and say. One
//! set of rules for each place and peer; all else is dropped and counted.

use alloc::vec::Vec;
use core::net::IpAddr;

use sbc_config::{Network, Node, Transport};

use super::frames::{ESP, GRE, Way, discovery};
use super::links::EPHEMERAL;
use super::place::{Caller, Place, Remote};
use super::rows::{
    accept, chain, counters, drop, input, is, limited, not, number, output, port, ports, source,
    target, word,
};
use super::sentence::{DENY, DISCOVERY, ENCRYPT, MANAGEMENT, MEDIA, SILENT, SIP, USERS, VPN_PORTS};
use super::{Users, clocks, collectors, mark};
use crate::firewall::{Family, Field, Match, Rule, Table, Values};

/// The name of the table.
pub const NAME: &str = "sbc";

/// Echoes answered a second, for operators alone.
const ECHO_PER_SECOND: u32 = 10;

/// RFC 7296 §2: IKE. RFC 3948 §2: IKE and ESP in UDP.
const IKE: u16 = 500;
const NAT_T: u16 = 4500;

/// Ports of media.
type Range = (u16, u16);

/// Returns the table.
pub fn table(node: &Node, places: &[Place], users: &Users) -> Table {
    let media = (*node.media.ports.start(), *node.media.ports.end());
    let mut chains = Vec::from([
        chain("input", 0, None, heard(places, media)),
        chain("output", 0, None, said(places, media, *users)),
        chain(
            "forward",
            0,
            None,
            Vec::from([drop(Vec::new(), "dropped_forward", DENY)]),
        ),
    ]);
    chains.extend(mark::chains(node, places));
    Table {
        family: Family::Inet,
        name: NAME.into(),
        link: None,
        counters: counters(&chains),
        chains,
    }
}

fn heard(places: &[Place], media: Range) -> Vec<Rule> {
    let mut rules = Vec::new();
    for place in places.iter().filter(|place| !place.remotes.is_empty()) {
        let clear = Vec::from([
            input(&place.link),
            number(Field::Protocol, &[GRE]),
            is(Field::IpsecIn, Values::Exists(false)),
        ]);
        rules.push(drop(clear, "dropped_clear_gre", ENCRYPT));
    }
    for place in places {
        for remote in &place.remotes {
            hear_remote(place, *remote, &mut rules);
        }
        for peer in &place.peers {
            for v4 in [true, false] {
                hear_peer(place, peer, v4, media, &mut rules);
            }
        }
        for collector in &place.collectors {
            rules.extend(collectors::heard(place, collector));
        }
        let servers = place.servers.iter();
        rules.extend(servers.map(|server| clocks::heard(place, server)));
        hear_discovery(place, &mut rules);
        let operators = of(v4_of(place), &place.operators);
        if !operators.is_empty() {
            let matches = Vec::from([
                input(&place.link),
                source(true, &operators),
                target(true, &place.own_of(true)),
                word(Field::IcmpType, "echo-request"),
            ]);
            rules.push(limited(
                accept(matches, "passed", MANAGEMENT),
                ECHO_PER_SECOND,
            ));
        }
    }
    rules.push(drop(Vec::new(), "dropped_input", DENY));
    rules
}

/// True, if the place has an IPv4 address to answer from.
fn v4_of(place: &Place) -> Option<bool> {
    place.speaks(true).then_some(true)
}

/// Returns the networks of one family; none for no family.
fn of(v4: Option<bool>, networks: &[Network]) -> Vec<Network> {
    let fits = |one: &&Network| v4 == Some(one.address().is_ipv4());
    networks.iter().filter(fits).copied().collect()
}

fn hear_remote(place: &Place, remote: Remote, rules: &mut Vec<Rule>) {
    let Some(own) = place.own_towards(remote.address) else {
        return;
    };
    let v4 = own.is_ipv4();
    let pair = || {
        Vec::from([
            input(&place.link),
            source(v4, &[Network::host(remote.address)]),
            target(v4, &[Network::host(own)]),
        ])
    };
    let with = |more: &[Match]| {
        let mut all = pair();
        all.extend(more.iter().cloned());
        all
    };
    let inner = [
        number(Field::Protocol, &[GRE]),
        is(Field::IpsecIn, Values::Exists(true)),
    ];
    rules.push(accept(with(&inner), "passed", ENCRYPT));
    let esp = [number(Field::Protocol, &[ESP])];
    rules.push(accept(with(&esp), "passed", VPN_PORTS));
    let both = [(IKE, IKE), (NAT_T, NAT_T)];
    let mut ike = with(&[]);
    if !remote.translated {
        ike.push(ports(Field::UdpSource, &both));
    }
    ike.push(ports(Field::UdpTarget, &both));
    rules.push(accept(ike, "passed", VPN_PORTS));
}

fn hear_peer(place: &Place, peer: &Caller, v4: bool, media: Range, rules: &mut Vec<Rule>) {
    let family = place.speaks(v4).then_some(v4);
    let own = place.own_of(v4);
    let begin =
        |from: &[Network]| Vec::from([input(&place.link), source(v4, from), target(v4, &own)]);
    let allow = of(family, &peer.allow);
    if !allow.is_empty() {
        for (transport, field) in [
            (Transport::Tcp, Field::TcpTarget),
            (Transport::Udp, Field::UdpTarget),
        ] {
            let heard = listening(peer, transport, v4);
            if !heard.is_empty() {
                let mut matches = begin(&allow);
                matches.push(ports(field, &heard));
                rules.push(accept(matches, "passed", SIP));
            }
        }
    }
    for (address, at) in tcp_targets(peer, v4) {
        let mut matches = begin(&[Network::host(address)]);
        matches.push(port(Field::TcpSource, at));
        matches.push(ports(Field::TcpTarget, &[EPHEMERAL]));
        // An answer, not the start of a connection.
        matches.push(not(Field::TcpSynAck, Values::Words(Vec::from(["syn"]))));
        rules.push(accept(matches, "passed", SIP));
    }
    let from = of(family, &peer.media);
    if !from.is_empty() {
        let mut matches = begin(&from);
        matches.push(ports(Field::UdpTarget, &[media]));
        rules.push(accept(matches, "passed", MEDIA));
    }
}

/// Returns the ports a peer finds us at.
fn listening(peer: &Caller, transport: Transport, v4: bool) -> Vec<Range> {
    let here = peer.listen.iter();
    let here = here.filter(|one| one.transport == transport && one.address.is_ipv4() == v4);
    here.map(|one| (one.address.port(), one.address.port()))
        .collect()
}

fn tcp_targets(peer: &Caller, v4: bool) -> impl Iterator<Item = (IpAddr, u16)> {
    let targets = peer.targets.iter();
    let tcp = targets.filter(|one| one.transport == Transport::Tcp);
    tcp.map(|one| (one.address.ip(), one.address.port()))
        .filter(move |(address, _)| address.is_ipv4() == v4)
}

fn hear_discovery(place: &Place, rules: &mut Vec<Rule>) {
    for (_, mut matches) in discovery(place, Way::In) {
        matches.insert(0, input(&place.link));
        rules.push(accept(matches, "passed", DISCOVERY));
    }
}

fn said(places: &[Place], media: Range, users: Users) -> Vec<Rule> {
    let mut rules = Vec::new();
    for place in places.iter().filter(|place| !place.remotes.is_empty()) {
        let clear = Vec::from([
            output(&place.link),
            number(Field::Protocol, &[GRE]),
            is(Field::IpsecOut, Values::Exists(false)),
        ]);
        rules.push(drop(clear, "blocked_clear_gre", ENCRYPT));
    }
    let reset = Vec::from([is(Field::TcpSynRst, Values::Words(Vec::from(["rst"])))]);
    rules.push(drop(reset, "blocked_reset", SILENT));
    for place in places {
        for remote in &place.remotes {
            say_to_remote(place, *remote, users, &mut rules);
        }
        say_to_peers(place, media, users, &mut rules);
        for collector in &place.collectors {
            collectors::said(place, collector, users.console, &mut rules);
        }
        for server in &place.servers {
            clocks::said(place, server, users.console, &mut rules);
        }
        for (_, mut matches) in discovery(place, Way::Out) {
            matches.insert(0, output(&place.link));
            rules.push(accept(matches, "sent", DISCOVERY));
        }
        let operators = of(v4_of(place), &place.operators);
        if !operators.is_empty() {
            let matches = Vec::from([
                output(&place.link),
                source(true, &place.own_of(true)),
                target(true, &operators),
                word(Field::IcmpType, "echo-reply"),
            ]);
            rules.push(accept(matches, "sent", MANAGEMENT));
        }
    }
    for icmp in [1, 58] {
        let errors = Vec::from([number(Field::Protocol, &[icmp])]);
        rules.push(drop(errors, "blocked_icmp", SILENT));
    }
    rules.push(drop(Vec::new(), "blocked_output", USERS));
    rules
}

fn say_to_remote(place: &Place, remote: Remote, users: Users, rules: &mut Vec<Rule>) {
    let Some(own) = place.own_towards(remote.address) else {
        return;
    };
    let v4 = own.is_ipv4();
    let with = |more: &[Match]| {
        let mut all = Vec::from([
            output(&place.link),
            source(v4, &[Network::host(own)]),
            target(v4, &[Network::host(remote.address)]),
        ]);
        all.extend(more.iter().cloned());
        all
    };
    let inner = [
        number(Field::Protocol, &[GRE]),
        is(Field::IpsecOut, Values::Exists(true)),
    ];
    rules.push(accept(with(&inner), "sent", ENCRYPT));
    let esp = [number(Field::Protocol, &[ESP])];
    rules.push(accept(with(&esp), "sent", VPN_PORTS));
    for at in [IKE, NAT_T] {
        let mut ike = Vec::from([port(Field::UdpSource, at)]);
        if !remote.translated {
            ike.push(ports(Field::UdpTarget, &[(IKE, IKE), (NAT_T, NAT_T)]));
        }
        // ESP in UDP (RFC 3948 §2.1) goes out under the user of what is inside.
        if at == IKE || !remote.translated {
            let mut foreign = with(&ike);
            let others = Values::Numbers(Vec::from([users.charon]));
            foreign.push(not(Field::User, others));
            rules.push(drop(foreign, "blocked_user", USERS));
        }
        rules.push(accept(with(&ike), "sent", VPN_PORTS));
    }
}

fn say_to_peers(place: &Place, media: Range, users: Users, rules: &mut Vec<Rule>) {
    if place.peers.is_empty() {
        return;
    }
    let speakers = [users.signal, users.netcfg];
    let mut kernel: Vec<Rule> = Vec::new();
    for peer in &place.peers {
        for v4 in [true, false].into_iter().filter(|v4| place.speaks(*v4)) {
            let own = place.own_of(v4);
            let begin =
                |to: &[Network]| Vec::from([output(&place.link), source(v4, &own), target(v4, to)]);
            let to = of(Some(v4), &peer.media);
            if !to.is_empty() {
                let mut matches = begin(&to);
                matches.push(ports(Field::UdpSource, &[media]));
                matches.push(number(Field::User, &[users.relay]));
                rules.push(accept(matches, "sent", MEDIA));
            }
            for matches in sip(peer, v4, &begin) {
                let tcp = matches
                    .iter()
                    .any(|one| matches!(one.field, Field::TcpSource | Field::TcpTarget));
                let mut spoken = matches.clone();
                spoken.push(number(Field::User, &speakers));
                rules.push(accept(spoken, "sent", SIP));
                if tcp {
                    // What the kernel says for a socket nobody holds any more.
                    let mut alone = matches;
                    alone.push(word(Field::TcpSynAck, "ack"));
                    kernel.push(accept(alone, "sent", SIP));
                }
            }
        }
    }
    let others = Values::Numbers(speakers.to_vec());
    let foreign = Vec::from([output(&place.link), not(Field::User, others)]);
    rules.push(drop(foreign, "blocked_user", USERS));
    rules.append(&mut kernel);
}

/// Returns the conditions of what may be said to a peer: as its server, to its
/// targets, and by UDP from where we listen.
fn sip(peer: &Caller, v4: bool, begin: &dyn Fn(&[Network]) -> Vec<Match>) -> Vec<Vec<Match>> {
    let allow = of(Some(v4), &peer.allow);
    let mut all = Vec::new();
    let served = listening(peer, Transport::Tcp, v4);
    if !served.is_empty() && !allow.is_empty() {
        let mut matches = begin(&allow);
        matches.push(ports(Field::TcpSource, &served));
        all.push(matches);
    }
    for (address, at) in tcp_targets(peer, v4) {
        let mut matches = begin(&[Network::host(address)]);
        matches.push(port(Field::TcpTarget, at));
        all.push(matches);
    }
    let served = listening(peer, Transport::Udp, v4);
    let mut to = allow;
    let targets = peer
        .targets
        .iter()
        .filter(|one| one.transport == Transport::Udp);
    to.extend(targets.map(|one| Network::host(one.address.ip())));
    to.retain(|one| one.address().is_ipv4() == v4);
    if !served.is_empty() && !to.is_empty() {
        let mut matches = begin(&to);
        matches.push(ports(Field::UdpSource, &served));
        all.push(matches);
    }
    all
}
