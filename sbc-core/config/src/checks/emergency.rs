//! Calls for help: a trunk to go by, numbers that lead back to the node.

use alloc::format;
use alloc::vec::Vec;

use crate::checks::Check;
use crate::checks::peers::for_emergencies;
use crate::codes::{
    CALLBACK, EMERGENCY_TRUNK, FOREIGN_ELIN, NO_ELIN, NO_EMERGENCY_TRUNK, ONE_EMERGENCY_TRUNK,
};
use crate::draft::{Draft, Found, PeerDraft};
use crate::file::Given;
use crate::file::tables::EmergencyFile;
use crate::number::Number;
use crate::peer::EmergencyLocation;
use crate::report::{Problem, Report, Span};

/// The checks of calls for help.
pub const CHECKS: &[Check] = &[no_trunk, bad_trunk, callback, foreign_elin, no_elin];

fn emergency<'f>(draft: &Draft<'f>) -> Option<&'f EmergencyFile> {
    draft.file.emergency.value()
}

/// Returns the trunks calls for help go by, and the place that says so.
fn accepting<'d, 'f>(draft: &'d Draft<'f>) -> Option<(Vec<&'d PeerDraft<'f>>, &'f Span)> {
    let header = match &draft.file.emergency {
        Given::Broken => return None,
        Given::Is(emergency) => Some(emergency),
        Given::Absent => None,
    };
    let listed = header.and_then(|emergency| emergency.value.trunks.get());
    let mut trunks = Vec::new();
    for trunk in draft.active_trunks() {
        // A trunk that is not listed answers for its own country only.
        let here = listed.is_some() || trunk.country.is_none() || trunk.country == draft.country;
        if here && for_emergencies(draft, trunk)? {
            trunks.push(trunk);
        }
    }
    let system = draft.file.system.span();
    let span = listed
        .map(|listed| &listed.span)
        .or(header.map(|header| &header.span))
        .or(system)?;
    Some((trunks, span))
}

/// A node without servers or without trunks is still being written.
fn no_trunk(draft: &Draft<'_>, report: &mut Report) {
    if draft.active_trunks().next().is_none() || draft.active_servers().next().is_none() {
        return;
    }
    let Some((trunks, span)) = accepting(draft) else {
        return;
    };
    match trunks.as_slice() {
        [] if emergency(draft).is_some_and(names_unknown_trunk(draft)) => {}
        [] => {
            let message = "no trunk takes emergency calls";
            let help = "list trunks of this country in [emergency] trunks";
            report.add(Problem::new(NO_EMERGENCY_TRUNK, span, message).help(help));
        }
        [one] if draft.active_trunks().nth(1).is_some() => {
            let message = format!("all emergency calls depend on {}", one.title());
            let problem = Problem::new(ONE_EMERGENCY_TRUNK, span, message).label("only one");
            report.add(problem.help("add a second trunk, best over another line"));
        }
        _ => {}
    }
}

/// The unknown name was told; that nothing is left follows from it.
fn names_unknown_trunk<'d>(draft: &'d Draft<'_>) -> impl Fn(&EmergencyFile) -> bool + 'd {
    |emergency| {
        let mut listed = emergency.trunks.value().into_iter().flatten();
        listed.any(|name| !matches!(draft.trunks.find(&name.value), Found::Active(_)))
    }
}

fn bad_trunk(draft: &Draft<'_>, report: &mut Report) {
    let trunks = emergency(draft).and_then(|emergency| emergency.trunks.value());
    for name in trunks.into_iter().flatten() {
        let what = match draft.trunks.find(&name.value) {
            Found::Active(_) | Found::Unreadable => continue,
            Found::Inactive => "is not active",
            Found::Undefined => "is not defined",
        };
        let message = format!("emergency: trunk {} {what}", name.value);
        let problem = Problem::new(EMERGENCY_TRUNK, &name.span, message).label("no trunk");
        let names = draft.trunks.all().map(|table| table.name.as_str());
        report.add(match crate::file::nearest(name.value.as_str(), names) {
            Some(near) if what == "is not defined" => problem.help(format!("did you mean {near}?")),
            _ => problem.help("name active trunks only"),
        });
    }
}

/// Returns whether a trunk owns `number`; nothing if that cannot be told.
fn is_ours(draft: &Draft<'_>, number: &Number) -> Option<bool> {
    let mut certain = true;
    for trunk in draft.active_trunks() {
        certain &= !matches!(trunk.file.own_numbers, Given::Broken)
            && !matches!(trunk.file.pilot_number, Given::Broken);
        let mut own = trunk.file.own_numbers.value().into_iter().flatten();
        let pilot = trunk.file.pilot_number.value() == Some(number);
        if pilot || own.any(|pattern| pattern.value.matches(number.reveal())) {
            return Some(true);
        }
    }
    certain.then_some(false)
}

fn callback(draft: &Draft<'_>, report: &mut Report) {
    let Some(callback) = emergency(draft).and_then(|emergency| emergency.callback.get()) else {
        return;
    };
    if is_ours(draft, &callback.value) == Some(false) {
        let message = format!(
            "emergency: the callback number {} is not ours",
            callback.value
        );
        let problem = Problem::new(CALLBACK, &callback.span, message).label("of no trunk");
        report.add(problem.help("use a number of a trunk, or add it to its own-numbers"));
    }
}

fn foreign_elin(draft: &Draft<'_>, report: &mut Report) {
    let elin = emergency(draft).and_then(|emergency| emergency.elin.value());
    for number in elin
        .and_then(|elin| elin.numbers.value())
        .into_iter()
        .flatten()
    {
        if is_ours(draft, &number.value) == Some(false) {
            let message = format!("emergency: the ELIN {} is not ours", number.value);
            let problem = Problem::new(FOREIGN_ELIN, &number.span, message).label("of no trunk");
            report.add(problem.help("use numbers of a trunk, or add them to its own-numbers"));
        }
    }
}

fn no_elin(draft: &Draft<'_>, report: &mut Report) {
    let lent = match &draft.file.emergency {
        Given::Broken => return,
        Given::Absent => false,
        Given::Is(emergency) => match &emergency.value.elin {
            Given::Broken => return,
            Given::Absent => false,
            Given::Is(elin) => elin
                .value
                .numbers
                .or(Vec::new())
                .is_none_or(|numbers| !numbers.is_empty()),
        },
    };
    for trunk in draft.active_trunks().filter(|_| !lent) {
        let Some(location) = trunk.file.emergency_location.get() else {
            continue;
        };
        if location.value == EmergencyLocation::Elin {
            let message = format!("{}: there is no ELIN to lend", trunk.title());
            let problem = Problem::new(NO_ELIN, &location.span, message).label("needs numbers");
            report.add(
                problem.help("add elin = { numbers = [...] } to [emergency], or write \"pass\""),
            );
        }
    }
}
