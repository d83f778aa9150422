//! Requests of ours: sent, repeated, answered, cancelled (RFC 3261 §17.1, §9.1).

mod machine;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::alarm::{Alarms, Moment};
use super::super::branch::Branch;
use super::super::destination::Destination;
use super::super::timers::Timer;
use super::super::{Action, made};
use super::{Context, Outgoing, Output, Slot, Transaction};
use crate::message::validate::Response;
use crate::message::{Method, Reason};
use crate::wire::Name;
use machine::{Event, Machine};

/// A request, or the CANCEL for it, which has the same branch (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct ClientKey {
    branch: Branch,
    cancel: bool,
}

impl ClientKey {
    pub(super) const fn request(branch: Branch) -> Self {
        Self {
            branch,
            cancel: false,
        }
    }

    pub(super) const fn cancel(branch: Branch) -> Self {
        Self {
            branch,
            cancel: true,
        }
    }

    const fn transaction(self) -> Transaction {
        match self.cancel {
            true => Transaction::Cancel(self.branch),
            false => Transaction::Client(self.branch),
        }
    }
}

#[derive(Debug)]
pub(super) struct Clients {
    live: BTreeMap<ClientKey, Client>,
    /// Those that wait for an answer from there, and fail if there is no there.
    waiting: BTreeSet<(Destination, ClientKey)>,
}

/// One transaction. Those that linger hold no bytes but an ACK.
#[derive(Debug)]
pub(super) struct Client {
    to: Destination,
    /// The request, then the ACK, as long as either may have to be sent again.
    kept: Bytes,
    /// The CANCEL, as long as it may not be sent (RFC 3261 §9.1).
    cancel: Option<Box<Bytes>>,
    alarms: Alarms,
    machine: Machine,
    method: Kind,
}

/// A method without its borrow. All unknown ones are alike: the branch alone
/// is enough to tell our requests apart, and only CANCEL shares one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Kind(u8);

impl Kind {
    fn of(method: Method<'_>) -> Self {
        let row = Method::KNOWN.iter().position(|known| *known == method);
        Self(
            row.and_then(|row| u8::try_from(row).ok())
                .unwrap_or(u8::MAX),
        )
    }
}

impl Clients {
    pub(super) const fn new() -> Self {
        Self {
            live: BTreeMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// Sends a request of the TU. An ACK is no transaction of its own (RFC
    /// 3261 §17.1), and a CANCEL is sent by [`Clients::cancel`].
    pub(super) fn send(&mut self, cx: &mut Context<'_>, request: Outgoing<'_>, live: usize) {
        let key = ClientKey::request(request.branch);
        let ours = matches!(request.method, Method::Ack | Method::Cancel);
        if ours || live >= cx.shared.limits.transactions || self.live.contains_key(&key) {
            cx.shared.counters.refused_clients += 1;
            cx.out.push(Output::Refused(request.branch));
            return;
        }
        self.start(cx, key, request.method, request.bytes, request.to);
    }

    fn start(
        &mut self,
        cx: &mut Context<'_>,
        key: ClientKey,
        method: Method<'_>,
        bytes: Bytes,
        to: Destination,
    ) {
        let (machine, actions) = Machine::start(method, to.transport.reliability());
        let client = Client {
            to,
            kept: bytes,
            cancel: None,
            alarms: Alarms::new(),
            machine,
            method: Kind::of(method),
        };
        self.live.insert(key, client);
        self.waiting.insert((to, key));
        self.perform(cx, key, machine, actions, None);
    }

    /// Takes a response (RFC 3261 §17.1.3).
    pub(super) fn response(&mut self, cx: &mut Context<'_>, response: &Response<'_>) {
        let method = response.cseq.method;
        let key = response.via.branch().and_then(Branch::parse);
        let key = key.map(|branch| ClientKey {
            branch,
            cancel: method == Method::Cancel,
        });
        let found = key.and_then(|key| Some((key, self.live.get(&key)?)));
        match found {
            Some((key, client)) if client.method == Kind::of(method) => {
                let event = Event::Response(response.status.class());
                self.step(cx, key, event, Some(response));
            }
            _ => cx.shared.counters.stray_responses += 1,
        }
    }

    /// Cancels an INVITE: as soon as it was heard, if it was not (RFC 3261 §9.1).
    pub(super) fn cancel(
        &mut self,
        cx: &mut Context<'_>,
        branch: Branch,
        reason: Option<&Reason<'_>>,
    ) {
        let key = ClientKey::request(branch);
        let Some(client) = self.live.get_mut(&key) else {
            return;
        };
        if !(client.machine.is_calling() || client.machine.is_proceeding())
            || client.alarms.runs(Timer::Cancelled)
        {
            return;
        }
        match made::cancel(&client.kept, reason) {
            Some(bytes) => client.cancel = Some(Box::new(bytes)),
            None => cx.shared.counters.not_made += 1,
        }
        self.send_cancel(cx, key);
    }

    /// Sends the CANCEL that waits, if the INVITE was heard. From then on it
    /// has 64*T1 to be answered.
    fn send_cancel(&mut self, cx: &mut Context<'_>, key: ClientKey) {
        let Some(client) = self.live.get_mut(&key) else {
            return;
        };
        if !client.machine.is_proceeding() {
            return;
        }
        let Some(bytes) = client.cancel.take() else {
            return;
        };
        let to = client.to;
        let was = client.alarms.next();
        let timings = &cx.shared.timings;
        client.alarms.start(cx.now, Timer::Cancelled, timings);
        let is = client.alarms.next();
        cx.shared.queue.set(Slot::Client(key), was, is);
        let cancel = ClientKey::cancel(key.branch);
        if !self.live.contains_key(&cancel) {
            self.start(cx, cancel, Method::Cancel, *bytes, to);
        }
    }

    /// The driver could not send what the transaction gave it.
    pub(super) fn unsent(&mut self, cx: &mut Context<'_>, key: ClientKey) {
        self.step(cx, key, Event::TransportError, None);
    }

    /// Fails whatever waits for an answer from there.
    pub(super) fn unreachable(&mut self, cx: &mut Context<'_>, to: Destination) {
        let first = ClientKey::request(Branch::new(0));
        while let Some((there, key)) = self.waiting.range((to, first)..).next().copied() {
            if there != to {
                return;
            }
            self.waiting.remove(&(there, key));
            self.step(cx, key, Event::TransportError, None);
        }
    }

    /// Ends a request and its CANCEL without a word.
    pub(super) fn forget(&mut self, cx: &mut Context<'_>, branch: Branch) {
        for key in [ClientKey::request(branch), ClientKey::cancel(branch)] {
            self.remove(cx, key);
        }
    }

    /// Does what the timer that has fired asks for.
    pub(super) fn fire(&mut self, cx: &mut Context<'_>, key: ClientKey) {
        let Some(client) = self.live.get_mut(&key) else {
            return;
        };
        let was = client.alarms.next();
        let fired = client.alarms.fire(cx.now);
        let is = client.alarms.next();
        cx.shared.queue.set(Slot::Client(key), was, is);
        if let Some(timer) = fired {
            self.step(cx, key, Event::Fired(timer), None);
        }
    }

    fn step(
        &mut self,
        cx: &mut Context<'_>,
        key: ClientKey,
        event: Event,
        response: Option<&Response<'_>>,
    ) {
        let Some(client) = self.live.get(&key) else {
            return;
        };
        let reliability = client.to.transport.reliability();
        let (machine, actions) = client.machine.next(reliability, event);
        if response.is_some() && actions.is_empty() {
            cx.shared.counters.ignored_responses += 1;
        }
        self.perform(cx, key, machine, actions, response);
        self.send_cancel(cx, key);
    }

    fn perform(
        &mut self,
        cx: &mut Context<'_>,
        key: ClientKey,
        machine: Machine,
        actions: &[Action],
        response: Option<&Response<'_>>,
    ) {
        let Some(client) = self.live.get_mut(&key) else {
            return;
        };
        let was = client.alarms.next();
        if client.machine.waits() && !machine.waits() {
            self.waiting.remove(&(client.to, key));
        }
        client.machine = machine;
        for action in actions {
            client.act(cx, key, *action, response);
        }
        if !machine.keeps() {
            client.kept = Bytes::new();
        }
        if !(machine.is_calling() || machine.is_proceeding()) {
            client.cancel = None;
        }
        let is = client.alarms.next();
        cx.shared.queue.set(Slot::Client(key), was, is);
        if machine.is_terminated() {
            self.remove(cx, key);
        }
    }

    fn remove(&mut self, cx: &mut Context<'_>, key: ClientKey) {
        if let Some(client) = self.live.remove(&key) {
            self.waiting.remove(&(client.to, key));
            let was = client.alarms.next();
            cx.shared.queue.set(Slot::Client(key), was, None);
        }
    }
}

impl Client {
    fn act(
        &mut self,
        cx: &mut Context<'_>,
        key: ClientKey,
        action: Action,
        response: Option<&Response<'_>>,
    ) {
        let now: Moment = cx.now;
        let timings = &cx.shared.timings;
        match action {
            Action::Start(timer) => self.alarms.start(now, timer, timings),
            Action::Double(timer) => self.alarms.double(now, timer, timings),
            Action::Slow(timer) => self.alarms.slow(now, timer, timings),
            Action::Stop(timer) => self.alarms.stop(timer),
            Action::Send => self.transmit(cx, key),
            Action::Resend => {
                cx.shared.counters.retransmitted += 1;
                self.transmit(cx, key);
            }
            Action::SendAck => self.acknowledge(cx, key, response),
            Action::Pass => report(cx, key, Output::Response(key.branch)),
            Action::ReportTimeout => {
                cx.shared.counters.timeouts += 1;
                report(cx, key, Output::TimedOut(key.transaction()));
            }
            Action::ReportTransportError => {
                cx.shared.counters.transport_errors += 1;
                report(cx, key, Output::TransportError(key.transaction()));
            }
            // Servers have this one.
            Action::SendTrying => {}
        }
    }

    fn acknowledge(
        &mut self,
        cx: &mut Context<'_>,
        key: ClientKey,
        response: Option<&Response<'_>>,
    ) {
        let to = response.and_then(|response| response.frame.first(Name::To));
        match to.and_then(|to| made::ack(&self.kept, to)) {
            Some(ack) => {
                self.kept = ack;
                self.transmit(cx, key);
            }
            None => {
                self.kept = Bytes::new();
                cx.shared.counters.not_made += 1;
            }
        }
    }

    fn transmit(&self, cx: &mut Context<'_>, key: ClientKey) {
        if self.kept.is_empty() {
            return;
        }
        cx.out.push(Output::Transmit {
            to: self.to,
            bytes: self.kept.clone(),
            by: Some(key.transaction()),
        });
    }
}

/// The TU hears of its own requests. What becomes of a CANCEL it sees in the INVITE.
fn report(cx: &mut Context<'_>, key: ClientKey, output: Output) {
    if !key.cancel {
        cx.out.push(output);
    }
}

/// What one transaction takes in the table.
#[cfg(test)]
pub(super) const SIZE: usize = size_of::<ClientKey>() + size_of::<Client>();

#[cfg(test)]
impl Clients {
    /// Returns whether the index is of those that wait.
    pub(super) fn is_consistent(&self) -> bool {
        let waiting = self.live.iter().filter(|(_, live)| live.machine.waits());
        let waiting = waiting.map(|(key, live)| (live.to, *key));
        waiting.collect::<BTreeSet<_>>() == self.waiting
    }

    /// Returns whether no index holds anything.
    pub(super) fn is_clear(&self) -> bool {
        self.live.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 150,000 of these are the bound: what lingers must be small.
    #[test]
    fn a_client_transaction_takes_128_bytes_at_most() {
        assert!(size_of::<Client>() <= 128, "{}", size_of::<Client>());
        assert_eq!(size_of::<ClientKey>(), 17);
        assert!(size_of::<Slot>() <= 24, "{}", size_of::<Slot>());
    }
}
