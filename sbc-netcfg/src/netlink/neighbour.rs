//! Static neighbours: who answers to an address on a link, told beforehand, so
//! that nobody has to be asked (RFC 826).

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::{Change, Netlink, family};
use crate::error::KernelError;

/// A neighbour that was told, not learnt.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NeighbourRow {
    pub index: u32,
    pub address: IpAddr,
    pub mac: Vec<u8>,
}

impl Netlink {
    /// Returns the static neighbours.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn neighbours(&self) -> Result<Vec<NeighbourRow>, KernelError> {
        let ask = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let rows = self.dump("list of neighbours", ask).await?;
        Ok(rows.iter().filter_map(row).collect())
    }

    /// Adds or removes a static neighbour.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn change_neighbour(
        &self,
        change: Change,
        neighbour: &NeighbourRow,
    ) -> Result<(), KernelError> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(neighbour.address.is_ipv4());
        message.header.ifindex = neighbour.index;
        message.header.state = NeighbourState::Permanent;
        let address = match neighbour.address {
            IpAddr::V4(address) => NeighbourAddress::Inet(address),
            IpAddr::V6(address) => NeighbourAddress::Inet6(address),
        };
        let what = format!("static neighbour {}", neighbour.address);
        message
            .attributes
            .push(NeighbourAttribute::Destination(address));
        match change {
            Change::Add => {
                let mac = NeighbourAttribute::LinkLayerAddress(neighbour.mac.clone());
                message.attributes.push(mac);
                let message = RouteNetlinkMessage::NewNeighbour(message);
                self.act(&what, message, NLM_F_CREATE | NLM_F_REPLACE).await
            }
            Change::Remove => {
                let message = RouteNetlinkMessage::DelNeighbour(message);
                self.act(&what, message, 0).await
            }
        }
    }
}

fn row(message: &RouteNetlinkMessage) -> Option<NeighbourRow> {
    let RouteNetlinkMessage::NewNeighbour(message) = message else {
        return None;
    };
    if message.header.state != NeighbourState::Permanent {
        return None;
    }
    let (mut address, mut mac) = (None, Vec::new());
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(at)) => {
                address = Some(IpAddr::V4(*at));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(at)) => {
                address = Some(IpAddr::V6(*at));
            }
            NeighbourAttribute::LinkLayerAddress(at) => mac.clone_from(at),
            _ => {}
        }
    }
    Some(NeighbourRow {
        index: message.header.ifindex,
        address: address?,
        mac,
    })
}
