//! The session timer's machine: what is agreed, refused or due comes in, what to
//! start, stop and send goes out (RFC 4028 §7.2, §9, §10).

/// Where the timer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Nothing is agreed: the session lives until its BYE.
    Off,
    /// We refresh, at half the interval.
    Ours,
    /// Our refresh is on its way.
    Asking,
    /// The peer refreshes.
    Theirs,
    /// The session is to be ended.
    Over,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A 2xx, either way, made us the refresher.
    AgreedOurs,
    /// A 2xx, either way, made the peer the refresher.
    AgreedTheirs,
    /// A 2xx, either way, carried no Session-Expires.
    AgreedNone,
    /// The moment to refresh.
    Half,
    /// The moment to hang up, shortly before the interval ends.
    End,
    /// Our refresh was refused, but not as below, or could not be sent.
    Refused,
    /// The same by a peer that agreed to no timer: it is there, and that is all that
    /// was asked.
    RefusedAlone,
    /// Our refresh was answered with 408 or 481, or not at all.
    Dead,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    StartHalf,
    StartEnd,
    StopHalf,
    StopEnd,
    /// Start the refresh timer for another try before the end.
    StartRetry,
    Refresh,
    SendBye,
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(state: State, event: Event) -> (State, &'static [Action]) {
    use Action::{Refresh, SendBye, StartEnd, StartHalf, StartRetry, StopEnd, StopHalf};
    use State::{Asking, Off, Ours, Over, Theirs};
    match (state, event) {
        (Off | Ours | Asking | Theirs, Event::AgreedOurs) => (Ours, &[StartHalf, StartEnd]),
        (Off | Ours | Asking | Theirs, Event::AgreedTheirs) => (Theirs, &[StopHalf, StartEnd]),
        (Off | Ours | Asking | Theirs, Event::AgreedNone) => (Off, &[StopHalf, StopEnd]),
        (Ours, Event::Half) => (Asking, &[StopHalf, Refresh]),
        (Ours | Asking | Theirs, Event::End) => (Over, &[StopHalf, StopEnd, SendBye]),
        (Asking, Event::Refused) => (Ours, &[StartRetry]),
        (Asking, Event::RefusedAlone) => (Ours, &[StartEnd, StartRetry]),
        (Asking, Event::Dead) => (Over, &[StopHalf, StopEnd, SendBye]),
        (Off | Asking | Theirs, Event::Half) | (Off, Event::End) => (state, &[]),
        // A refresh that a newer agreement has overtaken.
        (Off | Ours | Theirs, Event::Refused | Event::RefusedAlone | Event::Dead) => (state, &[]),
        (Over, _) => (Over, &[]),
    }
}
