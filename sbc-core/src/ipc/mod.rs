//! What the roles say to each other: typed messages come in, packets of a
//! Unix `SOCK_SEQPACKET` pair go out, and the reverse. One version, one bound.

mod channel;
mod message;

pub use channel::{Broken, Channel, DESCRIPTORS_MAX, Received, pair};
pub use message::{
    ConfigOrder, FromChild, ListenerName, Neighbour, ToChild, ToConsole, ToRelay, ToSignal,
};

#[cfg(test)]
mod tests;
