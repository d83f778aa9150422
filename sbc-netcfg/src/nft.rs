//! The runner of `nft`: a rule set comes in, one transaction goes to the kernel;
//! or the kernel's rule set comes back as JSON. The child has a time limit, its
//! output a bound, and what it says on standard error is kept.

pub mod read;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sbc_plan::observed::ObservedTable;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::NftError;

/// A child that takes longer is stuck: the largest rule set of a node loads in
/// a tenth of a second, and a loaded machine may be a hundred times slower.
const WITHIN: Duration = Duration::from_secs(20);

/// The JSON of a rule set of a thousand rules is half a mebibyte.
const OUTPUT_MAX: usize = 16 * 1024 * 1024;

/// What a refused rule set says about itself; the first page names the fault.
const STDERR_MAX: usize = 16 * 1024;

/// Where the program lies, first found first taken. A user's path may lack it.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];

/// The language of a rule set given to `nft`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    Json,
    Text,
}

/// A named counter of a table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Counter {
    pub family: String,
    pub table: String,
    pub name: String,
    pub packets: u64,
    #[serde(rename = "bytes")]
    pub octets: u64,
}

/// Runs `nft`.
#[derive(Clone, Debug)]
pub struct Nft {
    program: PathBuf,
    within: Duration,
}

impl Default for Nft {
    fn default() -> Self {
        let found = PLACES.iter().map(PathBuf::from).find(|path| path.is_file());
        Self::at(found.unwrap_or_else(|| PathBuf::from("nft")))
    }
}

impl Nft {
    /// Takes the program to run.
    #[must_use]
    pub fn at(program: PathBuf) -> Self {
        Self {
            program,
            within: WITHIN,
        }
    }

    /// Returns the runner with another time limit for each run.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Asks whether the kernel would take `rules`, and changes nothing.
    ///
    /// # Errors
    /// What `nft` said, or how it failed to say anything.
    pub async fn check(&self, language: Language, rules: &[u8]) -> Result<(), NftError> {
        self.run(&words(language, true), rules).await.map(drop)
    }

    /// Loads `rules` as one transaction, after a check: all of it, or nothing.
    ///
    /// # Errors
    /// What `nft` said; the kernel then holds what it held before.
    pub async fn load(&self, language: Language, rules: &[u8]) -> Result<(), NftError> {
        self.check(language, rules).await?;
        self.run(&words(language, false), rules).await.map(drop)
    }

    /// Removes a table; one that is not there, since it went with the device it hung on,
    /// is made first. It is one transaction with nothing in it that could be wrong, so
    /// it is not checked before: each run takes a quarter of a second on a slow box.
    ///
    /// # Errors
    /// What `nft` said; the kernel then holds what it held before.
    pub async fn remove(&self, family: &str, name: &str) -> Result<(), NftError> {
        let rules = format!("table {family} {name}\ndelete table {family} {name}\n");
        let words = words(Language::Text, false);
        self.run(&words, rules.as_bytes()).await.map(drop)
    }

    /// Returns all tables in the plan's normal form.
    ///
    /// # Errors
    /// How `nft` failed, or that what it printed makes no sense; neither is ever read
    /// as an empty rule set.
    pub async fn tables(&self) -> Result<Vec<ObservedTable>, NftError> {
        let mut tables = read::tables(&self.list().await?)?;
        if read::lacks_devices(&tables) {
            let text = self.run(&["list", "chains", "netdev"], &[]).await?;
            read::add_devices(&mut tables, &String::from_utf8_lossy(&text));
        }
        Ok(tables)
    }

    /// Returns every named counter.
    ///
    /// # Errors
    /// How `nft` failed, or that what it printed makes no sense.
    pub async fn counters(&self) -> Result<Vec<Counter>, NftError> {
        read::counters(&self.run(&["-j", "list", "counters"], &[]).await?)
    }

    /// Returns the whole rule set as `nft` prints it in JSON.
    ///
    /// # Errors
    /// How `nft` failed; silence is never read as an empty rule set.
    pub async fn list(&self) -> Result<Vec<u8>, NftError> {
        self.run(&["-j", "list", "ruleset"], &[]).await
    }

    /// Returns the text of one table, which makes it again when it is loaded; nothing
    /// when there is no such table.
    ///
    /// # Errors
    /// How `nft` failed otherwise.
    pub async fn text_of(&self, family: &str, name: &str) -> Result<Option<String>, NftError> {
        let words = ["-n", "list", "table", family, name];
        match self.run(&words, &[]).await {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Err(NftError::Refused(why)) if why.contains("No such file") => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn run(&self, words: &[&str], input: &[u8]) -> Result<Vec<u8>, NftError> {
        let mut child = Command::new(&self.program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .kill_on_drop(true)
            .spawn()
            .map_err(NftError::NotStarted)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let all = async {
            let write = async {
                if let Some(mut stdin) = stdin {
                    // A child that refuses early closes its end; its word follows.
                    let _early = stdin.write_all(input).await;
                }
            };
            let (_, out, err) = tokio::join!(
                write,
                bounded(stdout, OUTPUT_MAX),
                bounded(stderr, STDERR_MAX)
            );
            (out, err, child.wait().await)
        };
        let done = timeout(self.within, all).await;
        let (out, err, status) = done.map_err(|_| NftError::Late(self.within))?;
        let status = status.map_err(NftError::NotStarted)?;
        if !status.success() {
            let said = String::from_utf8_lossy(&err.0);
            let said = said.lines().map(str::trim).filter(|line| !line.is_empty());
            let said: Vec<&str> = said.take(8).collect();
            return Err(NftError::Refused(said.join("; ")));
        }
        if out.1 {
            return Err(NftError::TooMuch(OUTPUT_MAX));
        }
        Ok(out.0)
    }
}

const fn words(language: Language, check: bool) -> [&'static str; 3] {
    match (language, check) {
        (Language::Json, true) => ["-jc", "-f", "-"],
        (Language::Json, false) => ["-j", "-f", "-"],
        (Language::Text, true) => ["-c", "-f", "-"],
        (Language::Text, false) => ["--numeric", "-f", "-"],
    }
}

/// Reads up to `most` bytes and throws the rest away. Returns them, and whether
/// there were more.
async fn bounded(stream: Option<impl AsyncRead + Unpin>, most: usize) -> (Vec<u8>, bool) {
    let (mut kept, mut page, mut over) = (Vec::new(), vec![0; 16 * 1024], false);
    let Some(mut stream) = stream else {
        return (kept, over);
    };
    while let Ok(length @ 1..) = stream.read(&mut page).await {
        let room = most - kept.len();
        over |= length > room;
        kept.extend_from_slice(page.get(..length.min(room)).unwrap_or_default());
    }
    (kept, over)
}

#[cfg(test)]
mod tests;
