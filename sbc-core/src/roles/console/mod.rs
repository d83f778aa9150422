//! The console role: JSON lines of clients come in over a local socket, answers
//! of `signal` go out. It asks, it never does, and a client that hangs stops
//! nobody else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::briefing::{Briefing, Control};
use crate::ipc::{Broken, Channel, FromChild, Neighbour, ToChild, ToConsole, ToSignal};

/// The variable that names the socket.
pub const API: &str = "SBC_API";

/// Clients at the same time; a handful of people and scripts.
const CLIENTS_MAX: usize = 32;

/// Octets of one line of a client.
const LINE_MAX: u64 = 64 * 1024;

/// `signal` answers within this time, or the client hears that it does not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

type Signal = Channel<ToSignal, ToConsole>;

/// What the tasks of this role share.
#[derive(Default)]
struct Room {
    signal: RefCell<Option<Rc<AsyncFd<Signal>>>>,
    asked: RefCell<BTreeMap<u64, Asked>>,
    next: Cell<u64>,
    clients: Cell<usize>,
}

/// A question that waits for its pages.
struct Asked {
    text: String,
    done: oneshot::Sender<String>,
}

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
    let room = Rc::new(Room::default());
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
    let control: AsyncFd<Control> = briefing.control.registered()?;
    control.get_ref().send(&FromChild::Ready, &[])?;
    obey(&room, &control).await
}

async fn obey(room: &Rc<Room>, control: &AsyncFd<Control>) -> anyhow::Result<()> {
    let mut scratch = Vec::new();
    loop {
        let mut ready = control.readable().await?;
        match control.get_ref().receive(&mut scratch) {
            Ok(None) => ready.clear_ready(),
            Ok(Some(received)) => match received.message {
                ToChild::There(number) => control.get_ref().send(&FromChild::Here(number), &[])?,
                ToChild::Neighbour(name) => {
                    for end in received.descriptors {
                        introduce(room, name, end);
                    }
                }
                ToChild::Stop => return Ok(()),
                _ => {}
            },
            Err(Broken::Unreadable) => {}
            Err(broken) => return Err(broken.into()),
        }
    }
}

fn introduce(room: &Rc<Room>, name: Neighbour, end: OwnedFd) {
    if name == Neighbour::Signal
        && let Ok(Ok(signal)) = Signal::new(end).map(Signal::registered)
    {
        let signal = Rc::new(signal);
        room.signal.replace(Some(Rc::clone(&signal)));
        tokio::task::spawn_local(hear(Rc::clone(room), signal));
    }
}

/// Collects the pages of answers until `signal` is gone.
async fn hear(room: Rc<Room>, signal: Rc<AsyncFd<Signal>>) {
    let mut scratch = Vec::new();
    while let Ok(mut ready) = signal.readable().await {
        match signal.get_ref().receive(&mut scratch) {
            Ok(None) => ready.clear_ready(),
            Ok(Some(received)) => {
                let ToConsole::Answer { id, page, last } = received.message;
                room.page(id, &page, last);
            }
            Err(Broken::Unreadable) => {}
            Err(_) => break,
        }
    }
    // Whoever waits for it hears that it is gone.
    room.asked.borrow_mut().clear();
}

impl Room {
    fn page(&self, id: u64, page: &str, last: bool) {
        let mut asked = self.asked.borrow_mut();
        if let Some(question) = asked.get_mut(&id) {
            question.text.push_str(page);
        }
        if last && let Some(question) = asked.remove(&id) {
            // The client may have gone meanwhile.
            let _gone = question.done.send(question.text);
        }
    }

    /// Asks `signal`, and returns its answer as text.
    async fn ask(&self, operation: &str, arguments: &Value) -> Result<String, &'static str> {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        let (done, answer) = oneshot::channel();
        let text = String::new();
        let signal = self
            .signal
            .borrow()
            .clone()
            .ok_or("the signal role is away")?;
        self.asked.borrow_mut().insert(id, Asked { text, done });
        let word = ToSignal::Ask {
            id,
            operation: operation.to_owned(),
            arguments: arguments.to_string(),
        };
        let answered = match signal.get_ref().send(&word, &[]) {
            Ok(()) => timeout(ANSWERS_WITHIN, answer).await,
            Err(_) => return Err("the signal role is away"),
        };
        self.asked.borrow_mut().remove(&id);
        match answered {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(_)) => Err("the signal role was restarted: ask again"),
            Err(_) => Err("the signal role does not answer"),
        }
    }
}

async fn accept(room: Rc<Room>, listener: UnixListener) {
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
        tokio::task::spawn_local(async move {
            // A client that goes away in the middle of a line is no error of ours.
            let _gone = converse(&room, stream).await;
            room.clients.set(room.clients.get() - 1);
        });
    }
}

async fn converse(room: &Room, mut stream: UnixStream) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read);
    let hello = json!({"hello": {"api": 1, "version": env!("CARGO_PKG_VERSION")}});
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
        let text = respond(room, &line).await;
        write.write_all(format!("{text}\n").as_bytes()).await?;
    }
}

async fn respond(room: &Room, line: &[u8]) -> String {
    let Ok(Value::Object(question)) = serde_json::from_slice::<Value>(line) else {
        return failed(&Value::Null, "SBC-3005", "a line is no JSON object");
    };
    let id = question.get("id").cloned().unwrap_or(Value::Null);
    let Some(operation) = question.get("op").and_then(Value::as_str) else {
        return failed(&id, "SBC-3005", "no \"op\"");
    };
    if operation == "version" {
        return json!({"id": id, "ok": {"version": env!("CARGO_PKG_VERSION")}}).to_string();
    }
    let arguments = question.get("args").unwrap_or(&Value::Null);
    match room.ask(operation, arguments).await {
        // The answer is an object already: the id goes in front of what it holds.
        Ok(text) => match text.strip_prefix('{') {
            Some(rest) => format!("{{\"id\":{id},{rest}"),
            None => failed(&id, "SBC-3006", "the answer was cut"),
        },
        Err(why) => failed(&id, "SBC-3007", why),
    }
}

fn failed(id: &Value, code: &str, message: &str) -> String {
    json!({"id": id, "error": {"code": code, "message": message}}).to_string()
}
