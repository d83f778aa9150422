//! Whole calls in virtual time: personas on both sides of the engine, every
//! story ends with nothing left of its calls.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it means"
)]

mod admission;
mod calls;
mod copies;
mod crossing;
mod diagnosis;
mod early;
mod failures;
mod health;
mod holds;
mod inside;
mod lab;
mod many;
mod media;
mod persona;
mod redirects;
mod reliable;
mod timers;
mod withdrawn;
