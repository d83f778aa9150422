//! The diary as a file: what every role writes comes in, its latest lines go out,
//! and the file is kept within its bound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sbc_call::ladder::printable;
use serde_json::{Map, Value, json};

use crate::diary::FILE;

/// Octets after which what is there becomes the earlier file: some fifty thousand
/// lines. Two files are kept.
const FILE_MAX: u64 = 8 * 1024 * 1024;

/// Octets at the end of the file that one question looks at.
const LOOKED_AT: u64 = 512 * 1024;

/// Lines of one answer if nobody says how many, and at most.
const SHOWN: usize = 50;
const SHOWN_MAX: usize = 1000;

/// The name of the earlier file.
const EARLIER: &str = "diary.1.log";

/// The diary, if the node keeps state.
#[derive(Debug)]
pub struct Log(pub Option<PathBuf>);

impl Log {
    /// Returns the latest lines and where the next begins; only those from `from`
    /// on if that is asked for.
    pub fn list(&self, arguments: &Map<String, Value>) -> Value {
        let number = |field: &str| arguments.get(field).and_then(Value::as_u64);
        let path = self.0.as_ref().map(|folder| folder.join(FILE));
        let read = path.and_then(|path| tail(&path, number("from")).ok());
        let (next, text) = read.unwrap_or_default();
        let count = number("count").and_then(|count| usize::try_from(count).ok());
        let count = count.unwrap_or(SHOWN).min(SHOWN_MAX);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(count)..);
        let rows: Vec<Value> = shown
            .unwrap_or_default()
            .iter()
            .map(|line| row(line))
            .collect();
        json!({ "next": next, "rows": rows })
    }

    /// Returns where the diary ends, how many octets of it were skipped, and the
    /// whole lines from `from` on.
    pub fn since(&self, from: u64) -> Option<(u64, u64, String)> {
        let path = self.0.as_ref()?.join(FILE);
        let (next, text) = tail(&path, Some(from)).ok()?;
        let begin = next.saturating_sub(text.len() as u64);
        Some((next, begin.saturating_sub(from), text))
    }

    /// Returns where the diary ends.
    pub fn end(&self) -> u64 {
        let path = self.0.as_ref().map(|folder| folder.join(FILE));
        let known = path.and_then(|path| std::fs::metadata(path).ok());
        known.map_or(0, |known| known.len())
    }

    /// Makes room once the file is full. Writers go on at its new end; a line that
    /// one writes in between is lost.
    ///
    /// # Errors
    /// What the file system says.
    pub fn make_room(&self) -> io::Result<bool> {
        let Some(folder) = &self.0 else {
            return Ok(false);
        };
        let path = folder.join(FILE);
        match std::fs::metadata(&path) {
            Ok(known) if known.len() > FILE_MAX => {
                // Read and written, since the jail has no other way to copy.
                let octets = std::fs::read(&path)?;
                std::fs::write(folder.join(EARLIER), octets)?;
                OpenOptions::new().write(true).open(&path)?.set_len(0)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// Returns the whole lines at the end of a file, and where they end.
fn tail(path: &Path, from: Option<u64>) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let least = length.saturating_sub(LOOKED_AT);
    // A place behind the end is one of the file before this.
    let from = from.filter(|from| *from <= length);
    let begin = from.unwrap_or(least).max(least);
    file.seek(SeekFrom::Start(begin))?;
    let mut octets = Vec::new();
    file.take(LOOKED_AT).read_to_end(&mut octets)?;
    let whole = octets.iter().rposition(|octet| *octet == b'\n');
    octets.truncate(whole.map_or(0, |end| end + 1));
    let next = begin + octets.len() as u64;
    let text = String::from_utf8_lossy(&octets).into_owned();
    if begin == 0 || from.is_some() {
        return Ok((next, text));
    }
    // The first line may lack its beginning.
    let rest = text.split_once('\n').map(|(_, rest)| rest.to_owned());
    Ok((next, rest.unwrap_or_default()))
}

/// `2026-11-25T14:06:24.923412Z  INFO started role="signal"` in its parts.
fn row(line: &str) -> Value {
    let clean = printable(line);
    let (time, rest) = clean.split_once(' ').unwrap_or(("", &clean));
    let (level, text) = rest.trim_start().split_once(' ').unwrap_or(("", rest));
    let known = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level);
    if known {
        json!({ "time": time, "level": level, "text": text })
    } else {
        json!({ "time": "", "level": "", "text": clean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sbc-log-{name}-{}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn asked(log: &Log, arguments: &Value) -> Value {
        log.list(arguments.as_object().unwrap())
    }

    #[test]
    fn the_latest_lines_come_clean_and_whole() {
        let folder = folder("lines");
        let text =
            "2026-11-25T14:06:24.9Z  INFO one\n2026-11-25T14:06:25.0Z  WARN t\u{1b}wo\nhalf a li";
        std::fs::write(folder.join(FILE), text).unwrap();
        let log = Log(Some(folder.clone()));
        let all = asked(&log, &json!({}));
        assert_eq!(all["rows"][0]["level"], "INFO");
        assert_eq!(all["rows"][1]["text"], "t\\x1bwo");
        assert_eq!(all["rows"].as_array().unwrap().len(), 2);
        assert_eq!(
            asked(&log, &json!({"count": 1}))["rows"][0]["level"],
            "WARN"
        );
        // Whoever follows gets what came since.
        let text = format!("{text}ne\nlast\n");
        std::fs::write(folder.join(FILE), text).unwrap();
        let since = asked(&log, &json!({ "from": all["next"] }));
        assert_eq!(since["rows"][0]["text"], "half a line");
        assert_eq!(since["rows"][1]["text"], "last");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_diary_becomes_the_earlier_one() {
        let folder = folder("full");
        let log = Log(Some(folder.clone()));
        assert!(!log.make_room().unwrap());
        let line = "x".repeat(1023) + "\n";
        let many = usize::try_from(FILE_MAX / 1024).unwrap() + 1;
        std::fs::write(folder.join(FILE), line.repeat(many)).unwrap();
        assert!(log.make_room().unwrap());
        assert_eq!(std::fs::metadata(folder.join(FILE)).unwrap().len(), 0);
        assert!(std::fs::metadata(folder.join(EARLIER)).unwrap().len() > FILE_MAX);
        // A follower whose place is gone begins anew.
        std::fs::write(folder.join(FILE), "again\n").unwrap();
        assert_eq!(
            asked(&log, &json!({ "from": 1 << 30 }))["rows"][0]["text"],
            "again"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
