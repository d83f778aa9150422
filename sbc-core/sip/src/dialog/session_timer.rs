//! Session timer: Session-Expires and Min-SE values of either side come in, our
//! own values, the moment to refresh and the moment to hang up go out (RFC 4028
//! §7 as UAC, §9 as UAS, §10).

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Instant,
    message::{Allow, Field, Method, Refresher, SessionExpires, each},
    wire::Frame,
};
use terms::MOST_SECS;

mod machine;
mod terms;

pub use machine::{Action, Event, State, next};
pub use terms::{Answer, Asked, BadPolicy, LEAST_SECS, Offer, Party, Policy, session_expires};

/// 422 answers taken for one request: each proxy on the path may ask for more
/// than the one before it, and no path of ours has this many.
const MOST_RETRIES: u8 = 5;

/// We never refresh more often than this, whatever a peer dictates.
const REFRESH_FLOOR: Duration = Duration::from_secs(15);

/// After a refusal we try again no sooner than this.
const RETRY_FLOOR: Duration = Duration::from_secs(10);

/// Why a request is not sent again after a 422.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GiveUp {
    #[error("the 422 names no least interval")]
    NoMinimum,
    #[error("the 422 asks for {min_secs} s, and we offered {offered_secs} s")]
    NotMore { min_secs: u32, offered_secs: u32 },
    #[error("the 422 asks for {min_secs} s, more than {MOST_SECS} s")]
    TooMuch { min_secs: u32 },
    #[error("the request was answered with 422 more than {MOST_RETRIES} times")]
    TooOften,
}

/// The session timer of one leg.
#[derive(Clone, Debug)]
pub struct SessionTimer {
    policy: Policy,
    state: State,
    /// The interval agreed, or else the one we ask for, in seconds.
    secs: u32,
    /// The greatest Min-SE a 422 or a request of the peer named.
    learned: Option<u32>,
    retries: u8,
    update: bool,
    /// The peer took part in the latest agreement, rather than being watched by us
    /// alone.
    agreed: bool,
    half: Option<Instant>,
    end: Option<Instant>,
}

/// What a wake-up or an answer asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Send this request, UPDATE or INVITE, with [`SessionTimer::offer`], its
    /// session description unchanged (RFC 4028 §7.4).
    Refresh(Method<'static>),
    Bye,
}

/// A session timer as the journal keeps it: what is left, not when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    secs: u32,
    /// Who refreshes, and the milliseconds until we hang up.
    running: Option<(Party, u64)>,
    half_in_ms: Option<u64>,
    learned: Option<u32>,
    update: bool,
    agreed: bool,
}

impl SessionTimer {
    /// Takes what the operator wants. Nothing runs before the first 2xx.
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::Off,
            secs: policy.expires_secs,
            learned: None,
            retries: 0,
            update: false,
            agreed: false,
            half: None,
            end: None,
        }
    }

    /// Takes whether the peer's latest Allow names UPDATE, which then refreshes
    /// rather than a re-INVITE.
    pub fn peer_allows_update(&mut self, update: bool) {
        self.update = update;
    }

    /// Takes a message of the peer; one without Allow says nothing of UPDATE.
    pub fn heard(&mut self, frame: &Frame) {
        if frame.count(Allow::NAME) > 0 {
            let mut allowed = each::<Allow<'_>>(frame.all(Allow::NAME)).flatten();
            self.update = allowed.any(|allow| allow.has(Method::Update));
        }
    }

    /// Returns what an INVITE or UPDATE of ours carries.
    pub fn offer(&self) -> Offer {
        let least = self.policy.min_secs.max(self.learned.unwrap_or(0));
        let refresher = match self.party() {
            Party::Us => Refresher::Uac,
            Party::Peer => Refresher::Uas,
        };
        Offer {
            expires: SessionExpires {
                secs: self.secs.max(least),
                refresher: Some(refresher),
            },
            min_secs: (self.learned.is_some() || least > LEAST_SECS).then_some(least),
        }
    }

    /// Takes the Min-SE of a 422 to a request of ours; if it is taken, the
    /// request goes again at once with a new [`SessionTimer::offer`] (RFC 4028
    /// §7.3).
    pub fn too_small(&mut self, min_secs: Option<u32>) -> Result<(), GiveUp> {
        let min_secs = min_secs.ok_or(GiveUp::NoMinimum)?;
        let offered_secs = self.offer().expires.secs;
        if min_secs <= offered_secs {
            return Err(GiveUp::NotMore {
                min_secs,
                offered_secs,
            });
        }
        if min_secs > MOST_SECS {
            return Err(GiveUp::TooMuch { min_secs });
        }
        if self.retries >= MOST_RETRIES {
            return Err(GiveUp::TooOften);
        }
        self.retries += 1;
        self.learned = self.learned.max(Some(min_secs));
        Ok(())
    }

    /// Takes the Session-Expires of a 2xx to an INVITE or UPDATE of ours (RFC
    /// 4028 §7.2).
    pub fn accepted(&mut self, now: Instant, expires: Option<SessionExpires>) {
        let offered = self.offer().expires.secs;
        self.agreed = expires.is_some();
        match expires {
            // A missing parameter is the peer's mistake; refreshing is safe
            // whatever it meant.
            Some(expires) => match expires.refresher.unwrap_or(Refresher::Uac) {
                Refresher::Uac => self.agree(now, expires.secs, Event::AgreedOurs),
                Refresher::Uas => self.agree(now, expires.secs, Event::AgreedTheirs),
            },
            None if self.policy.alone => self.agree(now, offered, Event::AgreedOurs),
            None => self.agree(now, self.policy.expires_secs, Event::AgreedNone),
        }
    }

    /// Takes the status of a final answer other than 2xx to our refresh (RFC 4028
    /// §10). It ends no session but that of a peer that agreed to a timer.
    pub fn refused(&mut self, now: Instant, status: u16) -> Option<Due> {
        let event = match status {
            408 | 481 => Event::Dead,
            _ if self.agreed => Event::Refused,
            _ => Event::RefusedAlone,
        };
        // A peer that names UPDATE but does not have it gets a re-INVITE.
        let fall_back = self.update && matches!(status, 405 | 501);
        self.update &= !fall_back;
        let due = self.apply(now, event);
        match self.half {
            Some(_) if fall_back => {
                self.half = None;
                self.apply(now, Event::Half)
            }
            _ => due,
        }
    }

    /// Takes note that our refresh has no answer: 408 for silence, another status if
    /// it could not be sent, which says nothing of the peer.
    pub fn unanswered(&mut self, now: Instant, status: u16) -> Option<Due> {
        let event = match status {
            408 => Event::Dead,
            _ => Event::Refused,
        };
        self.apply(now, event)
    }

    /// Returns what to answer a peer's INVITE or UPDATE with. Nothing changes
    /// before [`SessionTimer::answered`].
    pub fn answer(&self, asked: Asked) -> Answer {
        let least = self.policy.min_secs;
        let wanted = self.policy.expires_secs;
        match asked.expires {
            // Only a peer that knows the extension can make sense of a 422.
            Some(expires) if asked.timer && expires.secs < least => {
                Answer::TooSmall { min_secs: least }
            }
            // The interval may be lowered, but not below the path's least.
            Some(expires) => {
                let floor = asked.min_secs.unwrap_or(0).max(least);
                self.timed(
                    asked,
                    expires.secs.min(wanted.max(floor)),
                    expires.refresher,
                )
            }
            None if asked.timer || self.policy.alone => {
                self.timed(asked, wanted.max(asked.min_secs.unwrap_or(0)), None)
            }
            None => Answer::Untimed,
        }
    }

    fn timed(&self, asked: Asked, secs: u32, refresher: Option<Refresher>) -> Answer {
        let refresher = refresher_of(asked.timer, refresher, self.party());
        Answer::Timed {
            expires: SessionExpires {
                secs,
                refresher: Some(refresher),
            },
            require: asked.timer,
        }
    }

    /// Takes note that a 2xx with `answer` was sent to what the peer `asked`.
    pub fn answered(&mut self, now: Instant, asked: Asked, answer: Answer) {
        if let Some(min_secs) = asked.min_secs.filter(|&secs| secs <= MOST_SECS) {
            self.learned = self.learned.max(Some(min_secs));
        }
        if !matches!(answer, Answer::TooSmall { .. }) {
            self.agreed = asked.timer || asked.expires.is_some();
        }
        match answer {
            Answer::TooSmall { .. } => {}
            Answer::Untimed => self.agree(now, self.policy.expires_secs, Event::AgreedNone),
            Answer::Timed { expires, .. } => {
                let event = match expires.refresher {
                    Some(Refresher::Uac) => Event::AgreedTheirs,
                    Some(Refresher::Uas) | None => Event::AgreedOurs,
                };
                self.agree(now, expires.secs, event);
            }
        }
    }

    /// Returns what is due.
    pub fn wakeup(&mut self, now: Instant) -> Option<Due> {
        if self.end.is_some_and(|end| now >= end) {
            return self.apply(now, Event::End);
        }
        if self.half.is_some_and(|half| now >= half) {
            return self.apply(now, Event::Half);
        }
        None
    }

    /// Returns when something is due.
    pub fn next_wakeup(&self) -> Option<Instant> {
        [self.half, self.end].into_iter().flatten().min()
    }

    /// Returns who refreshes, and the interval in seconds, if a timer runs.
    pub fn running(&self) -> Option<(Party, u32)> {
        self.end.map(|_| (self.party(), self.secs))
    }

    /// Returns this timer as the journal keeps it. A refresh on its way counts
    /// as due.
    pub fn record(&self, now: Instant) -> Record {
        let left = |moment: Instant| {
            u64::try_from(moment.saturating_sub(now).as_millis()).unwrap_or(u64::MAX)
        };
        let asking = (self.state == State::Asking).then_some(0);
        Record {
            secs: self.secs,
            running: self.end.map(|end| (self.party(), left(end))),
            half_in_ms: self.half.map(left).or(asking),
            learned: self.learned,
            update: self.update,
            agreed: self.agreed,
        }
    }

    /// Takes a record back, with the moment it is read and the policy in force.
    pub fn resume(policy: Policy, now: Instant, record: &Record) -> Self {
        let later = |millis: u64| now.saturating_add(Duration::from_millis(millis));
        let state = match record.running {
            None => State::Off,
            Some((Party::Us, _)) => State::Ours,
            Some((Party::Peer, _)) => State::Theirs,
        };
        Self {
            policy,
            state,
            secs: record.secs,
            learned: record.learned,
            retries: 0,
            update: record.update,
            agreed: record.agreed,
            half: record
                .half_in_ms
                .filter(|_| state == State::Ours)
                .map(later),
            end: record.running.map(|(_, millis)| later(millis)),
        }
    }

    /// Returns who refreshes, or shall.
    fn party(&self) -> Party {
        match self.state {
            State::Ours | State::Asking => Party::Us,
            State::Theirs => Party::Peer,
            State::Off | State::Over => self.policy.refresher,
        }
    }

    fn agree(&mut self, now: Instant, secs: u32, event: Event) {
        self.secs = secs;
        self.retries = 0;
        self.apply(now, event);
    }

    fn apply(&mut self, now: Instant, event: Event) -> Option<Due> {
        let (state, actions) = next(self.state, event);
        self.state = state;
        let mut due = None;
        for action in actions {
            match action {
                Action::StartHalf => self.half = Some(now.saturating_add(half(self.secs))),
                Action::StartEnd => self.end = Some(now.saturating_add(limit(self.secs))),
                Action::StopHalf => self.half = None,
                Action::StopEnd => self.end = None,
                Action::StartRetry => {
                    let left = self.end.unwrap_or(now).saturating_sub(now);
                    self.half = Some(now.saturating_add((left / 2).max(RETRY_FLOOR)));
                }
                Action::Refresh if self.update => due = Some(Due::Refresh(Method::Update)),
                Action::Refresh => due = Some(Due::Refresh(Method::Invite)),
                Action::SendBye => due = Some(Due::Bye),
            }
        }
        due
    }
}

/// Returns the refresher a UAS names: RFC 4028 §9, Table 2. `party` is who
/// refreshes if the UAC leaves it to us.
const fn refresher_of(timer: bool, asked: Option<Refresher>, party: Party) -> Refresher {
    match (timer, asked, party) {
        (false, _, _) => Refresher::Uas,
        (true, Some(refresher), _) => refresher,
        (true, None, Party::Us) => Refresher::Uas,
        (true, None, Party::Peer) => Refresher::Uac,
    }
}

/// Returns how long after a refresh the next one goes (RFC 4028 §7.2, §9).
fn half(secs: u32) -> Duration {
    (Duration::from_secs(u64::from(secs)) / 2).max(REFRESH_FLOOR)
}

/// Returns how long after a refresh we hang up: the interval, less the smaller
/// of 32 s and a third of it (RFC 4028 §10). A peer that names less than the
/// protocol's least interval is given that.
fn limit(secs: u32) -> Duration {
    let interval = Duration::from_secs(u64::from(secs.max(LEAST_SECS)));
    interval - (interval / 3).min(Duration::from_secs(32))
}

#[cfg(test)]
mod tests;
