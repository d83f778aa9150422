//! The netcfg role: orders of `init` to make the network what a configuration asks
//! for come in; the fence, tunnels and listening sockets go out. It alone may
//! change the network, and it does nothing but what the plan says.

mod questions;
mod sockets;
mod standing;
mod tunnels;
mod work;

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::briefing::{self, Briefing, Control};
use crate::ipc::{self, Broken, FromChild, Neighbour, ToChild};
use questions::Shared;

/// Orders that wait: `init` gives one and waits for what became of it; another of
/// a restart may meet it.
const ORDERS_MAX: usize = 4;

/// What `init` wants the network to be.
#[derive(Debug)]
struct Order {
    id: u64,
    text: String,
    /// By name; whether a file makes sense is seen when it is read.
    secrets: Vec<(String, File)>,
}

/// The way to `init`.
#[derive(Clone, Debug)]
struct Voice(Rc<AsyncFd<Control>>);

impl Voice {
    /// Says something, and waits until it passes.
    ///
    /// # Errors
    /// When `init` is gone.
    async fn say(&self, word: &FromChild, along: &[BorrowedFd<'_>]) -> Result<(), Broken> {
        ipc::say(&self.0, word, along).await
    }

    /// Says something if it passes at once. Returns whether it did.
    fn try_say(&self, word: &FromChild) -> bool {
        self.0.get_ref().send(word, &[]).is_ok()
    }
}

/// Runs the role until `init` says stop.
///
/// # Errors
/// When `init` is gone, or the kernel gives no way to its tables.
pub fn run() -> anyhow::Result<()> {
    let briefing = Briefing::read()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(briefing))
}

async fn serve(briefing: Briefing) -> anyhow::Result<()> {
    let control = Rc::new(briefing.control.registered()?);
    let voice = Voice(Rc::clone(&control));
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let open = briefing.listeners.into_iter();
    let open = open.filter_map(|(name, socket)| Some((name, socket?)));
    let board = Shared::default();
    for (name, end) in briefing.neighbours {
        introduce(&board, name, end);
    }
    let work = work::Work::begin(voice.clone(), open.collect(), Rc::clone(&board))?;
    let work = tokio::task::spawn_local(work.go_on(inbox));
    tokio::select! {
        done = work => done?,
        done = obey(&control, &voice, &orders, &board) => done,
    }
}

fn introduce(board: &Shared, name: Neighbour, end: OwnedFd) {
    if name == Neighbour::Console {
        tokio::task::spawn_local(questions::answer(Rc::clone(board), end));
    }
}

/// Obeys `init` until it says stop or is gone. It is answered while the work goes
/// on, however long a step takes.
async fn obey(
    control: &AsyncFd<Control>,
    voice: &Voice,
    orders: &mpsc::Sender<Order>,
    board: &Shared,
) -> anyhow::Result<()> {
    let mut scratch = Vec::new();
    loop {
        let (message, descriptors) = briefing::hear(control, &mut scratch).await?;
        match message {
            ToChild::There(number) => voice.say(&FromChild::Here(number), &[]).await?,
            ToChild::Fit { id, secrets } => {
                let order = order(id, secrets, descriptors)?;
                if orders.try_send(order).is_err() {
                    anyhow::bail!("orders come faster than they can be done");
                }
            }
            ToChild::Neighbour(name) => {
                for end in descriptors {
                    introduce(board, name, end);
                }
            }
            ToChild::Stop => return Ok(()),
            _ => {}
        }
    }
}

fn order(id: u64, names: Vec<String>, descriptors: Vec<OwnedFd>) -> anyhow::Result<Order> {
    let mut descriptors = descriptors.into_iter();
    let text = briefing::read_text(descriptors.next().into_iter().collect())?;
    let secrets = names.into_iter().zip(descriptors.map(File::from));
    Ok(Order {
        id,
        text,
        secrets: secrets.collect(),
    })
}
