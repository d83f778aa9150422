//! Requests inside a call: found by our tag, ordered by CSeq, and answered on
//! the leg they came on (RFC 3261 §8.2, §12.2.2, §15.1.2, RFC 3262 §3, RFC 3311 §5.2).

use sbc_sip::dialog::{Verdict, exchange, life};
use sbc_sip::message::{Field, Method, RAck, Request, RetryAfter, Status, single};
use sbc_sip::transaction::destination::{Source, Transport};
use sbc_sip::transaction::layer::ServerId;
use sbc_sip::wire::Frame;

use super::{Call, Phase};
use crate::Side;
use crate::across::cause::Cause;
use crate::engine::{Desk, Owner};
use crate::leg::{Asked, Leg, Opening, abilities};
use crate::story::{Why, releaser};

impl Call {
    /// Takes a request of the peer on `side`, other than ACK and CANCEL.
    pub fn request(
        &mut self,
        desk: &mut Desk,
        side: Side,
        id: ServerId,
        source: Source,
        request: &Request<'_>,
    ) {
        self.hear_session(side, request.frame);
        let asked = Asked {
            id,
            frame: request.frame.clone(),
            source,
            cseq: request.cseq.number,
            session: self.leg(side).map(|leg| leg.session).unwrap_or_default(),
        };
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let early = leg.lend_early(request.from.tag());
        if early && request.method == Method::Bye {
            // RFC 3261 §15: the callee of an early dialog has no BYE.
            let status = Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            leg.simple(desk, owner, &asked, status);
        } else {
            self.inside(desk, side, &asked, request);
        }
        if early && let Some(leg) = self.leg_mut(side) {
            leg.return_early();
        }
    }

    fn inside(&mut self, desk: &mut Desk, side: Side, asked: &Asked, request: &Request<'_>) {
        let owner = Owner::Call(self.key, side);
        let random = desk.random.below(u32::MAX);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let Some(dialog) = &mut leg.dialog else {
            leg.simple(
                desk,
                owner,
                asked,
                Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            );
            return;
        };
        match dialog.receive(request.method, asked.cseq) {
            Verdict::Proceed => {}
            Verdict::OutOfOrder => {
                leg.simple(desk, owner, asked, Status::SERVER_INTERNAL_ERROR);
                return;
            }
            Verdict::Gone => {
                leg.simple(
                    desk,
                    owner,
                    asked,
                    Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                );
                return;
            }
            Verdict::Glare => {
                desk.counters.glares += 1;
                leg.simple(desk, owner, asked, Status::REQUEST_PENDING);
                return;
            }
            Verdict::Busy => {
                let secs = exchange::busy_secs(random);
                leg.busy(desk, owner, asked, secs);
                return;
            }
        }
        // On a connection the next request of ours goes where theirs came from.
        leg.follow(asked.source);
        if let Err(unable) = abilities::check(request) {
            leg.close(exchange::Event::Done, request.method != Method::Invite);
            let (status, bytes) = asked.unable(&leg.tag, &unable);
            desk.respond(Some(owner), asked.id, status, bytes);
            return;
        }
        match request.method {
            Method::Bye => self.bye(desk, side, asked),
            Method::Invite | Method::Update => self.offered(desk, side, asked.clone(), request),
            Method::Prack => self.pracked(desk, side, asked),
            Method::Options => leg.simple(desk, owner, asked, Status::OK),
            _ => leg.simple(desk, owner, asked, Status::METHOD_NOT_ALLOWED),
        }
    }

    /// Takes the name that the end on `side` has for the session.
    pub(super) fn hear_session(&mut self, side: Side, frame: &Frame) {
        let heard = self.leg_mut(side).filter(|leg| !leg.released);
        let near = heard.and_then(|leg| leg.session.hear(frame).then_some(leg.session.near));
        if let (Some(near), Some(other)) = (near, self.leg_mut(side.other())) {
            other.learn_far(near);
        }
    }

    fn bye(&mut self, desk: &mut Desk, side: Side, asked: &Asked) {
        let owner = Owner::Call(self.key, side);
        if let Some(leg) = self.leg_mut(side) {
            if let Some(dialog) = &mut leg.dialog {
                dialog.apply(life::Event::ByeReceived);
            }
            leg.simple(desk, owner, asked, Status::OK);
            leg.end_requests(desk, owner);
            leg.dialog = None;
            leg.bye_due = None;
            // It would not hang up on an answer it never got.
            leg.success = None;
        }
        self.cause = Cause::read(&asked.frame);
        let (why, status) = match (self.answered, side) {
            (Some(_), _) => (Why::Normal, Status::OK),
            (None, Side::A) => (Why::Cancelled, Status::REQUEST_TERMINATED),
            // It answered and ended before the caller could hear of it.
            (None, Side::B) => (Why::Refused, Status::TEMPORARILY_UNAVAILABLE),
        };
        self.finish(desk, why, releaser(side), status);
    }

    /// The caller cancelled its INVITE, and says why, or either side its re-INVITE
    /// (RFC 3261 §9.2); the layer has answered the CANCEL.
    pub fn cancelled(&mut self, desk: &mut Desk, id: ServerId, cause: Option<Cause>) {
        if self.legs.iter().any(|leg| leg.waits_for(id)) {
            self.withdraw(desk, Status::REQUEST_TERMINATED);
        } else if self.phase == Phase::Inviting {
            self.cause = cause;
            self.finish(
                desk,
                Why::Cancelled,
                releaser(Side::A),
                Status::REQUEST_TERMINATED,
            );
        }
    }

    fn pracked(&mut self, desk: &mut Desk, side: Side, asked: &Asked) {
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let rack = single::<RAck<'_>>(asked.frame.all(RAck::NAME));
        let known = match (rack, &mut leg.reliable) {
            (Ok(Some(rack)), Some(reliable)) => reliable.uas.prack(rack),
            _ => false,
        };
        if !known {
            let status = Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            leg.simple(desk, owner, asked, status);
            return;
        }
        let next = leg.reliable.as_mut().and_then(|kept| kept.next.take());
        if !self.prack_described(desk, side, asked) {
            return;
        }
        if let Some(answer) = self.held.take() {
            self.connect(desk, &answer);
        } else if let Some((status, described)) = next
            && self.phase == Phase::Inviting
        {
            self.tell_caller(desk, status, described, None);
        }
    }

    /// Answers a PRACK. What it describes is the answer to an offer of ours, or an offer
    /// (RFC 3262 §5). Returns false if the call ended of it.
    fn prack_described(&mut self, desk: &mut Desk, side: Side, asked: &Asked) -> bool {
        let owner = Owner::Call(self.key, side);
        let choice = self.choice(desk, side);
        let Some(leg) = self.leg_mut(side) else {
            return false;
        };
        let body = crate::engine::description(&asked.frame);
        let policy = desk.media_of(leg.peer);
        let (Some(body), Some(policy), Some(choice)) = (body, policy, choice) else {
            leg.simple(desk, owner, asked, Status::OK);
            return true;
        };
        if leg.half.waiting {
            let taken = leg.half.accept(body, policy).is_ok();
            leg.simple(desk, owner, asked, Status::OK);
            if !taken {
                self.no_media(desk);
                return false;
            }
        } else {
            match leg.half.read_offer(body, policy) {
                Ok((offer, _)) => {
                    let sdp = leg.half.answer(offer, &choice);
                    let bytes = asked.answer(Status::OK, Some(&leg.tag), Some(&sdp), |_| {});
                    desk.respond(Some(owner), asked.id, Status::OK, bytes);
                }
                Err(_) => leg.simple(desk, owner, asked, Status::NOT_ACCEPTABLE_HERE),
            }
        }
        self.program(desk);
        true
    }

    /// Takes an ACK on `side`: the answer of a late offer may be in it.
    pub fn acknowledged(&mut self, desk: &mut Desk, side: Side, request: &Request<'_>) {
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let first = leg
            .success
            .as_mut()
            .is_some_and(|success| success.repeat.ack(request.cseq.number));
        if !first {
            return;
        }
        leg.success = None;
        if let Some(dialog) = &mut leg.dialog {
            dialog.exchange(exchange::Event::Confirmed);
        }
        if let Some(cause) = leg.bye_due.take() {
            leg.hang_up(desk, owner, cause);
            return;
        }
        if leg.half.waiting {
            self.late_answer(desk, side, request);
        }
    }

    /// RFC 3264 §4: the offer was ours, in a 200; the answer is in the ACK.
    fn late_answer(&mut self, desk: &mut Desk, side: Side, request: &Request<'_>) {
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        let before = leg.half.theirs.is_some().then(|| leg.half.wants());
        let body = crate::engine::description(request.frame);
        let accepted = match (body, desk.media_of(leg.peer)) {
            (Some(body), Some(policy)) => leg.half.accept(body, policy).is_ok(),
            // Nothing was asked, and what was agreed before goes on.
            _ => leg.half.agreed.is_some(),
        };
        leg.half.waiting = false;
        if accepted {
            if let Some(before) = before {
                self.answered_late(desk, side, before);
            }
            self.program(desk);
            self.keep(desk);
        } else {
            self.no_media(desk);
        }
    }
}

impl Leg {
    /// Answers without a body and without changing anything.
    pub fn simple(&self, desk: &mut Desk, owner: Owner, asked: &Asked, status: Status) {
        let bytes = asked.answer(status, Some(&self.tag), None, |_| {});
        desk.respond(Some(owner), asked.id, status, bytes);
    }

    pub(super) fn busy(&self, desk: &mut Desk, owner: Owner, asked: &Asked, secs: u32) {
        let status = Status::SERVER_INTERNAL_ERROR;
        let bytes = asked.answer(status, Some(&self.tag), None, |writer| {
            writer.field(&RetryAfter {
                secs,
                duration_secs: None,
            });
        });
        desk.respond(Some(owner), asked.id, status, bytes);
    }

    /// Answers what waits in a dialog that is over with 487 (RFC 3261 §15.1.2).
    pub fn end_requests(&mut self, desk: &mut Desk, owner: Owner) {
        if let Some(asked) = self.asked.take() {
            self.simple(desk, owner, &asked, Status::REQUEST_TERMINATED);
        }
        if let Opening::Theirs(asked) = &self.opening {
            self.simple(desk, owner, asked, Status::REQUEST_TERMINATED);
            self.opening = Opening::Over;
        }
        self.reliable = None;
    }

    /// Requests of ours use the connection that the peer used last, as long as it
    /// lives: a peer that only opens connections can be reached by no other.
    fn follow(&mut self, source: Source) {
        if source.from.transport != Transport::Udp {
            self.to = source.from;
        }
    }

    /// The connection with this number is gone. Returns whether this leg used it.
    pub fn disconnected(&mut self, desk: &Desk, connection: u64) -> bool {
        if self.to.connection != connection {
            return false;
        }
        if let Some(way) = desk.way_back(self) {
            self.to = way;
        }
        true
    }
}
