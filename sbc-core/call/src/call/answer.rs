//! Answers to the INVITE of the called side, and what the caller hears of them
//! (RFC 3261 §13.2.2, RFC 3262 §4, RFC 3960 §3).

use alloc::boxed::Box;
use alloc::vec::Vec;

use sbc_config::peer::EarlyMedia;
use sbc_media::sdp::Choice;
use sbc_sip::Instant;
use sbc_sip::dialog::session_timer::session_expires;
use sbc_sip::dialog::two_xx::Seen;
use sbc_sip::dialog::{Reply, record_route, reliable};
use sbc_sip::message::session::MinSe;
use sbc_sip::message::{Field, RSeq, Response, RetryAfter, Status, StatusClass, each, single};
use sbc_sip::transaction::branch::Branch;
use sbc_sip::wire::{Frame, Name};

use super::{Call, Phase};
use crate::Side;
use crate::across::cause::Cause;
use crate::engine::{Desk, Owner, allows_update, description};
use crate::leg::{Leg, Opening};
use crate::peer::health::Event;
use crate::story::{ReleasedBy, Why};

/// A peer that asks to be left alone is left alone, but not for longer: a wrong
/// figure must not take a trunk away for a day (RFC 3261 §20.33).
const RESTS_AT_MOST_SECS: u32 = 60;

impl Call {
    /// Takes an answer to the INVITE of leg `at`.
    pub(super) fn invite_answered(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        self.lives(desk, at);
        match answer.status.class() {
            StatusClass::Provisional => self.progress(desk, at, answer),
            StatusClass::Success => self.success(desk, at, answer),
            _ => self.failure(desk, at, answer),
        }
    }

    /// The peer of leg `at` answered its INVITE, with whatever: it is there.
    fn lives(&mut self, desk: &mut Desk, at: usize) {
        if let Some(leg) = self.legs.get_mut(at)
            && let Opening::Ours(calling) = &mut leg.opening
            && core::mem::replace(&mut calling.silent, false)
            && let Some(peer) = desk.peers.get_mut(leg.peer)
        {
            peer.health.heard(desk.now);
        }
    }

    /// The peer of leg `at` said nothing at all to its INVITE, which counts once.
    pub(super) fn missed(&mut self, desk: &mut Desk, at: usize) {
        if let Some(leg) = self.legs.get_mut(at)
            && let Opening::Ours(calling) = &mut leg.opening
            && calling.silent
            && !core::mem::replace(&mut calling.missed, true)
            && let Some(peer) = desk.peers.get_mut(leg.peer)
        {
            peer.health.note(desk.now, Event::Missed);
        }
    }

    fn progress(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        let owner = Owner::Call(self.key, Side::B);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let Opening::Ours(calling) = &mut leg.opening else {
            return;
        };
        let is_current = self.current == Some(at) && !calling.given_up;
        if answer.status == Status::TRYING || !is_current {
            if is_current && !calling.heard {
                self.target_lives(desk);
            }
            return;
        }
        calling.heard = true;
        if !learn_fork(calling, answer) {
            return;
        }
        leg.allows_update |= allows_update(answer.frame);
        if !acknowledge(desk, leg, owner, answer) {
            return;
        }
        let described = leg.early_answer(desk, answer);
        let described = described && self.caller_early_media(desk) != EarlyMedia::RingOnly;
        self.target_lives(desk);
        self.rang.get_or_insert(desk.now);
        self.tell_progress(desk, answer, described);
        self.program(desk);
    }

    /// Passes a provisional answer on: a description moves from 180 to 183,
    /// because some callers' sides take it nowhere else.
    fn tell_progress(&mut self, desk: &mut Desk, answer: &Response<'_>, described: bool) {
        let moves = described && self.caller_early_media(desk) == EarlyMedia::Normalise;
        let status = match answer.status {
            _ if moves => Status::SESSION_PROGRESS,
            // Nobody hears what a progress without a session promises.
            Status::SESSION_PROGRESS if self.caller_early_media(desk) == EarlyMedia::RingOnly => {
                Status::RINGING
            }
            status => status,
        };
        self.guard = None;
        self.tell_caller(desk, status, described, Some(answer.frame));
    }

    /// What the caller's peer is told of media before the answer.
    pub(super) fn caller_early_media(&self, desk: &Desk) -> EarlyMedia {
        let peer = self.leg(Side::A).and_then(|leg| desk.peer(leg.peer));
        peer.map_or(EarlyMedia::Normalise, |peer| peer.early_media)
    }

    /// The caller hears 183 before its server gives the call up.
    pub(super) fn guard_fires(&mut self, desk: &mut Desk) {
        self.guard = None;
        self.tell_caller(desk, Status::SESSION_PROGRESS, false, None);
    }

    /// Takes a 2xx of leg `at`.
    fn success(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        let owner = Owner::Call(self.key, Side::B);
        let now = desk.now;
        let is_current = self.current == Some(at);
        let phase = self.phase;
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let Opening::Ours(calling) = &mut leg.opening else {
            return;
        };
        let tag = answer.to.tag().unwrap_or_default();
        match calling.acks.success(now, &desk.timings, tag) {
            Seen::First if is_current && phase == Phase::Inviting && !calling.given_up => {
                self.answered_by(desk, at, answer);
            }
            Seen::First | Seen::Other => leg.end_fork(desk, owner, answer),
            Seen::Again(ack) => desk.send_ack(owner, desk.next_hop(leg), ack),
            Seen::Unanswered | Seen::Dropped => {}
        }
    }

    /// The call has its answer: the dialog is confirmed, acknowledged, and told
    /// to the caller.
    fn answered_by(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        let owner = Owner::Call(self.key, Side::B);
        let now = desk.now;
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let firm = match &mut leg.opening {
            Opening::Ours(calling) if !calling.earlies.is_empty() => {
                calling.earlies.turn_to(&mut leg.half, answer.to.tag())
            }
            _ => false,
        };
        let Some(cseq) = leg.confirm(answer) else {
            leg.end_fork(desk, owner, answer);
            self.attempt_failed(desk, 0, "an answer that makes no dialog");
            return;
        };
        leg.acknowledge(desk, owner, cseq, answer.to.tag().unwrap_or_default());
        if let Some(timer) = &mut leg.timer {
            timer.heard(answer.frame);
            timer.accepted(now, session_expires(answer.frame));
        }
        leg.allows_update = allows_update(answer.frame);
        let body = description(answer.frame);
        let accepted = match (body, desk.media_of(leg.peer)) {
            (Some(body), Some(policy)) if !firm => leg.half.accept(body, policy).is_ok(),
            // An early description may have been the answer already.
            _ => leg.half.agreed.is_some(),
        };
        if !accepted {
            leg.bye(desk, owner, Some(Cause::of(488)));
            self.attempt_failed(desk, 488, "an unacceptable session description");
            return;
        }
        let (place, secs) = (leg.peer, answer.status.code());
        if let Some(peer) = desk.peers.get_mut(place) {
            peer.answered += 1;
        }
        self.note_attempt(desk, place, secs, "");
        self.tell_answer(desk, answer.frame);
    }

    fn tell_answer(&mut self, desk: &mut Desk, answer: &Frame) {
        self.cause = None;
        self.guard = None;
        self.patience = None;
        let waits = self.leg(Side::A).and_then(|leg| leg.reliable.as_ref());
        if waits.is_some_and(|reliable| !reliable.uas.may_succeed()) {
            // RFC 3262 §3: not while a description waits for its PRACK.
            self.held = Some(Box::new(answer.clone()));
            self.program(desk);
            return;
        }
        self.connect(desk, answer);
    }

    /// The caller hears that the call is answered.
    pub(super) fn connect(&mut self, desk: &mut Desk, answer: &Frame) {
        self.phase = Phase::Talking;
        self.answered = Some(desk.now);
        self.rang.get_or_insert(desk.now);
        desk.counters.answered += 1;
        // Nobody else is tried: what only that needed goes back.
        self.hunt.targets = Vec::new();
        self.hunt.attempts.shrink_to_fit();
        self.answer_caller(desk, answer);
        self.program(desk);
        self.keep(desk);
    }

    fn failure(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) {
        let code = answer.status.code();
        let is_current = self.current == Some(at);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let given_up = match &leg.opening {
            Opening::Ours(calling) => calling.given_up,
            _ => return,
        };
        if is_current && !given_up && code == 422 && self.longer_session(desk, at, answer) {
            return;
        }
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        leg.opening = Opening::Over;
        if given_up || !is_current {
            return;
        }
        if (300..400).contains(&code) {
            self.redirected(desk, at, answer);
            return;
        }
        rest(desk, leg, answer);
        self.cause = Cause::read(answer.frame);
        self.attempt_failed(desk, code, answer.reason);
    }

    /// RFC 4028 §7.3: the target wants a longer interval, and gets it.
    fn longer_session(&mut self, desk: &mut Desk, at: usize, answer: &Response<'_>) -> bool {
        let least = single::<MinSe>(answer.frame.all(MinSe::NAME));
        let least = least.ok().flatten().map(|least| least.0);
        let Some(leg) = self.legs.get_mut(at) else {
            return false;
        };
        let taken = leg
            .timer
            .as_mut()
            .is_some_and(|timer| timer.too_small(least).is_ok());
        let peer = desk.peer(leg.peer).cloned();
        match peer {
            Some(peer) if taken => {
                desk.counters.retried += 1;
                leg.half.waiting = true;
                self.invite(desk, &peer);
                true
            }
            _ => false,
        }
    }

    /// An INVITE of ours got no answer, or could not be sent.
    pub(super) fn invite_lost(&mut self, desk: &mut Desk, at: usize, why: &str) {
        self.missed(desk, at);
        let is_current = self.current == Some(at);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let given_up = match core::mem::take(&mut leg.opening) {
            Opening::Ours(calling) => calling.given_up,
            _ => return,
        };
        if is_current && !given_up {
            self.attempt_failed(desk, 0, why);
        }
    }

    /// What an answer on `side` may hold, given what the other side agreed to.
    pub(super) fn choice(&self, desk: &Desk, side: Side) -> Option<Choice> {
        let far = self.leg(side.other());
        match far.and_then(|leg| leg.half.agreed.as_ref()) {
            Some(agreed) => Some(Choice::after(agreed, agreed.direction)),
            None => desk.media_of(self.leg(side)?.peer).map(Choice::alone),
        }
    }

    /// Ends the call because the two sides cannot agree on media.
    pub(super) fn no_media(&mut self, desk: &mut Desk) {
        self.finish(
            desk,
            Why::Media,
            ReleasedBy::Node,
            Status::NOT_ACCEPTABLE_HERE,
        );
    }
}

impl Leg {
    /// Takes the description of a provisional answer. Returns whether there is one that
    /// answers our offer.
    fn early_answer(&mut self, desk: &Desk, answer: &Response<'_>) -> bool {
        let (Some(body), Some(policy)) = (description(answer.frame), desk.media_of(self.peer))
        else {
            return false;
        };
        let Opening::Ours(calling) = &mut self.opening else {
            return false;
        };
        if calling.earlies.turn_to(&mut self.half, answer.to.tag()) {
            return true;
        }
        let taken = self.half.accept(body, policy).is_ok();
        if taken && reliable::rseq(answer).is_some() {
            calling.earlies.firm();
        }
        taken
    }

    /// Takes the 2xx that answers our INVITE; the dialog goes on with it.
    /// Returns the CSeq its ACK carries.
    fn confirm(&mut self, answer: &Response<'_>) -> Option<u32> {
        let Opening::Ours(calling) = &mut self.opening else {
            return None;
        };
        learn_fork(calling, answer);
        let tag = answer.to.tag();
        let mut dialog = calling.forks.take(tag)?;
        dialog.exchange(sbc_sip::dialog::exchange::Event::Done);
        let cseq = calling.cseq;
        calling.forks.fail();
        self.dialog = Some(dialog);
        Some(cseq)
    }

    fn acknowledge(&mut self, desk: &mut Desk, owner: Owner, cseq: u32, tag: &str) {
        let ack = self.ack(desk, owner, cseq, None);
        if let Opening::Ours(calling) = &mut self.opening {
            calling.acks.sent(tag, ack);
            calling.answered = true;
        }
    }

    /// Acknowledges a 2xx nobody wants any more, and ends its dialog
    /// (RFC 3261 §13.2.2.4, §9.1).
    fn end_fork(&mut self, desk: &mut Desk, owner: Owner, answer: &Response<'_>) {
        let kept = self.dialog.take();
        if let Some(cseq) = self.confirm(answer) {
            let tag = answer.to.tag().unwrap_or_default();
            let ack = self.ack(desk, owner, cseq, None);
            self.bye(desk, owner, None);
            if let Opening::Ours(calling) = &mut self.opening {
                calling.acks.sent(tag, ack);
                calling.answered = true;
            }
        }
        if kept.is_some() {
            self.dialog = kept;
        }
    }

    /// Returns whether our INVITE on this leg was answered before `now` so long
    /// that no copy of its 2xx can come any more.
    pub(super) fn forget_acks(&mut self, now: Instant) {
        if let Opening::Ours(calling) = &self.opening
            && calling.answered
            && calling.acks.is_over(now)
        {
            self.opening = Opening::Over;
        }
    }
}

/// Adds the response to the dialogs of the INVITE. Returns false if it is one
/// fork too many, which is then as if it had not come.
fn learn_fork(calling: &mut crate::leg::Calling, answer: &Response<'_>) -> bool {
    let Ok(routes) = record_route(answer.frame) else {
        return false;
    };
    let mut forks = core::mem::take(&mut calling.forks);
    let learned = calling.opening().is_some_and(|opening| {
        forks
            .respond(&opening, &Reply::received(answer), routes)
            .is_ok()
    });
    calling.forks = forks;
    learned
}

/// Acknowledges a reliable provisional response. Returns false for one that was
/// seen before, or that came before its turn (RFC 3262 §4).
fn acknowledge(desk: &mut Desk, leg: &mut Leg, owner: Owner, answer: &Response<'_>) -> bool {
    use sbc_sip::message::tokens::Require;
    let mut required = each::<Require<'_>>(answer.frame.all(Name::Require)).flatten();
    if !required.any(|require| require.0.has("100rel")) {
        return true;
    }
    let Ok(Some(rseq)) = single::<RSeq>(answer.frame.all(RSeq::NAME)) else {
        return false;
    };
    let cseq = answer.cseq.number;
    let tag = answer.to.tag();
    let Opening::Ours(calling) = &mut leg.opening else {
        return false;
    };
    let Some(heard) = calling.earlies.heard(tag) else {
        return false;
    };
    match heard.received(cseq, rseq.0) {
        reliable::Verdict::Acknowledge => {
            // The PRACK goes inside the early dialog of the one that answered.
            let early = calling.forks.take(tag);
            let kept = core::mem::replace(&mut leg.dialog, early);
            leg.prack(desk, owner, rseq.0, cseq);
            let early = core::mem::replace(&mut leg.dialog, kept);
            if let (Opening::Ours(calling), Some(early)) = (&mut leg.opening, early) {
                calling.forks.put(early);
            }
            true
        }
        reliable::Verdict::Repeated | reliable::Verdict::OutOfOrder => false,
    }
}

/// A 503 with Retry-After rests the peer (RFC 3261 §21.5.4).
fn rest(desk: &mut Desk, leg: &Leg, answer: &Response<'_>) {
    if answer.status != Status::SERVICE_UNAVAILABLE {
        return;
    }
    let pause = single::<RetryAfter>(answer.frame.all(Name::RetryAfter));
    let Ok(Some(pause)) = pause else {
        return;
    };
    let secs = pause.secs.min(RESTS_AT_MOST_SECS);
    if let Some(peer) = desk.peers.get_mut(leg.peer) {
        let pause = core::time::Duration::from_secs(secs.into());
        peer.health.rest(desk.now, pause);
    }
}

/// Returns whether a response belongs to the INVITE with this branch.
pub(super) fn is_opening(leg: &Leg, branch: Branch) -> bool {
    matches!(&leg.opening, Opening::Ours(calling) if calling.branch == branch)
}
