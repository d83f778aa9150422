//! Tunnels and who must use one: RFC 1918, RFC 6598, RFC 4193 for addresses,
//! RFC 4303 and RFC 2784 for sizes.

use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::checks::Check;
use crate::codes::{
    CLEAR_INTERNET, MISSING_KEY, NO_AUTH, PRIVATE_OUTER, TUNNEL_IN_ITSELF, TUNNEL_MTU, TWO_AUTHS,
    UNDERLAY, ZONE,
};
use crate::draft::{Draft, ETHERNET_MTU, INNER_MTU, encapsulation, own_address};
use crate::file::NamedTable;
use crate::file::tables::{AuthFile, TunnelFile};
use crate::file::values::NatTraversal;
use crate::network::{Via, Zone};
use crate::report::{Problem, Report};

/// The checks of tunnels.
pub const CHECKS: &[Check] = &[
    zone_of_trunks,
    underlay,
    in_itself,
    private_outer,
    no_auth,
    half_auth,
    mtu,
];

/// A trunk by an interface: private lines go in clear, the Internet does not.
fn zone_of_trunks(draft: &Draft<'_>, report: &mut Report) {
    for trunk in draft.active_trunks() {
        let Some(via) = trunk.file.via.get() else {
            continue;
        };
        let Via::Interface(name) = &via.value else {
            continue;
        };
        let Some(interface) = draft.interfaces.get(name) else {
            continue;
        };
        let Some(zone) = interface.table.zone.get() else {
            continue;
        };
        let problem = match zone.value {
            Zone::Private => continue,
            Zone::Internet => Problem::new(
                CLEAR_INTERNET,
                &via.span,
                format!("{} would cross the Internet in clear", trunk.title()),
            )
            .label("no tunnel")
            .help("add a [tunnel.NAME] over this interface and write via = \"tunnel:NAME\""),
            Zone::Management | Zone::Mediation => Problem::new(
                ZONE,
                &via.span,
                format!(
                    "{}: interface {name} is in zone {}",
                    trunk.title(),
                    zone.value.word()
                ),
            )
            .label("wrong zone")
            .help("name an interface of zone private, or a tunnel"),
        };
        report.add(problem.also(&zone.span, "the zone"));
    }
}

fn underlay(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let Some(name) = tunnel.table.underlay.get() else {
            continue;
        };
        let Some(interface) = draft.interfaces.get(&name.value) else {
            continue;
        };
        let Some(zone) = interface.table.zone.get() else {
            continue;
        };
        if matches!(zone.value, Zone::Internet | Zone::Private) {
            continue;
        }
        let message = format!(
            "tunnel {}: interface {} is in zone {}",
            tunnel.name,
            name.value,
            zone.value.word()
        );
        let problem = Problem::new(UNDERLAY, &name.span, message).label("wrong zone");
        report.add(
            problem
                .also(&zone.span, "the zone")
                .help("name an interface of zone internet or private"),
        );
    }
}

fn in_itself(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let (Some(remote), Some(own)) = (tunnel.table.remote.get(), tunnel.table.address.get())
        else {
            continue;
        };
        if own.value.0.contains(remote.value) {
            let message = format!(
                "tunnel {}: {} lies inside the tunnel",
                tunnel.name, remote.value
            );
            let problem = Problem::new(TUNNEL_IN_ITSELF, &remote.span, message).label("inside");
            report.add(
                problem
                    .also(&own.span, "the network inside")
                    .help("remote is the outer address of the far end"),
            );
        }
    }
}

/// Returns true for addresses a translator stands before (RFC 1918 §3, RFC
/// 6598 §7, RFC 4193 §3.1), and for link-local ones (RFC 3927 §1.5).
fn behind_translator(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = u32::from(v4) & 0xFFC0_0000 == 0x6440_0000;
            v4.is_private() || v4.is_link_local() || v4.is_loopback() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

fn private_outer(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        if tunnel.table.nat_traversal.or(NatTraversal::Off) != Some(NatTraversal::Off) {
            continue;
        }
        let Some(remote) = tunnel.table.remote.get() else {
            continue;
        };
        let name = tunnel.table.underlay.value();
        let Some(interface) = name.and_then(|name| draft.interfaces.get(name)) else {
            continue;
        };
        if interface.table.zone.value() != Some(&Zone::Internet) {
            continue;
        }
        let own = own_address(&interface.table, remote.value).filter(|own| behind_translator(*own));
        let (address, span) = if behind_translator(remote.value) {
            (remote.value, &remote.span)
        } else if let Some(own) = own {
            (
                own,
                interface.table.address.span().unwrap_or(&interface.span),
            )
        } else {
            continue;
        };
        let message = format!(
            "tunnel {}: {address} is a private address on the Internet",
            tunnel.name
        );
        let problem = Problem::new(PRIVATE_OUTER, span, message).label("private");
        report.add(
            problem.help("use a public address, or write nat-traversal = \"auto\" in the tunnel"),
        );
    }
}

fn no_auth(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let auth = &tunnel.table.auth;
        let span = match auth.get() {
            Some(auth) if auth.value.psk.is_absent() && missing(&auth.value).len() == 3 => {
                &auth.span
            }
            None if auth.is_absent() => &tunnel.span,
            _ => continue,
        };
        let message = format!(
            "tunnel {} says nothing of how its ends know each other",
            tunnel.name
        );
        let help = "write psk = { secret = \"NAME\" }, or certificate, trust and remote-id";
        report.add(Problem::new(NO_AUTH, span, message).help(help));
    }
}

/// Returns the keys of a certificate that are not there.
fn missing(auth: &AuthFile) -> Vec<&'static str> {
    let keys = [
        ("certificate", auth.certificate.is_absent()),
        ("trust", auth.trust.is_absent()),
        ("remote-id", auth.remote_id.is_absent()),
    ];
    let missing = keys.into_iter().filter(|(_, absent)| *absent);
    missing.map(|(key, _)| key).collect()
}

/// Certificates need all three of their keys, and no secret beside them.
fn half_auth(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let Some(auth) = tunnel.table.auth.get() else {
            continue;
        };
        let missing = missing(&auth.value);
        let name = &tunnel.name;
        let problem = match (auth.value.psk.is_absent(), missing.len()) {
            (_, 3) | (true, 0) => continue,
            (true, _) => {
                let keys = missing.join(" and ");
                let message = format!("tunnel {name}: auth by certificate lacks {keys}");
                Problem::new(MISSING_KEY, &auth.span, message)
                    .label("not whole")
                    .help("write certificate, trust and remote-id")
            }
            (false, _) => {
                let message = format!("tunnel {name}: auth by psk and by certificate");
                let span = auth.value.psk.span().unwrap_or(&auth.span);
                Problem::new(TWO_AUTHS, span, message)
                    .label("two ways")
                    .help("leave psk out, or certificate, trust and remote-id")
            }
        };
        report.add(problem);
    }
}

fn mtu(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let problem = mtu_of(draft, tunnel);
        problem.into_iter().for_each(|problem| report.add(problem));
    }
}

fn mtu_of(draft: &Draft<'_>, tunnel: &NamedTable<TunnelFile>) -> Option<Problem> {
    let interface = draft.interfaces.get(tunnel.table.underlay.value()?)?;
    let outer = interface
        .table
        .mtu
        .optional()?
        .map_or(ETHERNET_MTU, super::super::file::units::Int::u16);
    let inner = tunnel
        .table
        .mtu
        .optional()?
        .map_or(INNER_MTU, super::super::file::units::Int::u16);
    let most = encapsulation(&tunnel.table)?.inner_mtu(outer);
    if inner <= most {
        return None;
    }
    let message = format!(
        "tunnel {}: packets of {inner} octets do not fit {}, which takes {outer}",
        tunnel.name, interface.name
    );
    let span = tunnel.table.mtu.span().unwrap_or(&tunnel.span);
    let problem = Problem::new(TUNNEL_MTU, span, message).label("too large");
    let problem = match interface.table.mtu.span() {
        Some(span) => problem.also(span, "the underlay"),
        None => problem,
    };
    Some(problem.help(format!("the largest mtu that fits is {most}")))
}
