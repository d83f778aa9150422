//! When servers are asked again (RFC 4330 §10): how a round went comes in, the time to
//! the next goes out.

use core::time::Duration;

use crate::packet::Kiss;

/// Between two questions to one server while the clock is not set; RFC 4330 §10
/// forbids less than 15 s.
pub const SHORTEST: Duration = Duration::from_secs(16);

/// Between the first two rounds that went well.
pub const CALM: Duration = Duration::from_secs(64);

/// However well or badly it goes (RFC 5905 §7.2: MAXPOLL says more, an operator less).
pub const LONGEST: Duration = Duration::from_secs(1024);

/// One that denied us is left alone for so long.
pub const DENIED: Duration = Duration::from_secs(86_400);

/// One that was asked too often is left alone for so long, and twice as long with
/// each time.
pub const TOO_OFTEN: Duration = Duration::from_secs(2048);

/// The rhythm of all servers together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Poll {
    /// The interval before the jitter, and whether the round before it went well.
    last: Option<(Duration, bool)>,
}

impl Poll {
    /// Takes whether a round went well. Returns the time to the next one: twice the
    /// one before while nothing changes, and up to a quarter more, uniform in
    /// `random`, so that nodes do not fall into step.
    pub fn after(&mut self, well: bool, random: u32) -> Duration {
        let every = match self.last {
            Some((every, before)) if before == well => (every * 2).min(LONGEST),
            _ if well => CALM,
            _ => SHORTEST,
        };
        self.last = Some((every, well));
        let quarter = every.as_micros() as u64 / 4;
        every + Duration::from_micros((quarter * u64::from(random)) >> 32)
    }
}

/// Returns how long a server that gave `kisses` of this kind in a row is left alone.
#[must_use]
pub fn left_alone(kiss: Kiss, kisses: u32) -> Duration {
    match kiss {
        Kiss::Deny => DENIED,
        Kiss::Rate => (TOO_OFTEN * 2_u32.pow(kisses.saturating_sub(1).min(8))).min(DENIED),
        Kiss::Other => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4330 §10.
    #[test]
    fn rounds_back_off_in_good_and_in_bad_times_and_never_come_within_15_seconds() {
        let mut poll = Poll::default();
        let secs = |poll: &mut Poll, well| poll.after(well, 0).as_secs();
        let bad: [u64; 8] = core::array::from_fn(|_| secs(&mut poll, false));
        assert_eq!(bad, [16, 32, 64, 128, 256, 512, 1024, 1024]);
        let good: [u64; 6] = core::array::from_fn(|_| secs(&mut poll, true));
        assert_eq!(good, [64, 128, 256, 512, 1024, 1024]);
        assert_eq!(secs(&mut poll, false), 16);
        let longest = Poll::default().after(false, u32::MAX);
        assert!(longest > Duration::from_millis(19_999) && longest <= Duration::from_secs(20));
    }

    /// RFC 5905 §7.4.
    #[test]
    fn a_kiss_keeps_us_away_for_long() {
        assert_eq!(left_alone(Kiss::Deny, 1), DENIED);
        assert_eq!(left_alone(Kiss::Rate, 1), TOO_OFTEN);
        assert_eq!(left_alone(Kiss::Rate, 3), TOO_OFTEN * 4);
        assert_eq!(left_alone(Kiss::Rate, u32::MAX), DENIED);
        assert_eq!(left_alone(Kiss::Other, 9), Duration::ZERO);
    }
}
