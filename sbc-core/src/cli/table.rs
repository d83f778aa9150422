//! Answers as tables: JSON comes in, lines of at most 80 ASCII columns go out.

use std::fmt::Write as _;

use sbc_call::ladder::{Ladder, printable};
use sbc_call::view::{Call, Limit, Peer};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn rows<T: DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// Returns the JSON itself, in ASCII.
pub fn raw(value: &Value) -> String {
    super::plain(format!("{value:#}\n"))
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
            if call.silent.is_empty() {
                time(call.secs)
            } else {
                format!("{} 1way", time(call.secs))
            },
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
            if peer.drained && peer.state != "down" {
                "drained"
            } else {
                &peer.state
            },
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

/// Returns names and what they have, a line each.
pub fn facts(value: &Value) -> String {
    let mut out = String::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = match value {
            Value::String(text) => printable(text),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        let name = name.replace('_', " ");
        // A long value has a line of its own.
        let gap = if text.len() > 59 { "\n  " } else { " " };
        let _infallible = writeln!(out, "{name:<20}{gap}{text}");
    }
    out
}

/// Returns the one sentence of an answer.
pub fn done(value: &Value) -> String {
    format!("{}\n", text(value, "done"))
}

/// Returns a list of texts, a line each.
pub fn lines(value: &Value) -> String {
    let texts = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    texts.map(|text| format!("{}\n", printable(text))).collect()
}

/// Returns `test config`.
pub fn problems(value: &Value) -> String {
    let problems = value.get("problems").cloned().unwrap_or_default();
    match lines(&problems) {
        none if none.is_empty() => "no problems\n".to_owned(),
        some => some,
    }
}

/// Returns `show held`.
pub fn held(value: &Value) -> String {
    let names = [
        "calls",
        "transactions",
        "tags",
        "open requests",
        "media ports",
    ];
    let counts = value.as_array().into_iter().flatten();
    let rows = names.iter().zip(counts);
    rows.map(|(name, count)| format!("{name:<20} {count}\n"))
        .collect()
}

pub(super) fn text(value: &Value, field: &str) -> String {
    printable(value.get(field).and_then(Value::as_str).unwrap_or_default())
}

pub(super) fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or(0)
}

/// Returns a moment of the wall clock as people write it, in UTC.
pub fn moment(secs: u64) -> String {
    // Days since 1970 to a date, after Howard Hinnant's civil_from_days.
    let (days, rest) = (secs / 86_400 + 719_468, secs % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let day = day - (153 * shifted + 2) / 5 + 1;
    let year = year + era * 400 + u64::from(month <= 2);
    let (hours, minutes, secs) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{secs:02}")
}

/// Returns `show users`.
pub fn users(value: &Value) -> String {
    let mut out = String::from("USER             ROLE      LINE        SINCE     IDLE\n");
    for row in value.as_array().into_iter().flatten() {
        let _infallible = writeln!(
            out,
            "{:<16} {:<9} {:<11} {:<9} {}",
            short(&text(row, "user"), 16),
            text(row, "role"),
            short(&text(row, "line"), 11),
            time(number(row, "since_secs")),
            time(number(row, "idle_secs")),
        );
    }
    out
}

/// Returns `show audit`.
pub fn audit(value: &Value) -> String {
    let mut out = String::from("NO     TIME (UTC)           WHO        LINE     WHAT\n");
    for row in value.as_array().into_iter().flatten() {
        let _infallible = writeln!(
            out,
            "{:<6} {:<20} {:<10} {:<8} {}",
            number(row, "number"),
            moment(number(row, "time")),
            short(&text(row, "who"), 10),
            short(&text(row, "line"), 8),
            short(&text(row, "what"), 32),
        );
    }
    out
}

/// Returns `show alarms`.
pub fn alarms(value: &Value) -> String {
    let mut out = String::new();
    for row in value.as_array().into_iter().flatten() {
        let known = row.get("acknowledged").and_then(Value::as_bool) == Some(true);
        let _infallible = writeln!(
            out,
            "{:<9} {:<34} {:<10}{}\n          {}\n          look: {}",
            text(row, "severity"),
            short(&format!("{} {}", text(row, "id"), text(row, "subject")), 34),
            time(number(row, "since_secs")),
            if known { " acknowledged" } else { "" },
            short(&text(row, "text"), 70),
            short(&text(row, "look"), 64),
        );
    }
    if out.is_empty() {
        out.push_str("no alarms\n");
    }
    out
}

/// Returns `show alarms history`.
pub fn alarm_history(value: &Value) -> String {
    let mut out = String::from("TIME (UTC)           SEVERITY  ALARM\n");
    for row in value.as_array().into_iter().flatten() {
        let raised = row.get("raised").and_then(Value::as_bool) == Some(true);
        let name = format!("{} {}", text(row, "id"), text(row, "subject"));
        let _infallible = writeln!(
            out,
            "{:<20} {:<9} {} {}",
            moment(number(row, "time")),
            text(row, "severity"),
            short(&name, 40),
            if raised { "raised" } else { "cleared" },
        );
    }
    out
}

/// Returns `show call history`.
pub fn history(value: &Value) -> String {
    let mut out = String::from(
        "CALL   ENDED (UTC)          DIR  FROM   TO     TRUNK        SECS   SIP  CODE\n",
    );
    for row in value.as_array().into_iter().flatten() {
        let code = match number(row, "sbc_code") {
            0 => "-".to_owned(),
            code => format!("{code:04}"),
        };
        let _infallible = writeln!(
            out,
            "{:<6} {:<20} {:<4} {:<6} {:<6} {:<12} {:<6} {:<4} {code}",
            number(row, "call"),
            moment(number(row, "end")),
            text(row, "direction"),
            short(&text(row, "from"), 6),
            short(&text(row, "to"), 6),
            short(&text(row, "trunk"), 12),
            number(row, "secs"),
            number(row, "sip_code"),
        );
    }
    out
}

/// Returns `show call N media`.
pub fn media(value: &Value) -> String {
    let mut out =
        String::from("received from      packets  sent     lost   late   foreign  jitter    MOS\n");
    for side in value
        .get("sides")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let float = |field: &str| side.get(field).and_then(Value::as_f64);
        let mos = float("mos").map_or("-".to_owned(), |mos| format!("{mos:.2}"));
        let _infallible = writeln!(
            out,
            "{:<18} {:<8} {:<8} {:<6} {:<6} {:<8} {:<9} {mos}",
            short(&text(side, "side"), 18),
            number(side, "rx"),
            number(side, "tx"),
            number(side, "lost"),
            number(side, "late"),
            number(side, "unexpected"),
            format!("{:.1} ms", float("jitter_ms").unwrap_or(0.0)),
        );
    }
    let diagnosis = text(value, "diagnosis");
    if !diagnosis.is_empty() {
        out.push_str(&wrapped(&format!("Diagnosis: {diagnosis}")));
    }
    out
}

/// Returns a sentence in lines of 80 columns.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        if column > 0 && column + 1 + word.len() > super::pager::COLUMNS {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
    out
}

/// Returns `show log`: what does not fit goes on below.
pub fn log(value: &Value) -> String {
    const LEFT: usize = 15;
    let mut out = String::new();
    let rows = value.get("rows").and_then(Value::as_array);
    for row in rows.into_iter().flatten() {
        let (time, level, line) = (text(row, "time"), text(row, "level"), text(row, "text"));
        // The date is that of `show clock`; what is left is the time of day.
        let time = time.split_once('T').map_or("", |(_, time)| time);
        let mut lead = format!("{:<8} {level:<5} ", time.get(..8).unwrap_or_default());
        let width = super::pager::COLUMNS - LEFT;
        let mut rest = line.trim();
        loop {
            let mut cut = width.min(rest.len());
            if cut < rest.len() {
                let part = rest.get(..cut).unwrap_or_default();
                let blank = part.rfind(' ').filter(|at| *at > width / 2);
                cut = blank.unwrap_or(cut);
            }
            let (part, more) = rest.split_at(cut);
            let _infallible = writeln!(out, "{lead:<LEFT$}{}", part.trim());
            lead.clear();
            rest = more.trim_start();
            if rest.is_empty() {
                break;
            }
        }
    }
    out
}

/// Returns `show route`.
pub fn routes(value: &Value) -> String {
    let mut out = String::from("FROM                 ROUTE            TO\n");
    for row in value.as_array().into_iter().flatten() {
        let to = row
            .get("to")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let to: Vec<&str> = to.filter_map(Value::as_str).collect();
        let _infallible = writeln!(
            out,
            "{:<20} {:<16} {}",
            short(&text(row, "from"), 20),
            short(&text(row, "route"), 16),
            short(&to.join(" "), 41),
        );
    }
    out
}

/// Returns `show rollback`.
pub fn revisions(value: &Value) -> String {
    let mut out = String::from("REV   TIME (UTC)           AUTHOR     LINE    HASH      COMMENT\n");
    for row in value.as_array().into_iter().flatten() {
        let is = |field: &str| row.get(field).and_then(Value::as_bool) == Some(true);
        let state = match (is("live"), is("confirmed")) {
            (true, true) => "* ",
            (true, false) => "? ",
            (false, true) => "  ",
            (false, false) => "- ",
        };
        let hash = text(row, "hash");
        let _infallible = writeln!(
            out,
            "{state}{:<4}{:<20} {:<10} {:<7} {:<9} {}",
            number(row, "revision"),
            moment(number(row, "time")),
            short(&text(row, "author"), 10),
            short(&text(row, "channel"), 7),
            hash.get(..8).unwrap_or_default(),
            short(&text(row, "comment"), 24),
        );
    }
    out.push_str("* live, ? live and not confirmed, - was never confirmed\n");
    out
}

/// Returns `capture list`.
pub fn captures(value: &Value) -> String {
    let mut out = String::from("CAPTURE                         OCTETS      TIME (UTC)\n");
    for row in value.as_array().into_iter().flatten() {
        let name = short(&text(row, "name"), 31);
        let (octets, time) = (number(row, "octets"), moment(number(row, "time")));
        let _infallible = writeln!(out, "{name:<31} {octets:<11} {time}");
    }
    out
}

/// Returns `show secrets`.
pub fn secrets(value: &Value) -> String {
    let mut out =
        String::from("SECRET                                             OCTETS SEALED\n");
    for row in value.as_array().into_iter().flatten() {
        let name = short(&text(row, "name"), 50);
        let sealed = row.get("sealed") == Some(&Value::Bool(true));
        let sealed = if sealed { "yes" } else { "no" };
        let _infallible = writeln!(out, "{name:<50} {:>6} {sealed}", number(row, "octets"));
    }
    out
}

/// Returns `show certificates`.
pub fn certificates(value: &Value) -> String {
    let mut out = String::from("CERTIFICATE                      KIND   STATE        TUNNELS\n");
    for row in value.as_array().into_iter().flatten() {
        let (name, kind) = (short(&text(row, "name"), 32), text(row, "kind"));
        let all = row.get("tunnels").and_then(Value::as_array);
        let all = all.into_iter().flatten().filter_map(Value::as_str);
        let used = short(&all.collect::<Vec<_>>().join(" "), 26);
        let line = format!("{name:<32} {kind:<6} {:<12} {used}", text(row, "state"));
        let _infallible = writeln!(out, "{}", line.trim_end());
        out.push_str(&certificates_of(row));
        if row["waits"] == true {
            out.push_str("  a request waits for its certificate\n");
        }
    }
    out
}

/// Returns a few lines for each certificate of an answer.
pub(super) fn certificates_of(value: &Value) -> String {
    let mut out = String::new();
    let all = value.get("certificates").and_then(Value::as_array);
    for one in all.into_iter().flatten() {
        let day = super::certificate::day(number(one, "until"));
        let (subject, issuer) = (text(one, "subject"), text(one, "issuer"));
        let _infallible = writeln!(out, "  {day}  {}", short(&subject, 66));
        let _infallible = writeln!(out, "    signed by {}", short(&issuer, 66));
        let _infallible = writeln!(out, "    SHA-256 {}", short(&text(one, "sha256"), 64));
    }
    out
}

/// Returns the messages of a call as a capture file, in base64 between two lines
/// that say what it is.
pub fn pcapng(value: &Value) -> String {
    serde_json::from_value::<Ladder>(value.clone())
        .map_or_else(|_| raw(value), |ladder| super::capture::framed(&ladder))
}

/// Returns the ladder of a call.
pub fn ladder(value: &Value) -> String {
    serde_json::from_value::<Ladder>(value.clone())
        .map_or_else(|_| raw(value), |ladder| ladder.text())
}

/// Returns the ladder of a call as an image (SVG).
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

pub(super) fn short(text: &str, width: usize) -> String {
    let clean = printable(text);
    if clean.len() <= width {
        return clean;
    }
    let head = clean.get(..width.saturating_sub(1)).unwrap_or_default();
    format!("{head}~")
}

pub(super) fn time(secs: u64) -> String {
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours >= 100 {
        return format!("{}d {:02}h", hours / 24, hours % 24);
    }
    format!("{hours:02}:{minutes:02}:{secs:02}")
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_a_date_and_a_time() {
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(moment(1_764_043_199), "2025-11-25 03:59:59");
    }
}
