//! Admission: a peer's limits and what it carries come in, yes or a refusal
//! goes out. Emergency calls use a reserve that others leave free.

use core::time::Duration;

use sbc_sip::Instant;

/// One call in the bucket of a rate limit. The greatest rate fills a bucket with
/// less than a quarter of what 64 bits hold.
const CALL: u64 = 1_000_000_000;

/// What one peer may carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Calls at the same time; what the path's bandwidth carries is already in it.
    pub calls: u32,
    /// Of these, kept free for emergency calls.
    pub reserve: u32,
    /// New calls in any second; `None` is no limit.
    pub per_second: Option<u32>,
}

/// Why a call was turned away at a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Full {
    #[error("{active} of {limit} calls")]
    Calls { active: u32, limit: u32 },
    #[error("{active} of {limit} calls, {reserve} kept for emergencies")]
    Reserve {
        active: u32,
        limit: u32,
        reserve: u32,
    },
    #[error("{limit} calls in this second")]
    Rate { limit: u32 },
}

/// What one peer carries, and how fast calls came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    active: u32,
    emergency: u32,
    /// The bucket of the rate limit, in billionths of a call: a rate drains it
    /// by whole units each nanosecond, so nothing is lost between two looks.
    spent: u64,
    at: Instant,
}

impl Load {
    /// Takes one more call, or says why not. An emergency call passes every
    /// limit: the reserve is there for it, and a limit of ours is no reason to
    /// let somebody die.
    ///
    /// # Errors
    /// [`Full`] with the figures that an operator and a log want to see.
    pub fn admit(&mut self, now: Instant, limits: Limits, emergency: bool) -> Result<(), Full> {
        if !emergency {
            self.check(now, limits)?;
        }
        self.active = self.active.saturating_add(1);
        self.emergency += u32::from(emergency);
        Ok(())
    }

    fn check(&mut self, now: Instant, limits: Limits) -> Result<(), Full> {
        let (active, limit, reserve) = (self.active, limits.calls, limits.reserve);
        if active >= limit {
            return Err(Full::Calls { active, limit });
        }
        let free_for_all = limit.saturating_sub(reserve.saturating_sub(self.emergency));
        if active >= free_for_all {
            return Err(Full::Reserve {
                active,
                limit,
                reserve,
            });
        }
        match limits.per_second {
            Some(rate) => self.spend(now, rate),
            None => Ok(()),
        }
    }

    /// A leaky bucket one second deep: never more than `rate` calls at once,
    /// never more than `rate` a second over time.
    fn spend(&mut self, now: Instant, rate: u32) -> Result<(), Full> {
        let drained = now.saturating_sub(self.at).min(Duration::from_secs(1));
        let nanos = u64::try_from(drained.as_nanos()).unwrap_or(CALL);
        // Another rate may have filled it above what this one holds.
        let whole = u64::from(rate) * CALL;
        self.spent = self
            .spent
            .min(whole)
            .saturating_sub(nanos * u64::from(rate));
        self.at = now;
        if self.spent + CALL > whole {
            return Err(Full::Rate { limit: rate });
        }
        self.spent += CALL;
        Ok(())
    }

    /// Takes back what [`Load::admit`] gave a call that was then turned away
    /// elsewhere: it counts for no limit.
    pub fn undo(&mut self) {
        self.release(false);
        self.spent = self.spent.saturating_sub(CALL);
    }

    /// Gives back what [`Load::admit`] took.
    pub fn release(&mut self, emergency: bool) {
        self.active = self.active.saturating_sub(1);
        self.emergency = self.emergency.saturating_sub(u32::from(emergency));
    }

    /// Takes a call that was up before a restart, whatever the limits say.
    pub fn restore(&mut self, emergency: bool) {
        self.active = self.active.saturating_add(1);
        self.emergency += u32::from(emergency);
    }

    /// Returns how many calls the peer carries.
    #[must_use]
    pub const fn active(&self) -> u32 {
        self.active
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Full, Limits, Load};

    const LIMITS: Limits = Limits {
        calls: 3,
        reserve: 1,
        per_second: None,
    };
    const ZERO: Duration = Duration::ZERO;

    #[test]
    fn the_reserve_is_left_free_for_emergency_calls() {
        let mut load = Load::default();
        assert_eq!(load.admit(ZERO, LIMITS, false), Ok(()));
        assert_eq!(load.admit(ZERO, LIMITS, false), Ok(()));
        assert_eq!(
            load.admit(ZERO, LIMITS, false),
            Err(Full::Reserve {
                active: 2,
                limit: 3,
                reserve: 1
            })
        );
        assert_eq!(load.admit(ZERO, LIMITS, true), Ok(()));
        assert_eq!(load.active(), 3);
    }

    #[test]
    fn an_emergency_call_passes_a_full_peer() {
        let mut load = Load::default();
        for _ in 0..3 {
            load.admit(ZERO, LIMITS, true).unwrap();
        }
        assert_eq!(
            load.admit(ZERO, LIMITS, false),
            Err(Full::Calls {
                active: 3,
                limit: 3
            })
        );
        assert_eq!(load.admit(ZERO, LIMITS, true), Ok(()));
    }

    #[test]
    fn an_emergency_call_that_is_up_has_used_its_reserve() {
        let mut load = Load::default();
        load.admit(ZERO, LIMITS, true).unwrap();
        assert_eq!(load.admit(ZERO, LIMITS, false), Ok(()));
        assert_eq!(load.admit(ZERO, LIMITS, false), Ok(()));
    }

    #[test]
    fn what_is_released_can_be_taken_again() {
        let mut load = Load::default();
        load.admit(ZERO, LIMITS, false).unwrap();
        load.admit(ZERO, LIMITS, false).unwrap();
        load.release(false);
        assert_eq!(load.admit(ZERO, LIMITS, false), Ok(()));
    }

    #[test]
    fn ten_calls_a_second_are_ten_in_the_first_second_and_ten_in_the_next() {
        let limits = Limits {
            calls: 1000,
            reserve: 0,
            per_second: Some(10),
        };
        let mut load = Load::default();
        let taken = |load: &mut Load, at| {
            (0..50)
                .filter(|_| load.admit(at, limits, false).is_ok())
                .count()
        };
        assert_eq!(taken(&mut load, Duration::from_secs(5)), 10);
        assert_eq!(taken(&mut load, Duration::from_millis(5_500)), 5);
        assert_eq!(taken(&mut load, Duration::from_secs(7)), 10);
    }

    const TEN_A_SECOND: Limits = Limits {
        calls: 1000,
        reserve: 0,
        per_second: Some(10),
    };

    #[test]
    fn a_flood_of_ten_thousand_calls_a_second_lets_through_what_the_limit_says() {
        let mut load = Load::default();
        let start = Duration::from_secs(5);
        let taken = (0..=20_000)
            .map(|n| start + n * Duration::from_nanos(100_003))
            .filter(|at| load.admit(*at, TEN_A_SECOND, false).is_ok())
            .count();
        assert_eq!(taken, 10 + 20);
    }

    #[test]
    fn a_call_that_was_turned_away_elsewhere_counts_for_no_limit() {
        let mut load = Load::default();
        for _ in 0..50 {
            load.admit(ZERO, TEN_A_SECOND, false).unwrap();
            load.undo();
        }
        assert_eq!(load.active(), 0);
        assert_eq!(load.admit(ZERO, TEN_A_SECOND, false), Ok(()));
    }

    #[test]
    fn the_greatest_rate_has_a_bucket_too() {
        let limits = Limits {
            per_second: Some(u32::MAX),
            ..TEN_A_SECOND
        };
        let mut load = Load::default();
        assert_eq!(load.admit(ZERO, limits, false), Ok(()));
        assert_eq!(load.admit(Duration::MAX, limits, false), Ok(()));
    }
}
