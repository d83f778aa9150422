//! Our hands in a kernel: links, addresses, routes, rules, neighbours, shapers and
//! switches are changed in a namespace of their own, read back, and undone. What
//! this machine's kernel lacks (802.1Q, GRE, ESP) is tried in guests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this whole target is a test, helpers included"
)]

mod collectors;
mod fence;
mod netlink;
mod space;
