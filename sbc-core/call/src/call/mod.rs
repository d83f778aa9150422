//! One call: two legs and what couples them. Each leg is a user agent of its
//! own; only typed values pass from one to the other (RFC 7092 §3.1).

mod answer;
pub mod caller;
mod dialog;
mod end;
pub mod media;
mod offer;
mod redirect;
mod resume;
mod returned;
mod setup;
mod timers;
mod withdraw;

pub use setup::listener;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sbc_media::sdp::{Own, RemoteOffer};
use sbc_media::stream::StreamRow;
use sbc_sip::Instant;
use sbc_sip::transaction::branch::Branch;
use sbc_sip::wire::Frame;

use crate::Side;
use crate::across::cause::Cause;
use crate::leg::Leg;
use crate::parties::Caller;
use crate::random::Hex;
use crate::route::Target;
use crate::story::{Attempt, Media, ReleasedBy, Why};

/// Where a call stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// The caller waits.
    Inviting,
    /// The caller has our 2xx.
    Talking,
    /// It is over for both; answers and acknowledgements are still to come.
    Ending,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    pub why: Why,
    pub by: ReleasedBy,
    pub code: u16,
    pub at: Instant,
}

/// The targets of a call, and how far it got.
#[derive(Debug, Default)]
pub struct Hunt {
    pub route: String,
    pub targets: Vec<Target>,
    pub next: usize,
    /// The number that the target under way is called with, where a redirection named
    /// another than was dialled.
    pub number: Option<String>,
    pub attempts: Vec<Attempt>,
    /// When the attempt under way began.
    pub since: Instant,
    /// No target was full, so far.
    pub full: bool,
}

/// A change of the session that crosses from one side to the other.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// Who asked.
    pub from: Side,
    /// The other side said 491: it is asked again then.
    pub again_at: Option<Instant>,
    /// What it asked for; none if it answered an offer of ours, and waits for nothing.
    pub offer: Option<Box<RemoteOffer>>,
    pub is_update: bool,
    /// What we had said to the other side before.
    pub before: Box<Own>,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    pub key: u32,
    pub id: Hex<16>,
    pub phase: Phase,
    /// The caller's leg first, then one for each target that was tried.
    pub legs: Vec<Leg>,
    /// The leg of the target that is tried, or that answered.
    pub current: Option<usize>,
    pub hunt: Box<Hunt>,
    pub caller: Caller,
    /// As the caller dialled it, and in E.164.
    pub dialled: String,
    pub number: String,
    pub from_sent: String,
    pub to_sent: String,
    pub emergency: bool,
    pub hops: u8,
    pub began: Instant,
    pub rang: Option<Instant>,
    pub answered: Option<Instant>,
    pub end: Option<End>,
    /// The caller gets a 183 of ours then, unless it has heard more than 100.
    pub guard: Option<Instant>,
    /// The target has this long.
    pub patience: Option<Instant>,
    pub crossing: Option<Crossing>,
    /// The answer of the called side, while the caller must not hear it yet.
    pub held: Option<Box<Frame>>,
    pub row: Option<Box<StreamRow>>,
    pub media: [Media; 2],
    pub reinvites: u32,
    pub redirects: u8,
    /// A side whose media never came.
    pub one_way: Option<Side>,
    /// Why the side that refused or ended says it did.
    pub cause: Option<Cause>,
    /// The relay has until then to say the last numbers.
    pub numbers_until: Option<Instant>,
    /// The story was told.
    pub told: bool,
    /// Attempts before a restart that this call knows nothing of any more.
    pub attempt_shift: usize,
    /// The moment the engine wakes this call at.
    pub wake: Option<Instant>,
}

impl Call {
    /// Returns a call that begins with the caller's leg.
    #[must_use]
    pub fn new(key: u32, id: Hex<16>, leg: Leg, now: Instant) -> Self {
        Self {
            key,
            id,
            phase: Phase::Inviting,
            legs: alloc::vec![leg],
            current: None,
            hunt: Box::default(),
            caller: Caller::default(),
            dialled: String::new(),
            number: String::new(),
            from_sent: String::new(),
            to_sent: String::new(),
            emergency: false,
            hops: 70,
            began: now,
            rang: None,
            answered: None,
            end: None,
            guard: None,
            patience: None,
            crossing: None,
            held: None,
            row: None,
            media: [Media::default(), Media::default()],
            reinvites: 0,
            redirects: 0,
            one_way: None,
            cause: None,
            numbers_until: None,
            told: false,
            attempt_shift: 0,
            wake: None,
        }
    }

    /// Returns the caller's leg, or that of the target.
    pub fn leg(&self, side: Side) -> Option<&Leg> {
        match side {
            Side::A => self.legs.first(),
            Side::B => self.legs.get(self.current?),
        }
    }

    /// Returns the caller's leg, or that of the target.
    pub fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        match side {
            Side::A => self.legs.first_mut(),
            Side::B => self.legs.get_mut(self.current?),
        }
    }

    /// Returns the place of the leg that sent the request with this branch.
    fn leg_of(&self, branch: Branch) -> Option<usize> {
        self.legs.iter().position(|leg| leg.sent(branch))
    }

    /// Returns the side that sent the request with this branch.
    pub fn side_of(&self, branch: Branch) -> Option<Side> {
        let at = self.leg_of(branch)?;
        Some(if at == 0 { Side::A } else { Side::B })
    }

    /// Returns whether nothing is left to wait for.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Ending && self.told && self.legs.iter().all(Leg::is_quiet)
    }

    /// Returns the word of `show calls`.
    pub fn state(&self) -> &'static str {
        let held = |leg: &Leg| leg.half.direction() != sbc_media::sdp::Direction::SendRecv;
        match self.phase {
            Phase::Inviting if self.rang.is_some() => "ringing",
            Phase::Inviting => "setup",
            Phase::Talking if self.legs.iter().any(held) => "held",
            Phase::Talking => "talk",
            Phase::Ending => "ending",
        }
    }
}
