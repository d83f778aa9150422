//! A peer as the call engine sees it: where it is, who may speak for it, what
//! it is told. [`Trunk`] and [`Mediation`] differ in little but their defaults.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::country::Country;
use crate::name::{Name, PeerName};
use crate::network::{Network, Path, Via};
use crate::number::Number;
use crate::pattern::Pattern;
use crate::rules::Numbers;

/// A provider that can carry calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trunk {
    pub peer: Peer,
    pub via: Via,
    /// What becomes of the caller's location in an emergency call.
    pub emergency_location: EmergencyLocation,
}

/// A Mediation Server that can be reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mediation {
    pub peer: Peer,
    pub interface: Name,
    pub site: Option<Name>,
    /// Client networks whose media passes by the server.
    pub bypass: Vec<Network>,
    /// A fixed neighbour entry, so that no ARP is needed.
    pub mac: Option<[u8; 6]>,
}

/// What both kinds have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    pub name: PeerName,
    pub description: String,
    /// Where calls to it go, in order; never empty.
    pub targets: Vec<Socket>,
    /// Our sockets it sends to; never empty.
    pub listen: Vec<Socket>,
    pub path: Path,
    /// Who may signal as this peer.
    pub allow: Vec<Network>,
    /// Where media may come from and go to.
    pub media_from: Vec<Network>,
    pub media_source: MediaSource,
    /// In order of preference; never empty.
    pub codecs: Vec<Codec>,
    /// Milliseconds of speech in a packet, as the peer is asked for: 10, 20, 30 or 40.
    pub ptime: u8,
    pub dtmf: Dtmf,
    pub comfort_noise: ComfortNoise,
    pub keepalive: Keepalive,
    /// Silence, not even a 100, after which the next target is tried.
    pub attempt_timeout: Duration,
    /// When our own 183 goes out if the far side has sent no more than 100.
    pub progress_guard: Option<Duration>,
    pub session_timer: SessionTimer,
    pub rtcp: Rtcp,
    pub rtcp_interval: Duration,
    pub hold_format: HoldFormat,
    pub prack: Prack,
    pub early_media: EarlyMedia,
    pub early_183: Early183,
    pub max_early_dialogs: u8,
    pub forks: Forks,
    pub refer: Refer,
    pub redirect: Redirect,
    pub history: History,
    pub identity: Identity,
    pub identity_header: IdentityHeader,
    pub headers: Headers,
    pub responses: ResponseMap,
    /// Goes into our 503; none is left out.
    pub retry_after: Option<Duration>,
    pub drain: Drain,
    pub admission: Admission,
    pub numbers: Numbers,
    /// Numbers that belong to this peer, as patterns over E.164.
    pub own_numbers: Vec<Pattern>,
    pub pilot_number: Option<Number>,
    pub country: Option<Country>,
}

impl Peer {
    /// Returns true if a packet from `source` may signal as this peer.
    pub fn may_signal(&self, source: core::net::IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(source))
    }

    /// Returns true if media may come from and go to `address`; never for an
    /// address of our own, which may lie in the same network.
    pub fn may_send_media(&self, address: core::net::IpAddr) -> bool {
        let ourselves = address == self.path.local;
        !ourselves
            && self
                .media_from
                .iter()
                .any(|network| network.contains(address))
    }

    /// Returns true if `number` (E.164) is the pilot or in the own range.
    pub fn owns(&self, number: &str) -> bool {
        self.pilot_number
            .as_ref()
            .is_some_and(|pilot| pilot.reveal() == number)
            || self
                .own_numbers
                .iter()
                .any(|pattern| pattern.matches(number))
    }
}

/// The transports this image speaks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    /// Returns the word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// An address, a port and what is spoken there. Prints `10.20.121.2:5068/tcp`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Socket {
    pub address: SocketAddr,
    pub transport: Transport,
}

impl fmt::Display for Socket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.transport.word())
    }
}

/// G.711 as RFC 3551 §4.5.14 names it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Codec {
    Pcma,
    Pcmu,
}

impl Codec {
    /// Returns the static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// Returns the encoding name (RFC 3551 §6).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }
}

/// OPTIONS we send, and what we make of the answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keepalive {
    pub method: KeepaliveMethod,
    pub every: Duration,
    /// Misses in a row after which the peer is down.
    pub down_after: u8,
    /// Answers in a row after which it is up again.
    pub up_after: u8,
}

/// RFC 4028, per leg.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionTimer {
    pub expires: Duration,
    /// Never below 90 s (RFC 4028 §4).
    pub min: Duration,
    pub refresher: Refresher,
}

/// Who a caller is said to be (RFC 3325).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    pub from: Asserted,
    pub pai: Asserted,
    pub ppi: Asserted,
    /// What a caller outside the own numbers is asserted as.
    pub foreign: Asserted,
    /// The peer is inside our trust domain (RFC 3324 §2.3).
    pub trusted: bool,
}

/// What is written besides the generated headers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Headers {
    /// The host part of From, To and Request-URI; without one the address.
    pub domain: Option<String>,
    /// `;user=phone` on our numbers (RFC 3261 §19.1.1).
    pub user_phone: bool,
    /// Reason with a Q.850 cause (RFC 3326).
    pub reason: bool,
    /// The only headers that cross.
    pub pass: Vec<String>,
}

/// Status codes this peer uses in a sense of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResponseMap(pub(crate) BTreeMap<u16, u16>);

impl ResponseMap {
    /// Returns what `status` from this peer means.
    pub fn apply(&self, status: u16) -> u16 {
        self.0.get(&status).copied().unwrap_or(status)
    }
}

/// How many calls this peer takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Admission {
    pub max_calls: Option<NonZeroU32>,
    pub max_calls_per_second: Option<NonZeroU32>,
    /// bit/s on the wire of the path, one direction.
    pub bandwidth: Option<u64>,
    /// bit/s one call takes there.
    pub cost_bits_per_call: u64,
}

impl Admission {
    /// Returns the calls at once that both the number and the bandwidth allow.
    pub fn limit(&self) -> Option<u32> {
        let fits = self
            .bandwidth
            .and_then(|b| b.checked_div(self.cost_bits_per_call));
        let fits = fits.map(|calls| u32::try_from(calls).unwrap_or(u32::MAX));
        let calls = self.max_calls.map(NonZeroU32::get);
        calls.into_iter().chain(fits).min()
    }
}

/// Returns every socket the node listens on for `peers`, each once.
pub fn listeners<'a>(peers: impl Iterator<Item = &'a Peer>) -> BTreeSet<Socket> {
    peers.flat_map(|peer| peer.listen.iter().copied()).collect()
}

/// Defines enums whose variants are words of the file, and their `word`.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$note])* $variant),+ }

        impl $name {
            /// Returns the word of the file.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl crate::file::Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }

        crate::peer::word_fields!($name);
    )+};
}
pub(crate) use words;

/// Makes enums of words readable as keys.
macro_rules! word_fields {
    ($($name:ty),+) => {$(
        impl crate::file::Field for $name {
            const SHAPE: crate::file::Shape =
                crate::file::Shape::Words(&crate::file::WordList::<Self>::NEW);

            fn read(
                item: &crate::tree::Item,
                report: &mut crate::report::Report,
            ) -> Option<Self> {
                crate::file::values::read_word(item, report)
            }
        }
    )+};
}
pub(crate) use word_fields;

words! {
    /// Where a stream may come from: only what was signalled, or the first
    /// valid packet from `media-from`, then locked.
    MediaSource { Signalled = "signalled", Subnet = "subnet" }
    /// How digits travel: RFC 4733 events, or INFO.
    Dtmf { Rfc4733 = "rfc4733", Info = "info" }
    /// What becomes of RFC 3389 packets.
    ComfortNoise { Pass = "pass", Drop = "drop" }
    /// How a peer's health is asked.
    KeepaliveMethod { Options = "options", None = "none" }
    /// Who refreshes a session (RFC 4028 §7).
    Refresher { Node = "node", Peer = "peer" }
    /// Whether RTCP is ours, passed on, or absent.
    Rtcp { Originate = "originate", Relay = "relay", Off = "off" }
    /// What this peer is told when the other side holds (RFC 3264 §8.4).
    HoldFormat {
        Inactive = "inactive", Sendonly = "sendonly", ZeroAddress = "zero-address",
        Pass = "pass", Absorb = "absorb",
    }
    /// Reliable provisional responses (RFC 3262 §3).
    Prack { Supported = "supported", Required = "required", Off = "off" }
    /// What is made of media before the answer (RFC 3960 §3).
    EarlyMedia { Normalise = "normalise", Pass = "pass", RingOnly = "ring-only" }
    /// Whether a 183 goes out at once.
    Early183 { Off = "off", AtOnce = "at-once" }
    /// Whether many early dialogs become one.
    Forks { Merge = "merge", Pass = "pass" }
    /// What is done with REFER (RFC 3515 §2.4.2). This image refuses it.
    Refer { Local = "local", Pass = "pass", Refuse = "refuse" }
    /// What is done with a 3xx (RFC 3261 §8.1.3.4).
    Redirect { Follow = "follow", Pass = "pass", Refuse = "refuse" }
    /// How a diverted call is told (RFC 7544 §3).
    History {
        Diversion = "diversion", HistoryInfo = "history-info", Both = "both", Off = "off",
    }
    /// Whose number is asserted.
    Asserted { Original = "original", Did = "did", Pilot = "pilot", None = "none" }
    /// What becomes of RFC 8224 Identity.
    IdentityHeader { Pass = "pass", Strip = "strip" }
    /// How a drained peer is told: no answer to OPTIONS, or 503.
    Drain { Silent = "silent", Unavailable = "503" }
    /// What becomes of a caller's location (RFC 6442 §3).
    EmergencyLocation { Pass = "pass", Elin = "elin", Strip = "strip" }
}
