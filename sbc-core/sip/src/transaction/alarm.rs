//! Timers come in, the moment of the next one goes out; one entry in the queue
//! for each transaction: RFC 3261 §17.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::timers::{Clock, Timer, Timings};
use crate::Instant;

/// A moment in nanoseconds since the node's clock started; 584 years fit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Moment(u64);

impl Moment {
    /// Stands for a clock that does not run.
    const NEVER: Self = Self(u64::MAX);

    pub(super) fn of(now: Instant) -> Self {
        Self(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) const fn instant(self) -> Instant {
        Duration::from_nanos(self.0)
    }

    fn after(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(Self::of(pause).0))
    }
}

/// The two clocks of one transaction, in 24 bytes: there are as many of these
/// as there are transactions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarms {
    repeat_at: Moment,
    limit_at: Moment,
    /// What the repeat clock ran for last, in milliseconds.
    pause_ms: u32,
    repeat: Timer,
    limit: Timer,
}

impl Alarms {
    pub(super) const fn new() -> Self {
        Self {
            repeat_at: Moment::NEVER,
            limit_at: Moment::NEVER,
            pause_ms: 0,
            repeat: Timer::A,
            limit: Timer::B,
        }
    }

    /// Runs `timer` from its first value.
    pub(super) fn start(&mut self, now: Moment, timer: Timer, timings: &Timings) {
        self.run(now, timer, timings.first(timer));
    }

    /// Runs `timer` for twice as long as last time, up to its ceiling.
    pub(super) fn double(&mut self, now: Moment, timer: Timer, timings: &Timings) {
        let last = Duration::from_millis(self.pause_ms.into());
        self.run(now, timer, timings.again(timer, last));
    }

    /// Runs `timer` for T2.
    pub(super) fn slow(&mut self, now: Moment, timer: Timer, timings: &Timings) {
        self.run(now, timer, timings.t2);
    }

    /// Stops `timer`, if it is the one that runs on its clock.
    pub(super) fn stop(&mut self, timer: Timer) {
        match timer.clock() {
            Clock::Repeat if self.repeat == timer => self.repeat_at = Moment::NEVER,
            Clock::Limit if self.limit == timer => self.limit_at = Moment::NEVER,
            _ => {}
        }
    }

    /// Returns whether `timer` runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        match timer.clock() {
            Clock::Repeat => self.repeat == timer && self.repeat_at != Moment::NEVER,
            Clock::Limit => self.limit == timer && self.limit_at != Moment::NEVER,
        }
    }

    /// Returns when the first of the two clocks fires.
    pub(super) fn next(&self) -> Option<Moment> {
        let next = self.repeat_at.min(self.limit_at);
        (next != Moment::NEVER).then_some(next)
    }

    /// Returns the timer that has fired by `now`, and stops its clock. Where
    /// both have, the limit goes first: what is over is not repeated.
    pub(super) fn fire(&mut self, now: Moment) -> Option<Timer> {
        if self.limit_at <= now && self.limit_at != Moment::NEVER {
            self.limit_at = Moment::NEVER;
            return Some(self.limit);
        }
        if self.repeat_at <= now && self.repeat_at != Moment::NEVER {
            self.repeat_at = Moment::NEVER;
            return Some(self.repeat);
        }
        None
    }

    fn run(&mut self, now: Moment, timer: Timer, pause: Duration) {
        let at = now.after(pause);
        match timer.clock() {
            Clock::Repeat => {
                self.repeat = timer;
                self.repeat_at = at;
                self.pause_ms = u32::try_from(pause.as_millis()).unwrap_or(u32::MAX);
            }
            Clock::Limit => {
                self.limit = timer;
                self.limit_at = at;
            }
        }
    }
}

/// When to look at which transaction. A transaction is in it once at most, so
/// the queue is never longer than the table.
#[derive(Debug)]
pub(super) struct Queue<K>(BTreeSet<(Moment, K)>);

impl<K: Copy + Ord> Queue<K> {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Moves the entry of `key` from `was` to `is`.
    pub(super) fn set(&mut self, key: K, was: Option<Moment>, is: Option<Moment>) {
        if was == is {
            return;
        }
        if let Some(was) = was {
            self.0.remove(&(was, key));
        }
        if let Some(is) = is {
            self.0.insert((is, key));
        }
    }

    /// Returns a transaction whose moment has come.
    pub(super) fn due(&self, now: Moment) -> Option<K> {
        let (at, key) = self.0.first()?;
        (*at <= now).then_some(*key)
    }

    /// Returns the first moment.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.first().map(|(at, _)| *at)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMINGS: Timings = Timings::DEFAULT;

    fn at(millis: u64) -> Moment {
        Moment::of(Duration::from_millis(millis))
    }

    #[test]
    fn a_clock_runs_one_timer_and_two_clocks_run_side_by_side() {
        let mut alarms = Alarms::new();
        assert_eq!(alarms.next(), None);
        alarms.start(at(0), Timer::A, &TIMINGS);
        alarms.start(at(0), Timer::B, &TIMINGS);
        assert_eq!(alarms.next(), Some(at(500)));
        assert_eq!(alarms.fire(at(499)), None);
        assert_eq!(alarms.fire(at(500)), Some(Timer::A));
        assert_eq!(alarms.next(), Some(at(32_000)));
        alarms.start(at(600), Timer::K, &TIMINGS);
        assert_eq!(alarms.next(), Some(at(5600)));
        assert!(!alarms.runs(Timer::B) && alarms.runs(Timer::K));
    }

    /// RFC 3261 §17.1.2.2: from T1 by doubling, or to T2 at once.
    #[test]
    fn a_repeat_clock_remembers_how_long_it_ran() {
        let mut alarms = Alarms::new();
        alarms.start(at(0), Timer::E, &TIMINGS);
        alarms.double(at(500), Timer::E, &TIMINGS);
        assert_eq!(alarms.next(), Some(at(1500)));
        alarms.slow(at(1500), Timer::E, &TIMINGS);
        assert_eq!(alarms.next(), Some(at(5500)));
    }

    #[test]
    fn only_the_timer_that_runs_is_stopped() {
        let mut alarms = Alarms::new();
        alarms.start(at(0), Timer::G, &TIMINGS);
        alarms.stop(Timer::Trying);
        assert!(alarms.runs(Timer::G));
        alarms.stop(Timer::G);
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn what_is_over_is_not_repeated() {
        let mut alarms = Alarms::new();
        alarms.start(at(0), Timer::A, &TIMINGS);
        alarms.start(at(0), Timer::B, &TIMINGS);
        assert_eq!(alarms.fire(at(99_000)), Some(Timer::B));
    }

    #[test]
    fn a_transaction_is_in_the_queue_once() {
        let mut queue = Queue::new();
        queue.set('a', None, Some(at(3)));
        queue.set('b', None, Some(at(2)));
        queue.set('a', Some(at(3)), Some(at(1)));
        assert_eq!((queue.len(), queue.next()), (2, Some(at(1))));
        assert_eq!(queue.due(at(1)), Some('a'));
        queue.set('a', Some(at(1)), None);
        assert_eq!(queue.due(at(1)), None);
    }

    #[test]
    fn two_clocks_take_24_bytes() {
        assert_eq!(size_of::<Alarms>(), 24);
    }
}
