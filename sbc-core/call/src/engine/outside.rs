//! Requests outside a dialog: OPTIONS are answered at once, an INVITE begins a
//! call, the rest is refused (RFC 3261 §8.2, §11.2, §12.2.2).

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;
use sbc_config::Peer;
use sbc_config::peer::{Drain, Early183};
use sbc_sip::dialog::session_timer::SessionTimer;
use sbc_sip::message::{
    Accept, ContentType, Field, Host, Method, NameAddr, Param, Params, Request, Response, SipUri,
    Status, Uri, Via, Writer, each, list,
};
use sbc_sip::transaction::branch::Branch;
use sbc_sip::transaction::destination::{Destination, Transport};
use sbc_sip::transaction::layer::ServerId;
use sbc_sip::transaction::made;
use sbc_sip::wire::Name;

use super::invite::{Declined, Invitation};
use super::{Engine, Hand, Owner};
use crate::call::Call;
use crate::call::caller::{Refused, refuse, too_small};
use crate::door::{Step, Transmit};
use crate::leg::compose::{self, Head, Local};
use crate::leg::session::Session;
use crate::leg::{Asked, abilities, timer_policy};
use crate::peer::health::Event;

impl Engine {
    /// Takes a request that belongs to no call.
    pub(super) fn outside(&mut self, id: ServerId, hand: Hand<'_>, request: &Request<'_>) {
        let asked = Asked {
            id,
            frame: hand.frame.clone(),
            source: hand.source,
            cseq: request.cseq.number,
            session: Session::default(),
        };
        let tag = self.desk.layer.tag(id);
        let tag = tag.as_str();
        if let Err(unable) = abilities::check(request) {
            let (status, bytes) = asked.unable(tag, &unable);
            self.desk.respond(None, id, status, bytes);
            return;
        }
        if request.to.tag().is_some() {
            self.desk.counters.stray += 1;
            self.plain(&asked, None, Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
            return;
        }
        match request.method {
            Method::Options => self.options(hand, &asked, tag),
            Method::Invite => self.invited(id, hand, request, &asked),
            _ => self.plain(
                &asked,
                Some(tag),
                Status::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
            ),
        }
    }

    fn plain(&mut self, asked: &Asked, tag: Option<&str>, status: Status) {
        let bytes = asked.answer(status, tag, None, |_| {});
        self.desk.respond(None, asked.id, status, bytes);
    }

    /// RFC 3261 §11.2. A drained peer hears what the file says.
    fn options(&mut self, hand: Hand<'_>, asked: &Asked, tag: &str) {
        self.desk.counters.options_received += 1;
        let drained = self
            .desk
            .peers
            .get(hand.place)
            .is_some_and(|peer| peer.drained);
        let peer = self.desk.peer(hand.place).cloned();
        let status = match peer.as_ref().map(|peer| peer.drain) {
            Some(Drain::Silent) if drained => return,
            Some(Drain::Unavailable) if drained => Status::SERVICE_UNAVAILABLE,
            _ => Status::OK,
        };
        let bytes = asked.answer(status, Some(tag), None, |writer| {
            if let Some(peer) = &peer {
                compose::abilities(writer, peer);
            }
            writer.field(&Accept(ContentType::SDP));
        });
        self.desk.respond(None, asked.id, status, bytes);
    }

    fn invited(&mut self, id: ServerId, hand: Hand<'_>, request: &Request<'_>, asked: &Asked) {
        self.desk.counters.calls += 1;
        let Some(peer) = self.desk.peer(hand.place).cloned() else {
            return;
        };
        if self.asks_too_often(hand.place, &peer, request, asked) {
            return;
        }
        let key = self.free_key();
        let invitation = Invitation {
            request,
            id,
            source: hand.source,
            at: hand.at,
            peer: &peer,
            place: hand.place,
        };
        let declined = if self.went_round(request) {
            self.desk.counters.loops += 1;
            Err(Declined::Loop)
        } else {
            invitation.call(&mut self.desk, key)
        };
        match declined {
            Ok(call) => self.begin(id, key, call, &peer, hand),
            Err(declined) => {
                self.desk.counters.refused += 1;
                let tag = self.desk.layer.tag(id);
                let text = declined.to_string();
                let warning = matches!(declined, Declined::Media(_)).then_some(text.as_str());
                let refused = Refused {
                    status: declined.status(),
                    warning,
                    cause: None,
                };
                let tag = Some(tag.as_str());
                refuse(&mut self.desk, None, hand.place, asked, tag, &refused);
                let story = invitation.story(&self.desk, key, &declined);
                self.desk.out.stories.push(story);
            }
        }
    }

    /// RFC 4028 §6: a session that is to be refreshed more often than its peer may ask
    /// for hears 422, and what it may ask for; its caller calls again. A call for help
    /// does not wait for that. Returns true if it was answered.
    fn asks_too_often(
        &mut self,
        place: usize,
        peer: &Peer,
        request: &Request<'_>,
        asked: &Asked,
    ) -> bool {
        if self.is_urgent(place, request) {
            return false;
        }
        let tag = self.desk.layer.tag(asked.id);
        let timer = timer_policy(peer).map(SessionTimer::new);
        let refused = timer.and_then(|timer| too_small(&timer, asked, tag.as_str()));
        let Some(bytes) = refused else {
            return false;
        };
        let status = Status::SESSION_INTERVAL_TOO_SMALL;
        self.desk.respond(None, asked.id, status, bytes);
        true
    }

    fn begin(&mut self, id: ServerId, key: u32, mut call: Call, peer: &Peer, hand: Hand<'_>) {
        let now = self.desk.now;
        self.desk.calls += 1;
        self.desk.counters.emergency += u64::from(call.emergency);
        self.desk.out.steps.push(Step {
            call: key,
            side: crate::Side::A,
            ours: false,
            frame: Some(hand.frame.clone()),
            bytes: Bytes::new(),
        });
        call.guard = match peer.early_183 {
            Early183::AtOnce => Some(now),
            Early183::Off => peer.progress_guard.map(|guard| now + guard),
        };
        self.desk.requests.insert(id, (key, crate::Side::A));
        self.calls.insert(key, Box::new(call));
        self.with_call(key, |call, desk| {
            call.trying(desk);
            call.try_next(desk);
            call.program(desk);
        });
    }

    /// Returns a key no call has.
    fn free_key(&mut self) -> u32 {
        loop {
            let key = self.next_key;
            self.next_key = self.next_key.checked_add(1).unwrap_or(1);
            if !self.calls.contains_key(&key) {
                return key;
            }
        }
    }

    /// RFC 3261 §16.3: a Via of ours means that the request went round: we send
    /// with one Via, so somebody passed it on.
    fn went_round(&self, request: &Request<'_>) -> bool {
        let ours = |via: Via<'_>| {
            let branch = via.branch().and_then(Branch::parse);
            branch.is_some_and(|branch| self.owner(branch).is_some())
        };
        each::<Via<'_>>(request.frame.all(Name::Via))
            .flatten()
            .any(ours)
    }

    /// Answers a request that is none, outside the transactions.
    pub(super) fn refuse_outside(&mut self, hand: Hand<'_>, status: Status) {
        let bytes = made::answer(hand.frame, &hand.source, status, None, None);
        let top = hand
            .frame
            .first(Name::Via)
            .and_then(|vias| list(vias).next());
        let via = top.and_then(|via| Via::parse(via).ok());
        let to = via.map_or(hand.source.from, |via| {
            hand.source.answer(via.port, via.wants_rport())
        });
        self.desk.out.transmits.push(Transmit { to, bytes });
    }

    /// Sends OPTIONS to the peer at `place`.
    pub(super) fn ask(&mut self, place: usize) {
        let now = self.desk.now;
        let Some(peer) = self.desk.peer(place).cloned() else {
            return;
        };
        let branch = self.desk.branch(0);
        let Some(known) = self.desk.peers.get_mut(place) else {
            return;
        };
        known.asked = Some((branch, now));
        known.health.sent(now);
        let asks = known.asks;
        let Some((to, local)) = self.way_to(&peer, asks) else {
            return;
        };
        let (call_id, tag) = (self.desk.random.call_id(), self.desk.random.tag());
        let text = branch.text();
        let from: [Param<'_>; 1] = [("tag", Some(&tag))];
        let there = Uri::Sip(SipUri {
            port: Some(to.remote.port()),
            ..SipUri::new(Host::from(to.remote.ip()))
        });
        let here = Uri::Sip(SipUri::new(Host::from(local.address.ip())));
        let head = Head {
            uri: there,
            routes: &[],
            from: NameAddr {
                params: Params::of(&from),
                ..NameAddr::new(here)
            },
            to: NameAddr::new(there),
            call_id: &call_id,
            cseq: 1,
            max_forwards: 70,
            branch: &text,
        };
        let mut bytes = Vec::with_capacity(compose::USUAL);
        let mut writer: Writer<'_> = compose::start(&mut bytes, local, Method::Options, &head);
        compose::contact(&mut writer, local);
        writer.field(&Accept(ContentType::SDP));
        writer.finish(None);
        self.desk
            .send(Owner::Options(place), branch, Method::Options, to, bytes);
    }

    fn way_to(&self, peer: &Peer, asks: usize) -> Option<(Destination, Local)> {
        let target = *peer.targets.get(asks)?;
        let (connection, at) = crate::call::listener(&self.desk, peer, target)?;
        let transport = match at.transport {
            sbc_config::Transport::Udp => Transport::Udp,
            sbc_config::Transport::Tcp => Transport::Tcp,
        };
        let to = Destination {
            transport,
            remote: target.address,
            connection,
        };
        let local = Local {
            address: at.address,
            transport,
        };
        Some((to, local))
    }

    pub(super) fn options_answered(&mut self, place: usize, answer: &Response<'_>) {
        if answer.status.is_provisional() {
            return;
        }
        let now = self.desk.now;
        let Some(peer) = self.desk.peers.get_mut(place) else {
            return;
        };
        if let Some((_, since)) = peer.asked.take() {
            peer.round_trip = Some(now.saturating_sub(since));
        }
        let event = if answer.status == Status::SERVICE_UNAVAILABLE {
            Event::Refused
        } else {
            Event::Answered
        };
        peer.health.note(now, event);
        if event == Event::Answered {
            peer.target_asked(true);
        }
    }

    pub(super) fn options_lost(&mut self, place: usize) {
        let now = self.desk.now;
        if let Some(peer) = self.desk.peers.get_mut(place) {
            peer.asked = None;
            peer.round_trip = None;
            peer.target_asked(false);
            peer.health.note(now, Event::Missed);
        }
    }
}
