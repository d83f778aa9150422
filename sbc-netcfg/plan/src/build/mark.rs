//! Marks and shapers: voice is marked at the socket and again on its way out, and
//! goes first where a link is slow; segments fit the tunnel.

use alloc::string::String;
use alloc::vec::Vec;

use sbc_config::Node;

use super::place::Place;
use super::rows::{input, is, number, output, ports, word};
use super::sentence::{MTU, PRIORITY};
use crate::desired::{Class, Shaper};
use crate::firewall::{Action, Chain, Field, Hook, Match, Rule, Values};

/// Before the filters of the same hook.
const MANGLE: i32 = -150;

/// Classes of a shaper: `1:10`, `1:20`, `1:30`.
const VOICE: u16 = 0x10;
const SIGNALLING: u16 = 0x20;
const REST: u16 = 0x30;

/// RFC 9293 §3.7.1: what an MSS leaves out, headers of TCP and of each IP.
const HEADERS4: u16 = 40;
const HEADERS6: u16 = 60;

/// Returns the chains that change packets.
pub fn chains(node: &Node, places: &[Place]) -> Vec<Chain> {
    let mut inward = Vec::new();
    let mut outward = Vec::new();
    for place in places.iter().filter(|place| place.tunnel.is_some()) {
        clamp(place, input(&place.link), &mut inward);
        clamp(place, output(&place.link), &mut outward);
    }
    for place in places.iter().filter(|place| !place.peers.is_empty()) {
        marks(node, place, &mut outward);
    }
    if let Some(place) = shaped(node, places) {
        classes(node, place, &mut outward);
    }
    Vec::from([
        chain("segments", "input", inward),
        chain("marking", "postrouting", outward),
    ])
}

fn chain(name: &str, point: &str, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.into(),
        hook: Hook {
            point: point.into(),
            priority: MANGLE,
            drops: false,
            device: None,
        },
        rules,
    }
}

fn change(matches: Vec<Match>, action: Action, sentence: &'static str) -> Rule {
    Rule {
        matches,
        limit: None,
        counter: None,
        action,
        sentence,
    }
}

fn clamp(place: &Place, link: Match, rules: &mut Vec<Rule>) {
    let headers = if place.speaks(true) {
        HEADERS4
    } else {
        HEADERS6
    };
    let matches = Vec::from([link, word(Field::TcpSynRst, "syn")]);
    let most = Action::ClampMss(place.mtu.saturating_sub(headers));
    rules.push(change(matches, most, MTU));
}

fn marks(node: &Node, place: &Place, rules: &mut Vec<Rule>) {
    let media = (*node.media.ports.start(), *node.media.ports.end());
    let sockets = place.peers.iter().flat_map(|peer| &peer.listen);
    let udp = sockets.filter(|one| one.transport == sbc_config::Transport::Udp);
    let udp: Vec<(u16, u16)> = udp
        .map(|one| (one.address.port(), one.address.port()))
        .collect();
    for v6 in [false, true].into_iter().filter(|v6| place.speaks(!v6)) {
        let mut mark = |condition: Match, dscp: u8| {
            // `nft` adds the family of the header that is changed.
            let matches = Vec::from([output(&place.link), condition]);
            rules.push(change(matches, Action::Mark { v6, dscp }, PRIORITY));
        };
        mark(ports(Field::UdpSource, &[media]), node.qos.media);
        if !udp.is_empty() {
            mark(ports(Field::UdpSource, &udp), node.qos.signalling);
        }
        mark(number(Field::Protocol, &[6]), node.qos.signalling);
    }
}

fn shaped<'p>(node: &Node, places: &'p [Place]) -> Option<&'p Place> {
    let shape = node.qos.shape.as_ref()?;
    places.iter().find(|one| one.is_interface(&shape.interface))
}

/// Marks choose classes: in a tunnel, the outer packet has the inner one's mark.
fn classes(node: &Node, place: &Place, rules: &mut Vec<Rule>) {
    for v6 in [false, true].into_iter().filter(|v6| place.speaks(!v6)) {
        let field = if v6 { Field::Dscp6 } else { Field::Dscp4 };
        for (dscp, class) in [(node.qos.signalling, SIGNALLING), (node.qos.media, VOICE)] {
            let mark = crate::firewall::mark_word(dscp);
            let matches = Vec::from([
                output(&place.link),
                is(field, Values::Texts(Vec::from([mark]))),
            ]);
            rules.push(change(matches, Action::Classify(class), PRIORITY));
        }
    }
}

/// Returns the shaper of the link the file names.
pub fn shapers(node: &Node, places: &[Place]) -> Vec<Shaper> {
    let (Some(shape), Some(place)) = (&node.qos.shape, shaped(node, places)) else {
        return Vec::new();
    };
    // The kernel counts whole octets.
    let octets = |bits: u64| bits / 8 * 8;
    let percent = |share: u64| (shape.rate / 100).saturating_mul(share);
    let voice = u64::from(shape.voice.min(100));
    let rest = 100_u64.saturating_sub(voice) / 2;
    let class = |minor, share, priority| Class {
        minor,
        rate: octets(percent(share).max(8_000)),
        ceiling: octets(shape.rate),
        priority,
    };
    Vec::from([Shaper {
        link: String::from(place.link.as_str()),
        rate: octets(shape.rate),
        classes: Vec::from([
            class(VOICE, voice, 0),
            class(SIGNALLING, rest, 1),
            class(REST, rest, 2),
        ]),
        default: REST,
    }])
}
