//! The inbound octets of one connection in, its messages out, one by one
//! (RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1, §4.4.1).

#![expect(
    clippy::result_large_err,
    reason = "a box would be an allocation for each refusal"
)]

use bytes::{Buf, Bytes, BytesMut};

use super::datagram::{cut, frame};
use super::frame::Index;
use super::index::{Length, read};
use super::scan::Scan;
use super::start::is_token;
use super::{Fault, Malformed, Received, limits};
use crate::Instant;

/// One connection's inbound octets. Push what was read, then take until nothing is
/// whole. It holds at most [`limits::MESSAGE`] + [`limits::READ_AHEAD`] octets.
#[derive(Debug, Default)]
pub struct Stream {
    octets: BytesMut,
    scan: Scan,
    /// The head that was read, while its body is still on the way.
    awaited: Option<Awaited>,
    /// Octets of a refused message's body still to be dropped.
    skip: usize,
    /// The last octets taken were a lone CRLF, perhaps the first half of a ping.
    half_ping: bool,
    /// Octets were pushed that there was no room for.
    overrun: bool,
    lost: bool,
    begun: Option<Instant>,
    pushed: Instant,
}

/// A message whose head is whole.
#[derive(Debug)]
struct Awaited {
    index: Index,
    head: usize,
    body: usize,
}

/// Octets a buffer grows by at least: most messages fit the first one.
const GROWTH: usize = 4_096;

/// A buffer that held a larger message is given back, so that an idle connection is small.
const KEPT: usize = 16_384;

impl Stream {
    /// Returns a stream at the beginning of a connection. It allocates when octets come.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the octets of one read, at most [`limits::READ_AHEAD`]. What is beyond the
    /// room left is dropped, and [`Stream::take`] says so once the rest is taken.
    pub fn push(&mut self, now: Instant, read: &[u8]) {
        if self.lost || read.is_empty() {
            return;
        }
        let room = limits::MESSAGE + limits::READ_AHEAD - self.octets.len();
        let fitting = read.get(..room).unwrap_or(read);
        self.overrun |= fitting.len() < read.len();
        if self.octets.capacity() - self.octets.len() < fitting.len() {
            self.octets.reserve(fitting.len().max(GROWTH));
        }
        self.octets.extend_from_slice(fitting);
        // A split makes the buffer a shared one here, so that framing allocates nothing.
        drop(self.octets.split_to(0));
        self.pushed = now;
        self.begun = self.begun.or(Some(now));
    }

    /// Returns what comes next, if it is whole.
    ///
    /// # Errors
    /// [`Malformed`] for octets that are no message. If it is not fatal the stream goes
    /// on behind them; if it is, nothing more comes from this stream.
    pub fn take(&mut self) -> Result<Option<Received>, Malformed> {
        if self.lost {
            return Ok(None);
        }
        let taken = self.next();
        match &taken {
            Ok(None) if self.overrun => {
                self.lost = true;
                return Err(Malformed::unreadable(Fault::NotTaken, self.octets.len()));
            }
            Ok(None) if self.is_idle() => self.begun = None,
            Ok(None) => {}
            Ok(Some(_)) => self.settle(),
            Err(malformed) => {
                self.lost = malformed.fatal;
                self.settle();
            }
        }
        taken
    }

    /// Returns since when a message has been incomplete, to end connections that never
    /// finish one.
    pub const fn partial_since(&self) -> Option<Instant> {
        self.begun
    }

    /// Returns how many octets wait for the rest of their message.
    pub fn held(&self) -> usize {
        self.octets.len()
    }

    /// Whether a fatal fault ended the stream.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    fn next(&mut self) -> Result<Option<Received>, Malformed> {
        self.drop_refused();
        if self.awaited.is_none() {
            if let Some(keep_alive) = self.line_ends()? {
                return Ok(Some(keep_alive));
            }
            self.awaited = self.head()?;
        }
        let is_whole = |awaited: &mut Awaited| self.octets.len() >= awaited.head + awaited.body;
        Ok(self
            .awaited
            .take_if(is_whole)
            .map(|awaited| self.message(awaited)))
    }

    /// Takes a CRLF between messages. Two in a row are one ping however they are cut;
    /// one is our pong, or the empty line RFC 3261 §7.5 wants ignored, which is the same
    /// to one who expects none.
    fn line_ends(&mut self) -> Result<Option<Received>, Malformed> {
        match &*self.octets {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', b'\r', b'\n', ..] if !self.half_ping => {
                self.octets.advance(4);
                Ok(Some(Received::Ping))
            }
            [b'\r', b'\n', ..] => {
                self.octets.advance(2);
                self.half_ping = !self.half_ping;
                Ok(Some(if self.half_ping {
                    Received::Pong
                } else {
                    Received::Ping
                }))
            }
            [first, ..] if is_token(*first) => {
                self.half_ping = false;
                Ok(None)
            }
            _ => Err(Malformed::unreadable(Fault::NotSip, 0)),
        }
    }

    /// Reads the head, once, when it is whole.
    fn head(&mut self) -> Result<Option<Awaited>, Malformed> {
        let Some(end) = self.scan.end_of_head(&self.octets) else {
            if self.octets.len() > limits::HEAD {
                return Err(cut(self.octets.split()));
            }
            return Ok(None);
        };
        if end > limits::HEAD {
            return Err(cut(self.octets.split()));
        }
        self.scan = Scan::default();
        let head = self.octets.get_mut(..end).unwrap_or_default();
        let reading = read(head);
        let (body, unbounded) = match reading.length {
            Length::Known(octets) => fitting(end, octets),
            Length::Absent => (None, Some(Fault::ContentLengthMissing)),
            Length::Unknown => (None, None),
        };
        match (body, reading.fault.or(unbounded.map(|fault| (fault, end)))) {
            (Some(body), None) => Ok(Some(Awaited {
                index: reading.index,
                head: end,
                body,
            })),
            (body, fault) => {
                let (fault, offset) = fault.unwrap_or((Fault::ContentLengthSyntax, end));
                self.skip = body.unwrap_or(0);
                let fatal = reading.ambiguous || body.is_none();
                let frame = frame(self.octets.split_to(end), Bytes::new(), reading.index);
                Err(Malformed {
                    fault,
                    offset,
                    fatal,
                    frame: Some(frame),
                })
            }
        }
    }

    fn message(&mut self, awaited: Awaited) -> Received {
        let head = self.octets.split_to(awaited.head);
        let body = match awaited.body {
            0 => Bytes::new(),
            octets => self.octets.split_to(octets).freeze(),
        };
        Received::Message(frame(head, body, awaited.index))
    }

    fn is_idle(&self) -> bool {
        self.octets.is_empty() && self.skip == 0
    }

    /// Drops what has come of the body of a refused message.
    fn drop_refused(&mut self) {
        let come = self.skip.min(self.octets.len());
        self.octets.advance(come);
        self.skip -= come;
    }

    /// Notes that something was taken: what is left came with the last push.
    fn settle(&mut self) {
        self.begun = (!self.is_idle() && !self.lost).then_some(self.pushed);
        if self.lost || (self.octets.is_empty() && self.octets.capacity() > KEPT) {
            self.octets = BytesMut::new();
        }
    }
}

/// Returns the body's octets if the message stays within the limit, else the fault.
fn fitting(head: usize, body: u64) -> (Option<usize>, Option<Fault>) {
    let octets = body.saturating_add(head as u64);
    match usize::try_from(body) {
        Ok(body) if octets <= limits::MESSAGE as u64 => (Some(body), None),
        _ => (None, Some(Fault::MessageTooLong { octets })),
    }
}
