//! What a dialog is made of: a request or a response comes in, the facts a
//! dialog needs of it go out, or why they make none (RFC 3261 §12.1).

use alloc::vec::Vec;

use crate::{
    message::{
        BadField, BadUri, Contact, Field, NameAddr, RecordRoute, Request, Response, Uri, Why, each,
    },
    wire::{Frame, Name},
};

/// Routes in a route set. Trunks have two or three proxies; Max-Forwards ends a
/// path of 70.
pub(super) const MOST_ROUTES: usize = 16;

/// Octets of all the text in one dialog: twice what the longest real route sets
/// need, so that a peer cannot fill the journal.
pub(super) const MOST_OCTETS: usize = 4_096;

/// What a request that makes a dialog says of it.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    pub call_id: &'a str,
    pub from: NameAddr<'a>,
    /// Without the tag that the response gives it.
    pub to: NameAddr<'a>,
    pub cseq: u32,
    /// The Request-URI of ours; the Contact of theirs.
    pub target: Uri<'a>,
    /// Whether the Request-URI is a `sips` URI (RFC 3261 §12.1.1, §12.1.2).
    pub secure: bool,
}

/// What a response to a request of ours says of its dialog.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub status: u16,
    /// The tag of its To; missing from peers older than RFC 3261.
    pub tag: Option<&'a str>,
    /// The Contact; where it is missing the target stays what it was.
    pub contact: Option<Uri<'a>>,
}

/// Why no dialog can be made or changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error("the target is not a SIP URI")]
    Scheme,
    #[error("the route set has more than {MOST_ROUTES} entries")]
    TooManyRoutes,
    #[error("the dialog holds {octets} octets, more than {MOST_OCTETS}")]
    TooLong { octets: usize },
    #[error("our own request has no From tag")]
    NoLocalTag,
    #[error("an address does not survive being written: {0}")]
    Address(#[from] Why),
    #[error("a URI does not survive being written: {0}")]
    Uri(#[from] BadUri),
}

impl<'a> Opening<'a> {
    /// Returns the facts of a received request; none if it has no Contact, which
    /// only requests that make no dialog may lack.
    pub fn received(request: &Request<'a>) -> Option<Self> {
        Some(Self {
            call_id: request.call_id.0,
            from: request.from.0,
            to: request.to.0,
            cseq: request.cseq.number,
            target: request.contact?.address()?.uri,
            secure: request.uri.sip().is_some_and(|uri| uri.secure),
        })
    }
}

impl<'a> Reply<'a> {
    /// Returns the facts of a received response. A Contact that cannot be read
    /// counts as missing.
    pub fn received(response: &Response<'a>) -> Self {
        let contacts = each::<Contact<'a>>(response.frame.all(Name::Contact));
        let first = contacts.flatten().next();
        Self {
            status: response.status.code(),
            tag: response.to.tag(),
            contact: first.and_then(|contact| Some(contact.address()?.uri)),
        }
    }

    /// Returns whether this is a 2xx.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// Returns the Record-Route URIs of a message as they stand, or the one that
/// cannot be read: a route set with a gap leads nowhere.
pub fn record_route(frame: &Frame) -> Result<Vec<Uri<'_>>, BadField> {
    let values = each::<RecordRoute<'_>>(frame.all(RecordRoute::NAME));
    // One more than a dialog takes, so that it can refuse.
    values
        .take(MOST_ROUTES + 1)
        .map(|route| Ok(route?.0.uri))
        .collect()
}

#[cfg(test)]
mod tests;
