//! Silence and one-way audio: what a stream's last packets tell, looked at once a
//! second.

use sbc_media::Instant;
use sbc_media::stream::{MediaEvent, StreamSide};

use super::live::Live;

impl Live {
    /// Calls `tell` with what the silence of either side means. Nothing is watched
    /// while one is on hold or unanswered.
    pub fn watch(&mut self, now: Instant, tell: &mut impl FnMut(MediaEvent)) {
        let Some(since) = self.open_since else {
            return;
        };
        for side in StreamSide::BOTH {
            if self.is_silent(side, since, now) {
                self.side_mut(side).silent_told = true;
                tell(MediaEvent::Silent {
                    key: self.key,
                    side,
                });
            }
        }
        if let Some(missing) = self.missing(since, now) {
            self.one_way = Some(missing);
            self.one_way_told = true;
            tell(MediaEvent::OneWay {
                key: self.key,
                missing,
            });
        }
    }

    /// Nothing at all, RTCP included, came from the peer for as long as it may.
    fn is_silent(&self, side: StreamSide, since: Instant, now: Instant) -> bool {
        let side = self.side(side);
        let last = side.last_packet.map_or(since, |last| last.max(since));
        let quiet = now.saturating_sub(last);
        !side.silent_told && self.timers.media.is_some_and(|limit| quiet >= limit)
    }

    /// The side without media for the time of the row, while the other has some.
    fn missing(&self, since: Instant, now: Instant) -> Option<StreamSide> {
        let limit = self.timers.one_way;
        let quiet = |side: StreamSide| {
            let last = self
                .side(side)
                .last_media
                .map_or(since, |last| last.max(since));
            now.saturating_sub(last) >= limit
        };
        let heard = |side: StreamSide| self.side(side).last_media.is_some() && !quiet(side);
        let missing = |side: &StreamSide| quiet(*side) && heard(side.other());
        StreamSide::BOTH
            .into_iter()
            .find(missing)
            .filter(|_| !self.one_way_told)
    }
}
