//! Addresses as one peer is told them: a number comes in, a URI at its place or at
//! ours goes out (RFC 3261 §19.1.1, §19.1.6).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use sbc_config::Peer;
use sbc_sip::message::{Host, NameAddr, Out, Param, Params, SipUri, Text, Uri, UriParams};

use super::Leg;
use crate::parties::Told;

/// Stands for somebody who must not be named (RFC 3323 §4.1.1.3).
pub const ANONYMOUS: Uri<'static> = Uri::Sip(SipUri {
    user: Some("anonymous"),
    ..SipUri::new(Host::Name("anonymous.invalid"))
});

/// Returns what `emit` writes, as text.
pub fn text(emit: impl FnOnce(&mut Out<'_>)) -> String {
    let mut bytes = Vec::with_capacity(64);
    emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap_or_default()
}

/// Returns a number at the peer's place, as it wants it written (RFC 3261 §19.1.6).
#[must_use]
pub fn remote_uri<'a>(peer: &'a Peer, remote: SocketAddr, user: &'a str) -> Uri<'a> {
    let host = host(peer, remote.ip().into());
    Uri::Sip(SipUri {
        user: Some(user),
        port: match host {
            Host::Name(_) => None,
            _ => Some(remote.port()),
        },
        params: phone(peer, user),
        ..SipUri::new(host)
    })
}

fn host<'a>(peer: &'a Peer, address: Host<'a>) -> Host<'a> {
    match &peer.headers.domain {
        Some(domain) => Host::parse(domain).unwrap_or(address),
        None => address,
    }
}

fn phone<'a>(peer: &Peer, user: &str) -> UriParams<'a> {
    const PHONE: UriParams<'static> = UriParams::of(&[("user", Some("phone"))]);
    let is_number = user.starts_with(|c: char| c.is_ascii_digit() || c == '+');
    if peer.headers.user_phone && is_number {
        PHONE
    } else {
        UriParams::NONE
    }
}

/// Returns our From: who calls, as this peer is told (RFC 3323 §4.1.1.3 for nobody).
#[must_use]
pub fn from_text(peer: &Peer, leg: &Leg, told: &Told) -> String {
    let tag: [Param<'_>; 1] = [("tag", Some(&leg.tag))];
    let address = match &told.from {
        None => NameAddr {
            display: Some(Text::of("Anonymous")),
            ..NameAddr::new(ANONYMOUS)
        },
        Some(user) => NameAddr {
            display: told.display.as_deref().map(Text::of),
            ..NameAddr::new(local_uri(peer, leg, user))
        },
    };
    text(|out| {
        NameAddr {
            params: Params::of(&tag),
            ..address
        }
        .emit(out);
    })
}

/// Returns a number at our place, as the peer wants it written.
#[must_use]
pub fn local_uri<'a>(peer: &'a Peer, leg: &Leg, user: &'a str) -> Uri<'a> {
    Uri::Sip(SipUri {
        user: Some(user),
        params: phone(peer, user),
        ..SipUri::new(host(peer, leg.local.address.ip().into()))
    })
}
