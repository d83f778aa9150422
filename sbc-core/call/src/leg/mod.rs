//! One side of a call: its dialog, its half of the media, what it asked and
//! what it was asked (RFC 7092 §3.1: a user agent of its own).

pub mod abilities;
pub mod address;
pub mod compose;
pub mod early;
pub mod media;
mod request;
mod response;
pub mod session;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use sbc_config::peer::Refresher;
use sbc_config::{Peer, Socket};
use sbc_sip::Instant;
use sbc_sip::dialog::reliable::Uas;
use sbc_sip::dialog::session_timer::{Party, Policy, SessionTimer};
use sbc_sip::dialog::two_xx::{Acks, Success};
use sbc_sip::dialog::{Dialog, Forks};
use sbc_sip::message::{Method, NameAddr, Status, Uri};
use sbc_sip::transaction::branch::Branch;
use sbc_sip::transaction::destination::{Destination, Source, Transport};
use sbc_sip::transaction::layer::ServerId;
use sbc_sip::wire::Frame;

use self::compose::Local;
use self::early::Earlies;
use self::media::Half;
use self::session::Session;
use crate::across::cause::Cause;
use crate::random::Hex;

/// A request of the peer that waits for an answer of ours.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: ServerId,
    pub frame: Frame,
    pub source: Source,
    pub cseq: u32,
    /// What our answer says of the ends of the session.
    pub session: Session,
}

/// The INVITE that opened this leg, as long as its outcome is open.
#[derive(Debug, Default)]
pub enum Opening {
    #[default]
    Over,
    /// The peer called us.
    Theirs(Box<Asked>),
    /// We called the peer.
    Ours(Box<Calling>),
}

/// An INVITE of ours before its final answer.
#[derive(Debug)]
pub struct Calling {
    pub branch: Branch,
    pub uri: String,
    pub from: String,
    pub to: String,
    pub call_id: Hex<32>,
    pub cseq: u32,
    pub forks: Forks,
    pub acks: Acks,
    /// A provisional answer other than 100 came.
    pub heard: bool,
    /// Not even a 100 came yet.
    pub silent: bool,
    /// Its silence was counted against the peer.
    pub missed: bool,
    /// We gave it up: whatever comes is ended.
    pub given_up: bool,
    /// It has its 2xx; copies of it may still come.
    pub answered: bool,
    pub earlies: Earlies,
}

/// A request of ours inside the dialog that waits for its answer.
#[derive(Debug)]
pub struct Asking {
    pub branch: Branch,
    pub what: Errand,
    pub cseq: u32,
    /// An INVITE that was heard is waited for until then.
    pub until: Option<Instant>,
}

/// What a request of ours inside a dialog is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Errand {
    /// The other side changed the session.
    Change,
    /// A change that nobody waits for any more: if it is accepted it is undone.
    Withdrawn,
    /// A session refresh.
    Refresh,
    Bye,
    /// The BYE once more, since it could not be sent.
    LastBye,
    /// PRACK, INFO: its answer changes nothing.
    Aside,
}

impl Errand {
    /// Returns whether it is an INVITE or UPDATE of ours.
    #[must_use]
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Change | Self::Withdrawn | Self::Refresh)
    }
}

/// One side.
#[derive(Debug)]
pub struct Leg {
    pub peer: usize,
    pub local: Local,
    pub to: Destination,
    pub tag: Hex<16>,
    pub opening: Opening,
    pub dialog: Option<Dialog>,
    pub half: Half,
    pub timer: Option<SessionTimer>,
    /// Our requests inside the dialog; INVITE or UPDATE at most once, a BYE,
    /// and asides.
    pub asking: Vec<Asking>,
    /// Their INVITE or UPDATE inside the dialog that waits for the other side.
    pub asked: Option<Box<Asked>>,
    /// Our 2xx until its ACK, with the transaction it belongs to.
    pub success: Option<Box<Sent2xx>>,
    /// Our latest re-INVITE and its ACK, for copies of its 2xx.
    pub last_ack: Option<(Branch, Bytes)>,
    /// Our own source and name in this leg's RTCP come from it.
    pub identity: u128,
    /// Port and admission were given back.
    pub released: bool,
    pub allows_update: bool,
    /// A BYE with this cause goes as soon as our 2xx is acknowledged (RFC 3261 §15).
    pub bye_due: Option<Option<Cause>>,
    /// Our reliable provisional answer, until its PRACK.
    pub reliable: Option<Box<Reliable>>,
    pub session: Session,
}

/// A provisional answer of ours that has to be acknowledged (RFC 3262 §3).
#[derive(Debug)]
pub struct Reliable {
    pub uas: Uas,
    pub bytes: Bytes,
    pub status: Status,
    /// What the caller hears next, and whether with a session, as soon as it has
    /// acknowledged this.
    pub next: Option<(Status, bool)>,
}

/// A 2xx of ours that may have to go again.
#[derive(Debug)]
pub struct Sent2xx {
    pub repeat: Success,
    pub id: ServerId,
    pub bytes: Bytes,
}

impl Calling {
    /// Returns the parts of the INVITE that make its dialogs.
    #[must_use]
    pub fn opening(&self) -> Option<sbc_sip::dialog::Opening<'_>> {
        let target = Uri::parse(&self.uri).ok()?;
        Some(sbc_sip::dialog::Opening {
            call_id: &self.call_id,
            from: NameAddr::parse(&self.from).ok()?,
            to: NameAddr::parse(&self.to).ok()?,
            cseq: self.cseq,
            target,
            secure: target.scheme() == "sips",
        })
    }
}

impl Leg {
    /// Returns a leg on which nothing happened yet: our socket, our half of the
    /// media, our tag.
    #[must_use]
    pub fn new(peer: &Peer, place: usize, at: Socket, half: Half, tag: Hex<16>) -> Self {
        let transport = match at.transport {
            sbc_config::Transport::Udp => Transport::Udp,
            sbc_config::Transport::Tcp => Transport::Tcp,
        };
        Self {
            peer: place,
            local: Local {
                address: at.address,
                transport,
            },
            to: Destination {
                transport,
                remote: at.address,
                connection: 0,
            },
            tag,
            opening: Opening::Over,
            dialog: None,
            half,
            timer: timer_policy(peer).map(SessionTimer::new),
            asking: Vec::new(),
            asked: None,
            success: None,
            last_ack: None,
            identity: 0,
            released: false,
            allows_update: false,
            bye_due: None,
            reliable: None,
            session: Session::default(),
        }
    }

    /// Takes what the far end of the session is called; answers that wait say it too.
    pub fn learn_far(&mut self, far: u128) {
        self.session.far = far;
        if let Opening::Theirs(asked) = &mut self.opening {
            asked.session.far = far;
        }
        if let Some(asked) = &mut self.asked {
            asked.session.far = far;
        }
    }

    /// Returns whether a request with this Call-ID, our tag and theirs is of a dialog
    /// of this leg, the early ones of our INVITE among them.
    #[must_use]
    pub fn knows(&self, call_id: &str, ours: Option<&str>, theirs: Option<&str>) -> bool {
        let is = |dialog: &Dialog| dialog.matches(call_id, ours, theirs);
        let early = match &self.opening {
            Opening::Ours(calling) => calling.forks.iter().any(is),
            _ => false,
        };
        early || self.dialog.as_ref().is_some_and(is)
    }

    /// Makes the early dialog with this tag of theirs the leg's own for a moment; it has
    /// to be given back. Returns false if the leg has its dialog, or there is none.
    pub fn lend_early(&mut self, tag: Option<&str>) -> bool {
        if self.dialog.is_some() {
            return false;
        }
        if let Opening::Ours(calling) = &mut self.opening {
            self.dialog = calling.forks.take(tag);
        }
        self.dialog.is_some()
    }

    /// Gives the early dialog back.
    pub fn return_early(&mut self) {
        if let Opening::Ours(calling) = &mut self.opening
            && let Some(dialog) = self.dialog.take()
        {
            calling.forks.put(dialog);
        }
    }

    /// Returns whether the request with this branch is ours: one that waits, or the
    /// re-INVITE whose 2xx may come once more.
    #[must_use]
    pub fn sent(&self, branch: Branch) -> bool {
        let opening = matches!(&self.opening, Opening::Ours(calling) if calling.branch == branch);
        let waits = self.asking.iter().any(|ask| ask.branch == branch);
        opening || waits || self.ack_again(branch).is_some()
    }

    /// Returns the ACK that each copy of the 2xx to this re-INVITE wants again
    /// (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack_again(&self, branch: Branch) -> Option<&Bytes> {
        let (of, ack) = self.last_ack.as_ref()?;
        (*of == branch).then_some(ack)
    }

    /// Returns whether nothing of this leg is open any more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        matches!(self.opening, Opening::Over)
            && self.asking.is_empty()
            && self.asked.is_none()
            && self.success.is_none()
            && self.bye_due.is_none()
    }

    /// Returns the errand of the request with this branch, and forgets it.
    pub fn returned(&mut self, branch: Branch) -> Option<Asking> {
        let at = self.asking.iter().position(|ask| ask.branch == branch)?;
        Some(self.asking.swap_remove(at))
    }

    /// Returns whether an INVITE or UPDATE of ours is in the air.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.asking.iter().any(|ask| ask.what.is_change())
    }

    /// Returns whether our BYE is in the air.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        let ends = |ask: &Asking| matches!(ask.what, Errand::Bye | Errand::LastBye);
        self.asking.iter().any(ends)
    }

    /// Returns the method a change of the session goes by.
    #[must_use]
    pub const fn change_method(&self, confirmed: bool) -> Method<'static> {
        if confirmed || !self.allows_update {
            Method::Invite
        } else {
            Method::Update
        }
    }
}

/// Returns what the operator wants of session timers on the leg of `peer`; none
/// where the file asks for what the standard does not allow.
pub(crate) fn timer_policy(peer: &Peer) -> Option<Policy> {
    let secs = |time: core::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let party = match peer.session_timer.refresher {
        Refresher::Node => Party::Us,
        Refresher::Peer => Party::Peer,
    };
    let timer = &peer.session_timer;
    // A server that does not name timers answers refreshes all the same, and so
    // tells that it is there.
    let alone = party == Party::Us;
    Policy::new(secs(timer.expires), secs(timer.min), party, alone).ok()
}
