//! The network as a value: a `Node` becomes what the kernel must hold, what it
//! holds becomes a plan, and a plan that was read back whole becomes a fence.
//! No netlink, no calls.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod build;
pub mod desired;
pub mod firewall;
pub mod observed;
pub mod plan;
pub mod reach;
pub mod verify;

pub use build::{EPHEMERAL, Ports, TIME, Users, desired};
pub use desired::Desired;
pub use firewall::{Chain, Rule, Ruleset, Table};
pub use observed::Observed;
pub use plan::{Plan, Step, Undo, plan};
pub use verify::{Drift, Fence, verify};
