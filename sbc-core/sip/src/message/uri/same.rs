//! URI comparison: two URIs come in, whether they name the same resource goes
//! out (RFC 3261 §19.1.4, RFC 3966 §4).

use super::super::chars::RESERVED;
use super::parts::Unescaped;
use super::tel::digits;
use super::{SipUri, TelUri, UriHeaders, UriParams};

/// Parameters that must be in both URIs if they are in one. `transport` is no
/// guess either: leaving it out is not the same as naming the default.
const NEVER_IGNORED: [&str; 5] = ["transport", "user", "ttl", "method", "maddr"];

pub(super) fn sip(a: &SipUri<'_>, b: &SipUri<'_>) -> bool {
    a.secure == b.secure
        && both(a.user, b.user, exact)
        && both(a.password, b.password, exact)
        && a.host == b.host
        && a.port == b.port
        && sip_params(&a.params, &b.params)
        && headers(&a.headers, &b.headers)
}

pub(super) fn tel(a: &TelUri<'_>, b: &TelUri<'_>) -> bool {
    let count = |uri: &TelUri<'_>| uri.params.iter().count();
    let alike = |(name, value): (&str, Option<&str>)| match b.params.find(name) {
        Some((_, other)) => both(value, other, |x, y| tel_value(name, x, y)),
        None => false,
    };
    a.is_global() == b.is_global()
        && digits(a.number).eq(digits(b.number))
        && count(a) == count(b)
        && a.params.iter().all(alike)
}

fn tel_value(name: &str, a: &str, b: &str) -> bool {
    let number = name.eq_ignore_ascii_case("ext") || a.starts_with('+');
    if number {
        digits(a).eq(digits(b))
    } else {
        folded(a, b)
    }
}

fn sip_params(a: &UriParams<'_>, b: &UriParams<'_>) -> bool {
    let alike = |(name, value): (&str, Option<&str>)| match b.find(name) {
        Some((_, other)) => both(value, other, folded),
        None => true,
    };
    NEVER_IGNORED.iter().all(|name| a.has(name) == b.has(name)) && a.iter().all(alike)
}

/// Header components are never ignored. Their order is free.
fn headers(a: &UriHeaders<'_>, b: &UriHeaders<'_>) -> bool {
    let has = |list: &UriHeaders<'_>, name: &str, value: Unescaped<'_>| {
        let mut list = list.iter();
        list.any(|(n, v)| n.eq_ignore_ascii_case(name) && v.eq(value))
    };
    a.iter().count() == b.iter().count()
        && a.iter().all(|(name, value)| has(b, name, value))
        && b.iter().all(|(name, value)| has(a, name, value))
}

fn both<T>(a: Option<T>, b: Option<T>, same: impl Fn(T, T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn exact(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

fn folded(a: &str, b: &str) -> bool {
    let fold = |(byte, kept): (u8, bool)| (byte.to_ascii_lowercase(), kept);
    letters(a).map(fold).eq(letters(b).map(fold))
}

/// Returns the bytes of a part. An escape is its byte, unless the byte is
/// reserved: then the escaped and the bare form mean two things.
fn letters(part: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut bytes = Unescaped::new(part);
    core::iter::from_fn(move || bytes.step())
        .map(|(byte, escaped)| (byte, escaped && RESERVED.has(byte)))
}
