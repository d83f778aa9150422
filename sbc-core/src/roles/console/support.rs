//! The support bundle: everything a supporter wants comes in, one JSON object
//! goes out, numbers and secrets masked.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::history;
use super::operations::Answered;
use super::room::Room;

/// What is in a bundle.
pub const CONTENTS: [&str; 11] = [
    "version: the version that runs",
    "system: host, load, memory",
    "configuration: the live file; secrets are names, numbers are masked",
    "calls: calls that are up, numbers masked",
    "peers: state, calls, OPTIONS",
    "limits: every cap and how often it was hit",
    "counters: what was counted since the start",
    "alarms: what is raised",
    "failed: the last 50 calls that failed, numbers masked",
    "audit: whether the audit log is whole",
    "log: the last 1000 lines of the diary, numbers masked",
];

/// Calls that failed in a bundle.
const FAILED: u64 = 50;

/// Returns the bundle.
pub async fn bundle(room: &Rc<Room>) -> Answered {
    let none = Map::new();
    let mut bundle = Map::new();
    let first = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "system": room.system(),
        "configuration": masked(&room.text.borrow()),
        "alarms": room.alarms.borrow().list(super::now()),
        "audit": room.audit.borrow().verify(),
    });
    bundle.extend(first.as_object().cloned().unwrap_or_default());
    let most = json!({ "count": 1000 });
    let log = room.log.list(most.as_object().unwrap_or(&none));
    let rows = log.get("rows").cloned().unwrap_or_default();
    bundle.insert("log".to_owned(), masked(&rows.to_string()));
    for (name, operation) in [
        ("calls", "calls.list"),
        ("peers", "peers.list"),
        ("limits", "limits.list"),
        ("counters", "counters.list"),
    ] {
        // A part that cannot be had says why, and the others are there.
        let asked = match operation {
            "limits.list" => room.limits().await,
            _ => room.signal(operation, &none).await,
        };
        let part = match asked {
            Ok(value) => value,
            Err((code, why)) => json!({ "error": format!("{code}: {why}") }),
        };
        bundle.insert(name.to_owned(), part);
    }
    let failed = json!({ "failed": true, "count": FAILED });
    let failed = failed.as_object().cloned().unwrap_or_default();
    bundle.insert("failed".to_owned(), history::list(&room.records(), &failed));
    Ok(Value::Object(bundle))
}

/// Returns the text with each long number masked to its last two digits.
fn masked(text: &str) -> Value {
    json!(without_numbers(text))
}

/// Returns `text` with numbers of telephones masked.
pub fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    let mut plus = false;
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        // Numbers of telephones are those with a plus in front.
        if plus && digits.len() > 4 {
            out.push_str("..");
            out.push_str(digits.get(digits.len() - 2..).unwrap_or_default());
        } else {
            out.push_str(&digits);
        }
        digits.clear();
        plus = c == '+';
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_file_are_masked_and_everything_else_stays() {
        assert_eq!(
            masked("pilot-number = \"+49691234000\"\nports = \"20000-20199\"\nmatch = '\\+49.*'\n"),
            json!("pilot-number = \"+..00\"\nports = \"20000-20199\"\nmatch = '\\+49.*'\n")
        );
    }
}
