//! One datagram in, its message out (RFC 3261 §7.5, §18.3).

#![expect(
    clippy::result_large_err,
    reason = "a box would be an allocation for each refusal"
)]

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::frame::Index;
use super::index::{Length, Reading, read};
use super::scan::Scan;
use super::start::is_token;
use super::{Fault, Frame, Malformed, PING, PONG, Received, limits};

/// Takes one datagram. Octets beyond Content-Length are dropped, and without
/// Content-Length the body ends with the datagram (RFC 3261 §18.3).
///
/// Nothing is copied, and nothing is allocated if `bytes` was split off a larger buffer.
/// A buffer of its own becomes a shared one here if there is a body, for which the bytes
/// crate makes one small allocation.
///
/// # Errors
/// [`Malformed`] for what is neither a message nor a keep-alive; it is never fatal.
pub fn datagram(mut bytes: BytesMut) -> Result<Received, Malformed> {
    match &*bytes {
        PING => return Ok(Received::Ping),
        PONG => return Ok(Received::Pong),
        silent
            if silent
                .iter()
                .all(|octet| matches!(octet, 0 | b'\r' | b'\n')) =>
        {
            return Ok(Received::Nothing);
        }
        _ => {}
    }
    while bytes.starts_with(b"\r\n") {
        bytes.advance(2);
    }
    if !bytes.first().is_some_and(|&octet| is_token(octet)) {
        return Err(Malformed {
            fatal: false,
            ..Malformed::unreadable(Fault::NotSip, 0)
        });
    }
    let end = Scan::default().end_of_head(&bytes);
    match end.filter(|&end| end <= limits::HEAD) {
        Some(end) => whole(bytes, end),
        None => Err(Malformed {
            fatal: false,
            ..cut(bytes)
        }),
    }
}

/// Reads a datagram whose head ends at `end`.
fn whole(mut head: BytesMut, end: usize) -> Result<Received, Malformed> {
    let present = head.len() - end;
    let mut body = match present {
        // Where there is nothing to share the buffer need not become a shared one.
        0 => BytesMut::new(),
        _ => head.split_off(end),
    };
    let reading = read(&mut head);
    let fault = reading.fault.or(match reading.length {
        Length::Known(announced) if announced > present as u64 => {
            Some((Fault::BodyTooShort { announced, present }, end))
        }
        _ if end + present > limits::MESSAGE => Some((
            Fault::MessageTooLong {
                octets: (end + present) as u64,
            },
            end,
        )),
        _ => None,
    });
    if let Some((fault, offset)) = fault {
        let frame = Some(frame(head, Bytes::new(), reading.index));
        return Err(Malformed {
            fault,
            offset,
            fatal: false,
            frame,
        });
    }
    if let Length::Known(announced) = reading.length {
        body.truncate(usize::try_from(announced).unwrap_or(present));
    }
    Ok(Received::Message(frame(head, body.freeze(), reading.index)))
}

/// Reads what there is of a head that does not end, or ends beyond the limit.
pub(super) fn cut(mut bytes: BytesMut) -> Malformed {
    let too_long = bytes.len() > limits::HEAD;
    let fault = if too_long {
        Fault::HeadTooLong
    } else {
        Fault::Unterminated
    };
    bytes.truncate(limits::HEAD);
    if too_long {
        let whole_lines = memchr::memrchr(b'\n', &bytes).map_or(0, |feed| feed + 1);
        bytes.truncate(whole_lines);
    }
    let offset = bytes.len();
    let Reading {
        index,
        fault: earlier,
        ..
    } = read(&mut bytes);
    let (fault, offset) = match earlier {
        // The size is what the peer must change first, whatever else is wrong.
        Some(earlier) if !too_long => earlier,
        _ => (fault, offset),
    };
    Malformed {
        fault,
        offset,
        fatal: true,
        frame: Some(frame(bytes, Bytes::new(), index)),
    }
}

/// Puts a frame together; `head` was read, so it is UTF-8.
pub(super) fn frame(head: BytesMut, body: Bytes, index: Index) -> Frame {
    let head = ByteString::try_from(head.freeze()).unwrap_or_default();
    Frame { head, body, index }
}
