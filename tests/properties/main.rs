//! Properties: messages made from the grammar come in; they are read, written, read
//! again and shown to two parsers of other people, and everybody sees the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

mod documents;
mod grammar;
mod oracles;
mod values;
mod volumes;
mod wholes;
