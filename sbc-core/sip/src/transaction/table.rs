//! Prints a machine as a table, for the tests that hold it against the RFC's figure.

use alloc::format;
use alloc::string::String;
use core::fmt::{Debug, Write};

use super::{Action, Reliability};

/// Returns one line per state and event. `.` is a pair without an arrow, and a
/// reliable transport gets a line of its own only where it differs.
pub fn print<S, E>(
    states: &[S],
    events: &[E],
    next: fn(Reliability, S, E) -> (S, &'static [Action]),
) -> String
where
    S: Copy + Debug + PartialEq,
    E: Copy + Debug,
{
    let mut table = String::from("\n");
    for &state in states {
        for &event in events {
            let row = |reliability| arrow(&state, &next(reliability, state, event));
            let (unreliable, reliable) = (row(Reliability::Unreliable), row(Reliability::Reliable));
            let left = format!("{:<10} {:<14}", format!("{state:?}"), format!("{event:?}"));
            let _ = writeln!(table, "{left} {unreliable}");
            if reliable != unreliable {
                let _ = writeln!(table, "{left} {reliable} (reliable)");
            }
        }
    }
    table
}

fn arrow<S: Debug + PartialEq>(from: &S, (to, actions): &(S, &[Action])) -> String {
    if from == to && actions.is_empty() {
        return String::from(".");
    }
    let mut text = format!("{to:?}");
    for (at, action) in actions.iter().enumerate() {
        let _ = write!(text, "{} {action:?}", if at == 0 { ":" } else { "," });
    }
    text
}
