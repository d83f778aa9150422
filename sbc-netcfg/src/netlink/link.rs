//! Devices: 802.1Q VLANs and GRE tunnels (RFC 2784, RFC 2890) are made, set up
//! or down and removed; all devices are read with what the fence depends on.

use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, GreIOFlags, In6AddrGenMode, InfoData, InfoGre, InfoKind, InfoVlan,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::Netlink;
use crate::error::KernelError;

/// The outer packets' time to live: a route to a peer has fewer hops.
const GRE_TTL: u8 = 64;

/// Type of service 1 means: copy the inner packet's (ip-link(8), `tos inherit`).
const GRE_TOS_INHERIT: u8 = 1;

/// What makes a GRE tunnel the one it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gre {
    pub local: Ipv4Addr,
    pub remote: Ipv4Addr,
    /// RFC 2890; the same both ways.
    pub key: Option<u32>,
    pub ttl: u8,
    pub path_mtu_discovery: bool,
    /// The outer packet has the inner one's type of service.
    pub inherit_tos: bool,
}

impl Gre {
    /// Returns a tunnel between two addresses as we make them.
    #[must_use]
    pub const fn between(local: Ipv4Addr, remote: Ipv4Addr, key: Option<u32>) -> Self {
        Self {
            local,
            remote,
            key,
            ttl: GRE_TTL,
            path_mtu_discovery: true,
            inherit_tos: true,
        }
    }
}

/// What a device is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    Loopback,
    /// A port of the machine, or whatever stands for one.
    Port,
    Vlan {
        /// The kernel's number of the device below.
        below: u32,
        tag: u16,
    },
    Gre(Gre),
    /// Made by somebody else; the kernel's word for it.
    Other(String),
}

/// A device as the kernel shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkRow {
    pub index: u32,
    pub name: String,
    pub kind: Kind,
    pub up: bool,
    /// The layer below is there: a cable is plugged, the device below is up.
    pub carrier: bool,
    pub mtu: u32,
    pub mac: Vec<u8>,
    /// The kernel makes no IPv6 address of its own here.
    pub silent_v6: bool,
}

/// What the kernel counted on a device since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub packets_in: u64,
    pub octets_in: u64,
    pub packets_out: u64,
    pub octets_out: u64,
    pub dropped_in: u64,
    pub dropped_out: u64,
    pub errors_in: u64,
    pub errors_out: u64,
}

/// A device with its counters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counted {
    pub row: LinkRow,
    pub counts: Counts,
}

impl Netlink {
    /// Returns all devices with their counters.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn counted(&self) -> Result<Vec<Counted>, KernelError> {
        let ask = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let rows = self.dump("list of devices", ask).await?;
        let counted = |message: &RouteNetlinkMessage| {
            Some(Counted {
                row: row(message)?,
                counts: counts(message),
            })
        };
        Ok(rows.iter().filter_map(counted).collect())
    }

    /// Returns all devices.
    ///
    /// # Errors
    /// When the kernel does not show them.
    pub async fn links(&self) -> Result<Vec<LinkRow>, KernelError> {
        let ask = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let rows = self.dump("list of devices", ask).await?;
        Ok(rows.iter().filter_map(row).collect())
    }

    /// Makes a VLAN device on the device `below`, down.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn add_vlan(&self, name: &str, below: u32, tag: u16) -> Result<(), KernelError> {
        let data = InfoData::Vlan(vec![InfoVlan::Id(tag)]);
        let below = LinkAttribute::Link(below);
        self.add_link(name, InfoKind::Vlan, data, Some(below)).await
    }

    /// Makes a GRE tunnel, down.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn add_gre(&self, name: &str, gre: Gre) -> Result<(), KernelError> {
        let mut data = vec![
            InfoGre::Local(gre.local),
            InfoGre::Remote(gre.remote),
            InfoGre::Ttl(gre.ttl),
            InfoGre::Tos(if gre.inherit_tos { GRE_TOS_INHERIT } else { 0 }),
            InfoGre::PathMTUDiscovery(gre.path_mtu_discovery),
        ];
        if let Some(key) = gre.key {
            data.extend([
                InfoGre::IFlags(GreIOFlags::Key),
                InfoGre::OFlags(GreIOFlags::Key),
                InfoGre::IKey(key),
                InfoGre::OKey(key),
            ]);
        }
        let data = InfoData::GreTun(data);
        self.add_link(name, InfoKind::GreTun, data, None).await
    }

    async fn add_link(
        &self,
        name: &str,
        kind: InfoKind,
        data: InfoData,
        below: Option<LinkAttribute>,
    ) -> Result<(), KernelError> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.extend(below);
        let info = vec![LinkInfo::Kind(kind), LinkInfo::Data(data)];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let message = RouteNetlinkMessage::NewLink(message);
        let what = format!("making device {name}");
        self.act(&what, message, NLM_F_CREATE | NLM_F_EXCL).await
    }

    /// Removes a device.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn remove_link(&self, name: &str, index: u32) -> Result<(), KernelError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let message = RouteNetlinkMessage::DelLink(message);
        self.act(&format!("removing device {name}"), message, 0)
            .await
    }

    /// Sets a device up or down.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn set_up(&self, name: &str, index: u32, up: bool) -> Result<(), KernelError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        if up {
            message.header.flags = LinkFlags::Up;
        }
        let word = if up { "up" } else { "down" };
        self.set_link(&format!("setting device {name} {word}"), message)
            .await
    }

    /// Sets the largest IP packet of a device, in octets.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn set_mtu(&self, name: &str, index: u32, mtu: u32) -> Result<(), KernelError> {
        let what = format!("setting the packet size of {name}");
        self.set_one(&what, index, LinkAttribute::Mtu(mtu)).await
    }

    /// Sets the hardware address of a device.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn set_mac(&self, name: &str, index: u32, mac: &[u8]) -> Result<(), KernelError> {
        let what = format!("setting the hardware address of {name}");
        let mac = LinkAttribute::Address(mac.to_owned());
        self.set_one(&what, index, mac).await
    }

    /// Keeps the kernel from making IPv6 addresses on a device, or lets it.
    /// Without it a device that comes up sends of its own accord.
    ///
    /// # Errors
    /// What the kernel said.
    pub async fn set_silent_v6(
        &self,
        name: &str,
        index: u32,
        silent: bool,
    ) -> Result<(), KernelError> {
        let mode = if silent {
            In6AddrGenMode::None
        } else {
            In6AddrGenMode::Eui64
        };
        let inet6 = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(mode)]);
        let what = format!("silencing IPv6 on {name}");
        let spec = LinkAttribute::AfSpecUnspec(vec![inet6]);
        self.set_one(&what, index, spec).await
    }

    async fn set_one(
        &self,
        what: &str,
        index: u32,
        attribute: LinkAttribute,
    ) -> Result<(), KernelError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(attribute);
        self.set_link(what, message).await
    }

    async fn set_link(&self, what: &str, message: LinkMessage) -> Result<(), KernelError> {
        let message = RouteNetlinkMessage::SetLink(message);
        self.act(what, message, 0).await
    }
}

fn counts(message: &RouteNetlinkMessage) -> Counts {
    let RouteNetlinkMessage::NewLink(link) = message else {
        return Counts::default();
    };
    let found = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Stats64(stats) => Some(stats),
            _ => None,
        });
    found.map_or_else(Counts::default, |stats| Counts {
        packets_in: stats.rx_packets,
        octets_in: stats.rx_bytes,
        packets_out: stats.tx_packets,
        octets_out: stats.tx_bytes,
        dropped_in: stats.rx_dropped,
        dropped_out: stats.tx_dropped,
        errors_in: stats.rx_errors,
        errors_out: stats.tx_errors,
    })
}

/// Returns the device a message tells of, if it tells of one.
pub(super) fn row(message: &RouteNetlinkMessage) -> Option<LinkRow> {
    let (RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)) = message else {
        return None;
    };
    let mut row = LinkRow {
        index: link.header.index,
        name: String::new(),
        kind: Kind::Port,
        up: link.header.flags.contains(LinkFlags::Up),
        carrier: link.header.flags.contains(LinkFlags::LowerUp),
        mtu: 0,
        mac: Vec::new(),
        silent_v6: false,
    };
    let (mut below, mut info) = (0, None);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => row.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => row.mtu = *mtu,
            LinkAttribute::Address(mac) => row.mac.clone_from(mac),
            LinkAttribute::Link(index) => below = *index,
            LinkAttribute::LinkInfo(all) => info = Some(all),
            LinkAttribute::AfSpecUnspec(families) => row.silent_v6 = silent(families),
            _ => {}
        }
    }
    row.kind = if link.header.flags.contains(LinkFlags::Loopback) {
        Kind::Loopback
    } else {
        info.map_or(Kind::Port, |info| kind(info, below))
    };
    Some(row)
}

fn silent(families: &[AfSpecUnspec]) -> bool {
    families.iter().any(|family| {
        let AfSpecUnspec::Inet6(all) = family else {
            return false;
        };
        all.contains(&AfSpecInet6::AddrGenMode(In6AddrGenMode::None))
    })
}

fn kind(info: &[LinkInfo], below: u32) -> Kind {
    let mut word = None;
    for one in info {
        match one {
            LinkInfo::Kind(kind) => word = Some(kind),
            LinkInfo::Data(InfoData::Vlan(data)) => {
                let tag = data.iter().find_map(|one| match one {
                    InfoVlan::Id(tag) => Some(*tag),
                    _ => None,
                });
                return Kind::Vlan {
                    below,
                    tag: tag.unwrap_or_default(),
                };
            }
            LinkInfo::Data(InfoData::GreTun(data)) => return Kind::Gre(gre(data)),
            _ => {}
        }
    }
    match word {
        // Virtual cables and taps stand for ports in a namespace or a guest.
        None | Some(InfoKind::Veth | InfoKind::Tun | InfoKind::Dummy) => Kind::Port,
        Some(other) => Kind::Other(other.to_string()),
    }
}

fn gre(data: &[InfoGre]) -> Gre {
    let nowhere = Ipv4Addr::UNSPECIFIED;
    let mut gre = Gre::between(nowhere, nowhere, None);
    let mut keyed = false;
    gre.inherit_tos = false;
    for one in data {
        match one {
            InfoGre::Local(address) => gre.local = *address,
            InfoGre::Remote(address) => gre.remote = *address,
            InfoGre::Ttl(ttl) => gre.ttl = *ttl,
            InfoGre::PathMTUDiscovery(on) => gre.path_mtu_discovery = *on,
            InfoGre::Tos(tos) => gre.inherit_tos = *tos == GRE_TOS_INHERIT,
            InfoGre::OFlags(flags) => keyed = flags.contains(GreIOFlags::Key),
            InfoGre::OKey(key) => gre.key = Some(*key),
            _ => {}
        }
    }
    if !keyed {
        gre.key = None;
    }
    gre
}
