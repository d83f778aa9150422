//! The operator's file: TOML text comes in, a [`Node`] that makes sense goes
//! out, or every problem of the file at once. No SIP grammar, no kernel.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod country;
pub mod file;
pub mod name;
pub mod network;
pub mod node;
pub mod number;
pub mod pattern;
pub mod peer;
pub mod route;
pub mod rules;

pub use country::Country;
pub use name::{Name, PeerName};
pub use network::{Network, Path, Zone};
pub use node::Node;
pub use number::Number;
pub use pattern::Pattern;
pub use peer::{Admission, Mediation, Peer, Socket, Transport, Trunk};
pub use route::Route;
pub use rules::{NumberRules, Numbers};
