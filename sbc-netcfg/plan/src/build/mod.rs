//! From a node to what the kernel must hold. Isolation has no keys: all of it
//! follows from zones, tags, peers and tunnels.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use sbc_config::Node;

use crate::desired::{Connection, Desired};
use place::Place;

mod base;
mod clocks;
mod collectors;
mod frames;
mod links;
mod mark;
mod names;
mod place;
mod rows;
pub(crate) mod sentence;
mod ways;

pub use clocks::PORT as TIME;
pub use links::EPHEMERAL;

/// Devices as the file writes them (kernel name, MAC, bus path), and what the
/// kernel calls them. A kernel name need not be listed.
pub type Ports = BTreeMap<String, String>;

/// The users the roles run as: what leaves the node is told apart by them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Users {
    /// Opens listening sockets and hands them over, which stay under its name.
    pub netcfg: u32,
    pub charon: u32,
    pub signal: u32,
    pub relay: u32,
    /// Sends the log to its collectors, and asks for the time.
    pub console: u32,
}

impl Default for Users {
    /// Returns the users of the image.
    fn default() -> Self {
        Self {
            netcfg: 900,
            charon: 901,
            signal: 902,
            relay: 903,
            console: 904,
        }
    }
}

/// Returns what the kernel and charon must hold for `node`. There is no node that
/// has none.
pub fn desired(node: &Node, ports: &Ports, users: &Users) -> Desired {
    let places = place::places(node, ports);
    let mut firewall = frames::tables(&places);
    firewall.tables.insert(0, base::table(node, &places, users));
    Desired {
        links: links::links(&places),
        addresses: links::addresses(&places),
        neighbours: links::neighbours(node, &places),
        sysctls: links::machine(),
        routes: ways::routes(&places),
        rules: ways::rules(&places),
        firewall,
        shapers: mark::shapers(node, &places),
        connections: connections(node, &places),
    }
}

fn connections(node: &Node, places: &[Place]) -> Vec<Connection> {
    let tunnels = node.tunnels.values().filter_map(|tunnel| {
        let place = places
            .iter()
            .find(|place| place.is_interface(&tunnel.underlay))?;
        Some(Connection {
            name: String::from(tunnel.name.as_str()),
            local: place.own_towards(tunnel.remote)?,
            remote: tunnel.remote,
            auth: tunnel.auth.clone(),
            suite: tunnel.suite,
            dead_peer: tunnel.dead_peer,
            nat_traversal: tunnel.nat_traversal,
            initiates: tunnel.initiates,
            dscp: node.qos.signalling,
        })
    });
    tunnels.collect()
}

#[cfg(test)]
mod tests;
