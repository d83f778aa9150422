//! Media as values: SDP offers become answers, answers become streams, packets
//! become counters (RFC 3264, RFC 3550, RFC 4733, G.711). No SIP, no sockets.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod g711;
pub mod ports;
pub mod rtp;
pub mod sdp;
pub mod stream;
pub mod tone;

/// A moment, as the time since the node's clock started. It never goes back.
pub type Instant = core::time::Duration;
