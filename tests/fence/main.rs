//! The node with its machine's network in hand, in a guest of its own: VLANs of the
//! switch on one side, tunnels on the other, and nothing passes but what the file
//! lists.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this whole target is a test, helpers included"
)]

mod attack;
mod certificates;
mod commits;
mod jails;
mod path;
mod reach;
mod shaper;
mod sipp;
mod stage;
mod tunnel;
mod undo;
mod vlans;
