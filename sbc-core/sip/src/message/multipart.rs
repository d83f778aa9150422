//! Bodies in several parts: one body comes in, its parts go out byte-exact, and
//! are put together again with a boundary of ours (RFC 2046 §5.1, RFC 5621 §3).

use alloc::vec::Vec;
use core::fmt::Write as _;

use memchr::memmem;

use super::content::{ContentId, ContentType};
use super::field::{BadField, Field};
use super::out::{Out, quoted_inside};
use super::scan::trim;
use super::tagged::ContentDisposition;
use crate::wire::Name;

/// The most parts a body may have: an offer, a location, a call's ISUP and some
/// text make four.
pub const PARTS: usize = 16;

/// The longest boundary (RFC 2046 §5.1.1).
pub const BOUNDARY: usize = 70;

/// The most bytes the headers of a part may take.
pub const PART_HEAD: usize = 4_096;

/// One part of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part<'a> {
    /// `text/plain` if the part does not say (RFC 2046 §5.1).
    pub kind: ContentType<'a>,
    pub id: Option<ContentId<'a>>,
    pub disposition: Option<ContentDisposition<'a>>,
    /// How the bytes are coded for transport, as written; they stay coded.
    pub encoding: Option<&'a str>,
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// Returns a part with nothing but a type.
    pub const fn new(kind: ContentType<'a>, body: &'a [u8]) -> Self {
        Self {
            kind,
            id: None,
            disposition: None,
            encoding: None,
            body,
        }
    }
}

/// The parts of a body, in order.
pub type Parts<'a> = heapless::Vec<Part<'a>, PARTS>;

/// What is wrong with a body in several parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadMultipart {
    #[error("the type names no boundary, or one outside the grammar")]
    Boundary,
    #[error("a part: {0}")]
    Field(#[from] BadField),
    #[error("the headers of a part do not end within {PART_HEAD} bytes, or are no text")]
    Head,
    #[error("there are more than {PARTS} parts, or none")]
    Parts,
    #[error("the closing boundary is missing")]
    Unclosed,
}

/// Returns the parts of `body`, which is of type `kind`. What stands before the
/// first and behind the last boundary is no part.
pub fn parse<'a>(kind: &ContentType<'_>, body: &'a [u8]) -> Result<Parts<'a>, BadMultipart> {
    let boundary = kind.params.get("boundary").ok_or(BadMultipart::Boundary)?;
    let boundary = quoted_inside(boundary).unwrap_or(boundary);
    if !is_boundary(boundary) {
        return Err(BadMultipart::Boundary);
    }
    let mut parts = Parts::new();
    let mut start = None;
    for line in delimiters(body, boundary.as_bytes()) {
        if let Some(start) = start {
            // The line end before a boundary belongs to the boundary.
            let bytes = body.get(start..line.start).ok_or(BadMultipart::Head)?;
            parts.push(part(bytes)?).map_err(|_| BadMultipart::Parts)?;
        }
        if line.closes {
            return if parts.is_empty() {
                Err(BadMultipart::Parts)
            } else {
                Ok(parts)
            };
        }
        start = Some(line.end);
    }
    Err(BadMultipart::Unclosed)
}

/// A boundary as it stands in a body.
struct Delimiter {
    /// Where the line end before it starts.
    start: usize,
    /// Where what follows it starts.
    end: usize,
    closes: bool,
}

/// Returns the lines that are `--boundary` or `--boundary--`.
fn delimiters(body: &[u8], boundary: &[u8]) -> impl Iterator<Item = Delimiter> {
    memmem::find_iter(body, b"--").filter_map(move |at| {
        let before = body.get(..at)?;
        let start = match before.strip_suffix(b"\r\n") {
            Some(before) => before.len(),
            None if at == 0 => 0,
            None => return None,
        };
        let rest = body.get(at + 2..)?.strip_prefix(boundary)?;
        let (closes, rest) = match rest.strip_prefix(b"--") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let padded = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let rest = rest.get(padded..)?;
        let end = match rest.strip_prefix(b"\r\n") {
            Some(rest) => body.len() - rest.len(),
            None if closes && rest.is_empty() => body.len(),
            None => return None,
        };
        Some(Delimiter { start, end, closes })
    })
}

/// RFC 2046 §5.1.1: up to 70 characters, no space at the end.
fn is_boundary(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=BOUNDARY).contains(&text.len()) && text.bytes().all(allowed) && !text.ends_with(' ')
}

fn part(bytes: &[u8]) -> Result<Part<'_>, BadMultipart> {
    let plain = ContentType::new("text", "plain");
    if bytes.is_empty() {
        return Ok(Part::new(plain, bytes));
    }
    if let Some(body) = bytes.strip_prefix(b"\r\n") {
        return Ok(Part::new(plain, body));
    }
    let (head, body) = head_and_body(bytes).ok_or(BadMultipart::Head)?;
    let mut part = Part::new(plain, body);
    for line in Lines(head) {
        let (name, value) = line.split_once(':').ok_or(BadMultipart::Head)?;
        let value = trim(value);
        match Name::of(trim(name)) {
            Name::ContentType => part.kind = ContentType::parse(value)?,
            Name::ContentId => part.id = Some(ContentId::parse(value)?),
            Name::ContentDisposition => part.disposition = Some(ContentDisposition::parse(value)?),
            Name::ContentTransferEncoding => part.encoding = Some(value),
            _ => {}
        }
    }
    Ok(part)
}

/// Splits at the empty line; a part may also end with its headers.
fn head_and_body(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let near = bytes.get(..PART_HEAD).unwrap_or(bytes);
    let (head, body) = match memmem::find(near, b"\r\n\r\n") {
        Some(end) => (bytes.get(..end)?, bytes.get(end + 4..)?),
        None if near.len() == bytes.len() => (near.strip_suffix(b"\r\n")?, &[][..]),
        None => return None,
    };
    Some((core::str::from_utf8(head).ok()?, body))
}

/// Header lines, folds left in them: a line end is white space to what reads it.
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let folded = |at: &usize| {
            let next = self.0.as_bytes().get(at + 2);
            !matches!(next, Some(b' ' | b'\t'))
        };
        let end = memmem::find_iter(self.0.as_bytes(), b"\r\n").find(folded);
        let (line, rest) = match end {
            Some(end) => (self.0.get(..end)?, self.0.get(end + 2..)?),
            None => (self.0, ""),
        };
        self.0 = rest;
        Some(line)
    }
}

/// A boundary that is in none of the parts it separates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boundary(heapless::String<24>);

/// How many boundaries are tried. A sender cannot foresee the random number, so
/// the second would do.
const TRIES: u64 = 8;

impl Boundary {
    /// Returns a boundary out of a random number, or `None` if every one of a few
    /// tries is in some part.
    pub fn choose(random: u64, parts: &[Part<'_>]) -> Option<Self> {
        (0..TRIES).find_map(|offset| {
            let mut text = heapless::String::new();
            write!(text, "part-{:016x}", random.wrapping_add(offset)).ok()?;
            let finder = memmem::Finder::new(text.as_bytes());
            let taken = parts.iter().any(|part| finder.find(part.body).is_some());
            (!taken).then_some(Self(text))
        })
    }

    /// Returns the text for the `boundary` parameter of the body's type.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the parts with their headers, separated and closed by `boundary`.
pub fn write(parts: &[Part<'_>], boundary: &Boundary, out: &mut Vec<u8>) {
    for part in parts {
        out.extend_from_slice(b"--");
        out.extend_from_slice(boundary.as_str().as_bytes());
        out.extend_from_slice(b"\r\n");
        field(&part.kind, out);
        if let Some(id) = &part.id {
            field(id, out);
        }
        if let Some(disposition) = &part.disposition {
            field(disposition, out);
        }
        if let Some(encoding) = part.encoding {
            out.extend_from_slice(b"Content-Transfer-Encoding: ");
            Out::new(out).token(encoding);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(part.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--");
    out.extend_from_slice(boundary.as_str().as_bytes());
    out.extend_from_slice(b"--\r\n");
}

fn field<'a, F: Field<'a>>(field: &F, out: &mut Vec<u8>) {
    out.extend_from_slice(F::NAME.canonical().as_bytes());
    out.extend_from_slice(b": ");
    field.emit(&mut Out::new(out));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::params::Params;
    use super::*;

    fn mixed(boundary: &str) -> ContentType<'_> {
        ContentType::parse(boundary).unwrap()
    }

    const BODY: &[u8] = b"preamble\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=-\r\n\r\n--b \t\r\n\
        CONTENT-TYPE : application/pidf+xml;\r\n  charset=\"UTF-8\"\r\nContent-ID: <a@b>\r\nX-Other: 1\r\n\
        Content-Disposition: by-reference;handling=optional\r\nContent-Transfer-Encoding: binary\r\n\r\n\
        \x00\xff--bx\r\n--bx\r\n\n--b\r\n--b\r\n\r\n--b--\r\nepilogue";

    /// RFC 2046 §5.1, §5.1.1
    #[test]
    fn parts_are_byte_exact() {
        let parts = parse(&mixed("multipart/mixed;boundary=\"b\""), BODY).unwrap();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[0], Part::new(ContentType::SDP, b"v=0\r\no=-\r\n"));
        assert!(parts[1].kind.is("application", "pidf+xml"));
        assert_eq!(parts[1].kind.params.get("charset"), Some("\"UTF-8\""));
        assert_eq!(
            (parts[1].id, parts[1].encoding),
            (Some(ContentId("a@b")), Some("binary"))
        );
        assert!(parts[1].disposition.unwrap().is_optional());
        assert_eq!(parts[1].body, b"\x00\xff--bx\r\n--bx\r\n\n--b");
        assert_eq!(parts[2], Part::new(ContentType::new("text", "plain"), b""));
    }

    /// RFC 5621 §3, RFC 2046 §5.1
    #[test]
    fn parts_are_put_together_again() {
        let parts = parse(&mixed("multipart/mixed;boundary=b"), BODY).unwrap();
        let boundary = Boundary::choose(7, &parts).unwrap();
        let mut bytes = Vec::new();
        write(&parts, &boundary, &mut bytes);
        let params = [("boundary", Some(boundary.as_str()))];
        let kind = ContentType {
            params: Params::of(&params),
            ..ContentType::new("multipart", "mixed")
        };
        assert_eq!(parse(&kind, &bytes), Ok(parts));
        assert!(
            bytes.starts_with(
                b"--part-0000000000000007\r\nContent-Type: application/sdp\r\n\r\nv=0"
            )
        );
        assert!(bytes.ends_with(b"\r\n--part-0000000000000007--\r\n"));
    }

    #[test]
    fn a_boundary_is_in_no_part() {
        let parts = [Part::new(ContentType::SDP, b"--part-0000000000000007\r\n")];
        assert_eq!(
            Boundary::choose(7, &parts).unwrap().as_str(),
            "part-0000000000000008"
        );
    }

    /// RFC 2046 §5.1.1, RFC 4475 §3.1.1.11 (mpart01)
    #[test]
    fn broken_bodies_are_refused() {
        use BadMultipart::{Boundary, Head, Parts, Unclosed};
        let kind = "multipart/mixed;boundary=b";
        for (kind, body, bad) in [
            ("multipart/mixed", &b"--b--"[..], Boundary),
            ("multipart/mixed;boundary=\"\"", b"--b--", Boundary),
            ("multipart/mixed;boundary=\"a\\\"b\"", b"--b--", Boundary),
            (kind, b"", Unclosed),
            (kind, b"--b\r\n\r\nx\r\n", Unclosed),
            (kind, b"--b\r\n\r\nx\r\n--b-", Unclosed),
            (kind, b"--b--", Parts),
            (kind, b"--b\r\nno colon\r\n\r\nx\r\n--b--", Head),
            (kind, b"--b\r\nContent-Type: a/b\r\n--b--", Head),
            (kind, b"--b\r\n--b--", Head),
            (kind, b"--b\r\nX: \xff\r\n\r\nx\r\n--b--", Head),
        ] {
            assert_eq!(parse(&mixed(kind), body), Err(bad), "{body:?}");
        }
        let many = b"--b\r\n\r\n".repeat(PARTS + 2);
        assert_eq!(parse(&mixed(kind), &many), Err(Parts));
        let headers_only = b"--b\r\nContent-Type: a/b\r\n\r\n--b--";
        let parts = parse(&mixed(kind), headers_only).unwrap();
        assert_eq!(parts[0], Part::new(ContentType::new("a", "b"), b""));
        let bad = parse(&mixed(kind), b"--b\r\nContent-Type: sdp\r\n\r\nx\r\n--b--");
        assert!(matches!(bad, Err(BadMultipart::Field(_))));
    }
}
