//! What every typed header has in common: a value comes in, a typed view or a
//! [`BadField`] goes out (RFC 3261 §7.3.1).

use super::out::Out;
use super::scan::{Cursor, trim};
use super::uri::BadUri;
use crate::wire::Name;

/// A header as a type: read from one value, written from its parts.
///
/// Where the header is a list, a value is one element of it: split with
/// [`list`], or read all of them with [`each`].
pub trait Field<'a>: Sized {
    /// The header's name.
    const NAME: Name;

    /// Returns the typed view of `value`, or what is wrong with it.
    fn parse(value: &'a str) -> Result<Self, BadField>;

    /// Writes the value, without name and line end.
    fn emit(&self, out: &mut Out<'_>);
}

/// A header value outside its grammar. Whose header it is decides the answer:
/// 400 for those every request must have, else the field counts as absent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} is malformed: {why}", .name.canonical())]
pub struct BadField {
    pub name: Name,
    pub why: Why,
}

/// What a value broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Why {
    #[error("a display name is neither words nor a quoted string")]
    Display,
    #[error("a host is no name, IPv4 address or bracketed IPv6 address")]
    Host,
    #[error("it is missing")]
    Missing,
    #[error("a number is not digits")]
    Number,
    #[error("a port is not between 0 and 65535")]
    Port,
    #[error("the protocol is not SIP/2.0")]
    Protocol,
    #[error("a quoted string does not end or holds what it must not")]
    Quote,
    #[error("a number is out of range")]
    Range,
    #[error("a parameter or the header itself appears twice")]
    Repeated,
    #[error("a token is missing")]
    Token,
    #[error("there are more than {limit} parameters or elements")]
    TooMany { limit: usize },
    #[error("something follows the end of the value")]
    Trailing,
    #[error("a URI is wrong: {0}")]
    Uri(BadUri),
    #[error("a value is outside the forms the header has")]
    Value,
}

impl Why {
    /// Returns this reason as an error of the header `name`.
    pub const fn of(self, name: Name) -> BadField {
        BadField { name, why: self }
    }
}

impl From<BadUri> for Why {
    fn from(bad: BadUri) -> Self {
        Self::Uri(bad)
    }
}

/// Returns the elements of a comma-separated value, trimmed; commas inside
/// quotes and angle brackets do not separate (RFC 3261 §7.3.1).
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut cursor = Cursor::new(value);
    let mut done = trim(value).is_empty();
    core::iter::from_fn(move || {
        if done {
            return None;
        }
        let element = element(&mut cursor);
        done = !cursor.eat(b',');
        Some(trim(element))
    })
}

fn element<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    let start = cursor.at();
    loop {
        cursor.until(|byte| matches!(byte, b',' | b'"' | b'<'));
        match cursor.peek() {
            Some(b'"') => {
                // An open quote takes the rest; the element's parser refuses it.
                if cursor.quoted().is_err() {
                    cursor.until(|_| false);
                }
            }
            Some(b'<') => {
                cursor.until(|byte| byte == b'>');
            }
            _ => return cursor.since(start),
        }
    }
}

/// Returns every element of the header `F` over all its lines, typed. An
/// element that is outside the grammar is an error in its place.
pub fn each<'a, F: Field<'a>>(
    lines: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = Result<F, BadField>> {
    lines.flat_map(list).map(F::parse)
}

/// Returns the one value of a header that must not repeat (RFC 3261 §7.3.1),
/// or `None` if there is none.
pub fn single<'a, F: Field<'a>>(
    mut lines: impl Iterator<Item = &'a str>,
) -> Result<Option<F>, BadField> {
    let Some(first) = lines.next() else {
        return Ok(None);
    };
    match lines.next() {
        Some(_) => Err(Why::Repeated.of(F::NAME)),
        None => F::parse(first).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn split(value: &str) -> Vec<&str> {
        list(value).collect()
    }

    /// RFC 3261 §7.3.1
    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        assert_eq!(
            split(r#" "A, \"b" <sip:a,b@c>;x=1 , <sip:d>,e "#),
            [r#""A, \"b" <sip:a,b@c>;x=1"#, "<sip:d>", "e"]
        );
    }

    #[test]
    fn an_empty_value_has_no_elements_and_an_empty_element_is_kept() {
        assert_eq!(split("  "), [""; 0]);
        assert_eq!(split("a,,b,"), ["a", "", "b", ""]);
    }

    #[test]
    fn an_open_quote_or_bracket_takes_the_rest() {
        assert_eq!(split("a, \"b, c"), ["a", "\"b, c"]);
        assert_eq!(split("a, <b, c"), ["a", "<b, c"]);
    }
}
