//! Backup and restore: configuration, secrets and certificates go out in a box that
//! a passphrase opens, and come back: all is checked before anything is changed, and
//! a configuration that is refused takes the rest back with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sbc_core::cli::{capture, lines};
use sbc_core::seal::backup::Backup;
use serde_json::json;
use zeroize::Zeroizing;

use crate::roles::heap::clean_behind;

use super::caller::Caller;
use super::operations::{Answered, replace};
use super::room::Room;
use super::secrets::{No, is_passphrase};
use crate::roles::init::{vault, whole};

/// Octets of one file of certificates: a chain of a handful.
const CERTIFICATES_MAX: usize = 64 * 1024;

/// Files of certificates that are kept.
const FILES_MAX: usize = 256;

/// The folder of certificates below the state, and how their names end.
const FOLDER: &str = "pki";
const ENDING: &str = ".pem";

fn no((code, why): No) -> (String, String) {
    (code.to_owned(), why)
}

/// Returns a backup as lines of text.
pub async fn make(room: &Rc<Room>, typed: &str) -> Answered {
    is_passphrase(typed).map_err(no)?;
    let node = room.node.borrow().system.hostname.to_string();
    let text = room.text.borrow().clone();
    let mut backup = Backup::of(&node, room.revision.get(), super::now(), &text);
    room.secrets.copy(&mut backup.secrets).map_err(no)?;
    backup.certificates = certificates(room.state());
    let (secrets, certificates) = (backup.secrets.len(), backup.certificates.len());
    let typed = Zeroizing::new(typed.to_owned());
    let _turn = room.desk.turn().await;
    let file = tokio::task::spawn_blocking(move || clean_behind(|| backup.lock(&typed))).await;
    let file = file.ok().and_then(Result::ok);
    let file = file.ok_or_else(|| no(("SBC-3016", "no randomness".to_owned())))?;
    let text = capture::as_text(&format!("{node}.backup"), &file);
    if text.len() > sbc_config::MAX_FILE {
        let why = format!("a backup has at most {} octets", sbc_config::MAX_FILE);
        return Err(no(("SBC-3004", why)));
    }
    Ok(json!({ "text": text, "secrets": secrets, "certificates": certificates }))
}

/// Puts a backup in force: the parts that the caller handed over.
pub async fn restore(room: &Rc<Room>, caller: &mut Caller, typed: &str) -> Answered {
    let text = std::mem::take(&mut caller.parts);
    if room.editor.get().is_some_and(|other| other != caller.id) {
        return Err(no(("SBC-3011", "somebody else has locked it".to_owned())));
    }
    let file = lines::file_of(&text).map_err(|why| no(("SBC-3002", why)))?;
    let typed = Zeroizing::new(typed.to_owned());
    let backup = {
        let _turn = room.desk.turn().await;
        tokio::task::spawn_blocking(move || clean_behind(|| Backup::unlock(&typed, &file))).await
    };
    let unfit = |why: String| no(("SBC-3026", why));
    let backup = backup.map_err(|_| unfit("not opened".to_owned()))?;
    let backup = backup.map_err(|error| unfit(format!("not opened: {error}")))?;
    check(room, &backup).map_err(no)?;
    let before = Before::of(room, &backup).map_err(no)?;
    let put = match write(room, &backup) {
        Ok(()) => {
            let comment = format!(
                "restored from {}, revision {}",
                backup.node, backup.revision
            );
            replace(room, caller, &backup.toml, &comment).await
        }
        Err(why) => Err(no(why)),
    };
    let mut answer = match put {
        Ok(answer) => answer,
        Err(why) => {
            before.back(room);
            return Err(why);
        }
    };
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("secrets".to_owned(), json!(backup.secrets.len()));
        answer.insert("certificates".to_owned(), json!(backup.certificates.len()));
        answer.insert("node".to_owned(), json!(backup.node));
        answer.insert("made_at".to_owned(), json!(backup.made_at));
    }
    Ok(answer)
}

/// Everything that could be wrong, before anything is changed.
fn check(room: &Room, backup: &Backup) -> Result<(), No> {
    let checked = sbc_config::check(&backup.toml);
    if checked.node.is_none() {
        let first = checked.problems.first();
        let why = first.map_or_else(String::new, |problem| problem.message.clone());
        return Err((
            "SBC-3012",
            format!("its configuration cannot be used: {why}"),
        ));
    }
    for (name, value) in &backup.secrets {
        room.secrets.would_take(name, value)?;
    }
    if backup.certificates.len() > FILES_MAX {
        return Err((
            "SBC-3002",
            format!("over {FILES_MAX} files of certificates"),
        ));
    }
    for (name, text) in &backup.certificates {
        if !is_certificate(name) || text.is_empty() || text.len() > CERTIFICATES_MAX {
            return Err((
                "SBC-3002",
                "a file of certificates has no fit name".to_owned(),
            ));
        }
    }
    Ok(())
}

fn write(room: &Room, backup: &Backup) -> Result<(), No> {
    for (name, value) in &backup.secrets {
        room.secrets.put(name, value)?;
    }
    for (name, text) in &backup.certificates {
        write_certificate(room.state(), name, text)?;
    }
    Ok(())
}

fn write_certificate(state: Option<&Path>, name: &str, text: &str) -> Result<(), No> {
    let path = place(state, name).ok_or(("SBC-3018", "this node keeps no state".to_owned()))?;
    let unwritten = |error: std::io::Error| ("SBC-3016", format!("not kept: {error}"));
    fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(unwritten)?;
    whole::write_private(&path, text.as_bytes()).map_err(unwritten)
}

/// What was there before, to go back to.
struct Before {
    secrets: Vec<(String, Option<Zeroizing<String>>)>,
    certificates: Vec<(String, Option<String>)>,
}

impl Before {
    fn of(room: &Room, backup: &Backup) -> Result<Self, No> {
        let mut kept = std::collections::BTreeMap::new();
        room.secrets.copy(&mut kept)?;
        let secret = |name: &String| (name.clone(), kept.remove(name).map(Zeroizing::new));
        let secrets = backup.secrets.keys().map(secret).collect();
        let mut files = certificates(room.state());
        let file = |name: &String| (name.clone(), files.remove(name));
        let certificates = backup.certificates.keys().map(file).collect();
        Ok(Self {
            secrets,
            certificates,
        })
    }

    fn back(&self, room: &Room) {
        for (name, value) in &self.secrets {
            let done = match value {
                Some(value) => room.secrets.put(name, value),
                None => room.secrets.delete(name),
            };
            if let Err((code, why)) = done {
                tracing::error!(name, code, why, "a secret is not what it was");
            }
        }
        for (name, text) in &self.certificates {
            let done = match text {
                Some(text) => write_certificate(room.state(), name, text).is_ok(),
                None => place(room.state(), name).is_some_and(|path| fs::remove_file(path).is_ok()),
            };
            if !done {
                tracing::error!(name, "a file of certificates is not what it was");
            }
        }
    }
}

/// Returns whether this is `NAME.pem`.
fn is_certificate(name: &str) -> bool {
    let stem = name.strip_suffix(ENDING);
    stem.is_some_and(|stem| sbc_config::Name::new(stem).is_some())
}

fn place(state: Option<&Path>, name: &str) -> Option<PathBuf> {
    Some(state?.join(FOLDER).join(name))
}

/// Returns the files of certificates that the state holds.
fn certificates(state: Option<&Path>) -> std::collections::BTreeMap<String, String> {
    let entries = state.map(|state| fs::read_dir(state.join(FOLDER)));
    let entries = entries.and_then(Result::ok).into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let text = vault::read(&entry.path(), CERTIFICATES_MAX).ok()?;
        let text = String::from_utf8(text.to_vec()).ok()?;
        is_certificate(&name).then_some((name, text))
    };
    entries.filter_map(read).take(FILES_MAX).collect()
}
