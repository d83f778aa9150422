//! What follows the host of a URI: its parameters and its headers, text in,
//! checked views out (RFC 3261 §19.1.1).

use alloc::{string::String, vec::Vec};

use super::super::chars::{HEADER, HEX, PARAM};
use super::super::out::Out;
use super::super::params::{Param, Seen};
use super::BadUri;

/// The most headers a URI may carry. A Refer-To has one or two, and Replaces,
/// Require, From, To, Call-ID and a body make six.
pub const URI_HEADERS: usize = 16;

/// The parameters of a URI.
#[derive(Clone, Copy, Debug, Eq)]
pub struct UriParams<'a> {
    source: Source<'a>,
    /// Names that are passed over.
    hidden: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source<'a> {
    /// Checked text, from its first semicolon on.
    Text(&'a str),
    List(&'a [Param<'a>]),
}

impl<'a> UriParams<'a> {
    /// No parameters.
    pub const NONE: Self = Self::shown(Source::Text(""));

    /// Returns parameters to write. Bytes a URI cannot hold are escaped on their
    /// way out; `%HH` stays.
    pub const fn of(list: &'a [Param<'a>]) -> Self {
        Self::shown(Source::List(list))
    }

    /// Returns the parameters `text` is; it is empty or starts with a semicolon.
    pub(super) fn parse(text: &'a str) -> Result<Self, BadUri> {
        if !text.is_empty() && !text.starts_with(';') {
            return Err(BadUri::Param);
        }
        let mut seen = Seen::default();
        for part in parts(text) {
            let (name, value) = split(part);
            if !PARAM.fills_escaped(name) || name.is_empty() || value == Some("") {
                return Err(BadUri::Param);
            }
            if !value.is_none_or(|value| PARAM.fills_escaped(value)) {
                return Err(BadUri::Param);
            }
            seen.add(name)?;
        }
        Ok(Self::shown(Source::Text(text)))
    }

    const fn shown(source: Source<'a>) -> Self {
        Self {
            source,
            hidden: &[],
        }
    }

    /// Returns the same parameters without those of these names, in any case. A
    /// second call replaces the names of the first.
    pub const fn without(self, names: &'static [&'static str]) -> Self {
        Self {
            hidden: names,
            ..self
        }
    }

    /// Returns the parameters in order, escaped as written.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + Clone {
        let (text, list): (&'a str, &'a [Param<'a>]) = match self.source {
            Source::Text(text) => (text, &[]),
            Source::List(list) => ("", list),
        };
        let hidden = self.hidden;
        let shown = move |param: &Param<'a>| {
            let mut hidden = hidden.iter();
            !hidden.any(|name| name.eq_ignore_ascii_case(param.0))
        };
        parts(text)
            .map(split)
            .chain(list.iter().copied())
            .filter(shown)
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns whether `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns the value of `name`, escaped as written; names are compared
    /// without case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name)?.1
    }

    pub(super) fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.0.eq_ignore_ascii_case(name))
    }

    pub(super) fn emit(&self, out: &mut Out<'_>) {
        for (name, value) in self.iter() {
            out.text(";").escaped(name, PARAM);
            if let Some(value) = value {
                out.text("=").escaped(value, PARAM);
            }
        }
    }
}

impl Default for UriParams<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for UriParams<'_> {
    fn eq(&self, other: &UriParams<'_>) -> bool {
        self.iter().eq(other.iter())
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(';').skip(1)
}

fn split(part: &str) -> Param<'_> {
    match part.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (part, None),
    }
}

/// The headers of a URI: what a request made from it should carry.
#[derive(Clone, Copy, Debug, Eq)]
pub struct UriHeaders<'a>(Headers<'a>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Headers<'a> {
    /// Checked text, after the question mark.
    Text(&'a str),
    /// Names, and values as plain text.
    Plain(&'a [(&'a str, &'a str)]),
}

impl<'a> UriHeaders<'a> {
    /// No headers.
    pub const NONE: Self = Self(Headers::Text(""));

    /// Returns headers to write, whose values are plain text: what the URI
    /// grammar cannot hold is escaped on its way out.
    pub const fn of(list: &'a [(&'a str, &'a str)]) -> Self {
        Self(Headers::Plain(list))
    }

    /// Returns the headers `text`, which follows the question mark, is.
    pub(in super::super) fn parse(text: &'a str) -> Result<Self, BadUri> {
        let mut count = 0;
        for part in text.split('&') {
            count += 1;
            if count > URI_HEADERS {
                return Err(BadUri::TooMany);
            }
            let (name, value) = part.split_once('=').ok_or(BadUri::Headers)?;
            let whole = !name.is_empty() && HEADER.fills_escaped(name);
            if !whole || !HEADER.fills_escaped(value) {
                return Err(BadUri::Headers);
            }
        }
        Ok(Self(Headers::Text(text)))
    }

    /// Returns headers that were not checked, for those who read them loosely.
    pub(in super::super) const fn loose(text: &'a str) -> Self {
        Self(Headers::Text(text))
    }

    /// Returns whether there are none.
    pub const fn is_empty(&self) -> bool {
        match self.0 {
            Headers::Text(text) => text.is_empty(),
            Headers::Plain(list) => list.is_empty(),
        }
    }

    /// Returns names and values in order, with each value's bytes unescaped.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Unescaped<'a>)> + Clone {
        let (text, list): (&'a str, &'a [(&'a str, &'a str)]) = match self.0 {
            Headers::Text(text) => (text, &[]),
            Headers::Plain(list) => ("", list),
        };
        let written = text.split('&').filter_map(|part| part.split_once('='));
        written
            .map(|(name, value)| (name, Unescaped::new(value)))
            .chain(
                list.iter()
                    .map(|(name, value)| (*name, Unescaped::plain(value))),
            )
    }

    /// Returns the bytes of the first header `name`, unescaped; names are
    /// compared without case.
    pub fn get(&self, name: &str) -> Option<Unescaped<'a>> {
        let mut all = self.iter();
        all.find(|header| header.0.eq_ignore_ascii_case(name))
            .map(|header| header.1)
    }

    /// Returns the text of the first header `name`, unescaped; an error if it is
    /// not UTF-8, or holds control bytes and so could end a line.
    pub fn text(&self, name: &str) -> Option<Result<String, BadUri>> {
        let bytes: Vec<u8> = self.get(name)?.collect();
        let text = String::from_utf8(bytes).map_err(|_| BadUri::Headers);
        Some(
            text.and_then(|text| match text.chars().any(char::is_control) {
                true => Err(BadUri::Headers),
                false => Ok(text),
            }),
        )
    }

    pub(super) fn emit(&self, out: &mut Out<'_>) {
        let mut mark = "?";
        for (name, value) in self.iter() {
            out.text(mark).escaped(name, HEADER).text("=");
            match value.escapes {
                true => out.escaped(value.text(), HEADER),
                false => out.plain(value.text(), HEADER),
            };
            mark = "&";
        }
    }
}

impl Default for UriHeaders<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for UriHeaders<'_> {
    fn eq(&self, other: &UriHeaders<'_>) -> bool {
        let pairs = |headers: &Self| headers.iter().count();
        let same = |((a, av), (b, bv)): ((&str, Unescaped<'_>), (&str, Unescaped<'_>))| {
            a == b && av.eq(bv)
        };
        pairs(self) == other.iter().count() && self.iter().zip(other.iter()).all(same)
    }
}

/// The bytes of a URI part with its `%HH` escapes undone.
#[derive(Clone, Copy, Debug)]
pub struct Unescaped<'a> {
    rest: &'a str,
    at: usize,
    escapes: bool,
}

impl<'a> Unescaped<'a> {
    /// Reads a part that is escaped as written.
    pub const fn new(written: &'a str) -> Self {
        Self {
            rest: written,
            at: 0,
            escapes: true,
        }
    }

    const fn plain(text: &'a str) -> Self {
        Self {
            rest: text,
            at: 0,
            escapes: false,
        }
    }

    const fn text(&self) -> &'a str {
        self.rest
    }

    /// Returns the next byte, and whether it was written as an escape.
    pub(super) fn step(&mut self) -> Option<(u8, bool)> {
        let bytes = self.rest.as_bytes().get(self.at..)?;
        let (byte, escaped, taken) = match bytes {
            [] => return None,
            [b'%', high, low, ..] if self.escapes && HEX.has(*high) && HEX.has(*low) => {
                (hex(*high) << 4 | hex(*low), true, 3)
            }
            [byte, ..] => (*byte, false, 1),
        };
        self.at += taken;
        Some((byte, escaped))
    }
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.step().map(|step| step.0)
    }
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}
