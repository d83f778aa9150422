//! Torture: messages made to break parsers come in, each must get the verdict beside it.
//!
//! `rfc4475` and `rfc5118` are the messages of those documents, `own` are ours; `NAME.dat`
//! is the message, `NAME.verdict` what it deserves as a datagram and on a stream, what must
//! be readable, the section and the sentence that say so. `built` makes the large ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

mod built;
mod chain;
mod judge;
mod mutated;
mod reads;
mod sets;
mod verdict;
