//! Routing rules: which table a packet is looked up in, by where it comes from,
//! where it goes and who sends it.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RuleUidRange};

use super::{Change, Netlink, family};
use crate::error::KernelError;

/// One rule. A field that is absent matches everything.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RuleRow {
    pub priority: u32,
    pub is_v4: bool,
    pub from: Option<(IpAddr, u8)>,
    pub to: Option<(IpAddr, u8)>,
    pub out_by: Option<String>,
    pub in_by: Option<String>,
    /// First and last user of the senders.
    pub users: Option<(u32, u32)>,
    /// The table to look in; without one the packet is thrown away.
    pub table: Option<u32>,
}

impl RuleRow {
    /// Returns whether it says more than whence and whither: none of ours does.
    #[must_use]
    pub fn says_more(&self) -> bool {
        let whole =
            |(address, length): &(IpAddr, u8)| *length == if address.is_ipv4() { 32 } else { 128 };
        let network = self.from.as_ref().is_some_and(|from| !whole(from));
        let more = self.to.is_some() || self.in_by.is_some() || self.out_by.is_some();
        network || more || self.users.is_some()
    }
}

impl Netlink {
    /// Returns the rules of both families.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn rules(&self) -> Result<Vec<RuleRow>, KernelError> {
        let mut all = Vec::new();
        for is_v4 in [true, false] {
            let mut ask = RuleMessage::default();
            ask.header.family = family(is_v4);
            let ask = RouteNetlinkMessage::GetRule(ask);
            let rows = match self.dump("list of routing rules", ask).await {
                // A kernel without IPv6 has no rules of it.
                Err(KernelError::Refused { .. }) if !is_v4 => Vec::new(),
                rows => rows?,
            };
            all.extend(rows.iter().filter_map(|message| row(message, is_v4)));
        }
        Ok(all)
    }

    /// Adds or removes a rule.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn change_rule(&self, change: Change, rule: &RuleRow) -> Result<(), KernelError> {
        let mut message = RuleMessage::default();
        message.header.family = family(rule.is_v4);
        let attributes = &mut message.attributes;
        attributes.push(RuleAttribute::Priority(rule.priority));
        attributes.push(RuleAttribute::Protocol(RouteProtocol::Static));
        if let Some((address, length)) = rule.from {
            message.header.src_len = length;
            attributes.push(RuleAttribute::Source(address));
        }
        if let Some((address, length)) = rule.to {
            message.header.dst_len = length;
            attributes.push(RuleAttribute::Destination(address));
        }
        attributes.extend(rule.out_by.clone().map(RuleAttribute::Oifname));
        attributes.extend(rule.in_by.clone().map(RuleAttribute::Iifname));
        if let Some((start, end)) = rule.users {
            attributes.push(RuleAttribute::UidRange(RuleUidRange { start, end }));
        }
        if let Some(table) = rule.table {
            message.header.action = RuleAction::ToTable;
            message.header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
            attributes.push(RuleAttribute::Table(table));
        } else {
            message.header.action = RuleAction::Blackhole;
        }
        let what = format!("routing rule {}", rule.priority);
        match change {
            Change::Add => {
                let message = RouteNetlinkMessage::NewRule(message);
                self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
            }
            Change::Remove => {
                // The kernel's own rules carry another protocol, so it is not asked for.
                message
                    .attributes
                    .retain(|one| !matches!(one, RuleAttribute::Protocol(_)));
                let message = RouteNetlinkMessage::DelRule(message);
                self.act(&what, message, 0).await
            }
        }
    }
}

fn row(message: &RouteNetlinkMessage, is_v4: bool) -> Option<RuleRow> {
    let RouteNetlinkMessage::NewRule(message) = message else {
        return None;
    };
    let header = &message.header;
    let mut row = RuleRow {
        priority: 0,
        is_v4,
        from: None,
        to: None,
        out_by: None,
        in_by: None,
        users: None,
        table: (header.action == RuleAction::ToTable).then_some(u32::from(header.table)),
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => row.priority = *priority,
            RuleAttribute::Source(at) => row.from = Some((*at, header.src_len)),
            RuleAttribute::Destination(at) => row.to = Some((*at, header.dst_len)),
            RuleAttribute::Oifname(name) => row.out_by = Some(name.clone()),
            RuleAttribute::Iifname(name) => row.in_by = Some(name.clone()),
            RuleAttribute::UidRange(range) => row.users = Some((range.start, range.end)),
            RuleAttribute::Table(table) if row.table.is_some() => row.table = Some(*table),
            _ => {}
        }
    }
    Some(row)
}
