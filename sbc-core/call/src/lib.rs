//! Calls: one input comes in, everything that follows from it goes to the
//! outbox (RFC 7092: a back-to-back user agent). No socket, no clock, no kernel.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod across;
pub mod call;
pub mod diagnosis;
pub mod door;
pub mod engine;
pub mod ladder;
pub mod leg;
pub mod parties;
pub mod peer;
pub mod policy;
pub mod random;
pub mod record;
pub mod route;
pub mod story;
pub mod view;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use door::{Input, JournalCommand, Network, Outbox, RelayCommand, Step, Transmit, Wish};
pub use engine::Engine;
pub use sbc_sip::Instant;

/// One side of a call: A asked for it, B was asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Side {
    A,
    B,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
