//! Calls that ended: the file of records comes in, what the console shows of it
//! goes out, numbers masked.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use sbc_call::story::{Record, masked};
use serde_json::{Map, Value, json};

/// Octets at the end of the file that are looked at: some ten thousand calls.
const LOOKED_AT: u64 = 8 * 1024 * 1024;

/// Calls one answer shows if nobody says how many.
const SHOWN: usize = 20;

/// Calls one answer shows at most.
const SHOWN_MAX: usize = 1000;

/// Returns the latest records, the latest first.
pub fn records(path: Option<&Path>) -> Vec<Record> {
    let text = path.and_then(|path| tail(path).ok()).unwrap_or_default();
    let lines = text.lines().rev();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
    let mut octets = Vec::new();
    file.take(LOOKED_AT).read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Returns how many records were asked for.
fn count(arguments: &Map<String, Value>) -> usize {
    let asked = arguments.get("count").and_then(Value::as_u64);
    let asked = asked.and_then(|count| usize::try_from(count).ok());
    asked.unwrap_or(SHOWN).min(SHOWN_MAX)
}

/// Returns `show call history`: filters match whole numbers, shown are masked.
pub fn list(records: &[Record], arguments: &Map<String, Value>) -> Value {
    let text = |field| arguments.get(field).and_then(Value::as_str);
    let failed = arguments.contains_key("failed");
    let fits = |record: &&Record| {
        text("trunk").is_none_or(|trunk| record.trunk == trunk)
            && text("number").is_none_or(|number| record.from == number || record.to == number)
            && (!failed || record.sbc_code != 0)
    };
    let each = records
        .iter()
        .filter(fits)
        .take(count(arguments))
        .map(|record| {
            let mos = [record.media_a.mos, record.media_b.mos]
                .into_iter()
                .flatten();
            json!({
                "call": record.call,
                "id": record.id,
                "end": record.end / 1000,
                "direction": record.direction,
                "from": masked(&record.from),
                "to": masked(&record.to),
                "trunk": record.trunk,
                "mediation": record.mediation,
                "secs": record.duration_ms / 1000,
                "sip_code": record.sip_code,
                "sbc_code": record.sbc_code,
                "released_by": record.released_by,
                "mos": mos.reduce(f64::min),
            })
        });
    each.collect()
}

/// Returns the records as they are written, with their numbers masked.
pub fn written(records: &[Record], arguments: &Map<String, Value>) -> Value {
    let each = records.iter().take(count(arguments)).map(|record| {
        let mut record = record.clone();
        for number in [
            &mut record.from,
            &mut record.to,
            &mut record.from_sent,
            &mut record.to_sent,
        ] {
            *number = masked(number);
        }
        json!(record)
    });
    each.collect()
}

/// Returns what was counted of the media of one call.
pub fn media(records: &[Record], call: u64) -> Option<Value> {
    let record = records
        .iter()
        .find(|record| u64::from(record.call) == call)?;
    let (a, b) = match record.direction.as_str() {
        "in" => (&record.trunk, &record.mediation),
        _ => (&record.mediation, &record.trunk),
    };
    let sides = [(a, &record.media_a), (b, &record.media_b)].map(|(side, media)| {
        json!({
            "side": side,
            "rx": media.rx,
            "tx": media.tx,
            "lost": media.lost,
            "late": media.late,
            "unexpected": media.unexpected,
            "jitter_ms": media.jitter_ms,
            "mos": media.mos,
        })
    });
    let diagnosis = sbc_call::diagnosis::of(record).unwrap_or_default();
    Some(json!({ "call": call, "sides": sides, "diagnosis": diagnosis }))
}

/// Returns the whole numbers of one call.
pub fn numbers(records: &[Record], call: u64) -> Option<Value> {
    let record = records
        .iter()
        .find(|record| u64::from(record.call) == call)?;
    Some(json!({ "call": call, "from": record.from, "to": record.to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(call: u32, from: &str, trunk: &str, code: u16) -> Record {
        Record {
            call,
            from: from.to_owned(),
            to: "+4969123400".to_owned(),
            trunk: trunk.to_owned(),
            direction: "in".to_owned(),
            sbc_code: code,
            ..Record::nothing()
        }
    }

    fn asked(arguments: Value) -> Vec<u64> {
        let records = [
            record(1, "+1", "a", 0),
            record(2, "+15551230042", "b", 1107),
        ];
        let Value::Object(arguments) = arguments else {
            panic!()
        };
        let shown = list(&records, &arguments);
        assert!(!shown.to_string().contains("5551230"), "{shown}");
        let rows = shown.as_array().unwrap().iter();
        rows.map(|row| row["call"].as_u64().unwrap()).collect()
    }

    #[test]
    fn filters_match_whole_numbers_and_shown_ones_are_masked() {
        assert_eq!(asked(json!({})), [1, 2]);
        assert_eq!(asked(json!({"number": "+15551230042"})), [2]);
        assert_eq!(asked(json!({"number": "42"})), Vec::<u64>::new());
        assert_eq!(asked(json!({"failed": true})), [2]);
        assert_eq!(asked(json!({"trunk": "a"})), [1]);
        assert_eq!(asked(json!({"count": 1})), [1]);
    }

    #[test]
    fn whole_numbers_are_told_of_one_call_only() {
        let records = [record(2, "+15551230042", "b", 0)];
        assert_eq!(numbers(&records, 2).unwrap()["from"], "+15551230042");
        assert!(numbers(&records, 3).is_none());
        assert_eq!(media(&records, 2).unwrap()["sides"][0]["side"], "b");
    }
}
