//! Header parameters: `;name=value` text comes in, a checked view goes out
//! (RFC 3261 §7.3.1, `generic-param` of §25.1).

use super::field::Why;
use super::out::{Out, quoted_inside};
use super::scan::Cursor;

/// The most parameters a header value or a URI may have. The longest seen on a
/// living trunk is 14; the bound keeps the search for repeats small.
pub const PARAMS: usize = 64;

/// One parameter: its name, and its value as written (quotes and all).
pub type Param<'a> = (&'a str, Option<&'a str>);

/// The parameters of a header value.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct Params<'a>(Source<'a>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source<'a> {
    /// Checked text, from its first semicolon on.
    Text(&'a str),
    List(&'a [Param<'a>]),
}

impl Default for Source<'_> {
    fn default() -> Self {
        Self::Text("")
    }
}

impl<'a> Params<'a> {
    /// No parameters.
    pub const NONE: Self = Self(Source::Text(""));

    /// Returns parameters to write. Values that are no token, host or quoted
    /// string are quoted on their way out.
    pub const fn of(list: &'a [Param<'a>]) -> Self {
        Self(Source::List(list))
    }

    /// Passes `*( SEMI generic-param )` up to the end of the value.
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, Why> {
        let params = Self::pass(cursor)?;
        cursor.end()?;
        Ok(params)
    }

    /// Passes parameters up to what is none.
    pub(super) fn pass(cursor: &mut Cursor<'a>) -> Result<Self, Why> {
        cursor.space();
        let start = cursor.at();
        let mut end = start;
        let mut seen = Seen::default();
        while cursor.separator(b';') {
            let (name, _) = param(cursor)?;
            seen.add(name)?;
            end = cursor.at();
        }
        let text = cursor.since(start).get(..end - start);
        Ok(Self(Source::Text(text.unwrap_or_default())))
    }

    /// Returns the parameters in order.
    pub fn iter(&self) -> Iter<'a> {
        Iter(match self.0 {
            Source::Text(text) => Walk::Text(Cursor::new(text)),
            Source::List(list) => Walk::List(list.iter()),
        })
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns whether `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns the value of `name` as written; names are compared without case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name)?.1
    }

    /// Returns the characters of the value of `name`, out of its quotes.
    pub fn text(&self, name: &str) -> Option<Unquoted<'a>> {
        self.get(name).map(Unquoted::of)
    }

    fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.0.eq_ignore_ascii_case(name))
    }

    /// Writes each parameter after a semicolon.
    pub fn emit(&self, out: &mut Out<'_>) {
        for (name, value) in self.iter() {
            out.text(";").token(name);
            if let Some(value) = value {
                out.text("=").value(value);
            }
        }
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Param<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl PartialEq for Params<'_> {
    fn eq(&self, other: &Params<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Walks over parameters; see [`Params::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(Walk<'a>);

#[derive(Clone, Debug)]
enum Walk<'a> {
    Text(Cursor<'a>),
    List(core::slice::Iter<'a, Param<'a>>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        match &mut self.0 {
            Walk::Text(cursor) => cursor.separator(b';').then(|| param(cursor).ok())?,
            Walk::List(list) => list.next().copied(),
        }
    }
}

/// Passes one `token [ EQUAL gen-value ]`.
pub(super) fn param<'a>(cursor: &mut Cursor<'a>) -> Result<Param<'a>, Why> {
    let name = cursor.token()?;
    let mut ahead = *cursor;
    if !ahead.separator(b'=') {
        return Ok((name, None));
    }
    *cursor = ahead;
    Ok((name, Some(value(cursor)?)))
}

/// Passes one `gen-value`, and returns it as written. An IPv6 address without
/// its brackets passes too (RFC 5118 §4.5).
pub(super) fn value<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Why> {
    let start = cursor.at();
    if cursor.peek() == Some(b'"') {
        cursor.quoted()?;
        return Ok(cursor.since(start));
    }
    match cursor.run(super::chars::VALUE) {
        "" => Err(Why::Token),
        value => Ok(value),
    }
}

/// The names met so far: none may come twice (RFC 3261 §7.3.1).
#[derive(Default)]
pub(super) struct Seen<'a>(heapless::Vec<&'a str, PARAMS>);

impl<'a> Seen<'a> {
    pub(super) fn add(&mut self, name: &'a str) -> Result<(), Why> {
        if self.0.iter().any(|seen| seen.eq_ignore_ascii_case(name)) {
            return Err(Why::Repeated);
        }
        let full = Why::TooMany { limit: PARAMS };
        self.0.push(name).map_err(|_| full)
    }
}

/// The characters of a value, without quotes and escapes.
#[derive(Clone, Debug)]
pub struct Unquoted<'a> {
    chars: core::str::Chars<'a>,
    escapes: bool,
}

impl<'a> Unquoted<'a> {
    /// Reads a value as written, which is quoted or not.
    pub fn of(value: &'a str) -> Self {
        match quoted_inside(value) {
            Some(inside) => Self::inside(inside),
            None => Self::plain(value),
        }
    }

    /// Reads what stood between quotes.
    pub(super) fn inside(inside: &'a str) -> Self {
        Self {
            chars: inside.chars(),
            escapes: true,
        }
    }

    /// Reads text that has no escapes.
    pub(super) fn plain(text: &'a str) -> Self {
        Self {
            chars: text.chars(),
            escapes: false,
        }
    }
}

impl Iterator for Unquoted<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self.chars.next()? {
            '\\' if self.escapes => self.chars.next(),
            next => Some(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use super::*;

    fn parse(text: &str) -> Result<Vec<Param<'_>>, Why> {
        Params::parse(&mut Cursor::new(text)).map(|params| params.iter().collect())
    }

    /// RFC 3261 §7.3.1
    #[test]
    fn white_space_may_stand_around_semicolon_and_equals() {
        let wanted = [("a", Some("1")), ("b", None), ("c", Some(r#""x;\"y""#))];
        assert_eq!(
            parse(" ;a =  1 ; b;\tc= \"x;\\\"y\" ").as_deref(),
            Ok(&wanted[..])
        );
    }

    #[test]
    fn names_are_found_without_case_and_values_out_of_their_quotes() {
        let params = Params::parse(&mut Cursor::new(r#";Reason="a\"b";flag"#)).unwrap();
        assert_eq!(
            params.text("reason").map(Iterator::collect),
            Some(String::from("a\"b"))
        );
        assert!(params.has("FLAG") && params.get("flag").is_none() && !params.has("x"));
    }

    #[test]
    fn an_address_is_a_value() {
        assert!(parse(";received=[2001:db8::1];maddr=192.0.2.1;x=2001:db8::1").is_ok());
    }

    #[test]
    fn broken_parameters_are_refused() {
        assert_eq!(parse(";a;A=1"), Err(Why::Repeated));
        assert_eq!(parse(";a=\"b"), Err(Why::Quote));
        assert_eq!(parse(";a b"), Err(Why::Trailing));
        assert_eq!(parse(";a=b@c"), Err(Why::Trailing));
        for text in [";", ";;a", ";a;", ";=b", ";a="] {
            assert_eq!(parse(text), Err(Why::Token), "{text}");
        }
    }

    #[test]
    fn there_is_a_bound() {
        let many: String = (0..=PARAMS).map(|n| format!(";p{n}")).collect();
        assert_eq!(parse(&many), Err(Why::TooMany { limit: PARAMS }));
    }
}
