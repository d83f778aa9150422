//! The relay role: rows of the stream table come in from `signal`, media is
//! carried, and what is noticed goes back. Media goes on while `signal` is away.

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use sbc_media::stream::{MediaPlane, StreamKey};

use super::briefing::Briefing;
use super::heap;
use crate::ipc::{Broken, Channel, FromChild, Neighbour, ToChild, ToRelay, ToSignal};
use sbc_core::relay::{Bind, Clock, Relay};

type Signal = Channel<ToSignal, ToRelay>;

/// Packets of one turn before the others are looked at.
const TURN: usize = 256;

/// Runs the role until `init` says stop.
///
/// # Errors
/// When `init` is gone or no thread can be started.
pub fn run() -> anyhow::Result<()> {
    let briefing = Briefing::read()?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut plane = Plane {
        relay: Relay::start(threads, Clock::starting(), &Bind)?,
        told: BTreeSet::new(),
        stale: BTreeSet::new(),
    };
    let mut signal = None;
    for (name, end) in briefing.neighbours {
        if name == Neighbour::Signal {
            signal = Signal::new(end).ok();
        }
    }
    let control = briefing.control;
    control.send(&FromChild::Ready, &[])?;
    let mut scratch = Vec::new();
    let (mut waiting, mut packet) = (VecDeque::new(), Vec::new());
    loop {
        wait(&control, signal.as_ref(), &plane.relay, !waiting.is_empty())?;
        for _ in 0..TURN {
            match control.receive(&mut scratch) {
                Ok(None) => break,
                Ok(Some(received)) => match received.first() {
                    Some((ToChild::There(number), _)) => {
                        control.send(&FromChild::Here(number), &[])?;
                        if plane.told.is_empty() {
                            heap::give_back();
                        }
                    }
                    Some((ToChild::Neighbour(Neighbour::Signal), ends)) => {
                        signal = newest(ends);
                        // A new one knows established calls only.
                        plane.stale.clone_from(&plane.told);
                    }
                    Some((ToChild::Stop, _)) => return Ok(()),
                    _ => {}
                },
                Err(Broken::Unreadable) => {}
                Err(broken) => return Err(broken.into()),
            }
        }
        if let Some(channel) = &signal
            && !plane.listen(channel, &mut scratch)
        {
            signal = None;
        }
        tell(signal.as_ref(), &plane.relay, &mut waiting, &mut packet);
    }
}

fn newest(descriptors: Vec<OwnedFd>) -> Option<Signal> {
    Signal::new(descriptors.into_iter().next()?).ok()
}

fn wait<C: AsFd>(
    control: &C,
    signal: Option<&Signal>,
    relay: &Relay,
    blocked: bool,
) -> anyhow::Result<()> {
    let mut wants = PollFlags::IN;
    if blocked {
        wants |= PollFlags::OUT;
    }
    let mut all = vec![PollFd::new(control, PollFlags::IN)];
    if !blocked {
        all.push(PollFd::new(relay, PollFlags::IN));
    }
    if let Some(signal) = signal {
        all.push(PollFd::new(signal, wants));
    }
    match poll(&mut all, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The relay, and whose rows it has.
struct Plane {
    relay: Relay,
    told: BTreeSet<StreamKey>,
    /// Rows of a `signal` that is gone, until the next one has told its own.
    stale: BTreeSet<StreamKey>,
}

impl Plane {
    /// Does what `signal` asks for. Returns false when it is gone.
    fn listen(&mut self, signal: &Signal, scratch: &mut Vec<u8>) -> bool {
        for _ in 0..TURN {
            match signal.receive(scratch) {
                Ok(None) => return true,
                Ok(Some(received)) => self.obey(received.messages),
                Err(Broken::Unreadable) => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Does what the words say, in their order: rows that follow each other as one.
    fn obey(&mut self, words: Vec<ToRelay>) {
        let mut rows = Vec::new();
        for word in words {
            if !matches!(word, ToRelay::Program(_)) {
                self.relay.program(&std::mem::take(&mut rows));
            }
            match word {
                ToRelay::Program(row) => {
                    self.told.insert(row.key);
                    self.stale.remove(&row.key);
                    rows.push(*row);
                }
                ToRelay::Withdraw(key) => self.withdraw(&[key]),
                ToRelay::All => {
                    let stale: Vec<_> = std::mem::take(&mut self.stale).into_iter().collect();
                    self.withdraw(&stale);
                }
            }
        }
        self.relay.program(&rows);
    }

    fn withdraw(&mut self, keys: &[StreamKey]) {
        for key in keys {
            self.told.remove(key);
            self.stale.remove(key);
        }
        self.relay.withdraw(keys);
    }
}

/// Tells `signal` what was noticed. Without it, what was noticed is forgotten:
/// the next one starts from its journal.
fn tell(
    signal: Option<&Signal>,
    relay: &Relay,
    waiting: &mut VecDeque<ToSignal>,
    packet: &mut Vec<u8>,
) {
    relay.clear_notice();
    let Some(signal) = signal else {
        waiting.clear();
        while relay.next_event().is_some() {}
        return;
    };
    loop {
        let room = TURN.saturating_sub(waiting.len());
        waiting.extend(
            std::iter::from_fn(|| relay.next_event())
                .take(room)
                .map(ToSignal::Media),
        );
        if waiting.is_empty() {
            return;
        }
        if let Err(Broken::Full | Broken::Gone) = signal.send_all(waiting, packet) {
            return;
        }
    }
}
