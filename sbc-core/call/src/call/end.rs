//! The end of a call: both sides hear it, what was taken is given back, and its
//! story is told once (RFC 3261 §15).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sbc_sip::dialog::life;
use sbc_sip::message::Status;

use super::{Call, End, Phase};
use crate::Side;
use crate::across::cause::Cause;
use crate::door::{JournalCommand, RelayCommand};
use crate::engine::{Desk, Owner};
use crate::leg::{Leg, Opening};
use crate::policy::responses::q850;
use crate::story::{Record, ReleasedBy, Story, Why};

/// The relay has this long to say the last numbers of a stream.
const NUMBERS_WITHIN: core::time::Duration = core::time::Duration::from_secs(1);

impl Call {
    /// Ends the call: the caller hears `status` if it still waits, a side that
    /// talks hears BYE, a target that rings hears CANCEL.
    pub fn finish(&mut self, desk: &mut Desk, why: Why, by: ReleasedBy, status: Status) {
        if self.phase == Phase::Ending {
            return;
        }
        self.phase = Phase::Ending;
        desk.calls = desk.calls.saturating_sub(1);
        self.guard = None;
        self.patience = None;
        self.held = None;
        self.end = Some(End {
            why,
            by,
            code: status.code(),
            at: desk.now,
        });
        if self.answered.is_none() {
            desk.counters.refused += 1;
        }
        self.give_up(desk, self.cause);
        let warning = (why == Why::Media).then(|| why.to_string());
        self.refuse_caller(desk, status, warning.as_deref());
        self.crossing = None;
        let cause = self.last_cause();
        let emergency = self.emergency;
        for (at, leg) in self.legs.iter_mut().enumerate() {
            let side = if at == 0 { Side::A } else { Side::B };
            leg.end(desk, Owner::Call(self.key, side), cause);
            leg.release(desk, emergency);
        }
        desk.out
            .journal
            .push(JournalCommand::Forget { key: self.key });
        match &self.row {
            Some(row) => {
                desk.out.relay.push(RelayCommand::Withdraw(row.key));
                self.numbers_until = Some(desk.now + NUMBERS_WITHIN);
            }
            None => self.tell(desk),
        }
    }

    /// Returns the cause that the sides of a call which ended hear: what one of them said,
    /// else what our status stands for.
    pub(super) fn last_cause(&self) -> Option<Cause> {
        let failed = self.end.filter(|end| end.why != Why::Normal);
        self.cause.or(failed.map(|end| Cause::of(end.code)))
    }

    /// Tells the story, once.
    pub(super) fn tell(&mut self, desk: &mut Desk) {
        self.numbers_until = None;
        let Some(end) = self.end.filter(|_| !self.told) else {
            return;
        };
        self.told = true;
        let record = self.record_of(desk, end);
        desk.out.stories.push(Story {
            record,
            why: end.why,
        });
    }

    fn record_of(&self, desk: &Desk, end: End) -> Record {
        let a = self.legs.first();
        let b = self.leg(Side::B).or_else(|| self.legs.get(1));
        let name = |leg: Option<&Leg>| {
            leg.and_then(|leg| desk.peers.get(leg.peer))
                .map(|peer| peer.name.clone())
        };
        let (peer_a, peer_b) = (name(a), name(b));
        let named = |is_trunk: bool| {
            let mut both = peer_a.iter().chain(peer_b.iter());
            let found = both.find(|name| name.is_trunk() == is_trunk);
            found.map_or_else(String::new, |name| name.name().to_string())
        };
        let inward = peer_a.as_ref().is_some_and(sbc_config::PeerName::is_trunk);
        let millis = |moment| desk.wall_millis(moment);
        let codec = |leg: Option<&Leg>| {
            let agreed = leg.and_then(|leg| leg.half.agreed.as_ref());
            agreed.map_or_else(String::new, |agreed| agreed.codec.name().to_string())
        };
        let transport = |leg: Option<&Leg>| leg.map_or_else(String::new, Leg::transport);
        let talked = self.answered.map(|since| end.at.saturating_sub(since));
        let [media_a, media_b] = self.media.clone();
        Record {
            call: self.key,
            id: self.id.as_str().to_string(),
            node: desk.node.system.hostname.clone(),
            direction: if inward { "in" } else { "out" }.to_string(),
            emergency: self.emergency,
            trunk: named(true),
            mediation: named(false),
            route: self.hunt.route.clone(),
            attempts: self.hunt.attempts.clone(),
            from: self.caller.number.clone().unwrap_or_default(),
            to: self.number.clone(),
            from_sent: self.from_sent.clone(),
            to_sent: self.to_sent.clone(),
            start: millis(self.began),
            answer: self.answered.map(millis),
            end: millis(end.at),
            pdd_ms: self
                .rang
                .map(|rang| whole_millis(rang.saturating_sub(self.began))),
            duration_ms: talked.map_or(0, whole_millis),
            released_by: end.by,
            sip_code: if self.answered.is_some() {
                200
            } else {
                end.code
            },
            q850: self.q850_of(end),
            sbc_code: end.why.code(),
            codec_a: codec(a),
            codec_b: codec(b),
            transport_a: transport(a),
            transport_b: transport(b),
            media_a,
            media_b,
            one_way: self.one_way,
            reinvites: self.reinvites,
        }
    }

    /// Returns what the telephone network calls this end: what a side said, else what
    /// our status stands for.
    fn q850_of(&self, end: End) -> u8 {
        let said = self.cause.and_then(|cause| cause.q850);
        let ours = if self.answered.is_some() && end.why == Why::Normal {
            16
        } else {
            q850(end.code)
        };
        said.and_then(|cause| u8::try_from(cause).ok())
            .unwrap_or(ours)
    }

    /// Returns the tags of this call's legs, to be forgotten with it.
    pub fn tags(&self) -> Vec<crate::random::Hex<16>> {
        self.legs.iter().map(|leg| leg.tag.clone()).collect()
    }
}

fn whole_millis(time: core::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Leg {
    /// Ends what is still open on this leg.
    fn end(&mut self, desk: &mut Desk, owner: Owner, cause: Option<Cause>) {
        self.half.waiting = false;
        self.end_requests(desk, owner);
        self.cancel_changes(desk);
        if let Opening::Ours(calling) = &mut self.opening
            && !calling.answered
        {
            // Its end arrives as its final answer.
            if !core::mem::replace(&mut calling.given_up, true) {
                let branch = calling.branch;
                desk.cancel(branch, None);
            }
            return;
        }
        let Some(dialog) = &self.dialog else {
            return;
        };
        if dialog.state() != life::State::Confirmed {
            return;
        }
        match &self.success {
            // RFC 3261 §15: not before the ACK of our 2xx, or its timeout.
            Some(success) if !success.repeat.may_bye() => self.bye_due = Some(cause),
            _ => self.hang_up(desk, owner, cause),
        }
    }

    /// Sends the BYE, once.
    pub(super) fn hang_up(&mut self, desk: &mut Desk, owner: Owner, cause: Option<Cause>) {
        if let Some(dialog) = &mut self.dialog {
            dialog.apply(life::Event::ByeSent);
        }
        self.bye(desk, owner, cause);
    }

    fn transport(&self) -> String {
        use sbc_sip::transaction::destination::Transport;
        match self.local.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
        .to_string()
    }
}
