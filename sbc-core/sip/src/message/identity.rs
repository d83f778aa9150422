//! Who really calls, and who may know: P-Asserted-Identity, Privacy, Identity
//! and Session-ID come in as values, go out typed (RFC 3325 §9, RFC 3323 §4.2,
//! RFC 8224 §4, RFC 7989 §5).

use super::address::address;
use super::chars::TOKEN;
use super::field::{BadField, Field, Why};
use super::name_addr::NameAddr;
use super::out::Out;
use super::params::{Param, param};
use super::scan::{Cursor, trim};
use super::tagged;
use super::uri::Uri;
use crate::wire::Name;

address! {
    /// Who a trusted element says is calling (RFC 3325 §9.1).
    PAssertedIdentity
}
address! {
    /// Who the caller wants to be known as (RFC 3325 §9.2).
    PPreferredIdentity
}
address! {
    /// Who calls, as some older peers say it, with `party`, `screen` and
    /// `privacy`. It has the standing of [`PPreferredIdentity`].
    RemotePartyId
}

/// What privacy the caller asks for (RFC 3323 §4.2; `id` RFC 3325 §9.3;
/// `history` RFC 7044 §6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Privacy(u8);

const PRIVACIES: [(&str, Privacy); 7] = [
    ("header", Privacy::HEADER),
    ("session", Privacy::SESSION),
    ("user", Privacy::USER),
    ("none", Privacy::NONE),
    ("critical", Privacy::CRITICAL),
    ("id", Privacy::ID),
    ("history", Privacy::HISTORY),
];

impl Privacy {
    /// Hide what the caller's own headers reveal.
    pub const HEADER: Self = Self(1);
    /// Hide where media comes from.
    pub const SESSION: Self = Self(1 << 1);
    /// Hide the caller's name and number.
    pub const USER: Self = Self(1 << 2);
    /// Hide nothing, whatever is the custom.
    pub const NONE: Self = Self(1 << 3);
    /// Rather refuse the call than reveal.
    pub const CRITICAL: Self = Self(1 << 4);
    /// Keep the asserted identity from those who are not trusted.
    pub const ID: Self = Self(1 << 5);
    /// Keep the forwarding history from those who are not trusted.
    pub const HISTORY: Self = Self(1 << 6);

    /// Returns whether all of `other` is asked for.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns both together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the words of what is asked for.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let asked = PRIVACIES.iter().filter(move |row| self.has(row.1));
        asked.map(|row| row.0)
    }

    /// Returns whether nothing known is asked for.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<'a> Field<'a> for Privacy {
    const NAME: Name = Name::Privacy;

    /// Values stand between semicolons; commas are seen too, and to overlook one
    /// would reveal a caller. For the same reason a word that is not known counts
    /// as `user`: something was to be hidden.
    fn parse(value: &'a str) -> Result<Self, BadField> {
        let mut all = Self::default();
        for word in value.split([';', ',']).map(trim) {
            if !TOKEN.fills(word) {
                return Err(Why::Token.of(Self::NAME));
            }
            let row = PRIVACIES
                .iter()
                .find(|row| row.0.eq_ignore_ascii_case(word));
            all = all.and(row.map_or(Self::USER, |row| row.1));
        }
        Ok(all)
    }

    fn emit(&self, out: &mut Out<'_>) {
        let mut mark = "";
        for word in self.words() {
            out.text(mark).text(word);
            mark = ";";
        }
    }
}

/// A signed statement of who calls (RFC 8224 §4). It crosses byte for byte or
/// not at all, so it can only be read, never made here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity<'a> {
    text: &'a str,
    signature: &'a str,
}

impl<'a> Identity<'a> {
    /// Returns the token, or the base64 between the quotes of the older form.
    pub const fn signature(&self) -> &'a str {
        self.signature
    }

    /// Returns the value of a parameter as written: `info` in its brackets,
    /// `alg`, `ppt`.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        let mut cursor = Cursor::new(self.text);
        signature(&mut cursor).ok()?;
        while cursor.separator(b';') {
            let (found, value) = identity_param(&mut cursor).ok()?;
            if found.eq_ignore_ascii_case(name) {
                return value;
            }
        }
        None
    }
}

impl<'a> Field<'a> for Identity<'a> {
    const NAME: Name = Name::Identity;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        identity(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.text(self.text);
    }
}

fn identity(value: &str) -> Result<Identity<'_>, Why> {
    let text = trim(value);
    let mut cursor = Cursor::new(text);
    let signature = signature(&mut cursor)?;
    while cursor.separator(b';') {
        identity_param(&mut cursor)?;
    }
    cursor.end()?;
    Ok(Identity { text, signature })
}

/// Passes `1*(base64-char / ".")`, in quotes or not. The short form of a token
/// has an empty middle.
fn signature<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Why> {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=._-".contains(&byte);
    let text = match cursor.peek() {
        Some(b'"') => cursor.quoted()?,
        _ => cursor.until(|byte| !base64(byte)),
    };
    match !text.is_empty() && text.bytes().all(base64) {
        true => Ok(text),
        false => Err(Why::Value),
    }
}

/// Passes one parameter, whose value may be a URI in brackets.
fn identity_param<'a>(cursor: &mut Cursor<'a>) -> Result<Param<'a>, Why> {
    let mut ahead = *cursor;
    let name = ahead.token()?;
    if !ahead.separator(b'=') || ahead.peek() != Some(b'<') {
        return param(cursor);
    }
    let start = ahead.at();
    let inside = ahead.until(|byte| byte == b'>');
    if !ahead.eat(b'>') {
        return Err(Why::Value);
    }
    Uri::parse(inside.trim_start_matches('<'))?;
    *cursor = ahead;
    Ok((name, Some(ahead.since(start))))
}

/// The two ends' names for one session (RFC 7989 §5): ours, and the other's once
/// it is known. Zero is the null value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionId {
    pub local: u128,
    pub remote: Option<u128>,
}

impl<'a> Field<'a> for SessionId {
    const NAME: Name = Name::SessionId;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let parse = || {
            let (local, params) = tagged::read(value)?;
            let remote = params.get("remote").map(uuid).transpose()?;
            Ok(Self {
                local: uuid(local)?,
                remote,
            })
        };
        parse().map_err(|why: Why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.display(format_args!("{:032x}", self.local));
        if let Some(remote) = self.remote {
            out.display(format_args!(";remote={remote:032x}"));
        }
    }
}

/// Reads 32 hexadecimal digits.
fn uuid(text: &str) -> Result<u128, Why> {
    let whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match whole {
        true => u128::from_str_radix(text, 16).map_err(|_| Why::Value),
        false => Err(Why::Value),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::super::field::each;
    use super::*;

    fn written<'a>(field: &impl Field<'a>) -> String {
        let mut bytes = Vec::new();
        field.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3325 §9.1, §9.2
    #[test]
    fn an_asserted_identity_may_be_two() {
        let line = "\"Cullen Jennings\" <sip:fluffy@cisco.com>, tel:+14085264000";
        let all: Vec<_> = each::<PAssertedIdentity<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            (all[0].0.uri.scheme(), all[1].0.uri.scheme()),
            ("sip", "tel")
        );
        assert!(PPreferredIdentity::parse("<sip:a@b>").is_ok());
        let party = RemotePartyId::parse("<sip:1@b>;party=calling;screen=yes;privacy=off").unwrap();
        assert_eq!(party.0.params.get("screen"), Some("yes"));
    }

    /// RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §6
    #[test]
    fn privacy_is_a_set() {
        let privacy = Privacy::parse("ID; user ;critical").unwrap();
        assert!(privacy.has(Privacy::ID.and(Privacy::USER)) && !privacy.has(Privacy::HEADER));
        assert_eq!(written(&privacy), "user;critical;id");
        assert_eq!(
            Privacy::parse("history,id"),
            Ok(Privacy::HISTORY.and(Privacy::ID))
        );
        assert_eq!(Privacy::parse("x-new"), Ok(Privacy::USER));
        assert!(Privacy::default().is_empty());
        assert!(Privacy::parse("").is_err() && Privacy::parse("id;;user").is_err());
    }

    /// RFC 8224 §4
    #[test]
    fn an_identity_crosses_byte_for_byte() {
        let value = "eyJhbGciOiJFUzI1NiJ9..sv7x-CG_7A ; info=<https://biloxi.example.org/biloxi.cer;x>;alg=ES256;ppt=\"shaken\"";
        let identity = Identity::parse(value).unwrap();
        assert_eq!(written(&identity), value);
        assert_eq!(identity.signature(), "eyJhbGciOiJFUzI1NiJ9..sv7x-CG_7A");
        assert_eq!(
            identity.param("INFO"),
            Some("<https://biloxi.example.org/biloxi.cer;x>")
        );
        assert_eq!(
            (identity.param("ppt"), identity.param("x")),
            (Some("\"shaken\""), None)
        );
        assert_eq!(
            Identity::parse("\"ZYNBbHC00VMZ+/==\"").unwrap().signature(),
            "ZYNBbHC00VMZ+/=="
        );
        for value in [
            "",
            ";info=<a:b>",
            "a b",
            "a;info=<>",
            "a;info=<x:y",
            "a;info=<a:b> c",
            "\"a b\"",
        ] {
            assert!(Identity::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 7989 §5
    #[test]
    fn a_session_id_is_two_uuids() {
        let value = "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000";
        let id = SessionId::parse(value).unwrap();
        assert_eq!(id.remote, Some(0));
        assert_eq!(written(&id), value);
        for value in [
            "",
            "ab30317f",
            "ab30317f1a784dc48ff824d0d3715d8g",
            "+b30317f1a784dc48ff824d0d3715d86",
        ] {
            assert!(SessionId::parse(value).is_err(), "{value}");
        }
    }
}
