//! What the relay is told: one row for each call, made anew from both legs after
//! each description, and sent only when it differs.

use alloc::boxed::Box;

use sbc_config::peer::{EarlyMedia, MediaSource, Rtcp};
use sbc_media::stream::{
    self, MediaEvent, RtcpMode, SideStats, Source, StreamKey, StreamRow, StreamSide, Timers,
};
use sbc_media::tone::{Play, Ringing, Tone};
use sbc_sip::message::Status;

use super::{Call, Phase};
use crate::Side;
use crate::door::RelayCommand;
use crate::engine::Desk;
use crate::leg::Leg;
use crate::story::{Media, ReleasedBy, Why};

impl Call {
    /// Programs the row of this call, if it changed.
    pub fn program(&mut self, desk: &mut Desk) {
        if self.phase == Phase::Ending {
            return;
        }
        let (Some(a), Some(b)) = (self.leg(Side::A), self.leg(Side::B)) else {
            return;
        };
        let (Some(row_a), Some(row_b)) = (side(desk, a), side(desk, b)) else {
            return;
        };
        let timers = Timers {
            media: self.answered.map(|_| desk.node.media.timeout),
            playout: desk.node.media.playout,
            ..Timers::default()
        };
        let key = self.stream_key();
        let row = StreamRow::between(key, &row_a, &row_b, timers);
        let row = match self.ringback(desk) {
            Some(play) => row.playing(StreamSide::A, play),
            None => row,
        };
        if self.row.as_deref() != Some(&row) {
            desk.out
                .relay
                .push(RelayCommand::Program(Box::new(row.clone())));
            self.row = Some(Box::new(row));
        }
    }

    /// Returns what the caller hears while the called side has promised media and
    /// sends none (RFC 3960 §3.2): the ringing tone of the caller's country. The relay
    /// stops it at the first packet.
    fn ringback(&self, desk: &Desk) -> Option<Play> {
        let a = self.leg(Side::A)?;
        let early = self.phase == Phase::Inviting
            && self.caller_early_media(desk) == EarlyMedia::Normalise
            && self.leg(Side::B)?.half.agreed.is_some();
        let agreed = a.half.agreed.as_ref().filter(|_| early)?;
        let country = desk
            .peer(a.peer)?
            .country
            .unwrap_or(desk.node.system.country);
        let tone = Tone::Ringing(Ringing::of(country.as_str()));
        Some(Play::new(tone, agreed, SILENCE))
    }

    /// Each target has a stream of its own, so that a late word about the one
    /// before is not taken for the next.
    fn stream_key(&self) -> StreamKey {
        let attempt = u64::try_from(self.current.unwrap_or(0) + self.attempt_shift).unwrap_or(0);
        StreamKey(attempt << ATTEMPT_SHIFT | u64::from(self.key))
    }

    /// Programs the row of a call that was up before a restart. The relay has it
    /// already, unless it was restarted too.
    pub fn program_again(&mut self, desk: &mut Desk) {
        self.row = None;
        self.program(desk);
    }

    /// Takes what the relay noticed.
    pub fn media(&mut self, desk: &mut Desk, event: &MediaEvent) {
        if stream_of(event) != self.stream_key() {
            return;
        }
        match event {
            MediaEvent::Silent { .. } => {
                self.finish(desk, Why::MediaTimeout, ReleasedBy::Node, Status::OK);
            }
            MediaEvent::Refused { .. } => self.finish(
                desk,
                Why::NoPort,
                ReleasedBy::Node,
                Status::SERVICE_UNAVAILABLE,
            ),
            MediaEvent::OneWay { missing, .. } => {
                self.one_way = Some(ours(*missing));
            }
            MediaEvent::Ended { stats, .. } => {
                self.media = [told(&stats.a), told(&stats.b)];
                self.one_way = stats.one_way.map(ours).or(self.one_way);
                self.tell(desk);
            }
            MediaEvent::First { .. } => {}
        }
    }

    /// Gives back the port and the place of one leg that is not needed any more.
    pub(super) fn close_leg_media(&mut self, desk: &mut Desk, side: Side) {
        let emergency = self.emergency;
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        leg.release(desk, emergency);
        // The next target gets a row of its own: the ports differ.
        if side == Side::B
            && let Some(row) = self.row.take()
        {
            desk.out.relay.push(RelayCommand::Withdraw(row.key));
        }
    }
}

impl Leg {
    /// Gives back port and admission, once.
    pub(crate) fn release(&mut self, desk: &mut Desk, emergency: bool) {
        if core::mem::replace(&mut self.released, true) {
            return;
        }
        desk.give_port(self.half.own.address(), self.half.own.port());
        if let Some(peer) = desk.peers.get_mut(self.peer) {
            peer.load.release(emergency);
        }
    }
}

/// Early media may be silent for so long before the caller hears a tone instead: longer
/// than media needs to follow its signalling, shorter than a caller notices.
const SILENCE: core::time::Duration = core::time::Duration::from_millis(300);

/// The low bits of a stream's key are its call's, so that calls spread over the
/// threads of the relay; above them the attempts of the call are counted.
const ATTEMPT_SHIFT: u32 = 32;

/// Returns the key of the call that a stream is of.
#[must_use]
pub fn call_of(stream: StreamKey) -> u32 {
    u32::try_from(stream.0 & u64::from(u32::MAX)).unwrap_or(0)
}

/// Returns which stream an event is of.
#[must_use]
pub const fn stream_of(event: &MediaEvent) -> StreamKey {
    match event {
        MediaEvent::First { key, .. }
        | MediaEvent::Silent { key, .. }
        | MediaEvent::OneWay { key, .. }
        | MediaEvent::Refused { key, .. }
        | MediaEvent::Ended { key, .. } => *key,
    }
}

fn side<'a>(desk: &'a Desk, leg: &'a Leg) -> Option<stream::Leg<'a>> {
    let peer = desk.peer(leg.peer)?;
    let policy = desk.media_of(leg.peer)?;
    Some(stream::Leg {
        own: &leg.half.own,
        agreed: leg.half.agreed.as_ref(),
        source: match peer.media_source {
            MediaSource::Signalled => Source::Signalled,
            MediaSource::Subnet => Source::Subnet,
        },
        media_from: &policy.reach.media_from,
        rtcp: match peer.rtcp {
            Rtcp::Off => RtcpMode::Off,
            Rtcp::Originate | Rtcp::Relay => RtcpMode::Originate(peer.rtcp_interval),
        },
        identity: leg.identity,
        tos: desk.node.qos.media << 2,
    })
}

const fn ours(side: StreamSide) -> Side {
    match side {
        StreamSide::A => Side::A,
        StreamSide::B => Side::B,
    }
}

fn told(stats: &SideStats) -> Media {
    let received = &stats.received;
    Media {
        rx: received.packets,
        tx: stats.sent.packets,
        lost: received.lost,
        late: received.late,
        unexpected: stats.unexpected_source,
        jitter_ms: received.jitter.as_secs_f64() * 1000.0,
        mos: received.mos(stats.round_trip),
    }
}
