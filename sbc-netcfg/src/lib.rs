//! The program's hands in the kernel: a plan comes in, links, addresses,
//! routes, rules and tunnels are applied, read back, kept or undone.

pub mod apply;
pub mod certificate;
pub mod error;
pub mod guard;
pub mod listen;
pub mod netlink;
pub mod nft;
pub mod observe;
pub mod ports;
pub mod secrets;
pub mod sysctl;
pub mod vpn;
