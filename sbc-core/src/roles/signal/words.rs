//! What the signal role says to the other roles: rows to the relay, records to
//! `init`. A role that is away misses nothing that matters: it is told all
//! again when it is back.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use sbc_call::{Input, JournalCommand, Outbox, RelayCommand};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::desk::Desk;
use crate::ipc::{Broken, Channel, FromChild, ToRelay, ToSignal};
use crate::roles::briefing::Control;

/// Words that wait for a role that reads slowly. More than the rows of all calls
/// of a full node would mean that it hangs, and `init` ends it.
const WAITING_MAX: usize = 32 * 1024;

/// The way to the relay.
pub type Relay = Channel<ToRelay, ToSignal>;

/// The ways out.
#[derive(Debug, Default)]
pub struct Words {
    control: RefCell<Option<Control>>,
    to_init: RefCell<std::collections::VecDeque<FromChild>>,
    relay: RefCell<Option<Rc<AsyncFd<Relay>>>>,
    to_relay: RefCell<std::collections::VecDeque<ToRelay>>,
    /// Rung when words wait for room at the relay, and at `init`.
    relay_full: Notify,
    init_full: Notify,
    /// Words nobody could take.
    pub lost: Cell<u64>,
}

impl Words {
    /// Takes the way to `init`.
    pub fn set_control(&self, control: Control) {
        self.control.replace(Some(control));
    }

    /// Returns a second handle on the way to `init`, to listen on.
    ///
    /// # Errors
    /// When there is none, or no descriptor is left.
    pub fn control(&self) -> anyhow::Result<Control> {
        use anyhow::Context;
        let control = self.control.borrow();
        let control = control.as_ref().context("no way to init")?;
        Ok(Control::new(control.as_fd().try_clone_to_owned()?)?)
    }

    /// Says something to `init`; what does not pass now goes before the next.
    pub fn tell_init(&self, word: &FromChild) {
        let mut waiting = self.to_init.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            self.lost.set(self.lost.get() + 1);
        } else {
            waiting.push_back(word.clone());
        }
        drop(waiting);
        self.flush_init();
    }

    /// Sends what waits for `init`, as far as it passes. Returns whether all did.
    pub fn flush_init(&self) -> bool {
        let mut waiting = self.to_init.borrow_mut();
        let control = self.control.borrow();
        let Some(control) = control.as_ref() else {
            return true;
        };
        while let Some(word) = waiting.front() {
            match control.send(word, &[]) {
                Err(Broken::Full) => {
                    self.init_full.notify_one();
                    return false;
                }
                _ => drop(waiting.pop_front()),
            }
        }
        true
    }

    /// Returns once words wait for `init`.
    pub async fn init_is_full(&self) {
        self.init_full.notified().await;
    }

    /// Takes the way to a relay: every word from here on is for it.
    pub fn meet_relay(&self, end: OwnedFd) -> Option<Rc<AsyncFd<Relay>>> {
        let relay = Rc::new(Relay::new(end).and_then(Relay::registered).ok()?);
        self.relay.replace(Some(Rc::clone(&relay)));
        self.to_relay.borrow_mut().clear();
        Some(relay)
    }

    /// Tells the relay that it has heard every row there is.
    pub fn all_rows_told(&self) {
        self.tell_relay(ToRelay::All);
    }

    /// Hands over what the engine wants said.
    pub fn deliver(&self, outbox: &mut Outbox) {
        for command in outbox.journal.drain(..) {
            self.tell_init(&match command {
                JournalCommand::Keep { key, record } => FromChild::Keep { key, record },
                JournalCommand::Forget { key } => FromChild::Forget { key },
            });
        }
        for command in outbox.relay.drain(..) {
            self.tell_relay(match command {
                RelayCommand::Program(row) => ToRelay::Program(row),
                RelayCommand::Withdraw(key) => ToRelay::Withdraw(key),
            });
        }
    }

    fn tell_relay(&self, word: ToRelay) {
        let mut waiting = self.to_relay.borrow_mut();
        if waiting.len() >= WAITING_MAX {
            self.lost.set(self.lost.get() + 1);
        } else {
            waiting.push_back(word);
        }
        drop(waiting);
        self.flush_relay();
    }

    /// Sends what waits, as far as it passes. Returns whether all did. While there
    /// is no relay, nothing waits: the next one hears every row anyway.
    fn flush_relay(&self) -> bool {
        let mut waiting = self.to_relay.borrow_mut();
        let relay = self.relay.borrow();
        let Some(relay) = relay.as_ref() else {
            waiting.clear();
            return true;
        };
        while let Some(word) = waiting.front() {
            match relay.get_ref().send(word, &[]) {
                Err(Broken::Full) => {
                    self.relay_full.notify_one();
                    return false;
                }
                _ => drop(waiting.pop_front()),
            }
        }
        true
    }
}

/// Hears what the relay notices until it is gone.
pub async fn hear_relay(desk: Rc<Desk>, relay: Rc<AsyncFd<Relay>>) {
    let mut scratch = Vec::new();
    loop {
        let waits = !desk.words.to_relay.borrow().is_empty();
        tokio::select! {
            ready = relay.readable() => {
                let Ok(mut ready) = ready else { break };
                match relay.get_ref().receive(&mut scratch) {
                    Ok(Some(received)) => {
                        if let ToSignal::Media(event) = received.message {
                            desk.handle(Input::Media(event));
                        }
                    }
                    Ok(None) => ready.clear_ready(),
                    Err(Broken::Unreadable) => {}
                    Err(_) => break,
                }
            }
            ready = relay.writable(), if waits => {
                let Ok(mut ready) = ready else { break };
                if !desk.words.flush_relay() {
                    ready.clear_ready();
                }
            }
            // Nobody waits for room yet: the next round does.
            () = desk.words.relay_full.notified(), if !waits => {}
        }
    }
    let mut current = desk.words.relay.borrow_mut();
    if current.as_ref().is_some_and(|now| Rc::ptr_eq(now, &relay)) {
        *current = None;
    }
}
