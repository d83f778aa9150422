//! The revisions of the configuration: texts come in, the latest fifty are kept,
//! in a folder if there is one. A text is named by its hash; a file appears whole
//! or not at all (temporary, fsync, rename). The list lies there twice. What other
//! hands damaged is passed over and told: the node goes on with the last confirmed
//! revision that is what it was, and never with one that nobody confirmed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::whole;

/// Revisions that are kept.
pub const REVISIONS_MAX: usize = 50;

/// What is known of a revision besides its text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Revision {
    pub revision: u32,
    pub hash: String,
    pub author: String,
    pub channel: String,
    /// Seconds since 1970.
    pub time: u64,
    pub comment: String,
    /// It may be what a boot takes.
    pub confirmed: bool,
}

/// The list as it lies in its file.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Index {
    /// The hash of the file that was last given to `sbc run`.
    given: String,
    revisions: Vec<Revision>,
    /// What was found damaged since the last commit, in words.
    #[serde(default)]
    damaged: Vec<String>,
}

/// All revisions that are kept.
#[derive(Debug, Default)]
pub struct Revisions {
    folder: Option<PathBuf>,
    index: Index,
    texts: Vec<(String, String)>,
    live: u32,
}

/// Who made a revision, and what was said about it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Author {
    pub author: String,
    pub channel: String,
    pub comment: String,
}

/// The file that the node is started with.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub text: &'a str,
    /// It is not looked at once a revision is kept.
    pub first_only: bool,
}

/// Returns number and text of the revision that a boot takes from `folder`, if one
/// is kept there and is what it was.
#[must_use]
pub fn kept(folder: &Path) -> Option<(u32, String)> {
    let mut own = Revisions {
        folder: folder.is_dir().then(|| folder.to_path_buf()),
        ..Revisions::default()
    };
    own.read().ok()?;
    let revision = own.last_confirmed()?.revision;
    Some((revision, own.text(revision)?.to_owned()))
}

impl Revisions {
    /// Opens the revisions of `folder`. The file that the node was started with
    /// is a new revision if it is not the one it was started with before;
    /// otherwise, and always if it was given for the first start only, the last
    /// confirmed revision is live.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: Option<PathBuf>, given: &Given<'_>, now: u64) -> io::Result<Self> {
        let mut own = Self {
            folder,
            ..Self::default()
        };
        own.read()?;
        let hash = hash(given.text);
        let confirmed = own.last_confirmed().map(|known| known.revision);
        match confirmed {
            Some(revision) if given.first_only || own.index.given == hash => own.live = revision,
            _ => {
                own.index.given = hash;
                let author = Author {
                    author: "file".to_owned(),
                    channel: BOOT.to_owned(),
                    comment: String::new(),
                };
                own.add(given.text, &author, now, true)?;
            }
        }
        Ok(own)
    }

    fn read(&mut self) -> io::Result<()> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        fs::create_dir_all(&folder)?;
        self.index = index(&folder)?;
        for known in std::mem::take(&mut self.index.revisions) {
            match fs::read_to_string(folder.join(file_name(&known.hash))) {
                Ok(text) if hash(&text) == known.hash => {
                    self.texts.push((known.hash.clone(), text));
                    self.index.revisions.push(known);
                }
                // A text that is not what its name says was changed by other hands.
                Ok(_) => self.passed_over(&known, "not what it was"),
                Err(error) => self.passed_over(&known, &error.to_string()),
            }
        }
        Ok(())
    }

    fn passed_over(&mut self, known: &Revision, why: &str) {
        let said = format!("revision {}: {why}", known.revision);
        tracing::error!("{said}");
        if self.index.damaged.len() < REVISIONS_MAX {
            self.index.damaged.push(said);
        }
    }

    /// Returns what was found damaged since the last commit.
    pub fn damaged(&self) -> &[String] {
        &self.index.damaged
    }

    /// Adds a text, which is live from then on. Returns its number.
    ///
    /// # Errors
    /// When it cannot be written; nothing is added then.
    pub fn add(
        &mut self,
        text: &str,
        author: &Author,
        now: u64,
        confirmed: bool,
    ) -> io::Result<u32> {
        let hash = hash(text);
        if let Some(folder) = &self.folder {
            whole::write_private(&folder.join(file_name(&hash)), text.as_bytes())?;
        }
        let revision = self
            .index
            .revisions
            .last()
            .map_or(1, |last| last.revision + 1);
        self.index.revisions.push(Revision {
            revision,
            hash: hash.clone(),
            author: author.author.clone(),
            channel: author.channel.clone(),
            time: now,
            comment: author.comment.clone(),
            confirmed,
        });
        self.texts.push((hash, text.to_owned()));
        // Whoever commits has seen what is live.
        let damaged = match author.channel.as_str() {
            BOOT => Vec::new(),
            _ => std::mem::take(&mut self.index.damaged),
        };
        if let Err(error) = self.write_index() {
            self.index.revisions.pop();
            self.texts.pop();
            self.index.damaged.extend(damaged);
            return Err(error);
        }
        self.live = revision;
        self.make_room();
        Ok(revision)
    }

    /// Confirms the live revision.
    ///
    /// # Errors
    /// When that cannot be written; it stays unconfirmed then.
    pub fn confirm(&mut self) -> io::Result<()> {
        self.set_confirmed(true);
        let written = self.write_index();
        if written.is_err() {
            self.set_confirmed(false);
        }
        written
    }

    fn set_confirmed(&mut self, confirmed: bool) {
        let live = self.live;
        for known in &mut self.index.revisions {
            if known.revision == live {
                known.confirmed = confirmed;
            }
        }
    }

    /// Makes the last confirmed revision live again, and returns it.
    pub fn go_back(&mut self) -> Option<u32> {
        self.live = self.last_confirmed()?.revision;
        Some(self.live)
    }

    fn last_confirmed(&self) -> Option<&Revision> {
        self.index
            .revisions
            .iter()
            .rev()
            .find(|known| known.confirmed)
    }

    /// Returns the number of the live revision.
    pub const fn live(&self) -> u32 {
        self.live
    }

    /// Returns every revision, the oldest first.
    pub fn all(&self) -> &[Revision] {
        &self.index.revisions
    }

    /// Returns the text of a revision, if it is kept.
    pub fn text(&self, revision: u32) -> Option<&str> {
        let known = self
            .index
            .revisions
            .iter()
            .find(|known| known.revision == revision)?;
        let found = self.texts.iter().find(|(hash, _)| *hash == known.hash);
        found.map(|(_, text)| text.as_str())
    }

    /// Returns the text that is live.
    pub fn live_text(&self) -> &str {
        self.text(self.live).unwrap_or_default()
    }

    /// Forgets the oldest revisions over the bound, but neither what is live nor
    /// what a boot would take.
    fn make_room(&mut self) {
        let boot = self.last_confirmed().map_or(0, |known| known.revision);
        let over = self.index.revisions.len().saturating_sub(REVISIONS_MAX);
        let live = self.live;
        let mut left = over;
        self.index.revisions.retain(|known| {
            let kept = left == 0 || known.revision == live || known.revision == boot;
            left -= usize::from(!kept);
            kept
        });
        if over == 0 {
            return;
        }
        let kept: Vec<String> = self
            .index
            .revisions
            .iter()
            .map(|k| k.hash.clone())
            .collect();
        let folder = self.folder.clone();
        self.texts.retain(|(hash, _)| {
            let used = kept.contains(hash);
            if let Some(folder) = folder.as_ref().filter(|_| !used) {
                // A file that stays is found by nobody.
                let _left = fs::remove_file(folder.join(file_name(hash)));
            }
            used
        });
        // The next revision writes the list again.
        let _later = self.write_index();
    }

    fn write_index(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let text = serde_json::to_vec_pretty(&self.index)?;
        whole::write_private(&folder.join(INDEX), &text)?;
        // The list is written: what was asked for is done, with or without a copy.
        if let Err(error) = whole::write_private(&folder.join(SECOND), &text) {
            tracing::warn!(%error, "the list of revisions has no copy");
        }
        Ok(())
    }
}

/// The list, and its second copy.
const INDEX: &str = "revisions.json";
const SECOND: &str = "revisions.second.json";

/// The channel of a text that came with the start.
const BOOT: &str = "boot";

/// Reads the list, else its copy. Where neither can be read, what is kept may not be
/// in force: nobody knows what was confirmed. Each text that is what its name says
/// then stands in a new list, the oldest first, for whoever rolls back to it.
fn index(folder: &Path) -> io::Result<Index> {
    let mut said = Vec::new();
    for name in [INDEX, SECOND] {
        let why = match fs::read(folder.join(name)) {
            Ok(text) => match serde_json::from_slice::<Index>(&text) {
                Ok(mut index) => {
                    index.damaged.extend(said);
                    return Ok(index);
                }
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => "not there".to_owned(),
            Err(error) => return Err(error),
        };
        said.push(format!("{name}: {why}"));
    }
    let revisions = found(folder)?;
    if revisions.is_empty() {
        // The first start of all.
        return Ok(Index::default());
    }
    for said in &said {
        tracing::error!("{said}");
    }
    Ok(Index {
        given: String::new(),
        revisions,
        damaged: said,
    })
}

/// Returns every text of the folder that is what its name says, by its age.
fn found(folder: &Path) -> io::Result<Vec<Revision>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)?.take(REVISIONS_MAX * 4) {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let Some(stem) = name.strip_suffix(TEXT) else {
            continue;
        };
        let text = fs::read_to_string(entry.path());
        if text.is_ok_and(|text| hash(&text) == stem) {
            let since = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH);
            all.push((since.unwrap_or_default(), stem.to_owned()));
        }
    }
    all.sort();
    let over = all.len().saturating_sub(REVISIONS_MAX);
    let each = (1..).zip(all.into_iter().skip(over));
    let revisions = each.map(|(revision, (since, hash))| Revision {
        revision,
        hash,
        author: "unknown".to_owned(),
        channel: BOOT.to_owned(),
        time: since.as_secs(),
        comment: "found without a list".to_owned(),
        confirmed: false,
    });
    Ok(revisions.collect())
}

/// How the name of a text ends.
const TEXT: &str = ".toml";

fn file_name(hash: &str) -> String {
    format!("{hash}{TEXT}")
}

/// Returns the SHA-256 of a text in hexadecimal digits.
pub fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sbc-{name}-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&folder);
        folder
    }

    fn each(text: &str) -> Given<'_> {
        Given {
            text,
            first_only: false,
        }
    }

    fn by(author: &str) -> Author {
        Author {
            author: author.to_owned(),
            ..Author::default()
        }
    }

    #[test]
    fn a_boot_takes_the_last_confirmed_revision() {
        let folder = folder("boot");
        let mut first = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 1).unwrap();
        first.add("a = 2\n", &by("alice"), 2, true).unwrap();
        first.add("a = 3\n", &by("alice"), 3, false).unwrap();
        assert_eq!(first.live_text(), "a = 3\n");
        let second = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 4).unwrap();
        assert_eq!((second.live(), second.live_text()), (2, "a = 2\n"));
        // Another file is a new revision.
        let third = Revisions::open(Some(folder.clone()), &each("a = 9\n"), 5).unwrap();
        assert_eq!((third.live(), third.live_text()), (4, "a = 9\n"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_for_the_first_start_is_not_looked_at_again() {
        let folder = folder("first");
        let empty = Given {
            text: "a = 0\n",
            first_only: true,
        };
        assert_eq!(kept(&folder), None);
        // Another file came first: it stays.
        let first = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 1).unwrap();
        assert_eq!(first.live_text(), "a = 1\n");
        let second = Revisions::open(Some(folder.clone()), &empty, 2).unwrap();
        assert_eq!((second.live(), second.live_text()), (1, "a = 1\n"));
        assert_eq!(kept(&folder), Some((1, "a = 1\n".to_owned())));
        fs::remove_dir_all(folder).unwrap();
        let first = Revisions::open(None, &empty, 1).unwrap();
        assert_eq!(first.live_text(), "a = 0\n");
    }

    #[test]
    fn what_is_not_confirmed_goes_back_and_what_is_stays() {
        let mut own = Revisions::open(None, &each("a = 1\n"), 1).unwrap();
        own.add("a = 2\n", &by("bob"), 2, false).unwrap();
        assert_eq!(own.go_back(), Some(1));
        assert_eq!(own.live_text(), "a = 1\n");
        own.add("a = 3\n", &by("bob"), 3, false).unwrap();
        own.confirm().unwrap();
        assert_eq!(own.go_back(), Some(3));
    }

    #[test]
    fn fifty_are_kept_and_the_one_a_boot_takes_always() {
        let folder = folder("fifty");
        let mut own = Revisions::open(Some(folder.clone()), &each("a = 0\n"), 1).unwrap();
        for number in 1..200 {
            own.add(&format!("a = {number}\n"), &by("x"), 2, false)
                .unwrap();
        }
        assert_eq!(own.all().len(), REVISIONS_MAX);
        assert_eq!(own.text(1), Some("a = 0\n"));
        assert_eq!(own.live_text(), "a = 199\n");
        let files = fs::read_dir(&folder).unwrap().count();
        assert_eq!(files, REVISIONS_MAX + 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_text_that_other_hands_changed_is_passed_over_and_told_until_the_next_commit() {
        let folder = folder("changed");
        let mut own = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 1).unwrap();
        own.add("a = 2\n", &by("alice"), 2, true).unwrap();
        own.add("a = 3\n", &by("alice"), 3, true).unwrap();
        let file = |own: &Revisions, at: usize| folder.join(file_name(&own.all()[at].hash));
        fs::write(file(&own, 2), "a = 9\n").unwrap();
        let mut later = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 4).unwrap();
        assert_eq!((later.live(), later.live_text()), (2, "a = 2\n"));
        assert_eq!(later.damaged(), ["revision 3: not what it was"]);
        later.add("a = 4\n", &by("alice"), 5, true).unwrap();
        assert!(later.damaged().is_empty());
        // Without any that is whole, what the node is started with holds.
        for at in 0..later.all().len() {
            fs::write(file(&later, at), "b = 1\n").unwrap();
        }
        let last = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 6).unwrap();
        assert_eq!(last.live_text(), "a = 1\n");
        assert_eq!(last.damaged().len(), 3);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_list_that_cannot_be_read_has_a_copy_and_without_it_nothing_unconfirmed_is_live() {
        let folder = folder("list");
        let mut own = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 1).unwrap();
        own.add("a = 2\n", &by("alice"), 2, true).unwrap();
        own.add("a = 3\n", &by("alice"), 3, false).unwrap();
        fs::write(folder.join(INDEX), "no list").unwrap();
        let again = Revisions::open(Some(folder.clone()), &each("a = 1\n"), 4).unwrap();
        assert_eq!((again.live(), again.live_text()), (2, "a = 2\n"));
        assert_eq!(again.damaged().len(), 1);

        fs::write(folder.join(INDEX), "no list").unwrap();
        fs::write(folder.join(SECOND), "[]").unwrap();
        let empty = Given {
            text: "a = 0\n",
            first_only: true,
        };
        let last = Revisions::open(Some(folder.clone()), &empty, 5).unwrap();
        assert_eq!(last.live_text(), "a = 0\n");
        assert_eq!(last.damaged().len(), 2);
        let kept: Vec<&str> = (1..=3).filter_map(|at| last.text(at)).collect();
        assert_eq!(kept.len(), 3, "each can be rolled back to: {kept:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
