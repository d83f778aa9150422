//! The SIP neighbours while the node runs: what each carries, whether it lives,
//! and when it is asked next (RFC 3261 §11).

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use sbc_config::network::Via;
use sbc_config::peer::KeepaliveMethod;
use sbc_config::{Name, Node, Peer, PeerName};
use sbc_media::sdp::Policy;
use sbc_sip::Instant;
use sbc_sip::transaction::Branch;

use crate::door::Network;
use crate::leg::media::policy;
use crate::peer::health::{Health, State, Watch};
use crate::policy::admission::{Full, Limits, Load};
use crate::random::Random;
use crate::route::Facts;

/// A peer without a limit in the file carries as many calls as two full Gigabit
/// ports do.
const CALLS_WITHOUT_LIMIT: u32 = 10_504;

/// An answer to OPTIONS that takes longer counts as none: a peer that needs five
/// seconds for it is of no use to a caller.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// What is known of one peer.
#[derive(Debug)]
pub struct Neighbour {
    pub name: PeerName,
    pub load: Load,
    pub limits: Limits,
    pub health: Health,
    /// Our OPTIONS in the air, and when it left.
    pub asked: Option<(Branch, Instant)>,
    pub round_trip: Option<Duration>,
    /// Which of its targets is asked next, and which is called first.
    pub asks: usize,
    pub first: usize,
    /// It is in the file no more; its calls last on.
    pub gone: bool,
    /// An operator wants no new calls here.
    pub drained: bool,
    /// What carries it carries nothing at the moment.
    pub cut: bool,
    /// What carries it: the path of a server is its interface.
    pub ways: Vec<Via>,
    pub attempts: u64,
    pub answered: u64,
    /// The site whose calls it carries, and how many that may have.
    pub site: Option<(Name, u32)>,
    /// It is asked at all.
    pub watched: bool,
    /// How its media is treated.
    pub media: Policy,
    /// What the file says of it; shared, since it is looked at for each message.
    pub config: Arc<Peer>,
}

/// All of them, and whose turn it is on each route.
#[derive(Debug)]
pub struct Peers {
    pub all: Vec<Neighbour>,
    turns: BTreeMap<String, usize>,
    now: Instant,
    network: Network,
}

impl Peers {
    /// Returns the neighbours of `node`, none of them asked yet. The first
    /// questions are spread over a second.
    pub fn new(node: &Node, now: Instant, random: &mut Random) -> Self {
        let own: Vec<IpAddr> = node.listeners().iter().map(|at| at.address.ip()).collect();
        let all = node.peers().map(|peer| {
            let first = now + Duration::from_millis(u64::from(random.below(1000)));
            neighbour(node, peer, &own, now, first)
        });
        Self {
            all: all.collect(),
            turns: BTreeMap::new(),
            now,
            network: Network::default(),
        }
    }

    /// Takes the moment that questions are answered for.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Returns the moment that questions are answered for.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Takes how the network stands: who is behind what carries nothing gets no call.
    pub fn cut(&mut self, network: Network) {
        self.network = network;
        self.cut_again();
    }

    /// Does the same for neighbours that changed.
    pub fn cut_again(&mut self) {
        for peer in &mut self.all {
            peer.cut = peer.ways.iter().any(|way| self.network.down.contains(way));
        }
    }

    /// Returns true while no new call may begin, but emergency calls.
    pub const fn closed(&self) -> bool {
        self.network.closed
    }

    /// Returns the place of `name` in the list.
    pub fn place(&self, name: &PeerName) -> Option<usize> {
        self.all.iter().position(|peer| peer.name == *name)
    }

    /// Returns the neighbour at `place`.
    pub fn get(&self, place: usize) -> Option<&Neighbour> {
        self.all.get(place)
    }

    /// Returns the neighbour at `place`.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut Neighbour> {
        self.all.get_mut(place)
    }

    /// Takes one more call for the peer at `place`, or says why not: its own limits
    /// and those of its site, which an emergency call passes.
    ///
    /// # Errors
    /// [`Full`] with the figures of the limit that is reached.
    pub fn admit(&mut self, place: usize, emergency: bool) -> Result<(), Full> {
        let now = self.now;
        let site = self.get(place).and_then(|peer| peer.site.clone());
        if let Some((name, limit)) = site.filter(|_| !emergency) {
            let here = |peer: &&Neighbour| peer.site.as_ref().is_some_and(|(n, _)| *n == name);
            let active = self
                .all
                .iter()
                .filter(here)
                .map(|peer| peer.load.active())
                .sum();
            if active >= limit {
                return Err(Full::Calls { active, limit });
            }
        }
        let Some(peer) = self.get_mut(place) else {
            return Ok(());
        };
        let limits = peer.limits;
        peer.load.admit(now, limits, emergency)
    }

    /// Returns when the next peer is to be asked, or has been silent for too long.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let watched = self
            .all
            .iter()
            .filter(|peer| peer.watched || peer.asked.is_some());
        let moment = |peer: &Neighbour| match peer.asked {
            Some((_, since)) => since + ANSWERS_WITHIN,
            None => peer.health.due(),
        };
        watched.map(moment).min()
    }

    /// Returns a peer that has not answered our OPTIONS in time, and the question.
    pub fn silent(&self, now: Instant) -> Option<(usize, Branch)> {
        self.all.iter().enumerate().find_map(|(place, peer)| {
            let (branch, since) = peer.asked?;
            (since + ANSWERS_WITHIN <= now).then_some((place, branch))
        })
    }

    /// Returns a peer that is to be asked now.
    pub fn due(&self, now: Instant) -> Option<usize> {
        self.all
            .iter()
            .position(|peer| peer.watched && peer.asked.is_none() && peer.health.due() <= now)
    }
}

impl Neighbour {
    /// Takes whether the target that was asked answered. After a silence the next one is
    /// asked, and called first; after an answer that leaves the peer up the first of the
    /// file is asked again, because it is preferred as soon as it answers.
    pub fn target_asked(&mut self, answered: bool) {
        if answered {
            self.first = self.asks;
            if self.health.state().0 == State::Up {
                self.asks = 0;
            }
            return;
        }
        let next = (self.asks + 1) % self.config.targets.len().max(1);
        if self.first == self.asks {
            self.first = next;
        }
        self.asks = next;
    }
}

impl Facts for Peers {
    fn takes_calls(&self, name: &PeerName) -> bool {
        let peer = self.place(name).and_then(|place| self.get(place));
        peer.is_some_and(|peer| {
            !peer.gone && !peer.drained && !peer.cut && peer.health.takes_calls(self.now)
        })
    }

    fn active(&self, name: &PeerName) -> u32 {
        let peer = self.place(name).and_then(|place| self.get(place));
        peer.map_or(0, |peer| peer.load.active())
    }

    fn first(&self, name: &PeerName) -> usize {
        let peer = self.place(name).and_then(|place| self.get(place));
        peer.map_or(0, |peer| peer.first)
    }

    fn turn(&mut self, name: &str) -> usize {
        if let Some(turn) = self.turns.get_mut(name) {
            *turn = turn.wrapping_add(1);
            return *turn;
        }
        self.turns.insert(name.to_string(), 0);
        0
    }
}

pub(super) fn neighbour(
    node: &Node,
    peer: &Peer,
    own: &[IpAddr],
    now: Instant,
    first: Instant,
) -> Neighbour {
    let targets = u8::try_from(peer.targets.len()).unwrap_or(u8::MAX);
    let watched = peer.keepalive.method == KeepaliveMethod::Options;
    let watch = Watch {
        asked: watched,
        every: peer.keepalive.every,
        // Each of its targets is asked before it counts as down.
        down_after: peer.keepalive.down_after.max(targets),
        // A call that is answered is worth more than an OPTIONS that is.
        up_after: if watched { peer.keepalive.up_after } else { 1 },
    };
    Neighbour {
        name: peer.name.clone(),
        load: Load::default(),
        limits: limits(node, peer),
        health: Health::new(watch, now, first),
        asked: None,
        round_trip: None,
        asks: 0,
        first: 0,
        gone: false,
        drained: false,
        cut: false,
        ways: ways(node, &peer.name),
        attempts: 0,
        answered: 0,
        site: site(node, peer),
        watched,
        media: policy(peer, own),
        config: Arc::new(peer.clone()),
    }
}

/// A tunnel lies on an interface: it carries nothing without it.
pub(super) fn ways(node: &Node, name: &PeerName) -> Vec<Via> {
    let via = match name {
        PeerName::Trunk(name) => node.trunks.get(name).map(|trunk| trunk.via.clone()),
        PeerName::Mediation(name) => {
            let server = node.mediation.get(name);
            server.map(|server| Via::Interface(server.interface.clone()))
        }
    };
    let below = match &via {
        Some(Via::Tunnel(name)) => node.tunnels.get(name),
        _ => None,
    };
    let below = below.map(|tunnel| Via::Interface(tunnel.underlay.clone()));
    via.into_iter().chain(below).collect()
}

fn site(node: &Node, peer: &Peer) -> Option<(Name, u32)> {
    let PeerName::Mediation(name) = &peer.name else {
        return None;
    };
    let site = node.mediation.get(name)?.site.as_ref()?;
    Some((site.clone(), node.sites.get(site)?.max_calls))
}

/// The reserve is kept on the trunks that emergency calls take, and on nobody else.
pub(super) fn limits(node: &Node, peer: &Peer) -> Limits {
    let reserved = match &peer.name {
        PeerName::Trunk(name) => node.emergency.trunks.contains(name),
        PeerName::Mediation(_) => false,
    };
    Limits {
        calls: peer.admission.limit().unwrap_or(CALLS_WITHOUT_LIMIT),
        reserve: if reserved { node.emergency.reserve } else { 0 },
        per_second: peer
            .admission
            .max_calls_per_second
            .map(core::num::NonZeroU32::get),
    }
}
