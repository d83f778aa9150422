//! The kit of the lab: what the tests and the `lab` tool share.

mod allocations;
pub mod kit;
pub mod lab;
mod skips;

pub use allocations::{Counting, all_allocations, allocations, octets_held};
pub use skips::{SKIPS_VARIABLE, is_full, skip};
