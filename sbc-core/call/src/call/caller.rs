//! What the caller hears: progress, the answer, or the end (RFC 3261 §13.3.1,
//! RFC 3262 §3, RFC 4028 §9).

use alloc::boxed::Box;
use alloc::string::String;

use bytes::Bytes;
use sbc_config::peer::Prack;
use sbc_media::sdp::Wish;
use sbc_sip::dialog::life::Event;
use sbc_sip::dialog::reliable::Uas;
use sbc_sip::dialog::session_timer::{Answer, Asked as Wanted, SessionTimer};
use sbc_sip::dialog::{Dialog, Opening as Facts, record_route};
use sbc_sip::message::session::{MinSe, SessionExpires};
use sbc_sip::message::tokens::{Require, Supported};
use sbc_sip::message::{Field, RSeq, Request, RetryAfter, Status, Writer, each, single};
use sbc_sip::wire::{Frame, Name};

use super::Call;
use crate::Side;
use crate::across;
use crate::across::cause::Cause;
use crate::engine::{Desk, Owner};
use crate::leg::{Asked, Leg, Opening, Reliable, Sent2xx, compose};

impl Call {
    /// Tells the caller at once that its INVITE is here.
    pub fn trying(&mut self, desk: &mut Desk) {
        let owner = Owner::Call(self.key, Side::A);
        if let Some(leg) = self.legs.first()
            && let Opening::Theirs(asked) = &leg.opening
        {
            let bytes = asked.answer(Status::TRYING, None, None, |_| {});
            desk.respond(Some(owner), asked.id, Status::TRYING, bytes);
        }
    }

    /// Answers the caller's INVITE provisionally, reliably if it has to be.
    /// `answer` is the one of the other side that it tells of.
    pub(super) fn tell_caller(
        &mut self,
        desk: &mut Desk,
        status: Status,
        described: bool,
        answer: Option<&Frame>,
    ) {
        let far = self
            .leg(Side::B)
            .and_then(|leg| desk.peer(leg.peer))
            .cloned();
        let Some(choice) = self.choice(desk, Side::A) else {
            return;
        };
        let owner = Owner::Call(self.key, Side::A);
        let Some(leg) = self.legs.first_mut() else {
            return;
        };
        if !matches!(leg.opening, Opening::Theirs(_)) || !leg.make_dialog() {
            return;
        }
        let peer = desk.peer(leg.peer).cloned();
        let Some(peer) = peer else {
            return;
        };
        let wants = match &leg.opening {
            Opening::Theirs(asked) => reliability(&asked.frame, peer.prack),
            _ => false,
        };
        if wants && leg.is_unacknowledged(status, described) {
            return;
        }
        let sdp = match leg.half.offered {
            Some(_) if described => leg.describe(&choice),
            // RFC 3262 §5: the first reliable answer to an INVITE without an offer has one.
            None if wants && leg.half.agreed.is_none() && !leg.half.waiting => desk
                .media_of(leg.peer)
                .map(Wish::alone)
                .map(|wish| leg.half.offer(&wish)),
            _ => None,
        };
        if wants {
            leg.tell_reliably(desk, owner, status, sdp.as_deref());
            return;
        }
        let Opening::Theirs(asked) = &leg.opening else {
            return;
        };
        let bytes = asked.answer(status, Some(&leg.tag), sdp.as_deref(), |writer| {
            asked.record_route(writer);
            compose::contact(writer, leg.local);
            compose::abilities(writer, &peer);
            if let (Some(answer), Some(far)) = (answer, &far) {
                across::pass(writer, answer, &peer, far);
            }
        });
        desk.respond(Some(owner), asked.id, status, bytes);
    }

    /// Answers the caller's INVITE with 200, on the strength of `answer`.
    pub(super) fn answer_caller(&mut self, desk: &mut Desk, answer: &Frame) {
        let far = self
            .leg(Side::B)
            .and_then(|leg| desk.peer(leg.peer))
            .cloned();
        let Some(choice) = self.choice(desk, Side::A) else {
            return;
        };
        let owner = Owner::Call(self.key, Side::A);
        let Some(leg) = self.legs.first_mut() else {
            return;
        };
        if !leg.make_dialog() {
            return;
        }
        let sdp = match leg.half.offered {
            Some(_) => leg.describe(&choice),
            // Our offer was in a reliable answer, theirs in its PRACK.
            None if leg.half.agreed.is_some() => None,
            None => desk
                .media_of(leg.peer)
                .map(Wish::alone)
                .map(|wish| leg.half.offer(&wish)),
        };
        let Opening::Theirs(asked) = core::mem::take(&mut leg.opening) else {
            return;
        };
        if let Some(reliable) = &mut leg.reliable {
            // Its PRACK may still come, and is answered.
            reliable.uas.finish();
            reliable.bytes = Bytes::new();
            reliable.next = None;
        }
        let near = desk.peer(leg.peer).cloned();
        let bytes = leg.success(desk, &asked, sdp.as_deref(), |writer| {
            if let (Some(near), Some(far)) = (&near, &far) {
                across::pass(writer, answer, near, far);
            }
        });
        let Some(bytes) = bytes else {
            return;
        };
        if let Some(dialog) = &mut leg.dialog {
            dialog.apply(Event::Success);
            dialog.exchange(sbc_sip::dialog::exchange::Event::Answered);
        }
        leg.success = Some(Box::new(Sent2xx {
            repeat: desk.repeat(asked.cseq),
            id: asked.id,
            bytes: bytes.clone(),
        }));
        desk.respond(Some(owner), asked.id, Status::OK, bytes);
    }

    /// Answers the caller's INVITE with a failure, if it still waits.
    pub(super) fn refuse_caller(&mut self, desk: &mut Desk, status: Status, warning: Option<&str>) {
        let owner = Owner::Call(self.key, Side::A);
        let Some(leg) = self.legs.first_mut() else {
            return;
        };
        let Opening::Theirs(asked) = core::mem::take(&mut leg.opening) else {
            return;
        };
        leg.reliable = None;
        if let Some(dialog) = &mut leg.dialog {
            dialog.apply(Event::Failure);
        }
        let refused = Refused {
            status,
            warning,
            cause: self.cause,
        };
        refuse(
            desk,
            Some(owner),
            leg.peer,
            &asked,
            Some(&leg.tag),
            &refused,
        );
    }
}

/// What a failure of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    pub status: Status,
    pub warning: Option<&'a str>,
    /// Why the other side refused; none is what the status stands for.
    pub cause: Option<Cause>,
}

/// Answers `asked` with a failure and all that goes along with it.
pub fn refuse(
    desk: &mut Desk,
    owner: Option<Owner>,
    place: usize,
    asked: &Asked,
    tag: Option<&str>,
    refused: &Refused<'_>,
) {
    let status = refused.status;
    let peer = desk.peer(place);
    let retry = peer.and_then(|peer| peer.retry_after);
    let reason = peer.is_some_and(|peer| peer.headers.reason);
    let bytes = asked.answer(status, tag, None, |writer| {
        if status == Status::SERVICE_UNAVAILABLE
            && let Some(retry) = retry
        {
            let secs = u32::try_from(retry.as_secs()).unwrap_or(u32::MAX);
            writer.field(&RetryAfter {
                secs,
                duration_secs: None,
            });
        }
        if reason && status.code() >= 400 {
            refused
                .cause
                .unwrap_or(Cause::of(status.code()))
                .write(writer);
        }
        if let Some(text) = refused.warning {
            warn(writer, text);
        }
    });
    desk.respond(owner, asked.id, status, bytes);
}

/// RFC 3261 §20.43: 399 is for what has no code of its own. The agent is a
/// pseudonym, so that no address of ours shows.
fn warn(writer: &mut Writer<'_>, text: &str) {
    writer.field(&sbc_sip::message::Warning {
        code: 399,
        agent: "sbc",
        text: sbc_sip::message::Text::of(text),
    });
}

/// Whether a provisional answer to this INVITE has to be reliable (RFC 3262 §3).
fn reliability(invite: &Frame, policy: Prack) -> bool {
    let required = each::<Require<'_>>(invite.all(Name::Require)).flatten();
    let supported = each::<Supported<'_>>(invite.all(Name::Supported)).flatten();
    let required = required.into_iter().any(|tags| tags.0.has("100rel"));
    let supported = supported.into_iter().any(|tags| tags.0.has("100rel"));
    match policy {
        Prack::Off => false,
        Prack::Supported => required,
        Prack::Required => required || supported,
    }
}

impl Leg {
    /// Makes the early dialog of the caller's INVITE, once. Returns false if it
    /// cannot be made, which was seen when the INVITE came.
    fn make_dialog(&mut self) -> bool {
        if self.dialog.is_some() {
            return true;
        }
        let Opening::Theirs(asked) = &self.opening else {
            return false;
        };
        self.dialog = early_dialog(asked, &self.tag);
        self.dialog.is_some()
    }

    /// Returns our description for the caller: the one already given, or the
    /// first answer to its offer.
    fn describe(&mut self, choice: &sbc_media::sdp::Choice) -> Option<String> {
        if self.half.agreed.is_some() {
            return self.half.own.again();
        }
        let offer = self.half.offered.clone()?;
        Some(self.half.answer(offer, choice))
    }

    /// Returns whether a reliable answer waits for its PRACK; this one then goes after
    /// it (RFC 3262 §3).
    fn is_unacknowledged(&mut self, status: Status, described: bool) -> bool {
        let Some(reliable) = self.reliable.as_mut().filter(|it| it.uas.is_waiting()) else {
            return false;
        };
        let before = reliable.next.is_some_and(|(_, described)| described);
        reliable.next = Some((status, described || before));
        true
    }

    fn tell_reliably(&mut self, desk: &mut Desk, owner: Owner, status: Status, sdp: Option<&str>) {
        let Opening::Theirs(asked) = &self.opening else {
            return;
        };
        let random = desk.random.below(u32::MAX);
        let waiting = self.reliable.take();
        let mut uas = match &waiting {
            Some(reliable) => reliable.uas.clone(),
            None => Uas::new(asked.cseq, random),
        };
        // One at a time: the next progress of the other side finds it free again.
        let Ok(rseq) = uas.send(desk.now, &desk.timings, sdp.is_some()) else {
            self.reliable = waiting;
            return;
        };
        let bytes = asked.answer(status, Some(&self.tag), sdp, |writer| {
            asked.record_route(writer);
            compose::contact(writer, self.local);
            compose::require(writer, &["100rel"]);
            writer.field(&RSeq(rseq));
        });
        desk.respond(Some(owner), asked.id, status, bytes.clone());
        self.reliable = Some(Box::new(Reliable {
            uas,
            bytes,
            status,
            next: None,
        }));
    }

    /// Writes our 200 to an INVITE or UPDATE of the peer, and starts the session
    /// timer that both agree on.
    pub(super) fn success(
        &mut self,
        desk: &mut Desk,
        asked: &Asked,
        sdp: Option<&str>,
        more: impl FnOnce(&mut Writer<'_>),
    ) -> Option<Bytes> {
        let peer = desk.peer(self.peer)?.clone();
        let wanted = wanted(&asked.frame);
        let answer = self.timer.as_ref().map(|timer| timer.answer(wanted));
        let bytes = asked.answer(Status::OK, Some(&self.tag), sdp, |writer| {
            asked.record_route(writer);
            compose::contact(writer, self.local);
            compose::abilities(writer, &peer);
            if let Some(Answer::Timed { expires, require }) = answer {
                compose::session_expires(writer, &expires, None);
                if require {
                    compose::require(writer, &["timer"]);
                }
            }
            more(writer);
        });
        if let (Some(timer), Some(answer)) = (&mut self.timer, answer) {
            timer.heard(&asked.frame);
            timer.answered(desk.now, wanted, answer);
        }
        Some(bytes)
    }

    pub(super) fn too_small(&self, asked: &Asked) -> Option<Bytes> {
        too_small(self.timer.as_ref()?, asked, &self.tag)
    }
}

/// Returns the 422 that an interval below the least of `timer` deserves (RFC 4028 §6,
/// §9).
pub fn too_small(timer: &SessionTimer, asked: &Asked, tag: &str) -> Option<Bytes> {
    let Answer::TooSmall { min_secs } = timer.answer(wanted(&asked.frame)) else {
        return None;
    };
    let status = Status::SESSION_INTERVAL_TOO_SMALL;
    Some(asked.answer(status, Some(tag), None, |writer| {
        writer.field(&MinSe(min_secs));
    }))
}

/// Returns the dialog that a 101 to 299 to `asked` makes (RFC 3261 §12.1.1).
pub fn early_dialog(asked: &Asked, tag: &str) -> Option<Dialog> {
    let request = Request::read(&asked.frame).ok()?;
    let facts = Facts::received(&request)?;
    let routes = record_route(&asked.frame).ok()?;
    Dialog::as_uas(&facts, tag, routes).ok()
}

/// Returns what a request says of session timers.
fn wanted(frame: &Frame) -> Wanted {
    let timer = |tags: sbc_sip::message::tokens::Tokens<'_>| tags.has("timer");
    let supported = each::<Supported<'_>>(frame.all(Name::Supported)).flatten();
    let required = each::<Require<'_>>(frame.all(Name::Require)).flatten();
    let knows = supported.into_iter().any(|tags| timer(tags.0))
        || required.into_iter().any(|tags| timer(tags.0));
    let expires = single::<SessionExpires>(frame.all(SessionExpires::NAME));
    let least = single::<MinSe>(frame.all(MinSe::NAME));
    Wanted {
        timer: knows,
        expires: expires.ok().flatten(),
        min_secs: least.ok().flatten().map(|least| least.0),
    }
}
