//! One side of a live stream: its row, its sockets, its numbers, and the gate that
//! every packet passes before anything is believed of it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use sbc_media::Instant;
use sbc_media::rtp::Reception;
use sbc_media::rtp::events::Tracker;
use sbc_media::stream::{Received, Remote, Rules, Sent, SideRow, SideStats};

use super::play::Playing;

/// The two sockets of a side.
#[derive(Debug)]
pub(super) struct Pair {
    pub rtp: OwnedFd,
    pub rtcp: OwnedFd,
}

/// One side while its stream lives.
#[derive(Debug)]
pub(super) struct Side {
    /// What call control wrote; packets need [`Side::path`] alone.
    pub row: Box<SideRow>,
    pub path: Path,
    pub pair: Pair,
    gate: Gate,
    pub reception: Reception,
    pub tracker: Tracker,
    pub received_bytes: u64,
    /// What the relay counts itself; [`Side::stats`] adds what the reception knows.
    counts: SideStats,
    pub outgoing: Outgoing,
    /// The peer's last sender report: its stamp, and when it came.
    pub peer_report: Option<(u32, Instant)>,
    pub report_due: Instant,
    pub last_media: Option<Instant>,
    pub last_packet: Option<Instant>,
    /// The peer's first packet of media was told of.
    pub first_told: bool,
    pub silent_told: bool,
    /// What the peer hears until the other side is heard.
    pub playing: Option<Playing>,
}

/// What a packet needs of a row, close together.
#[derive(Debug)]
pub(super) struct Path {
    /// The peer's addresses, if they lie in the networks its media may come from: the
    /// last check before a packet leaves, whoever wrote the row.
    pub remote: Option<Remote>,
    pub sends: bool,
    pub hears: bool,
    pub rules: Rules,
}

impl Path {
    fn of(row: &SideRow) -> Self {
        Self {
            remote: row.remote.filter(|remote| row.reaches(remote)),
            sends: row.sends,
            hears: row.hears,
            rules: row.rules.clone(),
        }
    }
}

/// Where the peer's packets come from, once a valid one has come from there.
#[derive(Debug, Default)]
struct Gate {
    rtp: Option<SocketAddr>,
    rtcp: Option<SocketAddr>,
}

/// What was sent to the peer by the source it hears now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing {
    pub ssrc: Option<u32>,
    pub packets: u32,
    pub octets: u32,
    /// Timestamp of the last packet, and when it went.
    pub last: (u32, Instant),
    /// Packets sent when the last two reports were written (RFC 3550 §6.4).
    pub reported: [u32; 2],
}

/// Which of a side's sockets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flow {
    Rtcp,
    Rtp,
}

impl Side {
    /// Takes a row and its opened ports.
    pub fn new(row: SideRow, pair: Pair, now: Instant) -> Self {
        let playing = row.play.map(|play| Playing::new(play, row.identity, now));
        // The first report comes after half the interval (RFC 3550 §6.2).
        let report_due = now + row.rtcp.interval() / 2;
        Self {
            path: Path::of(&row),
            row: Box::new(row),
            playing,
            pair,
            gate: Gate::default(),
            reception: Reception::default(),
            tracker: Tracker::default(),
            received_bytes: 0,
            counts: SideStats::default(),
            outgoing: Outgoing::default(),
            peer_report: None,
            report_due,
            last_media: None,
            last_packet: None,
            first_told: false,
            silent_told: false,
        }
    }

    /// Takes a changed row. What was locked stays so unless the signalled address
    /// changes, which also makes the next packet a first one.
    pub fn change(&mut self, row: SideRow, now: Instant) {
        if row.remote != self.row.remote || row.source != self.row.source {
            self.gate = Gate::default();
        }
        if row.remote.map(|remote| remote.rtp) != self.row.remote.map(|remote| remote.rtp) {
            self.first_told = false;
        }
        if row.play != self.row.play {
            self.playing = row.play.map(|play| Playing::new(play, row.identity, now));
        }
        self.path = Path::of(&row);
        *self.row = row;
    }

    /// Returns whether a packet is the peer's; any other is counted and forgotten.
    pub fn admits(&mut self, flow: Flow, from: SocketAddr) -> bool {
        let admitted = self.path.remote.is_some_and(|remote| {
            let (locked, signalled) = match flow {
                Flow::Rtcp => (self.gate.rtcp, remote.rtcp),
                Flow::Rtp => (self.gate.rtp, remote.rtp),
            };
            locked.map_or_else(
                || self.row.admits(from, signalled),
                |locked| same(locked, from),
            )
        });
        self.counts.unexpected_source += u64::from(!admitted);
        admitted
    }

    /// Locks the gate to the source of a valid packet, if it is open.
    pub fn lock(&mut self, flow: Flow, from: SocketAddr) {
        match flow {
            Flow::Rtcp => self.gate.rtcp.get_or_insert(from),
            Flow::Rtp => self.gate.rtp.get_or_insert(from),
        };
    }

    /// Takes note of a packet of the peer; `bytes` of it were media.
    pub fn heard(&mut self, now: Instant, bytes: usize) {
        self.last_packet = Some(now);
        self.silent_told = false;
        self.received_bytes += u64::try_from(bytes).unwrap_or(0);
    }

    /// Counts a packet that no rule carries: because the other leg has agreed on
    /// nothing yet, or because nobody agreed on its number.
    pub fn count_uncarried(&mut self) {
        if self.path.rules.is_empty() {
            self.counts.muted += 1;
        } else {
            self.counts.unknown_payload += 1;
        }
    }

    /// Returns the numbers that the relay counts itself.
    pub fn counts(&mut self) -> &mut SideStats {
        &mut self.counts
    }

    /// Returns all numbers of this side.
    pub fn stats(&self) -> SideStats {
        let received = Received::of(&self.reception, self.received_bytes);
        SideStats {
            received,
            ..self.counts.clone()
        }
    }
}

impl Outgoing {
    /// Counts a packet of `octets` of payload. Another source begins anew
    /// (RFC 3550 §6.4.1).
    pub fn count(&mut self, ssrc: u32, timestamp: u32, octets: usize, now: Instant) {
        if self.ssrc != Some(ssrc) {
            *self = Self {
                ssrc: Some(ssrc),
                ..Self::default()
            };
        }
        self.packets = self.packets.wrapping_add(1);
        let octets = u32::try_from(octets).unwrap_or(0);
        self.octets = self.octets.wrapping_add(octets);
        self.last = (timestamp, now);
    }
}

/// Address and port; what an IPv6 address carries beside them names no one.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip() == other.ip() && one.port() == other.port()
}

/// Counts a packet that was sent, or not.
pub(super) fn count_sent(sent: &mut Sent, bytes: usize, taken: bool) {
    if taken {
        sent.packets += 1;
        sent.bytes += u64::try_from(bytes).unwrap_or(0);
    } else {
        sent.failed += 1;
    }
}
