//! Telephone numbers: what follows `tel:`, or the user part of a `user=phone`
//! URI, comes in; the number and its parameters go out (RFC 3966 §3, RFC 4694).

use super::super::chars::{HEX, PARAM, PHONE};
use super::super::out::Out;
use super::BadUri;
use super::parts::{Unescaped, UriParams};

/// A telephone number with its parameters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TelUri<'a> {
    /// As written: with the plus sign if global, with visual separators.
    pub number: &'a str,
    pub params: UriParams<'a>,
}

impl<'a> TelUri<'a> {
    pub(super) fn parse(rest: &'a str) -> Result<Self, BadUri> {
        let uri = Self::split(rest)?;
        // RFC 3966 §5.1.5: a local number says where it is valid.
        let placed = uri.is_global() || uri.context().is_some();
        if placed { Ok(uri) } else { Err(BadUri::Number) }
    }

    /// Returns the number a user part is (RFC 3261 §19.1.6).
    pub(super) fn parse_user(user: &'a str) -> Result<Self, BadUri> {
        Self::split(user)
    }

    fn split(text: &'a str) -> Result<Self, BadUri> {
        let end = text.find(';').unwrap_or(text.len());
        let (number, params) = text.split_at_checked(end).unwrap_or((text, ""));
        let uri = Self {
            number,
            params: UriParams::parse(params)?,
        };
        if !is_number(number) || !uri.context().is_none_or(is_context) {
            return Err(BadUri::Number);
        }
        Ok(uri)
    }

    /// Returns whether the number is valid everywhere (starts with `+`).
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// Returns the number without visual separators and escapes: `+`, digits,
    /// and for local numbers also `*`, `#` and the letters A to F in upper case.
    pub fn digits(&self) -> impl Iterator<Item = char> + 'a {
        digits(self.number)
    }

    /// Returns where a local number is valid: a domain, or a global prefix.
    pub fn context(&self) -> Option<&'a str> {
        self.params.get("phone-context")
    }

    /// Returns the extension, escaped as written.
    pub fn extension(&self) -> Option<&'a str> {
        self.params.get("ext")
    }

    /// Returns the ISDN subaddress, escaped as written.
    pub fn subaddress(&self) -> Option<&'a str> {
        self.params.get("isub")
    }

    /// Returns the routing number the number was ported to (RFC 4694 §4).
    pub fn routing_number(&self) -> Option<&'a str> {
        self.params.get("rn")
    }

    /// Returns whether the porting database has been asked (RFC 4694 §4).
    pub fn is_ported_checked(&self) -> bool {
        self.params.has("npdi")
    }

    pub(super) fn emit(&self, out: &mut Out<'_>) {
        out.text("tel:");
        self.emit_user(out);
    }

    /// Writes number and parameters, as they stand in a user part.
    pub fn emit_user(&self, out: &mut Out<'_>) {
        let (plus, rest) = match self.number.strip_prefix('+') {
            Some(rest) => ("+", rest),
            None => ("", self.number),
        };
        out.text(plus).escaped(rest, PHONE);
        self.params.emit(out);
    }
}

/// Returns `number` without visual separators and escapes.
pub(super) fn digits(number: &str) -> impl Iterator<Item = char> + '_ {
    Unescaped::new(number)
        .filter(|byte| !matches!(byte, b'-' | b'.' | b'(' | b')'))
        .map(|byte| char::from(byte.to_ascii_uppercase()))
}

fn is_number(text: &str) -> bool {
    let (global, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let allowed = |byte: u8| match global {
        true => byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'(' | b')'),
        false => PHONE.has(byte),
    };
    let dialled = |byte: u8| HEX.has(byte) || matches!(byte, b'*' | b'#');
    PHONE.fills_escaped(rest)
        && Unescaped::new(rest).all(allowed)
        && Unescaped::new(rest).any(dialled)
}

/// Returns whether `context` is a domain name or a global prefix.
fn is_context(context: &str) -> bool {
    match context.strip_prefix('+') {
        Some(_) => is_number(context),
        None => PARAM.fills_escaped(context),
    }
}
