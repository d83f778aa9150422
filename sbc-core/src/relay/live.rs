//! A stream while it lives: a datagram of one side goes in, is checked, counted,
//! rewritten in place and sent from the other side.

use std::net::SocketAddr;
use std::time::Duration;

use sbc_media::Instant;
use sbc_media::g711;
use sbc_media::rtp::rtcp::Heard;
use sbc_media::rtp::{Header, NtpTime, is_rtcp, set_number};
use sbc_media::stream::{
    Action, MediaEvent, StreamKey, StreamRow, StreamSide, StreamStats, Timers,
};

use super::Clock;
use super::side::{Flow, Pair, Side, count_sent};
use super::socket;

/// The audio of one call.
#[derive(Debug)]
pub(super) struct Live {
    pub key: StreamKey,
    pub timers: Timers,
    pub a: Side,
    pub b: Side,
    /// Since when media is expected both ways.
    pub open_since: Option<Instant>,
    pub one_way: Option<StreamSide>,
    pub one_way_told: bool,
    /// State of the dice for report intervals.
    pub dice: u64,
}

impl Live {
    /// Takes a row and its opened ports; a stream begins at `now`.
    pub fn new(row: StreamRow, a: Pair, b: Pair, now: Instant) -> Self {
        let two_way = row.is_two_way();
        Self {
            key: row.key,
            timers: row.timers,
            // Any bits serve; those of the two identities differ from call to call.
            dice: (row.a.identity ^ row.b.identity.rotate_left(64)) as u64,
            a: Side::new(row.a, a, now),
            b: Side::new(row.b, b, now),
            open_since: two_way.then_some(now),
            one_way: None,
            one_way_told: false,
        }
    }

    /// Takes a changed row whose ports are the same.
    pub fn change(&mut self, row: StreamRow, now: Instant) {
        self.open_since = match (row.is_two_way(), self.open_since) {
            (false, _) => None,
            (true, None) => Some(now),
            (true, since) => since,
        };
        self.one_way_told &= self.open_since != Some(now);
        self.timers = row.timers;
        self.a.change(row.a, now);
        self.b.change(row.b, now);
    }

    /// Returns one side.
    pub fn side(&self, side: StreamSide) -> &Side {
        match side {
            StreamSide::A => &self.a,
            StreamSide::B => &self.b,
        }
    }

    /// Returns one side, to be changed.
    pub fn side_mut(&mut self, side: StreamSide) -> &mut Side {
        self.split(side).0
    }

    fn split(&mut self, side: StreamSide) -> (&mut Side, &mut Side) {
        match side {
            StreamSide::A => (&mut self.a, &mut self.b),
            StreamSide::B => (&mut self.b, &mut self.a),
        }
    }

    /// Returns all numbers.
    pub fn stats(&self) -> StreamStats {
        StreamStats {
            a: self.a.stats(),
            b: self.b.stats(),
            one_way: self.one_way,
        }
    }

    /// Takes a datagram that came at `now` to one of the sockets of `side`, and its source.
    pub fn datagram(
        &mut self,
        clock: &Clock,
        now: Instant,
        (side, flow): (StreamSide, Flow),
        (from, packet): (SocketAddr, &mut [u8]),
    ) -> Option<MediaEvent> {
        let me = self.side_mut(side);
        let muxed = me.path.remote.is_some_and(|remote| remote.muxed);
        let flow = if muxed && flow == Flow::Rtp && is_rtcp(packet) {
            Flow::Rtcp
        } else {
            flow
        };
        if !me.admits(flow, from) {
            return None;
        }
        match flow {
            Flow::Rtcp => {
                let ntp = NtpTime::from_unix(clock.unix(now));
                self.rtcp(now, ntp, side, from, packet);
                None
            }
            Flow::Rtp => self.rtp(now, side, from, packet),
        }
    }

    /// RTCP ends here: it is read for what it says of us, and goes no further.
    fn rtcp(
        &mut self,
        now: Instant,
        ntp: NtpTime,
        side: StreamSide,
        from: SocketAddr,
        packet: &[u8],
    ) {
        let me = self.side_mut(side);
        let Ok(heard) = Heard::parse(packet, me.outgoing.ssrc) else {
            me.counts().malformed += 1;
            return;
        };
        me.lock(Flow::Rtcp, from);
        me.heard(now, 0);
        if let Some(stamp) = heard.sender_report {
            me.peer_report = Some((stamp, now));
        }
        let counts = me.counts();
        counts.rtcp_received += 1;
        if let Some(block) = heard.block {
            counts.reported_loss = Some(block.fraction_lost);
            let trip = block
                .round_trip(ntp)
                .map(|trip| (u64::from(trip) * 1_000_000) >> 16);
            counts.round_trip = trip.map(Duration::from_micros).or(counts.round_trip);
        }
    }

    fn rtp(
        &mut self,
        now: Instant,
        side: StreamSide,
        from: SocketAddr,
        packet: &mut [u8],
    ) -> Option<MediaEvent> {
        let (key, playout) = (self.key, self.timers.playout);
        let (me, other) = self.split(side);
        let Ok(header) = Header::parse(packet) else {
            me.counts().malformed += 1;
            return None;
        };
        let rule = me
            .path
            .rules
            .iter()
            .find(|rule| rule.from == header.number)
            .copied();
        // What is not carried still has its place among the sequence numbers.
        let timed = rule.is_some_and(|rule| rule.action != Action::Event);
        let place = (header.ssrc, header.sequence, header.timestamp);
        me.reception.observe(now, place, timed, playout);
        me.heard(now, packet.len());
        let Some(rule) = rule else {
            me.count_uncarried();
            return None;
        };
        me.lock(Flow::Rtp, from);
        me.last_media = Some(now);
        let payload = packet.get_mut(header.payload.clone()).unwrap_or_default();
        match rule.action {
            Action::AToU => g711::a_to_u(payload),
            Action::UToA => g711::u_to_a(payload),
            Action::Event => {
                let begins = me.tracker.begins(header.timestamp, payload).is_some();
                me.counts().events += u64::from(begins);
            }
            Action::Pass => {}
        }
        set_number(packet, rule.to);
        let first = !me.first_told && me.path.sends;
        me.first_told |= first;
        match other.path.remote {
            Some(remote) if me.path.sends && other.path.hears => {
                let taken = socket::send(&other.pair.rtp, packet, remote.rtp);
                count_sent(&mut other.counts().sent, packet.len(), taken);
                other.playing = None;
                other
                    .outgoing
                    .count(header.ssrc, header.timestamp, header.payload.len(), now);
            }
            _ => me.counts().muted += 1,
        }
        first.then_some(MediaEvent::First { key, side })
    }
}
