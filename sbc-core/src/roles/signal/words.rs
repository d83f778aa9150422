//! What the signal role says to the other roles: rows to the relay, records to
//! the journal. A relay that is away misses nothing that matters: it is told all
//! again when it is back.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use sbc_call::{Input, JournalCommand, Outbox, RelayCommand};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use super::desk::Desk;
use crate::ipc::{Broken, Channel, FromChild, ToRelay, ToSignal};
use crate::roles::briefing::Control;
use crate::roles::journal::Journal;

/// Words that wait for a relay that reads slowly. More than the rows of all calls
/// of a full node would mean that it hangs, and `init` ends it.
const WAITING_MAX: usize = 32 * 1024;

/// The way to the relay.
pub type Relay = Channel<ToRelay, ToSignal>;

/// The ways out.
#[derive(Debug, Default)]
pub struct Words {
    control: RefCell<Option<Control>>,
    journal: RefCell<Option<Journal>>,
    /// Calls that ended and are still in the journal, until the books have them.
    forgotten: RefCell<Vec<u32>>,
    relay: RefCell<Option<Rc<AsyncFd<Relay>>>>,
    to_relay: RefCell<VecDeque<ToRelay>>,
    /// Room for the packet that is being written.
    packet: RefCell<Vec<u8>>,
    /// Rung when words wait for room at the relay.
    relay_full: Notify,
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

    /// Says something to `init`, which asks again for what it does not hear.
    pub fn tell_init(&self, word: &FromChild) {
        if let Some(control) = self.control.borrow().as_ref()
            && control.send(word, &[]).is_err()
        {
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Takes the journal to write.
    pub fn set_journal(&self, journal: Journal) {
        self.journal.replace(Some(journal));
    }

    /// Forgets the calls that ended, now that the books have them.
    pub fn forget(&self) {
        let mut forgotten = self.forgotten.borrow_mut();
        if let Some(journal) = self.journal.borrow_mut().as_mut() {
            forgotten.drain(..).for_each(|key| journal.forget(key));
        }
    }

    /// Returns how many records could not be kept.
    pub fn unkept(&self) -> u64 {
        let journal = self.journal.borrow();
        journal.as_ref().map_or(0, |journal| journal.refused)
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
        self.wait(ToRelay::All);
        self.flush_relay();
    }

    /// Hands over what the engine wants said: records are kept when it returns,
    /// rows are on their way, many to a packet.
    pub fn deliver(&self, outbox: &mut Outbox) {
        let mut journal = self.journal.borrow_mut();
        for command in outbox.journal.drain(..) {
            match (command, journal.as_mut()) {
                (JournalCommand::Keep { key, record }, Some(journal)) => journal.keep(key, &record),
                (JournalCommand::Forget { key }, Some(_)) => self.forgotten.borrow_mut().push(key),
                (_, None) => {}
            }
        }
        drop(journal);
        if outbox.relay.is_empty() {
            return;
        }
        for command in outbox.relay.drain(..) {
            self.wait(match command {
                RelayCommand::Program(row) => ToRelay::Program(row),
                RelayCommand::Withdraw(key) => ToRelay::Withdraw(key),
            });
        }
        self.flush_relay();
    }

    fn wait(&self, word: ToRelay) {
        let mut queue = self.to_relay.borrow_mut();
        if queue.len() >= WAITING_MAX {
            self.lost.set(self.lost.get() + 1);
        } else {
            queue.push_back(word);
        }
    }

    /// Sends what waits, as far as it passes. Returns whether all did. While there
    /// is no relay, nothing waits: the next one hears every row anyway.
    fn flush_relay(&self) -> bool {
        let relay = self.relay.borrow();
        let mut queue = self.to_relay.borrow_mut();
        let Some(relay) = relay.as_ref() else {
            queue.clear();
            return true;
        };
        let mut packet = self.packet.borrow_mut();
        while !queue.is_empty() {
            match relay.get_ref().send_all(&mut queue, &mut packet) {
                Ok(()) => {}
                Err(Broken::Full) => {
                    self.relay_full.notify_one();
                    return false;
                }
                // What it concerns is gone from the queue.
                Err(_) => self.lost.set(self.lost.get() + 1),
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
                        for message in received.messages {
                            if let ToSignal::Media(event) = message {
                                desk.handle(Input::Media(event));
                            }
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
