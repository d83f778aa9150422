//! Collectors of the log: datagrams (RFC 5426) or a connection that we open (RFC
//! 6587, RFC 5425), under the user of the console's role alone.

use alloc::vec::Vec;

use sbc_config::Network;
use sbc_config::node::{CollectedBy, Collector};

use super::links::EPHEMERAL;
use super::place::Place;
use super::rows::{accept, drop, input, not, number, output, port, ports, source, target, word};
use super::sentence::{COLLECTORS, USERS};
use crate::firewall::{Field, Match, Rule, Values};

/// Returns what is heard of a collector: answers on a connection of ours. A
/// datagram has none.
pub fn heard(place: &Place, collector: &Collector) -> Option<Rule> {
    if collector.by == CollectedBy::Udp {
        return None;
    }
    let v4 = collector.target.is_ipv4();
    let matches = Vec::from([
        input(&place.link),
        source(v4, &[Network::host(collector.target.ip())]),
        target(v4, &[Network::host(collector.source)]),
        port(Field::TcpSource, collector.target.port()),
        ports(Field::TcpTarget, &[EPHEMERAL]),
        // An answer, not the start of a connection.
        not(Field::TcpSynAck, Values::Words(Vec::from(["syn"]))),
    ]);
    Some(accept(matches, "passed", COLLECTORS))
}

/// Adds what is said to a collector.
pub fn said(place: &Place, collector: &Collector, user: u32, rules: &mut Vec<Rule>) {
    let v4 = collector.target.is_ipv4();
    let by_datagram = collector.by == CollectedBy::Udp;
    let at = if by_datagram {
        Field::UdpTarget
    } else {
        Field::TcpTarget
    };
    let with = |more: Match| {
        Vec::from([
            output(&place.link),
            source(v4, &[Network::host(collector.source)]),
            target(v4, &[Network::host(collector.target.ip())]),
            port(at, collector.target.port()),
            more,
        ])
    };
    rules.push(accept(
        with(number(Field::User, &[user])),
        "sent",
        COLLECTORS,
    ));
    let others = not(Field::User, Values::Numbers(Vec::from([user])));
    rules.push(drop(with(others), "blocked_user", USERS));
    if !by_datagram {
        // What the kernel says for a socket nobody holds any more.
        let alone = word(Field::TcpSynAck, "ack");
        rules.push(accept(with(alone), "sent", COLLECTORS));
    }
}
