//! SIP as bytes become it: bytes come in, frames, typed messages, transactions
//! and dialogs go out (RFC 3261 and the extensions named in each file).
//!
//! Data walks one way: `wire` frames and indexes bytes, `message` gives them
//! types and writes them back, `transaction` and `dialog` are state machines
//! over them. There is no socket, clock, thread or SDP in this room.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod dialog;
pub mod digest;
pub mod message;
pub mod transaction;
pub mod wire;

/// A moment, as the time since the node's clock started. It never goes back.
pub type Instant = core::time::Duration;
