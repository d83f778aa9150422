//! Messages and moments come in, bytes and word to the TU go out: the live
//! transactions and their matching, RFC 3261 §17, §9, §8.2.2.2 and §18.2.2.

mod clients;
mod servers;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use bytes::Bytes;

use super::alarm::{Moment, Queue};
use super::arrival::Arrived;
use super::branch::Branch;
use super::destination::Destination;
use super::key::{Key, Secret};
use super::timers::Timings;
use crate::Instant;
use crate::message::validate::Response;
use crate::message::{Method, Reason, Status};
use clients::{ClientKey, Clients};
use servers::Servers;

/// What the layer may hold. Each number is one of `show limits`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most transactions of both kinds. 1,000 calls a second over UDP keep
    /// about 101,000 waiting for repetitions: three for 32 s, one for 5 s. A
    /// CANCEL of ours is sent all the same, one for each INVITE at most.
    pub transactions: usize,
    /// The most server transactions one peer may hold, so that one that floods
    /// leaves room for the others.
    pub per_peer: usize,
    /// How many of either only urgent requests and those within a dialog may
    /// take, so that calls can be ended and help be called when it is full.
    pub reserve: usize,
    /// What a refused peer is told to wait, in seconds (RFC 3261 §20.33).
    pub retry_after_secs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: 150_000,
            per_peer: 100_000,
            reserve: 10_000,
            retry_after_secs: 5,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A valid request arrived. An urgent one may use the reserve.
    Request { request: Arrived<'a>, urgent: bool },
    /// A valid response arrived.
    Response(&'a Response<'a>),
    /// The TU sends a request other than ACK.
    Send(Outgoing<'a>),
    /// The TU answers. The bytes are those of a response with that status and
    /// the Vias of the request (see [`super::made::response`]).
    Respond {
        server: ServerId,
        status: Status,
        bytes: Bytes,
    },
    /// The TU gives up an INVITE it sent, and may say why (RFC 3261 §9.1).
    Cancel {
        client: Branch,
        reason: Option<Reason<'a>>,
    },
    /// The TU will not speak of this again, and wants to hear no more of it.
    Forget(Transaction),
    /// The driver could not send what this transaction gave it last.
    Unsent(Transaction),
    /// The driver cannot reach this destination, or lost this connection.
    Unreachable(Destination),
    /// The moment of [`Layer::next_wakeup`] has come.
    Wakeup,
}

/// A request of ours, written and about to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The branch in its Via.
    pub branch: Branch,
    pub method: Method<'a>,
    pub bytes: Bytes,
    pub to: Destination,
}

/// The name of a server transaction. It is never used twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ServerId {
    key: Key,
    serial: u32,
}

/// The name of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transaction {
    Client(Branch),
    /// The CANCEL of a client transaction, which has its branch.
    Cancel(Branch),
    Server(ServerId),
}

/// What follows. Where a message is passed to the TU, it is the one in the
/// input that was just given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send these bytes; on failure, say so with [`Input::Unsent`] of `by`.
    Transmit {
        to: Destination,
        bytes: Bytes,
        by: Option<Transaction>,
    },
    /// The request is new: answer it.
    Request(ServerId),
    /// The request is the ACK of a 2xx: of that transaction, or of whom its
    /// dialog says.
    Ack(Option<ServerId>),
    /// This INVITE, not answered yet, was cancelled by the request, which is
    /// answered already: respond 487 (RFC 3261 §9.2).
    Cancelled(ServerId),
    /// The response is for that request.
    Response(Branch),
    /// That request got no final response, which counts as 408 (RFC 3261
    /// §8.1.3.1), or that response to an INVITE got no ACK.
    TimedOut(Transaction),
    /// That message could not be sent, which for a request counts as 503 (RFC
    /// 3261 §8.1.3.1).
    TransportError(Transaction),
    /// The request was not sent: the table is full, or the branch was used.
    Refused(Branch),
}

/// How often what happened, since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Requests a transaction knew already.
    pub repeated_requests: u64,
    /// Responses a transaction had no use for.
    pub ignored_responses: u64,
    /// Responses to no request of ours (RFC 6026 §8.3 drops them).
    pub stray_responses: u64,
    /// ACKs that were of no transaction: those of 2xx, and strays.
    pub unmatched_acks: u64,
    /// CANCELs of nothing, answered 481.
    pub stray_cancels: u64,
    /// Requests seen on another path, answered 482.
    pub merged: u64,
    /// Requests refused with 503 because the table was full.
    pub refused_full: u64,
    /// The same because their peer's share was.
    pub refused_peer: u64,
    /// Requests of the TU refused because the table was full.
    pub refused_clients: u64,
    /// Responses of the TU that the transaction could not send any more, or
    /// that its kind must not send (RFC 4320 §4).
    pub unsent_responses: u64,
    /// Messages sent again.
    pub retransmitted: u64,
    /// Transactions that waited in vain.
    pub timeouts: u64,
    /// Messages the transport could not deliver.
    pub transport_errors: u64,
    /// ACKs or CANCELs that could not be made from the INVITE.
    pub not_made: u64,
}

/// What both kinds of transaction use.
#[derive(Debug)]
struct Shared {
    secret: Secret,
    timings: Timings,
    limits: Limits,
    counters: Counters,
    queue: Queue<Slot>,
}

/// Whose moment it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Slot {
    Client(ClientKey),
    Server(Key),
}

/// What a step needs beside the transaction it is of.
struct Context<'c> {
    now: Moment,
    shared: &'c mut Shared,
    out: &'c mut Vec<Output>,
}

/// The live transactions of the node.
#[derive(Debug)]
pub struct Layer {
    shared: Shared,
    clients: Clients,
    servers: Servers,
}

impl Layer {
    /// Returns an empty layer.
    pub const fn new(secret: Secret, timings: Timings, limits: Limits) -> Self {
        Self {
            shared: Shared {
                secret,
                timings,
                limits,
                counters: Counters::ZERO,
                queue: Queue::new(),
            },
            clients: Clients::new(),
            servers: Servers::new(),
        }
    }

    /// Takes one input, and writes everything that follows from it to `out`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Output>) {
        let now = Moment::of(now);
        let live = self.len();
        let shared = &mut self.shared;
        let mut context = Context { now, shared, out };
        let context = &mut context;
        match input {
            Input::Request { request, urgent } => {
                self.servers.request(context, &request, urgent, live);
            }
            Input::Response(response) => self.clients.response(context, response),
            Input::Send(outgoing) => self.clients.send(context, outgoing, live),
            Input::Respond {
                server,
                status,
                bytes,
            } => self.servers.respond(context, server, status, bytes),
            Input::Cancel { client, reason } => {
                self.clients.cancel(context, client, reason.as_ref());
            }
            Input::Forget(Transaction::Server(server)) => self.servers.forget(context, server),
            Input::Forget(Transaction::Client(branch) | Transaction::Cancel(branch)) => {
                self.clients.forget(context, branch);
            }
            Input::Unsent(Transaction::Server(server)) => self.servers.unsent(context, server),
            Input::Unsent(Transaction::Client(branch)) => {
                self.clients.unsent(context, ClientKey::request(branch));
            }
            Input::Unsent(Transaction::Cancel(branch)) => {
                self.clients.unsent(context, ClientKey::cancel(branch));
            }
            Input::Unreachable(to) => self.clients.unreachable(context, to),
            Input::Wakeup => {}
        }
        self.fire(now, out);
    }

    /// Returns when the layer next wants [`Input::Wakeup`].
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.shared.queue.next().map(Moment::instant)
    }

    /// Returns how many transactions are alive, lingering ones included.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what was counted.
    pub const fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Returns the bounds in force.
    pub const fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Returns the To tag for the answers to that request. A TU that uses it
    /// has the tag that the layer's own answers have: the 200 for a CANCEL
    /// should have that of the INVITE's response (RFC 3261 §9.2).
    pub fn tag(&self, server: ServerId) -> super::key::Tag {
        self.shared.secret.tag(server.key)
    }

    /// Each timer that fires is started again later than `now` or not at all,
    /// so this ends.
    fn fire(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some(slot) = self.shared.queue.due(now) {
            let shared = &mut self.shared;
            let mut context = Context { now, shared, out };
            match slot {
                Slot::Client(key) => self.clients.fire(&mut context, key),
                Slot::Server(key) => self.servers.fire(&mut context, key),
            }
        }
    }
}

impl Counters {
    /// Nothing yet.
    pub const ZERO: Self = Self {
        repeated_requests: 0,
        ignored_responses: 0,
        stray_responses: 0,
        unmatched_acks: 0,
        stray_cancels: 0,
        merged: 0,
        refused_full: 0,
        refused_peer: 0,
        refused_clients: 0,
        unsent_responses: 0,
        retransmitted: 0,
        timeouts: 0,
        transport_errors: 0,
        not_made: 0,
    };
}
