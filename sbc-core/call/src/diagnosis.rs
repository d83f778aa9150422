//! What a call suffered from: the record of an ended call comes in, one sentence
//! for people goes out, with the command to look with. The first rule that fits
//! is the one that speaks; a good call says nothing.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Side;
use crate::story::{Attempt, Media, Record, Why};

/// A call shorter than this says little of its media, in milliseconds.
const TALKED_MIN: u64 = 2_000;

/// Packets of the side that is heard before the other is called silent: two
/// seconds of 20 ms.
const HEARD_MIN: u64 = 100;

/// Loss from which a call is said to have suffered, in thousandths: one per cent
/// is heard (ITU-T G.113).
const LOSS_MIN: u64 = 10;

/// Returns the sentence; nothing if there is nothing to say.
#[must_use]
pub fn of(record: &Record) -> Option<String> {
    refused(record)
        .or_else(|| one_way(record))
        .or_else(|| loss(record))
        .or_else(|| ended(record))
        .or_else(|| tried(record))
}

/// Returns the names of the caller's and of the called side.
fn sides(record: &Record) -> [&str; 2] {
    let (a, b) = match record.direction.as_str() {
        "in" => (&record.trunk, &record.mediation),
        _ => (&record.mediation, &record.trunk),
    };
    [a, b].map(|name| {
        if name.is_empty() {
            "the other side"
        } else {
            name
        }
    })
}

fn shows(name: &str, record: &Record) -> &'static str {
    if name == record.trunk {
        "show trunks"
    } else {
        "show mediation"
    }
}

/// Admission, routes, ports: the node itself said no.
fn refused(record: &Record) -> Option<String> {
    let [a, b] = sides(record);
    let number = record.sbc_code;
    let is = |why: Why| why.code() == number;
    if is(Why::FullHere) {
        return Some(format!(
            "refused by admission: {a} has as many calls as it may.  Next: {}",
            shows(a, record)
        ));
    }
    if is(Why::FullThere) {
        return Some(format!(
            "refused by admission: {} as many calls as it may.  Next: {}",
            if record.attempts.is_empty() {
                format!("each target of route {} has", record.route)
            } else {
                format!("{b} has")
            },
            shows(b, record)
        ));
    }
    let text = if is(Why::NodeFull) {
        "refused by admission: the node is full.  Next: show limits".to_string()
    } else if is(Why::NoPort) {
        "refused: no media port is free.  Next: show limits".to_string()
    } else if is(Why::NoRoute) {
        format!("no route takes this number from {a}.  Next: show route NUMBER from {a}")
    } else if is(Why::Border) {
        "the route leads out of the country.  Next: explain 1002".to_string()
    } else if is(Why::AllDown) {
        "every target of the route is down or drained.  Next: show trunks".to_string()
    } else if is(Why::Media) {
        "the session description was not acceptable.  Next: show call N messages".to_string()
    } else {
        return None;
    };
    Some(text)
}

/// A side that is not heard while the other is.
fn one_way(record: &Record) -> Option<String> {
    record.answer?;
    let names = sides(record);
    let media = [&record.media_a, &record.media_b];
    let silent = record.one_way.or_else(|| {
        let long = record.duration_ms >= TALKED_MIN;
        let [a, b] = media.map(|media| media.rx);
        match (a, b) {
            (0, heard) if heard >= HEARD_MIN && long => Some(Side::A),
            (heard, 0) if heard >= HEARD_MIN && long => Some(Side::B),
            _ => None,
        }
    })?;
    let ([a, b], [of_a, of_b]) = (names, media);
    let (name, other, own, heard) = match silent {
        Side::A => (a, b, of_a, of_b),
        Side::B => (b, a, of_b, of_a),
    };
    let came = if own.rx == 0 {
        format!("nothing came from {name}")
    } else {
        format!("{name} fell silent after {} packets", own.rx)
    };
    let why = if own.unexpected > 0 {
        format!(
            "{} packets came from an address that it did not signal",
            own.unexpected
        )
    } else {
        format!("look at its media address and the firewalls from {name} to the node")
    };
    Some(format!(
        "one-way audio: {came}, {} packets from {other}; {why}.  Next: show call N media",
        heard.rx
    ))
}

/// Loss and lateness, by the side whose packets they were.
fn loss(record: &Record) -> Option<String> {
    let names = sides(record);
    let media = [&record.media_a, &record.media_b];
    let worst = |count: fn(&Media) -> u64| {
        let each = names.iter().zip(media).filter_map(move |(name, media)| {
            let sent = media.rx + media.lost;
            let thousandths = (count(media) * 1000).checked_div(sent)?;
            (thousandths >= LOSS_MIN && sent >= HEARD_MIN)
                .then(|| (*name, thousandths, count(media), sent, media.mos))
        });
        each.collect::<Vec<_>>()
    };
    let lost = worst(|media| media.lost);
    let (late, list) = match lost.as_slice() {
        [] => (true, worst(|media| media.late)),
        _ => (false, lost),
    };
    let what = if late { "late" } else { "lost" };
    let each: Vec<String> = list
        .iter()
        .map(|(name, thousandths, count, sent, mos)| {
            let mos = mos.map_or_else(String::new, |mos| format!(", MOS {mos:.2}"));
            format!(
                "{}.{} % of the packets from {name} ({count} of {sent}{mos})",
                thousandths / 10,
                thousandths % 10
            )
        })
        .collect();
    let clean = match list.as_slice() {
        [] => return None,
        [(name, ..)] => {
            let other = names.iter().find(|other| *other != name)?;
            format!("; {other} is clean")
        }
        _ => String::new(),
    };
    let way = if late {
        "jitter on the way to the node"
    } else {
        "the loss is on the way to the node"
    };
    Some(format!("{what}: {}: {way}{clean}", each.join(" and ")))
}

/// How the called side, or a timer, ended it.
fn ended(record: &Record) -> Option<String> {
    let [a, b] = sides(record);
    let is = |why: Why| why.code() == record.sbc_code;
    if is(Why::NoAnswer) {
        return Some(match record.pdd_ms {
            Some(after) => format!(
                "no answer: {b} rang after {} s, and nobody took the call in time",
                seconds(after)
            ),
            None => format!(
                "no answer: {b} did not even ring.  Next: {}",
                shows(b, record)
            ),
        });
    }
    if is(Why::Unreachable) {
        let all = each_attempt(&record.attempts);
        return Some(format!("no target could be reached: {all}"));
    }
    if is(Why::Refused) {
        return Some(mapped(record, b));
    }
    if is(Why::Normal) && record.answer.is_none() && record.sip_code == 487 {
        let after = seconds(record.end.saturating_sub(record.start));
        let rang = match record.pdd_ms {
            Some(_) => "it rang",
            None => "it did not even ring",
        };
        return Some(format!(
            "no answer: the caller gave {b} up after {after} s; {rang}"
        ));
    }
    let text = if is(Why::MediaTimeout) {
        let silent = match (record.media_a.rx, record.media_b.rx) {
            (0, 0) => "either side".to_string(),
            (0, _) => a.to_string(),
            (_, 0) => b.to_string(),
            _ => "a side".to_string(),
        };
        format!("no media came from {silent} any more.  Next: show call N media")
    } else if is(Why::SessionTimer) {
        "nobody refreshed the session in time (RFC 4028)".to_string()
    } else if is(Why::NoAck) {
        format!("{a} never acknowledged the answer: look at the way back to it")
    } else if is(Why::TransportLost) {
        "the connection of a side ended.  Next: show trunks".to_string()
    } else if is(Why::Loop) {
        "the call came back to the node: a route sends it in a circle".to_string()
    } else if is(Why::Operator) {
        "an operator ended it.  Next: show audit".to_string()
    } else if is(Why::Forbidden) {
        "the called number is not allowed here".to_string()
    } else {
        return None;
    };
    Some(text)
}

/// The called side refused: what it said, and what the caller heard of it.
fn mapped(record: &Record, callee: &str) -> String {
    let Some(last) = record.attempts.last() else {
        return format!("{callee} refused");
    };
    let said = attempt(last);
    if last.code == record.sip_code || last.code == 0 {
        return format!("refused: {said}");
    }
    format!(
        "code mapped: {said}, the caller heard {}; see 'responses'",
        record.sip_code
    )
}

/// A good call that was not taken by the first it was offered to.
fn tried(record: &Record) -> Option<String> {
    let failed: Vec<&Attempt> = record
        .attempts
        .iter()
        .filter(|attempt| !(200..300).contains(&attempt.code))
        .collect();
    if record.answer.is_none() || failed.is_empty() {
        return None;
    }
    let all: Vec<String> = failed.into_iter().map(attempt).collect();
    Some(format!("taken by another target: {}", all.join("; ")))
}

fn each_attempt(attempts: &[Attempt]) -> String {
    let all: Vec<String> = attempts.iter().map(attempt).collect();
    if all.is_empty() {
        return "none was there".to_string();
    }
    all.join("; ")
}

fn attempt(attempt: &Attempt) -> String {
    let Attempt {
        trunk,
        code,
        reason,
        ms,
    } = attempt;
    match (code, reason.as_str()) {
        (0, "") => format!("{trunk} said nothing for {} s", seconds(*ms)),
        (0, reason) => format!("{trunk}: {reason} after {} s", seconds(*ms)),
        (code, "") => format!("{trunk} answered {code}"),
        (code, reason) => format!("{trunk} answered {code} ({reason})"),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms / 100 % 10)
}
