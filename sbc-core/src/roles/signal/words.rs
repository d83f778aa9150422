//! What the signal role says to the other roles: rows to the relay, records to
//! `init`. A role that is away misses nothing that matters: it is told all
//! again when it is back.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use sbc_call::{Input, JournalCommand, Outbox, RelayCommand};
use tokio::io::unix::AsyncFd;

use super::desk::Desk;
use crate::ipc::{Broken, Channel, FromChild, ToRelay, ToSignal};
use crate::roles::briefing::Control;

/// Words that wait for a role that reads slowly. More than the rows of all calls
/// of a full node would mean that it hangs, and `init` ends it.
const WAITING_MAX: usize = 32 * 1024;

type Relay = Channel<ToRelay, ToSignal>;

/// The ways out.
#[derive(Debug, Default)]
pub struct Words {
    control: RefCell<Option<Control>>,
    to_init: RefCell<std::collections::VecDeque<FromChild>>,
    relay: RefCell<Option<Rc<AsyncFd<Relay>>>>,
    to_relay: RefCell<std::collections::VecDeque<ToRelay>>,
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
        let control = self.control.borrow();
        let Some(control) = control.as_ref() else {
            return;
        };
        while let Some(word) = waiting.front() {
            match control.send(word, &[]) {
                Err(Broken::Full) => return,
                _ => drop(waiting.pop_front()),
            }
        }
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

    /// Sends what waits, as far as it passes. While there is no relay, nothing
    /// waits: the next one hears every row anyway.
    fn flush_relay(&self) {
        let mut waiting = self.to_relay.borrow_mut();
        let relay = self.relay.borrow();
        let Some(relay) = relay.as_ref() else {
            waiting.clear();
            return;
        };
        while let Some(word) = waiting.front() {
            match relay.get_ref().send(word, &[]) {
                Err(Broken::Full) => return,
                _ => drop(waiting.pop_front()),
            }
        }
    }
}

/// Hears what the relay notices until it is gone.
pub async fn hear_relay(desk: Rc<Desk>, end: OwnedFd) {
    let Ok(Ok(relay)) = Relay::new(end).map(Relay::registered) else {
        return;
    };
    let relay = Rc::new(relay);
    desk.words.relay.replace(Some(Rc::clone(&relay)));
    desk.words.to_relay.borrow_mut().clear();
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
                desk.words.flush_relay();
                if !desk.words.to_relay.borrow().is_empty() {
                    ready.clear_ready();
                }
            }
        }
    }
    let mut current = desk.words.relay.borrow_mut();
    if current.as_ref().is_some_and(|now| Rc::ptr_eq(now, &relay)) {
        *current = None;
    }
}
