//! Routes, a table per zone: host routes to peers, and a blackhole for all else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};

use super::{Change, Netlink, family};
use crate::error::KernelError;

/// The table of the kernel's own routes to our addresses.
pub const LOCAL_TABLE: u32 = 255;

/// One route. What the kernel adds by itself in its local table, and what it
/// learns for a moment, is not among those that are read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RouteRow {
    pub table: u32,
    pub destination: IpAddr,
    /// Bits of the destination that count.
    pub length: u8,
    pub gateway: Option<IpAddr>,
    /// The device it leaves by; none for a blackhole.
    pub device: Option<u32>,
    /// The address it leaves from.
    pub source: Option<IpAddr>,
    pub blackhole: bool,
    pub metric: u32,
    /// The kernel made it for an address of ours.
    pub by_kernel: bool,
}

impl Netlink {
    /// Returns the routes of all tables but the local one.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn routes(&self) -> Result<Vec<RouteRow>, KernelError> {
        let mut all = Vec::new();
        for is_v4 in [true, false] {
            let mut ask = RouteMessage::default();
            ask.header.address_family = family(is_v4);
            let ask = RouteNetlinkMessage::GetRoute(ask);
            let rows = self.dump("list of routes", ask).await?;
            all.extend(rows.iter().filter_map(|message| row(message, is_v4)));
        }
        Ok(all)
    }

    /// Adds or removes a route.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn change_route(&self, change: Change, route: &RouteRow) -> Result<(), KernelError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(route.destination.is_ipv4());
        message.header.destination_prefix_length = route.length;
        message.header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
        message.header.protocol = if route.by_kernel {
            RouteProtocol::Kernel
        } else {
            RouteProtocol::Static
        };
        message.header.scope = match (route.gateway, route.blackhole) {
            (None, false) => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        if route.gateway.is_some() {
            // Addresses come without a route to their network.
            message.header.flags = RouteFlags::Onlink;
        }
        message.header.kind = if route.blackhole {
            RouteType::BlackHole
        } else {
            RouteType::Unicast
        };
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Table(route.table));
        if route.length > 0 {
            attributes.push(RouteAttribute::Destination(wire(route.destination)));
        }
        attributes.extend(route.gateway.map(wire).map(RouteAttribute::Gateway));
        attributes.extend(route.source.map(wire).map(RouteAttribute::PrefSource));
        attributes.extend(route.device.map(RouteAttribute::Oif));
        if route.metric > 0 {
            attributes.push(RouteAttribute::Priority(route.metric));
        }
        let what = format!(
            "route to {}/{} in table {}",
            route.destination, route.length, route.table
        );
        match change {
            Change::Add => {
                let message = RouteNetlinkMessage::NewRoute(message);
                self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
            }
            Change::Remove => {
                // Whoever made it, and however far it was meant to reach.
                message.header.protocol = RouteProtocol::Unspec;
                message.header.scope = RouteScope::NoWhere;
                let message = RouteNetlinkMessage::DelRoute(message);
                self.act(&what, message, 0).await
            }
        }
    }
}

fn wire(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

fn address(wire: &RouteAddress) -> Option<IpAddr> {
    match wire {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn row(message: &RouteNetlinkMessage, is_v4: bool) -> Option<RouteRow> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    let learnt = [RouteProtocol::IcmpRedirect, RouteProtocol::Ra];
    let blackhole = match message.header.kind {
        RouteType::Unicast => false,
        RouteType::BlackHole => true,
        // Multicast of IPv6 and the like: the kernel's own, as the local table is.
        _ if message.header.protocol == RouteProtocol::Kernel => return None,
        _ => false,
    };
    let nowhere = if is_v4 {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let mut row = RouteRow {
        table: u32::from(message.header.table),
        destination: nowhere,
        length: message.header.destination_prefix_length,
        gateway: None,
        device: None,
        source: None,
        blackhole,
        metric: 0,
        by_kernel: message.header.protocol == RouteProtocol::Kernel,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(table) => row.table = *table,
            RouteAttribute::Destination(to) => row.destination = address(to)?,
            RouteAttribute::Gateway(by) => row.gateway = address(by),
            RouteAttribute::PrefSource(from) => row.source = address(from),
            RouteAttribute::Oif(device) => row.device = Some(*device),
            RouteAttribute::Priority(metric) => row.metric = *metric,
            // The kernel's cache is no table.
            RouteAttribute::CacheInfo(info) if info.expires != 0 => return None,
            _ => {}
        }
    }
    if blackhole {
        // IPv6 names the loopback device for a route that leads nowhere.
        row.device = None;
    }
    let cached = learnt.contains(&message.header.protocol) && row.by_kernel;
    (row.table != LOCAL_TABLE && !cached).then_some(row)
}
