//! The supervisor: a checked configuration comes in, listening sockets are
//! opened, children are started, watched and started again. It parses nothing
//! that comes from a network, and it keeps what a child's death must not lose:
//! the listening sockets and the call journal.

pub mod appliance;
mod backoff;
pub mod charon;
mod child;
mod clock;
mod configuration;
mod network;
mod revisions;
pub mod vault;
pub mod whole;

pub use configuration::checked;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use sbc_config::Node;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Role, TABLE, journal};
use crate::ipc::{FromChild, ListenerName, ToChild, pair};
use crate::listen;
use backoff::Backoff;
use child::{Event, Letter, Running};
use configuration::Configuration;
use network::Hand;
use revisions::Given;
use revisions::Revisions;
use vault::Vault;

/// Words of children that wait for the supervisor; it asks each once a second.
const EVENTS_MAX: usize = 1024;

/// All that the node holds while children come and go.
struct Supervisor {
    configuration: Arc<OwnedFd>,
    listeners: Listeners,
    configured: Configuration,
    clock: sbc_clock::Clock,
    /// The node has its machine's network in hand.
    network: Option<Hand>,
    vault: Vault,
    /// Written by `signal`, held here so that it outlives every one of them.
    journal: Arc<OwnedFd>,
    children: BTreeMap<Role, Kept>,
    events: mpsc::Sender<(Role, u64, Event)>,
    settings: Settings,
    started: Instant,
}

/// What is said once all roles are ready.
pub const READY: &str = "ready";

/// What is said, with the reason behind it, when the network cannot be made yet.
pub const UNREADY: &str = "unready ";

/// What is said again and again on an appliance, to whoever watches this process.
pub const ALIVE: &str = "alive";

/// Between two of these.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Our sockets in their places; one that was closed leaves its place empty.
type Listeners = Vec<(ListenerName, Option<Arc<OwnedFd>>)>;

/// The variable that names the folder of what outlives the node's processes.
pub const STATE: &str = "SBC_STATE";

/// The variable that is set when the node has its machine's network in hand: roles
/// enter their jails, and `netcfg` opens the listening sockets.
pub const NETWORK: &str = "SBC_APPLY_NETWORK";

/// The variable that is set when the machine is the node's: whoever started it hears
/// on its standard output that the machine is to start again or to be switched off.
pub const APPLIANCE: &str = "SBC_APPLIANCE";

/// The variable that is set when the file is for the first start only.
pub const FIRST: &str = "SBC_FIRST";

/// The variable that is set when no configuration is to take effect, whatever is
/// kept; a commit does.
pub const CLOSED: &str = "SBC_CLOSED";

/// Variables of the children's environment.
pub type Settings = Vec<(&'static str, std::path::PathBuf)>;

/// What is kept of a role across its processes.
#[derive(Default)]
struct Kept {
    running: Option<Running>,
    generation: u64,
    backoff: Backoff,
    /// Whether its running process has said that it is ready.
    is_ready: bool,
}

/// Runs the node that `text` describes until SIGTERM or SIGINT.
///
/// # Errors
/// When a listening socket cannot be opened or a child cannot be started; the
/// message names it.
pub fn run(text: &str, node: &Node, settings: Settings) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, supervise(text, node, settings))
}

async fn supervise(text: &str, node: &Node, settings: Settings) -> anyhow::Result<()> {
    let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
    let state = settings.iter().find(|(name, _)| *name == STATE);
    let folder = state.map(|(_, path)| path.join("config"));
    let is_set = |variable| settings.iter().any(|(name, _)| *name == variable);
    let given = Given {
        text,
        first_only: is_set(FIRST),
    };
    let revisions = Revisions::open(folder, &given, configuration::now())
        .context("cannot keep revisions of the configuration")?;
    // What was live may not make sense to this version: then the file holds.
    let live = sbc_config::check(revisions.live_text()).node;
    let (text, node) = match &live {
        Some(live) if !is_set(CLOSED) => (revisions.live_text(), live),
        _ => (text, node),
    };
    let in_hand = is_set(NETWORK);
    let mut supervisor = Supervisor {
        configuration: Arc::new(sealed(text.as_bytes()).context("cannot hold the configuration")?),
        listeners: if in_hand {
            network::closed(node)
        } else {
            let open = listen::open_all(node)?.into_iter();
            open.map(|(name, socket)| (name, Some(socket))).collect()
        },
        configured: Configuration::default(),
        clock: sbc_clock::Clock::default(),
        network: in_hand.then(|| Hand::new(&settings)),
        vault: Vault::open(state.map(|(_, path)| path.as_path())),
        journal: Arc::new(journal::create().context("cannot hold the call journal")?),
        children: BTreeMap::new(),
        events,
        settings,
        started: Instant::now(),
    };
    supervisor.configured.revisions = revisions;
    for role in supervisor.first() {
        supervisor.start(role)?;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut restarts: Vec<(tokio::time::Instant, Role)> = Vec::new();
    let is_watched = supervisor
        .settings
        .iter()
        .any(|(name, _)| *name == APPLIANCE);
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    loop {
        restarts.sort_unstable_by_key(|&(due, _)| std::cmp::Reverse(due));
        let next = restarts.last().copied();
        let due = next.map_or_else(far, |(due, _)| due);
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep_until(supervisor.configured.back_at.unwrap_or_else(far)),
                if supervisor.configured.back_at.is_some() => supervisor.go_back(),
            () = tokio::time::sleep_until(due) => {
                restarts.pop();
                if let Some((_, role)) = next {
                    supervisor.start(role)?;
                }
            }
            _ = alive.tick(), if is_watched => say(ALIVE),
            event = inbox.recv() => {
                let Some((role, generation, event)) = event else { break };
                if let Some(pause) = supervisor.note(role, generation, event) {
                    restarts.push((tokio::time::Instant::now() + pause, role));
                }
                if supervisor.may_signal() {
                    supervisor.start(Role::Signal)?;
                }
            }
        }
    }
    supervisor.stop(&mut inbox).await;
    Ok(())
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(3600)
}

impl Supervisor {
    /// Starts `role` and tells it all it needs, then begins.
    fn start(&mut self, role: Role) -> anyhow::Result<()> {
        let kept = self.children.entry(role).or_default();
        kept.generation += 1;
        let running = Running::start(role, kept.generation, &self.settings, self.events.clone())
            .with_context(|| format!("cannot start role {}", role.word()))?;
        tracing::info!(role = role.word(), pid = running.pid, "started");
        running.send(Letter {
            message: ToChild::Configuration {
                revision: self.configured.revisions.live(),
            },
            descriptors: vec![Arc::clone(&self.configuration)],
        });
        match role {
            Role::Signal => self.brief_signal(&running),
            Role::Netcfg => self.hand_over_listeners(&running),
            Role::Relay | Role::Console => {}
        }
        if let Some(network) = &self.network
            && matches!(role, Role::Signal | Role::Console)
        {
            running.send(ToChild::Network(network.stands.clone()));
        }
        kept_at(&mut self.children, role).running = Some(running);
        for &other in role.neighbours() {
            self.introduce(role, other)?;
        }
        if let Some(running) = &kept_at(&mut self.children, role).running {
            running.send(ToChild::Begin);
        }
        match role {
            Role::Netcfg => self.fit_anew(),
            Role::Console => self.hand_over_key(),
            Role::Signal | Role::Relay => {}
        }
        Ok(())
    }

    /// Hands over the listening sockets and every established call.
    fn brief_signal(&self, running: &Running) {
        self.hand_over_listeners(running);
        running.send(Letter {
            message: ToChild::Journal,
            descriptors: vec![Arc::clone(&self.journal)],
        });
    }

    fn hand_over_listeners(&self, running: &Running) {
        for part in self.listeners.chunks(crate::ipc::DESCRIPTORS_MAX) {
            let names = part.iter().map(|(name, socket)| ListenerName {
                open: socket.is_some(),
                ..name.clone()
            });
            running.send(Letter {
                message: ToChild::Listeners(names.collect()),
                descriptors: part
                    .iter()
                    .filter_map(|(_, socket)| socket.clone())
                    .collect(),
            });
        }
    }

    fn hand_over_key(&self) {
        if let Some(console) = self.running(Role::Console) {
            console.send(self.vault.letter());
        }
    }

    /// A passphrase gave the key of the secrets back: what they hold up can begin.
    fn unlocked(&mut self, along: Vec<OwnedFd>) {
        if let Some(key) = vault::key_from(along) {
            self.vault.take(key);
            self.fit_anew();
        }
    }

    /// Returns the running process of `role`.
    fn running(&self, role: Role) -> Option<&Running> {
        self.children.get(&role)?.running.as_ref()
    }

    /// Makes a fresh pair and hands one end to each of the two, if both run.
    fn introduce(&mut self, one: Role, other: Role) -> io::Result<()> {
        let (a, b) = pair()?;
        let ends = [(one, other, a), (other, one, b)];
        if ends
            .iter()
            .any(|(role, _, _)| kept_at(&mut self.children, *role).running.is_none())
        {
            return Ok(());
        }
        for (role, neighbour, end) in ends {
            if let Some(running) = &kept_at(&mut self.children, role).running {
                running.send(Letter {
                    message: ToChild::Neighbour(neighbour.neighbour()),
                    descriptors: vec![Arc::new(end)],
                });
            }
        }
        Ok(())
    }

    /// Takes what a child said or that it ended. Returns the pause after which
    /// it is to start again.
    fn note(&mut self, role: Role, generation: u64, event: Event) -> Option<Duration> {
        let kept = kept_at(&mut self.children, role);
        if kept.generation != generation {
            return None;
        }
        let (word, along) = match event {
            Event::Said(word, along) => (word, along),
            Event::Ended { why } => return Some(self.ended(role, &why)),
        };
        match word {
            FromChild::Ready => {
                tracing::info!(role = role.word(), "ready");
                kept.is_ready = true;
                let roles = if self.network.is_some() {
                    TABLE.len()
                } else {
                    TABLE.len() - 1
                };
                let ready = self.children.values().filter(|kept| kept.is_ready);
                if ready.count() == roles {
                    say(READY);
                }
            }
            FromChild::Here(_) => {}
            // Only the console may order anything.
            FromChild::Page(page) if role == Role::Console => self.take_page(&page),
            FromChild::Order { id, order } if role == Role::Console => self.order(id, order),
            FromChild::StoreKey if role == Role::Console => self.unlocked(along),
            // And only netcfg has its hands in the network.
            FromChild::Listeners(names) if role == Role::Netcfg => self.take_opened(names, along),
            FromChild::Fitted { id, unfit } if role == Role::Netcfg => self.fitted(id, unfit),
            FromChild::Network(stands) if role == Role::Netcfg => self.stands(stands),
            FromChild::Page(_)
            | FromChild::Order { .. }
            | FromChild::StoreKey
            | FromChild::Listeners(_)
            | FromChild::Fitted { .. }
            | FromChild::Network(_) => {}
        }
        None
    }

    /// A role ended. Returns the pause after which it is to start again.
    fn ended(&mut self, role: Role, why: &str) -> Duration {
        let started = self.started;
        let kept = kept_at(&mut self.children, role);
        kept.running = None;
        kept.is_ready = false;
        let pause = kept.backoff.pause_after_death(started.elapsed());
        let in_trouble = kept.backoff.in_trouble();
        tracing::warn!(role = role.word(), why, ?pause, in_trouble, "role ended");
        if role == Role::Netcfg {
            self.unwatched();
        }
        pause
    }

    /// Lets every child end in order.
    async fn stop(mut self, inbox: &mut mpsc::Receiver<(Role, u64, Event)>) {
        let mut left = 0;
        for kept in self.children.values_mut() {
            // Without its letters a minder asks its child to stop.
            left += usize::from(kept.running.take().is_some());
        }
        while left > 0 {
            match inbox.recv().await {
                Some((_, _, Event::Ended { .. })) => left -= 1,
                Some(_) => {}
                None => break,
            }
        }
        if let Some(network) = &mut self.network {
            network.charon.stop().await;
        }
    }
}

/// Tells whoever started the node, on standard output, that all roles are ready, or
/// what is to become of the machine.
fn say(word: &str) {
    use std::io::Write;
    // Nobody has to listen.
    let _unheard = writeln!(io::stdout(), "{word}");
}

fn kept_at(children: &mut BTreeMap<Role, Kept>, role: Role) -> &mut Kept {
    children.entry(role).or_default()
}

/// Returns a file in memory that holds these octets and can never change.
pub fn sealed(octets: &[u8]) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let file = memfd_create(
        "sbc-sealed",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let mut rest = octets;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(file)
}
