//! Valid requests come in, what the matching rules compare goes out: RFC 3261 §17.2.3.

use super::destination::{Destination, Source};
use super::key::Parts;
use crate::message::validate::Request;
use crate::wire::{Name, StartLine};

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    pub request: &'a Request<'a>,
    pub source: Source,
}

impl<'a> Arrived<'a> {
    /// Returns the parts the matching rules compare.
    pub fn parts(&self) -> Parts<'a> {
        let Request {
            frame,
            method,
            via,
            from,
            to,
            call_id,
            cseq,
            ..
        } = self.request;
        let uri = match frame.start() {
            StartLine::Request { uri, .. } => uri,
            StartLine::Response { .. } => "",
        };
        Parts {
            method: *method,
            uri,
            via: frame.first(Name::Via).unwrap_or_default(),
            branch: via.branch(),
            sent_by: (via.host, via.port),
            from_tag: from.tag(),
            to_tag: to.tag(),
            call_id: call_id.0,
            cseq: cseq.number,
        }
    }

    /// Returns where the response goes (RFC 3261 §18.2.2).
    pub fn answer_to(&self) -> Destination {
        let via = &self.request.via;
        self.source.answer(via.port, via.wants_rport())
    }
}
