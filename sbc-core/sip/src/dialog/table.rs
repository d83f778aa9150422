//! Prints a state machine row by row, for the tests that hold it against its RFC.

use alloc::{format, string::String};
use core::fmt::Debug;

/// Returns one line per pair of state and event: `State Event -> State [Action]`.
pub fn print<S, E, A>(
    states: &[S],
    events: &[E],
    next: impl Fn(S, E) -> (S, &'static [A]),
) -> String
where
    S: Copy + Debug,
    E: Copy + Debug,
    A: Debug + 'static,
{
    let mut out = String::new();
    for &state in states {
        for &event in events {
            let (after, actions) = next(state, event);
            out += &format!("{state:?} {event:?} -> {after:?} {actions:?}\n");
        }
    }
    out
}

/// Compares a printed table with one written in a test, margins aside.
pub fn assert_same(printed: &str, written: &str) {
    let lines = |text: &str| -> alloc::vec::Vec<String> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(String::from)
            .collect()
    };
    assert_eq!(lines(printed), lines(written), "\n{printed}");
}
