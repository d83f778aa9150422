//! Hosts: text comes in, a name or an address goes out (RFC 3261 §25.1 with the
//! IPv6 grammar of RFC 5954 §4.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chars::HOST;
use super::field::Why;
use super::out::Out;
use super::scan::{Cursor, number};

/// The longest host name (RFC 1035 §2.3.4), which bounds what DNS is asked.
pub const HOST_NAME: usize = 255;

/// The longest label of a name (RFC 1035 §2.3.4).
const LABEL: usize = 63;

/// A host as the grammar has it.
#[derive(Clone, Copy, Debug, Eq)]
pub enum Host<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Returns the host `text` is: IPv6 in brackets, IPv4, or a name whose last
    /// label starts with a letter.
    pub fn parse(text: &'a str) -> Result<Self, Why> {
        if let Some(inside) = text.strip_prefix('[') {
            let inside = inside.strip_suffix(']').ok_or(Why::Host)?;
            return bracketed(inside).map(Self::V6).ok_or(Why::Host);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::V4(address));
        }
        if is_name(text) {
            Ok(Self::Name(text))
        } else {
            Err(Why::Host)
        }
    }

    /// Returns the address, unless the host is a name.
    pub const fn ip(&self) -> Option<IpAddr> {
        match *self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Writes the host, IPv6 in brackets.
    pub fn emit(&self, out: &mut Out<'_>) {
        match self {
            Self::Name(name) => out.class(name, HOST),
            Self::V4(address) => {
                let [a, b, c, d] = address.octets();
                out.number(a).text(".").number(b).text(".");
                out.number(c).text(".").number(d)
            }
            Self::V6(address) => out.display(format_args!("[{address}]")),
        };
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

/// Names are equal without regard to case (RFC 3261 §19.1.4).
impl PartialEq for Host<'_> {
    fn eq(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Host::V4(b)) => a == b,
            (Self::V6(a), Host::V6(b)) => a == b,
            _ => false,
        }
    }
}

impl core::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Reads what stands between brackets. The grammar of RFC 3261 could make three
/// colons before an embedded IPv4 address; two are meant (RFC 5118 §4.10).
fn bracketed(inside: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = inside.parse() {
        return Some(address);
    }
    let (left, right) = inside.split_once(":::")?;
    right.parse::<Ipv4Addr>().ok()?;
    // The longest text of an address is 45 bytes (RFC 4291 §2.2).
    let mut text = heapless::String::<48>::new();
    for part in [left, "::", right] {
        text.push_str(part).ok()?;
    }
    text.parse().ok()
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let top = text.rsplit('.').next().unwrap_or_default();
    text.len() <= HOST_NAME
        && text.split('.').all(is_label)
        && top.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn is_label(label: &str) -> bool {
    let letter = |byte| HOST.has(byte) && byte != b'.';
    (1..=LABEL).contains(&label.len())
        && label.bytes().all(letter)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Returns the address `text` is, with or without the brackets: `received` and
/// `maddr` are seen both ways (RFC 5118 §4.5).
pub fn loose_ip(text: &str) -> Option<IpAddr> {
    let inside = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inside {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Passes `host [":" port]` up to the next byte for which `end` holds.
pub(super) fn host_port<'a>(
    cursor: &mut Cursor<'a>,
    end: impl Fn(u8) -> bool,
) -> Result<(Host<'a>, Option<u16>), Why> {
    let start = cursor.at();
    if cursor.peek() == Some(b'[') {
        cursor.until(|byte| byte == b']');
        cursor.eat(b']');
    } else {
        cursor.until(|byte| byte == b':' || end(byte));
    }
    let host = Host::parse(cursor.since(start))?;
    if !cursor.eat(b':') {
        return Ok((host, None));
    }
    Ok((host, Some(port(cursor.until(end))?)))
}

/// Returns the port `digits` are.
pub(super) fn port(digits: &str) -> Result<u16, Why> {
    let port = number(digits, u16::MAX.into()).ok_or(Why::Port)?;
    u16::try_from(port).map_err(|_| Why::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §25.1
    #[test]
    fn hosts_are_names_or_addresses() {
        assert_eq!(
            Host::parse("a-b.example.com."),
            Ok(Host::Name("a-b.example.com."))
        );
        assert_eq!(
            Host::parse("192.0.2.1"),
            Ok(Host::V4(Ipv4Addr::new(192, 0, 2, 1)))
        );
        assert_eq!(Host::parse("med_1.corp"), Ok(Host::Name("med_1.corp")));
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "1.2.3",
            "256.1.1.1",
            "a b",
            "ä.de",
            "a.1b",
            "%41",
        ] {
            assert_eq!(Host::parse(text), Err(Why::Host), "{text}");
        }
    }

    /// RFC 5954 §4.1, RFC 5118 §4.1 and §4.2
    #[test]
    fn ipv6_hosts_need_their_brackets() {
        assert_eq!(
            Host::parse("[2001:db8::10]").map(|host| host.ip().is_some()),
            Ok(true)
        );
        assert!(Host::parse("[::ffff:192.0.2.10]").is_ok());
        for text in [
            "2001:db8::10",
            "[2001:db8::10",
            "2001:db8::10]",
            "[]",
            "[::1%eth0]",
            "[192.0.2.1]",
        ] {
            assert_eq!(Host::parse(text), Err(Why::Host), "{text}");
        }
    }

    /// RFC 5118 §4.10, RFC 4291 §2.2
    #[test]
    fn a_third_colon_before_an_embedded_address_is_passed_over() {
        assert_eq!(
            Host::parse("[2001:db8:::192.0.2.1]"),
            Host::parse("[2001:db8::192.0.2.1]")
        );
        assert!(Host::parse("[2001:db8:::192.0.2.1]").is_ok());
        for text in [
            "[2001:db8:::10]",
            "[2001:db8::::192.0.2.1]",
            "[2001::1:::192.0.2.1]",
        ] {
            assert_eq!(Host::parse(text), Err(Why::Host), "{text}");
        }
    }

    /// RFC 1035 §2.3.4
    #[test]
    fn a_name_is_no_longer_than_dns_allows() {
        let label = "a".repeat(63);
        let name = [&*label; 4].join(".");
        assert_eq!(Host::parse(&name), Ok(Host::Name(&name)));
        let name = alloc::format!("{name}.a");
        assert_eq!(Host::parse(&name), Err(Why::Host));
        let name = alloc::format!("{label}a.example");
        assert_eq!(Host::parse(&name), Err(Why::Host));
    }

    #[test]
    fn ports_are_sixteen_bits() {
        assert_eq!(port("05060"), Ok(5060));
        for digits in ["", "65536", "-1", "5060x", "99999999999999999999"] {
            assert_eq!(port(digits), Err(Why::Port), "{digits}");
        }
    }
}
