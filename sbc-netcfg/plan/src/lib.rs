//! The network as a value: a `Node` becomes what the kernel must hold, what it
//! holds becomes a plan, and a plan that was read back whole becomes a fence.
//! No netlink, no calls.
#![no_std]
#![forbid(unsafe_code)]
