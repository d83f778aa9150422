//! When to send a response again and when to give up: T1 comes in, moments go
//! out (RFC 3261 §13.3.1.4, RFC 3262 §3).

use core::time::Duration;

use crate::Instant;

/// A response sent again at doubling intervals until 64*T1 have passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    again: Instant,
    interval: Duration,
    /// The interval stops doubling here; a reliable provisional response has
    /// no such ceiling.
    ceiling: Duration,
    end: Instant,
}

/// What a wake-up asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beat {
    Again,
    /// 64*T1 have passed.
    End,
}

impl Backoff {
    /// Takes the moment of the first sending, T1, and the longest interval.
    pub const fn new(now: Instant, t1: Duration, ceiling: Duration) -> Self {
        Self {
            again: now.saturating_add(t1),
            interval: t1,
            ceiling,
            end: now.saturating_add(t1.saturating_mul(64)),
        }
    }

    /// Returns what is due. A wake-up that came late sends once, not a burst.
    pub fn due(&mut self, now: Instant) -> Option<Beat> {
        if now >= self.end {
            return Some(Beat::End);
        }
        if now < self.again {
            return None;
        }
        self.interval = self.interval.saturating_mul(2).min(self.ceiling);
        self.again = now.saturating_add(self.interval);
        Some(Beat::Again)
    }

    /// Returns the next moment at which something is due.
    pub fn next_wakeup(&self) -> Instant {
        self.again.min(self.end)
    }
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    const T1: Duration = Duration::from_millis(500);

    fn run(ceiling: Duration) -> Vec<u128> {
        let mut backoff = Backoff::new(Duration::ZERO, T1, ceiling);
        let mut sent = vec![];
        loop {
            let now = backoff.next_wakeup();
            match backoff.due(now) {
                Some(Beat::Again) => sent.push(now.as_millis()),
                Some(Beat::End) => return [sent, vec![now.as_millis()]].concat(),
                None => panic!("a wake-up with nothing due at {now:?}"),
            }
        }
    }

    /// RFC 3262 §3: doubles without a ceiling until 64*T1.
    #[test]
    fn a_provisional_response_doubles_without_a_ceiling() {
        let expected = [500, 1_500, 3_500, 7_500, 15_500, 31_500, 32_000];
        assert_eq!(run(Duration::MAX), expected);
    }

    /// RFC 3261 §13.3.1.4: doubles until T2.
    #[test]
    fn a_success_response_doubles_up_to_t2() {
        let expected = [
            500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000,
        ];
        assert_eq!(run(Duration::from_secs(4)), expected);
    }

    #[test]
    fn a_late_wakeup_sends_once() {
        let mut backoff = Backoff::new(Duration::ZERO, T1, Duration::MAX);
        let late = Duration::from_secs(10);
        assert_eq!(backoff.due(T1 - Duration::from_millis(1)), None);
        assert_eq!(backoff.due(late), Some(Beat::Again));
        assert_eq!(backoff.due(late), None);
        assert_eq!(backoff.next_wakeup(), Duration::from_secs(11));
    }
}
