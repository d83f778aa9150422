//! The source tree and `cargo metadata` come in, broken house rules go out.
//!
//! Each file is one family of laws. A law is a function from what it reads to
//! a list of faults, each with its place and what to do about it, so that the
//! file's own tests can show it a bad sample and see it object.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

mod citations;
mod codes;
mod licences;
mod metadata;
mod promises;
mod purity;
mod rooms;
mod scan;
mod shape;
mod tree;
mod words;

/// Fails with every fault at once, so one run is enough to mend them all.
#[track_caller]
fn assert_kept(law: &str, faults: &[String]) {
    assert!(
        faults.is_empty(),
        "\n{law}: {} fault(s)\n  {}\n",
        faults.len(),
        faults.join("\n  ")
    );
}
