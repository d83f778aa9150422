//! T1, T2 and T4 come in, the values of the timers go out: RFC 3261 §17 and Table 4, RFC 6026 §8.1, RFC 4320 §4.1.

use core::time::Duration;

/// How long a server waits for its TU before it sends a 100 (Trying) itself (RFC 3261 §17.2.1).
pub const TRYING: Duration = Duration::from_millis(200);

/// How long, at least, an INVITE client waits in Completed for repeated responses (RFC 3261 §17.1.1.2).
const D_FLOOR: Duration = Duration::from_secs(32);

/// The shortest time a timer runs, so that no setting makes one that fires for ever.
pub const TICK: Duration = Duration::from_millis(1);

/// The timers of the four machines, by their letters. Timer C is a proxy's.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    A,
    B,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
    /// The 200 ms after which an INVITE server answers 100 itself (RFC 3261 §17.2.1).
    Trying,
    /// The same for other requests: what a client's Timer E takes to reach T2
    /// (RFC 4320 §4.1).
    LateTrying,
    /// The 64*T1 after a CANCEL in which the INVITE must be answered (RFC 3261 §9.1).
    Cancelled,
    /// The 64*T1 in which a non-INVITE request must be answered: its client's
    /// Timer F has then fired, and no answer may be sent (RFC 4320 §4.2).
    Expiry,
}

/// The two clocks a transaction has. Each runs one timer at a time, and
/// starting a timer replaces the one that ran on the same clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clock {
    /// Fires to send something again.
    Repeat,
    /// Fires to leave a state.
    Limit,
}

impl Timer {
    /// Returns the clock this timer runs on.
    pub const fn clock(self) -> Clock {
        match self {
            Self::A | Self::E | Self::G | Self::Trying | Self::LateTrying => Clock::Repeat,
            _ => Clock::Limit,
        }
    }
}

/// The three values all others are made from (RFC 3261 §17.1.1.1, §17.1.2.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timings {
    /// The estimate of a round trip.
    pub t1: Duration,
    /// The longest pause between two repetitions, other than of an INVITE.
    pub t2: Duration,
    /// How long the network may hold a message.
    pub t4: Duration,
}

impl Timings {
    /// The values of RFC 3261 Table 4: 500 ms, 4 s and 5 s.
    pub const DEFAULT: Self = Self {
        t1: Duration::from_millis(500),
        t2: Duration::from_secs(4),
        t4: Duration::from_secs(5),
    };

    /// Returns how long `timer` runs the first time. Where the RFC has zero for
    /// reliable transports, the tables do not start the timer at all.
    pub fn first(&self, timer: Timer) -> Duration {
        let value = match timer {
            Timer::A | Timer::E => self.t1,
            Timer::G => self.t1.min(self.t2),
            Timer::D => self.lifetime().max(D_FLOOR),
            Timer::I | Timer::K => self.t4,
            Timer::Trying => TRYING,
            Timer::LateTrying => self.until_t2(),
            Timer::B
            | Timer::F
            | Timer::H
            | Timer::J
            | Timer::L
            | Timer::M
            | Timer::Cancelled
            | Timer::Expiry => self.lifetime(),
        };
        value.max(TICK)
    }

    /// Returns how long `timer` runs after it ran for `last`: twice as long,
    /// but for Timers E and G never longer than T2 (RFC 3261 §17.1.2.2, §17.2.1).
    pub fn again(&self, timer: Timer, last: Duration) -> Duration {
        let doubled = last.saturating_mul(2);
        match timer {
            Timer::A => doubled,
            _ => doubled.min(self.t2).max(TICK),
        }
    }

    /// Returns how long Timer E takes to be reset to T2 (RFC 4320 §4.1).
    fn until_t2(&self) -> Duration {
        core::iter::successors(Some(self.t1.max(TICK)), |last| last.checked_mul(2))
            .take_while(|pause| *pause < self.t2)
            .sum()
    }

    /// Returns 64*T1, the time after which a transaction gives up.
    pub fn lifetime(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §17.1.1.1 and Table 4 with the lines of RFC 6026 §8.1 (L and M), and RFC 4320 §4.1.
    #[test]
    fn the_timers_have_the_values_of_table_4() {
        use Timer::{A, B, Cancelled, D, E, Expiry, F, G, H, I, J, K, L, LateTrying, M, Trying};
        let table = [
            (A, 500),
            (B, 32_000),
            (D, 32_000),
            (E, 500),
            (F, 32_000),
            (G, 500),
            (H, 32_000),
            (I, 5_000),
            (J, 32_000),
            (K, 5_000),
            (L, 32_000),
            (M, 32_000),
            (Trying, 200),
            (LateTrying, 3_500),
            (Cancelled, 32_000),
            (Expiry, 32_000),
        ];
        for (timer, millis) in table {
            let value = Timings::DEFAULT.first(timer);
            assert_eq!(value, Duration::from_millis(millis), "{timer:?}");
        }
    }

    /// RFC 3261 §17.1.1.2: A doubles without a ceiling.
    #[test]
    fn timer_a_doubles_for_ever() {
        assert_eq!(
            run(Timer::A, 7),
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000]
        );
    }

    /// RFC 3261 §17.1.2.2 and §17.2.1: E and G stop doubling at T2.
    #[test]
    fn timers_e_and_g_double_up_to_t2() {
        for timer in [Timer::E, Timer::G] {
            assert_eq!(run(timer, 6), [500, 1000, 2000, 4000, 4000, 4000]);
        }
    }

    /// RFC 3261 §17.1.1.2: "at least 32 seconds for unreliable transports".
    #[test]
    fn timer_d_has_a_floor_that_a_short_t1_does_not_lower() {
        let fast = Timings {
            t1: Duration::from_millis(100),
            ..Timings::DEFAULT
        };
        assert_eq!(fast.first(Timer::D), Duration::from_secs(32));
        assert_eq!(fast.first(Timer::B), Duration::from_millis(6400));
    }

    #[test]
    fn no_setting_makes_a_timer_of_no_time() {
        let zero = Timings {
            t1: Duration::ZERO,
            t2: Duration::ZERO,
            t4: Duration::ZERO,
        };
        for timer in [
            Timer::A,
            Timer::E,
            Timer::G,
            Timer::I,
            Timer::LateTrying,
            Timer::L,
        ] {
            assert_eq!(zero.first(timer), TICK, "{timer:?}");
            assert!(zero.again(timer, TICK) >= TICK, "{timer:?}");
        }
    }

    fn run(timer: Timer, times: usize) -> alloc::vec::Vec<u128> {
        let timings = Timings::DEFAULT;
        core::iter::successors(Some(timings.first(timer)), |last| {
            Some(timings.again(timer, *last))
        })
        .take(times)
        .map(|value| value.as_millis())
        .collect()
    }
}
