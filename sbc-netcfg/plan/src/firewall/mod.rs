//! The firewall as typed tables, chains and rules. Each rule carries the
//! sentence it enforces; text for `nft` and the normal form it is read back in
//! are functions of these values.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sbc_config::Network;

mod normal;
mod text;

pub use normal::Normal;
pub(crate) use normal::mark as mark_word;

/// All tables of ours.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ruleset {
    pub tables: Vec<Table>,
}

impl Ruleset {
    /// Returns the table of that family and name.
    pub fn table(&self, family: Family, name: &str) -> Option<&Table> {
        let mut tables = self.tables.iter();
        tables.find(|table| table.family == family && table.name == name)
    }

    /// Returns the netdev table that belongs to a link.
    pub fn of_link(&self, link: &str) -> Option<&Table> {
        let mut tables = self.tables.iter();
        tables.find(|table| table.link.as_deref() == Some(link))
    }

    /// Returns every rule with its table and chain.
    pub fn rules(&self) -> impl Iterator<Item = (&Table, &Chain, &Rule)> {
        self.tables.iter().flat_map(|table| {
            let chains = table.chains.iter();
            chains.flat_map(move |chain| chain.rules.iter().map(move |rule| (table, chain, rule)))
        })
    }
}

/// Families of tables that are used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Family {
    Inet,
    Netdev,
    /// Read back only: nothing of ours.
    Other,
}

impl Family {
    /// Returns the word of `nft`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Netdev => "netdev",
            Self::Other => "other",
        }
    }
}

/// A table without owner: it survives every process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    pub family: Family,
    pub name: String,
    /// The link a netdev table belongs to: loaded when the link exists, before it
    /// is up.
    pub link: Option<String>,
    /// Named counters, in order.
    pub counters: Vec<String>,
    pub chains: Vec<Chain>,
}

/// A base chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain {
    pub name: String,
    pub hook: Hook,
    pub rules: Vec<Rule>,
}

/// Where a chain hangs, and what becomes of what no rule took. All chains are of
/// type `filter`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// `ingress`, `egress`, `input`, `output`, `forward`, `postrouting`.
    pub point: String,
    pub priority: i32,
    /// Else it accepts.
    pub drops: bool,
    /// The link of a netdev chain.
    pub device: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// All must hold.
    pub matches: Vec<Match>,
    pub limit: Option<Limit>,
    /// A named counter of the table.
    pub counter: Option<String>,
    pub action: Action,
    /// The sentence it enforces: at most 127 octets, as the kernel holds it.
    pub sentence: &'static str,
}

/// A rate, in packets a second, and how many may come at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit {
    pub per_second: u32,
    pub burst: u32,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Accept,
    Drop,
    /// Lowers the maximum segment size a TCP SYN names (RFC 9293 §3.7.1).
    ClampMss(u16),
    /// Writes a mark (RFC 2474 §3) into the header of that family.
    Mark {
        v6: bool,
        dscp: u8,
    },
    /// Puts the packet into class `1:minor` of a shaper.
    Classify(u16),
}

/// One condition: the field has, or has not, one of the values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Match {
    pub field: Field,
    /// Holds when the field has none of the values.
    pub negated: bool,
    pub values: Values,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// `meta iifname`, `meta oifname`: names.
    InLink,
    OutLink,
    /// `meta skuid`: the user whose socket sends. No socket, no match either way.
    User,
    /// `meta pkttype`: words.
    PacketType,
    /// `meta l4proto`: numbers.
    Protocol,
    /// `meta ipsec`, `rt ipsec`: came through, will go into, an association.
    IpsecIn,
    IpsecOut,
    /// `meta protocol`: words.
    Network,
    /// `ether type`: words.
    EtherType,
    /// `ether daddr` with its group bit alone.
    EtherGroup,
    /// `ether daddr`: a MAC.
    EtherTarget,
    /// `vlan id`, `vlan type`.
    VlanId,
    VlanType,
    ArpOperation,
    ArpSource,
    ArpTarget,
    /// `ip saddr`, `ip daddr`.
    Source4,
    Target4,
    Source6,
    Target6,
    /// `ip frag-off & 16383`: more fragments, or not the first.
    Fragment4,
    /// `ip hdrlength`, in words of 32 bits.
    HeaderLength4,
    /// `ip6 nexthdr`, `ip6 hoplimit`.
    NextHeader6,
    HopLimit6,
    TcpSource,
    TcpTarget,
    UdpSource,
    UdpTarget,
    /// `tcp flags & (…)` of SYN and RST.
    TcpSynRst,
    /// `tcp flags & (…)` of SYN and ACK.
    TcpSynAck,
    IcmpType,
    Icmp6Type,
    Dscp4,
    Dscp6,
}

/// What a field is compared with; more than one makes a set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Values {
    /// Kernel names of links.
    Names(Vec<String>),
    Numbers(Vec<u32>),
    /// First and last, both included.
    Ports(Vec<(u16, u16)>),
    Networks(Vec<Network>),
    /// Words of `nft`.
    Words(Vec<&'static str>),
    Texts(Vec<String>),
    /// True: exists. False: missing.
    Exists(bool),
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;
