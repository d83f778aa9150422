//! The userspace executor of the stream table: rows come in, sockets carry media,
//! numbers and events go out. One thread per core, each the only owner of its
//! streams; nothing is locked or allocated for a packet.

mod live;
mod play;
mod reports;
mod side;
mod socket;
mod table;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{EventfdFlags, eventfd};
use sbc_media::stream::{MediaEvent, MediaPlane, StreamKey, StreamRow, StreamStats};

pub use socket::{Bind, OpenPort};

use worker::Worker;

/// Commands that may wait for a worker: a second of calls at the highest rate. The
/// caller waits when it is full; media does not.
const COMMANDS: usize = 2_048;

/// Events that may wait for call control; a worker keeps the rest until there is room.
const EVENTS: usize = 4_096;

/// How long a worker may take to hand its numbers over before they are left out.
const ANSWER: Duration = Duration::from_secs(1);

/// Carries media in this process.
#[derive(Debug)]
pub struct Relay {
    workers: Vec<Hand>,
    events: Receiver<MediaEvent>,
    notice: Arc<OwnedFd>,
}

/// The caller's end of one worker.
#[derive(Debug)]
struct Hand {
    commands: SyncSender<Command>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker can be told.
#[derive(Debug)]
enum Command {
    Program(Box<StreamRow>),
    Withdraw(StreamKey),
    Read(SyncSender<Vec<(StreamKey, StreamStats)>>),
    Stop,
}

/// The clocks of a relay: the node's own, and the wall's at its start, so that a
/// step of the wall clock moves no report.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    unix: Duration,
}

impl Clock {
    /// Returns a clock that starts now.
    pub fn starting() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            start: Instant::now(),
            unix: unix.unwrap_or_default(),
        }
    }

    /// Returns the time since the start.
    pub fn now(&self) -> sbc_media::Instant {
        self.start.elapsed()
    }

    /// Returns the wall clock's time at `now`, since 1970.
    pub fn unix(&self, now: sbc_media::Instant) -> Duration {
        self.unix + now
    }
}

impl Relay {
    /// Starts `threads` workers, at least one; `ports` opens the sockets of rows.
    pub fn start<P>(threads: usize, clock: Clock, ports: &P) -> io::Result<Self>
    where
        P: OpenPort + Clone + Send + 'static,
    {
        let (told, events) = sync_channel(EVENTS);
        let notice = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let workers = (0..threads.max(1))
            .map(|number| {
                let (commands, orders) = sync_channel(COMMANDS);
                let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
                let outlet = worker::Outlet::new(told.clone(), notice.clone());
                let worker = Worker::new(orders, wake.clone(), outlet, clock, ports.clone())?;
                let thread = std::thread::Builder::new()
                    .name(format!("relay-{number}"))
                    .spawn(move || worker.run())?;
                Ok(Hand {
                    commands,
                    wake,
                    thread: Some(thread),
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            workers,
            events,
            notice,
        })
    }

    /// Returns the next event, if there is one.
    pub fn next_event(&self) -> Option<MediaEvent> {
        self.events.try_recv().ok()
    }

    /// Forgets that events were announced; call it before taking them.
    pub fn clear_notice(&self) {
        socket::drain(&self.notice);
    }

    /// The worker that owns a stream, always the same one.
    fn hand(&self, key: StreamKey) -> Option<&Hand> {
        let count = u64::try_from(self.workers.len()).unwrap_or(1);
        let number = key.0.checked_rem(count).unwrap_or(0);
        self.workers.get(usize::try_from(number).unwrap_or(0))
    }
}

/// Readable when there are events.
impl AsFd for Relay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notice.as_fd()
    }
}

impl MediaPlane for Relay {
    fn program(&mut self, rows: &[StreamRow]) {
        for row in rows {
            if let Some(hand) = self.hand(row.key) {
                hand.tell(Command::Program(Box::new(row.clone())));
            }
        }
    }

    fn withdraw(&mut self, keys: &[StreamKey]) {
        for key in keys {
            if let Some(hand) = self.hand(*key) {
                hand.tell(Command::Withdraw(*key));
            }
        }
    }

    fn read(&self, each: &mut dyn FnMut(StreamKey, &StreamStats)) {
        for hand in &self.workers {
            let (answer, numbers) = sync_channel(1);
            hand.tell(Command::Read(answer));
            for (key, stats) in numbers.recv_timeout(ANSWER).unwrap_or_default() {
                each(key, &stats);
            }
        }
    }
}

impl Hand {
    /// A worker ends only when told to, so a command that finds none has no meaning.
    fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            socket::ring(&self.wake);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for hand in &self.workers {
            hand.tell(Command::Stop);
        }
        for hand in &mut self.workers {
            if let Some(thread) = hand.thread.take() {
                // A worker that panicked has nothing to hand over.
                let _ = thread.join();
            }
        }
    }
}
