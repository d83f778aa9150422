//! Whether a peer is alive: answers and silences of our OPTIONS and of calls come
//! in, a state and the time of the next OPTIONS go out (RFC 3261 §11). A peer that
//! is sent no OPTIONS and is down is tried by a call instead.

use core::time::Duration;

use sbc_sip::Instant;

/// After a miss the next OPTIONS goes out this soon, so that three misses are
/// noticed in seconds and not in minutes.
pub const EVERY_AFTER_A_MISS: Duration = Duration::from_secs(5);

/// How a peer's life is watched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watch {
    /// OPTIONS ask it; nothing but calls tells of the others.
    pub asked: bool,
    /// The pause between two OPTIONS to a peer that answers, or between two calls
    /// that try a peer that is down.
    pub every: Duration,
    /// This many misses in a row, and the peer is down.
    pub down_after: u8,
    /// This many answers in a row, and a peer that was down is up.
    pub up_after: u8,
}

/// What is known about a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Nothing was heard yet: calls may try it.
    Unknown,
    Up,
    Down,
}

/// What happened to one OPTIONS of ours, or to a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Any final answer but 503: the peer lives.
    Answered,
    /// 503: it lives and does not want calls.
    Refused,
    /// No answer, or no connection.
    Missed,
}

/// The health of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    watch: Watch,
    state: State,
    streak: u8,
    since: Instant,
    next: Instant,
    /// It asked to be left alone until then (Retry-After, RFC 3261 §20.33).
    rests_until: Option<Instant>,
}

impl Health {
    /// Returns the health of a peer nothing is known about; its first OPTIONS
    /// is due at `first`.
    #[must_use]
    pub const fn new(watch: Watch, now: Instant, first: Instant) -> Self {
        Self {
            watch,
            state: State::Unknown,
            streak: 0,
            since: now,
            next: first,
            rests_until: None,
        }
    }

    /// Takes the outcome of one OPTIONS, or the silence of a call. Returns the new state
    /// if it changed.
    pub fn note(&mut self, now: Instant, event: Event) -> Option<State> {
        let (state, streak) = next(self.watch, self.state, self.streak, event);
        // Neither a death nor a return is waited for longer than it takes.
        self.next = now
            + if self.watch.asked && (event == Event::Missed || state == State::Down) {
                EVERY_AFTER_A_MISS.min(self.watch.every)
            } else {
                self.watch.every
            };
        self.streak = streak;
        if state == self.state {
            return None;
        }
        self.state = state;
        self.since = now;
        Some(state)
    }

    /// Takes the first answer to a call: whatever it says, the peer lives. One that is
    /// asked comes back by its own word alone, which may be that it wants no calls.
    pub fn heard(&mut self, now: Instant) {
        if self.watch.asked && self.state == State::Down {
            return;
        }
        // Calls do not put the next OPTIONS off.
        let due = self.next;
        self.note(now, Event::Answered);
        self.next = self.next.min(due);
    }

    /// Takes note that a call is offered to the peer: if it is down, no other tries it
    /// for the same pause.
    pub fn tried(&mut self, now: Instant) {
        if !self.watch.asked && self.state == State::Down {
            self.sent(now);
        }
    }

    /// Takes a Retry-After of the peer: no call is offered to it until then.
    pub fn rest(&mut self, now: Instant, pause: Duration) {
        self.rests_until = Some(now + pause);
    }

    /// Returns whether a call may be offered to the peer.
    #[must_use]
    pub fn takes_calls(&self, now: Instant) -> bool {
        let may_try = !self.watch.asked && self.next <= now;
        let rests = self.rests_until.is_some_and(|until| until > now);
        (self.state != State::Down || may_try) && !rests
    }

    /// Returns when the next OPTIONS is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        self.next
    }

    /// Puts the next OPTIONS off, because one is under way.
    pub fn sent(&mut self, now: Instant) {
        self.next = now + self.watch.every;
    }

    /// Returns the state, and since when.
    #[must_use]
    pub const fn state(&self) -> (State, Instant) {
        (self.state, self.since)
    }
}

/// Returns where `event` leads, and how many like it came in a row.
fn next(watch: Watch, state: State, streak: u8, event: Event) -> (State, u8) {
    let more = streak.saturating_add(1);
    match (state, event) {
        (State::Unknown, Event::Answered) => (State::Up, 0),
        (State::Unknown | State::Up, Event::Missed) if more >= watch.down_after => (State::Down, 0),
        (State::Unknown | State::Up, Event::Missed) => (state, more),
        (State::Unknown | State::Up, Event::Refused) => (State::Down, 0),
        (State::Up, Event::Answered) => (State::Up, 0),
        (State::Down, Event::Answered) if more >= watch.up_after => (State::Up, 0),
        (State::Down, Event::Answered) => (State::Down, more),
        (State::Down, Event::Missed | Event::Refused) => (State::Down, 0),
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{Event, Health, State, Watch};

    const WATCH: Watch = Watch {
        asked: true,
        every: Duration::from_secs(30),
        down_after: 3,
        up_after: 2,
    };
    const ZERO: Duration = Duration::ZERO;

    fn health() -> Health {
        Health::new(WATCH, ZERO, ZERO)
    }

    /// RFC 3261 §11: OPTIONS asks; silence three times in a row is death.
    #[test]
    fn three_misses_in_a_row_take_a_peer_down_and_two_answers_bring_it_back() {
        let mut health = health();
        assert_eq!(health.note(ZERO, Event::Answered), Some(State::Up));
        assert_eq!(health.note(ZERO, Event::Missed), None);
        assert_eq!(health.note(ZERO, Event::Missed), None);
        assert_eq!(health.note(ZERO, Event::Missed), Some(State::Down));
        assert!(!health.takes_calls(ZERO));
        assert_eq!(health.note(ZERO, Event::Answered), None);
        assert_eq!(health.note(ZERO, Event::Answered), Some(State::Up));
        assert!(health.takes_calls(ZERO));
    }

    #[test]
    fn an_answer_between_misses_starts_the_count_again() {
        let mut health = health();
        for event in [Event::Missed, Event::Missed, Event::Answered, Event::Missed] {
            health.note(ZERO, event);
        }
        assert_eq!(health.state().0, State::Up);
    }

    #[test]
    fn after_a_miss_the_next_question_comes_in_five_seconds() {
        let mut health = health();
        health.note(ZERO, Event::Answered);
        assert_eq!(health.due(), Duration::from_secs(30));
        health.note(ZERO, Event::Missed);
        assert_eq!(health.due(), Duration::from_secs(5));
    }

    /// RFC 3261 §20.33.
    #[test]
    fn a_peer_that_asked_for_rest_gets_no_call_until_it_is_over() {
        let mut health = health();
        health.note(ZERO, Event::Answered);
        health.rest(ZERO, Duration::from_secs(5));
        assert!(!health.takes_calls(Duration::from_secs(4)));
        assert!(health.takes_calls(Duration::from_secs(5)));
    }

    #[test]
    fn a_peer_that_is_not_asked_is_tried_by_one_call_in_each_pause() {
        let watch = Watch {
            asked: false,
            up_after: 1,
            ..WATCH
        };
        let mut health = Health::new(watch, ZERO, ZERO);
        for _ in 0..3 {
            health.note(ZERO, Event::Missed);
        }
        let (soon, then) = (Duration::from_secs(29), Duration::from_secs(30));
        assert!(!health.takes_calls(soon));
        assert!(health.takes_calls(then));
        health.tried(then);
        assert!(!health.takes_calls(then + soon));
        assert!(health.takes_calls(then + then));
        health.heard(then);
        assert_eq!(health.state(), (State::Up, then));
        assert!(health.takes_calls(then));
    }

    #[test]
    fn an_answer_to_a_call_neither_revives_a_peer_that_is_asked_nor_puts_options_off() {
        let mut health = health();
        health.note(ZERO, Event::Answered);
        health.heard(Duration::from_secs(20));
        assert_eq!(health.due(), Duration::from_secs(30));
        health.note(ZERO, Event::Refused);
        health.heard(ZERO);
        health.heard(ZERO);
        assert_eq!(health.state().0, State::Down);
    }

    #[test]
    fn nothing_known_means_calls_may_try() {
        assert!(health().takes_calls(ZERO));
    }
}
