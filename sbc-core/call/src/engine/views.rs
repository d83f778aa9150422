//! What the engine shows of itself (see [`crate::view`]).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Engine;
use crate::Side;
use crate::call::{Call, Phase};
use crate::peer::health::State;
use crate::story::masked;
use crate::view;

impl Engine {
    /// Returns every call that is up, by its handle. One that only waits for
    /// repetitions is over.
    #[must_use]
    pub fn calls(&self) -> Vec<view::Call> {
        let name = |place: usize| {
            let peer = self.desk.peers.get(place);
            peer.map_or_else(String::new, |peer| peer.name.name().to_string())
        };
        let now = self.desk.now;
        let up = |call: &&alloc::boxed::Box<Call>| call.phase != Phase::Ending;
        self.calls
            .values()
            .filter(up)
            .map(|call| {
                let a = call.leg(Side::A).map(|leg| leg.peer);
                let inward = a
                    .and_then(|place| self.desk.peers.get(place))
                    .is_some_and(|peer| peer.name.is_trunk());
                view::Call {
                    call: call.key,
                    id: call.id.as_str().to_string(),
                    direction: if inward { "in" } else { "out" }.to_string(),
                    from: masked(call.caller.number.as_deref().unwrap_or_default()),
                    to: masked(&call.number),
                    peer_a: a.map_or_else(String::new, name),
                    peer_b: call
                        .leg(Side::B)
                        .map_or_else(String::new, |leg| name(leg.peer)),
                    state: call.state().to_string(),
                    secs: now
                        .saturating_sub(call.answered.unwrap_or(call.began))
                        .as_secs(),
                    emergency: call.emergency,
                    silent: call
                        .one_way
                        .and_then(|side| call.leg(side))
                        .map_or_else(String::new, |leg| name(leg.peer)),
                }
            })
            .collect()
    }

    /// Returns between whom a call is, also of one that only waits for repetitions.
    #[must_use]
    pub fn ends(&self, call: u32) -> Option<view::Ends> {
        let call = self.calls.get(&call)?;
        let name = |side: Side| {
            let place = call.leg(side).map(|leg| leg.peer);
            let peer = place.and_then(|place| self.desk.peers.get(place));
            peer.map_or_else(String::new, |peer| peer.name.name().to_string())
        };
        Some(view::Ends {
            caller: call
                .caller
                .number
                .as_deref()
                .unwrap_or_default()
                .to_string(),
            called: call.number.to_string(),
            peers: [name(Side::A), name(Side::B)],
            state: call.state().to_string(),
        })
    }

    /// Returns every peer, trunks first.
    #[must_use]
    pub fn peers(&self) -> Vec<view::Peer> {
        let now = self.desk.now;
        let each = self.desk.peers.all.iter().filter(|peer| !peer.gone);
        each.map(|peer| {
            let (state, since) = peer.health.state();
            let target = self.desk.node.peer(&peer.name);
            let target = target.and_then(|peer| peer.targets.first());
            view::Peer {
                name: peer.name.name().to_string(),
                kind: peer.name.kind().to_string(),
                target: target.map_or_else(String::new, ToString::to_string),
                state: match state {
                    _ if peer.cut => "down",
                    State::Unknown => "unknown",
                    State::Up => "up",
                    State::Down => "down",
                }
                .to_string(),
                since_secs: now.saturating_sub(since).as_secs(),
                active: peer.load.active(),
                limit: peer.limits.calls,
                attempts: peer.attempts,
                answered: peer.answered,
                asking: peer.asked.is_some(),
                drained: peer.drained,
                options_ms: peer
                    .round_trip
                    .map(|trip| u64::try_from(trip.as_millis()).unwrap_or(u64::MAX)),
            }
        })
        .collect()
    }

    /// Returns every cap, what is used of it, and how often it was hit.
    #[must_use]
    pub fn limits(&self) -> Vec<view::Limit> {
        let count = |used: usize| u64::try_from(used).unwrap_or(u64::MAX);
        let layer = self.desk.layer.counters();
        let mut limits = Vec::from([
            view::Limit {
                name: "calls".to_string(),
                used: self.desk.calls.into(),
                limit: self.desk.node.limits.calls.into(),
                hits: self.desk.counters.node_full,
            },
            view::Limit {
                name: "transactions".to_string(),
                used: count(self.desk.layer.len()),
                limit: count(self.desk.layer.limits().transactions),
                hits: layer.refused_full + layer.refused_peer + layer.refused_clients,
            },
        ]);
        for (address, ports) in &self.desk.ports {
            limits.push(view::Limit {
                name: alloc::format!("media ports on {address}"),
                used: count(ports.taken()),
                limit: count(ports.capacity()),
                hits: 0,
            });
        }
        limits
    }

    /// Returns what was counted since the start.
    #[must_use]
    pub fn counters(&self) -> view::Counters {
        let c = &self.desk.counters;
        let l = self.desk.layer.counters();
        [
            ("calls", c.calls),
            ("answered", c.answered),
            ("refused", c.refused),
            ("emergency", c.emergency),
            ("malformed", c.malformed),
            ("invalid", c.invalid),
            ("unlisted", c.unlisted),
            ("stray", c.stray),
            ("loops", c.loops),
            ("node-full", c.node_full),
            ("options-received", c.options_received),
            ("glares", c.glares),
            ("restored", c.restored),
            ("unrestored", c.unrestored),
            ("retransmitted", l.retransmitted),
            ("repeated-requests", l.repeated_requests),
            ("stray-responses", l.stray_responses),
            ("timeouts", l.timeouts),
            ("transport-errors", l.transport_errors),
            ("merged", l.merged),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_string(), count))
        .collect()
    }

    /// Returns what is still held: calls, transactions, tags, open requests and
    /// media ports. All are zero when nothing goes on.
    #[must_use]
    pub fn held(&self) -> [usize; 5] {
        let ports = self
            .desk
            .ports
            .values()
            .map(sbc_media::ports::Ports::taken)
            .sum();
        [
            self.calls.len(),
            self.desk.layer.len(),
            self.desk.tags.len(),
            self.desk.requests.len(),
            ports,
        ]
    }
}
