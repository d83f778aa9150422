//! The relay role: rows of the stream table come in from `signal`, media is
//! carried, and what is noticed goes back. Media goes on while `signal` is away.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use sbc_media::stream::{MediaEvent, MediaPlane, StreamKey};

use super::briefing::Briefing;
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
    let mut waiting: Option<MediaEvent> = None;
    loop {
        wait(&control, signal.as_ref(), &plane.relay, waiting.is_some())?;
        for _ in 0..TURN {
            match control.receive(&mut scratch) {
                Ok(None) => break,
                Ok(Some(received)) => match received.message {
                    ToChild::There(number) => control.send(&FromChild::Here(number), &[])?,
                    ToChild::Neighbour(Neighbour::Signal) => {
                        signal = newest(received.descriptors);
                        // A new one knows established calls only.
                        plane.stale.clone_from(&plane.told);
                    }
                    ToChild::Stop => return Ok(()),
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
        tell(signal.as_ref(), &plane.relay, &mut waiting);
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
                Ok(Some(received)) => match received.message {
                    ToRelay::Program(row) => {
                        self.told.insert(row.key);
                        self.stale.remove(&row.key);
                        self.relay.program(&[*row]);
                    }
                    ToRelay::Withdraw(key) => self.withdraw(key),
                    ToRelay::All => {
                        for key in std::mem::take(&mut self.stale) {
                            self.withdraw(key);
                        }
                    }
                },
                Err(Broken::Unreadable) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn withdraw(&mut self, key: StreamKey) {
        self.told.remove(&key);
        self.stale.remove(&key);
        self.relay.withdraw(&[key]);
    }
}

/// Tells `signal` what was noticed. Without it, what was noticed is forgotten:
/// the next one starts from its journal.
fn tell(signal: Option<&Signal>, relay: &Relay, waiting: &mut Option<MediaEvent>) {
    relay.clear_notice();
    while let Some(event) = waiting.take().or_else(|| relay.next_event()) {
        let Some(signal) = signal else {
            continue;
        };
        let word = ToSignal::Media(event);
        match signal.send(&word, &[]) {
            Err(Broken::Full) => {
                if let ToSignal::Media(event) = word {
                    *waiting = Some(event);
                }
                return;
            }
            _ => continue,
        }
    }
}
