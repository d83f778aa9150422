//! From what is to what must be: ordered steps, each with its undo. The firewall
//! comes first, and a device's own chains come with the device, before it is up.

use alloc::string::String;
use alloc::vec::Vec;

use crate::desired::{
    Address, Connection, Desired, Link, LinkKind, Neighbour, PolicyRule, Route, Shaper, Sysctl, Way,
};
use crate::firewall::{Family, Table};
use crate::observed::{Observed, ObservedKind, ObservedLink, ObservedTable};
use crate::verify::{same_kind, same_table};

mod text;

/// Steps in the order they are to be done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One thing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// A port of the machine must be there. Nothing is changed.
    ExpectPort(String),
    SetSysctl {
        sysctl: Sysctl,
        before: Option<String>,
    },
    /// One transaction of `nft`: [`Table::text`] of each, one after the other.
    LoadTables(Vec<Table>),
    RemoveTable {
        family: Family,
        name: String,
    },
    /// Makes the device, down; its IPv6 silent, its MTU and switches set; then
    /// loads its table. It is still down afterwards.
    CreateLink {
        link: Link,
        table: Option<Table>,
    },
    /// The device goes, and then the netdev tables whose chains hung on it.
    RemoveLink {
        link: ObservedLink,
        /// Its switches, as read.
        sysctls: Vec<Sysctl>,
    },
    SetMtu {
        link: String,
        mtu: u32,
        before: u32,
    },
    /// IPv6 `addr_gen_mode none`.
    Silence(String),
    SetUp(String),
    SetDown(String),
    AddAddress(Address),
    RemoveAddress(Address),
    AddNeighbour(Neighbour),
    RemoveNeighbour(Neighbour),
    AddRoute(Route),
    RemoveRoute(Route),
    AddRule(PolicyRule),
    RemoveRule(PolicyRule),
    SetShaper {
        shaper: Shaper,
        before: Option<Shaper>,
    },
    RemoveShaper(Shaper),
    LoadConnection {
        connection: Connection,
        before: Option<Connection>,
    },
    UnloadConnection(Connection),
}

/// How a step is taken back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Undo {
    /// It changed nothing.
    Nothing,
    Step(Step),
    /// The tables become again what a listing before the step said of them;
    /// those it did not know are removed.
    RestoreTables(Vec<(Family, String)>),
    /// The device is made again as it was, with its switches, the tables that hung
    /// on it, and up if it was.
    RestoreLink {
        link: ObservedLink,
        sysctls: Vec<Sysctl>,
    },
    /// The kernel makes its own IPv6 addresses again.
    Unsilence(String),
}

impl Step {
    /// Returns what takes the step back.
    pub fn undo(&self) -> Undo {
        Undo::Step(match self.clone() {
            Self::ExpectPort(_) => return Undo::Nothing,
            Self::SetSysctl { sysctl, before } => {
                let Some(value) = before else {
                    return Undo::Nothing;
                };
                let path = sysctl.path;
                let before = Some(sysctl.value);
                let sysctl = Sysctl { path, value };
                Self::SetSysctl { sysctl, before }
            }
            Self::LoadTables(tables) => {
                let names = tables.into_iter().map(|table| (table.family, table.name));
                return Undo::RestoreTables(names.collect());
            }
            Self::RemoveTable { family, name } => {
                return Undo::RestoreTables(Vec::from([(family, name)]));
            }
            Self::CreateLink { link, .. } => Self::RemoveLink {
                link: as_observed(&link),
                sysctls: Vec::new(),
            },
            Self::RemoveLink { link, sysctls } => return Undo::RestoreLink { link, sysctls },
            Self::SetMtu { link, mtu, before } => Self::SetMtu {
                link,
                mtu: before,
                before: mtu,
            },
            Self::Silence(link) => return Undo::Unsilence(link),
            Self::SetUp(link) => Self::SetDown(link),
            Self::SetDown(link) => Self::SetUp(link),
            Self::AddAddress(one) => Self::RemoveAddress(one),
            Self::RemoveAddress(one) => Self::AddAddress(one),
            Self::AddNeighbour(one) => Self::RemoveNeighbour(one),
            Self::RemoveNeighbour(one) => Self::AddNeighbour(one),
            Self::AddRoute(one) => Self::RemoveRoute(one),
            Self::RemoveRoute(one) => Self::AddRoute(one),
            Self::AddRule(one) => Self::RemoveRule(one),
            Self::RemoveRule(one) => Self::AddRule(one),
            Self::SetShaper { shaper, before } => match before {
                Some(before) => Self::SetShaper {
                    shaper: before,
                    before: Some(shaper),
                },
                None => Self::RemoveShaper(shaper),
            },
            Self::RemoveShaper(shaper) => Self::SetShaper {
                shaper,
                before: None,
            },
            Self::LoadConnection { connection, before } => match before {
                Some(before) => Self::LoadConnection {
                    connection: before,
                    before: Some(connection),
                },
                None => Self::UnloadConnection(connection),
            },
            Self::UnloadConnection(connection) => Self::LoadConnection {
                connection,
                before: None,
            },
        })
    }
}

/// Returns the steps from `observed` to `desired`; none if there is nothing to do.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let mut steps = Vec::new();
    let stale = stale_links(desired, observed);
    let kept = without(observed, &stale);
    switches(desired.sysctls.iter(), observed, &mut steps);
    ports(desired, observed, &mut steps);
    tables(desired, &kept, &mut steps);
    remove(desired, observed, &stale, &mut steps);
    create(desired, &kept, &mut steps);
    fill(desired, &kept, &mut steps);
    Plan { steps }
}

/// What an observed link of ours looks like when it was just made.
pub(crate) fn as_observed(link: &Link) -> ObservedLink {
    ObservedLink {
        name: link.name.clone(),
        kind: match &link.kind {
            LinkKind::Port => ObservedKind::Port,
            LinkKind::Vlan { below, tag } => ObservedKind::Vlan {
                below: below.clone(),
                tag: *tag,
            },
            LinkKind::Gre(gre) => ObservedKind::Gre(*gre),
        },
        up: false,
        mtu: u32::from(link.mtu),
        silent: true,
    }
}

/// VLANs and tunnels that must go: nobody wants them, or not as they are.
fn stale_links(desired: &Desired, observed: &Observed) -> Vec<ObservedLink> {
    let made = |link: &&ObservedLink| {
        matches!(
            link.kind,
            ObservedKind::Vlan { .. } | ObservedKind::Gre { .. }
        )
    };
    let wanted = |link: &&ObservedLink| {
        let ours = desired.link(&link.name);
        ours.is_some_and(|ours| same_kind(&ours.kind, &link.kind))
    };
    let made = observed.links.iter().filter(made);
    made.filter(|link| !wanted(link)).cloned().collect()
}

/// What is left when those links have gone.
fn without(observed: &Observed, stale: &[ObservedLink]) -> Observed {
    let gone = |name: &str| stale.iter().any(|link| link.name == name);
    let mut kept = observed.clone();
    kept.links.retain(|link| !gone(&link.name));
    kept.addresses.retain(|one| !gone(&one.link));
    kept.neighbours.retain(|one| !gone(&one.link));
    kept.routes.retain(|one| match &one.way {
        Way::Blackhole => true,
        Way::Link { link, .. } => !gone(link),
    });
    kept.shapers.retain(|one| !gone(&one.link));
    let of_gone = |path: &str| path.split('/').any(gone);
    kept.sysctls.retain(|path, _| !of_gone(path));
    kept.tables.retain(|table| !hangs_on(table, &gone));
    kept
}

/// Returns true if a chain of the table hangs on such a device.
fn hangs_on(table: &ObservedTable, device: &dyn Fn(&str) -> bool) -> bool {
    let mut devices = table.chains.iter().filter_map(|chain| {
        let hook = chain.hook.as_ref()?;
        hook.device.as_deref()
    });
    devices.any(device)
}

fn switches<'a>(
    wanted: impl Iterator<Item = &'a Sysctl>,
    observed: &Observed,
    steps: &mut Vec<Step>,
) {
    for sysctl in wanted {
        let before = observed.sysctls.get(&sysctl.path).cloned();
        if before.as_ref() != Some(&sysctl.value) {
            let sysctl = sysctl.clone();
            steps.push(Step::SetSysctl { sysctl, before });
        }
    }
}

fn ports(desired: &Desired, observed: &Observed, steps: &mut Vec<Step>) {
    for link in &desired.links {
        let there = observed.links.iter().any(|one| one.name == link.name);
        if link.kind == LinkKind::Port && !there {
            steps.push(Step::ExpectPort(link.name.clone()));
        }
    }
}

/// All tables that can be loaded at once: those of the machine and of links that
/// are there. Those of links that come later come with them.
fn tables(desired: &Desired, kept: &Observed, steps: &mut Vec<Step>) {
    let there = |table: &&Table| {
        let Some(name) = &table.link else { return true };
        let port = desired.link(name).map(|link| &link.kind) == Some(&LinkKind::Port);
        port || kept.links.iter().any(|link| link.name == *name)
    };
    let differs = |table: &&Table| {
        let mut read = kept.tables.iter();
        !read.any(|one| {
            one.family == table.family && one.name == table.name && same_table(table, one)
        })
    };
    let tables = desired.firewall.tables.iter().filter(there);
    let tables: Vec<Table> = tables.filter(differs).cloned().collect();
    if !tables.is_empty() {
        steps.push(Step::LoadTables(tables));
    }
}

/// Returns those of `from` that are not in `of`.
fn missing<T: Clone + PartialEq>(from: &[T], of: &[T]) -> Vec<T> {
    from.iter()
        .filter(|one| !of.contains(one))
        .cloned()
        .collect()
}

/// Takes away what must not be, from the top of the stack to its bottom.
fn remove(desired: &Desired, observed: &Observed, stale: &[ObservedLink], steps: &mut Vec<Step>) {
    let gone = |name: &str| stale.iter().any(|link| link.name == name);
    let unknown = |one: &&Connection| {
        let mut wanted = desired.connections.iter();
        !wanted.any(|ours| ours.name == one.name)
    };
    let connections = observed.connections.iter().filter(unknown).cloned();
    steps.extend(connections.map(Step::UnloadConnection));
    steps.extend(
        missing(&observed.rules, &desired.rules)
            .into_iter()
            .map(Step::RemoveRule),
    );
    for route in &observed.routes {
        let on_stale = matches!(&route.way, Way::Link { link, .. } if gone(link));
        if on_stale || !desired.routes.contains(route) {
            steps.push(Step::RemoveRoute(route.clone()));
        }
    }
    for one in &observed.neighbours {
        if gone(&one.link) || !desired.neighbours.contains(one) {
            steps.push(Step::RemoveNeighbour(one.clone()));
        }
    }
    for one in &observed.addresses {
        if gone(&one.link) || !desired.addresses.contains(one) {
            steps.push(Step::RemoveAddress(one.clone()));
        }
    }
    for one in &observed.shapers {
        let wanted = desired.shapers.iter().any(|ours| ours.link == one.link);
        if gone(&one.link) || !wanted {
            steps.push(Step::RemoveShaper(one.clone()));
        }
    }
    for link in stale.iter().rev() {
        let of_link = |(path, _): &(&String, &String)| path.split('/').any(|p| p == link.name);
        let sysctls = observed.sysctls.iter().filter(of_link);
        let sysctls = sysctls.map(|(path, value)| Sysctl {
            path: path.clone(),
            value: value.clone(),
        });
        steps.push(Step::RemoveLink {
            link: link.clone(),
            sysctls: sysctls.collect(),
        });
    }
    for link in &observed.links {
        let ours = desired.link(&link.name).is_some();
        let idle = link.kind == ObservedKind::Loopback || !link.up;
        if !ours && !idle && !gone(&link.name) {
            steps.push(Step::SetDown(link.name.clone()));
        }
    }
    for table in &observed.tables {
        let goes = hangs_on(table, &gone);
        if !goes && desired.firewall.table(table.family, &table.name).is_none() {
            steps.push(Step::RemoveTable {
                family: table.family,
                name: table.name.clone(),
            });
        }
    }
}

/// Makes the links that are missing, and sets those that are there.
fn create(desired: &Desired, kept: &Observed, steps: &mut Vec<Step>) {
    for link in &desired.links {
        let found = kept.links.iter().find(|one| one.name == link.name);
        if found.is_none() && link.kind != LinkKind::Port {
            steps.push(Step::CreateLink {
                link: link.clone(),
                table: desired.firewall.of_link(&link.name).cloned(),
            });
            continue;
        }
        if found.is_none_or(|one| !one.silent) {
            steps.push(Step::Silence(link.name.clone()));
        }
        let mtu = u32::from(link.mtu);
        let before = found.map_or(0, |one| one.mtu);
        if before != mtu {
            steps.push(Step::SetMtu {
                link: link.name.clone(),
                mtu,
                before,
            });
        }
        switches(link.sysctls.iter(), kept, steps);
    }
}

/// Gives links what they carry, and sets them up before routes lead there.
fn fill(desired: &Desired, kept: &Observed, steps: &mut Vec<Step>) {
    let addresses = missing(&desired.addresses, &kept.addresses);
    steps.extend(addresses.into_iter().map(Step::AddAddress));
    for shaper in &desired.shapers {
        let before = kept.shapers.iter().find(|one| one.link == shaper.link);
        if before != Some(shaper) {
            steps.push(Step::SetShaper {
                shaper: shaper.clone(),
                before: before.cloned(),
            });
        }
    }
    for link in &desired.links {
        let up = |one: &ObservedLink| one.name == link.name && one.up;
        if !kept.links.iter().any(up) {
            steps.push(Step::SetUp(link.name.clone()));
        }
    }
    let neighbours = missing(&desired.neighbours, &kept.neighbours);
    steps.extend(neighbours.into_iter().map(Step::AddNeighbour));
    let routes = missing(&desired.routes, &kept.routes);
    steps.extend(routes.into_iter().map(Step::AddRoute));
    let rules = missing(&desired.rules, &kept.rules);
    steps.extend(rules.into_iter().map(Step::AddRule));
    for connection in &desired.connections {
        let mut told = kept.connections.iter();
        let before = told.find(|one| one.name == connection.name);
        if before != Some(connection) {
            steps.push(Step::LoadConnection {
                connection: connection.clone(),
                before: before.cloned(),
            });
        }
    }
}

impl Observed {
    /// Returns a machine as it starts: the ports `desired` names, down, and
    /// nothing else.
    pub fn bare(desired: &Desired) -> Self {
        let ports = desired.links.iter();
        let ports = ports.filter(|link| link.kind == LinkKind::Port);
        Self {
            links: ports
                .map(|link| ObservedLink {
                    silent: false,
                    ..as_observed(link)
                })
                .collect(),
            ..Self::default()
        }
    }
}
