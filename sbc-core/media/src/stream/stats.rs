//! What the relay counted of a stream, for records, metrics and the screen.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rtp::{CLOCK, Conditions, Reception, mos};
use crate::stream::StreamSide;

/// The numbers of a whole stream.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct StreamStats {
    pub a: SideStats,
    pub b: SideStats,
    /// The side that was not heard while the other was, if that ever lasted.
    pub one_way: Option<StreamSide>,
}

impl StreamStats {
    /// Returns the numbers of one side.
    pub const fn side(&self, side: StreamSide) -> &SideStats {
        match side {
            StreamSide::A => &self.a,
            StreamSide::B => &self.b,
        }
    }
}

/// The numbers of one side: what its peer sent, what was sent to it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SideStats {
    pub received: Received,
    pub sent: Sent,
    /// Packets from anywhere but the peer, dropped.
    pub unexpected_source: u64,
    /// Packets of the peer that are no RTP or RTCP, dropped.
    pub malformed: u64,
    /// Packets of the peer with a payload number nobody agreed on, dropped.
    pub unknown_payload: u64,
    /// Packets of the peer dropped for hold, or because the other side is not ready.
    pub muted: u64,
    /// Telephone events the peer sent.
    pub events: u64,
    pub rtcp_received: u64,
    pub rtcp_sent: u64,
    /// The loss the peer reports of what it was sent, of 256.
    pub reported_loss: Option<u8>,
    pub round_trip: Option<Duration>,
}

/// What a peer's media was like when it arrived.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Received {
    pub packets: u64,
    /// Of UDP payload.
    pub bytes: u64,
    pub lost: u64,
    pub late: u64,
    pub reordered: u64,
    pub duplicate: u64,
    pub jitter: Duration,
    pub jitter_max: Duration,
    pub ssrc: Option<u32>,
}

/// What was sent to a peer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sent {
    pub packets: u64,
    /// Of UDP payload.
    pub bytes: u64,
    /// Packets the kernel would not take.
    pub failed: u64,
}

impl Received {
    /// Returns the numbers of a reception of `bytes` in all.
    pub fn of(reception: &Reception, bytes: u64) -> Self {
        Self {
            packets: reception.packets(),
            bytes,
            lost: reception.lost(),
            late: reception.late(),
            reordered: reception.reordered(),
            duplicate: reception.duplicate(),
            jitter: span(reception.jitter()),
            jitter_max: span(reception.jitter_max()),
            ssrc: reception.ssrc(),
        }
    }

    /// Returns the loss a listener has: packets lost or late, of those sent, in
    /// percent.
    pub fn loss_percent(&self) -> f64 {
        let distinct = self.packets.saturating_sub(self.duplicate);
        let sent = distinct.saturating_add(self.lost);
        if sent == 0 {
            return 0.0;
        }
        100.0 * self.lost.saturating_add(self.late) as f64 / sent as f64
    }

    /// Returns the estimated opinion of who listens to this (ITU-T G.107). `None`
    /// before anything came.
    pub fn mos(&self, round_trip: Option<Duration>) -> Option<f64> {
        let delay_ms = round_trip.map(|trip| trip.as_secs_f64() * 500.0);
        let loss_percent = self.loss_percent();
        let conditions = Conditions {
            loss_percent,
            burst_ratio: 1.0,
            delay_ms,
            concealment: true,
        };
        (self.packets > 0).then(|| mos(&conditions))
    }
}

/// Ticks of the media clock as a duration.
fn span(ticks: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(CLOCK))
}
