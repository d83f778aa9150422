//! The chains of links, at ingress and egress of each: what is not for us or not
//! from a listed one goes no further, and is counted under its reason.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sbc_config::{Network, Zone};

use super::place::Place;
use super::rows::{accept, chain, counters, drop, is, limited, not, number, source, target, word};
use super::sentence::{
    ARP, DENY, DISCOVERY, ENCRYPT, FRAGMENTS, NO_BROADCAST, NO_IPV6, ONLY_SERVER, OPTIONS,
    OTHER_HOST, SERVER_VLAN, SPOOFED, VLAN,
};
use crate::firewall::{Family, Field, Match, Rule, Ruleset, Table, Values};

/// Requests and answers a second, each way: a neighbour asks once a minute.
const ARP_PER_SECOND: u32 = 20;

/// Before everything else at ingress, after everything else at egress.
const INGRESS: i32 = -500;
const EGRESS: i32 = 500;

const TCP: u32 = 6;
const UDP: u32 = 17;
pub(crate) const GRE: u32 = 47;
pub(crate) const ESP: u32 = 50;
const ICMP6: u32 = 58;

/// IP multicast of both families: RFC 1112 §4, RFC 4291 §2.7.
const MULTICAST4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 0);
const MULTICAST6: Ipv6Addr = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);
/// RFC 4291 §2.7.1: solicited-node addresses.
const SOLICITED: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0);

const SOLICIT: &str = "nd-neighbor-solicit";
const ADVERTISE: &str = "nd-neighbor-advert";

/// Which way a frame goes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Way {
    In,
    Out,
}

impl Way {
    /// Returns a counter's name: `dropped` on the way in, `blocked` on the way out.
    fn reason(self, reason: &str) -> String {
        match self {
            Self::In => format!("dropped_{reason}"),
            Self::Out => format!("blocked_{reason}"),
        }
    }

    const fn passed(self) -> &'static str {
        match self {
            Self::In => "passed",
            Self::Out => "sent",
        }
    }
}

/// Returns a table for each link: ports first.
pub fn tables(places: &[Place]) -> Ruleset {
    let mut tables: Vec<Table> = Vec::new();
    for place in places {
        let Some(port) = &place.port else { continue };
        if tables.iter().all(|table| table.link.as_ref() != Some(port)) {
            tables.push(of_port(port, places));
        }
    }
    let made = places
        .iter()
        .filter(|place| place.tag.is_some() || place.tunnel.is_some());
    tables.extend(made.map(|place| {
        let (inward, outward) = (
            of_place(place, places, Way::In),
            of_place(place, places, Way::Out),
        );
        table(&place.link, inward, outward)
    }));
    Ruleset { tables }
}

fn table(link: &str, ingress: Vec<Rule>, egress: Vec<Rule>) -> Table {
    let chains = Vec::from([
        chain("ingress", INGRESS, Some(link), ingress),
        chain("egress", EGRESS, Some(link), egress),
    ]);
    Table {
        family: Family::Netdev,
        name: format!("sbc-{link}"),
        link: Some(link.into()),
        counters: counters(&chains),
        chains,
    }
}

/// A port passes the tags it carries on to their devices; untagged it is a place
/// of its own, or nothing.
fn of_port(port: &str, places: &[Place]) -> Table {
    let here = places
        .iter()
        .filter(|one| one.port.as_deref() == Some(port));
    let tags: Vec<u32> = here
        .clone()
        .filter_map(|one| one.tag)
        .map(u32::from)
        .collect();
    let plain = here.clone().find(|one| one.tag.is_none());
    let rules = |way: Way| {
        let mut rules = Vec::from([drop(
            Vec::from([tagged(Field::VlanType)]),
            &way.reason("double_tag"),
            VLAN,
        )]);
        if !tags.is_empty() {
            let known = Vec::from([number(Field::VlanId, &tags)]);
            rules.push(accept(known, way.passed(), VLAN));
        }
        let unknown = Vec::from([tagged(Field::EtherType)]);
        rules.push(drop(unknown, &way.reason("unknown_vlan"), VLAN));
        match plain {
            Some(place) => rules.extend(of_place(place, places, way)),
            None => rules.push(drop(Vec::new(), &way.reason("untagged"), VLAN)),
        }
        rules
    };
    table(port, rules(Way::In), rules(Way::Out))
}

fn tagged(field: Field) -> Match {
    is(field, Values::Words(Vec::from(["8021q", "8021ad"])))
}

fn of_place(place: &Place, places: &[Place], way: Way) -> Vec<Rule> {
    let mut rules = Vec::new();
    let framed = place.tunnel.is_none();
    if place.tag.is_some() {
        let inner = Vec::from([tagged(Field::EtherType)]);
        rules.push(drop(inner, &way.reason("double_tag"), VLAN));
    }
    if framed {
        if way == Way::In {
            let other = Vec::from([word(Field::PacketType, "other")]);
            rules.push(drop(other, &way.reason("other_host"), OTHER_HOST));
        }
        arp(place, way, &mut rules);
        let all = Vec::from([word(Field::EtherTarget, "ff:ff:ff:ff:ff:ff")]);
        rules.push(drop(all, &way.reason("broadcast"), NO_BROADCAST));
    }
    shapes(place, way, &mut rules);
    forged(place, places, way, &mut rules);
    discover(place, way, SOLICIT, &mut rules);
    groups(place, way, framed, &mut rules);
    discover(place, way, ADVERTISE, &mut rules);
    for (v4, name) in [(true, "ip"), (false, "ip6")] {
        if !place.speaks(v4) {
            let reason = way.reason(if v4 { "ipv4" } else { "ipv6" });
            rules.push(drop(
                Vec::from([word(Field::Network, name)]),
                &reason,
                NO_IPV6,
            ));
        }
    }
    if !place.remotes.is_empty() {
        let clear = Vec::from([number(Field::Protocol, &[GRE])]);
        rules.push(drop(clear, &way.reason("clear_gre"), ENCRYPT));
    }
    for v4 in [true, false] {
        if place.speaks(v4) {
            partners(place, places, v4, way, &mut rules);
        }
    }
    rules.push(drop(Vec::new(), &way.reason("other"), DENY));
    rules
}

/// ARP (RFC 826) between our addresses and those of listed neighbours.
fn arp(place: &Place, way: Way, rules: &mut Vec<Rule>) {
    let (own, near) = (place.own_of(true), place.neighbours(true));
    let (from, to) = match way {
        Way::In => (&near, &own),
        Way::Out => (&own, &near),
    };
    if way == Way::In && !own.is_empty() {
        let ours = is(Field::ArpSource, Values::Networks(own.clone()));
        rules.push(drop(Vec::from([ours]), &way.reason("spoofed"), SPOOFED));
    }
    if !own.is_empty() && !near.is_empty() {
        for operation in ["request", "reply"] {
            let matches = Vec::from([
                word(Field::ArpOperation, operation),
                is(Field::ArpSource, Values::Networks(from.clone())),
                is(Field::ArpTarget, Values::Networks(to.clone())),
            ]);
            let rule = accept(matches, way.passed(), ARP);
            rules.push(limited(rule, ARP_PER_SECOND));
        }
    }
    let all = Vec::from([word(Field::EtherType, "arp")]);
    rules.push(drop(all, &way.reason("arp"), ARP));
}

/// RFC 4861 §7.1.1 and §7.1.2: solicitations and advertisements have hop limit 255.
/// Returns the conditions of each kind that may pass.
pub fn discovery(place: &Place, way: Way) -> Vec<(&'static str, Vec<Match>)> {
    let (own, near) = (place.own_of(false), place.neighbours(false));
    if place.tunnel.is_some() || own.is_empty() || near.is_empty() {
        return Vec::new();
    }
    let mut asked = Vec::new();
    match way {
        Way::In => {
            asked.extend(own.iter().copied());
            asked.extend(own.iter().filter_map(|one| solicited(one.address())));
        }
        Way::Out => {
            asked.extend(near.iter().copied());
            asked.extend(Network::new(SOLICITED.into(), 104));
        }
    }
    let (from, to) = match way {
        Way::In => (&near, &own),
        Way::Out => (&own, &near),
    };
    let kinds = [(SOLICIT, &asked), (ADVERTISE, to)];
    let rows = kinds.map(|(kind, to)| {
        let matches = Vec::from([
            source(false, from),
            target(false, to),
            word(Field::Icmp6Type, kind),
            number(Field::HopLimit6, &[255]),
        ]);
        (kind, matches)
    });
    rows.into()
}

/// One kind of neighbour discovery.
fn discover(place: &Place, way: Way, kind: &str, rules: &mut Vec<Rule>) {
    for (_, matches) in discovery(place, way)
        .into_iter()
        .filter(|row| row.0 == kind)
    {
        let rule = accept(matches, way.passed(), DISCOVERY);
        rules.push(limited(rule, ARP_PER_SECOND));
    }
}

/// What comes in under an address of ours, or leaves under another.
fn forged(place: &Place, places: &[Place], way: Way, rules: &mut Vec<Rule>) {
    for v4 in [true, false].into_iter().filter(|v4| place.speaks(*v4)) {
        let matches = match way {
            Way::In => {
                let ours = places.iter().flat_map(|one| one.own_of(v4));
                source(v4, &ours.collect::<Vec<_>>())
            }
            Way::Out => {
                let field = if v4 { Field::Source4 } else { Field::Source6 };
                not(field, Values::Networks(place.own_of(v4)))
            }
        };
        rules.push(drop(Vec::from([matches]), &way.reason("spoofed"), SPOOFED));
    }
}

fn solicited(address: IpAddr) -> Option<Network> {
    let IpAddr::V6(v6) = address else { return None };
    let low = v6.to_bits() & 0x00ff_ffff;
    let all = Ipv6Addr::from_bits(SOLICITED.to_bits() | low);
    Some(Network::host(all.into()))
}

/// Broadcast and multicast, told by the frame and by the packet.
fn groups(place: &Place, way: Way, framed: bool, rules: &mut Vec<Rule>) {
    if framed {
        let group = Vec::from([word(Field::EtherGroup, "01:00:00:00:00:00")]);
        rules.push(drop(group, &way.reason("multicast"), NO_BROADCAST));
    }
    if place.speaks(true) {
        let mut all = Vec::from([Network::host(Ipv4Addr::BROADCAST.into())]);
        // RFC 3021 §2.1: a network of two addresses has no broadcast address.
        let own = place.own.iter();
        let wide = own.filter(|own| own.address().is_ipv4() && own.length() < 31);
        all.extend(wide.map(|own| Network::host(own.last())));
        let matches = Vec::from([target(true, &all)]);
        rules.push(drop(matches, &way.reason("broadcast"), NO_BROADCAST));
    }
    for (v4, first, length) in [
        (true, IpAddr::V4(MULTICAST4), 4),
        (false, IpAddr::V6(MULTICAST6), 8),
    ] {
        if let Some(group) = Network::new(first, length).filter(|_| place.speaks(v4)) {
            let matches = Vec::from([target(v4, &[group])]);
            rules.push(drop(matches, &way.reason("multicast"), NO_BROADCAST));
        }
    }
}

/// Options (RFC 791 §3.1), extension headers (RFC 8200 §4) and fragments.
fn shapes(place: &Place, way: Way, rules: &mut Vec<Rule>) {
    if place.speaks(true) {
        let options = Vec::from([not(Field::HeaderLength4, Values::Numbers(Vec::from([5])))]);
        rules.push(drop(options, &way.reason("ip_options"), OPTIONS));
        if !place.takes_fragments() {
            let matches = not(Field::Fragment4, Values::Numbers(Vec::from([0])));
            rules.push(drop(
                Vec::from([matches]),
                &way.reason("fragment"),
                FRAGMENTS,
            ));
        }
    }
    if place.speaks(false) {
        let plain = Vec::from([TCP, UDP, ESP, GRE, ICMP6]);
        let matches = not(Field::NextHeader6, Values::Numbers(plain));
        rules.push(drop(
            Vec::from([matches]),
            &way.reason("ip_options"),
            OPTIONS,
        ));
    }
}

/// Between us and the listed; what is left has a reason of its own.
fn partners(place: &Place, places: &[Place], v4: bool, way: Way, rules: &mut Vec<Rule>) {
    let (own, listed) = (place.own_of(v4), place.listed(v4));
    let sentence = match place.zone {
        Zone::Mediation => ONLY_SERVER,
        Zone::Internet | Zone::Private => VLAN,
        Zone::Management => super::sentence::MANAGEMENT,
    };
    if !listed.is_empty() {
        let (from, to) = match way {
            Way::In => (&listed, &own),
            Way::Out => (&own, &listed),
        };
        let mut matches = Vec::from([source(v4, from), target(v4, to)]);
        if !place.remotes.is_empty() {
            matches.push(number(Field::Protocol, &[UDP, ESP]));
        }
        rules.push(accept(matches, way.passed(), sentence));
    }
    let elsewhere = places.iter().filter(|one| one.link != place.link);
    let elsewhere = elsewhere.flat_map(|one| &one.own);
    let elsewhere: Vec<Network> = elsewhere
        .filter(|one| one.address().is_ipv4() == v4)
        .copied()
        .collect();
    if way == Way::In && !elsewhere.is_empty() {
        let matches = Vec::from([source(v4, &elsewhere)]);
        rules.push(drop(matches, &way.reason("spoofed"), SPOOFED));
    }
    let (reason, sentence) = match place.zone {
        Zone::Mediation => ("not_mediation", ONLY_SERVER),
        Zone::Internet | Zone::Private => ("not_peer", SERVER_VLAN),
        Zone::Management => ("not_management", super::sentence::MANAGEMENT),
    };
    let family = word(Field::Network, if v4 { "ip" } else { "ip6" });
    rules.push(drop(Vec::from([family]), &way.reason(reason), sentence));
}
