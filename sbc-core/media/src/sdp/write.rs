//! Our own description as text: RFC 8866 §5, in one canonical order, below 600 bytes
//! for a call, so that an INVITE with it still fits a datagram (RFC 3261 §18.1.1).

use alloc::string::String;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Payloads;
use super::own::{Own, Said};
use super::remote::Slot;

/// The size to reserve: the canonical description needs no more.
const CANONICAL: usize = 600;

/// Returns the description that `own` gives of itself when it says `said`.
pub(super) fn write(own: &Own, said: &Said) -> String {
    let mut out = String::with_capacity(CANONICAL);
    let family = if own.address.is_ipv4() { "IP4" } else { "IP6" };
    let connection = if said.zero_address {
        zero(own.address)
    } else {
        own.address
    };
    line(
        &mut out,
        format_args!(
            "v=0\r\no=- {} {} IN {family} {}",
            own.session, own.version, own.address
        ),
    );
    line(
        &mut out,
        format_args!("s=-\r\nc=IN {family} {connection}\r\nt=0 0"),
    );
    for slot in own.slots.iter().take(own.place) {
        rejected(&mut out, slot);
    }
    audio(&mut out, own, said);
    for slot in own.slots.iter().skip(own.place + 1) {
        rejected(&mut out, slot);
    }
    out
}

fn audio(out: &mut String, own: &Own, said: &Said) {
    let port = own.port;
    // Writing to a String cannot fail.
    let _ = write!(out, "m=audio {port} RTP/AVP");
    for number in numbers(&said.payloads) {
        let _ = write!(out, " {number}");
    }
    line(out, format_args!(""));
    for (codec, number) in &said.payloads.codecs {
        line(out, format_args!("a=rtpmap:{number} {}/8000", codec.name()));
    }
    if let Some(events) = said.payloads.events {
        let last = if events.flash { 16 } else { 15 };
        let number = events.number;
        line(out, format_args!("a=rtpmap:{number} telephone-event/8000"));
        line(out, format_args!("a=fmtp:{number} 0-{last}"));
    }
    if let Some(number) = said.payloads.comfort_noise {
        line(out, format_args!("a=rtpmap:{number} CN/8000"));
    }
    line(out, format_args!("a=ptime:{}", own.ptime_ms));
    if said.rtcp_mux {
        line(out, format_args!("a=rtcp:{port}\r\na=rtcp-mux"));
    } else {
        line(out, format_args!("a=rtcp:{}", port.saturating_add(1)));
    }
    line(out, format_args!("a={}", said.direction.name()));
}

/// Codecs first, then events, then comfort noise.
fn numbers(payloads: &Payloads) -> impl Iterator<Item = u8> {
    let codecs = payloads.codecs.iter().map(|(_, number)| *number);
    let events = payloads.events.map(|events| events.number);
    codecs.chain(events).chain(payloads.comfort_noise)
}

/// A section that stays off: port 0 (RFC 3264 §6).
fn rejected(out: &mut String, slot: &Slot) {
    let Slot {
        kind,
        protocol,
        format,
    } = slot;
    line(out, format_args!("m={kind} 0 {protocol} {format}"));
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    let _ = write!(out, "{text}\r\n");
}

const fn zero(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}
