//! A plan comes in and is done step by step; each step done leaves behind how it is
//! taken back. A step that fails takes all before it back, newest first: the kernel
//! ends as it was, or whole.

mod links;
mod restore;

use std::fmt;

use sbc_plan::desired::{Connection, Desired, PolicyRule, Route, Shaper, Way};
use sbc_plan::firewall::{Family, Table};
use sbc_plan::{Observed, Plan, Step};

use crate::error::{KernelError, NftError};
use crate::netlink::{Change, Class, Counted, NeighbourRow, Netlink, RouteRow, RuleRow};
use crate::nft::{Counter, Language, Nft};
use crate::observe::{FOREIGN_TABLE, ROOT_CLASS, observe};
use crate::sysctl;
use restore::{Back, There};

/// Our hands in the kernel of one namespace.
#[derive(Debug)]
pub struct Hands {
    pub(crate) netlink: Netlink,
    pub(crate) nft: Nft,
    /// What charon is to be told; it is told by whoever minds it.
    told: Vec<Connection>,
}

/// A plan that was not done.
#[derive(Debug, thiserror::Error)]
pub struct Failed {
    /// The step that failed, as the plan prints it, and its place from 1.
    pub step: String,
    pub place: usize,
    #[source]
    pub why: KernelError,
    /// Steps that could not be taken back, with why.
    pub left: Vec<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "step {} failed: {}", self.place, self.step)?;
        match self.left.as_slice() {
            [] => out.write_str("; all before it was taken back"),
            left => write!(out, "; not taken back: {}", left.join(", ")),
        }
    }
}

impl Hands {
    /// Opens the way to the kernel. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn open() -> Result<Self, KernelError> {
        Ok(Self {
            netlink: Netlink::open()?,
            nft: Nft::default(),
            told: Vec::new(),
        })
    }

    /// Returns what charon is to hold after the latest plan.
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        &self.told
    }

    /// Reads everything that `desired` is held against.
    ///
    /// # Errors
    /// The first thing that could not be read.
    pub async fn observe(&self, desired: &Desired) -> Result<Observed, KernelError> {
        observe(&self.netlink, &self.nft, desired, &self.told).await
    }

    /// Returns all devices with what the kernel counted on them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn counted(&self) -> Result<Vec<Counted>, KernelError> {
        self.netlink.counted().await
    }

    /// Returns every counter of the rules.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn counters(&self) -> Result<Vec<Counter>, NftError> {
        self.nft.counters().await
    }

    /// Does all steps of `plan`, which was made from what was `observed`, or none.
    ///
    /// # Errors
    /// The step that failed; what was done before it was taken back.
    pub async fn apply(&mut self, plan: &Plan, observed: &Observed) -> Result<(), Failed> {
        let mut log: Vec<Back> = Vec::new();
        let mut there = There::of(observed);
        for (at, step) in plan.steps.iter().enumerate() {
            let done = match self.prepare(step, &mut there).await {
                Ok(back) => self.perform(step).await.map(|()| back),
                Err(why) => Err(why),
            };
            match done {
                Ok(back) => log.push(back),
                Err(why) => {
                    let left = self.take_back(log).await;
                    return Err(Failed {
                        step: step.to_string(),
                        place: at + 1,
                        why,
                        left,
                    });
                }
            }
        }
        Ok(())
    }

    /// Does one step.
    pub(crate) async fn perform(&mut self, step: &Step) -> Result<(), KernelError> {
        match step {
            Step::ExpectPort(name) => self.index(name).await.map(drop),
            Step::SetSysctl { sysctl, .. } => sysctl::write(&sysctl.path, &sysctl.value).map(drop),
            Step::LoadTables(tables) => self.load(tables).await,
            Step::RemoveTable { family, name } => self.remove_table(*family, name).await,
            Step::CreateLink { link, table } => self.create(link, table.as_ref()).await,
            Step::RemoveLink { link, .. } => self.remove_with_tables(&link.name).await,
            Step::SetMtu { link, mtu, .. } => {
                let index = self.index(link).await?;
                self.netlink.set_mtu(link, index, *mtu).await
            }
            Step::Silence(link) => self.silence(link, true).await,
            Step::SetUp(link) => self.set_up(link, true).await,
            Step::SetDown(link) => self.set_up(link, false).await,
            Step::AddAddress(one) => self.address(Change::Add, one).await,
            Step::RemoveAddress(one) => gone(self.address(Change::Remove, one).await),
            Step::AddNeighbour(one) => self.neighbour(Change::Add, one).await,
            Step::RemoveNeighbour(one) => gone(self.neighbour(Change::Remove, one).await),
            Step::AddRoute(one) => self.route(Change::Add, one).await,
            Step::RemoveRoute(one) => gone(self.route(Change::Remove, one).await),
            Step::AddRule(one) => self.netlink.change_rule(Change::Add, &rule(one)).await,
            Step::RemoveRule(one) => gone(self.remove_rule(one).await),
            Step::SetShaper { shaper, before } => self.shape(shaper, before.as_ref()).await,
            Step::RemoveShaper(shaper) => self.unshape(&shaper.link).await,
            Step::LoadConnection { connection, .. } => {
                self.told.retain(|one| one.name != connection.name);
                self.told.push(connection.clone());
                Ok(())
            }
            Step::UnloadConnection(connection) => {
                self.told.retain(|one| one.name != connection.name);
                Ok(())
            }
        }
    }

    /// Returns the kernel's number of a device.
    pub(crate) async fn index(&self, name: &str) -> Result<u32, KernelError> {
        let links = self.netlink.links().await?;
        let link = links.iter().find(|link| link.name == name);
        link.map(|link| link.index)
            .ok_or_else(|| KernelError::NoDevice {
                what: format!("device {name}"),
            })
    }

    async fn silence(&self, link: &str, silent: bool) -> Result<(), KernelError> {
        let index = self.index(link).await?;
        self.netlink.set_silent_v6(link, index, silent).await
    }

    pub(crate) async fn set_up(&self, link: &str, up: bool) -> Result<(), KernelError> {
        let index = self.index(link).await?;
        self.netlink.set_up(link, index, up).await
    }

    async fn load(&self, tables: &[Table]) -> Result<(), KernelError> {
        let text: String = tables.iter().map(Table::text).collect();
        let loaded = self.nft.load(Language::Text, text.as_bytes()).await;
        loaded.map_err(KernelError::from)
    }

    pub(crate) async fn remove_table(&self, family: Family, name: &str) -> Result<(), KernelError> {
        let (family, name) = words(family, name);
        self.nft
            .remove(family, name)
            .await
            .map_err(KernelError::from)
    }

    async fn address(
        &self,
        change: Change,
        one: &sbc_plan::desired::Address,
    ) -> Result<(), KernelError> {
        let index = self.index(&one.link).await?;
        let (address, length) = (one.network.address(), one.network.length());
        self.netlink
            .change_address(change, index, address, length)
            .await
    }

    async fn neighbour(
        &self,
        change: Change,
        one: &sbc_plan::desired::Neighbour,
    ) -> Result<(), KernelError> {
        let row = NeighbourRow {
            index: self.index(&one.link).await?,
            address: one.address,
            mac: one.mac.to_vec(),
        };
        self.netlink.change_neighbour(change, &row).await
    }

    async fn route(&self, change: Change, route: &Route) -> Result<(), KernelError> {
        let mut row = RouteRow {
            table: route.table,
            destination: route.to.first(),
            length: route.to.length(),
            gateway: None,
            device: None,
            source: None,
            blackhole: true,
            metric: 0,
            by_kernel: false,
        };
        if let Way::Link { link, via, source } = &route.way {
            row.blackhole = false;
            row.device = Some(self.index(link).await?);
            row.gateway = *via;
            row.source = (!source.is_unspecified()).then_some(*source);
        }
        self.netlink.change_route(change, &row).await
    }

    /// A rule that says more than ours do is found by its place, and removed by all
    /// it says.
    async fn remove_rule(&self, one: &PolicyRule) -> Result<(), KernelError> {
        if one.table != Some(FOREIGN_TABLE) {
            return self.netlink.change_rule(Change::Remove, &rule(one)).await;
        }
        let rows = self.netlink.rules().await?;
        let said = |row: &&RuleRow| {
            row.priority == one.priority && row.is_v4 == one.is_v4 && row.says_more()
        };
        for row in rows.iter().filter(said) {
            self.netlink.change_rule(Change::Remove, row).await?;
        }
        Ok(())
    }

    /// Puts a shaper in the place of `before`; one that cannot be made whole is taken
    /// away again, and the one before put back.
    async fn shape(&self, shaper: &Shaper, before: Option<&Shaper>) -> Result<(), KernelError> {
        if before.is_some() {
            self.unshape(&shaper.link).await?;
        }
        let made = self.make_shaper(shaper).await;
        if made.is_err() {
            // The first failure is the one to tell.
            let _gone = self.unshape(&shaper.link).await;
            if let Some(before) = before {
                self.make_shaper(before).await?;
            }
        }
        made
    }

    async fn make_shaper(&self, shaper: &Shaper) -> Result<(), KernelError> {
        let index = self.index(&shaper.link).await?;
        self.netlink.add_shaper(index, shaper.default).await?;
        let whole = Class {
            minor: ROOT_CLASS,
            parent: 0,
            rate: shaper.rate / 8,
            ceiling: shaper.rate / 8,
            priority: 0,
        };
        self.netlink.add_class(index, &whole).await?;
        for one in &shaper.classes {
            let class = Class {
                minor: one.minor,
                parent: ROOT_CLASS,
                rate: one.rate / 8,
                ceiling: one.ceiling / 8,
                priority: u32::from(one.priority),
            };
            self.netlink.add_class(index, &class).await?;
        }
        Ok(())
    }

    async fn unshape(&self, link: &str) -> Result<(), KernelError> {
        let index = self.index(link).await?;
        gone(self.netlink.remove_shaper(index).await)
    }
}

fn rule(one: &PolicyRule) -> RuleRow {
    RuleRow {
        priority: one.priority,
        is_v4: one.is_v4,
        from: one
            .from
            .map(|address| (address, if address.is_ipv4() { 32 } else { 128 })),
        to: None,
        out_by: None,
        in_by: None,
        users: None,
        table: one.table,
    }
}

/// Returns family and name as `nft` takes them.
pub(crate) fn words(family: Family, name: &str) -> (&str, &str) {
    match family {
        Family::Other => name.split_once(' ').unwrap_or(("ip", name)),
        family => (family.word(), name),
    }
}

/// What was to be removed and is not there has gone: with its device, or by another
/// hand.
pub(crate) fn gone(result: Result<(), KernelError>) -> Result<(), KernelError> {
    const ABSENT: [i32; 5] = [2, 3, 6, 19, 99]; // ENOENT ESRCH ENXIO ENODEV EADDRNOTAVAIL
    match result {
        Err(KernelError::NoDevice { .. }) => Ok(()),
        Err(KernelError::Refused { why, .. })
            if why
                .raw_os_error()
                .is_some_and(|code| ABSENT.contains(&code)) =>
        {
            Ok(())
        }
        other => other,
    }
}
