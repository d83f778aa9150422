//! Keeps charon in step: the associations that must be come in; each start of
//! charon gets them anew, and what goes up and down goes out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::connection::{Association, Credential};
use super::vici::{Charon, State, VpnError};

/// How often the state is read: a tunnel that went down is noticed within it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pauses between attempts to reach charon: the first and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// Silence of a tunnel that we open, after which it is asked for again: at once when it
/// went down or was never up, then after so many looks. Charon itself gives up an attempt
/// after about ten seconds.
const ASK_AGAIN_LOOKS: u32 = 15;

/// What happened to tunnels.
#[derive(Clone, Debug)]
pub enum Event {
    /// Charon holds every association.
    Loaded,
    /// An association cannot be, and is left out; or why it does not come up. The
    /// code of the reason stands before it.
    Why {
        tunnel: String,
        why: String,
    },
    Up(String),
    Down(String),
    /// The latest reading; its counters only grow while an association lives.
    State(State),
    /// Charon is gone or says no; it is tried again after the pause.
    Away {
        why: String,
        pause: Duration,
    },
}

/// Keeps charon at `socket` in step with `wanted`, and tells `events`, until
/// nobody listens.
pub async fn keep(
    socket: &Path,
    wanted: &[(Association, Credential)],
    events: mpsc::Sender<Event>,
) {
    let mut up = BTreeMap::new();
    let mut pause = PAUSE_FIRST;
    loop {
        let ended = tokio::select! {
            ended = watch(socket, wanted, &events, &mut up, &mut pause) => ended,
            ended = listen(socket, &events) => ended,
        };
        let Err(why) = ended else {
            return;
        };
        // Without charon the associations of the kernel live on until their time
        // is over, but nobody would notice a dead peer.
        for (name, was) in &mut up {
            if std::mem::take(was) && events.send(Event::Down(name.clone())).await.is_err() {
                return;
            }
        }
        let why = chain(&why);
        if events.send(Event::Away { why, pause }).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_LONGEST);
    }
}

/// Passes on why associations do not come up. Returns when nobody listens.
async fn listen(socket: &Path, events: &mpsc::Sender<Event>) -> Result<(), VpnError> {
    let charon = Charon::connect(socket).await?;
    let tell = async |tunnel, why| events.send(Event::Why { tunnel, why }).await.is_ok();
    charon.listen(tell).await
}

/// Returns when nobody listens.
async fn watch(
    socket: &Path,
    wanted: &[(Association, Credential)],
    events: &mpsc::Sender<Event>,
    up: &mut BTreeMap<String, bool>,
    pause: &mut Duration,
) -> Result<(), VpnError> {
    let mut charon = Charon::connect(socket).await?;
    let mut news = Charon::connect(socket).await?;
    charon.forget().await?;
    let mut held = Vec::new();
    for (association, credential) in wanted {
        // One that cannot be does not keep the others down.
        let why = match charon.load(association, credential).await {
            Ok(()) => {
                held.push(association);
                continue;
            }
            Err(why @ VpnError::ForeignKey) => format!("SBC-2203: {why}"),
            Err(VpnError::Refused {
                what: "load-key", ..
            }) => "SBC-2203: the key in the store cannot be read".to_owned(),
            Err(why @ VpnError::Refused { .. }) => why.to_string(),
            Err(why) => return Err(why),
        };
        let tunnel = association.name.clone();
        if events.send(Event::Why { tunnel, why }).await.is_err() {
            return Ok(());
        }
    }
    for name in charon.loaded().await? {
        if !held.iter().any(|one| one.name == name) {
            charon.unload(&name).await?;
        }
    }
    *pause = PAUSE_FIRST;
    if events.send(Event::Loaded).await.is_err() {
        return Ok(());
    }
    let mut looks_down = BTreeMap::new();
    loop {
        let state = charon.state().await?;
        for association in &held {
            let name = &association.name;
            let is_up = state.is_up(name);
            let was = up.insert(name.clone(), is_up).unwrap_or(false);
            let event = match (was, is_up) {
                (false, true) => Some(Event::Up(name.clone())),
                (true, false) => Some(Event::Down(name.clone())),
                _ => None,
            };
            if let Some(event) = event
                && events.send(event).await.is_err()
            {
                return Ok(());
            }
            let looks: &mut u32 = looks_down.entry(name.clone()).or_default();
            if is_up {
                *looks = 0;
            } else if association.initiates {
                if looks.is_multiple_of(ASK_AGAIN_LOOKS) {
                    charon.initiate(name).await?;
                }
                *looks += 1;
            }
        }
        if events.send(Event::State(state)).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            changed = news.changed() => {
                changed?;
                // The event comes a moment before the state shows it.
                sleep(LOOK_EVERY / 20).await;
                news = Charon::connect(socket).await?;
            }
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    text
}
