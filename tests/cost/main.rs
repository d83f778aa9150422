//! Messages come in; what reading and writing them costs, in instructions and
//! in allocations, goes out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

mod allocations;
mod call;
mod growth;

#[global_allocator]
static ALLOCATOR: sbc_tests::Counting = sbc_tests::Counting;
