//! The console as people and scripts meet it: a node, and a terminal of our own
//! in front of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may say what they mean"
)]

mod certificates;
mod clock;
mod closely;
mod codes;
mod hostile;
mod life;
mod login;
mod newcomer;
mod node;
mod owner;
mod peer;
mod planted;
mod pty;
mod reach;
mod sealed;
mod secured;
mod shows;
mod syslog;
mod transcript;
mod wire;
