//! Routes: every peer in one, none hidden, none leading back or astray.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use crate::checks::Check;
use crate::checks::numbers::COMPARED;
use crate::codes::{
    CROSS_BORDER, DUPLICATE, EMPTY_TO, HIDDEN_ROUTE, NO_ROUTE, ROUTE_BACK, SLOW_ATTEMPTS,
    UNROUTED_NUMBER,
};
use crate::draft::{Draft, PeerDraft};
use crate::file::tables::RouteFile;
use crate::file::{OneOrMore, Spanned};
use crate::language::Language;
use crate::name::PeerName;
use crate::report::{Problem, Report};
use crate::route::From;

/// The checks of routes.
pub const CHECKS: &[Check] = &[
    name_twice,
    no_route,
    hidden,
    empty_to,
    route_back,
    cross_border,
    slow_attempts,
    unrouted_number,
];

type Route<'f> = &'f Spanned<RouteFile>;

fn froms(route: Route<'_>) -> impl Iterator<Item = &Spanned<From>> {
    route
        .value
        .from
        .value()
        .into_iter()
        .flat_map(|OneOrMore(from)| from.iter())
}

fn tos(route: Route<'_>) -> impl Iterator<Item = &Spanned<PeerName>> {
    route
        .value
        .to
        .value()
        .into_iter()
        .flat_map(|OneOrMore(to)| to.iter())
}

fn title(route: Route<'_>) -> alloc::string::String {
    route
        .value
        .name
        .value()
        .map_or_else(|| "this route".into(), |name| format!("route {name}"))
}

fn name_twice(draft: &Draft<'_>, report: &mut Report) {
    let mut seen = alloc::collections::BTreeMap::new();
    let routes = draft
        .file
        .route
        .value()
        .into_iter()
        .flat_map(|routes| routes.0.iter());
    for name in routes.filter_map(|route| route.value.name.get()) {
        if let Some(first) = seen.get(&name.value) {
            let message = format!("two routes are called {}", name.value);
            let problem = Problem::new(DUPLICATE, &name.span, message).label("again");
            report.add(problem.also(first, "first here"));
        } else {
            seen.insert(name.value.clone(), name.span.clone());
        }
    }
}

fn no_route(draft: &Draft<'_>, report: &mut Report) {
    if draft.routes_are_uncertain() {
        return;
    }
    for peer in &draft.peers {
        let named = |route: Route<'_>| {
            froms(route).any(|from| from.value.admits(&peer.name))
                || tos(route).any(|to| to.value == peer.name)
        };
        if !draft.routes().any(named) {
            let message = format!("{} is in no route", peer.title());
            let problem = Problem::new(NO_ROUTE, peer.span, message);
            report.add(problem.help("add it to a route, or set it aside with active = false"));
        }
    }
}

/// Returns true if every caller of `later` is one of `earlier`.
fn callers_within(later: Route<'_>, earlier: Route<'_>) -> bool {
    let admitted = |from: &From| {
        froms(earlier).any(|other| match from {
            From::One(peer) => other.value.admits(peer),
            any => other.value == *any,
        })
    };
    froms(later).next().is_some() && froms(later).all(|from| admitted(&from.value))
}

fn hidden(draft: &Draft<'_>, report: &mut Report) {
    let mut earlier: Vec<(Route<'_>, Language)> = Vec::new();
    for route in draft.routes().take(COMPARED) {
        let Some(number) = route.value.number.get() else {
            continue;
        };
        let Some(language) = Language::of(&number.value) else {
            continue;
        };
        let empty = language.is_empty() != Some(false);
        let covering = earlier.iter().find(|(other, numbers)| {
            callers_within(route, other) && language.within(numbers) == Some(true)
        });
        if let (false, Some((other, _))) = (empty, covering) {
            let message = format!("{} is never reached", title(route));
            let problem = Problem::new(HIDDEN_ROUTE, &number.span, message).label("hidden");
            let at = other.value.number.span().unwrap_or(&other.span);
            let problem = problem.also(at, format!("{} takes all its calls", title(other)));
            report.add(problem.help("move it up, or narrow the earlier route"));
        }
        earlier.push((route, language));
    }
}

/// Peers of `to` that are active, or whose state is unknown.
fn empty_to(draft: &Draft<'_>, report: &mut Report) {
    for route in draft.routes() {
        let Some(to) = route.value.to.get() else {
            continue;
        };
        let aside = |to: &Spanned<PeerName>| {
            let section = if to.value.is_trunk() {
                &draft.trunks
            } else {
                &draft.mediation
            };
            matches!(section.find(to.value.name()), crate::draft::Found::Inactive)
        };
        if to.value.0.iter().all(aside) {
            let message = format!("{} leads nowhere", title(route));
            let problem = Problem::new(EMPTY_TO, &to.span, message);
            report.add(if to.value.0.is_empty() {
                problem.label("empty").help("as in to = [\"trunk:itsp-a\"]")
            } else {
                problem
                    .label("set aside")
                    .help("every peer in it has active = false")
            });
        }
    }
}

fn route_back(draft: &Draft<'_>, report: &mut Report) {
    for route in draft.routes() {
        for to in tos(route) {
            let Some(from) = froms(route).find(|from| from.value.admits(&to.value)) else {
                continue;
            };
            let message = format!("{} may lead back to {}", title(route), to.value);
            let problem = Problem::new(ROUTE_BACK, &to.span, message).label("back to its source");
            let problem = problem.also(&from.span, "takes its calls");
            report.add(problem.help("name the callers in from one by one, without this one"));
        }
    }
}

/// Returns the active peers whose calls a route takes.
fn callers<'d, 'f>(
    draft: &'d Draft<'f>,
    route: Route<'f>,
) -> impl Iterator<Item = &'d PeerDraft<'f>> {
    draft
        .peers
        .iter()
        .filter(move |peer| froms(route).any(|from| from.value.admits(&peer.name)))
}

fn cross_border(draft: &Draft<'_>, report: &mut Report) {
    for route in draft.routes() {
        if route.value.cross_border.or(false) != Some(false) {
            continue;
        }
        for to in tos(route) {
            let Some(peer) = draft.peer(&to.value) else {
                continue;
            };
            let Some(country) = peer.country else {
                continue;
            };
            let foreign = |caller: &&PeerDraft<'_>| {
                caller.name != peer.name && caller.country.is_some_and(|own| own != country)
            };
            let Some(caller) = callers(draft, route).find(foreign) else {
                continue;
            };
            let own = caller.country.unwrap_or(country);
            let message = format!(
                "{} leads from {own} ({}) to {country} ({})",
                title(route),
                caller.title(),
                peer.title()
            );
            let problem =
                Problem::new(CROSS_BORDER, &to.span, message).label(format!("in {country}"));
            report.add(
                problem.help("write cross-border = true in the route if that is lawful and meant"),
            );
        }
    }
}

/// How long a Mediation Server waits for progress.
const SERVER_WAITS: Duration = Duration::from_secs(10);

fn slow_attempts(draft: &Draft<'_>, report: &mut Report) {
    for route in draft.routes() {
        let from_server = froms(route).any(|from| match &from.value {
            From::AnyMediation => true,
            From::AnyTrunk => false,
            From::One(peer) => !peer.is_trunk(),
        });
        let Some(to) = route.value.to.get().filter(|_| from_server) else {
            continue;
        };
        let attempts: Option<Vec<Duration>> = tos(route)
            .filter_map(|to| draft.peer(&to.value))
            .map(attempts)
            .collect();
        let Some(attempts) = attempts else { continue };
        let sum: Duration = attempts.iter().sum();
        if sum > SERVER_WAITS {
            let message = format!(
                "{}: silent targets take {} s",
                title(route),
                sum.as_secs_f32()
            );
            let problem = Problem::new(SLOW_ATTEMPTS, &to.span, message).label("tried in turn");
            report.add(
                problem
                    .help("the server gives up after 10 s: shorten attempt-timeout, or this list"),
            );
        }
    }
}

/// Returns how long a peer takes whose targets are all silent.
fn attempts(peer: &PeerDraft<'_>) -> Option<Duration> {
    let one = peer
        .file
        .attempt_timeout
        .or(crate::file::units::Time(crate::assemble::ATTEMPT))?;
    let targets = u32::try_from(peer.targets.as_ref()?.len()).ok()?;
    one.0.checked_mul(targets)
}

/// Numbers of a trunk that no route takes when they are called through it.
fn unrouted_number(draft: &Draft<'_>, report: &mut Report) {
    if draft.routes_are_uncertain() {
        return;
    }
    for trunk in draft.active_trunks() {
        let admitted = draft
            .routes()
            .filter(|route| froms(route).any(|from| from.value.admits(&trunk.name)));
        let patterns = admitted.filter_map(|route| route.value.number.value());
        let routed: Option<Vec<Language>> = patterns.take(COMPARED).map(Language::of).collect();
        let Some(routed) = routed else { continue };
        for own in trunk.file.own_numbers.value().into_iter().flatten() {
            let Some(language) = Language::of(&own.value) else {
                continue;
            };
            if language.is_empty() == Some(false)
                && !routed
                    .iter()
                    .any(|route| language.meets(route) != Some(false))
            {
                let message = format!("{}: no route takes calls to these numbers", trunk.title());
                let problem = Problem::new(UNROUTED_NUMBER, &own.span, message).label("unrouted");
                report.add(problem.help("callers would hear 404: widen a route from this trunk"));
            }
        }
    }
}
