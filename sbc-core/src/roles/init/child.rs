//! One child of `init`: letters to it come in, what it says and its end go out.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::super::Role;
use super::Settings;
use crate::ipc::{Broken, Channel, FromChild, ToChild, pair};
use crate::jail::ceilings::Ends;

/// Letters that wait for a child that does not read. Its whole start fits; over
/// it the child counts as hung.
const LETTERS_MAX: usize = 1024;

/// A child that does not answer this long is hung and is ended: with the pause
/// between two questions, within three seconds of its last sign of life.
const HUNG_AFTER: Duration = Duration::from_millis(2_400);

/// So many questions in a row have no answer by then. Where there were fewer, it was
/// `init` that had no turn at the processor, not the child.
const UNANSWERED: u32 = 4;

/// How often a child is asked whether it is there.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// A child that was asked to stop has this long.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// One message to a child, with its descriptors.
#[derive(Debug)]
pub struct Letter {
    pub message: ToChild,
    pub descriptors: Vec<Arc<OwnedFd>>,
}

impl From<ToChild> for Letter {
    fn from(message: ToChild) -> Self {
        Self {
            message,
            descriptors: Vec::new(),
        }
    }
}

/// What happened to a child.
#[derive(Debug)]
pub enum Event {
    /// A word, and the descriptors that came along.
    Said(FromChild, Vec<OwnedFd>),
    /// It ended, or was ended because it hung.
    Ended { why: String },
}

/// The way to a running child.
#[derive(Debug)]
pub struct Running {
    letters: mpsc::Sender<Letter>,
    pub pid: Option<u32>,
}

impl Running {
    /// Starts `role` and minds it in a task of its own; everything it says and
    /// its end arrive at `events` under `generation`.
    ///
    /// # Errors
    /// When the kernel refuses the process or the pair.
    pub fn start(
        role: Role,
        generation: u64,
        settings: &Settings,
        events: mpsc::Sender<(Role, u64, Event)>,
    ) -> io::Result<Self> {
        let (ours, theirs) = pair()?;
        let channel = Channel::new(ours)?.registered()?;
        let child = Command::new("/proc/self/exe")
            .arg0(format!("sbc-{}", role.word()))
            .args(["role", role.word()])
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::from(theirs))
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id();
        let (letters, inbox) = mpsc::channel(LETTERS_MAX);
        let ends = Ends::of(role.word());
        tokio::task::spawn_local(async move {
            let why = mind(child, channel, inbox, |said, along| {
                let event = Event::Said(said, along);
                events.try_send((role, generation, event)).is_ok()
            })
            .await;
            let why = ends.why(why);
            // The supervisor has gone if nobody listens; then all ends anyway.
            let _gone = events.send((role, generation, Event::Ended { why })).await;
        });
        Ok(Self { letters, pid })
    }

    /// Sends a letter; a child that has too many unread is ended by its minder.
    pub fn send(&self, letter: impl Into<Letter>) {
        let _hung = self.letters.try_send(letter.into());
    }
}

type Pair = AsyncFd<Channel<ToChild, FromChild>>;

async fn mind(
    mut child: Child,
    channel: Pair,
    mut inbox: mpsc::Receiver<Letter>,
    say: impl Fn(FromChild, Vec<OwnedFd>) -> bool,
) -> String {
    let mut heard = Instant::now();
    let mut unanswered = 0;
    let mut asks = interval(ASKED_EVERY);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut scratch = Vec::new();
    // A pair whose other end is gone is readable for ever: it is left alone.
    let mut gone = false;
    let why = loop {
        tokio::select! {
            status = child.wait() => {
                return status.map_or_else(|error| error.to_string(), |status| status.to_string());
            }
            letter = inbox.recv() => {
                let Some(letter) = letter else { break "asked to stop".to_owned() };
                if let Err(broken) = post(&channel, &letter).await {
                    break broken;
                }
            }
            ready = channel.readable(), if !gone => {
                let Ok(mut ready) = ready else { break "its pair is broken".to_owned() };
                match channel.get_ref().receive(&mut scratch) {
                    Ok(Some(received)) => {
                        (heard, unanswered) = (Instant::now(), 0);
                        let mut along = received.descriptors;
                        let mut words = received.messages.into_iter();
                        if !words.all(|word| say(word, std::mem::take(&mut along))) {
                            break "it says more than can be heard".to_owned();
                        }
                    }
                    Ok(None) => ready.clear_ready(),
                    // Its exit status follows and says more.
                    Err(Broken::Gone) => gone = true,
                    Err(broken) => break broken.to_string(),
                }
            }
            now = asks.tick() => {
                if now.duration_since(heard) > HUNG_AFTER && unanswered >= UNANSWERED {
                    // It would not hear a request to stop.
                    let _gone = child.kill().await;
                    return format!("hung for {HUNG_AFTER:?}");
                }
                unanswered += 1;
                let letter = Letter::from(ToChild::There(0));
                if let Err(broken) = post(&channel, &letter).await {
                    break broken;
                }
            }
        }
    };
    end(child, &channel).await;
    why
}

async fn post(channel: &Pair, letter: &Letter) -> Result<(), String> {
    let descriptors: Vec<_> = letter.descriptors.iter().map(|fd| fd.as_fd()).collect();
    let send = async {
        loop {
            let mut ready = channel.writable().await.map_err(|e| e.to_string())?;
            match channel.get_ref().send(&letter.message, &descriptors) {
                Err(Broken::Full) => ready.clear_ready(),
                // Its exit status follows and says more.
                Err(Broken::Gone) => return Ok(()),
                other => return other.map_err(|e| e.to_string()),
            }
        }
    };
    timeout(HUNG_AFTER, send)
        .await
        .unwrap_or_else(|_| Err(format!("read nothing for {HUNG_AFTER:?}")))
}

/// Asks the child to stop, and ends it when it does not.
async fn end(mut child: Child, channel: &Pair) {
    let _gone = post(channel, &ToChild::Stop.into()).await;
    if timeout(STOPS_WITHIN, child.wait()).await.is_err() {
        let _gone = child.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Channel, Child, Command, FromChild, OwnedFd, Pair, Stdio, ToChild};
    use super::{mind, mpsc, pair};

    /// Longer than a child may be silent.
    const STALL: Duration = Duration::from_secs(4);

    /// Runs `mind` over a child as `init` does, and returns what it says. `other` has
    /// the child's end of the pair; `init` has no turn at the processor for `stall`.
    fn minded(
        start: impl FnOnce() -> Child + Send + 'static,
        other: impl FnOnce(OwnedFd) + Send + 'static,
        stall: Duration,
    ) -> String {
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let why = runtime.block_on(async {
                let (ours, theirs) = pair().unwrap();
                std::thread::spawn(move || other(theirs));
                let channel: Pair = Channel::new(ours).unwrap().registered().unwrap();
                let (_letters, inbox) = mpsc::channel(1);
                let minds = mind(start(), channel, inbox, |_, _| true);
                let stalls = async {
                    // Between two questions: no answer is on its way.
                    tokio::time::sleep(Duration::from_millis(1_250)).await;
                    std::thread::sleep(stall);
                };
                tokio::join!(minds, stalls).0
            });
            told.send(why)
        });
        let patience = Duration::from_secs(20);
        heard.recv_timeout(patience).expect("its end is noticed")
    }

    /// Answers every question, until there is nobody to answer.
    fn answers(end: OwnedFd) {
        let channel: Channel<FromChild, ToChild> = Channel::new(end).unwrap();
        let mut scratch = Vec::new();
        while let Ok(received) = channel.receive(&mut scratch) {
            for message in received.into_iter().flat_map(|received| received.messages) {
                if let ToChild::There(number) = message {
                    let _gone = channel.send(&FromChild::Here(number), &[]);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn sleeps(seconds: &str) -> Child {
        let mut command = Command::new("sleep");
        command.arg(seconds).stdin(Stdio::null()).kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// What a role that is killed looks like: its pair breaks first.
    #[test]
    fn a_child_whose_pair_breaks_is_waited_for() {
        let said = minded(|| sleeps("0.3"), drop, Duration::ZERO);
        assert_eq!(said, "exit status: 0");
    }

    #[test]
    fn a_child_that_lives_on_without_its_pair_counts_as_hung() {
        let said = minded(|| sleeps("60"), drop, Duration::ZERO);
        assert_eq!(said, "hung for 2.4s");
    }

    /// A virtual machine that was paused for three seconds lost all its roles at once.
    #[test]
    fn a_child_that_answers_is_not_hung_when_init_itself_had_no_turn() {
        let said = minded(|| sleeps("7"), answers, STALL);
        assert_eq!(said, "exit status: 0");
    }
}
