//! What was read back: the same values where the kernel has the same words, and
//! rules in a normal form that does not depend on how `nft` prints them.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::desired::{Address, Connection, Gre, Neighbour, PolicyRule, Route, Shaper};
use crate::firewall::{Family, Hook, Normal};

/// What the kernel and charon hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// All devices.
    pub links: Vec<ObservedLink>,
    /// All addresses but those of loopback.
    pub addresses: Vec<Address>,
    /// The static neighbours.
    pub neighbours: Vec<Neighbour>,
    /// The values of the switches that could be read, by path.
    pub sysctls: BTreeMap<String, String>,
    /// All routes but those of the local table and those the kernel made itself.
    pub routes: Vec<Route>,
    /// All rules but the kernel's own three (priorities 0, 32766, 32767).
    pub rules: Vec<PolicyRule>,
    /// All tables of nftables.
    pub tables: Vec<ObservedTable>,
    /// What somebody set at the roots of links.
    pub shapers: Vec<Shaper>,
    /// What the running charon was told since it started.
    pub connections: Vec<Connection>,
}

/// A device as the kernel shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObservedLink {
    pub name: String,
    pub kind: ObservedKind,
    pub up: bool,
    pub mtu: u32,
    /// IPv6 `addr_gen_mode none`, or no IPv6 at all.
    pub silent: bool,
}

/// What a device is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ObservedKind {
    Loopback,
    Port,
    Vlan {
        below: String,
        tag: u16,
    },
    Gre(Gre),
    /// The kernel's word for it; `gre0` and its like, made when a module loads,
    /// among them.
    Other(String),
}

/// A table of nftables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObservedTable {
    pub family: Family,
    pub name: String,
    /// It has a flag (`dormant`, `owner`) or an object we never make: a set, a
    /// map, a flow table.
    pub foreign: Option<String>,
    /// Named counters.
    pub counters: Vec<String>,
    pub chains: Vec<ObservedChain>,
}

/// A chain of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObservedChain {
    pub name: String,
    pub hook: Option<Hook>,
    pub rules: Vec<ObservedRule>,
}

/// A rule: its parts in order, and its comment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObservedRule {
    pub parts: Normal,
    pub comment: String,
}
