//! Devices as a plan makes them: down, silent, fenced, and only then filled. A
//! device that cannot be made whole is not made.

use std::net::IpAddr;

use sbc_plan::desired::{Link, LinkKind, Sysctl};
use sbc_plan::firewall::Table;
use sbc_plan::observed::{ObservedKind, ObservedLink};

use super::{Hands, gone};
use crate::error::KernelError;
use crate::netlink::Gre;
use crate::nft::Language;
use crate::sysctl;

impl Hands {
    /// Makes a device, down, with its switches set and its table loaded.
    pub(super) async fn create(
        &self,
        link: &Link,
        table: Option<&Table>,
    ) -> Result<(), KernelError> {
        self.make(&link.name, &link.kind).await?;
        let text = table.map(Table::text).unwrap_or_default();
        let mtu = u32::from(link.mtu);
        let filled = self.fill(&link.name, mtu, &link.sysctls, &text).await;
        if filled.is_err() {
            // The first failure is the one to tell.
            let _gone = self.remove_link(&link.name).await;
        }
        filled
    }

    /// Makes a device again that was there before, up if it was.
    pub(super) async fn make_again(
        &self,
        link: &ObservedLink,
        sysctls: &[Sysctl],
        tables: &str,
    ) -> Result<(), KernelError> {
        let kind = match &link.kind {
            ObservedKind::Vlan { below, tag } => LinkKind::Vlan {
                below: below.clone(),
                tag: *tag,
            },
            ObservedKind::Gre(gre) => LinkKind::Gre(*gre),
            // Nothing else is ever removed.
            _ => return Ok(()),
        };
        self.make(&link.name, &kind).await?;
        self.fill(&link.name, link.mtu, sysctls, tables).await?;
        if link.up {
            self.set_up(&link.name, true).await?;
        }
        Ok(())
    }

    async fn make(&self, name: &str, kind: &LinkKind) -> Result<(), KernelError> {
        match kind {
            LinkKind::Port => self.index(name).await.map(drop),
            LinkKind::Vlan { below, tag } => {
                let below = self.index(below).await?;
                self.netlink.add_vlan(name, below, *tag).await
            }
            LinkKind::Gre(gre) => {
                let (IpAddr::V4(local), IpAddr::V4(remote)) = (gre.local, gre.remote) else {
                    let what = format!("tunnel {name}");
                    let why = std::io::ErrorKind::Unsupported.into();
                    return Err(KernelError::Refused { what, why });
                };
                let gre = Gre {
                    local,
                    remote,
                    key: gre.key,
                    ttl: gre.ttl,
                    path_mtu_discovery: gre.path_mtu_discovery,
                    inherit_tos: gre.inherit_tos,
                };
                self.netlink.add_gre(name, gre).await
            }
        }
    }

    async fn fill(
        &self,
        name: &str,
        mtu: u32,
        sysctls: &[Sysctl],
        tables: &str,
    ) -> Result<(), KernelError> {
        let index = self.index(name).await?;
        self.netlink.set_silent_v6(name, index, true).await?;
        self.netlink.set_mtu(name, index, mtu).await?;
        for one in sysctls {
            sysctl::write(&one.path, &one.value)?;
        }
        if tables.is_empty() {
            return Ok(());
        }
        let loaded = self.nft.load(Language::Text, tables.as_bytes()).await;
        loaded.map_err(KernelError::from)
    }

    /// Removes a device, and then the tables whose chains hung on it: some kernels
    /// take them along, others leave them behind.
    pub(super) async fn remove_with_tables(&self, name: &str) -> Result<(), KernelError> {
        let tables = self.hanging_on(name).await?;
        self.remove_link(name).await?;
        for (family, table) in tables {
            self.remove_table(family, &table).await?;
        }
        Ok(())
    }

    /// Removes a device. Nothing leaves by it from the first word on.
    pub(super) async fn remove_link(&self, name: &str) -> Result<(), KernelError> {
        let Ok(index) = self.index(name).await else {
            return Ok(());
        };
        gone(self.netlink.set_up(name, index, false).await)?;
        gone(self.netlink.remove_link(name, index).await)
    }
}
