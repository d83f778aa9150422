//! A changed session: an offer of one side is settled on its leg, or crosses to
//! the other side as an offer of ours (RFC 3264 §8, RFC 3261 §14, RFC 3311 §5).

use alloc::boxed::Box;
use alloc::string::ToString;

use sbc_media::sdp::{Choice, RemoteOffer, Wish};
use sbc_sip::dialog::{exchange, life};
use sbc_sip::message::session::MinSe;
use sbc_sip::message::{Field, Method, Request, Response, Status, single};

use super::caller::{Refused, refuse};
use super::{Call, Crossing, Phase};
use crate::Side;
use crate::engine::{Desk, Owner, description};
use crate::leg::media::Asks;
use crate::leg::{Asked, Asking, Errand, Leg, Opening, Sent2xx};
use crate::story::{ReleasedBy, Why};

impl Call {
    /// Takes a re-INVITE or UPDATE of the peer on `side`.
    pub(super) fn offered(
        &mut self,
        desk: &mut Desk,
        side: Side,
        asked: Asked,
        request: &Request<'_>,
    ) {
        let owner = Owner::Call(self.key, side);
        let is_update = request.method == Method::Update;
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        if let Some(bytes) = leg.too_small(&asked) {
            leg.close(exchange::Event::Done, is_update);
            desk.respond(
                Some(owner),
                asked.id,
                Status::SESSION_INTERVAL_TOO_SMALL,
                bytes,
            );
            return;
        }
        if let Some(contact) = request.contact
            && let Some(address) = contact.address()
            && let Some(dialog) = &mut leg.dialog
        {
            // A target that cannot be kept is one that cannot be reached either.
            let _kept = dialog.refresh(request.method, address.uri);
        }
        let Some(body) = description(request.frame) else {
            self.without_offer(desk, side, &asked, is_update);
            return;
        };
        if let Opening::Ours(calling) = &mut leg.opening
            && !calling.answered
        {
            let tag = request.from.tag();
            if !calling.earlies.has_spoken(tag) {
                // RFC 3311 §5.2: our offer waits for its answer.
                desk.counters.glares += 1;
                leg.simple(desk, owner, &asked, Status::REQUEST_PENDING);
                return;
            }
            calling.earlies.turn_to(&mut leg.half, tag);
        }
        if leg.half.offered.is_some() && leg.half.agreed.is_none() {
            // RFC 3311 §5.2: its first offer waits for our answer.
            let secs = exchange::busy_secs(desk.random.below(u32::MAX));
            leg.busy(desk, owner, &asked, secs);
            return;
        }
        let policy = desk.media_of(leg.peer).cloned();
        let read = policy.map(|policy| leg.half.read_offer(body, &policy));
        match read {
            Some(Ok((offer, asks))) => self.judge(desk, side, asked, offer, asks, is_update),
            Some(Err(refusal)) => {
                let status = Status::new(refusal.status()).unwrap_or(Status::NOT_ACCEPTABLE_HERE);
                leg.close(exchange::Event::Done, is_update);
                let (place, tag) = (leg.peer, leg.tag.clone());
                let text = refusal.to_string();
                let refused = Refused {
                    status,
                    warning: Some(&text),
                    cause: None,
                };
                refuse(desk, Some(owner), place, &asked, Some(&tag), &refused);
            }
            None => leg.simple(desk, owner, &asked, Status::SERVER_INTERNAL_ERROR),
        }
    }

    /// Decides how far an offer has to go.
    fn judge(
        &mut self,
        desk: &mut Desk,
        side: Side,
        asked: Asked,
        offer: RemoteOffer,
        asks: Asks,
        is_update: bool,
    ) {
        self.reinvites += 1;
        let busy = self
            .leg(side)
            .is_some_and(|leg| leg.is_changing() || leg.half.waiting);
        if busy {
            let owner = Owner::Call(self.key, side);
            desk.counters.glares += 1;
            if let Some(leg) = self.leg_mut(side) {
                leg.close(exchange::Event::Done, is_update);
                leg.simple(desk, owner, &asked, Status::REQUEST_PENDING);
            }
            return;
        }
        let crosses = asks == Asks::Session && self.phase == Phase::Talking;
        if !crosses {
            let Some(choice) = self.choice(desk, side) else {
                return;
            };
            self.settle(desk, side, &asked, offer, &choice, is_update);
            return;
        }
        if self.crossing.is_some() {
            let owner = Owner::Call(self.key, side);
            desk.counters.glares += 1;
            if let Some(leg) = self.leg_mut(side) {
                leg.close(exchange::Event::Done, is_update);
                leg.simple(desk, owner, &asked, Status::REQUEST_PENDING);
            }
            return;
        }
        self.cross(desk, side, asked, offer, is_update);
    }

    /// Offers the other side what this side asks for; this side waits.
    fn cross(
        &mut self,
        desk: &mut Desk,
        side: Side,
        asked: Asked,
        offer: RemoteOffer,
        is_update: bool,
    ) {
        let other = side.other();
        let owner = Owner::Call(self.key, other);
        let Some(far) = self.leg_mut(other) else {
            return;
        };
        let policy = desk.media_of(far.peer);
        let wish = policy.and_then(|policy| Wish::later(&offer.audio, policy));
        let Some(wish) = wish else {
            // A hold is kept from this peer; its media is dropped meanwhile.
            let Some(choice) = self.choice(desk, side) else {
                return;
            };
            self.settle(desk, side, &asked, offer, &choice, is_update);
            return;
        };
        let before = far.half.own.clone();
        let sdp = far.half.offer(&wish);
        if !far.change(desk, owner, Method::Invite, Errand::Change, Some(&sdp)) {
            far.half.own = before;
            far.half.waiting = false;
            let owner = Owner::Call(self.key, side);
            if let Some(leg) = self.leg_mut(side) {
                leg.close(exchange::Event::Done, is_update);
                leg.simple(desk, owner, &asked, Status::REQUEST_PENDING);
            }
            return;
        }
        self.crossing = Some(Crossing {
            from: side,
            again_at: None,
            offer: Some(Box::new(offer)),
            is_update,
            before: Box::new(before),
        });
        desk.requests.insert(asked.id, (self.key, side));
        if let Some(leg) = self.leg_mut(side) {
            leg.asked = Some(Box::new(asked));
        }
    }

    /// Answers an offer on its own leg.
    fn settle(
        &mut self,
        desk: &mut Desk,
        side: Side,
        asked: &Asked,
        offer: RemoteOffer,
        choice: &Choice,
        is_update: bool,
    ) {
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        if let Opening::Ours(calling) = &mut leg.opening
            && !calling.answered
        {
            calling.earlies.move_on(&leg.half.own);
            calling.earlies.firm();
        }
        let sdp = leg.half.answer(offer, choice);
        leg.accept(desk, owner, asked, Some(&sdp), is_update);
        self.program(desk);
        self.keep(desk);
    }

    /// A re-INVITE without an offer gets ours; an UPDATE without one is a session
    /// refresh.
    fn without_offer(&mut self, desk: &mut Desk, side: Side, asked: &Asked, is_update: bool) {
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        if is_update {
            leg.accept(desk, owner, asked, None, true);
            return;
        }
        if leg.is_changing() {
            leg.close(exchange::Event::Done, false);
            leg.simple(desk, owner, asked, Status::REQUEST_PENDING);
            return;
        }
        let sdp = self.late_offer(desk, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        leg.half.waiting = true;
        leg.accept(desk, owner, asked, sdp.as_deref(), false);
    }

    /// Takes the final answer to a re-INVITE or UPDATE of ours that carried a
    /// change of the other side.
    pub(super) fn change_answered(
        &mut self,
        desk: &mut Desk,
        at: usize,
        asking: &Asking,
        answer: &Response<'_>,
    ) {
        let code = answer.status.code();
        let side = if at == 0 { Side::A } else { Side::B };
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        leg.close(exchange::Event::Done, false);
        if answer.status.is_success() {
            leg.acknowledge_change(desk, owner, asking);
            leg.refreshed(desk, answer);
            let policy = desk.media_of(leg.peer);
            let body = description(answer.frame);
            let accepted = match (body, policy) {
                (Some(body), Some(policy)) => leg.half.accept(body, policy).is_ok(),
                _ => false,
            };
            leg.half.waiting = false;
            self.crossed(desk, accepted.then_some(()).ok_or(488));
            return;
        }
        leg.half.waiting = false;
        if life::loses_dialog(Method::Invite, code) {
            self.lost_dialog(desk, side);
            return;
        }
        if code == 491 {
            self.ask_again_later(desk, at);
            return;
        }
        self.crossed(desk, Err(code));
    }

    /// RFC 3261 §14.1: both asked at once; we ask again after a random pause.
    fn ask_again_later(&mut self, desk: &mut Desk, at: usize) {
        desk.counters.glares += 1;
        let random = desk.random.below(u32::MAX);
        let pause = self
            .legs
            .get(at)
            .and_then(|leg| leg.dialog.as_ref())
            .map(|dialog| dialog.after_glare(random));
        if let (Some(crossing), Some(pause)) = (&mut self.crossing, pause) {
            crossing.again_at = Some(desk.now + pause);
        }
    }

    /// The pause after a glare is over.
    pub(super) fn ask_again(&mut self, desk: &mut Desk) {
        if self.pass_on_now(desk) {
            return;
        }
        let Some(crossing) = &mut self.crossing else {
            return;
        };
        crossing.again_at = None;
        let other = crossing.from.other();
        let owner = Owner::Call(self.key, other);
        let Some(far) = self.leg_mut(other) else {
            return;
        };
        let sdp = far.half.own.again();
        far.half.waiting = true;
        if !far.change(desk, owner, Method::Invite, Errand::Change, sdp.as_deref()) {
            far.half.waiting = false;
            self.crossed(desk, Err(491));
        }
    }

    /// The other side has said what it thinks of a change; the one that asked
    /// hears it.
    pub(super) fn crossed(&mut self, desk: &mut Desk, outcome: Result<(), u16>) {
        let Some(crossing) = self.crossing.take() else {
            return;
        };
        let (from, other) = (crossing.from, crossing.from.other());
        let owner = Owner::Call(self.key, from);
        let far = self.leg(other).and_then(|leg| leg.half.agreed.clone());
        let hold = self.leg(other).and_then(|leg| desk.media_of(leg.peer));
        let hold = hold.map(|policy| policy.hold).unwrap_or_default();
        if outcome.is_err()
            && let Some(leg) = self.leg_mut(other)
        {
            leg.half.own = *crossing.before;
        }
        let Some(offer) = crossing.offer else {
            self.program(desk);
            self.keep(desk);
            return;
        };
        let Some(leg) = self.leg_mut(from) else {
            return;
        };
        let Some(asked) = leg.asked.take() else {
            return;
        };
        match (outcome, far) {
            (Ok(()), Some(far)) => {
                let direction = hold.answer(offer.audio.direction, far.direction);
                let choice = Choice::after(&far, direction);
                let sdp = leg.half.answer(*offer, &choice);
                leg.accept(desk, owner, &asked, Some(&sdp), crossing.is_update);
            }
            (outcome, _) => {
                let code = outcome.err().unwrap_or(488);
                let status = Status::new(code).unwrap_or(Status::NOT_ACCEPTABLE_HERE);
                let status = if code >= 400 {
                    status
                } else {
                    Status::SERVER_INTERNAL_ERROR
                };
                leg.close(exchange::Event::Done, crossing.is_update);
                leg.simple(desk, owner, &asked, status);
            }
        }
        self.program(desk);
        self.keep(desk);
    }

    /// A request of ours showed that the peer has lost the dialog.
    pub(super) fn lost_dialog(&mut self, desk: &mut Desk, side: Side) {
        if let Some(leg) = self.leg_mut(side) {
            // It would answer a BYE as it answered this.
            leg.dialog = None;
            leg.success = None;
        }
        self.finish(desk, Why::TransportLost, ReleasedBy::Node, Status::OK);
    }

    /// Takes the final answer to a session refresh of ours.
    pub(super) fn refresh_answered(
        &mut self,
        desk: &mut Desk,
        at: usize,
        asking: &Asking,
        answer: &Response<'_>,
    ) {
        let side = if at == 0 { Side::A } else { Side::B };
        let owner = Owner::Call(self.key, side);
        let code = answer.status.code();
        let is_invite = answer.cseq.method == Method::Invite;
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        if is_invite {
            leg.close(exchange::Event::Done, false);
        }
        leg.half.waiting = false;
        if answer.status.is_success() {
            if is_invite {
                leg.acknowledge_change(desk, owner, asking);
            }
            leg.refreshed(desk, answer);
            if let (Some(body), Some(policy)) = (description(answer.frame), desk.media_of(leg.peer))
            {
                // What was agreed stays if the answer cannot be read.
                let _kept = leg.half.accept(body, policy);
            }
            self.program(desk);
            self.keep(desk);
            return;
        }
        let least = single::<MinSe>(answer.frame.all(MinSe::NAME));
        let least = least.ok().flatten().map(|least| least.0);
        let Some(timer) = &mut leg.timer else {
            return;
        };
        if code == 422 && timer.too_small(least).is_ok() {
            self.refresh(desk, side, answer.cseq.method.known());
            return;
        }
        let due = timer.refused(desk.now, code);
        self.timer_due(desk, side, due);
    }

    /// Sends a session refresh: the session as it is (RFC 4028 §7.4).
    pub(super) fn refresh(&mut self, desk: &mut Desk, side: Side, method: Option<Method<'static>>) {
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let method = method.unwrap_or(Method::Invite);
        let sdp = match method {
            Method::Update => None,
            _ => leg.half.own.again(),
        };
        let sent = leg.change(desk, owner, method, Errand::Refresh, sdp.as_deref());
        if sent {
            leg.half.waiting = sdp.is_some();
        } else if let Some(timer) = &mut leg.timer {
            // Something else is under way, and may refresh as well.
            timer.unanswered(desk.now, 491);
        }
    }
}

impl Leg {
    /// Answers a re-INVITE or UPDATE of the peer with 200.
    fn accept(
        &mut self,
        desk: &mut Desk,
        owner: Owner,
        asked: &Asked,
        sdp: Option<&str>,
        is_update: bool,
    ) {
        let Some(bytes) = self.success(desk, asked, sdp, |_| {}) else {
            return;
        };
        self.close(exchange::Event::Answered, is_update);
        if !is_update {
            self.success = Some(Box::new(Sent2xx {
                repeat: desk.repeat(asked.cseq),
                id: asked.id,
                bytes: bytes.clone(),
            }));
        }
        desk.respond(Some(owner), asked.id, Status::OK, bytes);
    }

    /// Notes what became of an INVITE; an UPDATE has no part in that.
    pub(super) fn close(&mut self, event: exchange::Event, is_update: bool) {
        if let (Some(dialog), false) = (&mut self.dialog, is_update) {
            dialog.exchange(event);
        }
    }

    /// Takes the 2xx to a request of ours that refreshes the session.
    pub(super) fn refreshed(&mut self, desk: &Desk, answer: &Response<'_>) {
        let method = answer.cseq.method;
        let contact = sbc_sip::dialog::Reply::received(answer).contact;
        if let (Some(dialog), Some(contact)) = (&mut self.dialog, contact) {
            let _kept = dialog.refresh(method, contact);
        }
        if let Some(timer) = &mut self.timer {
            timer.heard(answer.frame);
            timer.accepted(
                desk.now,
                sbc_sip::dialog::session_timer::session_expires(answer.frame),
            );
        }
    }

    /// Acknowledges the 2xx to a re-INVITE of ours, and keeps the ACK.
    pub(super) fn acknowledge_change(&mut self, desk: &mut Desk, owner: Owner, asking: &Asking) {
        let ack = self.ack(desk, owner, asking.cseq, None);
        self.last_ack = Some((asking.branch, ack));
    }
}
