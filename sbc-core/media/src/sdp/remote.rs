//! A peer's description and the policy for that peer go in; what it offers or answers
//! comes out as owned values, or the refusal (RFC 3264 §5, §6, §7).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::attribute::{Encoding, Traits};
use super::parse::{Malformed, Media, Session};
use super::{Direction, Events, Own, Payloads, Policy, Refusal, Srtp};

/// The audio stream as the peer's description has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RemoteAudio {
    /// Where it takes RTP; the zero address when it is on hold that way.
    pub rtp: SocketAddr,
    /// Where it takes RTCP (RFC 3605).
    pub rtcp: SocketAddr,
    /// It takes both on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// As the peer means it; a zero address takes nothing (RFC 3264 §8.4).
    pub direction: Direction,
    pub zero_address: bool,
    /// What it takes, as far as its policy allows, by its own numbers.
    pub payloads: Payloads,
    /// The packet time it would like, in milliseconds.
    pub ptime_ms: u8,
}

/// A media section that stays in place for as long as the dialog lives, though its
/// stream is off (RFC 3264 §8.2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Slot {
    pub kind: String,
    pub protocol: String,
    pub format: String,
}

/// What a peer offers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RemoteOffer {
    pub audio: RemoteAudio,
    /// All sections in order; ours is the one at `place`.
    pub slots: Vec<Slot>,
    pub place: usize,
}

/// What a peer answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RemoteAnswer {
    pub audio: RemoteAudio,
}

impl RemoteOffer {
    /// Reads an offer. The first audio section that can be taken is taken; the
    /// reason for refusing the first one stands if none can.
    pub fn read(bytes: &[u8], policy: &Policy) -> Result<Self, Refusal> {
        let session = Session::parse(bytes)?;
        let mut refusal = None;
        for (place, media) in session.media.iter().enumerate() {
            if media.kind != "audio" || media.port == 0 {
                continue;
            }
            match RemoteAudio::read(&session, media, policy) {
                Ok(audio) => {
                    let slots = session.media.iter().map(Slot::of).collect();
                    return Ok(Self {
                        audio,
                        slots,
                        place,
                    });
                }
                Err(reason) => {
                    refusal.get_or_insert(reason);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| without_audio(&session)))
    }

    /// Returns whether this offer changes nothing of `earlier`: a session refresh
    /// (RFC 4028 §7.4), answered on its own leg.
    pub fn refreshes(&self, earlier: &Self) -> bool {
        self == earlier
    }
}

impl RemoteAnswer {
    /// Reads the answer to the last offer of `own`.
    pub fn read(bytes: &[u8], own: &Own, policy: &Policy) -> Result<Self, Refusal> {
        let session = Session::parse(bytes)?;
        if session.media.len() != own.sections() {
            return Err(Malformed::Shape.into());
        }
        let media = session.media.get(own.place()).ok_or(Malformed::Shape)?;
        if media.kind != "audio" {
            return Err(Malformed::Shape.into());
        }
        if media.port == 0 {
            return Err(Refusal::Declined);
        }
        let mut audio = RemoteAudio::read(&session, media, policy)?;
        // An answer chooses among what was offered (RFC 3264 §6.1).
        if let Some(said) = own.payloads() {
            audio
                .payloads
                .codecs
                .retain(|(codec, _)| said.number(*codec).is_some());
            audio.payloads.events = audio.payloads.events.filter(|_| said.events.is_some());
            let noise = audio.payloads.comfort_noise;
            audio.payloads.comfort_noise = noise.filter(|_| said.comfort_noise.is_some());
            if audio.payloads.codecs.is_empty() {
                return Err(Refusal::NoCommonCodec {
                    wanted: said.names(),
                });
            }
        }
        Ok(Self { audio })
    }
}

impl RemoteAudio {
    fn read(session: &Session<'_>, media: &Media<'_>, policy: &Policy) -> Result<Self, Refusal> {
        let traits = Traits::read(session, media)?;
        check_profile(media.protocol, policy.srtp)?;
        let address = media
            .connection
            .or(session.connection)
            .ok_or(Refusal::NoAddress)?;
        let zero_address = address.is_unspecified();
        if !zero_address {
            policy.reach.check(address)?;
        }
        let rtcp = rtcp_address(media, &traits, address, policy)?;
        let direction = traits.direction.unwrap_or_default();
        let heard = if zero_address {
            Direction::SendOnly
        } else {
            Direction::SendRecv
        };
        Ok(Self {
            rtp: SocketAddr::new(address, media.port),
            rtcp,
            rtcp_mux: traits.rtcp_mux,
            direction: direction.limit(heard),
            zero_address,
            payloads: payloads(media.formats, &traits, policy)?,
            ptime_ms: traits.ptime_ms.unwrap_or(20),
        })
    }
}

impl Slot {
    fn of(media: &Media<'_>) -> Self {
        let format = media.formats.split(' ').next().unwrap_or_default();
        Self {
            kind: media.kind.to_string(),
            protocol: media.protocol.to_string(),
            format: format.to_string(),
        }
    }
}

/// What a description without a live audio section wants: a fax, or nothing.
fn without_audio(session: &Session<'_>) -> Refusal {
    let fax = |media: &Media<'_>| media.kind == "image" && media.port != 0;
    if session.media.iter().any(fax) {
        Refusal::T38
    } else {
        Refusal::NoAudio
    }
}

/// Keys beside `RTP/AVP` are a choice (RFC 5939), which a peer without SRTP leaves;
/// `RTP/SAVP` insists.
fn check_profile(protocol: &str, srtp: Srtp) -> Result<(), Refusal> {
    match (protocol, srtp) {
        ("RTP/AVP", Srtp::Off) => Ok(()),
        ("RTP/SAVP" | "RTP/SAVPF", Srtp::Off) => Err(Refusal::SrtpOff),
        _ => Err(Refusal::Profile),
    }
}

/// RFC 3605 §2.1, and RFC 3550 §11 where nothing is said; RFC 5761 §5.1.1 with
/// `a=rtcp-mux`, which may stand beside either.
fn rtcp_address(
    media: &Media<'_>,
    traits: &Traits<'_>,
    address: IpAddr,
    policy: &Policy,
) -> Result<SocketAddr, Refusal> {
    let Some((port, other)) = traits.rtcp else {
        let next = media.port.checked_add(1);
        let next = if traits.rtcp_mux {
            Some(media.port)
        } else {
            next
        };
        return Ok(SocketAddr::new(address, next.ok_or(Refusal::NoRtcpPort)?));
    };
    let other = other.unwrap_or(address);
    if !other.is_unspecified() {
        policy.reach.check(other)?;
    }
    Ok(SocketAddr::new(other, port))
}

/// What this node can carry of the formats, in the order of the list.
fn payloads(formats: &str, traits: &Traits<'_>, policy: &Policy) -> Result<Payloads, Refusal> {
    let mut payloads = Payloads::default();
    let numbers = formats.split(' ').filter_map(|format| format.parse().ok());
    for number in numbers.filter(|number| *number < 128_u8) {
        match traits.encoding(number) {
            Encoding::Voice(codec)
                if policy.codecs.contains(&codec) && payloads.number(codec).is_none() =>
            {
                // Two codecs, each once: there is room.
                let _ = payloads.codecs.push((codec, number));
            }
            Encoding::Events if policy.events => {
                let flash = traits.flash(number);
                payloads.events.get_or_insert(Events { number, flash });
            }
            Encoding::ComfortNoise if policy.comfort_noise => {
                payloads.comfort_noise.get_or_insert(number);
            }
            _ => {}
        }
    }
    if payloads.codecs.is_empty() {
        return Err(Refusal::NoCommonCodec {
            wanted: policy.codecs.clone(),
        });
    }
    Ok(payloads)
}
