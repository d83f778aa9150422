//! Requests of others: matched, passed on once, answered, cancelled, refused
//! (RFC 3261 §17.2, §8.2.2.2, §9.2).

mod machine;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::alarm::Alarms;
use super::super::arrival::Arrived;
use super::super::destination::{Destination, Peer};
use super::super::key::Key;
use super::super::made;
use super::super::timers::Timer;
use super::super::{Action, Reliability};
use super::{Context, Output, ServerId, Slot, Transaction};
use crate::message::{Field, Method, RetryAfter, Status, To};
use crate::wire::{self, Name, Received};
use machine::{Event, Machine};

#[derive(Debug)]
pub(super) struct Servers {
    live: BTreeMap<Key, Server>,
    /// What a request has in common with itself on another path.
    merged: BTreeMap<Key, Key>,
    /// What the ACK of an element of RFC 2543 is found by, once the To tag of
    /// the response is known.
    acks: BTreeMap<Key, Key>,
    /// How many transactions each peer holds.
    peers: BTreeMap<Peer, usize>,
    serial: u32,
}

/// One transaction. Those that linger hold no bytes but a response.
#[derive(Debug)]
pub(super) struct Server {
    to: Destination,
    /// The response sent last, or the 100 that is ready if the TU stays silent.
    kept: Bytes,
    alarms: Alarms,
    /// Only without the cookie in the branch: see [`super::super::key::Secret::legacy`].
    legacy: Option<Box<Legacy>>,
    merged: Option<Key>,
    peer: Peer,
    serial: u32,
    machine: Machine,
    /// Whether what is kept was sent.
    sent: bool,
    /// Whether a CANCEL was passed on.
    cancelled: bool,
}

#[derive(Clone, Copy, Debug)]
struct Legacy {
    base: Key,
    ack: Option<Key>,
}

/// Which bound a request ran into.
enum Full {
    Table,
    Peer,
}

impl Servers {
    pub(super) const fn new() -> Self {
        Self {
            live: BTreeMap::new(),
            merged: BTreeMap::new(),
            acks: BTreeMap::new(),
            peers: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Takes a request (RFC 3261 §17.2.3).
    pub(super) fn request(
        &mut self,
        cx: &mut Context<'_>,
        request: &Arrived<'_>,
        urgent: bool,
        live: usize,
    ) {
        let (parts, peer) = (request.parts(), request.source.peer);
        let found = cx.shared.secret.request(peer, &parts, parts.method);
        if parts.method == Method::Ack {
            return self.ack(cx, found.key);
        }
        if self.live.contains_key(&found.key) {
            cx.shared.counters.repeated_requests += 1;
            return self.step(cx, found.key, Event::Request);
        }
        if parts.method == Method::Cancel {
            return self.cancel(cx, request, found.key, live);
        }
        let merged = cx.shared.secret.merged(peer, &parts);
        let is_merged = merged.is_some_and(|merged| self.merged.contains_key(&merged));
        if let Some(full) = self.full(cx, peer, live, urgent || parts.to_tag.is_some()) {
            return refuse(cx, request, found.key, &full);
        }
        let legacy = found.base.map(|base| Box::new(Legacy { base, ack: None }));
        self.insert(cx, request, found.key, legacy);
        if is_merged {
            cx.shared.counters.merged += 1;
            return self.answer(cx, request, found.key, Status::LOOP_DETECTED);
        }
        if let (Some(merged), Some(server)) = (merged, self.live.get_mut(&found.key)) {
            server.merged = Some(merged);
            self.merged.insert(merged, found.key);
        }
        if let Some(server) = self.live.get(&found.key) {
            cx.out.push(Output::Request(server.id(found.key)));
        }
    }

    /// An ACK belongs to the transaction whose INVITE it is like, or, without
    /// the cookie, to the one whose response it is like; that of a 2xx
    /// belongs to nobody here (RFC 3261 §17.2.3, RFC 6026 §7.1).
    fn ack(&mut self, cx: &mut Context<'_>, key: Key) {
        let key = self.acks.get(&key).copied().unwrap_or(key);
        if self.live.contains_key(&key) {
            self.step(cx, key, Event::Ack);
        } else {
            cx.shared.counters.unmatched_acks += 1;
            cx.out.push(Output::Ack(None));
        }
    }

    /// A CANCEL is answered here: 200 if there is what it cancels, else 481.
    /// The TU hears of it if it can still answer otherwise (RFC 3261 §9.2).
    fn cancel(&mut self, cx: &mut Context<'_>, request: &Arrived<'_>, key: Key, live: usize) {
        let (parts, peer) = (request.parts(), request.source.peer);
        let invite = cx.shared.secret.request(peer, &parts, Method::Invite).key;
        let tag = cx.shared.secret.tag(invite);
        let (status, passes) = match self.live.get_mut(&invite) {
            Some(server) => {
                let passes = server.machine.is_open() && !server.cancelled;
                server.cancelled |= passes;
                (Status::OK, passes.then(|| server.id(invite)))
            }
            None => {
                cx.shared.counters.stray_cancels += 1;
                (Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST, None)
            }
        };
        let bytes = answer(request, status, Some(tag.as_str()), None);
        if self.full(cx, peer, live, true).is_some() {
            cx.out.push(Output::Transmit {
                to: request.answer_to(),
                bytes,
                by: None,
            });
        } else {
            self.insert(cx, request, key, None);
            self.step_with(cx, key, Event::Response(status.class()), bytes);
        }
        cx.out.extend(passes.map(Output::Cancelled));
    }

    /// Returns which bound another transaction would break. In an urgent case
    /// the reserve counts as room.
    fn full(&self, cx: &Context<'_>, peer: Peer, live: usize, urgent: bool) -> Option<Full> {
        let limits = &cx.shared.limits;
        let reserve = if urgent { 0 } else { limits.reserve };
        let held = self.peers.get(&peer).copied().unwrap_or(0);
        if live >= limits.transactions.saturating_sub(reserve) {
            return Some(Full::Table);
        }
        (held >= limits.per_peer.saturating_sub(reserve)).then_some(Full::Peer)
    }

    fn insert(
        &mut self,
        cx: &mut Context<'_>,
        request: &Arrived<'_>,
        key: Key,
        legacy: Option<Box<Legacy>>,
    ) {
        self.serial = self.serial.wrapping_add(1);
        let peer = request.source.peer;
        *self.peers.entry(peer).or_default() += 1;
        let (machine, actions) = Machine::start(request.request.method);
        let mut server = Server {
            to: request.answer_to(),
            kept: answer(request, Status::TRYING, None, None),
            alarms: Alarms::new(),
            legacy,
            merged: None,
            peer,
            serial: self.serial,
            machine,
            sent: false,
            cancelled: false,
        };
        // The TU is told by who calls this.
        for action in actions {
            if let Action::Start(timer) = action {
                server.alarms.start(cx.now, *timer, &cx.shared.timings);
            }
        }
        let next = server.alarms.next();
        cx.shared.queue.set(Slot::Server(key), None, next);
        self.live.insert(key, server);
    }

    /// Answers in the place of the TU.
    fn answer(&mut self, cx: &mut Context<'_>, request: &Arrived<'_>, key: Key, status: Status) {
        let tag = cx.shared.secret.tag(key);
        let bytes = answer(request, status, Some(tag.as_str()), None);
        self.learn_ack(cx, key, &bytes);
        self.step_with(cx, key, Event::Response(status.class()), bytes);
    }

    /// Takes a response of the TU.
    pub(super) fn respond(
        &mut self,
        cx: &mut Context<'_>,
        id: ServerId,
        status: Status,
        bytes: Bytes,
    ) {
        let class = status.class();
        let Some(server) = self.get(id) else {
            cx.shared.counters.unsent_responses += 1;
            return;
        };
        if !server.allows(status) {
            cx.shared.counters.unsent_responses += 1;
            return;
        }
        if status.is_final() {
            self.learn_ack(cx, id.key, &bytes);
        }
        self.step_with(cx, id.key, Event::Response(class), bytes);
    }

    /// Remembers what the ACK of an element of RFC 2543 will look like.
    fn learn_ack(&mut self, cx: &Context<'_>, key: Key, response: &Bytes) {
        let Some(server) = self.live.get_mut(&key) else {
            return;
        };
        let (Some(legacy), Machine::Invite(_)) = (&mut server.legacy, server.machine) else {
            return;
        };
        if legacy.ack.is_some() {
            return;
        }
        let Ok(Received::Message(frame)) = wire::datagram(BytesMut::from(&response[..])) else {
            return;
        };
        let to = frame.first(Name::To).and_then(|to| To::parse(to).ok());
        let tag = to.as_ref().and_then(To::tag);
        let ack = cx.shared.secret.legacy(legacy.base, tag);
        legacy.ack = Some(ack);
        self.acks.insert(ack, key);
    }

    /// The driver could not send what the transaction gave it.
    pub(super) fn unsent(&mut self, cx: &mut Context<'_>, id: ServerId) {
        if self.get(id).is_some() {
            self.step(cx, id.key, Event::TransportError);
        }
    }

    /// Ends a transaction without a word.
    pub(super) fn forget(&mut self, cx: &mut Context<'_>, id: ServerId) {
        if self.get(id).is_some() {
            self.remove(cx, id.key);
        }
    }

    /// Does what the timer that has fired asks for.
    pub(super) fn fire(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(server) = self.live.get_mut(&key) else {
            return;
        };
        let was = server.alarms.next();
        let fired = server.alarms.fire(cx.now);
        let is = server.alarms.next();
        cx.shared.queue.set(Slot::Server(key), was, is);
        if let Some(timer) = fired {
            self.step(cx, key, Event::Fired(timer));
        }
    }

    fn get(&self, id: ServerId) -> Option<&Server> {
        let server = self.live.get(&id.key)?;
        (server.serial == id.serial).then_some(server)
    }

    fn step(&mut self, cx: &mut Context<'_>, key: Key, event: Event) {
        self.step_with(cx, key, event, Bytes::new());
    }

    /// Takes one step; `bytes` are the TU's response, if that is the event.
    fn step_with(&mut self, cx: &mut Context<'_>, key: Key, event: Event, bytes: Bytes) {
        let Some(server) = self.live.get_mut(&key) else {
            return;
        };
        let was = server.alarms.next();
        let reliability = server.to.transport.reliability();
        let (machine, actions) = server.machine.next(reliability, event);
        if matches!(event, Event::Response(_)) && actions.is_empty() {
            cx.shared.counters.unsent_responses += 1;
        }
        server.machine = machine;
        let mut bytes = Some(bytes);
        for action in actions {
            server.act(cx, key, *action, &mut bytes);
        }
        if !machine.keeps() {
            server.kept = Bytes::new();
        }
        let is = server.alarms.next();
        cx.shared.queue.set(Slot::Server(key), was, is);
        if machine.is_terminated() {
            self.remove(cx, key);
        }
    }

    fn remove(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(server) = self.live.remove(&key) else {
            return;
        };
        let was = server.alarms.next();
        cx.shared.queue.set(Slot::Server(key), was, None);
        if let Some(merged) = server.merged {
            self.merged.remove(&merged);
        }
        if let Some(ack) = server.legacy.and_then(|legacy| legacy.ack) {
            self.acks.remove(&ack);
        }
        if let Some(held) = self.peers.get_mut(&server.peer) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.peers.remove(&server.peer);
            }
        }
    }
}

/// Answers 503 without a transaction (RFC 3261 §21.5.4, §8.2.7).
fn refuse(cx: &mut Context<'_>, request: &Arrived<'_>, key: Key, full: &Full) {
    match full {
        Full::Table => cx.shared.counters.refused_full += 1,
        Full::Peer => cx.shared.counters.refused_peer += 1,
    }
    let tag = cx.shared.secret.tag(key);
    let wait = Some(RetryAfter {
        secs: cx.shared.limits.retry_after_secs,
        duration_secs: None,
    });
    let bytes = answer(
        request,
        Status::SERVICE_UNAVAILABLE,
        Some(tag.as_str()),
        wait,
    );
    cx.out.push(Output::Transmit {
        to: request.answer_to(),
        bytes,
        by: None,
    });
}

fn answer(
    to: &Arrived<'_>,
    status: Status,
    tag: Option<&str>,
    retry_after: Option<RetryAfter>,
) -> Bytes {
    made::answer(to.request.frame, &to.source, status, tag, retry_after)
}

impl Server {
    const fn id(&self, key: Key) -> ServerId {
        ServerId {
            key,
            serial: self.serial,
        }
    }

    /// Returns whether RFC 4320 lets `status` be sent: a request other than
    /// INVITE is not answered 408, nor with a provisional other than 100, nor
    /// over UDP with a 100 before the client has slowed down (§4.1, §4.2).
    fn allows(&self, status: Status) -> bool {
        let early = self.alarms.runs(Timer::LateTrying)
            && self.to.transport.reliability() == Reliability::Unreliable;
        match self.machine {
            Machine::Invite(_) => true,
            Machine::Other(_) if status == Status::TRYING => !early,
            Machine::Other(_) => status.is_final() && status != Status::REQUEST_TIMEOUT,
        }
    }

    fn act(&mut self, cx: &mut Context<'_>, key: Key, action: Action, bytes: &mut Option<Bytes>) {
        let timings = &cx.shared.timings;
        match action {
            Action::Start(timer) => self.alarms.start(cx.now, timer, timings),
            Action::Double(timer) => self.alarms.double(cx.now, timer, timings),
            Action::Slow(timer) => self.alarms.slow(cx.now, timer, timings),
            Action::Stop(timer) => self.alarms.stop(timer),
            Action::Send => {
                if let Some(bytes) = bytes.take() {
                    self.kept = bytes;
                    self.transmit(cx, key);
                }
            }
            Action::SendTrying => self.transmit(cx, key),
            Action::Resend if self.sent => {
                cx.shared.counters.retransmitted += 1;
                self.transmit(cx, key);
            }
            // Nothing was answered yet.
            Action::Resend => {}
            Action::Pass => cx.out.push(Output::Ack(Some(self.id(key)))),
            Action::ReportTimeout => {
                cx.shared.counters.timeouts += 1;
                let server = Transaction::Server(self.id(key));
                cx.out.push(Output::TimedOut(server));
            }
            Action::ReportTransportError => {
                cx.shared.counters.transport_errors += 1;
                let server = Transaction::Server(self.id(key));
                cx.out.push(Output::TransportError(server));
            }
            // Clients have this one.
            Action::SendAck => {}
        }
    }

    fn transmit(&mut self, cx: &mut Context<'_>, key: Key) {
        self.sent = true;
        cx.out.push(Output::Transmit {
            to: self.to,
            bytes: self.kept.clone(),
            by: Some(Transaction::Server(self.id(key))),
        });
    }
}

/// What one transaction takes in the table, with its place among the merged.
#[cfg(test)]
pub(super) const SIZE: usize = size_of::<Key>() + size_of::<Server>() + 2 * size_of::<Key>();

#[cfg(test)]
impl Servers {
    /// Returns whether each index is of what is alive.
    pub(super) fn is_consistent(&self) -> bool {
        let merged = |(key, live): (&Key, &Key)| {
            let server = self.live.get(live);
            server.is_some_and(|server| server.merged == Some(*key))
        };
        self.peers.values().sum::<usize>() == self.live.len()
            && self.merged.iter().all(merged)
            && self.acks.values().all(|live| self.live.contains_key(live))
    }

    /// Returns whether no index holds anything.
    pub(super) fn is_clear(&self) -> bool {
        self.live.is_empty()
            && self.merged.is_empty()
            && self.acks.is_empty()
            && self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 150,000 of these are the bound: what lingers must be small.
    #[test]
    fn a_server_transaction_takes_160_bytes_at_most() {
        assert!(size_of::<Server>() <= 160, "{}", size_of::<Server>());
    }
}
