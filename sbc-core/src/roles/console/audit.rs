//! The audit log: who did what comes in, a chain of records goes out in which
//! each holds the hash of the one before. A record that was altered, put in or
//! taken out breaks the chain at its place.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Octets of one text in a record; a longer one is cut, with a mark.
const TEXT_MAX: usize = 512;

/// Records that one question returns.
pub const SHOWN_MAX: usize = 1000;

/// One record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    pub number: u64,
    /// Seconds since 1970.
    pub time: u64,
    pub who: String,
    pub line: String,
    pub what: String,
    /// Of the record before; zeros for the first.
    pub before: String,
    pub hash: String,
}

impl Record {
    /// Returns the hash that belongs to everything else in the record. Lengths
    /// stand before texts, so that none can flow into the next.
    fn seal(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.number.to_be_bytes());
        hash.update(self.time.to_be_bytes());
        for text in [&self.who, &self.line, &self.what, &self.before] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The log: a file, or memory if the node keeps no state.
#[derive(Debug, Default)]
pub struct Audit {
    path: Option<PathBuf>,
    file: Option<File>,
    /// The records, if there is no file.
    kept: Vec<Record>,
    last: u64,
    head: String,
    /// Records that could not be written.
    pub unwritten: u64,
}

impl Audit {
    /// Opens the log and goes on where it ends.
    pub fn open(path: Option<PathBuf>) -> Self {
        let mut own = Self {
            path,
            head: "0".repeat(64),
            ..Self::default()
        };
        if let Some(last) = own.records().last() {
            own.last = last.number;
            own.head = last.hash.clone();
        }
        if let Some(path) = &own.path {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            own.file = options
                .open(path)
                .inspect_err(|error| {
                    tracing::error!(%error, "the audit log cannot be written");
                })
                .ok();
        }
        own
    }

    /// Adds a record, and returns it; it is on the disk when this returns.
    pub fn add(&mut self, now: u64, who: &str, line: &str, what: &str) -> Record {
        let short = |text: &str| {
            let clean = sbc_call::ladder::printable(text);
            match clean.get(..TEXT_MAX) {
                Some(head) if clean.len() > TEXT_MAX => format!("{head}~"),
                _ => clean,
            }
        };
        let mut record = Record {
            number: self.last + 1,
            time: now,
            who: short(who),
            line: short(line),
            what: short(what),
            before: self.head.clone(),
            hash: String::new(),
        };
        record.hash = record.seal();
        (self.last, self.head) = (record.number, record.hash.clone());
        match &mut self.file {
            Some(file) => {
                let written = write(file, &record);
                self.unwritten += u64::from(written.is_err());
            }
            None if self.path.is_none() && self.kept.len() < SHOWN_MAX => {
                self.kept.push(record.clone());
            }
            None => self.unwritten += 1,
        }
        record
    }

    /// Returns every record that can be read.
    fn records(&self) -> Vec<Record> {
        match self.lines() {
            None => self.kept.clone(),
            Some(lines) => lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
        }
    }

    fn lines(&self) -> Option<Vec<String>> {
        let file = File::open(self.path.as_ref()?);
        let lines = file.map(|file| BufReader::new(file).lines().map_while(Result::ok).collect());
        Some(lines.unwrap_or_default())
    }

    /// Returns when and from where each user logged in last.
    pub fn logins(&self) -> BTreeMap<String, (u64, String)> {
        let all = self.records().into_iter();
        let logins = all.filter(|record| record.what == "login");
        logins
            .map(|record| (record.who, (record.time, record.line)))
            .collect()
    }

    /// Returns the latest records, the oldest of them first.
    pub fn list(&self, last: usize) -> Value {
        let all = self.records();
        let from = all.len().saturating_sub(last.min(SHOWN_MAX));
        json!(all.get(from..).unwrap_or_default())
    }

    /// Returns whether the chain is whole, and where it is not.
    pub fn verify(&self) -> Value {
        let lines = match self.lines() {
            Some(lines) => lines,
            None => self
                .kept
                .iter()
                .filter_map(|one| serde_json::to_string(one).ok())
                .collect(),
        };
        let (records, broken) = check(&lines);
        // What this process wrote must still be there: the end of a file can be
        // cut off without breaking a chain.
        let broken = broken.or_else(|| {
            let cut = records < self.last;
            cut.then(|| (records + 1, "records at the end are gone".to_owned()))
        });
        json!({
            "records": records,
            "fine": broken.is_none(),
            "first_bad": broken.as_ref().map(|(number, _)| number),
            "why": broken.map(|(_, why)| why),
            "head": self.head,
        })
    }
}

fn write(file: &mut File, record: &Record) -> io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    // One write for one record, so that a line is whole or not there.
    file.write_all(&line)?;
    file.sync_data()
}

/// Returns how many records there are, and the first that is not as it was.
fn check(lines: &[String]) -> (u64, Option<(u64, String)>) {
    let mut before = "0".repeat(64);
    let mut number = 0;
    for line in lines {
        number += 1;
        let Ok(record) = serde_json::from_str::<Record>(line) else {
            return (number, Some((number, "it cannot be read".to_owned())));
        };
        if record.number != number {
            let why = format!("record {number} is missing: {} follows", record.number);
            return (number, Some((number, why)));
        }
        if record.before != before {
            return (
                number,
                Some((number, "it does not follow the one before".to_owned())),
            );
        }
        if record.seal() != record.hash {
            return (number, Some((number, "it was altered".to_owned())));
        }
        before = record.hash;
    }
    (number, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (Audit, Vec<String>) {
        let mut audit = Audit::open(None);
        for what in ["login", "commit 2", "reveal call 17", "logout"] {
            audit.add(1, "alice", "ttyS0", what);
        }
        let lines = audit
            .kept
            .iter()
            .map(|one| serde_json::to_string(one).unwrap());
        let lines = lines.collect();
        (audit, lines)
    }

    #[test]
    fn a_whole_chain_is_fine() {
        let (audit, lines) = log();
        assert_eq!(check(&lines), (4, None));
        assert_eq!(audit.verify()["fine"], true);
        assert_eq!(audit.list(2).as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_altered_record_is_named() {
        let (_, mut lines) = log();
        lines[1] = lines[1].replace("commit 2", "commit 3");
        assert_eq!(check(&lines).1, Some((2, "it was altered".to_owned())));
        // Whoever seals it again breaks the next.
        let mut forged: Record = serde_json::from_str(&lines[1]).unwrap();
        forged.hash = forged.seal();
        lines[1] = serde_json::to_string(&forged).unwrap();
        assert_eq!(check(&lines).1.unwrap().0, 3);
    }

    #[test]
    fn a_deleted_record_is_named() {
        let (_, lines) = log();
        for gone in 0..3 {
            let mut less = lines.clone();
            less.remove(gone);
            assert_eq!(check(&less).1.unwrap().0, gone as u64 + 1);
        }
        let (mut audit, _) = log();
        audit.kept.pop();
        assert_eq!(audit.verify()["first_bad"], 4);
    }

    #[test]
    fn control_characters_do_not_reach_the_log() {
        let mut audit = Audit::open(None);
        audit.add(1, "a\nb", "\u{1b}[2J", &"x".repeat(2000));
        let record = &audit.kept[0];
        assert_eq!(
            (record.who.as_str(), record.line.as_str()),
            ("a\\x0ab", "\\x1b[2J")
        );
        assert_eq!(record.what.len(), TEXT_MAX + 1);
    }
}
