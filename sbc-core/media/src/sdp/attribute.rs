//! The attributes of one audio section go in, row by row; what they say of payloads,
//! direction, packet time and RTCP comes out (RFC 8866 §6, RFC 3605, RFC 5761).

use core::net::IpAddr;

use super::parse::{Malformed, Media, Session, read_address};
use super::{Codec, Direction};

/// What a payload number stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    /// Something this node does not carry.
    Foreign,
    ComfortNoise,
    Events,
    Voice(Codec),
}

/// What the attributes of an audio section say.
pub(super) struct Traits<'a> {
    encodings: [Option<Encoding>; NUMBERS],
    formats: [Option<&'a str>; NUMBERS],
    pub direction: Option<Direction>,
    pub ptime_ms: Option<u8>,
    /// Port and address of `a=rtcp`.
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    pub rtcp_mux: bool,
    /// A key is offered (RFC 4568), in whichever kind of line.
    pub crypto: bool,
    /// SRTP is offered as a choice (RFC 5939).
    pub capability: bool,
}

/// Payload numbers have seven bits.
const NUMBERS: usize = 128;

/// One attribute: its name, and what its value changes.
type Row = (
    &'static str,
    for<'a> fn(&mut Traits<'a>, &'a str) -> Result<(), Malformed>,
);

/// What this node reads. Every other attribute is ignored and goes nowhere.
const ROWS: &[Row] = &[
    ("crypto", crypto),
    ("fmtp", fmtp),
    ("inactive", inactive),
    ("pcfg", capability),
    ("ptime", ptime),
    ("recvonly", recvonly),
    ("rtcp", rtcp),
    ("rtcp-mux", rtcp_mux),
    ("rtpmap", rtpmap),
    ("sendonly", sendonly),
    ("sendrecv", sendrecv),
    ("tcap", capability),
];

impl<'a> Traits<'a> {
    /// Reads the attributes of a section. The session's direction holds where the
    /// section has none (RFC 8866 §6.7).
    pub fn read(session: &Session<'a>, media: &Media<'a>) -> Result<Self, Malformed> {
        let mut traits = Self::empty();
        for (name, value) in media.attributes() {
            if let Some((_, apply)) = ROWS.iter().find(|(known, _)| *known == name) {
                apply(&mut traits, value)?;
            }
        }
        let inherited = || {
            session
                .attributes()
                .find_map(|(name, _)| Direction::named(name))
        };
        traits.direction = traits.direction.or_else(inherited);
        Ok(traits)
    }

    /// Returns what payload number `number` stands for: as mapped, else by its static
    /// meaning (RFC 3551 §6).
    pub fn encoding(&self, number: u8) -> Encoding {
        let mapped = self.encodings.get(usize::from(number)).copied().flatten();
        mapped.unwrap_or(match number {
            0 => Encoding::Voice(Codec::Pcmu),
            8 => Encoding::Voice(Codec::Pcma),
            13 => Encoding::ComfortNoise,
            _ => Encoding::Foreign,
        })
    }

    /// Returns whether event 16, the flash, is among the events of `number`. Without
    /// a list the events are 0 to 15 (RFC 4733 §2.4.1).
    pub fn flash(&self, number: u8) -> bool {
        let list = self.formats.get(usize::from(number)).copied().flatten();
        list.is_some_and(|list| list.split(',').any(|range| covers(range, 16)))
    }

    const fn empty() -> Self {
        Self {
            encodings: [None; NUMBERS],
            formats: [None; NUMBERS],
            direction: None,
            ptime_ms: None,
            rtcp: None,
            rtcp_mux: false,
            crypto: false,
            capability: false,
        }
    }
}

/// True if `range`, "5" or "0-16", holds `event`.
fn covers(range: &str, event: u8) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.trim_matches(' ').parse::<u8>().ok();
    match (number(first), number(last)) {
        (Some(first), Some(last)) => (first..=last).contains(&event),
        _ => false,
    }
}

/// `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…`
fn crypto<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.crypto = true;
    Ok(())
}

/// `a=tcap:1 RTP/SAVP` and `a=pcfg:1 t=1`
fn capability<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.capability = true;
    Ok(())
}

/// `a=fmtp:101 0-16`; a line that is not of this form says nothing.
fn fmtp<'a>(traits: &mut Traits<'a>, value: &'a str) -> Result<(), Malformed> {
    if let Some((number, format)) = value.split_once(' ')
        && let Ok(number) = number.parse::<usize>()
        && let Some(place) = traits.formats.get_mut(number)
    {
        *place = Some(format);
    }
    Ok(())
}

/// `a=rtpmap:101 telephone-event/8000`; one that is not of this form says nothing.
fn rtpmap<'a>(traits: &mut Traits<'a>, value: &'a str) -> Result<(), Malformed> {
    if let Some((number, encoding)) = value.split_once(' ')
        && let Ok(number) = number.parse::<usize>()
        && let Some(place) = traits.encodings.get_mut(number)
    {
        *place = Some(encoding_of(encoding.trim_matches(' ')));
    }
    Ok(())
}

/// Encoding names are compared without case (RFC 8866 §6.6). The clock must be the
/// telephone's, for one channel.
fn encoding_of(text: &str) -> Encoding {
    let mut parts = text.split('/');
    let name = parts.next().unwrap_or_default();
    if parts.next() != Some("8000") || parts.next().is_some_and(|channels| channels != "1") {
        return Encoding::Foreign;
    }
    const NAMES: [(&str, Encoding); 4] = [
        ("PCMA", Encoding::Voice(Codec::Pcma)),
        ("PCMU", Encoding::Voice(Codec::Pcmu)),
        ("telephone-event", Encoding::Events),
        ("CN", Encoding::ComfortNoise),
    ];
    let found = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or(Encoding::Foreign, |(_, encoding)| *encoding)
}

/// `a=ptime:20`. It is a wish; one that G.711 cannot meet leaves the usual 20 ms.
fn ptime<'a>(traits: &mut Traits<'a>, value: &'a str) -> Result<(), Malformed> {
    let wish = value.parse().ok();
    traits.ptime_ms = wish.filter(|wish| [10, 20, 30, 40].contains(wish));
    Ok(())
}

/// `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4` (RFC 3605 §2.1). It says where
/// packets go, so it is right or the description is refused.
fn rtcp<'a>(traits: &mut Traits<'a>, value: &'a str) -> Result<(), Malformed> {
    let mut fields = value.split(' ');
    let port = fields.next().and_then(|port| port.parse().ok());
    let port = port.filter(|port| *port != 0).ok_or(Malformed::Rtcp)?;
    let address = match (fields.next(), fields.next(), fields.next(), fields.next()) {
        (None, ..) => None,
        (Some("IN"), Some(family), Some(address), None) => {
            Some(read_address(family, address).ok_or(Malformed::Rtcp)?)
        }
        _ => return Err(Malformed::Rtcp),
    };
    traits.rtcp = Some((port, address));
    Ok(())
}

fn rtcp_mux<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.rtcp_mux = true;
    Ok(())
}

fn inactive<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.direction = Some(Direction::Inactive);
    Ok(())
}

fn recvonly<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.direction = Some(Direction::RecvOnly);
    Ok(())
}

fn sendonly<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.direction = Some(Direction::SendOnly);
    Ok(())
}

fn sendrecv<'a>(traits: &mut Traits<'a>, _: &'a str) -> Result<(), Malformed> {
    traits.direction = Some(Direction::SendRecv);
    Ok(())
}
