//! When a role that died starts again: the times of its deaths come in, a
//! pause goes out. A call survives a pause of a moment, not a storm of starts.

use std::collections::VecDeque;
use std::time::Duration;

/// Deaths within this time count together.
const WINDOW: Duration = Duration::from_secs(60);

/// Deaths in a window that are answered at once.
const AT_ONCE: usize = 5;

/// The longest pause: an operator who mends something waits no longer.
const LONGEST: Duration = Duration::from_secs(30);

/// The deaths of one role that still count. Time is measured from the start of
/// the node.
#[derive(Debug, Default)]
pub struct Backoff(VecDeque<Duration>);

impl Backoff {
    /// Takes a death at `now`. Returns how long to wait before the next start.
    pub fn pause_after_death(&mut self, now: Duration) -> Duration {
        self.0.push_back(now);
        while self
            .0
            .front()
            .is_some_and(|&death| now.saturating_sub(death) > WINDOW)
        {
            self.0.pop_front();
        }
        match self.0.len().checked_sub(AT_ONCE + 1) {
            None => Duration::ZERO,
            Some(over) => (Duration::from_secs(1) * 2_u32.pow(over.min(5) as u32)).min(LONGEST),
        }
    }

    /// Returns whether the role dies so often that the node is in trouble.
    #[must_use]
    pub fn in_trouble(&self) -> bool {
        self.0.len() > AT_ONCE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn five_deaths_a_minute_are_answered_at_once_and_then_pauses_double() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..12)
            .map(|second| backoff.pause_after_death(Duration::from_secs(second)))
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert!(backoff.in_trouble());
    }

    #[test]
    fn a_death_an_hour_is_always_answered_at_once() {
        let mut backoff = Backoff::default();
        for hour in 0..20 {
            let pause = backoff.pause_after_death(Duration::from_secs(hour * 3600));
            assert_eq!(pause, Duration::ZERO);
        }
        assert!(!backoff.in_trouble());
    }
}
