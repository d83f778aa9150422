//! What is wrong with a file beyond its types: a table of small functions, each
//! named after the code it reports. A check whose input is broken stays silent,
//! so that one mistake costs one message.

mod emergency;
mod later;
mod log;
mod network;
mod numbers;
mod peers;
mod reference;
mod routes;
mod secrets;
mod time;
mod tunnel;
mod users;

pub use later::cap;

use crate::codes::UNKNOWN_KEY;
use crate::draft::Draft;
use crate::file::peer::{MEDIATION_ONLY, TRUNK_ONLY};
use crate::report::{Problem, Report};
use crate::tree::{Table, Value};

/// Looks at the whole file for one kind of problem.
type Check = fn(&Draft<'_>, &mut Report);

/// Every check, theme by theme.
const THEMES: [&[Check]; 12] = [
    reference::CHECKS,
    network::CHECKS,
    tunnel::CHECKS,
    peers::CHECKS,
    numbers::CHECKS,
    routes::CHECKS,
    emergency::CHECKS,
    secrets::CHECKS,
    users::CHECKS,
    log::CHECKS,
    time::CHECKS,
    later::CHECKS,
];

/// Runs every check.
pub fn run(draft: &Draft<'_>, report: &mut Report) {
    for check in THEMES.iter().copied().flatten() {
        check(draft, report);
    }
}

/// Returns every two of `items`, in order.
fn pairs<T: Copy>(items: &[T]) -> impl Iterator<Item = (T, T)> + '_ {
    let rest = |at: usize| items.iter().skip(at + 1).copied();
    items
        .iter()
        .enumerate()
        .flat_map(move |(at, one)| rest(at).map(move |two| (*one, two)))
}

/// Reports keys of one kind of peer in a table of the other.
pub fn misplaced(root: &Table, report: &mut Report) {
    let kinds = [
        ("trunk", &MEDIATION_ONLY, "a mediation server"),
        ("mediation", &TRUNK_ONLY, "a trunk"),
    ];
    for (kind, foreign, owner) in kinds {
        let Some(Value::Table(peers)) = root.get(kind).map(|item| &item.value) else {
            continue;
        };
        for peer in &peers.entries {
            let Value::Table(keys) = &peer.item.value else {
                continue;
            };
            for entry in keys
                .entries
                .iter()
                .filter(|e| foreign.contains(&e.key.as_str()))
            {
                let message = alloc::format!("{} is a key of {owner}", entry.key);
                report.add(Problem::new(UNKNOWN_KEY, &entry.key_span, message).label("misplaced"));
            }
        }
    }
}
