//! The messages a transaction makes itself: answers, the ACK for a failure, and
//! CANCEL (RFC 3261 §8.2.6, §17.1.1.3, §9.1; RFC 3581 §4).

use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::{Bytes, BytesMut};

use super::destination::Source;
use crate::message::{
    CSeq, Echo, Field, MaxForwards, Method, Params, Reason, RetryAfter, Route, Status, To, Uri,
    Via, Writer, each, list,
};
use crate::wire::{self, Frame, Name, Received, StartLine};

/// How many hops an ACK or CANCEL may travel (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: MaxForwards = MaxForwards(70);

/// The length of most answers and requests made here: they have no body.
const USUAL: usize = 512;

/// Starts a response in `bytes` with the headers RFC 3261 §8.2.6.2 wants from
/// the request in `frame`: all Vias, From, To with `tag` if it has none,
/// Call-ID, CSeq. The top Via says where the request came from (§18.2.1;
/// RFC 3581 §4). The frame may be one that is no valid request, as long as it
/// is answerable.
pub fn response<'b>(
    bytes: &'b mut Vec<u8>,
    frame: &Frame,
    source: &Source,
    status: Status,
    tag: Option<&str>,
) -> Writer<'b> {
    let mut writer = Writer::response(bytes, status, None);
    let mut vias = frame.all(Name::Via).flat_map(list);
    if let Some(top) = vias.next() {
        match Via::parse(top) {
            Ok(via) => write_stamped(&mut writer, &via, source),
            Err(_) => drop(writer.raw_echo(Name::Via, Echo::of(top))),
        }
    }
    for via in vias {
        writer.raw_echo(Name::Via, Echo::of(via));
    }
    for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
        let Some(value) = frame.first(name) else {
            continue;
        };
        let echo = Echo::of(value);
        let echo = match tag {
            Some(tag) if name == Name::To && lacks_tag(value) => echo.with_tag(tag),
            _ => echo,
        };
        writer.raw_echo(name, echo);
    }
    writer
}

/// A To that cannot be read is returned as it is.
fn lacks_tag(to: &str) -> bool {
    To::parse(to).is_ok_and(|to| to.tag().is_none())
}

/// Returns a whole answer without a body, with Retry-After if there is one.
/// It is also the answer to what never becomes a transaction: bytes that are
/// no valid request.
pub fn answer(
    frame: &Frame,
    source: &Source,
    status: Status,
    tag: Option<&str>,
    retry_after: Option<RetryAfter>,
) -> Bytes {
    let mut bytes = Vec::with_capacity(USUAL);
    let mut writer = response(&mut bytes, frame, source, status, tag);
    if let Some(timestamp) = frame.first(Name::Timestamp)
        && status == Status::TRYING
    {
        // RFC 3261 §8.2.6.1
        writer.raw_echo(Name::Timestamp, Echo::of(timestamp));
    }
    writer.maybe(retry_after.as_ref());
    writer.finish(None);
    Bytes::from(bytes)
}

fn write_stamped(writer: &mut Writer<'_>, via: &Via<'_>, source: &Source) {
    let remote = source.from.remote;
    let mut received = heapless::String::<48>::new();
    let mut port = heapless::String::<8>::new();
    // Both have room for the longest address and port.
    let _ = write!(received, "{}", remote.ip());
    let _ = write!(port, "{}", remote.port());
    let asks = via.params.has("rport");
    let stamps = asks || via.host.ip() != Some(remote.ip());

    let mut params = Vec::with_capacity(8);
    for (name, value) in via.params.iter() {
        if name.eq_ignore_ascii_case("rport") {
            params.push((name, Some(port.as_str())));
        } else if !name.eq_ignore_ascii_case("received") {
            params.push((name, value));
        }
    }
    if stamps {
        params.push(("received", Some(received.as_str())));
    }
    let params = Params::of(&params);
    writer.field(&Via { params, ..*via });
}

/// Returns the ACK for a 300-699 whose To is `to`, made from the INVITE of ours
/// in `invite` (RFC 3261 §17.1.1.3); nothing if that is not a request.
pub(super) fn ack(invite: &Bytes, to: &str) -> Option<Bytes> {
    follow_up(invite, Method::Ack, Some(to), None)
}

/// Returns the CANCEL for the INVITE of ours in `invite` (RFC 3261 §9.1), with
/// a reason if there is one (RFC 3326 §1); nothing if that is not a request.
pub(super) fn cancel(invite: &Bytes, reason: Option<&Reason<'_>>) -> Option<Bytes> {
    follow_up(invite, Method::Cancel, None, reason)
}

/// Both take Request-URI, top Via, Route, From, Call-ID and the number of the
/// CSeq from the INVITE.
fn follow_up(
    invite: &Bytes,
    method: Method<'_>,
    to: Option<&str>,
    reason: Option<&Reason<'_>>,
) -> Option<Bytes> {
    let Ok(Received::Message(frame)) = wire::datagram(BytesMut::from(&invite[..])) else {
        return None;
    };
    let StartLine::Request { uri, .. } = frame.start() else {
        return None;
    };
    let uri = Uri::parse(uri).ok()?;
    let via = Via::parse(list(frame.first(Name::Via)?).next()?).ok()?;
    let cseq = CSeq::parse(frame.first(Name::CSeq)?).ok()?;

    let mut bytes = Vec::with_capacity(USUAL);
    let mut writer = Writer::request(&mut bytes, method, &uri);
    writer.field(&via).field(&MAX_FORWARDS);
    for route in each::<Route<'_>>(frame.all(Name::Route)).flatten() {
        writer.field(&route);
    }
    writer
        .raw_echo(Name::From, Echo::of(frame.first(Name::From)?))
        .raw_echo(Name::To, Echo::of(to.or(frame.first(Name::To))?))
        .raw_echo(Name::CallId, Echo::of(frame.first(Name::CallId)?))
        .field(&CSeq {
            number: cseq.number,
            method,
        })
        .maybe(reason);
    writer.finish(None);
    Some(Bytes::from(bytes))
}

#[cfg(test)]
mod tests;
