//! The kit of the lab: what the tests and the `lab` tool share.

pub mod lab;
mod skips;

pub use skips::{SKIPS_VARIABLE, skip};
