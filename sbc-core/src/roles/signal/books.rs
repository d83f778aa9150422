//! What is written of a call that ended: one line for the diary, one record in
//! JSON for the books, and its ladder as a file if somebody wants it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use sbc_call::ladder::Ladder;
use sbc_call::story::Story;
use sbc_core::cli::plain;

/// Octets of records that may wait; more are written at once.
const LINES_MAX: usize = 64 * 1024;

/// Where the books are kept.
#[derive(Debug, Default)]
pub struct Places {
    pub records: Option<PathBuf>,
    pub ladders: Option<PathBuf>,
}

impl Places {
    /// Returns what `init` left in the environment of its children.
    #[must_use]
    pub fn from_environment() -> Self {
        let place = |name| std::env::var_os(name).map(PathBuf::from);
        Self {
            records: place(RECORDS),
            ladders: place(LADDERS),
        }
    }
}

/// The variable that names the file of records.
pub const RECORDS: &str = "SBC_CDR";

/// The variable that names the folder of ladders.
pub const LADDERS: &str = "SBC_LADDERS";

/// The open books.
#[derive(Debug, Default)]
pub struct Books {
    records: Option<File>,
    /// Lines that wait for [`Books::flush`].
    lines: Vec<u8>,
    ladders: Option<PathBuf>,
    /// Records and ladders that could not be written; calls go on.
    pub unwritten: u64,
}

impl Books {
    /// Opens what `places` names. A file that cannot be opened is said once.
    pub fn open(places: &Places) -> Self {
        let records = places.records.as_ref().and_then(|path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.inspect_err(|error| {
                tracing::error!(path = %path.display(), %error, "call records cannot be written");
            })
            .ok()
        });
        Self {
            records,
            lines: Vec::new(),
            ladders: places.ladders.clone(),
            unwritten: 0,
        }
    }

    /// Writes what is to be written of a call that ended.
    pub fn write(&mut self, story: &Story, ladder: impl FnOnce() -> Option<Ladder>) {
        let record = &story.record;
        tracing::info!(
            id = record.id,
            trunk = record.trunk,
            mediation = record.mediation,
            code = record.sip_code,
            sbc_code = record.sbc_code,
            diagnosis = sbc_call::diagnosis::of(record).unwrap_or_default(),
            "{story}"
        );
        if self.records.is_some() {
            match serde_json::to_string(record).map(plain) {
                Ok(line) => {
                    self.lines.extend_from_slice(line.as_bytes());
                    self.lines.push(b'\n');
                }
                Err(_) => self.unwritten += 1,
            }
            if self.lines.len() > LINES_MAX {
                self.flush();
            }
        }
        if let Some(folder) = &self.ladders
            && let Some(ladder) = ladder()
        {
            let name = format!("call-{}", record.call);
            let text = std::fs::write(folder.join(format!("{name}.txt")), ladder.text());
            let image = std::fs::write(folder.join(format!("{name}.svg")), ladder.svg());
            self.unwritten += u64::from(text.is_err() || image.is_err());
        }
    }

    /// Writes the records that wait, in one go, so that each line is whole or not
    /// there.
    pub fn flush(&mut self) {
        let Some(file) = &mut self.records else {
            return;
        };
        if !self.lines.is_empty() {
            self.unwritten += u64::from(file.write_all(&self.lines).is_err());
            self.lines.clear();
        }
    }
}
