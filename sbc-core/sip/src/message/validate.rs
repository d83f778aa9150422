//! A frame comes in, a message whose essentials make sense goes out, or the fault
//! and the status it deserves (RFC 3261 §8.1.1, §8.1.3.3, §8.2, §16.3, §20).
//!
//! Only what every element must be able to rely on is read here. Whether we can do
//! what a valid request asks is the question of [`abilities`].

pub mod abilities;
#[cfg(test)]
mod tests;

use super::content::ContentType;
use super::field::{BadField, Field, each};
use super::uri::BadUri;
use super::{
    CSeq, CallId, Contact, From, MAGIC_COOKIE, MaxForwards, Method, RecordRoute, Route, Status, To,
    Uri, Via,
};
use crate::wire::{Frame, Name, StartLine};

/// A request whose essentials were read. A copy is a handful of slices.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the views below are slices of.
    pub frame: &'a Frame,
    pub method: Method<'a>,
    pub uri: Uri<'a>,
    /// The topmost Via.
    pub via: Via<'a>,
    pub from: From<'a>,
    pub to: To<'a>,
    pub call_id: CallId<'a>,
    pub cseq: CSeq<'a>,
    /// Absent in requests of RFC 2543 elements (RFC 3261 §16.3).
    pub max_forwards: Option<MaxForwards>,
    /// The first Contact. A request that [`Request::opens_dialog`] has exactly one,
    /// unless it [`Request::is_old`].
    pub contact: Option<Contact<'a>>,
}

/// A response whose essentials were read.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// What the views below are slices of.
    pub frame: &'a Frame,
    pub status: Status,
    pub reason: &'a str,
    /// The only Via.
    pub via: Via<'a>,
    pub from: From<'a>,
    pub to: To<'a>,
    pub call_id: CallId<'a>,
    pub cseq: CSeq<'a>,
}

/// Why a message is not processed, in one sentence. A response is dropped; a request
/// is answered with [`Fault::status`] if [`Frame::is_answerable`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Bad(#[from] BadField),
    #[error("the branch of the top Via is the magic cookie alone")]
    Branch,
    #[error("Contact is not a SIP URI where the remote target is wanted")]
    ContactScheme,
    #[error("{} is missing", .0.canonical())]
    Missing(Name),
    #[error("the method of CSeq is not that of the request line")]
    MethodMismatch,
    #[error("{} holds octets that are not UTF-8", .0.canonical())]
    NotUtf8(Name),
    #[error("{} occurs more than once", .0.canonical())]
    Repeated(Name),
    #[error("Contact is * outside of REGISTER, or not alone")]
    Star,
    #[error("the message is a response where a request was wanted, or the reverse")]
    OtherKind,
    #[error("the request URI is wrong: {0}")]
    Uri(BadUri),
    #[error("the request URI has headers")]
    UriHeaders,
}

impl Fault {
    /// Returns the status a request with this fault is answered with (RFC 3261 §21.4.1).
    pub const fn status(self) -> Status {
        Status::BAD_REQUEST
    }
}

/// Headers that are no list and that we act on: twice they could say two things
/// (RFC 3261 §7.3.1). Others that repeat do no harm, and cost nobody a call.
const SINGLE: &[Name] = &[
    Name::CSeq,
    Name::CallId,
    Name::ContentDisposition,
    Name::ContentType,
    Name::Event,
    Name::Expires,
    Name::From,
    Name::MaxForwards,
    Name::MinSe,
    Name::RAck,
    Name::RSeq,
    Name::ReferTo,
    Name::Replaces,
    Name::SessionExpires,
    Name::SubscriptionState,
    Name::To,
];

/// What single methods cannot be understood without: RFC 3262 §7.1, RFC 3515 §2.4.2,
/// RFC 6665 §8.2.1, §8.2.3.
const NEEDED: &[(Method<'static>, Name)] = &[
    (Method::Prack, Name::RAck),
    (Method::Refer, Name::ReferTo),
    (Method::Subscribe, Name::Event),
    (Method::Notify, Name::Event),
    (Method::Notify, Name::SubscriptionState),
];

impl<'a> Request<'a> {
    /// Returns the request `frame` is.
    ///
    /// # Errors
    /// The first [`Fault`], in the order of the request line, Via, the addresses,
    /// Call-ID and CSeq, the rest.
    pub fn read(frame: &'a Frame) -> Result<Self, Fault> {
        let StartLine::Request { method, uri } = frame.start() else {
            return Err(Fault::OtherKind);
        };
        let method = Method::parse(method).map_err(|why| why.of(Name::CSeq))?;
        let uri = request_uri(uri)?;
        repeated(frame)?;
        let basics = Basics::read(frame)?;
        if basics.cseq.method != method {
            return Err(Fault::MethodMismatch);
        }
        let request = Self {
            frame,
            method,
            uri,
            via: basics.via,
            from: basics.from,
            to: basics.to,
            call_id: basics.call_id,
            cseq: basics.cseq,
            max_forwards: frame
                .first(Name::MaxForwards)
                .map(MaxForwards::parse)
                .transpose()?,
            contact: frame
                .all(Name::Contact)
                .flat_map(super::list)
                .next()
                .map(Contact::parse)
                .transpose()?,
        };
        request.check_contacts()?;
        request.check_rest()?;
        Ok(request)
    }

    /// Whether the request comes from an RFC 2543 element: its branch, if it has one,
    /// says nothing (RFC 3261 §8.1.1.7, §17.2.3).
    pub fn is_old(&self) -> bool {
        !self.via.has_cookie()
    }

    /// Whether a dialog can come out of the request (RFC 3261 §12.1; RFC 3515 §2.4.4;
    /// RFC 6665 §4.4.1).
    pub fn opens_dialog(&self) -> bool {
        let can = matches!(
            self.method,
            Method::Invite | Method::Refer | Method::Subscribe
        );
        can && self.to.tag().is_none()
    }

    /// Whether a Contact of the request says where to send from then on (RFC 3261 §12.2;
    /// RFC 3311 §5.1; RFC 6665 §4.4.1).
    const fn sets_target(&self) -> bool {
        matches!(
            self.method,
            Method::Invite | Method::Notify | Method::Refer | Method::Subscribe | Method::Update
        )
    }

    /// RFC 3261 §8.1.1.8: exactly one Contact, a SIP or SIPS URI, where a dialog can
    /// come out of it. Within a dialog it may be left out (RFC 3261 §12.2.1.1).
    fn check_contacts(&self) -> Result<(), Fault> {
        let mut count = 0;
        let mut star = false;
        for contact in each::<Contact<'_>>(self.frame.all(Name::Contact)) {
            count += 1;
            match contact? {
                Contact::Star if self.method != Method::Register => return Err(Fault::Star),
                Contact::Address(address) if self.sets_target() && address.uri.sip().is_none() => {
                    return Err(Fault::ContactScheme);
                }
                Contact::Star => star = true,
                Contact::Address(_) => {}
            }
        }
        match count {
            2.. if star => Err(Fault::Star),
            0 if self.opens_dialog() && !self.is_old() => Err(Fault::Missing(Name::Contact)),
            2.. if self.sets_target() => Err(Fault::Repeated(Name::Contact)),
            _ => Ok(()),
        }
    }

    /// Checks what is needed besides the basics: RFC 3261 §12.1.1, §20.15, §20.34.
    fn check_rest(&self) -> Result<(), Fault> {
        for route in each::<RecordRoute<'_>>(self.frame.all(Name::RecordRoute)) {
            route?;
        }
        for route in each::<Route<'_>>(self.frame.all(Name::Route)) {
            route?;
        }
        let needed = NEEDED.iter().filter(|(method, _)| *method == self.method);
        for &(_, name) in needed {
            self.frame.first(name).ok_or(Fault::Missing(name))?;
        }
        match self.frame.first(Name::ContentType) {
            Some(value) => drop(ContentType::parse(value)?),
            None if self.frame.body().is_empty() => {}
            None => return Err(Fault::Missing(Name::ContentType)),
        }
        Ok(())
    }
}

impl<'a> Response<'a> {
    /// Returns the response `frame` is.
    ///
    /// # Errors
    /// The first [`Fault`]. We forward no response, so one with a second Via was not
    /// meant for us (RFC 3261 §8.1.3.3).
    pub fn read(frame: &'a Frame) -> Result<Self, Fault> {
        let StartLine::Response { code, reason } = frame.start() else {
            return Err(Fault::OtherKind);
        };
        repeated(frame)?;
        let basics = Basics::read(frame)?;
        if frame.all(Name::Via).flat_map(super::list).nth(1).is_some() {
            return Err(Fault::Repeated(Name::Via));
        }
        Ok(Self {
            frame,
            status: Status::new(code).ok_or(Fault::OtherKind)?,
            reason,
            via: basics.via,
            from: basics.from,
            to: basics.to,
            call_id: basics.call_id,
            cseq: basics.cseq,
        })
    }
}

/// What requests and responses have in common (RFC 3261 §8.1.1, §8.2.6.2).
struct Basics<'a> {
    via: Via<'a>,
    from: From<'a>,
    to: To<'a>,
    call_id: CallId<'a>,
    cseq: CSeq<'a>,
}

impl<'a> Basics<'a> {
    fn read(frame: &'a Frame) -> Result<Self, Fault> {
        // In these a `?` in place of an octet could make two different values equal.
        for name in [Name::Via, Name::CallId, Name::CSeq] {
            if frame.is_repaired(name) {
                return Err(Fault::NotUtf8(name));
            }
        }
        let lines = frame.first(Name::Via).ok_or(Fault::Missing(Name::Via))?;
        let via = Via::parse(super::list(lines).next().unwrap_or_default())?;
        if via
            .branch()
            .is_some_and(|branch| branch.eq_ignore_ascii_case(MAGIC_COOKIE))
        {
            return Err(Fault::Branch);
        }
        Ok(Self {
            via,
            from: only(frame)?,
            to: only(frame)?,
            call_id: only(frame)?,
            cseq: only(frame)?,
        })
    }
}

/// Returns a header that must be there; that it is there once was seen before.
fn only<'a, F: Field<'a>>(frame: &'a Frame) -> Result<F, Fault> {
    let value = frame.first(F::NAME).ok_or(Fault::Missing(F::NAME))?;
    Ok(F::parse(value)?)
}

/// Returns the Request-URI, which must not have headers (RFC 3261 §19.1.1).
fn request_uri(text: &str) -> Result<Uri<'_>, Fault> {
    let uri = Uri::parse(text).map_err(Fault::Uri)?;
    match uri.sip() {
        Some(sip) if sip.headers.iter().next().is_some() => Err(Fault::UriHeaders),
        _ => Ok(uri),
    }
}

/// Finds a header of [`SINGLE`] that occurs twice, in one pass.
fn repeated(frame: &Frame) -> Result<(), Fault> {
    let mut seen = 0_u128;
    for (name, ..) in frame.lines() {
        let bit = bit(name) & SINGLE_BITS;
        if seen & bit != 0 {
            return Err(Fault::Repeated(name));
        }
        seen |= bit;
    }
    Ok(())
}

/// The set of [`SINGLE`], a bit for each name.
const SINGLE_BITS: u128 = {
    let mut rest = SINGLE;
    let mut bits = 0;
    while let [name, tail @ ..] = rest {
        bits |= bit(*name);
        rest = tail;
    }
    bits
};

const _: () = assert!((Name::Other as u32) < u128::BITS);

const fn bit(name: Name) -> u128 {
    1 << name as u32
}
