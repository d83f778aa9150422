//! Bytes in, frames out: bounded framing and indexing (RFC 3261 §7, §18.3).
//!
//! A [`Frame`] borrows nothing and copies nothing: it holds the octets it was read from,
//! and says where in them each line is. Octets that are no message become a
//! [`Malformed`], which says what, where, and whether an answer is due.

mod datagram;
mod frame;
mod index;
pub mod limits;
mod malformed;
mod name;
mod scan;
mod start;
mod stream;
#[cfg(test)]
mod tests;

pub use datagram::datagram;
pub use frame::{Frame, StartLine};
pub use malformed::{Fault, Malformed};
pub use name::Name;
pub use stream::Stream;

/// What keeps a flow alive and asks for a [`PONG`] (RFC 5626 §3.5.1).
pub const PING: &[u8] = b"\r\n\r\n";

/// What answers a [`PING`] (RFC 5626 §4.4.1).
pub const PONG: &[u8] = b"\r\n";

/// What bytes turned out to be.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation for each message"
)]
#[derive(Clone, Debug)]
pub enum Received {
    /// A message, whole and within the limits.
    Message(Frame),
    /// A [`PING`]; on a stream it wants a [`PONG`] back.
    Ping,
    /// A [`PONG`], the answer to our own ping.
    Pong,
    /// A datagram that keeps an address mapping alive and says nothing: empty, zero
    /// octets or line ends.
    Nothing,
}
