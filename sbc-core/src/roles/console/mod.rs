//! The console role: JSON lines of clients come in over a local socket, answers
//! of `signal` go out. It asks, it never does, and a client that hangs stops
//! nobody else.

mod alarms;
mod audit;
mod backups;
mod caller;
mod captures;
mod certificates;
mod clock;
mod ended;
mod expiry;
mod history;
mod later;
mod log;
mod login;
mod machine;
mod network;
mod operations;
mod room;
mod secrets;
mod support;
mod syslog;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use sbc_core::cli::plain;
use serde_json::{Map, Value, json};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::briefing::{self, Briefing};
use super::init::NETWORK;
use crate::ipc::{self, Channel, FromChild, Neighbour, ToChild, ToConsole, ToSignal};
use caller::Caller;
use room::Room;

/// The variable that names the socket.
pub const API: &str = "SBC_API";

/// Clients at the same time; a handful of people and scripts.
const CLIENTS_MAX: usize = 32;

/// Octets of one line of a client.
const LINE_MAX: u64 = 64 * 1024;

/// What a line of the diary about an alarm begins with.
const ALARM_LINE: &str = "WARN alarm ";

/// How often the node is looked at for alarms.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

type Signal = Channel<ToSignal, ToConsole>;

/// Runs the role until `init` says stop.
///
/// # Errors
/// When `init` is gone or the socket cannot be opened.
pub fn run() -> anyhow::Result<()> {
    let briefing = Briefing::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(briefing))
}

async fn serve(briefing: Briefing) -> anyhow::Result<()> {
    let control = briefing.control.registered()?;
    let room = Room::new(control, briefing.node, briefing.text, briefing.revision);
    let room = Rc::new(room);
    room.network.replace(briefing.network);
    for (name, end) in briefing.neighbours {
        introduce(&room, name, end);
    }
    if let Some(path) = std::env::var_os(API).map(PathBuf::from) {
        // What an earlier process left there is in nobody's use: `init` starts one.
        let _absent = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode)?;
        tokio::task::spawn_local(accept(Rc::clone(&room), listener));
    }
    room.syslog.begin(&room.log);
    room.syslog.take(&room.node.borrow(), &room.log);
    room.note(
        "node",
        "-",
        &format!("console starts, revision {}", room.revision.get()),
    );
    later::load(&room);
    tokio::task::spawn_local(watch(Rc::clone(&room)));
    tokio::task::spawn_local(clock::keep(Rc::clone(&room)));
    room.control.get_ref().send(&FromChild::Ready, &[])?;
    obey(&room).await
}

/// Returns seconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

async fn obey(room: &Rc<Room>) -> anyhow::Result<()> {
    let mut scratch = Vec::new();
    loop {
        let (message, ends) = briefing::hear(&room.control, &mut scratch).await?;
        match message {
            ToChild::There(number) => room
                .tell_init(&FromChild::Here(number))
                .await
                .unwrap_or_default(),
            ToChild::Neighbour(name) => {
                for end in ends {
                    introduce(room, name, end);
                }
            }
            ToChild::Answer { id, page, last } => room.page(id, &page, last),
            ToChild::StoreKey { why } => {
                room.secrets
                    .unlocked(crate::roles::init::vault::key_from(ends), why);
                certificates::finish(room);
            }
            ToChild::Network(network) => drop(room.network.replace(network)),
            ToChild::Configuration { revision } => reconfigure(room, revision, ends),
            ToChild::Stop => return Ok(()),
            _ => {}
        }
    }
}

fn reconfigure(room: &Room, revision: u32, descriptors: Vec<OwnedFd>) {
    let Ok(text) = briefing::read_text(descriptors) else {
        return;
    };
    if let Some(node) = sbc_config::check(&text).node {
        room.syslog.take(&node, &room.log);
        room.node.replace(node);
        room.time.look_again();
        room.users.replace(login::users(&text));
        room.text.replace(text);
        room.revision.set(revision);
        room.note("node", "-", &format!("revision {revision} is live"));
    }
}

/// Looks at the node again and again, and notes alarms in the audit log.
async fn watch(room: Rc<Room>) {
    let none = Map::new();
    let mut facts = alarms::Facts {
        in_hand: std::env::var_os(NETWORK).is_some(),
        ..alarms::Facts::default()
    };
    let mut ended = ended::Ended::new(room.books());
    let mut damaged = Vec::new();
    loop {
        tokio::time::sleep(LOOKS_EVERY).await;
        later::look(&room).await;
        room.syslog.follow(&room.log);
        if room.log.make_room().is_err() {
            tracing::warn!("the diary cannot be cut");
        }
        facts.down_after = room.node.borrow().alarms.trunk_down.as_secs();
        facts.audit_unwritten = room.audit.borrow().unwritten;
        // While signal is away nothing is known of peers: they stay as they are.
        if let (Ok(peers), Ok(limits), Ok(live)) = (
            room.signal("peers.list", &none).await,
            room.limits().await,
            room.order(crate::ipc::ConfigOrder::Status).await,
        ) {
            facts.peers = serde_json::from_value(peers).unwrap_or_default();
            facts.limits = serde_json::from_value(limits).unwrap_or_default();
            facts.back_in = live.get("back_in_secs").and_then(Value::as_u64);
            damaged = live
                .get("damaged")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
        }
        ended.look(now());
        facts.others = ended.facts(now(), &room.node.borrow().alarms.quality);
        facts.others.extend(room.secrets.facts());
        facts.others.extend(alarms::damaged(&damaged));
        facts.others.extend(machine::facts(room.state()));
        facts.others.extend(room.syslog.facts());
        facts.others.extend(room.time.facts());
        facts.network = room.network.borrow().clone();
        let soon = room.node.borrow().alarms.cert_expiry;
        let ending = expiry::facts(&facts.network.tunnels, now(), soon);
        facts.others.extend(ending);
        let news = room.alarms.borrow_mut().look(now(), &facts);
        for news in &news {
            tracing::warn!("{news}");
            room.note("node", "-", news);
        }
        for alarm in room.alarms.borrow().latest(news.len()) {
            room.syslog.alarmed(alarm);
        }
    }
}

fn introduce(room: &Rc<Room>, name: Neighbour, end: OwnedFd) {
    let place = match name {
        Neighbour::Signal => &room.signal,
        Neighbour::Netcfg => &room.netcfg,
        Neighbour::Relay | Neighbour::Console => return,
    };
    if let Ok(Ok(other)) = Signal::new(end).map(Signal::registered) {
        let other = Rc::new(other);
        place.replace(Some(Rc::clone(&other)));
        tokio::task::spawn_local(hear(Rc::clone(room), other));
    }
}

/// Collects the pages of answers until `signal` is gone.
async fn hear(room: Rc<Room>, signal: Rc<AsyncFd<Signal>>) {
    let mut scratch = Vec::new();
    while let Ok(received) = ipc::next(&signal, &mut scratch).await {
        for ToConsole::Answer { id, page, last } in received.messages {
            room.page(id, &page, last);
        }
    }
    // Whoever waits for it hears that it is gone.
    room.asked.borrow_mut().clear();
}

async fn accept(room: Rc<Room>, listener: UnixListener) {
    let mut next = 0_u64;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if room.clients.get() >= CLIENTS_MAX {
            continue;
        }
        room.clients.set(room.clients.get() + 1);
        let room = Rc::clone(&room);
        next += 1;
        tokio::task::spawn_local(async move {
            // A client that goes away in the middle of a line is no error of ours.
            let mut caller = Caller::new(next);
            let _gone = converse(&room, &mut caller, stream).await;
            operations::end_safely(&room, &caller).await;
            room.logins.borrow_mut().remove(&next);
            room.unlock(next);
            room.clients.set(room.clients.get() - 1);
        });
    }
}

async fn converse(
    room: &Rc<Room>,
    caller: &mut Caller,
    mut stream: UnixStream,
) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read);
    let node = room.node.borrow().system.hostname.clone();
    let hello = json!({"hello": {"api": 1, "version": env!("CARGO_PKG_VERSION"), "node": node}});
    write.write_all(format!("{hello}\n").as_bytes()).await?;
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut lines).take(LINE_MAX);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            let text = failed(
                &Value::Null,
                "SBC-3004",
                "a line is over 64 KiB or has no end",
            );
            return write.write_all(format!("{text}\n").as_bytes()).await;
        }
        caller.last = std::time::Instant::now();
        // A line may hold a password or a secret.
        let line = zeroize::Zeroizing::new(line);
        let text = respond(room, caller, &line).await;
        room.seen(caller);
        write.write_all(format!("{text}\n").as_bytes()).await?;
    }
}

async fn respond(room: &Rc<Room>, caller: &mut Caller, line: &[u8]) -> String {
    let Ok(Value::Object(mut question)) = serde_json::from_slice::<Value>(line) else {
        return failed(&Value::Null, "SBC-3005", "a line is no JSON object");
    };
    let id = question.get("id").cloned().unwrap_or(Value::Null);
    let Some(operation) = question.get("op").and_then(Value::as_str) else {
        return failed(&id, "SBC-3005", "no \"op\"");
    };
    let none = Map::new();
    let arguments = question
        .get("args")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let answered = operations::answer(room, caller, operation, arguments).await;
    wipe(question.get_mut("args"));
    match answered {
        Ok(value) => plain(json!({ "id": id, "ok": value }).to_string()),
        Err((code, why)) => failed(&id, &code, &why),
    }
}

/// Wipes what a question held from memory.
fn wipe(arguments: Option<&mut Value>) {
    let fields = arguments.and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(Map::values_mut) {
        if let Value::String(text) = field {
            zeroize::Zeroize::zeroize(text);
        }
    }
}

fn failed(id: &Value, code: &str, message: &str) -> String {
    plain(json!({"id": id, "error": {"code": code, "message": message}}).to_string())
}
