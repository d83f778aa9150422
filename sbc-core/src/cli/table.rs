//! Answers as tables: JSON comes in, lines of at most 80 ASCII columns go out.

use std::fmt::Write as _;

use sbc_call::ladder::{Ladder, printable};
use sbc_call::view::{Call, Limit, Peer};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn rows<T: DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// Returns the JSON itself.
pub fn raw(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns the version.
pub fn version(value: &Value) -> String {
    let version = value.get("version").and_then(Value::as_str);
    format!("sbc {}\n", version.unwrap_or("?"))
}

/// Returns `show calls`.
pub fn calls(value: &Value) -> String {
    let mut out = String::from(
        "CALL     DIR  FROM   TO     A SIDE           B SIDE           STATE    TIME\n",
    );
    for call in rows::<Call>(value) {
        let mark = if call.emergency { "!" } else { "" };
        let _infallible = writeln!(
            out,
            "{:<8} {:<4} {:<6} {:<6} {:<16} {:<16} {:<8} {}",
            format!("{}{mark}", call.call),
            call.direction,
            printable(&call.from),
            printable(&call.to),
            short(&call.peer_a, 16),
            short(&call.peer_b, 16),
            call.state,
            time(call.secs),
        );
    }
    out
}

/// Returns `show trunks`.
pub fn trunks(value: &Value) -> String {
    peers(value, "trunk")
}

/// Returns `show mediation`.
pub fn mediation(value: &Value) -> String {
    peers(value, "mediation")
}

fn peers(value: &Value, kind: &str) -> String {
    let mut out = format!(
        "{:<14} {:<22} {:<7} {:<9} {:<11} {:<4} {}\n",
        if kind == "trunk" {
            "TRUNK"
        } else {
            "MEDIATION"
        },
        "TARGET",
        "STATE",
        "SINCE",
        "CALLS",
        "ASR",
        "OPTIONS"
    );
    for peer in rows::<Peer>(value) {
        if peer.kind != kind {
            continue;
        }
        let asr = (peer.answered * 100).checked_div(peer.attempts);
        let _infallible = writeln!(
            out,
            "{:<14} {:<22} {:<7} {:<9} {:<11} {:<4} {}",
            short(&peer.name, 14),
            short(&peer.target, 22),
            peer.state,
            time(peer.since_secs),
            format!("{}/{}", peer.active, peer.limit),
            asr.map_or("-".to_owned(), |asr| format!("{asr}%")),
            peer.options_ms
                .map_or("-".to_owned(), |ms| format!("{ms} ms")),
        );
    }
    out
}

/// Returns `show limits`.
pub fn limits(value: &Value) -> String {
    let mut out =
        String::from("LIMIT                                    USED        OF         HIT\n");
    for limit in rows::<Limit>(value) {
        let of = if limit.limit == u64::MAX {
            "-".to_owned()
        } else {
            limit.limit.to_string()
        };
        let _infallible = writeln!(
            out,
            "{:<40} {:<11} {of:<10} {}",
            short(&limit.name, 40),
            limit.used,
            limit.hits
        );
    }
    out
}

/// Returns `show counters`.
pub fn counters(value: &Value) -> String {
    let mut out = String::new();
    for (name, count) in rows::<(String, u64)>(value) {
        let _infallible = writeln!(out, "{name:<40} {count}");
    }
    out
}

/// Returns the ladder of a call.
pub fn ladder(value: &Value) -> String {
    serde_json::from_value::<Ladder>(value.clone())
        .map_or_else(|_| raw(value), |ladder| ladder.text())
}

/// Returns the ladder of a call as SVG.
pub fn image(value: &Value) -> String {
    serde_json::from_value::<Ladder>(value.clone())
        .map_or_else(|_| raw(value), |ladder| ladder.svg())
}

/// Returns every message of a call, clean.
pub fn messages(value: &Value) -> String {
    let Ok(ladder) = serde_json::from_value::<Ladder>(value.clone()) else {
        return raw(value);
    };
    let mut out = String::new();
    for rung in &ladder.rungs {
        let who = if rung.ours {
            "sent to"
        } else {
            "received from"
        };
        let _infallible = writeln!(
            out,
            "--- {:.3} {who} side {:?}",
            rung.at.as_secs_f64(),
            rung.side
        );
        for line in rung.message.split("\r\n") {
            out.push_str(&printable(line));
            out.push('\n');
        }
    }
    out
}

fn short(text: &str, width: usize) -> String {
    let clean = printable(text);
    if clean.len() <= width {
        return clean;
    }
    let head = clean.get(..width.saturating_sub(1)).unwrap_or_default();
    format!("{head}~")
}

fn time(secs: u64) -> String {
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours >= 100 {
        return format!("{}d {:02}h", hours / 24, hours % 24);
    }
    format!("{hours:02}:{minutes:02}:{secs:02}")
}
