//! What the conversations of this role share: the ways to `signal` and `init`,
//! and all that outlives one of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sbc_call::story::Record;
use sbc_config::Node;
use sbc_core::cli::grammar::Role;
use serde_json::{Map, Value, json};
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::alarms::Alarms;
use super::audit::Audit;
use super::caller::Caller;
use super::login::{self, Lockout, User};
use super::operations::Answered;
use super::secrets::Secrets;
use super::{Signal, history};
use crate::ipc::{Broken, ConfigOrder, FromChild, Network, ToSignal};
use crate::jail::ceilings;
use crate::roles::briefing::Control;

/// An answer comes within this time, or the client hears that it does not: a role ends
/// the look at the kernel it has begun, which takes seconds on a slow processor.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// A commit that changes the network is done, or taken back, within this time: three
/// runs of `nft` at their limit.
const COMMITS_WITHIN: Duration = Duration::from_secs(60);

/// What is shared.
pub struct Room {
    pub signal: RefCell<Option<Rc<AsyncFd<Signal>>>>,
    /// Where the network is in the node's hands; it takes the same questions.
    pub netcfg: RefCell<Option<Rc<AsyncFd<Signal>>>>,
    pub control: AsyncFd<Control>,
    pub asked: RefCell<BTreeMap<u64, Asked>>,
    next: Cell<u64>,
    pub clients: Cell<usize>,
    pub node: RefCell<Node>,
    pub text: RefCell<String>,
    pub revision: Cell<u32>,
    pub audit: RefCell<Audit>,
    pub alarms: RefCell<Alarms>,
    pub network: RefCell<Network>,
    pub lockout: RefCell<Lockout>,
    /// Who may log in, by the file.
    pub users: RefCell<BTreeMap<String, User>>,
    pub desk: login::Desk,
    pub secrets: Secrets,
    pub log: super::log::Log,
    pub syslog: super::syslog::Syslog,
    pub time: super::clock::Keeper,
    /// A commit that waits for its time.
    pub later: RefCell<super::later::Later>,
    /// Who is in: user, role, line, since, last word.
    pub logins: RefCell<BTreeMap<u64, Login>>,
    /// When and where each user was here last.
    last_logins: RefCell<BTreeMap<String, (u64, String)>>,
    /// Who has locked the configuration.
    pub editor: Cell<Option<u64>>,
    /// Whoever sends a text to `init` has it for as long.
    pub turn: tokio::sync::Mutex<()>,
    books: Option<PathBuf>,
    started: Instant,
}

/// A question that waits for its pages.
#[derive(Debug)]
pub struct Asked {
    text: String,
    done: oneshot::Sender<String>,
}

/// One line of `show users`.
#[derive(Clone, Debug)]
pub struct Login {
    user: String,
    role: &'static str,
    line: String,
    since: Instant,
    last: Instant,
}

fn no(code: &str, message: impl Into<String>) -> (String, String) {
    (code.to_owned(), message.into())
}

impl Room {
    /// Returns the room of a node that keeps its state in `state`.
    pub fn new(control: AsyncFd<Control>, node: Node, text: String, revision: u32) -> Self {
        let place = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let state = place(crate::roles::init::STATE);
        if let Some(state) = &state {
            // Whoever needs it says that it is not there.
            let _said_later = std::fs::create_dir_all(state);
        }
        let audit = Audit::open(state.as_ref().map(|state| state.join("audit.jsonl")));
        Self {
            signal: RefCell::new(None),
            netcfg: RefCell::new(None),
            control,
            asked: RefCell::default(),
            next: Cell::new(0),
            clients: Cell::new(0),
            node: RefCell::new(node),
            users: RefCell::new(login::users(&text)),
            text: RefCell::new(text),
            revision: Cell::new(revision),
            last_logins: RefCell::new(audit.logins()),
            audit: RefCell::new(audit),
            alarms: RefCell::default(),
            network: RefCell::default(),
            lockout: RefCell::default(),
            desk: login::Desk::default(),
            log: super::log::Log(state.clone()),
            syslog: super::syslog::Syslog::default(),
            time: super::clock::Keeper::default(),
            later: RefCell::default(),
            secrets: Secrets::of(state.as_deref()),
            logins: RefCell::default(),
            editor: Cell::new(None),
            turn: tokio::sync::Mutex::new(()),
            books: place(crate::roles::signal::RECORDS),
            started: Instant::now(),
        }
    }

    /// Adds a page of an answer.
    pub fn page(&self, id: u64, page: &str, last: bool) {
        let mut asked = self.asked.borrow_mut();
        if let Some(question) = asked.get_mut(&id) {
            question.text.push_str(page);
        }
        if last && let Some(question) = asked.remove(&id) {
            // The client may have gone meanwhile.
            let _gone = question.done.send(question.text);
        }
    }

    fn wait(&self) -> (u64, oneshot::Receiver<String>) {
        let id = self.next.get();
        self.next.set(id.wrapping_add(1));
        let (done, answer) = oneshot::channel();
        let text = String::new();
        self.asked.borrow_mut().insert(id, Asked { text, done });
        (id, answer)
    }

    async fn answered(
        &self,
        id: u64,
        answer: oneshot::Receiver<String>,
        who: &str,
        within: Duration,
    ) -> Answered {
        let answered = timeout(within, answer).await;
        self.asked.borrow_mut().remove(&id);
        let text = match answered {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                return Err(no(
                    "SBC-3007",
                    format!("the {who} role was restarted: ask again"),
                ));
            }
            Err(_) => return Err(no("SBC-3007", format!("the {who} role does not answer"))),
        };
        let value: Value = serde_json::from_str(&text)
            .map_err(|_| no("SBC-3007", format!("the {who} role answers no question")))?;
        if let Some(ok) = value.get("ok") {
            return Ok(ok.clone());
        }
        let text = |field| {
            value
                .pointer(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Err(no(text("/error/code"), text("/error/message")))
    }

    /// Asks `signal`.
    pub async fn signal(&self, operation: &str, arguments: &Map<String, Value>) -> Answered {
        let signal = self.signal.borrow().clone();
        let signal = signal.ok_or_else(|| no("SBC-3007", "the signal role is away"))?;
        self.ask(&signal, "signal", operation, arguments).await
    }

    /// Asks `netcfg`.
    pub async fn netcfg(&self, operation: &str, arguments: &Map<String, Value>) -> Answered {
        if std::env::var_os(super::NETWORK).is_none() {
            let why = "the network of this machine is not in the node's hands";
            return Err(no("SBC-3024", why));
        }
        let netcfg = self.netcfg.borrow().clone();
        let netcfg = netcfg.ok_or_else(|| no("SBC-3007", "the network role is away"))?;
        self.ask(&netcfg, "network", operation, arguments).await
    }

    async fn ask(
        &self,
        role: &AsyncFd<Signal>,
        who: &str,
        operation: &str,
        arguments: &Map<String, Value>,
    ) -> Answered {
        let (id, answer) = self.wait();
        let word = ToSignal::Ask {
            id,
            operation: operation.to_owned(),
            arguments: Value::Object(arguments.clone()).to_string(),
        };
        if role.get_ref().send(&word, &[]).is_err() {
            self.asked.borrow_mut().remove(&id);
            return Err(no("SBC-3007", format!("the {who} role is away")));
        }
        self.answered(id, answer, who, ANSWERS_WITHIN).await
    }

    /// Says something to `init`, and waits for room.
    pub async fn tell_init(&self, word: &FromChild) -> Result<(), (String, String)> {
        self.tell_init_with(word, &[]).await
    }

    /// The same with descriptors along.
    pub async fn tell_init_with(
        &self,
        word: &FromChild,
        along: &[BorrowedFd<'_>],
    ) -> Result<(), (String, String)> {
        loop {
            match self.control.get_ref().send(word, along) {
                Ok(()) => return Ok(()),
                Err(Broken::Full) => {
                    let ready = timeout(ANSWERS_WITHIN, self.control.writable()).await;
                    match ready {
                        Ok(Ok(mut ready)) => ready.clear_ready(),
                        _ => return Err(no("SBC-3007", "init does not answer")),
                    }
                }
                Err(_) => return Err(no("SBC-3007", "init is away")),
            }
        }
    }

    /// Gives `init` an order about the configuration.
    pub async fn order(&self, order: ConfigOrder) -> Answered {
        let within = match order {
            ConfigOrder::Put { .. } => COMMITS_WITHIN,
            _ => ANSWERS_WITHIN,
        };
        let (id, answer) = self.wait();
        self.tell_init(&FromChild::Order { id, order }).await?;
        self.answered(id, answer, "init", within).await
    }

    /// Adds a record to the audit log.
    pub fn note(&self, who: &str, line: &str, what: &str) {
        let record = self.audit.borrow_mut().add(super::now(), who, line, what);
        self.syslog.audited(&record);
    }

    /// Returns whether somebody has set a password.
    pub fn is_claimed(&self) -> bool {
        let users = self.users.borrow();
        let mut secrets = users.values().map(|user| &user.secret);
        secrets.any(|secret| self.secrets.get(secret).is_some())
    }

    /// Refuses a configuration of a claimed node that leaves no admin who can log in,
    /// and `gone`, a secret that is about to be forgotten, with it: whoever came next
    /// to the serial line would own the node.
    pub fn is_left_to_somebody(
        &self,
        text: &str,
        gone: Option<&str>,
    ) -> Result<(), (String, String)> {
        if !self.is_claimed() {
            return Ok(());
        }
        let users = login::users(text);
        let mut admins = users.values().filter(|user| user.role == Role::Admin);
        let can = |user: &User| {
            let secret = user.secret.as_str();
            gone != Some(secret) && self.secrets.get(secret).is_some()
        };
        // What cannot be used at all is refused with its own reasons.
        if admins.any(can) || sbc_config::check(text).node.is_none() {
            return Ok(());
        }
        let why = "no admin left: no active user with role = \"admin\" has a password that is kept; \
            set one with 'request user password NAME', or leave one of those there are";
        Err(no("SBC-0801", why))
    }

    /// Notes that a user has logged in. Returns when and where that was before.
    pub fn last_login(&self, user: &str, line: &str) -> Option<(u64, String)> {
        let now = (super::now(), line.to_owned());
        self.last_logins.borrow_mut().insert(user.to_owned(), now)
    }

    /// Notes that a caller said something.
    pub fn seen(&self, caller: &Caller) {
        let Some(role) = caller.role else { return };
        let login = Login {
            user: caller.user.clone(),
            role: role.word(),
            line: caller.line.clone(),
            since: caller.since,
            last: caller.last,
        };
        self.logins.borrow_mut().insert(caller.id, login);
    }

    /// Gives the configuration free if `id` had locked it.
    pub fn unlock(&self, id: u64) {
        if self.editor.get() == Some(id) {
            self.editor.set(None);
        }
    }

    /// Returns who is in, for `show users`.
    pub fn users(&self) -> Value {
        let logins = self.logins.borrow();
        let each = logins.values().map(|login| {
            json!({
                "user": login.user,
                "role": login.role,
                "line": login.line,
                "since_secs": login.since.elapsed().as_secs(),
                "idle_secs": login.last.elapsed().as_secs(),
            })
        });
        each.collect()
    }

    /// Returns where the records of calls are written.
    pub fn books(&self) -> Option<PathBuf> {
        self.books.clone()
    }

    /// Returns the folder of what outlives the node's processes.
    pub fn state(&self) -> Option<&std::path::Path> {
        self.log.0.as_deref()
    }

    /// Returns the records of calls that ended, the latest first.
    pub fn records(&self) -> Vec<Record> {
        history::records(self.books.as_deref())
    }

    /// Returns how long this role and the machine have been up, in seconds.
    pub fn uptime(&self) -> Value {
        let machine = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        json!({ "node_secs": self.started.elapsed().as_secs(), "machine_secs": machine.tv_sec })
    }

    /// Returns every cap: those of `signal`, and the ceilings of all roles.
    ///
    /// # Errors
    /// When `signal` does not answer.
    pub async fn limits(&self) -> Answered {
        let mut limits = self.signal("limits.list", &Map::new()).await?;
        if let Some(rows) = limits.as_array_mut() {
            rows.extend(ceilings::limits().iter().map(|limit| json!(limit)));
        }
        Ok(limits)
    }

    /// Returns the node at a glance.
    pub fn system(&self) -> Value {
        let info = rustix::system::sysinfo();
        // Loads are fixed-point numbers with sixteen bits behind the point.
        let load = info
            .loads
            .map(|load| format!("{}.{:02}", load >> 16, ((load & 0xffff) * 100) >> 16));
        let unit = u64::from(info.mem_unit.max(1));
        json!({
            "hostname": self.node.borrow().system.hostname,
            "version": env!("CARGO_PKG_VERSION"),
            "revision": self.revision.get(),
            "pid": std::process::id(),
            "load": load.join(" "),
            "memory_free_kib": info.freeram * unit / 1024,
        })
    }

    /// Returns the wall clock, and who sets it.
    pub fn clock(&self) -> Value {
        let now = super::now();
        let mut clock = self.time.shown();
        let own = [
            ("utc", json!(sbc_core::cli::moment(now))),
            ("epoch_secs", json!(now)),
            ("timezone", json!(self.node.borrow().system.timezone)),
        ];
        for (name, value) in own {
            if let Some(clock) = clock.as_object_mut() {
                clock.insert(name.to_owned(), value);
            }
        }
        clock
    }
}
