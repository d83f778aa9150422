//! URIs: text comes in, a `sip`, `sips`, `tel` or other URI goes out, in parts
//! (RFC 3261 §19.1, §25.1; RFC 3966).

pub mod parts;
mod same;
pub mod sip;
pub mod tel;

pub use parts::{UriHeaders, UriParams};
pub use sip::SipUri;
pub use tel::TelUri;

use super::chars::{SCHEME, URIC};
use super::field::Why;
use super::out::Out;

/// A URI with its parts as slices of the text it was read from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Uri<'a> {
    Sip(SipUri<'a>),
    Tel(TelUri<'a>),
    /// Any other scheme, with what follows the colon.
    Other {
        scheme: &'a str,
        rest: &'a str,
    },
}

/// What is wrong with a URI.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadUri {
    #[error("a bare URI holds what only brackets may hold")]
    Bare,
    #[error("an angle bracket is missing")]
    Bracket,
    #[error("the headers after the question mark are malformed")]
    Headers,
    #[error("the host is no name, IPv4 address or bracketed IPv6 address")]
    Host,
    #[error("the telephone number is malformed")]
    Number,
    #[error("a parameter is malformed")]
    Param,
    #[error("the port is not between 0 and 65535")]
    Port,
    #[error("a parameter or header appears twice")]
    Repeated,
    #[error("the part after the scheme is malformed")]
    Rest,
    #[error("the scheme is missing or malformed")]
    Scheme,
    #[error("there are too many parameters or headers")]
    TooMany,
    #[error("the user part is malformed")]
    User,
}

impl<'a> Uri<'a> {
    /// Returns the URI that `text` is from its first byte to its last.
    pub fn parse(text: &'a str) -> Result<Self, BadUri> {
        let (scheme, rest) = text.split_once(':').ok_or(BadUri::Scheme)?;
        if !SCHEME.fills(scheme) || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(BadUri::Scheme);
        }
        match scheme {
            _ if scheme.eq_ignore_ascii_case("sip") => SipUri::parse(false, rest).map(Self::Sip),
            _ if scheme.eq_ignore_ascii_case("sips") => SipUri::parse(true, rest).map(Self::Sip),
            _ if scheme.eq_ignore_ascii_case("tel") => TelUri::parse(rest).map(Self::Tel),
            _ if !rest.is_empty() && URIC.fills_escaped(rest) => Ok(Self::Other { scheme, rest }),
            _ => Err(BadUri::Rest),
        }
    }

    /// Returns the `sip` or `sips` URI, if it is one.
    pub const fn sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Returns the URI without its headers, as a Request-URI has to be.
    pub const fn bare(self) -> Self {
        match self {
            Self::Sip(uri) => Self::Sip(SipUri {
                headers: UriHeaders::NONE,
                ..uri
            }),
            other => other,
        }
    }

    /// Returns the scheme: in lower case for those with a type of their own.
    pub const fn scheme(&self) -> &'a str {
        match self {
            Self::Sip(uri) if uri.secure => "sips",
            Self::Sip(_) => "sip",
            Self::Tel(_) => "tel",
            Self::Other { scheme, .. } => scheme,
        }
    }

    /// Returns the telephone number with its parameters: of a `tel` URI, or of a
    /// SIP URI with `user=phone` (RFC 3261 §19.1.6).
    pub fn telephone(&self) -> Option<TelUri<'a>> {
        match self {
            Self::Sip(uri) => uri.telephone(),
            Self::Tel(uri) => Some(*uri),
            Self::Other { .. } => None,
        }
    }

    /// Returns whether this is `urn:service:sos` or one of its services, such as
    /// `urn:service:sos.fire` (RFC 5031 §3, §4.1).
    pub fn is_emergency(&self) -> bool {
        let Self::Other { scheme, rest } = self else {
            return false;
        };
        const SOS: &str = "service:sos";
        let head = rest.get(..SOS.len()).unwrap_or_default();
        let tail = rest.get(SOS.len()..).unwrap_or_default();
        scheme.eq_ignore_ascii_case("urn")
            && head.eq_ignore_ascii_case(SOS)
            && (tail.is_empty() || tail.starts_with('.'))
    }

    /// Returns whether both name the same resource: RFC 3261 §19.1.4 for SIP,
    /// RFC 3966 §4 for telephone numbers, bytes for the rest.
    pub fn same_as(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Self::Sip(a), Uri::Sip(b)) => same::sip(a, b),
            (Self::Tel(a), Uri::Tel(b)) => same::tel(a, b),
            (Self::Other { scheme, rest }, Uri::Other { scheme: s, rest: r }) => {
                scheme.eq_ignore_ascii_case(s) && rest == r
            }
            _ => false,
        }
    }

    /// Writes the URI, without brackets.
    pub fn emit(&self, out: &mut Out<'_>) {
        match self {
            Self::Sip(uri) => uri.emit(out),
            Self::Tel(uri) => uri.emit(out),
            Self::Other { scheme, rest } => {
                out.class(scheme, SCHEME).text(":").escaped(rest, URIC);
            }
        }
    }
}

impl From<Why> for BadUri {
    fn from(why: Why) -> Self {
        match why {
            Why::Port => Self::Port,
            Why::Repeated => Self::Repeated,
            Why::TooMany { .. } => Self::TooMany,
            _ => Self::Host,
        }
    }
}

#[cfg(test)]
mod tests;
