//! What a body is: Content-Type and its kin come in as values, go out typed
//! (RFC 3261 §20.1, §20.11, §20.15; RFC 2045 §5.1).

use super::field::{BadField, Field, Why};
use super::out::Out;
use super::params::Params;
use super::scan::{Cursor, trim};
use crate::wire::Name;

/// A media type with its parameters.
#[derive(Clone, Copy, Debug, Eq)]
pub struct ContentType<'a> {
    pub kind: &'a str,
    pub subtype: &'a str,
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// `application/sdp`
    pub const SDP: Self = Self::new("application", "sdp");
    /// `message/sipfrag;version=2.0` (RFC 3420 §4)
    pub const SIPFRAG: Self = Self {
        params: Params::of(&[("version", Some("2.0"))]),
        ..Self::new("message", "sipfrag")
    };
    /// `application/pidf+xml` (RFC 3863)
    pub const PIDF: Self = Self::new("application", "pidf+xml");

    /// Returns the type without parameters.
    pub const fn new(kind: &'a str, subtype: &'a str) -> Self {
        Self {
            kind,
            subtype,
            params: Params::NONE,
        }
    }

    /// Returns whether this is `kind/subtype`, whatever its parameters; types are
    /// compared without case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Returns whether the body is in several parts.
    pub fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case("multipart")
    }
}

impl PartialEq for ContentType<'_> {
    fn eq(&self, other: &ContentType<'_>) -> bool {
        self.is(other.kind, other.subtype) && self.params == other.params
    }
}

impl<'a> Field<'a> for ContentType<'a> {
    const NAME: Name = Name::ContentType;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        media(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.token(self.kind).text("/").token(self.subtype);
        self.params.emit(out);
    }
}

/// One media type that is accepted, `*` for any (RFC 3261 §20.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accept<'a>(pub ContentType<'a>);

impl Accept<'_> {
    /// Returns whether `kind/subtype` is accepted by this element.
    pub fn takes(&self, kind: &str, subtype: &str) -> bool {
        let fits = |given: &str, wanted: &str| given == "*" || given.eq_ignore_ascii_case(wanted);
        fits(self.0.kind, kind) && fits(self.0.subtype, subtype)
    }
}

impl<'a> Field<'a> for Accept<'a> {
    const NAME: Name = Name::Accept;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        media(value).map(Self).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        self.0.emit(out);
    }
}

/// What names a body part: the text between the brackets (RFC 2045 §7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContentId<'a>(pub &'a str);

impl<'a> Field<'a> for ContentId<'a> {
    const NAME: Name = Name::ContentId;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        let inside = trim(value)
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'));
        match inside {
            Some(inside) if is_id(inside) => Ok(Self(inside)),
            _ => Err(Why::Value.of(Self::NAME)),
        }
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.text("<");
        out.text(if is_id(self.0) { self.0 } else { "invalid" })
            .text(">");
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
}

/// Reads `type/subtype` and parameters.
fn media(value: &str) -> Result<ContentType<'_>, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let kind = cursor.token()?;
    if !cursor.separator(b'/') {
        return Err(Why::Value);
    }
    let subtype = cursor.token()?;
    let params = Params::parse(&mut cursor)?;
    Ok(ContentType {
        kind,
        subtype,
        params,
    })
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    /// RFC 3261 §20.15, RFC 2045 §5.1
    #[test]
    fn a_media_type_has_parameters_and_is_compared_without_case() {
        let sdp = ContentType::parse("Application / SDP ; charset=\"ISO-8859-4\"").unwrap();
        assert!(sdp.is("application", "sdp") && !sdp.is_multipart());
        assert_eq!(sdp.params.get("charset"), Some("\"ISO-8859-4\""));
        assert!(
            ContentType::parse("multipart/mixed;boundary=a")
                .unwrap()
                .is_multipart()
        );
        assert_eq!(ContentType::parse("application/sdp"), Ok(ContentType::SDP));
        for value in [
            "",
            "text",
            "text/",
            "/sdp",
            "text/html/x",
            "a b/c",
            "text/html;",
        ] {
            assert!(ContentType::parse(value).is_err(), "{value}");
        }
    }

    /// RFC 3261 §20.1, §20.11
    #[test]
    fn what_is_accepted_may_be_any() {
        assert!(
            Accept::parse("application/*;q=0.5")
                .unwrap()
                .takes("Application", "sdp")
        );
        assert!(Accept::parse("*/*").unwrap().takes("text", "plain"));
        assert!(!Accept::parse("text/*").unwrap().takes("application", "sdp"));
    }

    /// RFC 2045 §7
    #[test]
    fn a_content_id_stands_in_brackets() {
        assert_eq!(ContentId::parse(" <a$b@c> "), Ok(ContentId("a$b@c")));
        for value in ["", "a@b", "<>", "<a b>", "<a><b>"] {
            assert!(ContentId::parse(value).is_err(), "{value}");
        }
        let mut bytes = Vec::new();
        ContentId("a>\r\nb").emit(&mut Out::new(&mut bytes));
        assert_eq!(bytes, b"<invalid>");
    }

    /// RFC 3420 §4, RFC 3863
    #[test]
    fn what_is_read_is_written() {
        let mut bytes = Vec::new();
        ContentType::SIPFRAG.emit(&mut Out::new(&mut bytes));
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "message/sipfrag;version=2.0");
        assert_eq!(ContentType::parse(&text), Ok(ContentType::SIPFRAG));
    }
}
