//! The kernel is read: links, addresses, neighbours, routes, rules, shapers,
//! switches and firewall tables come in by netlink, `/proc/sys` and `nft`, one
//! value goes out. What cannot be read is an error.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sbc_config::Network;
use sbc_plan::desired::{
    Address, Class, Connection, Desired, Gre, Neighbour, PolicyRule, Route, Shaper, Way,
};
use sbc_plan::observed::{Observed, ObservedKind, ObservedLink};

use crate::error::KernelError;
use crate::netlink::{Kind, LinkRow, Netlink, QdiscRow, RouteRow, RuleRow};
use crate::nft::Nft;
use crate::sysctl;

/// The kernel's own rules: local, main, default.
const KERNEL_RULES: [u32; 3] = [0, 32766, 32767];

/// The class of a shaper that has the whole rate.
pub(crate) const ROOT_CLASS: u16 = 1;

/// The table of a rule that says more than ours do.
pub(crate) const FOREIGN_TABLE: u32 = u32::MAX;

/// Returns what the kernel holds, in order, with the switches that `desired` names. `told` is
/// what the running charon was told: it is not in the kernel.
///
/// # Errors
/// The first thing that could not be read.
pub async fn observe(
    netlink: &Netlink,
    nft: &Nft,
    desired: &Desired,
    told: &[Connection],
) -> Result<Observed, KernelError> {
    let rows = netlink.links().await?;
    let names = Names(
        rows.iter()
            .map(|row| (row.index, row.name.as_str()))
            .collect(),
    );
    let routes = netlink.routes().await?;
    let rules = netlink.rules().await?;
    let mut observed = Observed {
        links: rows.iter().map(|row| names.link(row)).collect(),
        addresses: names.addresses(netlink).await?,
        neighbours: names.neighbours(netlink).await?,
        sysctls: sysctls(desired),
        routes: routes.iter().filter_map(|row| names.route(row)).collect(),
        rules: rules.iter().filter_map(rule).collect(),
        tables: nft.tables().await?,
        shapers: names.shapers(netlink.qdiscs().await?),
        connections: told.to_vec(),
    };
    sort(&mut observed);
    Ok(observed)
}

/// The kernel lists the same things in another order after a change that was taken
/// back.
fn sort(observed: &mut Observed) {
    observed.addresses.sort();
    observed.neighbours.sort();
    observed.routes.sort();
    observed.rules.sort();
    observed.links.sort_by(|a, b| a.name.cmp(&b.name));
    observed.tables.sort_by(|a, b| a.name.cmp(&b.name));
}

/// A switch that cannot be read is left out: it then counts as missing.
fn sysctls(desired: &Desired) -> BTreeMap<String, String> {
    let read = |path: &String| Some((path.clone(), sysctl::read(path).ok()?));
    desired
        .all_sysctls()
        .filter_map(|one| read(&one.path))
        .collect()
}

/// Devices by the kernel's number.
struct Names<'a>(BTreeMap<u32, &'a str>);

impl Names<'_> {
    fn of(&self, index: u32) -> Option<String> {
        self.0.get(&index).map(|name| (*name).to_owned())
    }

    /// What is not in the list of devices appeared after it was read: it is named by
    /// its number, and differs from everything.
    fn or_number(&self, index: u32) -> String {
        self.of(index).unwrap_or_else(|| format!("#{index}"))
    }

    fn link(&self, row: &LinkRow) -> ObservedLink {
        let kind = match &row.kind {
            Kind::Loopback => ObservedKind::Loopback,
            Kind::Port => ObservedKind::Port,
            Kind::Vlan { below, tag } => ObservedKind::Vlan {
                below: self.or_number(*below),
                tag: *tag,
            },
            // The kernel makes `gre0` when its module loads: from nowhere to nowhere.
            Kind::Gre(gre) if gre.remote.is_unspecified() => ObservedKind::Other("gre".into()),
            Kind::Gre(gre) => ObservedKind::Gre(Gre {
                local: IpAddr::V4(gre.local),
                remote: IpAddr::V4(gre.remote),
                key: gre.key,
                ttl: gre.ttl,
                path_mtu_discovery: gre.path_mtu_discovery,
                inherit_tos: gre.inherit_tos,
            }),
            Kind::Other(word) => ObservedKind::Other(word.clone()),
        };
        ObservedLink {
            name: row.name.clone(),
            kind,
            up: row.up,
            mtu: row.mtu,
            silent: row.silent_v6,
        }
    }

    fn is_loopback(&self, index: u32) -> bool {
        self.0.get(&index) == Some(&"lo")
    }

    async fn addresses(&self, netlink: &Netlink) -> Result<Vec<Address>, KernelError> {
        let rows = netlink.addresses().await?;
        let ours = rows.iter().filter(|row| !self.is_loopback(row.index));
        let address = |row: &crate::netlink::AddressRow| {
            Some(Address {
                link: self.or_number(row.index),
                network: Network::new(row.address, row.length)?,
            })
        };
        Ok(ours.filter_map(address).collect())
    }

    async fn neighbours(&self, netlink: &Netlink) -> Result<Vec<Neighbour>, KernelError> {
        let rows = netlink.neighbours().await?;
        let neighbour = |row: &crate::netlink::NeighbourRow| {
            Some(Neighbour {
                link: self.or_number(row.index),
                address: row.address,
                mac: row.mac.as_slice().try_into().ok()?,
            })
        };
        Ok(rows.iter().filter_map(neighbour).collect())
    }

    fn route(&self, row: &RouteRow) -> Option<Route> {
        if row.by_kernel {
            return None;
        }
        let way = match (row.blackhole, row.device) {
            (true, _) => Way::Blackhole,
            (false, device) => Way::Link {
                link: device.map_or_else(|| "nothing".into(), |index| self.or_number(index)),
                via: row.gateway,
                source: row.source.unwrap_or(unspecified(row.destination)),
            },
        };
        Some(Route {
            table: row.table,
            to: Network::new(row.destination, row.length)?,
            way,
        })
    }

    fn shapers(&self, rows: Vec<QdiscRow>) -> Vec<Shaper> {
        // What the kernel puts on a device with several queues by itself.
        let set = |row: &QdiscRow| row.kind == "htb" || row.major == 1;
        let shaper = |row: QdiscRow| {
            let whole = row.classes.iter().find(|class| class.minor == ROOT_CLASS);
            let below = row.classes.iter().filter(|class| class.minor != ROOT_CLASS);
            let class = |class: &crate::netlink::Class| Class {
                minor: class.minor,
                rate: class.rate * 8,
                ceiling: class.ceiling * 8,
                priority: u8::try_from(class.priority).unwrap_or(u8::MAX),
            };
            let mut classes: Vec<Class> = below.map(class).collect();
            classes.sort_by_key(|class| class.minor);
            Shaper {
                link: self.or_number(row.index),
                rate: whole.map_or(0, |class| class.rate * 8),
                classes,
                default: row.default,
            }
        };
        rows.into_iter().filter(set).map(shaper).collect()
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    }
}

/// A rule that says more than ours ever do gets a table nobody plans, so that it
/// differs.
fn rule(row: &RuleRow) -> Option<PolicyRule> {
    if KERNEL_RULES.contains(&row.priority) && row.from.is_none() && row.to.is_none() {
        return None;
    }
    Some(PolicyRule {
        priority: row.priority,
        is_v4: row.is_v4,
        from: row.from.map(|(address, _)| address),
        table: if row.says_more() {
            Some(FOREIGN_TABLE)
        } else {
            row.table
        },
    })
}
