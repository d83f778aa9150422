//! Interfaces: every device and VLAN once, networks apart, each zone used for
//! what it is. IEEE 802.1Q; isolation follows from what is checked here.

use alloc::format;
use alloc::vec::Vec;

use crate::checks::{Check, pairs};
use crate::codes::{
    BAD_VLAN, GATEWAY, LINK_TWICE, MANAGEMENT_UNTAGGED, MISSING_KEY, OFF_VLAN, OVERLAP,
    SHARED_VLAN, ZONE,
};
use crate::draft::{Draft, PeerDraft};
use crate::file::NamedTable;
use crate::file::tables::InterfaceFile;
use crate::network::{Network, Zone};
use crate::report::{Problem, Report, Span};

/// The checks of interfaces.
pub const CHECKS: &[Check] = &[
    link_twice,
    overlap,
    bad_vlan,
    gateway,
    off_vlan,
    zone_missing,
    zone_of_servers,
    zone_of_management,
    shared_vlan,
    management_untagged,
    family,
];

type Interface<'f> = &'f NamedTable<InterfaceFile>;

/// Returns device and tag, if both can be told.
fn link(interface: Interface<'_>) -> Option<(&str, Option<i64>)> {
    let device = interface.table.device.value()?;
    let vlan = interface.table.vlan.optional()?.map(|vlan| vlan.0);
    Some((device.0.as_str(), vlan))
}

fn link_twice(draft: &Draft<'_>, report: &mut Report) {
    for (one, two) in pairs(&draft.interfaces.active().collect::<Vec<_>>()) {
        let (Some(first), Some(second)) = (link(one), link(two)) else {
            continue;
        };
        if first != second {
            continue;
        }
        let span = two
            .table
            .vlan
            .span()
            .or(two.table.device.span())
            .unwrap_or(&two.span);
        let place = first
            .1
            .map_or("untagged".into(), |vlan| format!("VLAN {vlan}"));
        let message = format!(
            "interface {}: {} {place} is taken",
            two.name,
            first.0.escape_debug()
        );
        let problem = Problem::new(LINK_TWICE, span, message).label("again");
        let other = one
            .table
            .vlan
            .span()
            .or(one.table.device.span())
            .unwrap_or(&one.span);
        report.add(problem.also(other, format!("interface {}", one.name)));
    }
}

/// Every network of ours: of interfaces and inside tunnels.
fn networks<'f>(draft: &Draft<'f>) -> Vec<(Network, &'f Span, &'f str)> {
    let interfaces = draft.interfaces.active().flat_map(|interface| {
        let own = interface.table.address.value().into_iter().flatten();
        own.map(move |own| (own.value.0, &own.span, interface.name.as_str()))
    });
    let tunnels = draft.tunnels.active().filter_map(|tunnel| {
        let own = tunnel.table.address.get()?;
        Some((own.value.0, &own.span, tunnel.name.as_str()))
    });
    interfaces.chain(tunnels).collect()
}

fn overlap(draft: &Draft<'_>, report: &mut Report) {
    for ((one, at, first), (two, span, second)) in pairs(&networks(draft)) {
        if !one.overlaps(&two) {
            continue;
        }
        let message = format!("{second}: {two} shares addresses with {first}");
        let problem = Problem::new(OVERLAP, span, message).label("overlaps");
        report.add(problem.also(at, format!("the network of {first}")));
    }
}

fn bad_vlan(draft: &Draft<'_>, report: &mut Report) {
    for interface in draft.interfaces.active() {
        let Some(vlan) = interface.table.vlan.get() else {
            continue;
        };
        if !(1..=4094).contains(&vlan.value.0) {
            let message = format!("interface {}: {} is no VLAN", interface.name, vlan.value.0);
            let problem = Problem::new(BAD_VLAN, &vlan.span, message).label("out of range");
            report.add(problem.help("from 1 to 4094; leave the key out for an untagged interface"));
        }
    }
}

fn gateway(draft: &Draft<'_>, report: &mut Report) {
    for interface in draft.interfaces.active() {
        let (Some(gateway), Some(own)) =
            (interface.table.gateway.get(), interface.table.address.get())
        else {
            continue;
        };
        let reaches = own.value.iter().any(|own| {
            own.value.0.contains(gateway.value) && own.value.0.address() != gateway.value
        });
        if !reaches {
            let message = format!(
                "interface {}: the gateway {} is on none of its networks",
                interface.name, gateway.value
            );
            let problem = Problem::new(GATEWAY, &gateway.span, message).label("outside");
            report.add(problem.also(&own.span, "the interface's addresses"));
        }
    }
}

fn off_vlan(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        let (Some((interface, _)), Some(address)) = (draft.link(server), server.file.address.get())
        else {
            continue;
        };
        let Some(own) = interface.table.address.get() else {
            continue;
        };
        let ourselves = own
            .value
            .iter()
            .any(|own| own.value.0.address() == address.value);
        let inside = own
            .value
            .iter()
            .any(|own| own.value.0.contains(address.value));
        if inside && !ourselves {
            continue;
        }
        let what = if ourselves {
            "is the node's own address on"
        } else {
            "is not on the network of"
        };
        let message = format!(
            "{}: {} {what} {}",
            server.title(),
            address.value,
            interface.name
        );
        let problem = Problem::new(OFF_VLAN, &address.span, message);
        let problem = problem.label(if ourselves { "our own" } else { "outside" });
        let problem = problem.also(&own.span, "the interface's network");
        report.add(problem.help("the node reaches a Mediation Server only on its own VLAN"));
    }
}

fn zone_missing(draft: &Draft<'_>, report: &mut Report) {
    for interface in draft.interfaces.active() {
        if !interface.table.zone.is_absent() {
            continue;
        }
        let message = format!("interface {} has no zone", interface.name);
        let problem = Problem::new(ZONE, &interface.span, message);
        report.add(
            problem.help("write zone = \"management\", \"internet\", \"private\" or \"mediation\""),
        );
    }
}

/// Returns the problem of a key that names an interface of a zone it must not.
fn wrong_zone(interface: Interface<'_>, span: &Span, who: &str, wants: &str) -> Option<Problem> {
    let zone = interface.table.zone.get()?;
    let message = format!(
        "{who}: interface {} is in zone {}",
        interface.name,
        zone.value.word()
    );
    let problem = Problem::new(ZONE, span, message).label("wrong zone");
    Some(
        problem
            .also(&zone.span, "the zone")
            .help(format!("name an interface of zone {wants}")),
    )
}

fn zone_of_servers(draft: &Draft<'_>, report: &mut Report) {
    for server in draft.active_servers() {
        let (Some((interface, _)), Some(span)) = (draft.link(server), server.file.interface.span())
        else {
            continue;
        };
        if interface.table.zone.value() != Some(&Zone::Mediation) {
            let problem = wrong_zone(interface, span, &server.title(), "mediation");
            problem.into_iter().for_each(|problem| report.add(problem));
        }
    }
}

fn zone_of_management(draft: &Draft<'_>, report: &mut Report) {
    let name = draft
        .file
        .management
        .value()
        .and_then(|management| management.interface.get());
    let Some(name) = name else { return };
    let Some(interface) = draft.interfaces.get(&name.value) else {
        return;
    };
    if interface.table.zone.value() != Some(&Zone::Management) {
        let problem = wrong_zone(interface, &name.span, "management", "management");
        problem.into_iter().for_each(|problem| report.add(problem));
    }
}

fn shared_vlan(draft: &Draft<'_>, report: &mut Report) {
    let servers = draft.active_servers();
    let servers = servers.filter_map(|server| Some((server, server.file.interface.get()?)));
    let servers: Vec<_> = servers.collect();
    for ((one, first), (two, second)) in pairs(&servers) {
        if first.value != second.value {
            continue;
        }
        let message = format!("{} shares the VLAN of {}", two.title(), one.title());
        let problem = Problem::new(SHARED_VLAN, &second.span, message).label("the same VLAN");
        let problem = problem.also(&first.span, one.title());
        report.add(problem.help("give each Mediation Server a VLAN of its own"));
    }
}

fn management_untagged(draft: &Draft<'_>, report: &mut Report) {
    for interface in draft.interfaces.active() {
        let Some((device, None)) = link(interface) else {
            continue;
        };
        if interface.table.zone.value() != Some(&Zone::Management) {
            continue;
        }
        let shares = |other: &Interface<'_>| {
            other.name != interface.name && link(other).is_some_and(|(name, _)| name == device)
        };
        let Some(other) = draft.interfaces.active().find(shares) else {
            continue;
        };
        let span = interface.table.device.span().unwrap_or(&interface.span);
        let message = format!(
            "interface {} is untagged on a device it shares",
            interface.name
        );
        let problem = Problem::new(MANAGEMENT_UNTAGGED, span, message).label("shared");
        let at = other.table.device.span().unwrap_or(&other.span);
        let problem = problem.also(at, format!("interface {}", other.name));
        report.add(problem.help("give management a VLAN, or a device of its own"));
    }
}

/// A trunk in IPv6 needs an address of ours in IPv6, and so in IPv4.
fn family(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft.active_trunks() {
        family_of(draft, trunk, report);
    }
}

fn family_of(draft: &Draft<'_>, trunk: &PeerDraft<'_>, report: &mut Report) {
    let (Some((interface, tunnel)), Some(targets)) = (draft.link(trunk), trunk.targets.as_ref())
    else {
        return;
    };
    let own: Vec<(Network, &Span)> = match tunnel {
        Some(tunnel) => tunnel
            .table
            .address
            .get()
            .map(|own| (own.value.0, &own.span))
            .into_iter()
            .collect(),
        None => {
            let own = interface.table.address.value().into_iter().flatten();
            own.map(|own| (own.value.0, &own.span)).collect()
        }
    };
    let Some((first, at)) = own.first() else {
        return;
    };
    let v4 = |network: &Network| network.address().is_ipv4();
    for target in targets {
        let ip = target.value.address.ip();
        // One trunk has one path: its targets are of one family.
        let paths = trunk.path.map_or_else(
            || own.iter().any(|(net, _)| v4(net) == ip.is_ipv4()),
            |path| path.local.is_ipv4() == ip.is_ipv4(),
        );
        if paths {
            continue;
        }
        let family = if v4(first) { "IPv4" } else { "IPv6" };
        let message = format!(
            "{}: {ip} is of the other family than its path",
            trunk.title()
        );
        let problem = Problem::new(MISSING_KEY, &target.span, message).label("cannot be reached");
        let problem = problem.also(at, format!("our address is {family}"));
        report.add(
            problem.help("give the path an address of that family, or make it a trunk of its own"),
        );
    }
}
