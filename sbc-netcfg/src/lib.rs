//! The program's hands in the kernel: a plan comes in, links, addresses,
//! routes, rules and tunnels are applied, read back, kept or undone.

pub mod error;
pub mod netlink;
pub mod nft;
pub mod secrets;
pub mod sysctl;
pub mod vpn;
