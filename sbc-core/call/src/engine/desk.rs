//! What every call needs at hand while one input is handled: the file, the
//! transactions, randomness, ports, and the box that everything goes into.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sbc_config::Node;
use sbc_media::ports::Ports;
use sbc_sip::Instant;
use sbc_sip::dialog::Dialog;
use sbc_sip::dialog::two_xx::Success;
use sbc_sip::message::{Method, Status, Uri};
use sbc_sip::transaction::branch::Branch;
use sbc_sip::transaction::destination::{Destination, Transport};
use sbc_sip::transaction::layer::{self, Layer, Outgoing, Output, ServerId};

use sbc_sip::transaction::timers::Timings;

use super::peers::Peers;
use crate::Side;
use crate::across::cause::Cause;
use crate::door::{Outbox, Step, Transmit};
use crate::leg::Leg;
use crate::policy::admission::{Limits, Load};
use crate::random::Random;

/// Whose request an answer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    Call(u32, Side),
    /// The keep-alive of the peer at this place.
    Options(usize),
}

impl Owner {
    /// Returns the key of the call, 0 for none.
    #[must_use]
    pub const fn key(self) -> u32 {
        match self {
            Self::Call(key, _) => key,
            Self::Options(_) => 0,
        }
    }
}

/// What is shared by all calls.
#[derive(Debug)]
pub struct Desk {
    pub now: Instant,
    pub node: Node,
    /// Our sockets by their number; one that is gone keeps it.
    pub sockets: Vec<sbc_config::Socket>,
    pub layer: Layer,
    pub random: Random,
    pub peers: Peers,
    pub timings: Timings,
    /// The wall clock at time zero, in milliseconds since 1970.
    epoch_millis: u64,
    /// Hides the calls' keys in our branches.
    mask: u64,
    /// Media ports by the address they are on.
    pub ports: BTreeMap<IpAddr, Ports>,
    /// Which call a tag of ours belongs to.
    pub tags: BTreeMap<crate::random::Hex<16>, (u32, Side)>,
    /// Open requests of peers, for their CANCEL and their end.
    pub requests: BTreeMap<ServerId, (u32, Side)>,
    pub wakes: BTreeSet<(Instant, u32)>,
    pub counters: Counters,
    /// How many calls there are.
    pub calls: u32,
    /// How fast calls begin.
    setups: Load,
    pub out: Outbox,
    /// What the transactions said and nobody has read yet.
    pub said: VecDeque<Output>,
    scratch: Vec<Output>,
}

/// Where SIP is heard if nothing else is said (RFC 3261 §19.1.2).
const SIP_PORT: u16 = 5060;

/// Connection numbers of the driver start here; below are listeners.
pub const FIRST_CONNECTION: u64 = 1 << 32;

/// What happened, as numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    pub calls: u64,
    pub answered: u64,
    pub refused: u64,
    pub emergency: u64,
    pub malformed: u64,
    pub invalid: u64,
    pub unlisted: u64,
    pub stray: u64,
    pub loops: u64,
    pub node_full: u64,
    pub options_received: u64,
    pub retried: u64,
    pub glares: u64,
    pub restored: u64,
    pub unrestored: u64,
}

impl Desk {
    /// Returns a desk with nothing on it.
    pub fn new(node: Node, layer: Layer, mut random: Random, epoch_millis: u64) -> Self {
        let peers = Peers::new(&node, Instant::ZERO, &mut random);
        let ports = ports(&node);
        let mask = random.bits();
        Self {
            timings: Timings::default(),
            epoch_millis,
            mask,
            now: Instant::ZERO,
            sockets: node.listeners().into_iter().collect(),
            node,
            layer,
            random,
            peers,
            ports,
            tags: BTreeMap::new(),
            requests: BTreeMap::new(),
            wakes: BTreeSet::new(),
            counters: Counters::default(),
            calls: 0,
            setups: Load::default(),
            out: Outbox::default(),
            said: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    /// Returns a branch nobody else has: 96 random bits, and the key of the call
    /// it is of, hidden under a mask that those bits choose.
    pub fn branch(&mut self, key: u32) -> Branch {
        let (high, low) = (self.random.bits(), self.random.below(u32::MAX));
        let hidden = key ^ self.veil(high, low);
        Branch::new(u128::from(high) << 64 | u128::from(low) << 32 | u128::from(hidden))
    }

    /// Returns the key of the call that a branch of ours names.
    pub fn key_of(&self, branch: Branch) -> u32 {
        let number = branch.number();
        let high = u64::try_from(number >> 64).unwrap_or(0);
        let low = u32::try_from(number >> 32 & 0xffff_ffff).unwrap_or(0);
        let hidden = u32::try_from(number & 0xffff_ffff).unwrap_or(0);
        hidden ^ self.veil(high, low)
    }

    fn veil(&self, high: u64, low: u32) -> u32 {
        let mixed = (high ^ self.mask)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(low % 64)
            .wrapping_mul(self.mask | 1);
        u32::try_from(mixed >> 32).unwrap_or(0)
    }

    /// Returns the clock of a 2xx of ours to the INVITE with this CSeq.
    pub fn repeat(&self, cseq: u32) -> Success {
        Success::new(self.now, &self.timings, cseq)
    }

    /// Returns `moment` by the wall clock, in milliseconds since 1970.
    pub fn wall_millis(&self, moment: Instant) -> u64 {
        let since = u64::try_from(moment.as_millis()).unwrap_or(u64::MAX);
        self.epoch_millis.saturating_add(since)
    }

    /// Returns where requests of ours on a leg go when its connection is gone: to
    /// the peer's own socket.
    pub fn way_back(&self, leg: &Leg) -> Option<Destination> {
        let peer = self.peer(leg.peer)?;
        let transport = leg.local.transport;
        if leg.to.connection < FIRST_CONNECTION {
            return Some(leg.to);
        }
        let target = peer
            .targets
            .iter()
            .find(|target| target.address.ip() == leg.to.remote.ip())
            .or(peer.targets.first())?;
        let (connection, _) = crate::call::listener(self, peer, *target)?;
        Some(Destination {
            transport,
            remote: target.address,
            connection,
        })
    }

    /// Returns whether one more call may begin in this second.
    pub fn setup_allowed(&mut self) -> bool {
        let limits = Limits {
            calls: u32::MAX,
            reserve: 0,
            per_second: Some(self.node.limits.setup_rate),
        };
        let taken = self.setups.admit(self.now, limits, false).is_ok();
        if taken {
            self.setups.release(false);
        }
        taken
    }

    /// Returns 128 random bits, which our source and name in RTCP come from.
    pub fn random_identity(&mut self) -> u128 {
        u128::from(self.random.bits()) << 64 | u128::from(self.random.bits())
    }

    /// Returns a port for media at `address`, or `None` when none is free.
    pub fn take_port(&mut self, address: IpAddr) -> Option<u16> {
        let random = self.random.below(u32::MAX);
        self.ports.get_mut(&address)?.take(self.now, random)
    }

    /// Gives a port back.
    pub fn give_port(&mut self, address: IpAddr, port: u16) {
        if let Some(ports) = self.ports.get_mut(&address) {
            ports.give(self.now, port);
        }
    }

    /// Returns what the file says of the peer at `place`.
    pub fn peer(&self, place: usize) -> Option<&Arc<sbc_config::Peer>> {
        Some(&self.peers.get(place)?.config)
    }

    /// Returns how the media of the peer at `place` is treated.
    pub fn media_of(&self, place: usize) -> Option<&sbc_media::sdp::Policy> {
        Some(&self.peers.get(place)?.media)
    }

    /// Sends a request of ours; its answer comes back under `branch`.
    pub fn send(
        &mut self,
        owner: Owner,
        branch: Branch,
        method: Method<'_>,
        to: Destination,
        bytes: Vec<u8>,
    ) {
        let bytes = Bytes::from(bytes);
        self.step(owner, &bytes);
        self.tell(layer::Input::Send(Outgoing {
            branch,
            method,
            bytes,
            to,
        }));
    }

    /// Sends an answer of ours.
    pub fn respond(
        &mut self,
        owner: Option<Owner>,
        server: ServerId,
        status: Status,
        bytes: Bytes,
    ) {
        if let Some(owner) = owner {
            self.step(owner, &bytes);
        }
        if status.is_final() {
            self.requests.remove(&server);
        }
        self.tell(layer::Input::Respond {
            server,
            status,
            bytes,
        });
    }

    /// Returns where the next request of ours on a leg goes: by the connection it
    /// has, to the Contact or first route if that is an address the peer may use,
    /// else to the peer's own socket. No name in a message is ever looked up, and
    /// no host off the peer's list is ever sent to.
    pub fn next_hop(&self, leg: &Leg) -> Destination {
        if leg.to.connection >= FIRST_CONNECTION {
            return leg.to;
        }
        let hop = leg.dialog.as_ref().map(Dialog::next_hop);
        let (Some(Uri::Sip(hop)), Some(peer)) = (hop, self.peer(leg.peer)) else {
            return leg.to;
        };
        let other = match hop.transport() {
            Some(word) => !word.eq_ignore_ascii_case(match leg.to.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
                Transport::Tls => "tls",
            }),
            None => false,
        };
        match hop.host.ip() {
            Some(ip) if peer.may_signal(ip) && !other => Destination {
                remote: SocketAddr::new(ip, hop.port.unwrap_or(SIP_PORT)),
                ..leg.to
            },
            _ => leg.to,
        }
    }

    /// Cancels an INVITE of ours, and says why if somebody did.
    pub fn cancel(&mut self, client: Branch, cause: Option<Cause>) {
        let reason = cause.and_then(Cause::reason);
        self.tell(layer::Input::Cancel { client, reason });
    }

    /// Sends an ACK, which is no transaction (RFC 3261 §13.2.2.4).
    pub fn send_ack(&mut self, owner: Owner, to: Destination, bytes: Bytes) {
        self.step(owner, &bytes);
        self.out.transmits.push(Transmit { to, bytes });
    }

    /// Tells the transactions something, and takes what they say: what leaves
    /// goes to the outbox at once, in order; the rest waits to be read.
    pub fn tell(&mut self, input: layer::Input<'_>) {
        let mut scratch = core::mem::take(&mut self.scratch);
        self.layer.handle(self.now, input, &mut scratch);
        for output in scratch.drain(..) {
            match output {
                Output::Transmit { to, bytes, .. } => {
                    self.out.transmits.push(Transmit { to, bytes });
                }
                other => self.said.push_back(other),
            }
        }
        self.scratch = scratch;
    }

    /// Notes a message of ours for the ladder.
    fn step(&mut self, owner: Owner, bytes: &Bytes) {
        if let Owner::Call(call, side) = owner {
            self.out.steps.push(Step {
                call,
                side,
                ours: true,
                frame: None,
                bytes: bytes.clone(),
            });
        }
    }
}

/// Each address that media can arrive at has the whole range of its own.
pub(super) fn ports(node: &Node) -> BTreeMap<IpAddr, Ports> {
    let (first, last) = (*node.media.ports.start(), *node.media.ports.end());
    let sockets = node.peers().flat_map(|peer| peer.listen.iter());
    sockets
        .filter_map(|socket| {
            let ports = Ports::new(first, last).ok()?;
            Some((socket.address.ip(), ports))
        })
        .collect()
}
