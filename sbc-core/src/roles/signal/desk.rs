//! The one owner of the engine: whatever arrives is handled to its end before
//! the next thing, and what the engine asks for leaves in the order it asked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant as Clock;

use sbc_call::{Engine, Input, Instant, Outbox, Transmit};
use sbc_sip::transaction::destination::Transport;
use tokio::sync::Notify;

use super::books::Books;
use super::ladders::Ladders;
use super::sockets::Listener;
use super::tcp;
use super::words::Words;

/// Inputs that one input can cause while its answers leave (a refused
/// connection, say); more are dropped with a counter, so that nothing can ring
/// for ever.
const ECHOES_MAX: usize = 4096;

/// What the tasks of the signal role share. They all run on one thread, and
/// nobody holds a borrow across an await.
#[derive(Debug)]
pub struct Desk {
    engine: RefCell<Engine>,
    outbox: RefCell<Outbox>,
    echoes: RefCell<VecDeque<Input>>,
    busy: Cell<bool>,
    /// In the order of the node's listeners, which number them.
    pub listeners: RefCell<Vec<Rc<Listener>>>,
    pub tcp: tcp::Connections,
    pub words: Words,
    pub ladders: RefCell<Ladders>,
    books: RefCell<Books>,
    /// Rung when the engine's next wake-up moved.
    pub alarm: Notify,
    pub dropped_echoes: Cell<u64>,
    started: Clock,
}

impl Desk {
    /// Returns the desk around a new engine.
    pub fn new(engine: Engine, books: Books, started: Clock) -> Rc<Self> {
        Rc::new(Self {
            engine: RefCell::new(engine),
            outbox: RefCell::new(Outbox::default()),
            echoes: RefCell::new(VecDeque::new()),
            busy: Cell::new(false),
            listeners: RefCell::new(Vec::new()),
            tcp: tcp::Connections::default(),
            words: Words::default(),
            ladders: RefCell::new(Ladders::default()),
            books: RefCell::new(books),
            alarm: Notify::new(),
            dropped_echoes: Cell::new(0),
            started,
        })
    }

    /// Returns the node's time.
    pub fn now(&self) -> Instant {
        self.started.elapsed()
    }

    /// Hands `input` to the engine and does what it asks for.
    pub fn handle(self: &Rc<Self>, input: Input) {
        {
            let mut echoes = self.echoes.borrow_mut();
            if echoes.len() >= ECHOES_MAX {
                self.dropped_echoes.set(self.dropped_echoes.get() + 1);
                return;
            }
            echoes.push_back(input);
        }
        // An input that arises while answers leave waits for its turn here.
        if self.busy.replace(true) {
            return;
        }
        let before = self.next_wakeup();
        while let Some(input) = self.next_echo() {
            let now = self.now();
            let mut outbox = self.outbox.take();
            self.engine.borrow_mut().handle(now, input, &mut outbox);
            self.deliver(&mut outbox);
            self.outbox.replace(outbox);
        }
        self.busy.set(false);
        if self.next_wakeup() != before {
            self.alarm.notify_one();
        }
    }

    fn next_echo(&self) -> Option<Input> {
        self.echoes.borrow_mut().pop_front()
    }

    /// Returns when the engine wants to be woken.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.engine.borrow().next_wakeup()
    }

    /// Lets `look` see the engine, for the console.
    pub fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.borrow())
    }

    fn deliver(self: &Rc<Self>, outbox: &mut Outbox) {
        // The journal first: what is answered must survive a restart.
        self.words.deliver(outbox);
        let now = self.now();
        let mut ladders = self.ladders.borrow_mut();
        for step in outbox.steps.drain(..) {
            ladders.add(now, &step);
        }
        for story in outbox.stories.drain(..) {
            ladders.end(&story);
            self.books
                .borrow_mut()
                .write(&story, || ladders.get(story.record.call));
        }
        drop(ladders);
        for transmit in outbox.transmits.drain(..) {
            self.transmit(transmit);
        }
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
