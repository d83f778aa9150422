//! The engine: one input comes in, and everything that follows from it goes to
//! the outbox. It finds the peer, the transaction and the call of a message,
//! and lets them decide (RFC 3261 §8.2, §12.2.2).

mod desk;
mod invite;
mod outside;
mod peers;
mod reconfigure;
mod restore;
mod views;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sbc_config::{Node, Socket};
use sbc_sip::Instant;
use sbc_sip::message::{Method, Request, Response, Status};
use sbc_sip::transaction::arrival::Arrived;
use sbc_sip::transaction::branch::Branch;
use sbc_sip::transaction::destination::{Destination, Peer as Neighbour, Source};
use sbc_sip::transaction::key::Secret;
use sbc_sip::transaction::layer::{self, Layer, Limits, Output, ServerId, Transaction};
use sbc_sip::transaction::timers::Timings;
use sbc_sip::wire::{Frame, Malformed};

use crate::Side;
use crate::across::cause::Cause;
use crate::call::Call;
use crate::call::media::{call_of, stream_of};
use crate::door::{Input, Outbox, Step, Wish};
use crate::random::Random;

pub use desk::{Counters, Desk, FIRST_CONNECTION, Owner};
pub use invite::{allows_update, description};

/// Outputs of transactions that one input may cause before the rest waits for
/// the next: nothing a peer sends makes the node busy without end.
const SAID_MAX: usize = 100_000;

/// The calls of the node and all that they share.
#[derive(Debug)]
pub struct Engine {
    desk: Desk,
    calls: BTreeMap<u32, alloc::boxed::Box<Call>>,
    next_key: u32,
}

/// The message at hand, for as long as the transactions speak of it.
#[derive(Clone, Copy)]
struct Hand<'a> {
    frame: &'a Frame,
    read: Read<'a>,
    source: Source,
    at: Socket,
    place: usize,
}

/// What the message at hand says, once it was read.
#[derive(Clone, Copy)]
enum Read<'a> {
    Nothing,
    Request(&'a Request<'a>),
    Response(&'a Response<'a>),
}

impl Engine {
    /// Takes the checked configuration, 32 bytes from the kernel's generator,
    /// and the wall clock at the node's time zero, in milliseconds since 1970.
    #[must_use]
    pub fn new(node: Node, seed: [u8; 32], epoch_millis: u64) -> Self {
        let mut random = Random::new(seed);
        let secret = (u128::from(random.bits()) << 64 | u128::from(random.bits())).to_be_bytes();
        let layer = Layer::new(Secret::new(secret), Timings::default(), Limits::default());
        Self {
            desk: Desk::new(node, layer, random, epoch_millis),
            calls: BTreeMap::new(),
            next_key: 1,
        }
    }

    /// Takes one input, and writes everything that follows from it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        self.desk.now = now;
        self.desk.peers.set_now(now);
        self.desk.out = core::mem::take(out);
        match input {
            Input::Received { from, at, frame } => self.received(from, at, &frame),
            Input::Malformed { from, at, what } => self.malformed(from, at, &what),
            Input::Unreachable { to } => {
                self.desk.tell(layer::Input::Unreachable(to));
                if to.connection >= FIRST_CONNECTION {
                    self.disconnected(to.connection);
                }
            }
            Input::Media(event) => {
                let key = call_of(stream_of(&event));
                self.with_call(key, |call, desk| call.media(desk, &event));
            }
            Input::RelayIsNew => {
                let keys: Vec<u32> = self.calls.keys().copied().collect();
                for key in keys {
                    self.with_call(key, Call::program_again);
                }
            }
            Input::Wakeup => {}
            Input::Restore { key, record } => self.restore(key, &record),
            Input::Operator(wish) => self.operate(&wish),
            Input::Network(network) => self.desk.peers.cut(network),
            Input::Configure(node) => self.reconfigure(*node),
        }
        self.listen(None);
        self.wake();
        *out = core::mem::take(&mut self.desk.out);
    }

    /// Returns whether no call is up.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns when the engine next wants [`Input::Wakeup`].
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        let calls = self.desk.wakes.first().map(|&(moment, _)| moment);
        [
            calls,
            self.desk.layer.next_wakeup(),
            self.desk.peers.next_wakeup(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due at this moment.
    fn wake(&mut self) {
        let now = self.desk.now;
        if self.desk.layer.next_wakeup().is_some_and(|due| due <= now) {
            self.desk.tell(layer::Input::Wakeup);
            self.listen(None);
        }
        while let Some(&(due, key)) = self.desk.wakes.first() {
            if due > now {
                break;
            }
            self.desk.wakes.pop_first();
            let known = self.calls.get_mut(&key);
            if let Some(call) = known {
                call.wake = None;
            }
            self.with_call(key, Call::wakeup);
            self.listen(None);
        }
        while let Some((place, branch)) = self.desk.peers.silent(now) {
            self.desk
                .tell(layer::Input::Forget(Transaction::Client(branch)));
            self.options_lost(place);
        }
        while let Some(place) = self.desk.peers.due(now) {
            self.ask(place);
            self.listen(None);
        }
    }

    fn received(&mut self, from: Destination, at: Socket, frame: &Frame) {
        let Some(place) = self.place_of(from, at) else {
            self.desk.counters.unlisted += 1;
            return;
        };
        let peer = Neighbour(u32::try_from(place).unwrap_or(u32::MAX));
        let source = Source { peer, from };
        let hand = Hand {
            frame,
            read: Read::Nothing,
            source,
            at,
            place,
        };
        if frame.is_request() {
            self.take_request(hand);
        } else {
            self.take_response(hand);
        }
    }

    fn take_request(&mut self, hand: Hand<'_>) {
        let request = match Request::read(hand.frame) {
            Ok(request) => request,
            Err(fault) => {
                self.desk.counters.invalid += 1;
                if hand.frame.is_answerable() {
                    self.refuse_outside(hand, fault.status());
                }
                return;
            }
        };
        let arrived = Arrived {
            request: &request,
            source: hand.source,
        };
        self.note_step(&request, hand.frame);
        let urgent = request.to.tag().is_some() || self.is_urgent(hand.place, &request);
        self.desk.tell(layer::Input::Request {
            request: arrived,
            urgent,
        });
        self.listen(Some(Hand {
            read: Read::Request(&request),
            ..hand
        }));
    }

    fn take_response(&mut self, hand: Hand<'_>) {
        let Ok(answer) = Response::read(hand.frame) else {
            self.desk.counters.invalid += 1;
            return;
        };
        self.desk.tell(layer::Input::Response(&answer));
        self.listen(Some(Hand {
            read: Read::Response(&answer),
            ..hand
        }));
    }

    /// Reads what the transactions said, until they say nothing more.
    fn listen(&mut self, hand: Option<Hand<'_>>) {
        for _ in 0..SAID_MAX {
            let Some(said) = self.desk.said.pop_front() else {
                return;
            };
            match said {
                Output::Request(id) => {
                    if let Some(hand) = hand {
                        self.request(id, hand);
                    }
                }
                Output::Response(branch) => {
                    if let Some(hand) = hand {
                        self.response(branch, hand);
                    }
                }
                Output::Ack(_) => {
                    if let Some(hand) = hand {
                        self.ack(hand);
                    }
                }
                Output::Cancelled(id) => {
                    if let Some(&(key, _)) = self.desk.requests.get(&id) {
                        let cause = hand.and_then(|hand| Cause::read(hand.frame));
                        self.with_call(key, |call, desk| call.cancelled(desk, id, cause));
                    }
                }
                Output::TimedOut(Transaction::Client(branch)) => {
                    self.lost(branch, Status::REQUEST_TIMEOUT);
                }
                Output::TransportError(Transaction::Client(branch)) | Output::Refused(branch) => {
                    self.lost(branch, Status::SERVICE_UNAVAILABLE);
                }
                Output::TimedOut(_) | Output::TransportError(_) | Output::Transmit { .. } => {}
            }
        }
    }

    fn request(&mut self, id: ServerId, hand: Hand<'_>) {
        let Read::Request(request) = hand.read else {
            return;
        };
        match self.dialog_of(request) {
            Some((key, side)) => {
                self.with_call(key, |call, desk| {
                    call.request(desk, side, id, hand.source, request);
                });
            }
            None => self.outside(id, hand, request),
        }
    }

    fn ack(&mut self, hand: Hand<'_>) {
        let Read::Request(request) = hand.read else {
            return;
        };
        match self.dialog_of(request) {
            Some((key, side)) => {
                self.with_call(key, |call, desk| call.acknowledged(desk, side, request));
            }
            None => self.desk.counters.stray += 1,
        }
    }

    fn response(&mut self, branch: Branch, hand: Hand<'_>) {
        let Read::Response(answer) = hand.read else {
            return;
        };
        match self.owner(branch) {
            Some(Owner::Call(key, side)) => {
                self.desk.out.steps.push(Step {
                    call: key,
                    side,
                    ours: false,
                    frame: Some(hand.frame.clone()),
                    bytes: bytes::Bytes::new(),
                });
                self.with_call(key, |call, desk| call.response(desk, branch, answer));
            }
            Some(Owner::Options(place)) => self.options_answered(place, answer),
            None => self.desk.counters.stray += 1,
        }
    }

    fn lost(&mut self, branch: Branch, status: Status) {
        match self.owner(branch) {
            Some(Owner::Call(key, _)) => {
                self.with_call(key, |call, desk| call.lost(desk, branch, status));
            }
            Some(Owner::Options(place)) => self.options_lost(place),
            None => {}
        }
    }

    /// Returns whose request a branch is of.
    fn owner(&self, branch: Branch) -> Option<Owner> {
        let key = self.desk.key_of(branch);
        if let Some(call) = self.calls.get(&key)
            && let Some(side) = call.side_of(branch)
        {
            return Some(Owner::Call(key, side));
        }
        let mut peers = self.desk.peers.all.iter();
        let asked = |peer: &peers::Neighbour| peer.asked.is_some_and(|(ours, _)| ours == branch);
        peers.position(asked).map(Owner::Options)
    }

    /// Returns the call and the side that a request belongs to, by our tag, and
    /// by what its dialog knows of the other side.
    fn dialog_of(&self, request: &Request<'_>) -> Option<(u32, Side)> {
        let &(key, side) = self.desk.tags.get(request.to.tag()?)?;
        let leg = self.calls.get(&key)?.leg(side)?;
        leg.knows(request.call_id.0, request.to.tag(), request.from.tag())
            .then_some((key, side))
    }

    /// Lets a call handle something, then puts it back in order: when it wants to
    /// be woken, which tags it has, or that it is over.
    pub(crate) fn with_call(&mut self, key: u32, act: impl FnOnce(&mut Call, &mut Desk)) {
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        act(call, &mut self.desk);
        self.settle(key);
    }

    fn settle(&mut self, key: u32) {
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if let Some(moment) = call.wake.take() {
            self.desk.wakes.remove(&(moment, key));
        }
        if call.is_over() {
            for tag in call.tags() {
                self.desk.tags.remove(&tag);
            }
            self.calls.remove(&key);
            return;
        }
        for (at, leg) in call.legs.iter().enumerate() {
            let side = if at == 0 { Side::A } else { Side::B };
            if !self.desk.tags.contains_key(&leg.tag) {
                self.desk.tags.insert(leg.tag.clone(), (key, side));
            }
        }
        call.wake = call.next_wakeup();
        if let Some(moment) = call.wake {
            self.desk.wakes.insert((moment, key));
        }
    }

    /// Returns the peer that signals from there, at that socket of ours.
    fn place_of(&self, from: Destination, at: Socket) -> Option<usize> {
        let peer = self.desk.node.peer_at(from.remote.ip(), at)?;
        self.desk.peers.place(&peer.name)
    }

    /// Returns whether the request of the peer at `place` calls for help.
    fn is_urgent(&self, place: usize, request: &Request<'_>) -> bool {
        if request.method != Method::Invite {
            return false;
        }
        let emergency = &self.desk.node.emergency;
        let help = || {
            let dialled = crate::parties::number(&request.uri)?;
            crate::parties::help(emergency, self.desk.peer(place)?, &dialled)
        };
        request.uri.is_emergency() || help().is_some()
    }

    fn malformed(&mut self, from: Destination, at: Socket, what: &Malformed) {
        self.desk.counters.malformed += 1;
        let (Some(place), Some(frame), Some(code)) =
            (self.place_of(from, at), what.frame(), what.answer())
        else {
            return;
        };
        let peer = Neighbour(u32::try_from(place).unwrap_or(u32::MAX));
        let hand = Hand {
            frame,
            read: Read::Nothing,
            source: Source { peer, from },
            at,
            place,
        };
        if let Some(status) = Status::new(code) {
            self.refuse_outside(hand, status);
        }
    }

    /// Dialogs outlive their connections: requests of ours take another way.
    fn disconnected(&mut self, connection: u64) {
        for call in self.calls.values_mut() {
            for leg in &mut call.legs {
                leg.disconnected(&self.desk, connection);
            }
        }
    }

    fn operate(&mut self, wish: &Wish) {
        match wish {
            Wish::Clear { call } => self.with_call(*call, Call::clear),
            Wish::Ask { peer } => {
                let place = self.desk.peers.place(peer);
                let known = place.and_then(|place| self.desk.peers.get_mut(place));
                let is_asked = known.is_some_and(|peer| peer.asked.is_some());
                if let Some(place) = place.filter(|_| !is_asked) {
                    self.ask(place);
                    self.listen(None);
                }
            }
            Wish::Drain { peer, on } => {
                let place = self.desk.peers.place(peer);
                if let Some(peer) = place.and_then(|place| self.desk.peers.get_mut(place)) {
                    peer.drained = *on;
                }
            }
        }
    }

    /// Notes a request of a peer for the ladder of its call.
    fn note_step(&mut self, request: &Request<'_>, frame: &Frame) {
        if let Some((call, side)) = self.dialog_of(request) {
            self.desk.out.steps.push(Step {
                call,
                side,
                ours: false,
                frame: Some(frame.clone()),
                bytes: bytes::Bytes::new(),
            });
        }
    }
}
