//! The secret store as a folder: names and values come in, names and lengths go
//! out. No value leaves it by this door. Each is sealed once something wraps the key
//! of the store; the hash of a password stays as it is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sbc_core::seal::keys::{FILE, FILE_MAX, Wrapped};
use sbc_core::seal::{ADDED, StoreKey, is_hash, is_sealed, passphrase as words};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::roles::heap::clean_behind;

use super::alarms::Fact;
use super::operations::Answered;
use super::room::Room;
use crate::ipc::FromChild;
use crate::roles::init::{sealed, vault, whole};

/// Octets of a secret that is typed.
pub const SECRET_MAX: usize = 4096;

/// Octets of the file of one that was put there: a key in PEM.
const FILE_OF_SECRET_MAX: usize = 16 * 1024 + ADDED;

/// Secrets that are kept.
pub const SECRETS_MAX: usize = 8192;

/// Looks for alarms between two readings of all files: others may put some there.
const LOOKS: u32 = 60;

/// The store, if the node keeps state.
#[derive(Debug, Default)]
pub struct Secrets {
    folder: Option<PathBuf>,
    key: RefCell<Option<StoreKey>>,
    /// Why the key is not there.
    why: RefCell<String>,
    /// How many lay in clear, and how often that may still be said.
    plain: Cell<(usize, u32)>,
}

/// Why something was not done.
pub type No = (&'static str, String);

/// One secret without its value.
#[derive(Debug)]
struct Known {
    name: String,
    octets: usize,
    sealed: bool,
    hash: bool,
}

/// Names are `kind/name`, each part as names of the file are.
fn is_name(name: &str) -> bool {
    let part = |part: &str| sbc_config::Name::new(part).is_some();
    let parts = name.split('/').count();
    (1..=4).contains(&parts) && name.split('/').all(part)
}

/// Returns what is wrong with a passphrase that is to be set.
pub fn is_passphrase(typed: &str) -> Result<(), No> {
    if typed.chars().count() < words::LEAST || typed.len() > words::MOST {
        let least = words::LEAST;
        let why = format!("a passphrase has at least {least} characters");
        return Err(("SBC-3002", why));
    }
    Ok(())
}

fn unwritten(error: impl std::fmt::Display) -> No {
    ("SBC-3016", format!("not kept: {error}"))
}

impl Secrets {
    /// Returns the store below a node's state.
    pub fn of(state: Option<&Path>) -> Self {
        state.map_or_else(Self::default, |state| Self::at(&state.join("secrets")))
    }

    fn at(folder: &Path) -> Self {
        Self {
            folder: Some(folder.to_owned()),
            ..Self::default()
        }
    }

    fn place(&self, name: &str) -> Result<PathBuf, No> {
        let folder = self.folder.as_ref();
        let folder = folder.ok_or(("SBC-3018", "this node keeps no state".to_owned()))?;
        if !is_name(name) {
            let why = "a secret is called kind/name, as sip/itsp-a".to_owned();
            return Err(("SBC-3002", why));
        }
        Ok(folder.join(name))
    }

    /// Returns the file with the wrapped key.
    fn wrapped_at(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.parent()?.join(FILE))
    }

    /// Returns whether something wraps the key: what is kept is sealed then.
    fn seals(&self) -> bool {
        self.wrapped_at().is_some_and(|path| path.exists())
    }

    fn wrapped(&self) -> Result<Option<Wrapped>, No> {
        let Some(path) = self.wrapped_at().filter(|path| path.exists()) else {
            return Ok(None);
        };
        let text = vault::read(&path, FILE_MAX).map_err(unwritten)?;
        let read = Wrapped::read(&text).map_err(|error| ("SBC-3025", format!("{FILE}: {error}")));
        read.map(Some)
    }

    /// Returns the key of the store.
    fn key(&self) -> Result<StoreKey, No> {
        let locked = || ("SBC-3025", format!("locked: {}", self.why.borrow()));
        self.key.borrow().clone().ok_or_else(locked)
    }

    /// Takes the key, or why it is not there; what lies in clear is sealed.
    pub fn unlocked(&self, key: Option<StoreKey>, why: String) {
        self.key.replace(key);
        self.why.replace(why);
        self.plain.take();
        if let Err((code, why)) = self.seal_all() {
            tracing::error!(code, why, "secrets stay as they are");
        }
    }

    /// Copies every value, for a backup.
    pub fn copy(&self, into: &mut BTreeMap<String, String>) -> Result<(), No> {
        for known in self.names() {
            let value = self.value(&known.name)?;
            let text = String::from_utf8(value.to_vec());
            let text = text.map_err(|_| ("SBC-3002", format!("{}: no text", known.name)))?;
            into.insert(known.name, text);
        }
        Ok(())
    }

    /// Returns whether a value of a backup could be kept.
    pub fn would_take(&self, name: &str, value: &str) -> Result<(), No> {
        self.place(name)?;
        if value.is_empty() || value.len() > FILE_OF_SECRET_MAX - ADDED {
            return Err(("SBC-3002", format!("{name}: its value has no fit length")));
        }
        if self.seals() {
            self.key()?;
        }
        Ok(())
    }

    /// Keeps a value of a backup: a key in PEM is longer than what is typed.
    pub fn put(&self, name: &str, value: &str) -> Result<(), No> {
        self.plain.take();
        self.write(&self.place(name)?, name, value.as_bytes())
    }

    /// Keeps a value, in place of an older one.
    pub fn set(&self, name: &str, value: &str) -> Result<(), No> {
        let path = self.place(name)?;
        if value.is_empty() || value.len() > SECRET_MAX {
            return Err(("SBC-3002", format!("a secret has 1 to {SECRET_MAX} octets")));
        }
        if self.names().len() >= SECRETS_MAX && !path.exists() {
            return Err((
                "SBC-3002",
                format!("{SECRETS_MAX} secrets are kept already"),
            ));
        }
        self.plain.take();
        self.write(&path, name, value.as_bytes())
    }

    fn write(&self, path: &Path, name: &str, value: &[u8]) -> Result<(), No> {
        if is_hash(value) || !self.seals() {
            return write(path, value).map_err(unwritten);
        }
        let file = self.key()?.seal(name, value).map_err(unwritten)?;
        write(path, &file).map_err(unwritten)
    }

    /// Forgets a value.
    pub fn delete(&self, name: &str) -> Result<(), No> {
        let path = self.place(name)?;
        self.plain.take();
        fs::remove_file(path).map_err(|_| ("SBC-3003", format!("there is no secret {name}")))
    }

    /// Returns a value, for whoever checks a password.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.value(name).ok()?;
        String::from_utf8(value.to_vec()).ok()
    }

    /// Returns a value, nothing if none is kept, or why it cannot be had.
    pub fn held(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, No> {
        match self.value(name) {
            Ok(value) => Ok(Some(value)),
            Err(("SBC-3003", _)) => Ok(None),
            Err(no) => Err(no),
        }
    }

    /// Returns the name of every secret.
    pub fn all(&self) -> Vec<String> {
        self.names().into_iter().map(|known| known.name).collect()
    }

    fn value(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, No> {
        let file = vault::read(&self.place(name)?, FILE_OF_SECRET_MAX);
        let file = file.map_err(|_| ("SBC-3003", format!("there is no secret {name}")))?;
        if !is_sealed(&file) {
            return Ok(file);
        }
        let value = self.key()?.open(name, &file);
        value.map_err(|error| ("SBC-3025", format!("{name}: {error}")))
    }

    /// Seals what lies in clear, if something wraps the key.
    fn seal_all(&self) -> Result<(), No> {
        if !self.seals() || self.key.borrow().is_none() {
            return Ok(());
        }
        for known in self.names() {
            if !known.sealed && !known.hash {
                let value = self.value(&known.name)?;
                self.write(&self.place(&known.name)?, &known.name, &value)?;
            }
        }
        Ok(())
    }

    /// Wraps the key with a passphrase, and seals what lies in clear.
    fn seal_with(&self, passphrase: &str) -> Result<(), No> {
        is_passphrase(passphrase)?;
        let key = self.key()?;
        let state = ("SBC-3018", "this node keeps no state".to_owned());
        let path = self.wrapped_at().ok_or(state)?;
        let mut wrapped = self.wrapped()?.unwrap_or_default();
        wrapped.wrap(&key, passphrase).map_err(unwritten)?;
        write(&path, wrapped.to_text().as_bytes()).map_err(unwritten)?;
        self.plain.take();
        self.seal_all()
    }

    /// Returns the key that a passphrase opens.
    fn open_with(&self, passphrase: &str) -> Result<StoreKey, No> {
        let none = ("SBC-3002", "no passphrase was set".to_owned());
        let wrapped = self
            .wrapped()?
            .filter(Wrapped::has_passphrase)
            .ok_or(none)?;
        let key = wrapped.unwrap(passphrase);
        key.map_err(|error| ("SBC-3026", format!("not opened: {error}")))
    }

    /// Returns every secret.
    fn names(&self) -> Vec<Known> {
        let mut found = Vec::new();
        if let Some(folder) = &self.folder {
            collect(folder, "", &mut found);
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// Returns that secrets are locked or lie in clear, if they do; hashes of
    /// passwords are none.
    pub fn facts(&self) -> Option<Fact> {
        if self.seals() && self.key.borrow().is_none() {
            let why = self.why.borrow();
            return Some(Fact::new("secrets-locked", "", format!("locked: {why}")));
        }
        let (mut count, mut left) = self.plain.get();
        if left == 0 {
            let names = self.names().into_iter();
            count = names.filter(|known| !known.sealed && !known.hash).count();
            left = LOOKS;
        }
        self.plain.set((count, left - 1));
        let text = format!("{count} secrets are not sealed");
        (count > 0).then(|| Fact::new("secrets-plain", "", text))
    }

    /// Returns the same for the console.
    pub fn list(&self) -> Value {
        let each = self.names().into_iter().map(
            |known| json!({ "name": known.name, "octets": known.octets, "sealed": known.sealed }),
        );
        each.collect()
    }
}

/// Sets the passphrase that wraps the key. The work is done on a thread of its own.
pub async fn passphrase(room: &Rc<Room>, typed: &str) -> Answered {
    let _turn = room.desk.turn().await;
    let store = room.secrets.apart();
    let typed = Zeroizing::new(typed.to_owned());
    let done = tokio::task::spawn_blocking(move || clean_behind(|| store.seal_with(&typed))).await;
    room.secrets.plain.take();
    match done {
        Ok(Ok(())) => Ok(json!({ "done": "sealed" })),
        Ok(Err((code, why))) => Err((code.to_owned(), why)),
        Err(_) => Err(("SBC-3016".to_owned(), "not sealed".to_owned())),
    }
}

/// Takes the passphrase of locked secrets, and hands the key to `init`.
pub async fn unlock(room: &Rc<Room>, typed: &str) -> Answered {
    let _turn = room.desk.turn().await;
    let store = room.secrets.apart();
    let typed = Zeroizing::new(typed.to_owned());
    let done = tokio::task::spawn_blocking(move || clean_behind(|| store.open_with(&typed))).await;
    let no = |(code, why): No| (code.to_owned(), why);
    let key = match done {
        Ok(opened) => opened.map_err(no)?,
        Err(_) => return Err(("SBC-3016".to_owned(), "not opened".to_owned())),
    };
    let file = sealed(key.reveal()).map_err(|error| no(unwritten(error)))?;
    room.tell_init_with(&FromChild::StoreKey, &[file.as_fd()])
        .await?;
    room.secrets.unlocked(Some(key), String::new());
    super::certificates::finish(room);
    Ok(json!({ "done": "open" }))
}

impl Secrets {
    /// Returns the same store for another thread.
    fn apart(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            key: RefCell::new(self.key.borrow().clone()),
            why: RefCell::new(self.why.borrow().clone()),
            plain: Cell::default(),
        }
    }
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<Known>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{prefix}{name}");
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && prefix.matches('/').count() < 4 {
            collect(&entry.path(), &format!("{name}/"), found);
        } else if kind.is_file() && is_name(&name) && found.len() < SECRETS_MAX {
            let file = vault::read(&entry.path(), FILE_OF_SECRET_MAX).unwrap_or_default();
            let sealed = is_sealed(&file);
            found.push(Known {
                name,
                octets: file.len().saturating_sub(if sealed { ADDED } else { 0 }),
                sealed,
                hash: is_hash(&file),
            });
        }
    }
}

fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    whole::write_private(path, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_kept_listed_by_name_and_forgotten() {
        let folder = std::env::temp_dir().join(format!("sbc-secrets-{}", std::process::id()));
        let _absent = fs::remove_dir_all(&folder);
        let store = Secrets::at(&folder);
        store.set("sip/itsp-a", "correct horse").unwrap();
        assert_eq!(
            store.list(),
            json!([{"name": "sip/itsp-a", "octets": 13, "sealed": false}])
        );
        assert_eq!(store.get("sip/itsp-a").as_deref(), Some("correct horse"));
        let mode = fs::metadata(folder.join("sip/itsp-a")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o777, 0o600);
        store.delete("sip/itsp-a").unwrap();
        assert!(store.delete("sip/itsp-a").is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_store() {
        let store = Secrets::at(&std::env::temp_dir().join("sbc-none/secrets"));
        for name in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../b",
            "a//b",
            "A",
            "a/b/c/d/e",
            ".x",
        ] {
            assert!(store.set(name, "x").is_err(), "{name}");
            assert!(store.get(name).is_none(), "{name}");
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let own = format!("sbc-sealed-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(own);
            let _absent = fs::remove_dir_all(&path);
            Self(path)
        }

        fn store(&self) -> Secrets {
            Secrets::at(&self.0.join("secrets"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_passphrase_seals_what_lay_in_clear_and_gives_it_back_after_a_restart() {
        let folder = Folder::new("sealed");
        let (store, hash) = (folder.store(), "$argon2id$v=19$x");
        store.unlocked(StoreKey::random().ok(), String::new());
        store.set("vpn/itsp-a", "x-planted-value").unwrap();
        store.set("user/admin", hash).unwrap();
        assert_eq!(store.facts().unwrap().id, "secrets-plain");
        store.seal_with("correct horse battery").unwrap();
        assert!(store.facts().is_none());
        let file = fs::read(folder.0.join("secrets/vpn/itsp-a")).unwrap();
        assert!(is_sealed(&file) && !file.windows(9).any(|part| part == b"x-planted"));
        let listed = store.list();
        assert_eq!(listed[1]["octets"], 15);
        assert_eq!(listed[1]["sealed"], true);

        let later = folder.store();
        later.unlocked(None, "no passphrase yet".to_owned());
        assert_eq!(later.facts().unwrap().id, "secrets-locked");
        // Whoever gives the passphrase logs in first.
        assert_eq!(later.get("user/admin").as_deref(), Some(hash));
        assert_eq!(later.get("vpn/itsp-a"), None);
        assert_eq!(later.set("vpn/itsp-a", "new").unwrap_err().0, "SBC-3025");
        assert_eq!(
            later.open_with("correct horse batterz").unwrap_err().0,
            "SBC-3026"
        );
        assert_eq!(fs::read(folder.0.join("secrets/vpn/itsp-a")).unwrap(), file);
        let key = later.open_with("correct horse battery").unwrap();
        later.unlocked(Some(key), String::new());
        assert_eq!(later.get("vpn/itsp-a").as_deref(), Some("x-planted-value"));
        assert!(later.facts().is_none());
    }

    #[test]
    fn a_plain_file_that_somebody_left_is_sealed_at_the_next_start() {
        let folder = Folder::new("late");
        let store = folder.store();
        let key = StoreKey::random().unwrap();
        store.unlocked(Some(key.clone()), String::new());
        store.seal_with("correct horse battery").unwrap();
        fs::create_dir_all(folder.0.join("secrets/pki")).unwrap();
        fs::write(folder.0.join("secrets/pki/node"), "KEY\n").unwrap();
        let later = folder.store();
        later.unlocked(Some(key), String::new());
        let file = fs::read(folder.0.join("secrets/pki/node")).unwrap();
        assert!(is_sealed(&file));
        assert_eq!(later.get("pki/node").as_deref(), Some("KEY\n"));
        assert_eq!(store.seal_with("short").unwrap_err().0, "SBC-3002");
    }
}
