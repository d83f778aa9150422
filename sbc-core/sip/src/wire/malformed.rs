//! What was wrong with a peer's bytes: a fault and where in, the answer it deserves out
//! (RFC 3261 §8.2.6.2, §16.3, §21.4.1, §21.5.6, §21.5.7).

use core::fmt;

use super::index::forbidden_control;
use super::{Frame, Name, limits};

/// Why bytes are no message, in one sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("the bytes are not SIP")]
    NotSip,
    #[error("the method is not a token")]
    Method,
    #[error("the request line is not method, space, request URI, space, version")]
    RequestLine,
    #[error("the request URI holds a character no URI may hold")]
    RequestUri,
    #[error("the status line is not version, space, three digits, space, reason")]
    StatusLine,
    #[error("the version is not SIP/2.0")]
    Version,
    #[error("the head holds control byte 0x{0:02x}")]
    Control(u8),
    #[error("a line of the head ends in a lone line feed")]
    LoneLineFeed,
    #[error("the head holds a carriage return without a line feed")]
    LoneCarriageReturn,
    #[error("a header line does not begin with a name and a colon")]
    HeaderName,
    #[error(
        "the message has {count} header lines and the limit is {}",
        limits::HEADERS
    )]
    TooManyHeaders { count: usize },
    #[error("the head has no end within {} bytes", limits::HEAD)]
    HeadTooLong,
    #[error("the head has no empty line at its end")]
    Unterminated,
    #[error("Content-Length is missing on a stream")]
    ContentLengthMissing,
    #[error("Content-Length occurs more than once")]
    ContentLengthRepeated,
    #[error("Content-Length is not a number")]
    ContentLengthSyntax,
    #[error("the message has {octets} bytes and the limit is {}", limits::MESSAGE)]
    MessageTooLong { octets: u64 },
    #[error("the body has {present} bytes and Content-Length says {announced}")]
    BodyTooShort { announced: u64, present: usize },
    #[error(
        "more than {} bytes were pushed before they were taken",
        limits::READ_AHEAD
    )]
    NotTaken,
}

impl Fault {
    /// Returns the status a request with this fault deserves.
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooManyHeaders { .. } | Self::HeadTooLong | Self::MessageTooLong { .. } => 513,
            _ => 400,
        }
    }

    /// Whether every reader agrees where a message with this fault ends, given its length.
    pub(super) const fn leaves_framing(self) -> bool {
        !matches!(
            self,
            Self::NotSip
                | Self::LoneLineFeed
                | Self::LoneCarriageReturn
                | Self::HeadTooLong
                | Self::Unterminated
                | Self::ContentLengthMissing
                | Self::ContentLengthSyntax
                | Self::MessageTooLong { .. }
                | Self::BodyTooShort { .. }
                | Self::NotTaken
        )
    }
}

/// What an answer takes from its request octet for octet (RFC 3261 §8.2.6.2).
const REPEATED: [Name; 5] = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];

/// Bytes that are no message, and what can be done about them.
#[derive(Clone, Debug)]
pub struct Malformed {
    pub(super) fault: Fault,
    pub(super) offset: usize,
    pub(super) fatal: bool,
    pub(super) frame: Option<Frame>,
}

impl Malformed {
    pub(super) const fn unreadable(fault: Fault, offset: usize) -> Self {
        Self {
            fault,
            offset,
            fatal: true,
            frame: None,
        }
    }

    /// Returns what was wrong.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns where, in octets from the first octet of the message.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the status to answer with, if [`Frame::is_answerable`] (RFC 3261 §16.3) and
    /// nothing that an answer repeats holds a control octet, which we send nobody.
    pub fn answer(&self) -> Option<u16> {
        let frame = self.frame.as_ref()?;
        let mut repeated = REPEATED.iter().flat_map(|name| frame.all(*name));
        let clean = repeated.all(|value| forbidden_control(value.as_bytes()).is_none());
        (clean && frame.is_answerable()).then(|| self.fault.status())
    }

    /// Returns what could be read of the head, without a body; an answer takes its Via,
    /// From, To, Call-ID and CSeq from here, as far as they are there.
    pub const fn frame(&self) -> Option<&Frame> {
        self.frame.as_ref()
    }

    /// Whether the stream these bytes came on is lost: nobody can tell where the next
    /// message begins.
    pub const fn fatal(&self) -> bool {
        self.fatal
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, at byte {}: {}",
            self.fault,
            self.offset,
            self.fault.status()
        )
    }
}

impl core::error::Error for Malformed {}
