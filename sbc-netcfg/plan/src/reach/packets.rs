//! A set of packets, and whether a condition holds for all of them, for none, or
//! for some.

use alloc::string::String;
use core::net::IpAddr;

use sbc_config::{Network, Zone};

use super::Way;
use crate::firewall::{Field, Match, Values};

/// What holds for a set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Truth {
    Yes,
    No,
    Maybe,
}

/// The shape of a frame.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Frame {
    /// To the station itself, with the link's tag, whole and without options.
    Plain,
    Broadcast,
    Multicast,
    OtherHost,
    DoubleTag,
    UnknownTag,
    Options,
}

impl Frame {
    /// Those that must never pass.
    pub const STRAY: [Self; 6] = [
        Self::Broadcast,
        Self::Multicast,
        Self::OtherHost,
        Self::DoubleTag,
        Self::UnknownTag,
        Self::Options,
    ];

    /// Returns true if such a frame can go that way: what leaves has no receiver
    /// yet and shows one tag; a tunnel has no frames.
    pub fn occurs(self, way: Way, framed: bool) -> bool {
        match self {
            Self::Options => true,
            Self::Broadcast | Self::Multicast => framed,
            _ => framed && way == Way::In,
        }
    }
}

/// All packets that share what is told here.
#[derive(Clone, Debug)]
pub struct Packets {
    pub way: Way,
    pub link: String,
    pub zone: Option<Zone>,
    pub frame: Frame,
    pub v4: bool,
    pub arp: Option<&'static str>,
    pub source: (u128, u128),
    pub target: (u128, u128),
    pub protocol: Option<u8>,
    pub user: Option<Option<u32>>,
    pub source_ports: Option<(u16, u16)>,
    pub target_ports: Option<(u16, u16)>,
    pub begins: Option<bool>,
    pub icmp: Option<&'static str>,
    pub ipsec: Option<bool>,
}

pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

pub(crate) fn address(bits: u128, v4: bool) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if v4 => IpAddr::V4(bits.into()),
        _ => IpAddr::V6(bits.into()),
    }
}

impl Packets {
    /// Returns all packets of a link and kind.
    pub fn all(
        link: &str,
        zone: Option<Zone>,
        way: Way,
        v4: bool,
        arp: Option<&'static str>,
    ) -> Self {
        let every = (0, if v4 { u128::from(u32::MAX) } else { u128::MAX });
        Self {
            way,
            link: link.into(),
            zone,
            frame: Frame::Plain,
            v4,
            arp,
            source: every,
            target: every,
            protocol: None,
            user: None,
            source_ports: None,
            target_ports: None,
            begins: None,
            icmp: None,
            ipsec: None,
        }
    }

    /// Returns whether all conditions hold, at a place where a frame shows `tag`.
    pub fn all_of(&self, matches: &[Match], tag: Option<u16>) -> Truth {
        let mut all = Truth::Yes;
        for one in matches {
            match self.holds(one, tag) {
                Truth::Yes => {}
                Truth::No => return Truth::No,
                Truth::Maybe => all = Truth::Maybe,
            }
        }
        all
    }

    fn holds(&self, one: &Match, tag: Option<u16>) -> Truth {
        // A field the packet does not have holds neither way.
        let Some(plain) = self.field(one.field, &one.values, tag) else {
            return Truth::No;
        };
        match (plain, one.negated) {
            (Truth::Yes, true) => Truth::No,
            (Truth::No, true) => Truth::Yes,
            (truth, _) => truth,
        }
    }

    fn field(&self, field: Field, values: &Values, tag: Option<u16>) -> Option<Truth> {
        let ip = |v4: bool| self.arp.is_none() && self.v4 == v4;
        let here = |there: bool, truth: Truth| there.then_some(truth);
        match field {
            Field::InLink => here(self.way == Way::In, names(values, &self.link)),
            Field::OutLink => here(self.way == Way::Out, names(values, &self.link)),
            Field::User => match self.user {
                None => Some(Truth::Maybe),
                Some(None) => None,
                Some(Some(user)) => Some(number(values, user)),
            },
            Field::PacketType => Some(yes(self.frame == Frame::OtherHost)),
            Field::Protocol => here(self.arp.is_none(), self.protocol(values)),
            Field::IpsecIn | Field::IpsecOut => Some(match (self.ipsec, values) {
                (carried, Values::Exists(exists)) => yes(carried.unwrap_or(false) == *exists),
                _ => Truth::Maybe,
            }),
            Field::EtherType => Some(self.ether_type(values, tag)),
            Field::VlanType => {
                let shown = tag.is_some() || self.frame == Frame::UnknownTag;
                let double = self.frame == Frame::DoubleTag;
                here(shown || double, yes(double))
            }
            Field::VlanId => match (tag, self.frame) {
                (_, Frame::UnknownTag) => Some(Truth::No),
                (Some(tag), _) => Some(number(values, tag.into())),
                (None, _) => None,
            },
            Field::Network => {
                let name = if self.v4 { "ip" } else { "ip6" };
                here(true, yes(self.arp.is_none() && words(values, name)))
            }
            Field::EtherGroup => Some(yes(matches!(
                self.frame,
                Frame::Broadcast | Frame::Multicast
            ))),
            Field::EtherTarget => Some(yes(self.frame == Frame::Broadcast)),
            Field::ArpOperation => self.arp.map(|operation| yes(words(values, operation))),
            Field::ArpSource => here(self.arp.is_some(), self.network(values, self.source)),
            Field::ArpTarget => here(self.arp.is_some(), self.network(values, self.target)),
            Field::Source4 => here(ip(true), self.network(values, self.source)),
            Field::Target4 => here(ip(true), self.network(values, self.target)),
            Field::Source6 => here(ip(false), self.network(values, self.source)),
            Field::Target6 => here(ip(false), self.network(values, self.target)),
            // Whole packets only; a fragment is at most what it is part of.
            Field::Fragment4 => here(ip(true), number(values, 0)),
            Field::HeaderLength4 => {
                let words = if self.frame == Frame::Options { 6 } else { 5 };
                here(ip(true), number(values, words))
            }
            Field::NextHeader6 if self.frame == Frame::Options => here(ip(false), Truth::No),
            Field::NextHeader6 => here(ip(false), self.protocol(values)),
            Field::HopLimit6 => here(ip(false), Truth::Yes),
            Field::TcpSource => self.port(6, self.source_ports, values),
            Field::TcpTarget => self.port(6, self.target_ports, values),
            Field::UdpSource => self.port(17, self.source_ports, values),
            Field::UdpTarget => self.port(17, self.target_ports, values),
            Field::TcpSynRst => self.has(6, Some(yes(words(values, "")))),
            Field::TcpSynAck => {
                let begins = self.begins.map(|begins| {
                    let flags = if begins { "syn" } else { "ack" };
                    yes(words(values, flags))
                });
                self.has(6, begins)
            }
            Field::IcmpType => self.has(1, self.icmp.map(|kind| yes(words(values, kind)))),
            Field::Icmp6Type => self.has(58, self.icmp.map(|kind| yes(words(values, kind)))),
            Field::Dscp4 | Field::Dscp6 => Some(Truth::Maybe),
        }
    }

    /// Returns nothing if the packets are of another protocol, what is known if
    /// they are of this one.
    fn has(&self, protocol: u8, known: Option<Truth>) -> Option<Truth> {
        match self.protocol {
            _ if self.arp.is_some() => None,
            Some(own) if own != protocol => None,
            Some(_) => Some(known.unwrap_or(Truth::Maybe)),
            None => Some(Truth::Maybe),
        }
    }

    fn port(&self, protocol: u8, known: Option<(u16, u16)>, values: &Values) -> Option<Truth> {
        let known = known.map(|(first, last)| {
            let Values::Ports(ports) = values else {
                return Truth::Maybe;
            };
            let wide = ports.iter().map(|(a, b)| (u128::from(*a), u128::from(*b)));
            within((first.into(), last.into()), wide)
        });
        self.has(protocol, known)
    }

    fn protocol(&self, values: &Values) -> Truth {
        self.protocol
            .map_or(Truth::Maybe, |own| number(values, own.into()))
    }

    fn ether_type(&self, values: &Values, tag: Option<u16>) -> Truth {
        let tagged = tag.is_some() || matches!(self.frame, Frame::DoubleTag | Frame::UnknownTag);
        if tagged {
            return yes(words(values, "8021q"));
        }
        let name = match (self.arp, self.v4) {
            (Some(_), _) => "arp",
            (None, true) => "ip",
            (None, false) => "ip6",
        };
        yes(words(values, name))
    }

    fn network(&self, values: &Values, range: (u128, u128)) -> Truth {
        let Values::Networks(networks) = values else {
            return Truth::Maybe;
        };
        let family = networks
            .iter()
            .filter(|one| one.address().is_ipv4() == self.v4);
        within(
            range,
            family.map(|one: &Network| (bits(one.first()), bits(one.last()))),
        )
    }
}

/// Returns whether a range lies inside one of many, outside all, or neither.
fn within(range: (u128, u128), many: impl Iterator<Item = (u128, u128)>) -> Truth {
    let mut touched = false;
    for (first, last) in many {
        if first <= range.0 && range.1 <= last {
            return Truth::Yes;
        }
        touched |= first <= range.1 && range.0 <= last;
    }
    if touched { Truth::Maybe } else { Truth::No }
}

const fn yes(is: bool) -> Truth {
    if is { Truth::Yes } else { Truth::No }
}

fn names(values: &Values, name: &str) -> Truth {
    let Values::Names(names) = values else {
        return Truth::Maybe;
    };
    yes(names.iter().any(|one| one == name))
}

fn number(values: &Values, own: u32) -> Truth {
    let Values::Numbers(numbers) = values else {
        return Truth::Maybe;
    };
    yes(numbers.contains(&own))
}

fn words(values: &Values, word: &str) -> bool {
    matches!(values, Values::Words(words) if words.contains(&word))
}
