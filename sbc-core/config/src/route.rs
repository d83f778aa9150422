//! Routes: who calls and what number comes in, the peers to try go out.

use alloc::vec::Vec;

use crate::name::{Name, PeerName};
use crate::pattern::Pattern;
use crate::peer::words;

/// One rule of the ordered list. The first that matches decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    pub name: Name,
    pub from: Vec<From>,
    pub number: Pattern,
    /// The peers to try; never empty.
    pub to: Vec<PeerName>,
    pub policy: Policy,
    /// Calls may leave the country of the peer they came from.
    pub cross_border: bool,
}

impl Route {
    /// Returns true if a call from `peer` to `number` (E.164) takes this route.
    pub fn matches(&self, peer: &PeerName, number: &str) -> bool {
        self.from.iter().any(|from| from.admits(peer)) && self.number.matches(number)
    }
}

/// Whose calls a route takes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum From {
    /// `trunk:*`
    AnyTrunk,
    /// `mediation:*`
    AnyMediation,
    One(PeerName),
}

impl From {
    /// Returns true if calls of `peer` are meant.
    pub fn admits(&self, peer: &PeerName) -> bool {
        match self {
            Self::AnyTrunk => peer.is_trunk(),
            Self::AnyMediation => !peer.is_trunk(),
            Self::One(one) => one == peer,
        }
    }
}

words! {
    /// In which order the peers of a route are tried.
    Policy { Ordered = "ordered", RoundRobin = "round-robin", LeastCalls = "least-calls" }
}
