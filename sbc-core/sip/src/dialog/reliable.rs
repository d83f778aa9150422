//! Reliable provisional responses: sends and PRACKs come in, RSeq and RAck
//! values and what to do go out (RFC 3262 §3 for the UAS, §4 for the UAC).

use core::time::Duration;

use super::backoff::{Backoff, Beat};
use crate::{
    Instant,
    message::{Field, Method, RAck, RSeq, Require, Response, each, single},
    transaction::timers::Timings,
};

/// The greatest first RSeq, so that counting up never wraps (RFC 3262 §3).
const FIRST_MAX: u32 = 0x7fff_ffff;

/// Where the reliable provisional responses of one INVITE stand at its UAS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// None waits for its PRACK.
    Quiet,
    /// One waits, and is sent again.
    Waiting,
    /// The final response was sent, and nothing waits.
    Final,
    /// The final response was sent while one waited: its PRACK may still come.
    FinalWaiting,
    /// No PRACK came for 64*T1: the INVITE is to be rejected.
    Unacknowledged,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The application has a reliable provisional response to send.
    Send,
    /// A PRACK for the one that waits.
    Prack,
    /// A PRACK for anything else.
    OtherPrack,
    /// The interval of retransmission is over.
    Again,
    /// 64*T1 are over.
    End,
    /// The final response is sent.
    Final,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Give it the next RSeq, send it, start sending again.
    Transmit,
    /// It has to wait for the PRACK before it.
    Hold,
    Retransmit,
    Stop,
    /// Answer the PRACK with 200.
    Accept,
    /// Answer the PRACK with 481.
    Refuse,
    /// Answer the INVITE with a 5xx.
    Reject,
}

/// Returns where `event` leads from `state`, and what to do on the way.
///
/// One response at a time waits for its PRACK, as RFC 3262 §3 demands of the
/// first and recommends for all.
pub const fn next(state: State, event: Event) -> (State, &'static [Action]) {
    use State::{Final, FinalWaiting, Quiet, Unacknowledged, Waiting};
    match (state, event) {
        (Quiet, Event::Send) => (Waiting, &[Action::Transmit]),
        (Quiet, Event::Prack | Event::OtherPrack) => (Quiet, &[Action::Refuse]),
        (Quiet, Event::Final) => (Final, &[]),
        (Waiting, Event::Send) => (Waiting, &[Action::Hold]),
        (Waiting, Event::Prack) => (Quiet, &[Action::Stop, Action::Accept]),
        (Waiting, Event::OtherPrack) => (Waiting, &[Action::Refuse]),
        (Waiting, Event::Again) => (Waiting, &[Action::Retransmit]),
        (Waiting, Event::End) => (Unacknowledged, &[Action::Stop, Action::Reject]),
        // It SHOULD NOT be sent again, but its PRACK MUST still be processed.
        (Waiting, Event::Final) => (FinalWaiting, &[Action::Stop]),
        (FinalWaiting | Unacknowledged, Event::Prack) => (Final, &[Action::Accept]),
        (Final, Event::Prack | Event::OtherPrack)
        | (FinalWaiting | Unacknowledged, Event::OtherPrack) => (state, &[Action::Refuse]),
        // No new reliable provisional response after the final one.
        (Final | FinalWaiting | Unacknowledged, Event::Send) => (state, &[Action::Hold]),
        (Unacknowledged, Event::Final) => (FinalWaiting, &[]),
        (Quiet | Final | FinalWaiting | Unacknowledged, Event::Again | Event::End)
        | (Final | FinalWaiting, Event::Final) => (state, &[]),
    }
}

/// The UAS side of one INVITE.
#[derive(Clone, Debug)]
pub struct Uas {
    state: State,
    cseq: u32,
    /// The RSeq of the latest, or one less than the first.
    rseq: u32,
    /// Whether the one that waits carried a session description.
    described: bool,
    backoff: Option<Backoff>,
}

/// Why no reliable provisional response can be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Held {
    #[error("the reliable provisional response {rseq} waits for its PRACK")]
    Unacknowledged { rseq: u32 },
    #[error("the INVITE has its final response")]
    Final,
}

/// What a wake-up of the UAS asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    /// Send the one that waits again.
    Retransmit,
    /// Answer the INVITE with a 5xx: nobody acknowledges.
    Reject,
}

impl Uas {
    /// Takes the CSeq of the INVITE and a random number that becomes the first
    /// RSeq, between 1 and 2^31 - 1.
    pub const fn new(cseq: u32, random: u32) -> Self {
        Self {
            state: State::Quiet,
            cseq,
            rseq: random % FIRST_MAX,
            described: false,
            backoff: None,
        }
    }

    /// Takes the wish to send one, and whether it carries a session
    /// description; returns its RSeq, or why it has to wait.
    pub fn send(&mut self, now: Instant, timings: &Timings, described: bool) -> Result<u32, Held> {
        let (state, actions) = next(self.state, Event::Send);
        let before = core::mem::replace(&mut self.state, state);
        if !actions.contains(&Action::Transmit) {
            return Err(match before {
                State::Waiting => Held::Unacknowledged { rseq: self.rseq },
                _ => Held::Final,
            });
        }
        self.rseq = self.rseq.saturating_add(1);
        self.described = described;
        self.backoff = Some(Backoff::new(now, timings.t1, Duration::MAX));
        Ok(self.rseq)
    }

    /// Takes a PRACK; returns whether the answer is 200 rather than 481.
    pub fn prack(&mut self, rack: RAck<'_>) -> bool {
        let matches = rack == acknowledging(self.cseq, self.rseq);
        let event = if matches {
            Event::Prack
        } else {
            Event::OtherPrack
        };
        self.apply(event).contains(&Action::Accept)
    }

    /// Returns whether a 2xx may be sent: not while a session description
    /// waits for its PRACK (RFC 3262 §3). Any other final response always may.
    pub fn may_succeed(&self) -> bool {
        self.state != State::Waiting || !self.described
    }

    /// Returns whether one waits for its PRACK.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// Takes note of the final response.
    pub fn finish(&mut self) {
        self.apply(Event::Final);
    }

    /// Returns what is due.
    pub fn wakeup(&mut self, now: Instant) -> Option<Due> {
        let event = match self.backoff.as_mut()?.due(now)? {
            Beat::Again => Event::Again,
            Beat::End => Event::End,
        };
        let actions = self.apply(event);
        actions.iter().find_map(|action| match action {
            Action::Retransmit => Some(Due::Retransmit),
            Action::Reject => Some(Due::Reject),
            _ => None,
        })
    }

    /// Returns when something is due.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.backoff.as_ref().map(Backoff::next_wakeup)
    }

    fn apply(&mut self, event: Event) -> &'static [Action] {
        let (state, actions) = next(self.state, event);
        self.state = state;
        if actions.contains(&Action::Stop) {
            self.backoff = None;
        }
        actions
    }
}

/// Returns the RAck of the PRACK for a response to an INVITE (RFC 3262 §7.2).
pub const fn acknowledging(cseq: u32, rseq: u32) -> RAck<'static> {
    RAck {
        response: rseq,
        number: cseq,
        method: Method::Invite,
    }
}

/// Returns the RSeq of a response that was sent reliably: a 1xx other than 100,
/// with `Require: 100rel` (RFC 3262 §4).
pub fn rseq(response: &Response<'_>) -> Option<u32> {
    let frame = response.frame;
    let mut required = each::<Require<'_>>(frame.all(Require::NAME)).flatten();
    let reliable = matches!(response.status.code(), 101..=199)
        && required.any(|options| options.0.has("100rel"));
    let value = single::<RSeq>(frame.all(RSeq::NAME));
    value.ok().flatten().filter(|_| reliable).map(|rseq| rseq.0)
}

/// The UAC side in one early dialog of one INVITE. Each fork counts for itself.
#[derive(Clone, Debug, Default)]
pub struct Uac {
    latest: Option<(u32, u32)>,
}

/// What a reliable provisional response is to its receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Next in order: process it, and send the PRACK, [`acknowledging`] it.
    Acknowledge,
    /// Seen before: drop it, without a PRACK.
    Repeated,
    /// Not the next in order: drop it, without a PRACK; it will come again.
    OutOfOrder,
}

impl Uac {
    /// Takes the CSeq and the [`rseq`] of a reliable provisional response;
    /// returns what it is.
    pub fn received(&mut self, cseq: u32, rseq: u32) -> Verdict {
        let verdict = judge(self.latest, cseq, rseq);
        if verdict == Verdict::Acknowledge {
            self.latest = Some((cseq, rseq));
        }
        verdict
    }
}

/// Returns what a response is after the `latest` one processed in order, each
/// named by CSeq and RSeq. A later INVITE starts counting anew.
const fn judge(latest: Option<(u32, u32)>, cseq: u32, rseq: u32) -> Verdict {
    match latest {
        // RSeq starts at 1 (RFC 3262 §7.1).
        None if rseq == 0 => Verdict::OutOfOrder,
        None => Verdict::Acknowledge,
        Some((of, _)) if cseq > of && rseq > 0 => Verdict::Acknowledge,
        Some((of, last)) if cseq == of && rseq <= last && rseq > 0 => Verdict::Repeated,
        Some((of, last)) if cseq == of && rseq == last.saturating_add(1) => Verdict::Acknowledge,
        Some(_) => Verdict::OutOfOrder,
    }
}

#[cfg(test)]
mod tests;
