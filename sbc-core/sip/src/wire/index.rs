//! A head in, its lines indexed and its first fault out: folds become spaces in place
//! (RFC 3261 §7.3.1), octets that are not UTF-8 become `?`. Each octet is passed over a
//! fixed number of times.

use super::frame::{Index, Line, Span};
use super::start::{is_token, start_line};
use super::{Fault, Name, limits};

/// What a head says.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub index: Index,
    /// The first fault, and the octet it is at.
    pub fault: Option<(Fault, usize)>,
    /// Whether some fault leaves it open where the message ends.
    pub ambiguous: bool,
    pub length: Length,
    /// Header lines seen, those beyond the limit too.
    seen: usize,
    /// Where the first line beyond the limit begins.
    beyond: usize,
}

/// What the Content-Length lines say together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Length {
    Absent,
    Known(u64),
    Unknown,
}

/// Reads `head`, which ends after its empty line, or where it was cut.
pub(super) fn read(head: &mut [u8]) -> Reading {
    let first = unfold(head, 0);
    let line = head.get(..first.end).unwrap_or_default();
    let (start, fault) = start_line(line);
    let index = Index {
        start,
        lines: heapless::Vec::new(),
        repaired: 0,
    };
    let mut reading = Reading {
        index,
        fault: None,
        ambiguous: false,
        length: Length::Absent,
        seen: 0,
        beyond: 0,
    };
    reading.check_line(line, 0, &first, never_escaped);
    if let Some((fault, at)) = fault {
        reading.blame(fault, at);
    }
    if first.folded {
        reading.blame(Fault::HeaderName, first.end);
    }
    let mut at = first.next;
    while at < head.len() {
        let physical = unfold(head, at);
        let line = head.get(at..physical.end).unwrap_or_default();
        reading.check_line(line, at, &physical, forbidden_control);
        if line.is_empty() {
            break;
        }
        reading.header(line, at);
        at = physical.next;
    }
    if reading.seen > limits::HEADERS {
        let count = reading.seen;
        reading.blame(Fault::TooManyHeaders { count }, reading.beyond);
    }
    if !head.is_ascii() {
        repair(head, &mut reading.index);
    }
    reading
}

/// One line, its continuations included.
struct Unfolded {
    end: usize,
    next: usize,
    folded: bool,
    lone_feed: Option<usize>,
}

/// Finds the end of the line at `from`, and makes spaces of the line ends that only
/// continue it.
fn unfold(head: &mut [u8], from: usize) -> Unfolded {
    let mut line = Unfolded {
        end: head.len(),
        next: head.len(),
        folded: false,
        lone_feed: None,
    };
    let mut searched = from;
    while let Some(ahead) = memchr::memchr(b'\n', head.get(searched..).unwrap_or_default()) {
        let feed = searched + ahead;
        let has_return = feed > from && head.get(feed - 1) == Some(&b'\r');
        if !has_return {
            line.lone_feed = line.lone_feed.or(Some(feed));
        }
        line.end = feed - usize::from(has_return);
        line.next = feed + 1;
        if line.end == from || !matches!(head.get(feed + 1), Some(b' ' | b'\t')) {
            return line;
        }
        line.folded = true;
        head.get_mut(line.end..=feed).unwrap_or_default().fill(b' ');
        searched = feed + 1;
    }
    line.end = head.len();
    line.next = head.len();
    line
}

impl Reading {
    /// Keeps the first fault, and whether any makes the end of the message a guess.
    fn blame(&mut self, fault: Fault, at: usize) {
        self.fault = self.fault.or(Some((fault, at)));
        self.ambiguous |= !fault.leaves_framing();
    }

    /// Blames control octets and lone line feeds in the line that begins at `at`.
    fn check_line(
        &mut self,
        line: &[u8],
        at: usize,
        ends: &Unfolded,
        forbidden: fn(&[u8]) -> Option<usize>,
    ) {
        let suspect = line.iter().any(|&octet| is_control(octet));
        if let Some(inside) = suspect.then(|| forbidden(line)).flatten() {
            let octet = line.get(inside).copied().unwrap_or_default();
            self.blame(control_fault(octet), at + inside);
        }
        if let Some(feed) = ends.lone_feed {
            self.blame(Fault::LoneLineFeed, feed);
        }
    }

    /// Indexes one header line: `header-name HCOLON header-value` (RFC 3261 §7.3.1, §25.1).
    fn header(&mut self, line: &[u8], at: usize) {
        self.seen += 1;
        if self.seen == limits::HEADERS + 1 {
            self.beyond = at;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return self.blame(Fault::HeaderName, at);
        };
        let (before, after) = line.split_at_checked(colon).unwrap_or_default();
        let written = before.trim_ascii_end();
        if written.is_empty() || !written.iter().all(|&octet| is_token(octet)) {
            return self.blame(Fault::HeaderName, at);
        }
        let known = Name::of(core::str::from_utf8(written).unwrap_or_default());
        let (value, from) = trimmed(after.get(1..).unwrap_or_default(), at + colon + 1);
        if known == Name::ContentLength {
            self.content_length(value, from);
        }
        let line = Line {
            known,
            repaired: false,
            name: Span::new(at, at + written.len()),
            value: Span::new(from, from + value.len()),
        };
        // The lines beyond the limit were counted above, and are refused together.
        let _ = self.index.lines.push(line);
    }

    /// Takes one Content-Length: `1*DIGIT`, once (RFC 3261 §18.3, §20.14).
    fn content_length(&mut self, value: &[u8], at: usize) {
        let number = decimal(value);
        if number.is_none() {
            self.blame(Fault::ContentLengthSyntax, at);
        }
        let stated = number.map_or(Length::Unknown, Length::Known);
        if self.length == Length::Absent {
            self.length = stated;
            return;
        }
        self.blame(Fault::ContentLengthRepeated, at);
        if self.length != stated {
            self.length = Length::Unknown;
        }
    }
}

/// Returns `value` without the white space around it, and where that begins, when
/// `value` begins at `from`.
fn trimmed(value: &[u8], from: usize) -> (&[u8], usize) {
    let inner = value.trim_ascii_start();
    (inner.trim_ascii_end(), from + value.len() - inner.len())
}

/// Returns the number `digits` spell; one that does not fit is as large as can be.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &octet| {
        octet.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(octet - b'0'))
        })
    })
}

const fn is_control(octet: u8) -> bool {
    octet.is_ascii_control() && octet != b'\t'
}

const fn control_fault(octet: u8) -> Fault {
    match octet {
        b'\r' => Fault::LoneCarriageReturn,
        b'\n' => Fault::LoneLineFeed,
        other => Fault::Control(other),
    }
}

/// Returns the first control octet of a start line, where nothing can be quoted.
fn never_escaped(line: &[u8]) -> Option<usize> {
    line.iter().position(|&octet| is_control(octet))
}

/// Returns the first control octet that is not the second half of a quoted pair; CR and
/// LF never are (RFC 3261 §25.1; RFC 4475 §3.1.1.2).
pub(super) fn forbidden_control(line: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    line.iter().position(|&octet| {
        if escaped {
            escaped = false;
            return matches!(octet, b'\r' | b'\n');
        }
        match octet {
            b'"' => quoted = !quoted,
            b'\\' => escaped = quoted,
            _ => return is_control(octet),
        }
        false
    })
}

/// Makes `?` of the octets that are not UTF-8, and marks the lines that had some.
fn repair(head: &mut [u8], index: &mut Index) {
    if core::str::from_utf8(head).is_ok() {
        return;
    }
    for line in &mut index.lines {
        line.repaired = core::str::from_utf8(line.value.bytes(head)).is_err();
    }
    let mut at = 0;
    while let Err(wrong) = core::str::from_utf8(head.get(at..).unwrap_or_default()) {
        let from = at + wrong.valid_up_to();
        let length = wrong.error_len().unwrap_or(head.len() - from);
        head.get_mut(from..from + length)
            .unwrap_or_default()
            .fill(b'?');
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        index.repaired = index.repaired.saturating_add(length);
        at = from + usize::from(length);
    }
}
