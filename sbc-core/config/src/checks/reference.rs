//! Names that refer to a table: the table is there and active.

use alloc::format;

use crate::checks::Check;
use crate::codes::{PROFILE_CIRCLE, UNDEFINED};
use crate::draft::{Active, Draft, Found, Section};
use crate::file::{NamedTable, Spanned, nearest};
use crate::name::{Name, PeerName};
use crate::network::Via;
use crate::report::{Problem, Report, Span};
use crate::route::From;

/// The checks of references.
pub const CHECKS: &[Check] = &[links, certificates, peers, routes, profiles];

/// Reports `name` unless the section has an active table of that name.
fn refer<T: Active>(
    section: &Section<'_, T>,
    kind: &str,
    name: &Name,
    span: &Span,
    report: &mut Report,
) {
    let problem = match section.find(name) {
        Found::Active(_) | Found::Unreadable => return,
        Found::Inactive => Problem::new(UNDEFINED, span, format!("{kind} {name} is not active"))
            .label("set aside")
            .help("set it active, or name another"),
        Found::Undefined => undefined(section, kind, name, span),
    };
    report.add(problem);
}

fn undefined<T: Active>(section: &Section<'_, T>, kind: &str, name: &Name, span: &Span) -> Problem {
    let problem = Problem::new(UNDEFINED, span, format!("there is no {kind} {name}"));
    let problem = problem.label("not defined");
    match nearest(
        name.as_str(),
        section.all().map(|table| table.name.as_str()),
    ) {
        Some(near) => problem.help(format!("did you mean {near}?")),
        None => problem.help(format!("add a table [{kind}.{name}]")),
    }
}

/// Interfaces of tunnels, management and shaper.
fn links(draft: &Draft<'_>, report: &mut Report) {
    let mut interface = |name: Option<&Spanned<Name>>| {
        if let Some(name) = name {
            refer(
                &draft.interfaces,
                "interface",
                &name.value,
                &name.span,
                report,
            );
        }
    };
    for tunnel in draft.tunnels.active() {
        interface(tunnel.table.underlay.get());
    }
    interface(
        draft
            .file
            .management
            .value()
            .and_then(|management| management.interface.get()),
    );
    let shape = draft.file.qos.value().and_then(|qos| qos.shape.value());
    interface(shape.and_then(|shape| shape.interface.get()));
}

/// Certificates and authorities of tunnels.
fn certificates(draft: &Draft<'_>, report: &mut Report) {
    for tunnel in draft.tunnels.active() {
        let Some(auth) = tunnel.table.auth.value() else {
            continue;
        };
        if let Some(name) = auth.certificate.get() {
            let section = &draft.certificates;
            refer(section, "certificate", &name.value, &name.span, report);
        }
        if let Some(name) = auth.trust.get() {
            refer(&draft.trusts, "trust", &name.value, &name.span, report);
        }
    }
    for collector in draft.collectors() {
        if let Some(name) = collector.table.trust.get() {
            refer(&draft.trusts, "trust", &name.value, &name.span, report);
        }
    }
}

/// What the tables of peers name.
fn peers(draft: &Draft<'_>, report: &mut Report) {
    for peer in &draft.peers {
        let trunk = peer.name.is_trunk();
        if let (true, Some(via)) = (trunk, peer.file.via.get()) {
            match &via.value {
                Via::Interface(name) => {
                    refer(&draft.interfaces, "interface", name, &via.span, report);
                }
                Via::Tunnel(name) => refer(&draft.tunnels, "tunnel", name, &via.span, report),
            }
        }
        if let (false, Some(name)) = (trunk, peer.file.interface.get()) {
            refer(
                &draft.interfaces,
                "interface",
                &name.value,
                &name.span,
                report,
            );
        }
        if let Some(name) = peer.file.numbers.get() {
            refer(&draft.numbers, "numbers", &name.value, &name.span, report);
        }
        // A site without a table has no limit; beside other tables, a name
        // without one is more likely a slip.
        let sites = draft.sites.all().next().is_some();
        if let Some(name) = peer.file.site.get().filter(|_| sites) {
            refer(&draft.sites, "site", &name.value, &name.span, report);
        }
    }
}

/// Peers of routes. One that is set aside is skipped where calls go.
fn routes(draft: &Draft<'_>, report: &mut Report) {
    for route in draft.routes() {
        let from = route
            .value
            .from
            .value()
            .into_iter()
            .flat_map(|from| from.0.iter());
        for from in from {
            if let From::One(peer) = &from.value {
                peer_of_route(draft, peer, &from.span, report);
            }
        }
        for to in route
            .value
            .to
            .value()
            .into_iter()
            .flat_map(|to| to.0.iter())
        {
            peer_of_route(draft, &to.value, &to.span, report);
        }
    }
}

fn peer_of_route(draft: &Draft<'_>, peer: &PeerName, span: &Span, report: &mut Report) {
    let section = if peer.is_trunk() {
        &draft.trunks
    } else {
        &draft.mediation
    };
    if matches!(section.find(peer.name()), Found::Undefined) {
        report.add(undefined(section, peer.kind(), peer.name(), span));
    }
}

/// Profiles: those named exist, and none leads back to itself.
fn profiles(draft: &Draft<'_>, report: &mut Report) {
    let holders = draft
        .trunks
        .active()
        .chain(draft.mediation.active())
        .chain(draft.profiles.active());
    for holder in holders {
        if let Some(name) = holder.table.profile.get() {
            refer(&draft.profiles, "profile", &name.value, &name.span, report);
        }
    }
    let mut told: alloc::vec::Vec<&Name> = alloc::vec::Vec::new();
    for profile in draft.profiles.active() {
        if told.contains(&&profile.name) {
            continue;
        }
        if let Some(circle) = circle(draft, profile) {
            report.add(circle_problem(&circle));
            told.extend(circle.iter().map(|profile| &profile.name));
        }
    }
}

type Profile<'f> = &'f NamedTable<crate::file::peer::PeerFile>;

/// Returns the profiles from `start` back to it, if they lead there.
fn circle<'f>(draft: &Draft<'f>, start: Profile<'f>) -> Option<alloc::vec::Vec<Profile<'f>>> {
    let mut steps = alloc::vec::Vec::from([start]);
    loop {
        let last = steps.last()?;
        let next = draft.profiles.get(last.table.profile.value()?)?;
        if next.name == start.name {
            return Some(steps);
        }
        // A circle further on is told by those in it.
        if steps.iter().any(|step| step.name == next.name) {
            return None;
        }
        steps.push(next);
    }
}

fn circle_problem(circle: &[Profile<'_>]) -> Problem {
    let mut steps = circle.iter().filter_map(|profile| {
        let next = profile.table.profile.get()?;
        Some((
            &next.span,
            format!("{} adopts {}", profile.name, next.value),
        ))
    });
    let (span, label) = steps
        .next()
        .unwrap_or((&(0..0), alloc::string::String::new()));
    let problem =
        Problem::new(PROFILE_CIRCLE, span, "these profiles adopt each other").label(label);
    steps.fold(problem, |problem, (span, label)| problem.also(span, label))
}
