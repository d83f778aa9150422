//! The four transactions of RFC 3261 §17, as amended by RFC 6026 and RFC 4320.
//!
//! Each machine is one pure table, laid out like its figure: [`invite_client`]
//! (Figure 5), [`client`] (Figure 6), [`invite_server`] (Figure 7) and
//! [`server`] (Figure 8). A table says what to do with one of the [`Action`]s;
//! [`Layer`] does it, for as many transactions as its [`Limits`] allow.

mod alarm;
pub mod arrival;
pub mod branch;
pub mod client;
pub mod destination;
pub mod invite_client;
pub mod invite_server;
pub mod key;
pub mod layer;
pub mod made;
pub mod server;
#[cfg(test)]
mod table;
pub mod timers;

pub use arrival::Arrived;
pub use branch::Branch;
pub use destination::{Destination, Peer, Source, Transport};
pub use key::Secret;
pub use layer::{Counters, Input, Layer, Limits, Outgoing, Output, ServerId, Transaction};
pub use timers::{Timer, Timings};

/// Whether the transport below delivers what it is given, or may lose it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reliability {
    /// UDP: the transaction repeats what was not answered.
    Unreliable,
    /// TCP, TLS, SCTP: nothing is repeated, and the timers that wait for
    /// repetitions are zero.
    Reliable,
}

/// What a machine asks to be done on the way along an arrow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Passes the message that arrived to the TU.
    Pass,
    /// Tells the TU that the answer, or the ACK, never came.
    ReportTimeout,
    /// Tells the TU that the transport could not deliver.
    ReportTransportError,
    /// Sends again what was sent last.
    Resend,
    /// Sends the message the TU gave.
    Send,
    /// Makes the ACK for the response that arrived, and sends it.
    SendAck,
    /// Makes a 100 (Trying) in the TU's place, and sends it.
    SendTrying,
    /// Starts a timer from its first value.
    Start(Timer),
    /// Starts a timer again with twice its last value, up to its ceiling.
    Double(Timer),
    /// Starts a timer again with T2.
    Slow(Timer),
    /// Stops a timer.
    Stop(Timer),
}
