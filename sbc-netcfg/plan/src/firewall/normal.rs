//! The normal form of a rule: one text for each of its parts, in order. What
//! `nft` prints for the same rule becomes the same texts, so that they can be
//! compared.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use sbc_config::Network;

use super::{Action, Field, Match, Rule, Values};

/// The parts of a rule.
pub type Normal = Vec<String>;

impl Rule {
    /// Returns the rule in its normal form, without its comment.
    pub fn normal(&self) -> Normal {
        let mut parts: Normal = self.matches.iter().map(Match::normal).collect();
        if let Some(limit) = self.limit {
            parts.push(format!(
                "limit {}/second burst {}",
                limit.per_second, limit.burst
            ));
        }
        if let Some(counter) = &self.counter {
            parts.push(format!("counter {counter}"));
        }
        parts.push(match self.action {
            Action::Accept => "accept".into(),
            Action::Drop => "drop".into(),
            Action::ClampMss(size) => format!("set tcp option maxseg size {size}"),
            Action::Mark { v6, dscp } => {
                format!("set {} dscp {}", if v6 { "ip6" } else { "ip" }, mark(dscp))
            }
            Action::Classify(minor) => format!("set meta priority 1:{minor:x}"),
        });
        parts
    }
}

impl Match {
    /// Returns `LEFT == RIGHT` or `LEFT != RIGHT`.
    pub fn normal(&self) -> String {
        let operator = if self.negated { "!=" } else { "==" };
        let mut right = self.values.elements();
        right.sort();
        let right = match right.as_slice() {
            [one] => one.clone(),
            many => format!("{{{}}}", many.join(", ")),
        };
        format!("{} {operator} {right}", self.field.name())
    }
}

impl Field {
    /// Returns what `nft` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InLink => "meta iifname",
            Self::OutLink => "meta oifname",
            Self::User => "meta skuid",
            Self::PacketType => "meta pkttype",
            Self::Protocol => "meta l4proto",
            Self::IpsecIn => "meta ipsec",
            Self::IpsecOut => "rt ipsec",
            Self::Network => "meta protocol",
            Self::EtherType => "ether type",
            Self::EtherGroup => "ether daddr & 01:00:00:00:00:00",
            Self::EtherTarget => "ether daddr",
            Self::VlanId => "vlan id",
            Self::VlanType => "vlan type",
            Self::ArpOperation => "arp operation",
            Self::ArpSource => "arp saddr ip",
            Self::ArpTarget => "arp daddr ip",
            Self::Source4 => "ip saddr",
            Self::Target4 => "ip daddr",
            Self::Source6 => "ip6 saddr",
            Self::Target6 => "ip6 daddr",
            Self::Fragment4 => "ip frag-off & 16383",
            Self::HeaderLength4 => "ip hdrlength",
            Self::NextHeader6 => "ip6 nexthdr",
            Self::HopLimit6 => "ip6 hoplimit",
            Self::TcpSource => "tcp sport",
            Self::TcpTarget => "tcp dport",
            Self::UdpSource => "udp sport",
            Self::UdpTarget => "udp dport",
            Self::TcpSynRst => "tcp flags & syn|rst",
            Self::TcpSynAck => "tcp flags & syn|ack",
            Self::IcmpType => "icmp type",
            Self::Icmp6Type => "icmpv6 type",
            Self::Dscp4 => "ip dscp",
            Self::Dscp6 => "ip6 dscp",
        }
    }
}

impl Values {
    /// Returns each element as `nft` writes it: without doubles, and where one is
    /// more than a single value, with neighbours merged, as the kernel does.
    pub fn elements(&self) -> Vec<String> {
        match self {
            Self::Names(names) => unique(names.clone()),
            Self::Words(words) => unique(words.iter().map(ToString::to_string).collect()),
            Self::Texts(texts) => unique(texts.clone()),
            Self::Numbers(numbers) => {
                let mut numbers = numbers.clone();
                numbers.sort_unstable();
                numbers.dedup();
                numbers.iter().map(ToString::to_string).collect()
            }
            Self::Exists(exists) => Vec::from([if *exists { "exists" } else { "missing" }.into()]),
            Self::Ports(ports) => {
                let wide = ports.iter().map(|(a, b)| (u128::from(*a), u128::from(*b)));
                let merged = merge(wide.collect());
                let text = |(first, last): (u128, u128)| {
                    if first == last {
                        first.to_string()
                    } else {
                        format!("{first}-{last}")
                    }
                };
                merged.into_iter().map(text).collect()
            }
            Self::Networks(networks) => {
                let mut texts = Vec::new();
                for v4 in [true, false] {
                    let family = networks.iter().filter(|n| n.address().is_ipv4() == v4);
                    let wide = family.map(|n| (bits(n.first()), bits(n.last())));
                    let merged = merge(wide.collect());
                    texts.extend(merged.into_iter().map(|range| network(range, v4)));
                }
                texts
            }
        }
    }
}

fn unique(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.dedup();
    texts
}

/// Sorts; merges what overlaps; and where any element is a range, what touches.
fn merge(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    let touching = ranges.iter().any(|(first, last)| first != last);
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before)
                if first <= before.1 || (touching && before.1.checked_add(1) == Some(first)) =>
            {
                before.1 = before.1.max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(bits: u128, v4: bool) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if v4 => IpAddr::V4(bits.into()),
        _ => IpAddr::V6(bits.into()),
    }
}

/// Returns an address, a prefix where the range is one, else the range.
fn network((first, last): (u128, u128), v4: bool) -> String {
    let (low, high) = (address(first, v4), address(last, v4));
    if first == last {
        return low.to_string();
    }
    let most: u8 = if v4 { 32 } else { 128 };
    let fits = (0..most).find_map(|length| {
        let network = Network::new(low, length)?;
        (network.first() == low && network.last() == high).then_some(length)
    });
    match fits {
        Some(length) => format!("{low}/{length}"),
        None => format!("{low}-{high}"),
    }
}

/// Returns the name `nft` prints for a mark (RFC 2474 §4.2.2, RFC 2597 §6, RFC
/// 3246 §2.7), or its number.
pub(crate) fn mark(dscp: u8) -> String {
    if dscp == 46 {
        return "ef".into();
    }
    if dscp.is_multiple_of(8) && dscp < 64 {
        return format!("cs{}", dscp / 8);
    }
    let (class, precedence) = (dscp / 8, dscp % 8);
    if (1..=4).contains(&class) && matches!(precedence, 2 | 4 | 6) {
        return format!("af{class}{}", precedence / 2);
    }
    format!("0x{dscp:02x}")
}
