//! What the engine shows of itself: plain values for the console, the API and
//! the tests. Numbers are masked before they get here.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// One call, as a line of `show calls`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Call {
    pub call: u32,
    pub id: String,
    /// `in` from a trunk, `out` to one.
    pub direction: String,
    pub from: String,
    pub to: String,
    pub peer_a: String,
    pub peer_b: String,
    /// `setup`, `ringing`, `talk`, `held`, `ending`.
    pub state: String,
    pub secs: u64,
    pub emergency: bool,
    /// The peer that is not heard while the other is; empty if both are.
    #[serde(default)]
    pub silent: String,
}

/// Between whom a call is. Numbers are whole: it is for comparing, never for showing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ends {
    pub caller: String,
    pub called: String,
    pub peers: [String; 2],
    /// As in [`Call::state`].
    pub state: String,
}

/// One peer, as a line of `show trunks` or `show mediation`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Peer {
    pub name: String,
    /// `trunk` or `mediation`.
    pub kind: String,
    pub target: String,
    /// `up`, `down`, `unknown`.
    pub state: String,
    pub since_secs: u64,
    pub active: u32,
    pub limit: u32,
    /// Calls it was offered, and those it answered.
    pub attempts: u64,
    pub answered: u64,
    /// The latest OPTIONS took this long; it was not answered if absent.
    pub options_ms: Option<u64>,
    /// An OPTIONS of ours is in the air.
    #[serde(default)]
    pub asking: bool,
    /// It gets no new calls: somebody said so.
    #[serde(default)]
    pub drained: bool,
}

/// One cap, as a line of `show limits`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limit {
    pub name: String,
    pub used: u64,
    pub limit: u64,
    /// How often it was hit.
    pub hits: u64,
}

/// A counter by name.
pub type Counters = Vec<(String, u64)>;
