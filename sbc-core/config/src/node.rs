//! The checked configuration: a [`Node`] exists only if it makes sense. The
//! call engine, the relay and the network plan take everything from it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::country::Country;
use crate::name::{Name, PeerName};
use crate::network::{Authority, Interface, Network, Tunnel};
use crate::number::Number;
use crate::peer::{Mediation, Peer, Socket, Trunk, listeners, words};
use crate::route::Route;
use crate::rules::Numbers;

/// A node that can run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    pub system: System,
    pub management: Management,
    pub media: Media,
    pub interfaces: BTreeMap<Name, Interface>,
    pub tunnels: BTreeMap<Name, Tunnel>,
    pub trunks: BTreeMap<Name, Trunk>,
    pub mediation: BTreeMap<Name, Mediation>,
    /// Calls at once each site may have.
    pub sites: BTreeMap<Name, Site>,
    pub numbers: BTreeMap<Name, Numbers>,
    /// In the order of the file.
    pub routes: Vec<Route>,
    pub emergency: Emergency,
    pub qos: Qos,
    pub log: Log,
    pub cdr: Cdr,
    pub alarms: Alarms,
    pub limits: Limits,
}

impl Node {
    /// Returns the peer of that name.
    pub fn peer(&self, name: &PeerName) -> Option<&Peer> {
        match name {
            PeerName::Trunk(name) => self.trunks.get(name).map(|trunk| &trunk.peer),
            PeerName::Mediation(name) => self.mediation.get(name).map(|server| &server.peer),
        }
    }

    /// Returns all peers: trunks, then mediation servers, each by name.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        let trunks = self.trunks.values().map(|trunk| &trunk.peer);
        trunks.chain(self.mediation.values().map(|server| &server.peer))
    }

    /// Returns the peer that `source` may signal as on our socket `local`;
    /// nothing for anyone else. The check of the file makes it the only one.
    pub fn peer_at(&self, source: IpAddr, local: Socket) -> Option<&Peer> {
        let mut here = self.peers().filter(|peer| peer.listen.contains(&local));
        here.find(|peer| peer.may_signal(source))
    }

    /// Returns every socket to listen on, each once.
    pub fn listeners(&self) -> BTreeSet<Socket> {
        listeners(self.peers())
    }

    /// Returns the routes a call from `from` to `number` (E.164) matches, in
    /// order. The first decides; the others are for those who explain it.
    pub fn routes_for<'a>(
        &'a self,
        from: &'a PeerName,
        number: &'a str,
    ) -> impl Iterator<Item = &'a Route> {
        self.routes
            .iter()
            .filter(move |route| route.matches(from, number))
    }
}

/// `[system]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct System {
    pub hostname: String,
    pub country: Country,
    pub timezone: String,
    pub ntp: Vec<TimeServer>,
    pub dns: Vec<IpAddr>,
}

/// One of `system.ntp`: a server of the time (RFC 4330).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeServer {
    pub address: IpAddr,
    /// Our address of management, from which it is asked.
    pub source: IpAddr,
}

/// `[management]`: who may reach the node's own services.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Management {
    pub interface: Option<Name>,
    pub allow: Vec<Network>,
    /// Idle time after which the console logs out.
    pub console_idle: Duration,
    /// Lines are drawn in ASCII.
    pub ascii: bool,
}

/// `[media]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Media {
    /// Even first, odd last: pairs of RTP and RTCP.
    pub ports: RangeInclusive<u16>,
    /// Neither RTP nor RTCP for this long ends the call.
    pub timeout: Duration,
    /// What comes later is lost.
    pub playout: Duration,
}

/// `[site.NAME]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    pub max_calls: u32,
}

/// Calls for help: they pass admission, blocking and drain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Emergency {
    /// What is dialled for help.
    pub numbers: Vec<Number>,
    /// Tried in this order.
    pub trunks: Vec<Name>,
    /// Calls kept free on each of them.
    pub reserve: u32,
    pub callback: Option<Number>,
    pub elin: Option<Elin>,
}

impl Emergency {
    /// Returns true if `dialled` is one of the numbers.
    pub fn is_emergency(&self, dialled: &str) -> bool {
        self.numbers.iter().any(|number| number.reveal() == dialled)
    }
}

/// Numbers lent to emergency callers, so that help can call back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Elin {
    pub numbers: Vec<Number>,
    /// How long after the call a number stays lent.
    pub hold: Duration,
}

/// `[qos]`: marks of RFC 2474, six bits each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Qos {
    pub signalling: u8,
    pub media: u8,
    pub shape: Option<Shaper>,
}

/// A link slower than its port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shaper {
    pub interface: Name,
    /// bit/s
    pub rate: u64,
    /// Percent of the rate that voice may take.
    pub voice: u8,
}

/// `[log]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    pub level: Level,
    /// By name: who gets it as well.
    pub collectors: BTreeMap<Name, Collector>,
}

/// `[log.syslog.NAME]`: a collector of the log (RFC 5424).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collector {
    pub target: SocketAddr,
    pub by: CollectedBy,
    /// Our address of management, which it comes from.
    pub source: IpAddr,
}

/// How a collector is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CollectedBy {
    /// RFC 5426.
    Udp,
    /// RFC 6587 §3.4.1: octets are counted.
    Tcp,
    /// RFC 5425.
    Tls {
        /// Who signs its certificate.
        authority: Box<Authority>,
        /// The name or address its certificate must have.
        name: String,
    },
}

impl CollectedBy {
    /// Returns the word of the file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls { .. } => "tls",
        }
    }
}

words! {
    /// What the log holds, each level more than the one before.
    Level { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
}

/// `[cdr]`: records of calls, one JSON object a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cdr {
    pub keep: Duration,
}

/// `[alarms]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alarms {
    pub trunk_down: Duration,
    pub quality: Quality,
    pub cert_expiry: Duration,
}

/// When poor calls of one peer raise an alarm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quality {
    /// Hundredths of a MOS (ITU-T P.800): 360 is 3.6.
    pub mos_below: u16,
    pub window: Duration,
    pub calls: u32,
}

/// `[limits]`: built-in caps, lowered by the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    pub connections_per_peer: u32,
    /// Octets of a SIP message.
    pub message_size: u32,
    /// New calls a second over all peers.
    pub setup_rate: u32,
    /// Calls at once over all peers.
    pub calls: u32,
}
