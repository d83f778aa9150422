//! The first line in, its parts or its fault out, exact to the space (RFC 3261 §7.1, §7.2, §25.1).

use super::Fault;
use super::frame::{Span, Start};

/// Returns the parts of `line`, which begins the head; with a fault, those parts that
/// can be told all the same, and the octet the fault is at.
pub(super) fn start_line(line: &[u8]) -> (Start, Option<(Fault, usize)>) {
    match line.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"SIP/") => status_line(line),
        _ => request_line(line),
    }
}

/// Whether an octet may stand in a token (RFC 3261 §25.1).
pub(super) const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// `Request-Line = Method SP Request-URI SP SIP-Version CRLF`.
fn request_line(line: &[u8]) -> (Start, Option<(Fault, usize)>) {
    let unread = |method, fault, at| {
        let uri = Span::default();
        (Start::Request { method, uri }, Some((fault, at)))
    };
    let method_end = line
        .iter()
        .position(|&octet| !is_token(octet))
        .unwrap_or(line.len());
    if method_end == 0 || line.get(method_end) != Some(&b' ') {
        return unread(Span::default(), Fault::Method, method_end);
    }
    let method = Span::new(0, method_end);
    let uri_start = method_end + 1;
    let Some(uri_end) = memchr::memrchr(b' ', line).filter(|&space| space > uri_start) else {
        return unread(method, Fault::RequestLine, uri_start);
    };
    let uri = line.get(uri_start..uri_end).unwrap_or_default();
    if let Some(at) = uri.iter().position(u8::is_ascii_whitespace) {
        return unread(method, Fault::RequestLine, uri_start + at);
    }
    if let Some(at) = uri.iter().position(|&octet| !may_stand_in_uri(octet)) {
        return unread(method, Fault::RequestUri, uri_start + at);
    }
    let start = Start::Request {
        method,
        uri: Span::new(uri_start, uri_end),
    };
    let version = line.get(uri_end + 1..).unwrap_or_default();
    (
        start,
        version_fault(version, Fault::RequestLine).map(|fault| (fault, uri_end + 1)),
    )
}

/// `Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF`.
fn status_line(line: &[u8]) -> (Start, Option<(Fault, usize)>) {
    let unread = |fault, at| {
        (
            Start::Response {
                code: 0,
                reason: Span::default(),
            },
            Some((fault, at)),
        )
    };
    let version_end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let version = line.get(..version_end).unwrap_or_default();
    if let Some(fault) = version_fault(version, Fault::StatusLine) {
        return unread(fault, 0);
    }
    let code_start = version_end + 1;
    match line.get(code_start..code_start + 4) {
        Some(
            &[
                hundreds @ b'1'..=b'6',
                tens @ b'0'..=b'9',
                units @ b'0'..=b'9',
                b' ',
            ],
        ) => {
            let digit = |octet: u8| u16::from(octet - b'0');
            let code = digit(hundreds) * 100 + digit(tens) * 10 + digit(units);
            (
                Start::Response {
                    code,
                    reason: Span::new(code_start + 4, line.len()),
                },
                None,
            )
        }
        _ => unread(Fault::StatusLine, code_start),
    }
}

/// Returns 505's fault for a version that is SIP's but not 2.0, `otherwise` for what is
/// no version, nothing for `SIP/2.0` in any case (RFC 3261 §7.1).
fn version_fault(version: &[u8], otherwise: Fault) -> Option<Fault> {
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        return None;
    }
    let (name, number) = version.split_at_checked(4).unwrap_or_default();
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let numbered = match memchr::memchr(b'.', number).and_then(|dot| number.split_at_checked(dot)) {
        Some((major, [b'.', minor @ ..])) => digits(major) && digits(minor),
        _ => false,
    };
    let of_sip = name.eq_ignore_ascii_case(b"SIP/") && numbered;
    Some(if of_sip { Fault::Version } else { otherwise })
}

/// Graphic ASCII but the marks that delimit a URI (RFC 3261 §25.1; RFC 4475 §3.1.2.7).
const fn may_stand_in_uri(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'<' | b'>' | b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(line: &str) -> Option<(Fault, usize)> {
        start_line(line.as_bytes()).1
    }

    /// RFC 3261 §7.1.
    #[test]
    fn a_request_line_is_three_parts_and_two_spaces() {
        let line = b"INVITE sip:a@b sip/2.0";
        let (start, fault) = start_line(line);
        assert_eq!(fault, None);
        let Start::Request { method, uri } = start else {
            panic!("not a request")
        };
        assert_eq!(method.bytes(line), b"INVITE");
        assert_eq!(uri.bytes(line), b"sip:a@b");
    }

    /// RFC 3261 §7.1, RFC 4475 §3.1.2.7, §3.1.2.8, §3.1.2.9, §3.1.2.10, §3.1.2.16, §3.1.2.19.
    #[test]
    fn whatever_deviates_is_named_and_placed() {
        for (line, fault, at) in [
            ("INVITE  sip:a@b  SIP/2.0", Fault::RequestLine, 7),
            ("INVITE sip:a@b; x SIP/2.0", Fault::RequestLine, 15),
            ("INVITE sip:a@b SIP/2.0  ", Fault::RequestLine, 14),
            ("INVITE sip:a@b\tSIP/2.0", Fault::RequestLine, 7),
            ("INVITE sip:a@b", Fault::RequestLine, 7),
            ("INVITE  SIP/2.0", Fault::RequestLine, 7),
            ("INVITE <sip:a@b> SIP/2.0", Fault::RequestUri, 7),
            ("INVITE sip:\u{e4}@b SIP/2.0", Fault::RequestUri, 11),
            ("INVITE sip:a@b SIP/7.0", Fault::Version, 15),
            ("INVITE sip:a@b SIP/2.00", Fault::Version, 15),
            ("INVITE sip:a@b SIP/2", Fault::RequestLine, 15),
            ("INVITE sip:a@b HTTP/1.1", Fault::RequestLine, 15),
            ("INV(TE sip:a@b SIP/2.0", Fault::Method, 3),
            (" INVITE sip:a@b SIP/2.0", Fault::Method, 0),
            ("", Fault::Method, 0),
            ("SIP/2.0 4294967301 better not break", Fault::StatusLine, 8),
            ("SIP/2.0 200", Fault::StatusLine, 8),
            ("SIP/2.0  200 OK", Fault::StatusLine, 8),
            ("SIP/2.0 099 Low", Fault::StatusLine, 8),
            ("SIP/2.0 700 High", Fault::StatusLine, 8),
            ("SIP/2.0", Fault::StatusLine, 8),
            ("SIP/3.0 200 OK", Fault::Version, 0),
            ("SIP/x 200 OK", Fault::StatusLine, 0),
        ] {
            assert_eq!(fault_of(line), Some((fault, at)), "{line}");
        }
    }

    /// RFC 3261 §7.2; RFC 4475 §3.1.1.12, §3.1.1.13.
    #[test]
    fn a_reason_may_be_empty_or_in_any_script() {
        let line = "SIP/2.0 100 ".as_bytes();
        assert_eq!(
            start_line(line),
            (
                Start::Response {
                    code: 100,
                    reason: Span::new(12, 12)
                },
                None
            )
        );
        let line = "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}".as_bytes();
        let (Start::Response { code: 200, reason }, None) = start_line(line) else {
            panic!("not a 200");
        };
        assert_eq!(
            reason.bytes(line),
            "= 2**3 * 5**2 \u{43d}\u{43e}".as_bytes()
        );
    }

    /// RFC 3261 §25.1: methods are tokens; RFC 4475 §3.1.1.2.
    #[test]
    fn a_method_may_hold_every_token_character() {
        let line = b"!interesting-Method0123456789_*+`.%indeed'~ sip:a SIP/2.0";
        assert_eq!(start_line(line).1, None);
    }
}
