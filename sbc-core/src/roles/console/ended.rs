//! Calls that ended a while ago: new lines of the book of records come in, what is
//! worth an alarm goes out. The file is read on from where it was, never whole.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use sbc_call::Side;
use sbc_call::story::{Record, masked};
use sbc_config::node::Quality;

use super::alarms::Fact;

/// Calls that are remembered: ten minutes of a busy node.
const CALLS_MAX: usize = 20_000;

/// Octets of new records that one look reads; the rest waits for the next.
const LOOKED_AT: u64 = 1024 * 1024;

/// How long an emergency call, and a silent side, stay told.
const TOLD_SECS: u64 = 600;

/// Calls with a silent side that make an alarm.
const SILENT_MIN: usize = 2;

/// The latest calls.
#[derive(Debug, Default)]
pub struct Ended {
    path: Option<PathBuf>,
    /// Where the next record begins; nothing before the first look.
    next: Option<u64>,
    calls: VecDeque<Call>,
}

/// What is remembered of one.
#[derive(Debug)]
struct Call {
    /// In seconds since 1970.
    end: u64,
    call: u32,
    /// The trunk of an emergency call, and the number.
    emergency: Option<(String, String)>,
    silent: Option<String>,
    /// Each side that was heard, and how well, in hundredths of a MOS.
    heard: Vec<(String, u64)>,
}

impl Ended {
    /// Returns the latest calls of the book at `path`.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }

    /// Reads what was written since the last look, and forgets what is long ago.
    pub fn look(&mut self, now: u64) {
        // A book that cannot be read is said by whoever writes it.
        let text = self.new_text().unwrap_or_default();
        for line in text.lines() {
            if let Ok(record) = serde_json::from_str::<Record>(line) {
                self.calls.push_back(Call::of(&record));
            }
        }
        let over = self.calls.len().saturating_sub(CALLS_MAX);
        self.calls.drain(..over);
        let longest = TOLD_SECS.max(3600);
        while self
            .calls
            .front()
            .is_some_and(|call| call.end + longest < now)
        {
            self.calls.pop_front();
        }
    }

    fn new_text(&mut self) -> io::Result<String> {
        let Some(path) = &self.path else {
            return Ok(String::new());
        };
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // What was there before this role is no news; a shorter file is a new one.
        let from = self.next.unwrap_or(length);
        let from = if from > length { 0 } else { from };
        file.seek(SeekFrom::Start(from))?;
        let mut octets = Vec::new();
        file.take(LOOKED_AT).read_to_end(&mut octets)?;
        let whole = octets.iter().rposition(|octet| *octet == b'\n');
        octets.truncate(whole.map_or(0, |end| end + 1));
        self.next = Some(from + octets.len() as u64);
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Returns what is worth an alarm at `now`.
    pub fn facts(&self, now: u64, quality: &Quality) -> Vec<Fact> {
        let recent = |secs: u64| self.calls.iter().filter(move |call| call.end + secs >= now);
        let mut facts: Vec<Fact> = recent(TOLD_SECS)
            .filter_map(|call| {
                let (trunk, number) = call.emergency.as_ref()?;
                let text = format!("call {} to {} by {trunk}", call.call, masked(number));
                Some(Fact::new(
                    "emergency-call",
                    &format!("call-{}", call.call),
                    text,
                ))
            })
            .collect();
        let mut silent: BTreeMap<&str, usize> = BTreeMap::new();
        for peer in recent(TOLD_SECS).filter_map(|call| call.silent.as_deref()) {
            *silent.entry(peer).or_default() += 1;
        }
        for (peer, count) in silent.into_iter().filter(|(_, count)| *count >= SILENT_MIN) {
            let text = format!("{count} answered calls in 10 min on which it was not heard");
            facts.push(Fact::new("one-way", peer, text));
        }
        let mut heard: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let window = quality.window.as_secs();
        for (peer, mos) in recent(window).flat_map(|call| &call.heard) {
            let sum = heard.entry(peer).or_default();
            *sum = (sum.0 + mos, sum.1 + 1);
        }
        for (peer, (sum, count)) in heard {
            let mean = sum / count.max(1);
            if count >= quality.calls.into() && mean < quality.mos_below.into() {
                let text = format!("MOS {}.{:02} over {count} calls", mean / 100, mean % 100);
                facts.push(Fact::new("quality", peer, text));
            }
        }
        facts
    }
}

impl Call {
    fn of(record: &Record) -> Self {
        let (a, b) = match record.direction.as_str() {
            "in" => (&record.trunk, &record.mediation),
            _ => (&record.mediation, &record.trunk),
        };
        let sides = [(a, &record.media_a), (b, &record.media_b)];
        let heard = sides.iter().filter_map(|(peer, media)| {
            // A MOS is between 1 and 4.5.
            let mos = media.mos.filter(|mos| (1.0..=5.0).contains(mos))?;
            let text = format!("{:.0}", mos * 100.0);
            Some(((*peer).clone(), text.parse::<u64>().ok()?))
        });
        Self {
            end: record.end / 1000,
            call: record.call,
            emergency: record
                .emergency
                .then(|| (record.trunk.clone(), record.to.clone())),
            silent: record.one_way.map(|side| match side {
                Side::A => a.clone(),
                Side::B => b.clone(),
            }),
            heard: heard.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    const NOW: u64 = 1_000_000;

    fn quality() -> Quality {
        Quality {
            mos_below: 360,
            window: Duration::from_secs(300),
            calls: 3,
        }
    }

    fn record(ago: u64) -> Record {
        Record {
            direction: "in".to_owned(),
            trunk: "itsp-a".to_owned(),
            mediation: "med-1".to_owned(),
            to: "+49691234567".to_owned(),
            end: (NOW - ago) * 1000,
            ..Record::nothing()
        }
    }

    fn told(records: &[Record]) -> Vec<String> {
        let mut ended = Ended::default();
        ended.calls.extend(records.iter().map(Call::of));
        ended.look(NOW);
        let facts = ended.facts(NOW, &quality());
        facts
            .iter()
            .map(|fact| format!("{} {}: {}", fact.id, fact.subject, fact.text))
            .collect()
    }

    #[test]
    fn each_emergency_call_is_told_for_ten_minutes() {
        let call = |ago| Record {
            call: 17,
            emergency: true,
            ..record(ago)
        };
        assert_eq!(
            told(&[call(10)]),
            ["emergency-call call-17: call 17 to ..67 by itsp-a"]
        );
        assert!(told(&[call(601)]).is_empty());
    }

    #[test]
    fn two_calls_with_a_silent_side_name_its_peer() {
        let silent = |ago, side| Record {
            one_way: Some(side),
            ..record(ago)
        };
        assert!(told(&[silent(10, Side::A), silent(10, Side::B)]).is_empty());
        assert_eq!(
            told(&[silent(10, Side::B), silent(500, Side::B)]),
            ["one-way med-1: 2 answered calls in 10 min on which it was not heard"]
        );
        assert!(told(&[silent(10, Side::B), silent(601, Side::B)]).is_empty());
    }

    #[test]
    fn three_poor_calls_of_a_peer_are_told_and_two_are_not() {
        let poor = |ago, mos| {
            let mut record = record(ago);
            record.media_a.mos = Some(mos);
            record.media_b.mos = Some(4.38);
            record
        };
        assert!(told(&[poor(1, 2.0), poor(2, 2.0)]).is_empty());
        assert_eq!(
            told(&[poor(1, 3.0), poor(2, 3.5), poor(3, 4.0)]),
            ["quality itsp-a: MOS 3.50 over 3 calls"]
        );
        assert!(told(&[poor(1, 3.0), poor(2, 3.5), poor(301, 3.0)]).is_empty());
        assert!(told(&[poor(1, 3.6), poor(2, 3.6), poor(3, 3.6)]).is_empty());
    }

    #[test]
    fn the_book_is_read_on_from_where_it_was() {
        let path = std::env::temp_dir().join(format!("sbc-ended-{}", std::process::id()));
        let line = |call: u32| {
            let record = Record {
                call,
                emergency: true,
                ..record(1)
            };
            serde_json::to_string(&record).unwrap()
        };
        std::fs::write(&path, line(1) + "\n").unwrap();
        let mut ended = Ended::new(Some(path.clone()));
        ended.look(NOW);
        assert!(ended.calls.is_empty(), "what was there before is no news");
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        let (two, three) = (line(2), line(3));
        write!(file, "{two}\n{}", &three[..20]).unwrap();
        ended.look(NOW);
        ended.look(NOW);
        assert_eq!(ended.calls.len(), 1);
        writeln!(file, "{}", &three[20..]).unwrap();
        ended.look(NOW);
        assert_eq!(ended.calls.back().unwrap().call, 3);
        assert_eq!(ended.calls.len(), 2);
        // Another book at the same place.
        std::fs::write(&path, line(4) + "\n").unwrap();
        ended.look(NOW);
        assert_eq!(ended.calls.back().unwrap().call, 4);
        std::fs::remove_file(path).unwrap();
    }
}
