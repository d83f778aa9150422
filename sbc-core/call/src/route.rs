//! Where a call goes: who calls and what number comes in, an ordered list of
//! targets goes out. A target is always a peer of the file; nothing a message
//! says (Request-URI host, Route, maddr, Contact) can name another.

use alloc::string::String;
use alloc::vec::Vec;

use sbc_config::route::Policy;
use sbc_config::{Node, PeerName, Socket};

/// One place to try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    pub peer: PeerName,
    pub socket: Socket,
    /// The number that a redirection named; none is the one that was dialled.
    pub number: Option<String>,
}

/// A call is offered to at most this many targets; at three seconds each the
/// server that called has given up before.
pub const TARGETS_MAX: usize = 8;

/// What the caller asked for, and what it led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Way {
    /// The name of the route, for the record.
    pub route: String,
    pub targets: Vec<Target>,
}

/// Why there is no way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoWay {
    /// No route matches the number.
    Unassigned,
    /// The routes that match lead out of the country, and do not allow it.
    Border,
    /// Every peer of the route is down.
    AllDown,
}

/// What the choice depends on besides the file.
pub trait Facts {
    /// Returns whether calls may be offered to `peer` at this moment.
    fn takes_calls(&self, peer: &PeerName) -> bool;
    /// Returns how many calls `peer` carries.
    fn active(&self, peer: &PeerName) -> u32;
    /// Returns which target of `peer` is tried first.
    fn first(&self, peer: &PeerName) -> usize;
    /// Returns a number that grows by one with each call of route `name`.
    fn turn(&mut self, name: &str) -> usize;
}

/// Returns the targets for a call of `from` to `number` (E.164 or as dialled).
///
/// # Errors
/// [`NoWay`] with the reason, which decides the status.
pub fn find(
    node: &Node,
    from: &PeerName,
    number: &str,
    facts: &mut impl Facts,
) -> Result<Way, NoWay> {
    let home = node.peer(from).and_then(|peer| peer.country);
    let mut why = NoWay::Unassigned;
    for route in node.routes_for(from, number) {
        let stays = |name: &PeerName| {
            let abroad = node.peer(name).and_then(|peer| peer.country);
            route.cross_border || home.is_none() || abroad.is_none() || home == abroad
        };
        let peers: Vec<&PeerName> = route.to.iter().filter(|name| stays(name)).collect();
        if peers.is_empty() {
            why = NoWay::Border;
            continue;
        }
        let peers = ordered(&peers, route.policy, route.name.as_str(), facts);
        let targets = targets(node, peers.into_iter().filter(|name| *name != from), facts);
        if targets.is_empty() {
            why = NoWay::AllDown;
            continue;
        }
        return Ok(Way {
            route: route.name.as_str().into(),
            targets,
        });
    }
    Err(why)
}

/// Returns the targets for an emergency call: every trunk of the list, also
/// those that look down, since a wrong guess must not cost a life.
pub fn emergency(node: &Node, from: &PeerName, facts: &impl Facts) -> Way {
    let listed = node.emergency.trunks.iter().cloned().map(PeerName::Trunk);
    let names: Vec<PeerName> = listed.filter(|name| name != from).collect();
    let (up, down): (Vec<_>, Vec<_>) = names.iter().partition(|name| facts.takes_calls(name));
    Way {
        route: "emergency".into(),
        targets: sockets(node, up.into_iter().chain(down), facts),
    }
}

fn ordered<'a>(
    peers: &[&'a PeerName],
    policy: Policy,
    route: &str,
    facts: &mut impl Facts,
) -> Vec<&'a PeerName> {
    let mut peers = peers.to_vec();
    match policy {
        Policy::Ordered => {}
        Policy::RoundRobin => {
            let turn = facts.turn(route).checked_rem(peers.len()).unwrap_or(0);
            peers.rotate_left(turn);
        }
        Policy::LeastCalls => peers.sort_by_key(|name| facts.active(name)),
    }
    peers
}

fn targets<'a>(
    node: &Node,
    peers: impl Iterator<Item = &'a PeerName>,
    facts: &impl Facts,
) -> Vec<Target> {
    sockets(node, peers.filter(|name| facts.takes_calls(name)), facts)
}

fn sockets<'a>(
    node: &Node,
    peers: impl Iterator<Item = &'a PeerName>,
    facts: &impl Facts,
) -> Vec<Target> {
    let each = peers.flat_map(|name| {
        let sockets = node.peer(name).map_or(&[][..], |peer| &peer.targets);
        let split = sockets.split_at_checked(facts.first(name));
        let (later, sooner) = split.unwrap_or((&[], sockets));
        sooner.iter().chain(later).map(|&socket| Target {
            peer: name.clone(),
            socket,
            number: None,
        })
    });
    each.take(TARGETS_MAX).collect()
}
