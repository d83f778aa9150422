//! The terms of a session timer: the operator's policy and the headers of either
//! side come in, typed values go out (RFC 4028 §4, §5, §7.1, §9).

use serde::{Deserialize, Serialize};

use crate::{
    message::{Field, MinSe, Request, Require, SessionExpires, Supported, Writer, each, single},
    wire::Frame,
};

/// The least value of Min-SE, and its value where the header is absent, in
/// seconds (RFC 4028 §5).
pub const LEAST_SECS: u32 = 90;

/// The longest interval we let a 422 talk us into: one day. A session nobody
/// looks after for longer is not looked after.
pub(super) const MOST_SECS: u32 = 86_400;

/// Who refreshes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Party {
    Us,
    Peer,
}

/// What the operator wants on a leg.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(super) expires_secs: u32,
    pub(super) min_secs: u32,
    pub(super) refresher: Party,
    pub(super) alone: bool,
}

/// Why a policy makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadPolicy {
    #[error("the least interval of {min_secs} s is below {LEAST_SECS} s")]
    MinTooSmall { min_secs: u32 },
    #[error("the interval of {expires_secs} s is not between {min_secs} s and {MOST_SECS} s")]
    Expires { expires_secs: u32, min_secs: u32 },
}

impl Policy {
    /// Takes the interval we ask for, the least we accept, and who shall
    /// refresh where we have the choice. `alone` keeps refreshing peers that
    /// know nothing of session timers, to notice when they are gone.
    pub const fn new(
        expires_secs: u32,
        min_secs: u32,
        refresher: Party,
        alone: bool,
    ) -> Result<Self, BadPolicy> {
        if min_secs < LEAST_SECS {
            return Err(BadPolicy::MinTooSmall { min_secs });
        }
        if expires_secs < min_secs || expires_secs > MOST_SECS {
            return Err(BadPolicy::Expires {
                expires_secs,
                min_secs,
            });
        }
        Ok(Self {
            expires_secs,
            min_secs,
            refresher,
            alone,
        })
    }
}

/// What a request of ours carries, beside `Supported: timer` (RFC 4028 §7.1,
/// §7.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offer {
    pub expires: SessionExpires,
    pub min_secs: Option<u32>,
}

impl Offer {
    /// Writes Session-Expires and Min-SE.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let least = self.min_secs.map(MinSe);
        writer.field(&self.expires).maybe(least.as_ref());
    }
}

/// What a peer's INVITE or UPDATE carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// Whether Supported or Require names `timer`.
    pub timer: bool,
    pub expires: Option<SessionExpires>,
    pub min_secs: Option<u32>,
}

impl Asked {
    /// Returns what a received request carries. A header that cannot be read
    /// counts as missing.
    pub fn received(request: &Request<'_>) -> Self {
        let frame = request.frame;
        let supported = each::<Supported<'_>>(frame.all(Supported::NAME)).flatten();
        let required = each::<Require<'_>>(frame.all(Require::NAME)).flatten();
        let least = single::<MinSe>(frame.all(MinSe::NAME));
        Self {
            timer: supported
                .map(|each| each.0)
                .chain(required.map(|each| each.0))
                .any(|tokens| tokens.has("timer")),
            expires: session_expires(frame),
            min_secs: least.ok().flatten().map(|least| least.0),
        }
    }
}

/// Returns the Session-Expires of a received message, if it can be read.
pub fn session_expires(frame: &Frame) -> Option<SessionExpires> {
    let values = frame.all(SessionExpires::NAME);
    single::<SessionExpires>(values).ok().flatten()
}

/// What we answer a peer's INVITE or UPDATE with (RFC 4028 §9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Reject with 422 and this Min-SE.
    TooSmall { min_secs: u32 },
    /// A 2xx without Session-Expires.
    Untimed,
    /// A 2xx with this Session-Expires, and `Require: timer` if `require`.
    Timed {
        expires: SessionExpires,
        require: bool,
    },
}
