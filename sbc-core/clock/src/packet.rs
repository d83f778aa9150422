//! One packet of SNTP (RFC 4330 §4): a cookie comes in and a question goes out; octets
//! come in and an answer, or why it is none, goes out.

use core::time::Duration;

use crate::{EARLIEST, Moment, SECOND};

/// Octets of a packet without extensions (RFC 5905 §7.3).
pub const LENGTH: usize = 48;

/// A server farther from its reference is not asked (RFC 5905 §11.1: MAXDIST).
pub const ROOT_DISTANCE_MAX: Duration = Duration::from_millis(1500);

/// Leap 0, version 4, mode 3: a client (RFC 4330 §5).
const QUESTION: u8 = 0x23;

/// The version of the packets, and the one before, which says the same.
const VERSIONS: [u8; 2] = [4, 3];

/// The mode of a server.
const SERVER: u8 = 4;

/// What a server says whose own clock is not set.
const UNSYNCHRONISED: u8 = 3;

/// Above it a server has no reference (RFC 5905 §7.3).
const STRATUM_MAX: u8 = 15;

/// Seconds from 1900 to 1970.
const TO_1970: i64 = 2_208_988_800;

/// Seconds after which a timestamp begins anew (RFC 4330 §3).
const ERA: i64 = 1 << 32;

/// Why a packet is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error("it has {0} octets")]
    Length(usize),
    #[error("it has version {0}")]
    Version(u8),
    #[error("it has mode {0}")]
    Mode(u8),
    #[error("it answers no question of ours")]
    Origin,
    #[error("it asks to be left alone ({})", .0.word())]
    Kiss(Kiss),
    #[error("its own clock is not set")]
    Unsynchronised,
    #[error("it has stratum {0}")]
    Stratum(u8),
    #[error("it is too far from its reference")]
    Distance,
    #[error("its times do not follow each other")]
    Times,
}

impl Unfit {
    /// Returns whether whoever sent it knew our question. The others may be anybody's,
    /// and the answer may still come.
    #[must_use]
    pub const fn knew_the_question(&self) -> bool {
        !matches!(
            self,
            Self::Length(_) | Self::Version(_) | Self::Mode(_) | Self::Origin
        )
    }
}

/// A kiss-o'-death (RFC 5905 §7.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kiss {
    /// `DENY` or `RSTR`: ask somebody else.
    Deny,
    /// `RATE`: ask less often.
    Rate,
    /// Any other, which says nothing of asking.
    Other,
}

impl Kiss {
    /// Returns the word of the RFC.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "DENY",
            Self::Rate => "RATE",
            Self::Other => "another kiss",
        }
    }
}

/// What a server said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    pub stratum: u8,
    /// Half the way to its reference, and what its clock may have wandered.
    pub root_distance: Duration,
    /// When it heard us and when it answered.
    received: u64,
    transmitted: u64,
}

/// Returns a question. The cookie stands where our time would: it is what the answer
/// must show, and tells nobody our clock (RFC 4330 §5).
#[must_use]
pub fn question(cookie: u64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    if let Some(first) = packet.first_mut() {
        *first = QUESTION;
    }
    if let Some(place) = packet.last_chunk_mut() {
        *place = cookie.to_be_bytes();
    }
    packet
}

impl Answer {
    /// Reads an answer to the question with this cookie (RFC 4330 §5, RFC 5905 §8).
    /// What follows the first 48 octets is not looked at.
    ///
    /// # Errors
    /// When it is none that may be believed.
    pub fn read(octets: &[u8], cookie: u64) -> Result<Self, Unfit> {
        let Some(packet) = octets.first_chunk::<LENGTH>() else {
            return Err(Unfit::Length(octets.len()));
        };
        let [first, stratum, ..] = *packet;
        let (leap, version, mode) = (first >> 6, (first >> 3) & 7, first & 7);
        if !VERSIONS.contains(&version) {
            return Err(Unfit::Version(version));
        }
        if mode != SERVER {
            return Err(Unfit::Mode(mode));
        }
        if long(packet, 24) != cookie {
            return Err(Unfit::Origin);
        }
        if stratum == 0 {
            return Err(Unfit::Kiss(match &short(packet, 12).to_be_bytes() {
                b"DENY" | b"RSTR" => Kiss::Deny,
                b"RATE" => Kiss::Rate,
                _ => Kiss::Other,
            }));
        }
        if leap == UNSYNCHRONISED {
            return Err(Unfit::Unsynchronised);
        }
        if stratum > STRATUM_MAX {
            return Err(Unfit::Stratum(stratum));
        }
        let root_distance = span(short(packet, 4)) / 2 + span(short(packet, 8));
        if root_distance >= ROOT_DISTANCE_MAX {
            return Err(Unfit::Distance);
        }
        let (received, transmitted) = (long(packet, 32), long(packet, 40));
        if received == 0 || transmitted == 0 {
            return Err(Unfit::Times);
        }
        Ok(Self {
            stratum,
            root_distance,
            received,
            transmitted,
        })
    }

    /// Returns when the server heard us and when it answered; the era is the one that
    /// lies nearest to `near` (RFC 4330 §3).
    #[must_use]
    pub fn times(&self, near: Moment) -> (Moment, Moment) {
        let near = near.max(EARLIEST);
        (
            unfolded(self.received, near),
            unfolded(self.transmitted, near),
        )
    }
}

fn unfolded(stamp: u64, near: Moment) -> Moment {
    let seconds = i64::try_from(stamp >> 32).unwrap_or(0) - TO_1970;
    let eras = (near / SECOND - seconds + ERA / 2).div_euclid(ERA);
    let fraction = ((stamp & 0xffff_ffff) * 1_000_000_000) >> 32;
    let nanos = i64::try_from(fraction).unwrap_or(0);
    let whole = seconds.saturating_add(eras.saturating_mul(ERA));
    whole.saturating_mul(SECOND).saturating_add(nanos)
}

/// Sixteen bits of seconds, sixteen behind the point (RFC 5905 §6).
fn span(short: u32) -> Duration {
    Duration::from_nanos((u64::from(short) * 1_000_000_000) >> 16)
}

fn short(packet: &[u8; LENGTH], at: usize) -> u32 {
    let octets = packet.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u32::from_be_bytes(*octets))
}

fn long(packet: &[u8; LENGTH], at: usize) -> u64 {
    let octets = packet.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u64::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests;
