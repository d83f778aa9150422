//! A commit that waits: for its time, or for the last call on the way it changes. One
//! at most; it is a file as well, so that it outlives this role and the node. It takes
//! effect only over the revision it was made from.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use sbc_config::edit::{Class, Document, changes, peers_on};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::operations::{Answered, put};
use super::room::Room;
use crate::ipc::ConfigOrder;
use crate::roles::init::whole;

/// The file of what waits.
const FILE: &str = "later.json";

/// A node that was off at the time still makes it live within this many seconds; later
/// nobody counts on it any more.
const LATE_MAX: u64 = 10 * 60;

/// A commit waits for calls at most this long.
pub const DRAIN_MAX: u64 = 86_400;

/// What waits.
#[derive(Debug, Default)]
pub struct Later(Option<Waiting>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Waiting {
    /// Seconds since 1970.
    at: u64,
    text: String,
    order: ConfigOrder,
    /// The peers that take no new calls meanwhile, as kind and name; nothing if it
    /// waits for its time alone.
    drained: Option<Vec<(String, String)>>,
}

/// Until when a commit waits, and whether for calls.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// Seconds since 1970.
    pub at: u64,
    pub drain: bool,
}

impl Until {
    /// Reads `at`, a moment, or `drain`, seconds; nothing if it is to be at once.
    pub fn of(arguments: &Map<String, Value>) -> Option<Self> {
        let number = |field: &str| arguments.get(field).and_then(Value::as_u64);
        let at = number("at").map(|at| Self { at, drain: false });
        at.or_else(|| {
            let at = super::now().saturating_add(number("drain")?);
            Some(Self { at, drain: true })
        })
    }
}

fn no(code: &str, why: impl Into<String>) -> (String, String) {
    (code.to_owned(), why.into())
}

impl Later {
    /// Returns when it becomes live, in seconds since 1970.
    pub fn at(&self) -> Option<u64> {
        self.0.as_ref().map(|waiting| waiting.at)
    }

    /// Returns the peers that it waits for.
    pub fn peers(&self) -> Vec<String> {
        let all = self.drained().into_iter();
        all.map(|(kind, name)| format!("{kind} {name}")).collect()
    }

    fn drained(&self) -> Vec<(String, String)> {
        let drained = self.0.as_ref().map(|waiting| waiting.drained.clone());
        drained.flatten().unwrap_or_default()
    }

    fn waits_for_calls(&self) -> bool {
        self.0.as_ref().is_some_and(|own| own.drained.is_some())
    }

    fn due(&mut self, now: u64) -> Option<Waiting> {
        self.0.take_if(|waiting| waiting.at <= now)
    }
}

fn file(room: &Room) -> Option<PathBuf> {
    room.state().map(|state| state.join(FILE))
}

/// Keeps a text; it is checked at once, and again when its time comes.
pub async fn keep(room: &Rc<Room>, until: Until, text: String, order: ConfigOrder) -> Answered {
    let now = super::now();
    if until.at <= now || (until.drain && until.at - now > DRAIN_MAX) {
        return Err(no("SBC-3002", "that moment is over, or too far"));
    }
    if let Some(earlier) = room.later.borrow().at() {
        let earlier = sbc_core::cli::moment(earlier);
        let why = format!("a commit waits until {earlier} UTC");
        return Err(no("SBC-3011", why));
    }
    crate::roles::init::checked(&text).map_err(|(code, why)| no(code, why))?;
    room.is_left_to_somebody(&text, None)?;
    let drained = match until.drain {
        true => Some(to_drain(room, &text).await?),
        false => None,
    };
    let waiting = Waiting {
        at: until.at,
        text,
        order,
        drained,
    };
    if let Some(file) = file(room) {
        let text = serde_json::to_vec(&waiting).unwrap_or_default();
        let written = whole::write_private(&file, &text);
        written.map_err(|error| no("SBC-3016", format!("not kept: {error}")))?;
    }
    room.later.borrow_mut().0 = Some(waiting);
    let later = room.later.borrow();
    if until.drain {
        Ok(json!({ "at": until.at, "draining": later.peers() }))
    } else {
        Ok(json!({ "at": until.at }))
    }
}

/// Returns the peers on whose way the change lies and that take calls so far: one
/// that somebody drained stays so.
async fn to_drain(room: &Rc<Room>, text: &str) -> Result<Vec<(String, String)>, (String, String)> {
    let unread = |error: sbc_config::edit::EditError| no("SBC-3012", error.to_string());
    let before = Document::from_toml(&room.text.borrow()).map_err(unread)?;
    let after = Document::from_toml(text).map_err(unread)?;
    let changes = changes(&before, &after);
    let known = room.signal("peers.list", &Map::new()).await?;
    let mut found = Vec::new();
    for document in [&before, &after] {
        for (kind, name) in peers_on(document, &changes, Class::Path) {
            let row = known.as_array().into_iter().flatten();
            let mut row = row.filter(|row| row["kind"] == kind && row["name"] == name);
            let takes = row.any(|row| row["drained"] == false);
            if takes && !found.contains(&(kind.clone(), name.clone())) {
                found.push((kind, name));
            }
        }
    }
    Ok(found)
}

/// Reads what an earlier process of this role left.
pub fn load(room: &Room) {
    let Some(file) = file(room).filter(|file| file.exists()) else {
        return;
    };
    let read = fs::read(&file).ok();
    let waiting = read.and_then(|text| serde_json::from_slice::<Waiting>(&text).ok());
    match waiting {
        Some(waiting) if waiting.at + LATE_MAX < super::now() => {
            let at = sbc_core::cli::moment(waiting.at);
            said(
                room,
                &format!("the commit of {at} UTC is not made: the node was off"),
            );
            forget(room);
            // Who was drained is so no longer: the engine began anew with the node.
        }
        Some(waiting) => room.later.borrow_mut().0 = Some(waiting),
        None => {
            said(
                room,
                "the commit that waited cannot be read, and is not made",
            );
            forget(room);
        }
    }
}

fn said(room: &Room, what: &str) {
    tracing::warn!("{what}");
    room.note("node", "-", what);
}

fn forget(room: &Room) {
    let gone = file(room).map(fs::remove_file);
    if let Some(Err(error)) = gone {
        tracing::warn!(%error, "the file of a commit that waited stays");
    }
}

/// Takes back what waits; its peers take calls again.
pub async fn cancel(room: &Rc<Room>) -> Answered {
    let waiting = room.later.borrow_mut().0.take();
    let waiting = waiting.ok_or_else(|| no("SBC-3017", "no commit waits for its time"))?;
    forget(room);
    resume(room, &waiting).await;
    Ok(json!({ "at": waiting.at }))
}

async fn resume(room: &Rc<Room>, waiting: &Waiting) {
    for (kind, name) in waiting.drained.iter().flatten() {
        let mut asked = Map::new();
        asked.insert(kind.clone(), json!(name));
        asked.insert("resume".to_owned(), json!(true));
        // A peer that went with the commit needs nothing.
        if let Err((code, why)) = room.signal("peers.drain", &asked).await {
            tracing::info!(code, why, "a peer is not resumed");
        }
    }
}

/// Keeps new calls away from the peers of what waits. Returns whether the last call
/// there has ended; nothing is known while `signal` is away.
async fn is_drained(room: &Rc<Room>, peers: &[(String, String)]) -> bool {
    for (kind, name) in peers {
        let mut asked = Map::new();
        asked.insert(kind.clone(), json!(name));
        // Again and again: a `signal` that was restarted knows nothing of it.
        if room.signal("peers.drain", &asked).await.is_err() {
            return false;
        }
    }
    let Ok(known) = room.signal("peers.list", &Map::new()).await else {
        return false;
    };
    let rows = known.as_array().into_iter().flatten();
    let mut ours = rows.filter(|row| {
        let is = |(kind, name): &(String, String)| row["kind"] == **kind && row["name"] == **name;
        peers.iter().any(is)
    });
    ours.all(|row| row["active"] == 0)
}

/// Makes live what is due; what cannot be is said in the diary and the audit log.
pub async fn look(room: &Rc<Room>) {
    if room.later.borrow().waits_for_calls() {
        let peers = room.later.borrow().drained();
        let at = room.later.borrow().at();
        if is_drained(room, &peers).await {
            // It may have been taken back meanwhile, and another may wait.
            if let Some(waiting) = &mut room.later.borrow_mut().0
                && Some(waiting.at) == at
            {
                waiting.at = 0;
            }
        }
    }
    let due = room.later.borrow_mut().due(super::now());
    let Some(waiting) = due else { return };
    let done = match put(room, &waiting.text, waiting.order.clone()).await {
        Ok(answer) => {
            let revision = answer.get("revision").and_then(Value::as_u64);
            let revision = revision.unwrap_or(0);
            let diff = answer.get("diff").and_then(Value::as_str);
            let diff = diff.unwrap_or_default().replace('\n', " ");
            // What it changed is for the audit log alone.
            room.note("node", "-", &format!("revision {revision} waited: {diff}"));
            format!("the commit that waited is live: revision {revision}")
        }
        Err((code, why)) => format!("the commit that waited is refused: {code}: {why}"),
    };
    // After a power cut before this it is refused: another revision is live then.
    forget(room);
    resume(room, &waiting).await;
    said(room, &done);
}
