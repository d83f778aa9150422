//! Bodies in several parts: a type and a body come in; what can be taken apart is put
//! together with a boundary of ours and is the same parts again (RFC 2046 §5.1, RFC 5621 §3).

use sbc_sip::message::multipart::{Boundary, PARTS, parse, write};
use sbc_sip::message::{ContentType, Field};

/// The first line is the Content-Type, the rest the body.
pub fn multipart(octets: &[u8]) {
    let end = octets
        .windows(2)
        .position(|two| two == b"\r\n")
        .unwrap_or(octets.len());
    let kind = String::from_utf8_lossy(&octets[..end]);
    let body = octets.get(end + 2..).unwrap_or_default();
    let Ok(kind) = ContentType::parse(&kind) else {
        return;
    };
    let Ok(parts) = parse(&kind, body) else {
        return;
    };
    assert!(!parts.is_empty() && parts.len() <= PARTS);
    let held: usize = parts.iter().map(|part| part.body.len()).sum();
    assert!(held <= body.len(), "parts hold no more than the body");

    let boundary = Boundary::choose(0x5EED, &parts).expect("nobody foresees the boundary");
    let mut written = Vec::new();
    write(&parts, &boundary, &mut written);
    let kind = format!("multipart/mixed;boundary={}", boundary.as_str());
    let kind = ContentType::parse(&kind).expect("a type of ours");
    let again = parse(&kind, &written)
        .unwrap_or_else(|wrong| panic!("{wrong}: {}", written.escape_ascii()));
    let bodies = |parts: &[sbc_sip::message::multipart::Part<'_>]| -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.body.to_vec()).collect()
    };
    assert_eq!(bodies(&parts), bodies(&again), "{}", written.escape_ascii());
    for (part, again) in parts.iter().zip(&again) {
        let shown = format!("{:?}", part.kind);
        if !shown.contains("\\u{") && !shown.contains("\\0") {
            assert_eq!((part.kind, part.id), (again.kind, again.id));
        }
        // An encoding is kept as written, and written as the token it has to be.
        let token = |text: &&str| {
            text.bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        };
        assert!(part.encoding == again.encoding || !part.encoding.is_some_and(|text| token(&text)));
    }
}
