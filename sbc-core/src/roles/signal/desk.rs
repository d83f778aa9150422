//! The one owner of the engine. A turn is all that was ready to be handled; what
//! the engine asked for in it leaves at its end, in the order it asked: first
//! what other roles must know, then messages, those of one connection together.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant as Clock};

use sbc_call::{Engine, Input, Instant, Outbox, Transmit};
use sbc_sip::transaction::destination::Transport;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::books::Books;
use super::debugged::Debugged;
use super::ladders::Ladders;
use super::sockets::Listener;
use super::tcp;
use super::words::Words;

/// As good as for ever; the clock of the runtime does not take more.
const LONG: Duration = Duration::from_secs(3600);

/// What the tasks of the signal role share. They all run on one thread, and
/// nobody holds a borrow across an await.
#[derive(Debug)]
pub struct Desk {
    engine: RefCell<Engine>,
    /// What the engine asked for since the last turn ended.
    outbox: RefCell<Outbox>,
    /// Rung when there is something in it.
    turn: Notify,
    /// When the sleeper wakes.
    armed: Cell<Option<Instant>>,
    /// In the order of the node's listeners, which number them.
    pub listeners: RefCell<Vec<Rc<Listener>>>,
    pub tcp: tcp::Connections,
    pub words: Words,
    pub ladders: RefCell<Ladders>,
    pub debugged: RefCell<Debugged>,
    books: RefCell<Books>,
    /// Rung when the engine wants to be woken sooner than the sleeper would.
    alarm: Notify,
    /// Rung when a call ended that diary, books and journal are to learn of.
    pub unwritten: Notify,
    started: Clock,
}

impl Desk {
    /// Returns the desk around a new engine.
    pub fn new(engine: Engine, books: Books, started: Clock) -> Rc<Self> {
        Rc::new(Self {
            engine: RefCell::new(engine),
            outbox: RefCell::new(Outbox::default()),
            turn: Notify::new(),
            armed: Cell::new(None),
            listeners: RefCell::new(Vec::new()),
            tcp: tcp::Connections::default(),
            words: Words::default(),
            ladders: RefCell::new(Ladders::default()),
            debugged: RefCell::default(),
            books: RefCell::new(books),
            alarm: Notify::new(),
            unwritten: Notify::new(),
            started,
        })
    }

    /// Returns the node's time.
    pub fn now(&self) -> Instant {
        self.started.elapsed()
    }

    /// Hands `input` to the engine. What it asks for leaves when the turn ends:
    /// after all that is ready to be handled, and before anything else.
    pub fn handle(&self, input: Input) {
        let now = self.now();
        let mut engine = self.engine.borrow_mut();
        engine.handle(now, input, &mut self.outbox.borrow_mut());
        let sooner = |due| self.armed.get().is_none_or(|armed| due < armed);
        if engine.next_wakeup().is_some_and(sooner) {
            self.alarm.notify_one();
        }
        self.turn.notify_one();
    }

    /// Wakes the engine when it wants to be woken, for ever.
    pub async fn sleep_and_wake(&self) {
        loop {
            let due = self.engine.borrow().next_wakeup();
            self.armed.set(due);
            let wait = due.map_or(LONG, |due| due.saturating_sub(self.now()));
            tokio::select! {
                () = sleep(wait) => self.handle(Input::Wakeup),
                () = self.alarm.notified() => {}
            }
        }
    }

    /// Ends one turn after the other, for ever.
    pub async fn end_turns(self: Rc<Self>) {
        loop {
            self.turn.notified().await;
            self.deliver();
        }
    }

    /// Lets `look` see the engine, for the console.
    pub fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.borrow())
    }

    /// Does what the engine asked for. What arises of it is for the next turn.
    pub fn deliver(self: &Rc<Self>) {
        let mut outbox = self.outbox.take();
        // The journal first: what is answered must survive a restart.
        self.words.deliver(&mut outbox);
        let now = self.now();
        let mut ladders = self.ladders.borrow_mut();
        let mut debugged = self.debugged.borrow_mut();
        for step in outbox.steps.drain(..) {
            ladders.add(now, &step);
            debugged.step(now, &step, || self.look(|engine| engine.ends(step.call)));
        }
        if !outbox.stories.is_empty() {
            self.unwritten.notify_one();
        }
        for story in outbox.stories.drain(..) {
            ladders.end(&story);
            debugged.end(story.record.call);
            self.books
                .borrow_mut()
                .write(&story, || ladders.get(story.record.call));
        }
        drop((ladders, debugged));
        for transmit in outbox.transmits.drain(..) {
            self.transmit(transmit);
        }
        self.tcp.flush();
    }

    /// Writes what waits to be written of calls that ended: the books first, so
    /// that a call is in them or still in the journal.
    pub fn write_up(&self) {
        self.books.borrow_mut().flush();
        self.words.forget();
        crate::diary::flush();
    }

    fn transmit(self: &Rc<Self>, transmit: Transmit) {
        if transmit.to.transport != Transport::Udp {
            tcp::send(self, transmit);
            return;
        }
        let sent = self
            .listener(transmit.to.connection)
            .and_then(|listener| listener.udp.borrow().clone())
            .is_some_and(|socket| socket.send(&transmit.bytes, transmit.to.remote));
        if !sent {
            self.handle(Input::Unreachable { to: transmit.to });
        }
    }

    /// Returns the listener with this number.
    pub fn listener(&self, number: u64) -> Option<Rc<Listener>> {
        let number = usize::try_from(number).ok()?;
        self.listeners.borrow().get(number).cloned()
    }
}
