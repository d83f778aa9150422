//! A table for each place: routes to the listed and nobody else, and a blackhole
//! for all others. The main table is never asked.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sbc_config::Network;

use super::place::Place;
use crate::desired::{PolicyRule, Route, Way};

/// Packets from an address of ours are looked up in its table.
const FROM: u32 = 1_000;
/// Everything else goes nowhere: before the kernel's own rule for its main table.
const NOWHERE: u32 = 30_000;

/// Returns the routes of all tables.
pub fn routes(places: &[Place]) -> Vec<Route> {
    let mut routes = Vec::new();
    for place in places {
        for v4 in [true, false] {
            if place.speaks(v4) {
                of_place(place, v4, &mut routes);
            }
        }
    }
    routes
}

fn of_place(place: &Place, v4: bool, routes: &mut Vec<Route>) {
    let own = place.own_of(v4);
    let Some(own) = own.first().map(Network::address) else {
        return;
    };
    let gateway = place.gateway.filter(|gateway| gateway.is_ipv4() == v4);
    let mut all = place.listed(v4);
    all.extend(gateway.map(Network::host));
    all.sort();
    all.dedup();
    for to in all {
        let near = place.on_link(&to);
        let via = gateway.filter(|gateway| !near && to != Network::host(*gateway));
        let source = place.own.iter().find(|one| one.covers(&to));
        routes.push(Route {
            table: place.table,
            to,
            way: Way::Link {
                link: place.link.clone(),
                via,
                source: source.map_or(own, Network::address),
            },
        });
    }
    let all: IpAddr = if v4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    if let Some(to) = Network::new(all, 0).filter(|all| !place.listed(v4).contains(all)) {
        routes.push(Route {
            table: place.table,
            to,
            way: Way::Blackhole,
        });
    }
}

/// Returns the rules: from each address of ours by its table, all else nowhere.
pub fn rules(places: &[Place]) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    for place in places {
        rules.extend(place.own.iter().map(|own| PolicyRule {
            priority: FROM,
            is_v4: own.address().is_ipv4(),
            from: Some(own.address()),
            table: Some(place.table),
        }));
    }
    rules.extend([true, false].map(|is_v4| PolicyRule {
        priority: NOWHERE,
        is_v4,
        from: None,
        table: None,
    }));
    rules
}
