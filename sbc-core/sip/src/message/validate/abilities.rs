//! A valid request comes in, and what of it is beyond us goes out, with the status and
//! the header the answer needs (RFC 3261 §8.2.1, §8.2.2, §8.2.3, §16.3, §20.1, §21.5.2).

use super::super::content::ContentType;
use super::super::field::{Field, list};
use super::super::params::Params;
use super::super::scan::Cursor;
use super::super::{Method, Status};
use super::Request;
use crate::wire::{Frame, Name};

/// What one side of this node can do. The texts are compared without case, the methods
/// with.
#[derive(Clone, Copy, Debug)]
pub struct Abilities<'t> {
    /// Methods that may come in: what Allow says.
    pub methods: &'t [Method<'t>],
    /// Methods that we pass on when they come outside of a dialog, and so need a hop
    /// for (RFC 3261 §16.3); the others end here, whatever Max-Forwards says.
    pub passed_on: &'t [Method<'t>],
    /// Schemes of a Request-URI.
    pub schemes: &'t [&'t str],
    /// Option tags: what Supported says.
    pub extensions: &'t [&'t str],
    /// Media types of a body: what Accept says.
    pub bodies: &'t [ContentType<'t>],
}

/// Something valid that we cannot do. What it borrows, the answer lists.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Unable<'a, 't> {
    #[error("the method is unknown")]
    UnknownMethod { allow: &'t [Method<'t>] },
    #[error("the method is not allowed here")]
    Method { allow: &'t [Method<'t>] },
    #[error("the scheme of the request URI is unknown")]
    Scheme,
    #[error("Max-Forwards is used up")]
    Hops,
    #[error("an extension is required that is not supported")]
    Extension(Unsupported<'a, 't>),
    #[error("the type of the body is not supported")]
    Body { accept: &'t [ContentType<'t>] },
    #[error("the body is encoded")]
    Encoding,
    #[error("no description of a session would be accepted")]
    NotAcceptable,
}

impl Unable<'_, '_> {
    /// Returns the status that says so.
    pub const fn status(&self) -> Status {
        match self {
            Self::UnknownMethod { .. } => Status::NOT_IMPLEMENTED,
            Self::Method { .. } => Status::METHOD_NOT_ALLOWED,
            Self::Scheme => Status::UNSUPPORTED_URI_SCHEME,
            Self::Hops => Status::TOO_MANY_HOPS,
            Self::Extension(_) => Status::BAD_EXTENSION,
            Self::Body { .. } | Self::Encoding => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => Status::NOT_ACCEPTABLE,
        }
    }

    /// Returns the header the answer must have to be of use, if it must have one
    /// (RFC 3261 §8.2.1, §8.2.2.3, §8.2.3).
    pub const fn header(&self) -> Option<Name> {
        match self {
            Self::UnknownMethod { .. } | Self::Method { .. } => Some(Name::Allow),
            Self::Extension(_) => Some(Name::Unsupported),
            Self::Body { .. } => Some(Name::Accept),
            Self::Encoding => Some(Name::AcceptEncoding),
            Self::Scheme | Self::Hops | Self::NotAcceptable => None,
        }
    }
}

/// The option tags of a request that we do not support.
#[derive(Clone, Copy, Debug)]
pub struct Unsupported<'a, 't> {
    frame: &'a Frame,
    extensions: &'t [&'t str],
}

impl<'a, 't> Unsupported<'a, 't> {
    /// Returns the tags as the request has them, in its order: what Unsupported says.
    pub fn tags(self) -> impl Iterator<Item = &'a str> + use<'a, 't> {
        let tags = self.frame.all(Name::Require).flat_map(list);
        tags.filter(move |tag| !tag.is_empty() && !contains(self.extensions, tag))
    }
}

impl<'t> Abilities<'t> {
    /// Checks `request` in the order of RFC 3261 §8.2. An ACK passes always, as
    /// nothing can be answered to it; a CANCEL is spared Require (RFC 3261 §8.2.2.3).
    ///
    /// # Errors
    /// The first thing we are [`Unable`] to do.
    pub fn check<'a>(&self, request: &Request<'a>) -> Result<(), Unable<'a, 't>> {
        if request.method == Method::Ack {
            return Ok(());
        }
        if !self.methods.contains(&request.method) {
            let allow = self.methods;
            return Err(match request.method {
                Method::Other(_) => Unable::UnknownMethod { allow },
                _ => Unable::Method { allow },
            });
        }
        if !contains(self.schemes, request.uri.scheme()) {
            return Err(Unable::Scheme);
        }
        if self.lacks_hops(request) {
            return Err(Unable::Hops);
        }
        let unsupported = Unsupported {
            frame: request.frame,
            extensions: self.extensions,
        };
        if request.method != Method::Cancel && unsupported.tags().next().is_some() {
            return Err(Unable::Extension(unsupported));
        }
        self.check_body(request)?;
        if request.method == Method::Invite && !accepts(request, &ContentType::SDP) {
            return Err(Unable::NotAcceptable);
        }
        Ok(())
    }

    fn lacks_hops(&self, request: &Request<'_>) -> bool {
        let used_up = request.max_forwards.is_some_and(|hops| hops.0 == 0);
        used_up && request.to.tag().is_none() && self.passed_on.contains(&request.method)
    }

    /// RFC 3261 §8.2.3: a body may be left unread if its Content-Disposition says
    /// `handling=optional`.
    fn check_body(&self, request: &Request<'_>) -> Result<(), Unable<'static, 't>> {
        let frame = request.frame;
        if frame.body().is_empty() || is_optional(request) {
            return Ok(());
        }
        let mut encodings = frame.all(Name::ContentEncoding).flat_map(list);
        if encodings.any(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(Unable::Encoding);
        }
        let kind = frame.first(Name::ContentType).map(ContentType::parse);
        let known = |kind: ContentType<'_>| {
            self.bodies
                .iter()
                .any(|known| known.is(kind.kind, kind.subtype))
        };
        match kind {
            Some(Ok(kind)) if known(kind) => Ok(()),
            _ => Err(Unable::Body {
                accept: self.bodies,
            }),
        }
    }
}

fn contains(known: &[&str], text: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(text))
}

/// Whether the body's Content-Disposition says `handling=optional` (RFC 3261 §20.11).
fn is_optional(request: &Request<'_>) -> bool {
    let Some(value) = request.frame.first(Name::ContentDisposition) else {
        return false;
    };
    let mut cursor = Cursor::new(value);
    let kind = cursor.token();
    let handling = Params::parse(&mut cursor)
        .ok()
        .and_then(|params| params.get("handling"));
    kind.is_ok() && handling.is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
}

/// Whether an answer with a body of type `wanted` may be given: no Accept at all means
/// `application/sdp`, an empty one means nothing (RFC 3261 §20.1).
fn accepts(request: &Request<'_>, wanted: &ContentType<'_>) -> bool {
    let mut lines = request.frame.all(Name::Accept).peekable();
    if lines.peek().is_none() {
        return wanted.is("application", "sdp");
    }
    let mut ranges = lines
        .flat_map(list)
        .filter_map(|range| ContentType::parse(range).ok());
    ranges.any(|range| covers(&range, wanted) && !is_refused(&range))
}

/// Whether `range` is `*/*`, `type/*` or the type itself.
fn covers(range: &ContentType<'_>, wanted: &ContentType<'_>) -> bool {
    let any = |pattern: &str, text: &str| pattern == "*" || pattern.eq_ignore_ascii_case(text);
    any(range.kind, wanted.kind) && any(range.subtype, wanted.subtype)
}

/// Whether the quality of a range is zero.
fn is_refused(range: &ContentType<'_>) -> bool {
    let quality = range.params.get("q");
    quality.is_some_and(|quality| {
        quality.starts_with('0') && quality.bytes().all(|byte| matches!(byte, b'0' | b'.'))
    })
}
