//! The audit log: who did what comes in, a chain of records goes out in which
//! each holds the hash of the one before. A record that was altered, put in or
//! taken out breaks the chain at its place.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Octets of a name in a record, and of what was done; a longer one is cut, with a mark.
const NAME_MAX: usize = 512;
const WHAT_MAX: usize = 4096;

/// Octets of the file that is written to. Then it becomes the one before, which is kept,
/// and the one before that is given up: years of a node's life, and a second to read.
const FILE_MAX: u64 = 8 * 1024 * 1024;

/// How the first record of a file that goes on begins.
const GOES_ON: &str = "the log goes on in a new file";

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

/// The log: two files, or memory if the node keeps no state.
#[derive(Debug, Default)]
pub struct Audit {
    path: Option<PathBuf>,
    file: Option<File>,
    /// Octets of the file.
    size: u64,
    /// The records, if there is no file.
    kept: Vec<Record>,
    last: u64,
    head: String,
    /// Records that could not be written.
    pub unwritten: u64,
}

/// What a reading of the chain found.
#[derive(Debug, Eq, PartialEq)]
struct Chain {
    /// Numbers of the first and of the last record; 1 and 0 if there is none.
    first: u64,
    last: u64,
    /// The first record that is not as it was, and why.
    broken: Option<(u64, String)>,
}

impl Audit {
    /// Opens the log and goes on where it ends.
    pub fn open(path: Option<PathBuf>) -> Self {
        let mut own = Self {
            path,
            head: "0".repeat(64),
            ..Self::default()
        };
        let last = own.records().last();
        if let Some(last) = last {
            (own.last, own.head) = (last.number, last.hash);
        }
        own.open_file();
        own
    }

    fn open_file(&mut self) {
        let Some(path) = &self.path else { return };
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        self.file = options
            .open(path)
            .inspect_err(|error| {
                tracing::error!(%error, "the audit log cannot be written");
            })
            .ok();
        let known = self.file.as_ref().and_then(|file| file.metadata().ok());
        self.size = known.map_or(0, |known| known.len());
    }

    /// Adds a record, and returns it; it is on the disk when this returns.
    pub fn add(&mut self, now: u64, who: &str, line: &str, what: &str) -> Record {
        if self.size >= FILE_MAX {
            self.begin_file(now);
        }
        self.append(now, who, line, what)
    }

    /// Puts the file away and begins another, whose first record says so.
    fn begin_file(&mut self, now: u64) {
        let Some(path) = &self.path else { return };
        if let Err(error) = fs::rename(path, before(path)) {
            // It grows on, and this is tried again with the next record.
            tracing::error!(%error, "the audit log cannot be put away");
            return;
        }
        self.file = None;
        self.open_file();
        let what = format!("{GOES_ON}: record {} ends the one before", self.last);
        self.append(now, "node", "-", &what);
    }

    fn append(&mut self, now: u64, who: &str, line: &str, what: &str) -> Record {
        let mut record = Record {
            number: self.last + 1,
            time: now,
            who: short(who, NAME_MAX),
            line: short(line, NAME_MAX),
            what: short(what, WHAT_MAX),
            before: self.head.clone(),
            hash: String::new(),
        };
        record.hash = record.seal();
        (self.last, self.head) = (record.number, record.hash.clone());
        match &mut self.file {
            Some(file) => match write(file, &record) {
                Ok(octets) => self.size += octets,
                Err(_told_as_an_alarm) => self.unwritten += 1,
            },
            None if self.path.is_none() && self.kept.len() < SHOWN_MAX => {
                self.kept.push(record.clone());
            }
            None => self.unwritten += 1,
        }
        record
    }

    /// Returns every record that can be read, one at a time.
    fn records(&self) -> impl Iterator<Item = Record> {
        self.lines()
            .filter_map(|line| serde_json::from_slice(&line).ok())
    }

    /// Returns the lines of both files, or what is kept as lines.
    fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        let files = self
            .path
            .iter()
            .flat_map(|path| [before(path), path.clone()]);
        let opened = files.filter_map(|path| File::open(path).ok());
        let lines = opened.flat_map(|file| BufReader::new(file).split(b'\n').map_while(Result::ok));
        let kept = self
            .kept
            .iter()
            .filter_map(|one| serde_json::to_vec(one).ok());
        lines.chain(kept)
    }

    /// Returns when and from where each user logged in last.
    pub fn logins(&self) -> BTreeMap<String, (u64, String)> {
        let logins = self.records().filter(|record| record.what == "login");
        logins
            .map(|record| (record.who, (record.time, record.line)))
            .collect()
    }

    /// Returns the latest records, the oldest of them first.
    pub fn list(&self, last: usize) -> Value {
        let most = last.min(SHOWN_MAX);
        let mut latest = VecDeque::new();
        for record in self.records() {
            latest.push_back(record);
            if latest.len() > most {
                latest.pop_front();
            }
        }
        json!(latest)
    }

    /// Returns whether the chain is whole, and where it is not.
    pub fn verify(&self) -> Value {
        let Chain {
            first,
            last,
            broken,
        } = check(self.lines());
        // What this process wrote must still be there: the end of a file can be
        // cut off without breaking a chain.
        let broken = broken.or_else(|| {
            let cut = last < self.last;
            cut.then(|| (last + 1, "records at the end are gone".to_owned()))
        });
        json!({
            "first": first,
            "records": (last + 1).saturating_sub(first),
            "fine": broken.is_none(),
            "first_bad": broken.as_ref().map(|(number, _)| number),
            "why": broken.map(|(_, why)| why),
            "head": self.head,
        })
    }
}

/// Returns where the file before this one lies.
fn before(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

fn short(text: &str, most: usize) -> String {
    let clean = sbc_call::ladder::printable(text);
    match clean.get(..most) {
        Some(head) if clean.len() > most => format!("{head}~"),
        _ => clean,
    }
}

/// Returns how many octets were written.
fn write(file: &mut File, record: &Record) -> io::Result<u64> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    // One write for one record, so that a line is whole or not there.
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(line.len() as u64)
}

/// Reads a chain from its begin: record 1, or the first of a file that goes on.
fn check(lines: impl Iterator<Item = Vec<u8>>) -> Chain {
    let mut before = "0".repeat(64);
    let (mut first, mut last) = (1, 0);
    let broken = |first, number, why: String| Chain {
        first,
        last: number,
        broken: Some((number, why)),
    };
    for (place, line) in lines.enumerate() {
        let number = last + 1;
        let Ok(record) = serde_json::from_slice::<Record>(&line) else {
            return broken(first, number, "it cannot be read".to_owned());
        };
        if place == 0 && record.number > 1 && record.what.starts_with(GOES_ON) {
            (first, last) = (record.number, record.number - 1);
            before.clone_from(&record.before);
        }
        let number = last + 1;
        if record.number != number {
            let why = format!("record {number} is missing: {} follows", record.number);
            return broken(first, number, why);
        }
        if record.before != before {
            let why = "it does not follow the one before".to_owned();
            return broken(first, number, why);
        }
        if record.seal() != record.hash {
            return broken(first, number, "it was altered".to_owned());
        }
        (last, before) = (number, record.hash);
    }
    Chain {
        first,
        last,
        broken: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[String]) -> (u64, Option<(u64, String)>) {
        let lines = lines.iter().map(|line| line.clone().into_bytes());
        let Chain { last, broken, .. } = super::check(lines);
        (last, broken)
    }

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
        audit.add(1, "a\nb", "\u{1b}[2J", &"x".repeat(9000));
        let record = &audit.kept[0];
        assert_eq!(
            (record.who.as_str(), record.line.as_str()),
            ("a\\x0ab", "\\x1b[2J")
        );
        assert_eq!(record.what.len(), WHAT_MAX + 1);
    }

    #[test]
    fn a_long_life_keeps_two_files_and_one_chain() {
        let folder = std::env::temp_dir().join(format!("sbc-audit-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("audit.jsonl");
        let mut audit = Audit::open(Some(path.clone()));
        // As if it were full after each third record, three times over.
        for number in 0..9 {
            audit.add(1, "alice", "ttyS0", &format!("act {number}"));
            if number % 3 == 2 {
                audit.size = FILE_MAX;
            }
        }
        audit.add(1, "alice", "ttyS0", "login");
        let told = audit.verify();
        assert_eq!(
            (&told["fine"], &told["first"]),
            (&json!(true), &json!(8)),
            "{told}"
        );
        assert_eq!(told["records"], 6, "{told}");
        // Another process goes on from there.
        let mut again = Audit::open(Some(path.clone()));
        assert_eq!(again.add(2, "bob", "ttyS0", "login").number, 14);
        assert_eq!(again.verify()["fine"], true);
        assert_eq!(again.logins().len(), 2);
        assert_eq!(again.list(3).as_array().unwrap().len(), 3);
        // A record at the begin of the older file is no border between files.
        let text = fs::read_to_string(before(&path)).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(before(&path), rest).unwrap();
        assert_eq!(again.verify()["fine"], false);
        fs::remove_dir_all(folder).unwrap();
    }
}
