//! `monitor dashboard`: what the node shows of itself comes in, one screen of 24 lines
//! with 80 ASCII columns goes out, once a second until Ctrl-C. Only lines that changed
//! are written, so that a serial line at 9600 keeps up.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::pager::INTERRUPTED;
use super::session::{Outcome, Session};
use super::{table, terminal};

/// Lines and columns of every terminal.
const LINES: usize = 24;
const COLUMNS: usize = 80;

/// How often it is drawn anew.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// A part of the screen: what it asks for, how it is shown, its lines at most, and
/// what stands there where nothing is.
type Part = (&'static str, fn(&Value) -> String, usize, &'static str);

/// All parts; with the first line and the last they fill the screen.
const PARTS: [Part; 4] = [
    ("alarms.list", table::alarms, 5, "no alarm is raised"),
    ("peers.list", table::trunks, 6, "no trunk"),
    ("peers.list", table::mediation, 5, "no Mediation Server"),
    ("calls.list", table::calls, 6, "no call is up"),
];

/// Draws it until Ctrl-C; a caller without a terminal gets one screen.
pub fn run(session: &mut Session) -> Outcome {
    if !session.interactive {
        return Outcome::Said(screen(session).join("\n"));
    }
    let plain = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let mut before: Vec<String> = Vec::new();
    while !INTERRUPTED.load(Ordering::Relaxed) {
        let lines = screen(session);
        let written = if plain {
            lines.iter().map(|line| format!("{line}\n")).collect()
        } else {
            changed(&before, &lines)
        };
        let mut out = io::stdout();
        if out
            .write_all(written.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            break;
        }
        before = lines;
        // Somebody who watches is there.
        session.shared.touch();
        terminal::wait(LOOKS_EVERY);
    }
    // The prompt comes below what was drawn.
    if !plain {
        let _gone = io::stdout().write_all(format!("\x1b[{LINES};1H\n").as_bytes());
    }
    Outcome::Nothing
}

/// Returns what has to be written so that `lines` stand where `before` stood.
fn changed(before: &[String], lines: &[String]) -> String {
    let mut out = String::new();
    if before.is_empty() {
        out.push_str("\x1b[2J");
    }
    for (at, line) in lines.iter().enumerate() {
        if before.get(at) != Some(line) {
            out.push_str(&format!("\x1b[{};1H{line}\x1b[K", at + 1));
        }
    }
    out
}

/// Asks for everything, and returns the lines.
fn screen(session: &mut Session) -> Vec<String> {
    let mut ask = |operation: &str| {
        let answer = session.client.ask(operation, &json!({}));
        answer.map_err(|why| why.to_string())
    };
    let system = ask("system.show").unwrap_or_default();
    let clock = ask("system.clock").unwrap_or_default();
    let parts: Vec<Result<Value, String>> = PARTS.iter().map(|part| ask(part.0)).collect();
    drawn(&title(&system, &clock), &parts)
}

fn title(system: &Value, clock: &Value) -> String {
    let text = |value: &Value, field: &str| {
        let value = value.get(field).and_then(Value::as_str);
        super::clean(value.unwrap_or("-"))
    };
    let (name, version) = (text(system, "hostname"), text(system, "version"));
    let revision = system.get("revision").and_then(Value::as_u64).unwrap_or(0);
    let (load, now) = (text(system, "load"), text(clock, "utc"));
    format!("{now} UTC  SBC {version}  revision {revision}  load {load}  {name}")
}

/// Returns exactly as many lines as the screen has.
fn drawn(title: &str, parts: &[Result<Value, String>]) -> Vec<String> {
    let mut lines = vec![fitting(title)];
    for ((_, show, most, none), answer) in PARTS.iter().zip(parts) {
        let text = match answer {
            Ok(value) => show(value),
            Err(why) => format!("{why}\n"),
        };
        let all: Vec<&str> = text.lines().collect();
        let mut part: Vec<String> = if answer.is_ok() && all.len() < 2 {
            all.iter().chain([none]).map(|line| fitting(line)).collect()
        } else {
            all.iter().map(|line| fitting(line)).collect()
        };
        if part.len() > *most {
            let left = part.len() + 1 - most;
            part.truncate(most - 1);
            part.push(format!("  and {left} lines more"));
        }
        part.resize(*most, String::new());
        lines.extend(part);
    }
    lines.resize(LINES - 1, String::new());
    lines.push("^C ends it".to_owned());
    lines
}

/// Returns a line that no terminal wraps.
fn fitting(line: &str) -> String {
    let mut clean = super::clean(line);
    clean.truncate(COLUMNS - 1);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, kind: &str) -> Value {
        json!({ "name": name, "kind": kind, "target": "192.0.2.1:5060/udp", "state": "up",
                "since_secs": 1, "active": 1, "limit": 10, "attempts": 0, "answered": 0,
                "options_ms": 4 })
    }

    #[test]
    fn the_screen_has_its_lines_and_columns_whatever_is_to_be_shown() {
        let none = [Ok(json!([])), Ok(json!([])), Ok(json!([])), Ok(json!([]))];
        let away = ["the signal role is away"; 4].map(|why| Err(why.to_owned()));
        let many: Vec<Value> = (0..300)
            .flat_map(|at| {
                let name = format!("\u{1b}[2J{at}-{}", "x".repeat(200));
                [peer(&name, "trunk"), peer(&name, "mediation")]
            })
            .collect();
        let many = [
            Ok(json!([])),
            Ok(json!(many)),
            Ok(json!(many)),
            Ok(json!([])),
        ];
        for parts in [none, away, many] {
            let lines = drawn(&"t\u{9b}".repeat(100), &parts);
            assert_eq!(lines.len(), LINES);
            for line in &lines {
                assert!(line.len() < COLUMNS, "{line}");
                assert!(
                    line.bytes().all(|octet| (0x20..0x7f).contains(&octet)),
                    "{line:?}"
                );
            }
            assert_eq!(lines.last().unwrap(), "^C ends it");
        }
        let parts = PARTS.iter().map(|part| part.2).sum::<usize>();
        assert_eq!(parts + 2, LINES);
    }

    #[test]
    fn only_what_changed_is_written() {
        let lines = ["one".to_owned(), "two".to_owned()];
        assert_eq!(
            changed(&[], &lines),
            "\x1b[2J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K"
        );
        let later = ["one".to_owned(), "three".to_owned()];
        assert_eq!(changed(&lines, &later), "\x1b[2;1Hthree\x1b[K");
        assert_eq!(changed(&later, &later), "");
    }
}
