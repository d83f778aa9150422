//! Servers of the time: datagrams to port 123 and their answers (RFC 4330 §4), under
//! the user of the console's role alone.

use alloc::vec::Vec;

use sbc_config::Network;
use sbc_config::node::TimeServer;

use super::links::EPHEMERAL;
use super::place::Place;
use super::rows::{accept, drop, input, not, number, output, port, ports, source, target};
use super::sentence::{CLOCKS, USERS};
use crate::firewall::{Field, Match, Rule, Values};

/// Where a server is asked (RFC 4330 §4).
pub const PORT: u16 = 123;

/// Returns what is heard of a server: answers to a port that the kernel chose.
pub fn heard(place: &Place, server: &TimeServer) -> Rule {
    let v4 = server.address.is_ipv4();
    let matches = Vec::from([
        input(&place.link),
        source(v4, &[Network::host(server.address)]),
        target(v4, &[Network::host(server.source)]),
        port(Field::UdpSource, PORT),
        ports(Field::UdpTarget, &[EPHEMERAL]),
    ]);
    accept(matches, "passed", CLOCKS)
}

/// Adds what is said to a server.
pub fn said(place: &Place, server: &TimeServer, user: u32, rules: &mut Vec<Rule>) {
    let v4 = server.address.is_ipv4();
    let with = |more: Match| {
        Vec::from([
            output(&place.link),
            source(v4, &[Network::host(server.source)]),
            target(v4, &[Network::host(server.address)]),
            port(Field::UdpTarget, PORT),
            more,
        ])
    };
    rules.push(accept(with(number(Field::User, &[user])), "sent", CLOCKS));
    let others = not(Field::User, Values::Numbers(Vec::from([user])));
    rules.push(drop(with(others), "blocked_user", USERS));
}
