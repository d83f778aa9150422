//! Sequence numbers, timestamps and moments of arrival go in; what was lost, late,
//! out of order or doubled comes out (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).

use core::time::Duration;

use crate::Instant;
use crate::rtp::{CLOCK, ticks};

/// The largest gap taken for loss, one minute of 20 ms packets (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3_000;

/// How far behind a packet may lie to count as out of order (RFC 3550 A.1). The
/// window of packets seen covers it.
const MAX_MISORDER: u16 = 100;

/// A jump of the transit time that no network makes: the sender moved its clock.
const CLOCK_JUMP: u32 = 10 * CLOCK;

/// What a receiver knows of one sender.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    source: Option<Source>,
    /// Of sources that came before the current one.
    lost_before: u64,
    packets: u64,
    late: u64,
    reordered: u64,
    duplicate: u64,
    /// The longest a jitter estimate has been, in ticks.
    jitter_max: u32,
}

/// One synchronisation source: the `source` structure of RFC 3550 A.1.
#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    max_seq: u16,
    cycles: u32,
    base_seq: u32,
    /// The number after a jump; a second packet in order confirms it.
    bad_seq: Option<u16>,
    /// Bit n: the packet n behind `max_seq` has arrived.
    seen: u128,
    /// Arrived, doubles included, as reports count it.
    received: u32,
    doubles: u32,
    expected_prior: u32,
    received_prior: u32,
    pace: Pace,
}

/// How evenly packets arrive.
#[derive(Clone, Debug, Default)]
struct Pace {
    /// Arrival less timestamp of the last packet, in ticks.
    transit: Option<u32>,
    /// Times 16, as RFC 3550 A.8 keeps it.
    jitter: u32,
    /// The shortest transit, drifting upwards slowly so that unequal clocks do not
    /// look like delay.
    quickest: u32,
    drift: u32,
}

/// How a packet came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// In order, perhaps after a gap.
    InOrder,
    /// Behind one that was sent after it.
    Reordered,
    /// A second time.
    Duplicate,
    /// Its sequence number jumped; one more in order makes it a restart.
    Jump,
}

/// The numbers of a report block (RFC 3550 §6.4.1) since the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interval {
    pub ssrc: u32,
    /// Of 256 packets expected since the last report.
    pub fraction_lost: u8,
    /// Since the beginning; negative with doubles. 24 bits.
    pub lost: i32,
    pub highest: u32,
    /// In ticks.
    pub jitter: u32,
}

impl Reception {
    /// Takes one packet. `timed` is false for packets whose timestamp says nothing of
    /// their sending, such as repeated telephone events (RFC 4733 §2.5.1.2). A packet
    /// that comes more than `playout` after the quickest is counted late.
    pub fn observe(
        &mut self,
        now: Instant,
        (ssrc, sequence, timestamp): (u32, u16, u32),
        timed: bool,
        playout: Duration,
    ) -> Arrival {
        if self
            .source
            .as_ref()
            .is_none_or(|source| source.ssrc != ssrc)
        {
            self.lost_before = self.lost();
            self.source = Some(Source::new(ssrc, sequence));
        }
        let Some(source) = &mut self.source else {
            return Arrival::Jump;
        };
        self.packets += 1;
        let before = source.lost();
        let arrival = source.place(sequence);
        match arrival {
            // A restart forgets what the run before it lost; the sum does not.
            Arrival::InOrder if source.received == 1 => self.lost_before += before,
            Arrival::InOrder => {}
            Arrival::Reordered => self.reordered += 1,
            Arrival::Duplicate => self.duplicate += 1,
            Arrival::Jump => return arrival,
        }
        if timed && arrival != Arrival::Duplicate {
            let late = source
                .pace
                .observe(ticks(now).wrapping_sub(timestamp), playout);
            self.late += u64::from(late);
            self.jitter_max = self.jitter_max.max(source.pace.jitter >> 4);
        }
        arrival
    }

    /// Returns how many packets came, doubles included.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Returns how many packets never came.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.source.as_ref().map_or(0, Source::lost)
    }

    /// Returns how many packets came too late to be played.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Returns how many packets came behind later ones.
    pub const fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Returns how many packets came again.
    pub const fn duplicate(&self) -> u64 {
        self.duplicate
    }

    /// Returns the jitter, in ticks (RFC 3550 §6.4.1).
    pub fn jitter(&self) -> u32 {
        self.source
            .as_ref()
            .map_or(0, |source| source.pace.jitter >> 4)
    }

    /// Returns the highest jitter there was, in ticks.
    pub const fn jitter_max(&self) -> u32 {
        self.jitter_max
    }

    /// Returns the source heard last.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Returns the numbers for a report block, and starts the next interval.
    pub fn interval(&mut self) -> Option<Interval> {
        self.source.as_mut().map(Source::interval)
    }
}

impl Source {
    fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            max_seq: sequence.wrapping_sub(1),
            cycles: 0,
            base_seq: sequence.into(),
            bad_seq: None,
            seen: 0,
            received: 0,
            doubles: 0,
            expected_prior: 0,
            received_prior: 0,
            pace: Pace::default(),
        }
        .at_start(sequence)
    }

    /// The number before the first may lie in the cycle before it.
    const fn at_start(mut self, sequence: u16) -> Self {
        if sequence == 0 {
            self.cycles = 0_u32.wrapping_sub(1 << 16);
        }
        self
    }

    /// RFC 3550 A.1, `update_seq`, without the probation: who may send is settled by
    /// its address.
    fn place(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.max_seq);
        let behind = self.max_seq.wrapping_sub(sequence);
        if (1..MAX_DROPOUT).contains(&ahead) {
            self.advance(sequence, ahead);
            return Arrival::InOrder;
        }
        if behind <= MAX_MISORDER {
            return self.fill(behind);
        }
        if self.bad_seq == Some(sequence) {
            let pace = core::mem::take(&mut self.pace);
            *self = Self {
                pace,
                ..Self::new(self.ssrc, sequence)
            };
            self.advance(sequence, 1);
            return Arrival::InOrder;
        }
        self.bad_seq = Some(sequence.wrapping_add(1));
        Arrival::Jump
    }

    fn advance(&mut self, sequence: u16, ahead: u16) {
        if sequence < self.max_seq {
            self.cycles = self.cycles.wrapping_add(1 << 16);
        }
        self.max_seq = sequence;
        self.bad_seq = None;
        self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
        self.received = self.received.wrapping_add(1);
    }

    fn fill(&mut self, behind: u16) -> Arrival {
        let bit = 1_u128 << behind;
        self.received = self.received.wrapping_add(1);
        if self.seen & bit != 0 {
            self.doubles = self.doubles.wrapping_add(1);
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        // One that was sent before the first that came widens what was expected.
        let sequence = self.highest().wrapping_sub(behind.into());
        if sequence.wrapping_sub(self.base_seq) > u32::MAX / 2 {
            self.base_seq = sequence;
        }
        Arrival::Reordered
    }

    const fn highest(&self) -> u32 {
        self.cycles.wrapping_add(self.max_seq as u32)
    }

    const fn expected(&self) -> u32 {
        self.highest().wrapping_sub(self.base_seq).wrapping_add(1)
    }

    fn lost(&self) -> u64 {
        let distinct = self.received.wrapping_sub(self.doubles);
        self.expected().saturating_sub(distinct).into()
    }

    /// RFC 3550 A.3.
    fn interval(&mut self) -> Interval {
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        let lost = expected.saturating_sub(received);
        let fraction = (u64::from(lost) << 8)
            .checked_div(expected.into())
            .unwrap_or(0);
        let total = i64::from(self.expected()) - i64::from(self.received);
        Interval {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: total.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: self.highest(),
            jitter: self.pace.jitter >> 4,
        }
    }
}

impl Pace {
    /// Takes the transit time of one packet. Returns whether it was late.
    fn observe(&mut self, transit: u32, playout: Duration) -> bool {
        let Some(before) = self.transit.replace(transit) else {
            self.quickest = transit;
            return false;
        };
        // Transits wrap like timestamps; their differences are signed.
        let change = (transit.wrapping_sub(before) as i32).unsigned_abs();
        if change > CLOCK_JUMP {
            self.quickest = transit;
            return false;
        }
        // RFC 3550 A.8 in integers.
        self.jitter = self.jitter + change - ((self.jitter + 8) >> 4);
        self.is_late(transit, playout)
    }

    fn is_late(&mut self, transit: u32, playout: Duration) -> bool {
        let over = transit.wrapping_sub(self.quickest) as i32;
        if over < 0 {
            self.quickest = transit;
            return false;
        }
        let over = over.unsigned_abs();
        // One part in 4096 per packet: clocks differ by less, delays change by more.
        self.drift = self.drift.saturating_add(over.min(CLOCK));
        self.quickest = self.quickest.wrapping_add(self.drift >> 12);
        self.drift &= 0xfff;
        Duration::from_micros(u64::from(over) * 125) > playout
    }
}

#[cfg(test)]
mod tests;
