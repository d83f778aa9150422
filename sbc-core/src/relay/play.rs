//! Tones that the relay plays itself, a packet each 20 ms, until the other side is
//! heard (RFC 3551 §4.1).

use std::time::Duration;

use sbc_media::Instant;
use sbc_media::stream::StreamSide;
use sbc_media::tone::{Play, Player};

use super::live::Live;
use super::side::{Side, count_sent};
use super::socket;

/// The packet time of everything played.
pub(super) const PACE: Duration = Duration::from_millis(20);

/// Octets of G.711 in that time.
const OCTETS: usize = 160;

const HEADER: usize = 12;

/// A tone on its way to one side's peer.
#[derive(Debug)]
pub(super) struct Playing {
    play: Play,
    player: Player,
    due: Instant,
    sequence: u16,
    timestamp: u32,
    begun: bool,
}

impl Playing {
    /// Takes what to play; numbers begin at random (RFC 3550 §5.1).
    pub fn new(play: Play, identity: u128, now: Instant) -> Self {
        Self {
            play,
            player: Player::new(play.tone, play.codec),
            due: now + play.after,
            sequence: (identity >> 112) as u16,
            timestamp: (identity >> 80) as u32,
            begun: false,
        }
    }

    /// Returns the next packet, and moves on by one.
    fn packet(&mut self, ssrc: u32) -> [u8; HEADER + OCTETS] {
        let mut packet = [0; HEADER + OCTETS];
        let marker = if self.begun { 0 } else { 0x80 };
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [r0, r1, r2, r3] = ssrc.to_be_bytes();
        let second = marker | self.play.number;
        let header = [0x80, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3];
        if let Some((front, payload)) = packet.split_first_chunk_mut::<HEADER>() {
            *front = header;
            self.player.fill(payload);
        }
        self.begun = true;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(OCTETS as u32);
        self.due += PACE;
        packet
    }
}

impl Live {
    /// Sends what is due of the tones. Returns whether there is more to come.
    pub fn play(&mut self, now: Instant) -> bool {
        let mut goes_on = false;
        for side in StreamSide::BOTH {
            let side = self.side_mut(side);
            side.play(now);
            goes_on |= side.playing.is_some();
        }
        goes_on
    }

    /// Returns whether a tone plays or waits to.
    pub fn is_playing(&self) -> bool {
        StreamSide::BOTH
            .into_iter()
            .any(|side| self.side(side).playing.is_some())
    }
}

impl Side {
    /// One packet at most: a thread that was late does not catch up in a burst.
    fn play(&mut self, now: Instant) {
        let remote = self.path.remote.filter(|_| self.path.hears);
        let Some((playing, remote)) = self.playing.as_mut().zip(remote) else {
            return;
        };
        if playing.due > now {
            return;
        }
        if playing.due + PACE < now {
            playing.due = now;
        }
        let (ssrc, timestamp) = (self.row.ssrc(), playing.timestamp);
        let packet = playing.packet(ssrc);
        let taken = socket::send(&self.pair.rtp, &packet, remote.rtp);
        count_sent(&mut self.counts().sent, packet.len(), taken);
        self.outgoing.count(ssrc, timestamp, OCTETS, now);
    }
}
