//! Addresses of devices: added, removed, read.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};

use super::{Change, Netlink, family};
use crate::error::KernelError;

/// One of our addresses.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AddressRow {
    pub index: u32,
    pub address: IpAddr,
    /// Bits of its network part.
    pub length: u8,
    /// It is of use on its own link alone: the kernel made it, as a rule.
    pub link_local: bool,
}

impl Netlink {
    /// Returns all addresses.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn addresses(&self) -> Result<Vec<AddressRow>, KernelError> {
        let ask = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let rows = self.dump("list of addresses", ask).await?;
        Ok(rows.iter().filter_map(row).collect())
    }

    /// Adds or removes an address. No broadcast address comes with it: nothing
    /// of ours is ever sent there; and no route.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn change_address(
        &self,
        change: Change,
        index: u32,
        address: IpAddr,
        length: u8,
    ) -> Result<(), KernelError> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.is_ipv4());
        message.header.prefix_len = length;
        message.header.index = index;
        message.header.scope = AddressScope::Universe;
        message.attributes.push(AddressAttribute::Address(address));
        // Routes are the plan's alone; and nobody is asked whether an address is free.
        let mut flags = AddressFlags::Noprefixroute;
        if address.is_ipv6() {
            flags |= AddressFlags::Nodad;
        }
        message.attributes.push(AddressAttribute::Flags(flags));
        if address.is_ipv4() {
            message.attributes.push(AddressAttribute::Local(address));
        }
        let what = format!("address {address}/{length}");
        match change {
            Change::Add => {
                let message = RouteNetlinkMessage::NewAddress(message);
                self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
            }
            Change::Remove => {
                let message = RouteNetlinkMessage::DelAddress(message);
                self.act(&what, message, 0).await
            }
        }
    }
}

fn row(message: &RouteNetlinkMessage) -> Option<AddressRow> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(at) => local = Some(*at),
            AddressAttribute::Address(at) => address = Some(*at),
            _ => {}
        }
    }
    Some(AddressRow {
        index: message.header.index,
        address: local.or(address)?,
        length: message.header.prefix_len,
        link_local: message.header.scope == AddressScope::Link,
    })
}
