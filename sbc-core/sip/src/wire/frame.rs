//! A framed message: the head as text with its lines indexed, the body as octets
//! (RFC 3261 §7).

use bytes::Bytes;
use bytestring::ByteString;
use heapless::Vec;

use super::{Name, limits};

/// One message, framed and indexed, not yet understood. The head is UTF-8 without CR or
/// LF inside a line: folds are spaces (RFC 3261 §7.3.1). A clone shares the octets.
#[derive(Clone, Debug)]
pub struct Frame {
    pub(super) head: ByteString,
    pub(super) body: Bytes,
    pub(super) index: Index,
}

/// The first line of a message (RFC 3261 §7.1, §7.2). A [`super::Malformed`] frame has
/// empty text or code 0 where its line could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartLine<'a> {
    Request { method: &'a str, uri: &'a str },
    Response { code: u16, reason: &'a str },
}

/// Where everything is in a head.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub start: Start,
    pub lines: Vec<Line, { limits::HEADERS }>,
    pub repaired: u16,
}

/// The parts of the start line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Start {
    Request { method: Span, uri: Span },
    Response { code: u16, reason: Span },
}

/// One header line: its name, where the name is, where the trimmed value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Line {
    pub known: Name,
    pub repaired: bool,
    pub name: Span,
    pub value: Span,
}

/// A stretch of the head; sixteen bits suffice for [`limits::HEAD`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

const _: () = assert!(limits::HEAD <= u16::MAX as usize);

impl Span {
    /// Returns the stretch from `start` to before `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let narrow = |offset: usize| u16::try_from(offset).unwrap_or(u16::MAX);
        Self {
            start: narrow(start),
            end: narrow(end),
        }
    }

    /// Returns the octets of the stretch.
    pub fn bytes(self, head: &[u8]) -> &[u8] {
        head.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    fn text(self, head: &str) -> &str {
        head.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
}

impl Frame {
    /// Returns the start line (RFC 3261 §7.1, §7.2).
    pub fn start(&self) -> StartLine<'_> {
        match self.index.start {
            Start::Request { method, uri } => StartLine::Request {
                method: method.text(&self.head),
                uri: uri.text(&self.head),
            },
            Start::Response { code, reason } => StartLine::Response {
                code,
                reason: reason.text(&self.head),
            },
        }
    }

    /// Whether the message is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// Whether an answer can be made: a request other than ACK, with the Via and CSeq
    /// without which the peer could not tell what is answered (RFC 3261 §8.2.6.2, §17.1.3).
    pub fn is_answerable(&self) -> bool {
        let filled = |name| self.first(name).is_some_and(|value| !value.is_empty());
        let asks = match self.start() {
            StartLine::Request { method, .. } => !method.is_empty() && method != "ACK",
            StartLine::Response { .. } => false,
        };
        asks && filled(Name::Via) && filled(Name::CSeq)
    }

    /// Returns the header lines in the order of the wire: the name, the name as written,
    /// the value without the white space around it.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (Name, &str, &str)> + Clone {
        self.index.lines.iter().map(|line| {
            (
                line.known,
                line.name.text(&self.head),
                line.value.text(&self.head),
            )
        })
    }

    /// Returns the value of each line of that name, in the order of the wire. Lists are
    /// not split. For names that are not known see [`Frame::other`].
    pub fn all(&self, name: Name) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.named(name).map(|line| line.value.text(&self.head))
    }

    /// Returns the value of the first line of that name.
    pub fn first(&self, name: Name) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns how many lines have that name.
    pub fn count(&self, name: Name) -> usize {
        self.named(name).count()
    }

    /// Returns the value of each line whose name is not known and equals `name`, in any case.
    pub fn other<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.lines()
            .filter(move |(known, written, _)| {
                *known == Name::Other && written.eq_ignore_ascii_case(name)
            })
            .map(|(_, _, value)| value)
    }

    /// Returns the octets after the head.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the body as a handle that shares the octets.
    pub const fn body_bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the head, start line to empty line, folds as spaces.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Returns how many octets of the head were not UTF-8 and are `?` in its text.
    pub const fn repaired(&self) -> usize {
        self.index.repaired as usize
    }

    /// Whether a line of that name had octets that were not UTF-8.
    pub fn is_repaired(&self, name: Name) -> bool {
        self.named(name).any(|line| line.repaired)
    }

    /// Returns how many octets the message takes on the wire.
    pub fn octets(&self) -> usize {
        self.head.len() + self.body.len()
    }

    fn named(&self, name: Name) -> impl DoubleEndedIterator<Item = &Line> + Clone {
        self.index
            .lines
            .iter()
            .filter(move |line| line.known == name)
    }
}
