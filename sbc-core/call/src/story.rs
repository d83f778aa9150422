//! What is told of a call when it ends: its facts come in, one line for the
//! diary and one record for the books go out.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::Side;

/// One target that was tried.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attempt {
    pub trunk: String,
    pub code: u16,
    pub reason: String,
    pub ms: u64,
}

/// Who ended the call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleasedBy {
    /// The side that called.
    Caller,
    /// The side that was called.
    Callee,
    /// The node: a limit, a timer, dead media, an operator.
    Node,
}

/// What one side sent, as the node counted it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Media {
    pub rx: u64,
    pub tx: u64,
    pub lost: u64,
    pub late: u64,
    pub unexpected: u64,
    pub jitter_ms: f64,
    pub mos: Option<f64>,
}

/// The record of one call. Numbers stand in full: it is the one place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    pub call: u32,
    pub id: String,
    pub node: String,
    /// `in` from a trunk, `out` to one.
    pub direction: String,
    pub emergency: bool,
    pub trunk: String,
    pub mediation: String,
    pub route: String,
    pub attempts: Vec<Attempt>,
    pub from: String,
    pub to: String,
    pub from_sent: String,
    pub to_sent: String,
    /// Milliseconds since the epoch; the driver knows the wall clock.
    pub start: u64,
    pub answer: Option<u64>,
    pub end: u64,
    pub pdd_ms: Option<u64>,
    pub duration_ms: u64,
    pub released_by: ReleasedBy,
    pub sip_code: u16,
    pub q850: u8,
    /// Why it ended badly, as a code that can be explained; 0 is a good end.
    pub sbc_code: u16,
    pub codec_a: String,
    pub codec_b: String,
    pub transport_a: String,
    pub transport_b: String,
    pub media_a: Media,
    pub media_b: Media,
    /// The side that was not heard while the other was, if that ever lasted.
    #[serde(default)]
    pub one_way: Option<Side>,
    pub reinvites: u32,
}

impl Record {
    /// Returns a record that says nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            call: 0,
            id: String::new(),
            node: String::new(),
            direction: String::new(),
            emergency: false,
            trunk: String::new(),
            mediation: String::new(),
            route: String::new(),
            attempts: Vec::new(),
            from: String::new(),
            to: String::new(),
            from_sent: String::new(),
            to_sent: String::new(),
            start: 0,
            answer: None,
            end: 0,
            pdd_ms: None,
            duration_ms: 0,
            released_by: ReleasedBy::Node,
            sip_code: 0,
            q850: 0,
            sbc_code: 0,
            codec_a: String::new(),
            codec_b: String::new(),
            transport_a: String::new(),
            transport_b: String::new(),
            media_a: Media::default(),
            media_b: Media::default(),
            one_way: None,
            reinvites: 0,
        }
    }
}

/// Why a call ended, in words and as a code of the 1xxx register.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, thiserror::Error)]
pub enum Why {
    #[error("ended as calls do")]
    Normal,
    #[error("the caller gave up")]
    Cancelled,
    #[error("no route for the number")]
    NoRoute,
    #[error("the route leads out of the country")]
    Border,
    #[error("no peer of the route is up")]
    AllDown,
    #[error("a limit of the caller's side is reached")]
    FullHere,
    #[error("a limit of the called side is reached")]
    FullThere,
    #[error("the called side refused")]
    Refused,
    #[error("the called side did not answer in time")]
    NoAnswer,
    #[error("no target could be reached")]
    Unreachable,
    #[error("the session description was not acceptable")]
    Media,
    #[error("no media came any more")]
    MediaTimeout,
    #[error("a session timer ran out")]
    SessionTimer,
    #[error("an answer was not acknowledged")]
    NoAck,
    #[error("the way to a peer was lost")]
    TransportLost,
    #[error("a loop was found")]
    Loop,
    #[error("an operator ended it")]
    Operator,
    #[error("no media port was free")]
    NoPort,
    #[error("the node holds as many calls as it can")]
    NodeFull,
    #[error("the call number is not allowed here")]
    Forbidden,
}

impl Why {
    /// Returns the code of the register; 0 for a good end.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal | Self::Cancelled => 0,
            Self::NoRoute => 1001,
            Self::Border => 1002,
            Self::AllDown => 1003,
            Self::FullHere => 1004,
            Self::FullThere => 1005,
            Self::Refused => 1006,
            Self::NoAnswer => 1007,
            Self::Unreachable => 1008,
            Self::Media => 1009,
            Self::MediaTimeout => 1010,
            Self::SessionTimer => 1011,
            Self::NoAck => 1012,
            Self::TransportLost => 1013,
            Self::Loop => 1014,
            Self::Operator => 1015,
            Self::NoPort => 1016,
            Self::NodeFull => 1017,
            Self::Forbidden => 1018,
        }
    }
}

/// The one line for the diary; numbers are masked.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    pub record: Record,
    pub why: Why,
}

impl fmt::Display for Story {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.record;
        write!(
            out,
            "call {} {} {} > {}: {}, {} ms, {} released it ({})",
            r.call,
            r.direction,
            masked(&r.from),
            masked(&r.to),
            r.sip_code,
            r.duration_ms,
            match r.released_by {
                ReleasedBy::Caller => "the caller",
                ReleasedBy::Callee => "the callee",
                ReleasedBy::Node => "the node",
            },
            self.why
        )
    }
}

/// Returns the last two characters of a number behind two dots.
#[must_use]
pub fn masked(number: &str) -> String {
    let mut tail: Vec<char> = number.chars().rev().take(2).collect();
    tail.reverse();
    let mut text = String::from("..");
    text.extend(tail);
    text
}

/// Returns who a side is, as the one that released a call.
#[must_use]
pub const fn releaser(side: Side) -> ReleasedBy {
    match side {
        Side::A => ReleasedBy::Caller,
        Side::B => ReleasedBy::Callee,
    }
}

#[cfg(test)]
mod tests {
    use super::{Why, masked};

    #[test]
    fn a_number_in_the_diary_shows_its_last_two_digits() {
        assert_eq!(masked("+4969123442"), "..42");
        assert_eq!(masked("7"), "..7");
        assert_eq!(masked(""), "..");
    }

    #[test]
    fn only_a_normal_end_has_no_code() {
        assert_eq!(Why::Normal.code(), 0);
        assert_eq!(Why::Cancelled.code(), 0);
        assert_eq!(Why::NoRoute.code(), 1001);
    }
}
