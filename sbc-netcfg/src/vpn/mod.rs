//! Tunnels' security associations: what charon must hold comes in, its state and
//! counters go out. GRE goes through IPsec ESP in transport mode (RFC 4303
//! §3.1.1) with keys agreed by IKEv2 (RFC 7296), and nothing else does.

pub mod charon;
mod connection;
mod keeper;
mod listed;
pub mod pki;
mod vici;
mod words;

pub use connection::{Association, Auth, Credential};
pub use keeper::{Event, keep};
pub use vici::{Charon, ChildState, IkeState, State, VpnError};
pub use words::says_more;
