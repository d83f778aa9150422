//! The called side: targets are tried one after the other until one answers
//! (RFC 3261 §8.1, §13.2, §16.7 for what a failure means).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use sbc_config::{Peer, Socket};
use sbc_media::sdp::{Own, Wish};
use sbc_sip::Instant;
use sbc_sip::dialog::Forks;
use sbc_sip::message::identity::{PAssertedIdentity, PPreferredIdentity, Privacy};
use sbc_sip::message::multipart::Parts;
use sbc_sip::message::{Method, NameAddr, Status, Writer};
use sbc_sip::transaction::destination::Destination;
use sbc_sip::wire::Frame;

use super::{Call, Phase};
use crate::Side;
use crate::across::cause::Cause;
use crate::across::history::Way;
use crate::across::{self, location};
use crate::engine::{Desk, Owner};
use crate::leg::address::{self, local_uri, remote_uri};
use crate::leg::compose::{self, Head};
use crate::leg::early::Earlies;
use crate::leg::media::Half;
use crate::leg::{Calling, Leg, Opening};
use crate::parties::Told;
use crate::policy::responses::{Verdict, verdict};
use crate::route::Target;
use crate::story::{Attempt, ReleasedBy, Why};

/// A target that rings may ring this long: longer than any caller waits, and
/// shorter than the three minutes after which proxies give up (RFC 3261 §16.6).
const RINGS_AT_MOST: Duration = Duration::from_secs(175);

/// The last target may be silent until this long after the call began: the fifth
/// copy of an INVITE leaves after 7.5 s (RFC 3261 §17.1.1.2), and a server that
/// gives up after ten seconds hears of it before.
const LAST_WITHIN: Duration = Duration::from_secs(8);

impl Call {
    /// Tries the next target that takes the call; without one the caller hears
    /// the end.
    pub fn try_next(&mut self, desk: &mut Desk) {
        while let Some(target) = self.hunt.targets.get(self.hunt.next).cloned() {
            self.hunt.next += 1;
            if self.attempt(desk, &target) {
                return;
            }
        }
        self.current = None;
        let (why, status) = self.fate();
        self.finish(desk, why, ReleasedBy::Node, status);
    }

    /// What the caller hears when no target is left.
    fn fate(&self) -> (Why, Status) {
        match self.hunt.attempts.last() {
            None if self.hunt.full => (Why::FullThere, Status::SERVICE_UNAVAILABLE),
            None => (Why::AllDown, Status::SERVICE_UNAVAILABLE),
            Some(last) if last.code == 0 => (Why::Unreachable, Status::SERVICE_UNAVAILABLE),
            Some(_) => (Why::Refused, Status::SERVICE_UNAVAILABLE),
        }
    }

    /// Offers the call to one target. Returns false if it cannot be offered.
    fn attempt(&mut self, desk: &mut Desk, target: &Target) -> bool {
        let Some(place) = desk.peers.place(&target.peer) else {
            return false;
        };
        let Some(peer) = desk.peer(place).cloned() else {
            return false;
        };
        let Some((index, at)) = listener(desk, &peer, target.socket) else {
            return false;
        };
        if !self.admit(desk, place) {
            self.hunt.full = true;
            return false;
        }
        let Some(port) = desk.take_port(at.address.ip()) else {
            self.release_at(desk, place);
            return false;
        };
        let own = Own::new(at.address.ip(), port, desk.random.bits()).asking_for(peer.ptime);
        let tag = desk.random.tag();
        let mut leg = Leg::new(&peer, place, at, Half::new(own), tag);
        leg.identity = desk.random_identity();
        leg.session.far = self.legs.first().map_or(0, |leg| leg.session.near);
        leg.to = Destination {
            remote: target.socket.address,
            connection: index,
            ..leg.to
        };
        self.current = Some(self.legs.len());
        // Most calls have two legs and never more.
        self.legs.reserve_exact(1);
        self.legs.push(leg);
        if let Some(peer) = desk.peers.get_mut(place) {
            peer.health.tried(desk.now);
        }
        self.hunt.since = desk.now;
        self.hunt.number.clone_from(&target.number);
        self.patience = Some(self.until_next(desk.now, peer.attempt_timeout));
        self.invite(desk, &peer);
        true
    }

    /// Returns how long a target may be silent. Nobody profits if the last one is
    /// given up early.
    fn until_next(&self, now: Instant, attempt: Duration) -> Instant {
        let soon = now + attempt;
        if self.hunt.next < self.hunt.targets.len() {
            soon
        } else {
            soon.max(self.began + LAST_WITHIN)
        }
    }

    fn admit(&self, desk: &mut Desk, place: usize) -> bool {
        if let Some(peer) = desk.peers.get_mut(place) {
            peer.attempts += 1;
        }
        desk.peers.admit(place, self.emergency).is_ok()
    }

    fn release_at(&self, desk: &mut Desk, place: usize) {
        if let Some(peer) = desk.peers.get_mut(place) {
            peer.load.release(self.emergency);
        }
    }

    /// Writes and sends the INVITE of the current leg.
    pub(super) fn invite(&mut self, desk: &mut Desk, peer: &Peer) {
        self.cause = None;
        let from = self
            .legs
            .first()
            .and_then(|leg| desk.peer(leg.peer))
            .cloned();
        let way = match (self.asked_for(), &from) {
            (Some(frame), Some(from)) => Way::read(frame, from, peer),
            _ => None,
        };
        let forwarder = way.as_ref().and_then(Way::forwarder);
        let called = forwarder.as_deref().unwrap_or(&self.number);
        let mut told = self.caller.told(peer, Some(called));
        if self.emergency {
            self.reachable(desk, peer, &mut told);
        }
        let user = self.called_at(peer);
        self.from_sent = told.from.clone().unwrap_or_default();
        self.to_sent.clone_from(&user);
        let hops = self.hops.saturating_sub(1);
        let Some(wish) = self.wish(desk) else {
            return;
        };
        let key = self.key;
        let Some(leg) = self.leg_mut(Side::B) else {
            return;
        };
        let sdp = match leg.half.own.again() {
            Some(again) if leg.half.waiting => again,
            _ => leg.half.offer(&wish),
        };
        let previous = match core::mem::take(&mut leg.opening) {
            Opening::Ours(previous) => Some(previous),
            _ => None,
        };
        let branch = desk.branch(key);
        let calling = Calling {
            branch,
            uri: address::text(|out| remote_uri(peer, leg.to.remote, &user).emit(out)),
            from: address::from_text(peer, leg, &told),
            to: address::text(|out| {
                NameAddr::new(remote_uri(peer, leg.to.remote, &user)).emit(out);
            }),
            call_id: previous
                .as_ref()
                .map_or_else(|| desk.random.call_id(), |p| p.call_id.clone()),
            cseq: previous.as_ref().map_or(1, |previous| previous.cseq + 1),
            forks: Forks::new(peer.max_early_dialogs.into()),
            acks: sbc_sip::dialog::two_xx::Acks::default(),
            heard: false,
            silent: true,
            missed: false,
            given_up: false,
            answered: false,
            earlies: Earlies::default(),
        };
        let to = leg.to;
        let bytes = self.write_invite(desk, &calling, peer, &told, hops, &sdp);
        if let Some(leg) = self.leg_mut(Side::B) {
            leg.opening = Opening::Ours(Box::new(calling));
        }
        if let Some(bytes) = bytes {
            desk.send(Owner::Call(key, Side::B), branch, Method::Invite, to, bytes);
        }
    }

    /// Returns the number that is called at `peer`, as it wants it. What is dialled for
    /// help is the same everywhere, and no rule is to make another number of it.
    fn called_at(&self, peer: &Peer) -> String {
        let number = self.hunt.number.as_deref().unwrap_or(&self.number);
        if self.emergency {
            number.to_string()
        } else {
            peer.numbers.outward(number)
        }
    }

    /// Help calls back: a caller without a number of this peer is called back at the
    /// number that the file names for it.
    fn reachable(&self, desk: &Desk, peer: &Peer, told: &mut Told) {
        let callback = desk.node.emergency.callback.as_ref();
        let own = self.caller.number.as_deref().is_some_and(|number| {
            peer.owns(number) || (peer.own_numbers.is_empty() && peer.pilot_number.is_none())
        });
        if let Some(callback) = callback.filter(|_| !own) {
            let number = peer.numbers.outward(callback.reveal());
            told.from = Some(number.clone());
            told.pai = Some(number);
            told.display = None;
            told.private = false;
        }
    }

    /// Returns the INVITE of the caller, as long as it waits for an answer.
    fn asked_for(&self) -> Option<&Frame> {
        match &self.legs.first()?.opening {
            Opening::Theirs(asked) => Some(&asked.frame),
            _ => None,
        }
    }

    fn write_invite(
        &self,
        desk: &mut Desk,
        calling: &Calling,
        peer: &Peer,
        told: &Told,
        hops: u8,
        sdp: &str,
    ) -> Option<Vec<u8>> {
        let leg = self.leg(Side::B)?;
        let opening = calling.opening()?;
        let branch = calling.branch.text();
        let head = Head {
            uri: opening.target,
            routes: &[],
            from: opening.from,
            to: opening.to,
            call_id: &calling.call_id,
            cseq: calling.cseq,
            max_forwards: hops,
            branch: &branch,
        };
        let mut bytes = Vec::with_capacity(compose::USUAL);
        let mut writer = compose::start(&mut bytes, leg.local, Method::Invite, &head);
        compose::contact(&mut writer, leg.local);
        compose::abilities(&mut writer, peer);
        if peer.prack == sbc_config::peer::Prack::Required {
            compose::require(&mut writer, &["100rel"]);
        }
        if let Some(timer) = &leg.timer {
            let offer = timer.offer();
            let least = offer.min_secs.map(sbc_sip::message::MinSe);
            compose::session_expires(&mut writer, &offer.expires, least);
        }
        identities(&mut writer, leg, peer, told);
        leg.session.write(&mut writer);
        let bodies = self.write_across(&mut writer, desk, leg, peer);
        if bodies.is_empty() {
            compose::finish(writer, Some(sdp));
        } else {
            location::finish(writer, sdp, &bodies, desk.random.bits());
        }
        Some(bytes)
    }

    /// Writes what crosses from the caller's INVITE; returns the bodies that do.
    fn write_across(
        &self,
        writer: &mut Writer<'_>,
        desk: &Desk,
        leg: &Leg,
        peer: &Peer,
    ) -> Parts<'_> {
        let from = self.legs.first().and_then(|leg| desk.peer(leg.peer));
        let (Some(frame), Some(from)) = (self.asked_for(), from) else {
            return Parts::new();
        };
        if let Some(way) = Way::read(frame, from, peer) {
            way.write(writer, leg, leg.to.remote, &self.to_sent);
        }
        across::identity(writer, frame, from, peer);
        across::pass(writer, frame, from, peer);
        if !self.emergency {
            return Parts::new();
        }
        location::urgent(writer);
        if !location::goes_to(&desk.node, &peer.name) {
            return Parts::new();
        }
        let bodies = location::bodies(frame);
        location::refer(writer, frame, &bodies);
        bodies
    }

    /// What the target is offered: the caller's codecs first.
    fn wish(&self, desk: &Desk) -> Option<Wish> {
        let policy = desk.media_of(self.leg(Side::B)?.peer)?;
        match self.leg(Side::A).and_then(|leg| leg.half.theirs.as_ref()) {
            Some(theirs) => Some(Wish::first(theirs, policy)),
            None => Some(Wish::alone(policy)),
        }
    }

    /// Takes the final failure of the current attempt, 0 for none at all.
    pub fn attempt_failed(&mut self, desk: &mut Desk, code: u16, reason: &str) {
        let Some(leg) = self.leg(Side::B) else {
            return;
        };
        let place = leg.peer;
        let meant = match desk.peer(place) {
            Some(peer) if code != 0 => peer.responses.apply(code),
            _ => code,
        };
        self.note_attempt(desk, place, code, reason);
        self.close_leg_media(desk, Side::B);
        if self.phase != Phase::Inviting {
            return;
        }
        match verdict(meant) {
            _ if meant == 0 || self.emergency => self.try_next(desk),
            Verdict::NextTarget => self.try_next(desk),
            Verdict::Tell(status) => {
                self.current = None;
                let status = Status::new(status).unwrap_or(Status::SERVER_INTERNAL_ERROR);
                let why = if reason == NO_ANSWER {
                    Why::NoAnswer
                } else {
                    Why::Refused
                };
                self.finish(desk, why, ReleasedBy::Callee, status);
            }
            // 487 without a CANCEL of ours, 422 and 491 beyond their retries.
            Verdict::OnThisLeg => {
                self.current = None;
                let status = Status::TEMPORARILY_UNAVAILABLE;
                self.finish(desk, Why::Refused, ReleasedBy::Callee, status);
            }
        }
    }

    pub(super) fn note_attempt(&mut self, desk: &Desk, place: usize, code: u16, reason: &str) {
        let name = desk.peers.get(place).map(|peer| peer.name.name());
        let ms = desk.now.saturating_sub(self.hunt.since).as_millis();
        self.hunt.attempts.push(Attempt {
            trunk: name.map_or_else(String::new, ToString::to_string),
            code,
            reason: reason.chars().take(64).collect(),
            ms: u64::try_from(ms).unwrap_or(u64::MAX),
        });
    }

    /// The target has been silent, or has rung, for too long.
    pub(super) fn out_of_patience(&mut self, desk: &mut Desk) {
        self.patience = None;
        let Some(leg) = self.leg(Side::B) else {
            return;
        };
        let silent = matches!(&leg.opening, Opening::Ours(calling) if calling.silent);
        if let Some(at) = self.current {
            // A silence is a miss, so that the next call need not wait for it.
            self.missed(desk, at);
        }
        self.give_up(desk, None);
        self.attempt_failed(desk, if silent { 0 } else { 480 }, NO_ANSWER);
    }

    /// Cancels the current attempt; whatever it still says is ended.
    pub(super) fn give_up(&mut self, desk: &mut Desk, cause: Option<Cause>) {
        let Some(leg) = self.leg_mut(Side::B) else {
            return;
        };
        let place = leg.peer;
        if let Opening::Ours(calling) = &mut leg.opening
            && !calling.given_up
        {
            calling.given_up = true;
            let branch = calling.branch;
            let tells = desk.peer(place).is_some_and(|peer| peer.headers.reason);
            desk.cancel(branch, cause.filter(|_| tells));
        }
    }

    /// Notes that the target is there; it may ring for long.
    pub(super) fn target_lives(&mut self, desk: &Desk) {
        self.patience = Some(desk.now + RINGS_AT_MOST);
    }
}

/// The reason of an attempt that the node gave up itself.
const NO_ANSWER: &str = "no answer";

/// Returns our socket that calls to `target` leave by, and its place.
pub fn listener(desk: &Desk, peer: &Peer, target: Socket) -> Option<(u64, Socket)> {
    let family = |at: &&Socket| at.address.is_ipv4() == target.address.is_ipv4();
    let same = |at: &&Socket| at.transport == target.transport;
    let at = *peer.listen.iter().filter(family).find(same)?;
    let index = desk.sockets.iter().position(|each| *each == at)?;
    Some((u64::try_from(index).ok()?, at))
}

/// Writes who vouches for the caller (RFC 3325 §9.1, §9.2, §9.3).
fn identities(writer: &mut Writer<'_>, leg: &Leg, peer: &Peer, told: &Told) {
    if let Some(user) = &told.pai {
        let uri = local_uri(peer, leg, user);
        writer.field(&PAssertedIdentity(NameAddr::new(uri)));
    }
    if let Some(user) = &told.ppi {
        let uri = local_uri(peer, leg, user);
        writer.field(&PPreferredIdentity(NameAddr::new(uri)));
    }
    if told.private {
        writer.field(&Privacy::ID);
    }
}
