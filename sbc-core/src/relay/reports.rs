//! RTCP that this node originates on each leg, on hold too, since a Mediation Server
//! ends calls without it (RFC 3550 §6.2, §6.4).

use sbc_media::Instant;
use sbc_media::rtp::rtcp::{Echo, Report, Sent};
use sbc_media::rtp::{NtpTime, report_interval, ticks};
use sbc_media::stream::{RtcpMode, StreamSide};

use super::Clock;
use super::live::Live;
use super::side::Side;
use super::socket;

impl Live {
    /// Sends the reports that are due.
    pub fn report(&mut self, clock: &Clock, now: Instant) {
        for side in StreamSide::BOTH {
            if self.side(side).report_due > now {
                continue;
            }
            let random = self.roll();
            let side = self.side_mut(side);
            let interval = report_interval(side.row.rtcp.interval(), random);
            side.report_due = now + interval;
            if side.row.rtcp != RtcpMode::Off {
                side.send_report(NtpTime::from_unix(clock.unix(now)), now);
            }
        }
    }

    /// Splitmix64: reports of many calls shall not fall into step.
    fn roll(&mut self) -> u32 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) as u32
    }
}

impl Side {
    fn send_report(&mut self, ntp: NtpTime, now: Instant) {
        let Some(remote) = self.path.remote else {
            return;
        };
        let bytes = self.report(ntp, now);
        let socket = if remote.muxed {
            &self.pair.rtp
        } else {
            &self.pair.rtcp
        };
        if socket::send(socket, bytes.as_ref(), remote.rtcp) {
            self.counts().rtcp_sent += 1;
        }
    }

    /// A sender report if media went to the peer since the report before the last,
    /// else a receiver report (RFC 3550 §6.4).
    fn report(&mut self, ntp: NtpTime, now: Instant) -> impl AsRef<[u8]> + use<> {
        let echo = self.echo(now);
        let heard = self.reception.interval().map(|interval| (interval, echo));
        let name = self.row.name();
        let out = &mut self.outgoing;
        let [older, newer] = out.reported;
        out.reported = [newer, out.packets];
        let (stamp, at) = out.last;
        let sent = (out.packets != older).then_some(Sent {
            now: ntp,
            timestamp: stamp.wrapping_add(ticks(now.saturating_sub(at))),
            packets: out.packets,
            octets: out.octets,
        });
        let ssrc = out
            .ssrc
            .filter(|_| sent.is_some())
            .unwrap_or(self.row.ssrc());
        Report {
            ssrc,
            sent,
            heard,
            name: &name,
        }
        .bytes()
    }

    fn echo(&self, now: Instant) -> Echo {
        self.peer_report
            .map_or(Echo::default(), |(last_report, at)| {
                let micros = now.saturating_sub(at).as_micros();
                let delay = u32::try_from((micros << 16) / 1_000_000).unwrap_or(u32::MAX);
                Echo { last_report, delay }
            })
    }
}
