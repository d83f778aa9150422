//! The journal's record of an established call: both dialogs, what was said on
//! both legs, ports and remaining times. It is written after each change and
//! read by the next signal role.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use sbc_config::PeerName;
use sbc_sip::dialog::Dialog;
use sbc_sip::dialog::session_timer::{self, SessionTimer};
use sbc_sip::transaction::destination::{Destination, Transport};
use serde::{Deserialize, Serialize};

use crate::Side;
use crate::call::{Call, Phase};
use crate::door::JournalCommand;
use crate::engine::Desk;
use crate::leg::media::Half;
use crate::leg::session::Session;
use crate::leg::{Leg, timer_policy};
use crate::parties::Caller;
use crate::random::Hex;
use crate::story::Attempt;

/// The version of the record. Another one is a call that is not taken over.
const VERSION: u8 = 4;

/// Octets that most records fit in, so that one allocation holds one.
const USUAL: usize = 1024;

/// One call.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record<'a> {
    version: u8,
    id: Cow<'a, str>,
    legs: [LegRecord<'a>; 2],
    attempt: u8,
    caller: Cow<'a, Caller>,
    dialled: Cow<'a, str>,
    number: Cow<'a, str>,
    from_sent: Cow<'a, str>,
    to_sent: Cow<'a, str>,
    route: Cow<'a, str>,
    attempts: Cow<'a, [Attempt]>,
    emergency: bool,
    reinvites: u32,
    /// Milliseconds between the moments and the writing of the record.
    began_ago: u64,
    rang_ago: Option<u64>,
    answered_ago: Option<u64>,
    /// When it was written, in milliseconds since 1970.
    written: u64,
}

/// One leg.
#[derive(Debug, Deserialize, Serialize)]
struct LegRecord<'a> {
    is_trunk: bool,
    peer: Cow<'a, str>,
    local: core::net::SocketAddr,
    transport: u8,
    remote: core::net::SocketAddr,
    listener: u64,
    tag: Cow<'a, str>,
    dialog: Cow<'a, Dialog>,
    half: Cow<'a, Half>,
    timer: Option<session_timer::Record>,
    allows_update: bool,
    identity: u128,
    session: Session,
}

impl Call {
    /// Writes the record of this call to the journal, if it is established.
    pub fn keep(&self, desk: &mut Desk) {
        if self.phase != Phase::Talking {
            return;
        }
        let Some(record) = self.record(desk) else {
            return;
        };
        let room = Vec::with_capacity(USUAL);
        if let Ok(record) = postcard::to_extend(&record, room) {
            let key = self.key;
            desk.out.journal.push(JournalCommand::Keep { key, record });
        }
    }

    fn record<'a>(&'a self, desk: &'a Desk) -> Option<Record<'a>> {
        let leg = |side| self.leg(side).and_then(|leg| leg.record(desk));
        let ago = |moment| millis(desk.now.saturating_sub(moment));
        Some(Record {
            version: VERSION,
            id: self.id.as_str().into(),
            legs: [leg(Side::A)?, leg(Side::B)?],
            attempt: u8::try_from(self.current?).ok()?,
            caller: Cow::Borrowed(&self.caller),
            dialled: Cow::Borrowed(&self.dialled),
            number: Cow::Borrowed(&self.number),
            from_sent: Cow::Borrowed(&self.from_sent),
            to_sent: Cow::Borrowed(&self.to_sent),
            route: Cow::Borrowed(&self.hunt.route),
            attempts: Cow::Borrowed(&self.hunt.attempts),
            emergency: self.emergency,
            reinvites: self.reinvites,
            began_ago: ago(self.began),
            rang_ago: self.rang.map(ago),
            answered_ago: self.answered.map(ago),
            written: desk.wall_millis(desk.now),
        })
    }
}

impl Record<'_> {
    /// Reads a record; `None` if it is of another version or not one at all.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let record: Self = postcard::from_bytes(bytes).ok()?;
        (record.version == VERSION).then_some(record)
    }

    /// Makes the call again and takes its ports and its place at both peers.
    pub fn call(self, desk: &mut Desk, key: u32) -> Option<Call> {
        let mut id = Hex::new();
        id.push_str(&self.id).ok()?;
        let [a, b] = self.legs;
        let emergency = self.emergency;
        let a = a.leg(desk, emergency)?;
        let Some(b) = b.leg(desk, emergency) else {
            a.discard(desk, emergency);
            return None;
        };
        let away = desk.wall_millis(desk.now).saturating_sub(self.written);
        let then = |ago: u64| {
            let ago = core::time::Duration::from_millis(ago.saturating_add(away));
            desk.now.saturating_sub(ago)
        };
        // The place of the called leg names the stream, so it stays what it was.
        let place = usize::from(self.attempt).max(1);
        let began = then(self.began_ago);
        let (rang, answered) = (self.rang_ago.map(then), self.answered_ago.map(then));
        let mut call = Call::new(key, id, a, began);
        call.legs.push(b);
        call.current = Some(1);
        call.attempt_shift = place - 1;
        call.phase = Phase::Talking;
        call.rang = rang;
        call.answered = answered;
        call.caller = self.caller.into_owned();
        call.dialled = self.dialled.into_owned();
        call.number = self.number.into_owned();
        call.from_sent = self.from_sent.into_owned();
        call.to_sent = self.to_sent.into_owned();
        call.emergency = emergency;
        call.reinvites = self.reinvites;
        call.hunt.route = self.route.into_owned();
        call.hunt.attempts = self.attempts.into_owned();
        Some(call)
    }
}

impl Leg {
    fn record<'a>(&'a self, desk: &'a Desk) -> Option<LegRecord<'a>> {
        let peer = desk.peers.get(self.peer)?;
        // After a restart a connection is gone: requests go where its peer listens.
        let listens = desk.way_back(self)?;
        Some(LegRecord {
            is_trunk: matches!(peer.name, PeerName::Trunk(_)),
            peer: peer.name.name().as_str().into(),
            local: self.local.address,
            transport: match self.local.transport {
                Transport::Udp => 0,
                Transport::Tcp => 1,
                Transport::Tls => 2,
            },
            remote: listens.remote,
            listener: listens.connection,
            tag: self.tag.as_str().into(),
            dialog: Cow::Borrowed(self.dialog.as_ref()?),
            half: Cow::Borrowed(&self.half),
            timer: self.timer.as_ref().map(|timer| timer.record(desk.now)),
            allows_update: self.allows_update,
            identity: self.identity,
            session: self.session,
        })
    }

    /// Gives back what a restored leg took.
    fn discard(mut self, desk: &mut Desk, emergency: bool) {
        self.release(desk, emergency);
    }
}

impl LegRecord<'_> {
    fn leg(self, desk: &mut Desk, emergency: bool) -> Option<Leg> {
        let name = sbc_config::Name::new(&self.peer)?;
        let name = if self.is_trunk {
            PeerName::Trunk(name)
        } else {
            PeerName::Mediation(name)
        };
        let place = desk.peers.place(&name)?;
        let peer = desk.node.peer(&name)?.clone();
        let transport = match self.transport {
            0 => Transport::Udp,
            1 => Transport::Tcp,
            _ => Transport::Tls,
        };
        let at = *peer.listen.iter().find(|at| at.address == self.local)?;
        let mut tag = Hex::new();
        tag.push_str(&self.tag).ok()?;
        let ports = desk.ports.get_mut(&self.half.own.address())?;
        if !ports.claim(self.half.own.port()) {
            return None;
        }
        if let Some(peer) = desk.peers.get_mut(place) {
            peer.load.restore(emergency);
        }
        let mut leg = Leg::new(&peer, place, at, self.half.into_owned(), tag);
        leg.local.transport = transport;
        leg.to = Destination {
            transport,
            remote: self.remote,
            connection: self.listener,
        };
        leg.dialog = Some(self.dialog.into_owned());
        leg.allows_update = self.allows_update;
        leg.identity = self.identity;
        leg.session = self.session;
        let policy = timer_policy(&peer);
        leg.timer = policy.map(|policy| match &self.timer {
            Some(record) => SessionTimer::resume(policy, desk.now, record),
            None => SessionTimer::new(policy),
        });
        leg.half.waiting = false;
        Some(leg)
    }
}

fn millis(time: core::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
