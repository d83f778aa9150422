//! Calls: one input comes in, everything that follows from it goes to the
//! outbox (RFC 7092: a back-to-back user agent). No socket, no clock, no kernel.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
