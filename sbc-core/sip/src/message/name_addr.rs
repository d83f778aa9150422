//! Addresses with a display name: a value comes in, display name, URI and header
//! parameters go out (RFC 3261 §20.10, `name-addr` and `addr-spec` of §25.1).

use super::chars::TOKEN;
use super::field::Why;
use super::out::Out;
use super::params::Params;
use super::scan::{Cursor, trim};
use super::text::Text;
use super::uri::{BadUri, Uri};

/// An address, with the parameters of the header it stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NameAddr<'a> {
    /// What stands before the angle bracket.
    pub display: Option<Text<'a>>,
    pub uri: Uri<'a>,
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Returns an address with neither display name nor parameters.
    pub const fn new(uri: Uri<'a>) -> Self {
        Self {
            display: None,
            uri,
            params: Params::NONE,
        }
    }

    /// Returns this address with header parameters to write.
    pub const fn with(self, params: &'a [super::params::Param<'a>]) -> Self {
        Self {
            params: Params::of(params),
            ..self
        }
    }

    /// Returns the address `value` is.
    pub fn parse(value: &'a str) -> Result<Self, Why> {
        let (display, text, mut cursor) = split(value)?;
        let uri = Uri::parse(text)?;
        let params = Params::parse(&mut cursor)?;
        Ok(Self {
            display,
            uri,
            params,
        })
    }

    /// Writes the address, its URI in brackets.
    pub fn emit(&self, out: &mut Out<'_>) {
        if let Some(display) = self.display {
            display.emit_words(out);
            out.text(" ");
        }
        out.text("<");
        self.uri.emit(out);
        out.text(">");
        self.params.emit(out);
    }
}

/// Display name, text of the URI, and a cursor that stands behind it.
pub(super) type Split<'a> = (Option<Text<'a>>, &'a str, Cursor<'a>);

/// Splits an address without reading its URI.
pub(super) fn split(value: &str) -> Result<Split<'_>, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let display = display(&mut cursor)?;
    if cursor.eat(b'<') {
        let text = cursor.until(|byte| byte == b'>');
        return match cursor.eat(b'>') {
            true => Ok((display, text, cursor)),
            false => Err(Why::Uri(BadUri::Bracket)),
        };
    }
    // Words that no bracket follows were the start of a bare URI.
    if display.is_some_and(|display| display.is_quoted()) {
        return Err(Why::Uri(BadUri::Bracket));
    }
    let mut cursor = Cursor::new(value);
    cursor.space();
    Ok((None, bare(&mut cursor)?, cursor))
}

/// Passes a URI without brackets. It ends at a semicolon, which starts the
/// header's parameters; a comma or question mark needs brackets (RFC 3261 §20).
fn bare<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Why> {
    let text = cursor.until(|byte| matches!(byte, b';' | b',' | b'?' | b' ' | b'\t' | b'<'));
    match cursor.peek() {
        Some(b',' | b'?') => Err(Why::Uri(BadUri::Bare)),
        Some(b'<') => Err(Why::Display),
        _ => Ok(text),
    }
}

fn display<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Text<'a>>, Why> {
    if cursor.peek() == Some(b'"') {
        let inside = cursor.quoted()?;
        cursor.space();
        return Ok(Some(Text::inside(inside)));
    }
    let start = cursor.at();
    // The grammar has tokens only; names in other alphabets are seen bare too.
    while !cursor
        .until(|byte| !TOKEN.has(byte) && byte.is_ascii())
        .is_empty()
    {
        cursor.space();
    }
    let words = trim(cursor.since(start));
    Ok((!words.is_empty()).then_some(Text::of(words)))
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn parse(value: &str) -> NameAddr<'_> {
        NameAddr::parse(value).unwrap_or_else(|why| panic!("{value}: {why}"))
    }

    fn written(address: &NameAddr<'_>) -> String {
        let mut bytes = Vec::new();
        address.emit(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    fn name(address: &NameAddr<'_>) -> Option<String> {
        address.display.map(|display| display.chars().collect())
    }

    /// RFC 3261 §20.10
    #[test]
    fn parameters_after_a_bare_uri_belong_to_the_header() {
        let bare = parse(" sip:alice@a.com ; tag=1");
        assert_eq!(bare.params.get("tag"), Some("1"));
        assert!(bare.uri.sip().unwrap().params.is_empty());
        let inside = parse("<sip:alice@a.com;tag=1>");
        assert!(inside.params.is_empty());
        assert_eq!(inside.uri.sip().unwrap().params.get("tag"), Some("1"));
    }

    /// RFC 3261 §20: what only brackets may hold. RFC 4475 §3.1.2.13 (regbadct).
    #[test]
    fn a_bare_uri_holds_no_comma_question_mark_or_parameter() {
        for value in [
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "sip:a,b@example.com",
        ] {
            assert_eq!(
                NameAddr::parse(value),
                Err(Why::Uri(BadUri::Bare)),
                "{value}"
            );
        }
        assert!(NameAddr::parse("sip:user;par=u%40example.net@example.com").is_err());
    }

    /// RFC 4475 §3.1.1.6 (lwsdisp), §3.1.1.1 (wsinv)
    #[test]
    fn display_names_are_words_or_quoted() {
        for (value, wanted) in [
            ("caller<sip:a@b>", Some("caller")),
            ("J  Rosenberg <sip:a@b>", Some("J  Rosenberg")),
            (
                r#""J Rosenberg \\\"" <sip:a@b> ; tag = 9"#,
                Some(r#"J Rosenberg \""#),
            ),
            (
                r#""Quoted string \"\""<sip:a@b>"#,
                Some(r#"Quoted string """#),
            ),
            ("Jürgen Groß <sip:a@b>", Some("Jürgen Groß")),
            ("\"\" <sip:a@b>", Some("")),
            ("<sip:a@b>", None),
            ("sip:a@b", None),
        ] {
            assert_eq!(name(&parse(value)).as_deref(), wanted, "{value}");
        }
    }

    /// RFC 4475 §3.1.2.6 (quotbal), §3.1.2.14 (badaspec), §3.1.2.15 (baddn)
    #[test]
    fn broken_addresses_are_refused() {
        for value in [
            "",
            "Bob",
            "Bob sip:bob@x",
            "\"Bob\" sip:bob@x",
            "\"Mr. J. User <sip:j.user@example.com>",
            "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
            "\"Watson, Thomas\" < sip:t.watson@example.org >",
            "<sip:a@b",
            "sip:a@b>",
            "<sip:a@b>>",
            "<sip:a@b> x",
            "<<sip:a@b>>",
            "\"a\" b <sip:a@b>",
            "a \"b\" <sip:a@b>",
            "a(b) <sip:a@b>",
            "<sip:a@b>;",
            "sip:a@b x",
        ] {
            assert!(NameAddr::parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_read_is_written_and_read_again() {
        for (value, wanted) in [
            ("Bob  B <sip:b@x> ; tag = 1", "\"Bob  B\" <sip:b@x>;tag=1"),
            ("Bob B<sip:b@x>", "Bob B <sip:b@x>"),
            (
                "\"a \\\" b\"<sip:b@x;lr>;x=\"y\"",
                "\"a \\\" b\" <sip:b@x;lr>;x=\"y\"",
            ),
            ("tel:+1-2;tag=3", "<tel:+1-2>;tag=3"),
            ("Jürgen <sip:b@x>", "\"Jürgen\" <sip:b@x>"),
        ] {
            assert_eq!(written(&parse(value)), wanted);
            assert_eq!(parse(wanted), parse(value));
        }
    }

    #[test]
    fn a_display_name_made_by_hand_is_quoted_when_it_must_be() {
        let mut address = parse("<sip:a@b>");
        for (text, wanted) in [
            ("Anonymous", "Anonymous <sip:a@b>"),
            ("\"<sip:evil@x>", "\"\\\"<sip:evil@x>\" <sip:a@b>"),
            ("a\r\nb", "\"a  b\" <sip:a@b>"),
            ("", "\"\" <sip:a@b>"),
        ] {
            address.display = Some(Text::of(text));
            assert_eq!(written(&address), wanted);
        }
    }
}
