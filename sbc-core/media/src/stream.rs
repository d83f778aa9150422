//! The stream table: what call control wants of a call's media, as rows it alone
//! writes, and what the relay counted, as numbers it alone writes. Bounded values,
//! so that both can cross between processes.

mod rules;
mod stats;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub use rules::{Action, Rule, Rules, rules};
pub use stats::{Received, Sent, SideStats, StreamStats};

use crate::sdp::{Agreed, Direction, Network, Own};
use crate::tone::Play;

/// Networks that one peer's media may come from: a provider names a handful.
pub const NETWORKS: usize = 16;

/// DSCP 46, expedited forwarding, where the IP header has it (RFC 3246, RFC 2474 §3).
pub const EXPEDITED: u8 = 46 << 2;

/// Names the audio of one call for as long as it lives.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct StreamKey(pub u64);

/// One of the two sides of a stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum StreamSide {
    A,
    B,
}

impl StreamSide {
    /// Both sides, in order.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Returns the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The audio of one call: everything the relay needs to carry it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StreamRow {
    pub key: StreamKey,
    pub a: SideRow,
    pub b: SideRow,
    pub timers: Timers,
}

impl StreamRow {
    /// Returns the row of one side.
    pub const fn side(&self, side: StreamSide) -> &SideRow {
        match side {
            StreamSide::A => &self.a,
            StreamSide::B => &self.b,
        }
    }

    /// Returns the row for two legs. Media passes where both are agreed on; a leg
    /// that is not holds its port, and whatever comes there is foreign.
    pub fn between(key: StreamKey, a: &Leg<'_>, b: &Leg<'_>, timers: Timers) -> Self {
        Self {
            key,
            a: SideRow::new(a, b),
            b: SideRow::new(b, a),
            timers,
        }
    }

    /// Returns the row with something to play to one side's peer.
    #[must_use]
    pub fn playing(mut self, side: StreamSide, play: Play) -> Self {
        match side {
            StreamSide::A => self.a.play = Some(play),
            StreamSide::B => self.b.play = Some(play),
        }
        self
    }

    /// Returns whether both peers are expected to send: no hold, nothing unanswered.
    pub const fn is_two_way(&self) -> bool {
        self.a.is_open() && self.b.is_open()
    }
}

/// What the row of a side is made from.
#[derive(Clone, Copy, Debug)]
pub struct Leg<'a> {
    pub own: &'a Own,
    pub agreed: Option<&'a Agreed>,
    pub source: Source,
    pub media_from: &'a [Network],
    pub rtcp: RtcpMode,
    /// Random: our own source and name in this leg's RTCP come from it.
    pub identity: u128,
    /// The second byte of the IP header of what is sent.
    pub tos: u8,
}

/// One side of a stream: our end, the peer's end, and what may pass.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SideRow {
    /// Where RTP of the peer arrives, an even port; RTCP arrives on the next.
    pub local: SocketAddr,
    /// Where the peer takes media; nothing passes while it is unknown.
    pub remote: Option<Remote>,
    pub source: Source,
    /// At most [`NETWORKS`].
    #[serde(deserialize_with = "few")]
    pub media_from: Vec<Network>,
    pub rtcp: RtcpMode,
    /// What the peer sends is taken.
    pub sends: bool,
    /// The peer is sent what the other side says.
    pub hears: bool,
    /// What becomes of each payload number that the peer may send.
    pub rules: Rules,
    pub identity: u128,
    pub tos: u8,
    /// What the peer hears until the other side is heard.
    pub play: Option<Play>,
}

/// Reads a list of networks; a longer one than the bound is none.
fn few<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    let networks = heapless::Vec::<Network, NETWORKS>::deserialize(from)?;
    Ok(networks.iter().copied().collect())
}

impl SideRow {
    fn new(leg: &Leg<'_>, far: &Leg<'_>) -> Self {
        let agreed = leg.agreed;
        let direction = agreed.map(|agreed| agreed.direction);
        Self {
            local: SocketAddr::new(leg.own.address(), leg.own.port()),
            remote: agreed.and_then(Remote::of),
            source: leg.source,
            media_from: leg.media_from.iter().take(NETWORKS).copied().collect(),
            rtcp: leg.rtcp,
            sends: direction.is_some_and(Direction::sends),
            hears: direction.is_some_and(Direction::receives),
            rules: agreed
                .zip(far.agreed)
                .map(|(from, to)| rules(from, to))
                .unwrap_or_default(),
            identity: leg.identity,
            tos: leg.tos,
            play: None,
        }
    }

    /// Returns whether the peer both sends and hears.
    pub const fn is_open(&self) -> bool {
        self.sends && self.hears && self.remote.is_some()
    }

    /// Returns the source our own reports speak by while nothing is relayed.
    pub const fn ssrc(&self) -> u32 {
        self.identity as u32
    }

    /// Returns the name our reports give: 96 random bits in base 64 (RFC 7022 §4.2).
    pub fn name(&self) -> [u8; 16] {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        core::array::from_fn(|place| {
            let bits = (self.identity >> (32 + 6 * place)) & 63;
            ALPHABET.get(bits as usize).copied().unwrap_or(b'A')
        })
    }

    /// Returns whether both addresses lie in the networks of the peer's media.
    pub fn reaches(&self, remote: &Remote) -> bool {
        let known = |address: SocketAddr| {
            self.media_from
                .iter()
                .any(|network| network.contains(address.ip()))
        };
        known(remote.rtp) && known(remote.rtcp)
    }

    /// Returns whether `source` may be the peer's, before any is locked: the signalled
    /// address, or with [`Source::Subnet`] any of its media networks.
    pub fn admits(&self, source: SocketAddr, signalled: SocketAddr) -> bool {
        match self.source {
            Source::Signalled => source == signalled,
            Source::Subnet => self
                .media_from
                .iter()
                .any(|network| network.contains(source.ip())),
        }
    }
}

/// Where a peer takes RTP and RTCP.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Remote {
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    /// Both come and go on the RTP ports (RFC 5761).
    pub muxed: bool,
}

impl Remote {
    /// A zero address is no place to send to (RFC 3264 §8.4).
    fn of(agreed: &Agreed) -> Option<Self> {
        let known = |address: SocketAddr| !IpAddr::is_unspecified(&address.ip());
        let muxed = agreed.rtcp_mux;
        let rtcp = if muxed { agreed.rtp } else { agreed.rtcp };
        let remote = Self {
            rtp: agreed.rtp,
            rtcp,
            muxed,
        };
        known(remote.rtp).then_some(remote)
    }
}

/// Which packets are the peer's.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Source {
    /// Those from exactly the address and port it signalled.
    #[default]
    Signalled,
    /// Those from the first valid source inside its media networks, locked from then
    /// on; a change of the signalled address alone unlocks.
    Subnet,
}

/// Whether RTCP of our own goes to a peer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RtcpMode {
    Off,
    /// A report in so long on average, on hold too.
    Originate(Duration),
}

impl Default for RtcpMode {
    fn default() -> Self {
        Self::Originate(crate::rtp::REPORT_INTERVAL)
    }
}

impl RtcpMode {
    /// Returns the mean time between two reports, or between two looks at the clock.
    pub const fn interval(self) -> Duration {
        match self {
            Self::Off => crate::rtp::REPORT_INTERVAL,
            Self::Originate(every) => every,
        }
    }
}

/// How long silence may last, and what counts as late.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Timers {
    /// Without any packet of a peer for so long, [`MediaEvent::Silent`] is told.
    /// Watched only while media is expected both ways. `None` before the answer.
    pub media: Option<Duration>,
    /// One peer sends and the other does not for so long: [`MediaEvent::OneWay`].
    pub one_way: Duration,
    /// A packet this much later than the quickest counts as late.
    pub playout: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            media: None,
            one_way: Duration::from_secs(5),
            playout: Duration::from_millis(60),
        }
    }
}

/// What the relay tells of its own accord.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MediaEvent {
    /// A side's first packet of media passed its checks.
    First { key: StreamKey, side: StreamSide },
    /// Nothing came from a side for the time the row allows.
    Silent { key: StreamKey, side: StreamSide },
    /// A side is heard and the one named is not.
    OneWay { key: StreamKey, missing: StreamSide },
    /// The row cannot be carried: its ports cannot be opened.
    Refused { key: StreamKey, side: StreamSide },
    /// The stream is withdrawn; its last numbers.
    Ended {
        key: StreamKey,
        stats: Box<StreamStats>,
    },
}

/// Carries streams. Call control knows the executors by this alone.
pub trait MediaPlane {
    /// Takes rows, new ones and changes to those that are there.
    fn program(&mut self, rows: &[StreamRow]);

    /// Ends streams; [`MediaEvent::Ended`] follows for each.
    fn withdraw(&mut self, keys: &[StreamKey]);

    /// Calls `each` with the numbers of every stream there is.
    fn read(&self, each: &mut dyn FnMut(StreamKey, &StreamStats));
}

#[cfg(test)]
mod tests;
