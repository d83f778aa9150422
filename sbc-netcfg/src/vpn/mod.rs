//! Tunnels' security associations: what charon must hold comes in, its state and
//! counters go out. GRE goes through IPsec ESP in transport mode (RFC 4303
//! §3.1.1) with keys agreed by IKEv2 (RFC 7296), and nothing else does.

pub mod charon;
mod connection;
mod keeper;
mod vici;

pub use connection::{Association, Auth, Credential};
pub use keeper::{Event, keep};
pub use vici::{Charon, ChildState, IkeState, State, VpnError};
