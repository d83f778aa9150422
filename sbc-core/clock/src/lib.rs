//! The time of the node (SNTP, RFC 4330, with what RFC 5905 says of choosing): octets
//! of servers come in, what to do with the clock goes out. No clock, no socket.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod calendar;
pub mod choice;
pub mod correction;
pub mod packet;
pub mod poll;

pub use choice::{Choice, Sample, choose};
pub use correction::{By, Clock, Correction, Refusal};
pub use packet::{Answer, Kiss, Unfit};
pub use poll::Poll;

/// Nanoseconds since 1970; they last until 2262.
pub type Moment = i64;

/// Nanoseconds in a second.
pub const SECOND: i64 = 1_000_000_000;

/// 2026-11-01: no clock of this release is right before it, so one that says so was
/// never set, and a server that says so is not believed.
pub const EARLIEST: Moment = 1_793_491_200 * SECOND;
