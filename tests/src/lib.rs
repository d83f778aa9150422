//! The kit of the lab: what the tests and the `lab` tool share.

mod skips;

pub use skips::{SKIPS_VARIABLE, skip};
