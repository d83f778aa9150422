//! The signal role: SIP sockets around the call engine, on one thread. What a
//! peer sends is handled to its end before the next thing, so nothing of one
//! call overtakes itself.

pub use books::{LADDERS, RECORDS};

mod books;
mod debugged;
mod desk;
mod ladders;
mod questions;
mod sockets;
mod tcp;
mod udp;
mod words;
mod writer;

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use rustix::rand::{GetRandomFlags, getrandom};
use sbc_call::{Engine, Input};
use sbc_config::Name;
use sbc_config::network::Via;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

use super::briefing::{self, Briefing, Control};
use super::heap;
use super::journal::Journal;
use crate::ipc::{FromChild, Neighbour, Network, Standing, ToChild};
use desk::Desk;

/// Diary and books are this much behind at most, and so is the journal with calls
/// that ended: a `signal` that is killed takes them up again as if they had not.
const WRITES_WITHIN: Duration = Duration::from_millis(20);

/// Runs the role until `init` says stop.
///
/// # Errors
/// When `init` is gone, or a socket it handed over cannot be used.
pub fn run() -> anyhow::Result<()> {
    let briefing = Briefing::read()?;
    crate::diary::hold();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(briefing))
}

async fn serve(briefing: Briefing) -> anyhow::Result<()> {
    let started = Instant::now();
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let epoch = u64::try_from(since_epoch.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let mut seed = [0; 32];
    getrandom(&mut seed, GetRandomFlags::empty())?;
    let books = books::Books::open(&books::Places::from_environment());
    let mut engine = Engine::new(briefing.node, seed, epoch);
    let names = briefing.listeners.iter();
    engine.number_sockets(names.map(|(name, _)| sockets::socket(name)).collect());
    let desk = Desk::new(engine, books, started);
    sockets::take(&desk, 0, briefing.listeners);
    desk.words.set_control(briefing.control);
    for (name, end) in briefing.neighbours {
        introduce(&desk, name, end);
    }
    take_network(&desk, &briefing.network);
    if let Some(file) = briefing.journal {
        let (journal, records) = Journal::open(file)?;
        desk.words.set_journal(journal);
        for (key, record) in records {
            desk.handle(Input::Restore { key, record });
        }
    }
    desk.deliver();
    // A relay that outlived the signal role before this one ends what rang then.
    desk.words.all_rows_told();
    let sleeper = Rc::clone(&desk);
    tokio::task::spawn_local(async move { sleeper.sleep_and_wake().await });
    tokio::task::spawn_local(Rc::clone(&desk).end_turns());
    tokio::task::spawn_local(write_up(Rc::clone(&desk)));
    desk.words.tell_init(&FromChild::Ready);
    let ended = obey(&desk).await;
    desk.deliver();
    desk.write_up();
    ended
}

/// Writes diary and books a moment after there is something to write: many calls
/// end in that moment on a busy node.
async fn write_up(desk: Rc<Desk>) {
    loop {
        desk.unwritten.notified().await;
        sleep(WRITES_WITHIN).await;
        desk.write_up();
    }
}

/// Obeys `init` until it says stop or is gone.
async fn obey(desk: &Rc<Desk>) -> anyhow::Result<()> {
    let control = desk.words.control()?;
    let control: AsyncFd<Control> = control.registered()?;
    let mut scratch = Vec::new();
    // The place of the next socket of a new list.
    let mut places = 0;
    loop {
        let (message, ends) = briefing::hear(&control, &mut scratch).await?;
        match message {
            ToChild::There(number) => {
                desk.words.tell_init(&FromChild::Here(number));
                if desk.look(Engine::is_idle) {
                    heap::give_back();
                }
            }
            ToChild::Neighbour(name) => {
                for end in ends {
                    introduce(desk, name, end);
                }
                if name == Neighbour::Relay {
                    // A new relay knows nothing: it hears every row again.
                    desk.handle(Input::RelayIsNew);
                }
            }
            ToChild::Listeners(names) => {
                let handed = briefing::paired(names, ends);
                let count = handed.len();
                sockets::take(desk, places, handed);
                places += count;
            }
            ToChild::Network(network) => take_network(desk, &network),
            ToChild::Configuration { revision } => {
                places = 0;
                reconfigure(desk, revision, ends);
            }
            ToChild::Stop => return Ok(()),
            _ => {}
        }
    }
}

/// Takes another configuration. `init` checked it; what makes no sense here all
/// the same changes nothing.
fn reconfigure(desk: &Rc<Desk>, revision: u32, descriptors: Vec<OwnedFd>) {
    let text = briefing::read_text(descriptors).ok();
    match text.and_then(|text| sbc_config::check(&text).node) {
        Some(node) => {
            desk.handle(Input::Configure(Box::new(node)));
            tracing::info!(revision, "took another configuration");
        }
        None => tracing::error!(revision, "a configuration that makes no sense"),
    }
}

/// Tells the engine what of the network matters to calls. Rules that nobody watches
/// for the moment stand in the kernel all the same.
fn take_network(desk: &Rc<Desk>, network: &Network) {
    let names = |word: &str| Name::new(word);
    let cables = network.down.iter().filter_map(|name| names(name));
    let tunnels = network.tunnels.iter().filter(|tunnel| !tunnel.up);
    let tunnels = tunnels.filter_map(|tunnel| names(&tunnel.name));
    let ways = cables
        .map(Via::Interface)
        .chain(tunnels.map(Via::Tunnel))
        .collect();
    desk.handle(Input::Network(sbc_call::Network {
        closed: network.fence == Standing::Broken,
        down: ways,
    }));
}

fn introduce(desk: &Rc<Desk>, name: Neighbour, end: OwnedFd) {
    match name {
        Neighbour::Relay => {
            // From here on rows go there; its own words are heard in turn.
            if let Some(relay) = desk.words.meet_relay(end) {
                tokio::task::spawn_local(words::hear_relay(Rc::clone(desk), relay));
            }
        }
        Neighbour::Console => {
            tokio::task::spawn_local(questions::answer(Rc::clone(desk), end));
        }
        Neighbour::Signal | Neighbour::Netcfg => {}
    }
}
