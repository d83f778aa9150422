//! What the roles say to each other: typed messages come in, packets of a
//! Unix `SOCK_SEQPACKET` pair go out, and the reverse. One version, one bound.

mod channel;
mod message;
mod waiting;

pub use channel::{Broken, Channel, DESCRIPTORS_MAX, Received, pair};
pub use message::{
    ClockBy, ConfigOrder, Ending, FromChild, ListenerName, NETWORK_MAX, NETWORK_TEXT_MAX,
    Neighbour, Network, Standing, ToChild, ToConsole, ToRelay, ToSignal, Tunnel, Unfit,
};

pub use waiting::{next, say};

#[cfg(test)]
mod tests;
