//! Our half of one leg: a wish becomes an offer, a peer's offer an answer, and both
//! together what was agreed (RFC 3264 §5, §6, §8). The text is always our own.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::remote::Slot;
use super::write::write;
use super::{
    Codec, Codecs, Direction, Events, Payloads, Policy, RemoteAnswer, RemoteAudio, RemoteOffer,
};

/// The payload number of telephone events where nothing else is known: what every
/// Mediation Server and provider uses.
const EVENTS: u8 = 101;

/// The static payload number of comfort noise (RFC 3389 §4).
const COMFORT_NOISE: u8 = 13;

/// Our side of one leg's session: where its media arrives, and what was said last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Own {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) session: u64,
    pub(super) version: u64,
    /// Milliseconds of speech in a packet that the peer is asked for.
    pub(super) ptime_ms: u8,
    /// The sections of the dialog, in order; empty before the first offer, which has
    /// one.
    pub(super) slots: Vec<Slot>,
    pub(super) place: usize,
    /// The number that means events on this leg. It keeps that meaning for as long
    /// as the session lives (RFC 3264 §8.3.2).
    events: Option<u8>,
    pub(super) said: Option<Said>,
}

/// What our description says beyond where and who.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Said {
    pub payloads: Payloads,
    pub direction: Direction,
    pub zero_address: bool,
    pub rtcp_mux: bool,
}

/// What an offer of ours shall hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wish {
    /// In order of preference.
    pub codecs: Codecs,
    pub events: Option<Events>,
    pub comfort_noise: bool,
    pub direction: Direction,
    /// Hold is said by `c=0.0.0.0` as well.
    pub zero_address: bool,
}

/// What an answer of ours shall choose from an offer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Choice {
    /// The codec of the far leg, so that nothing is converted, if it is offered.
    pub codec: Option<Codec>,
    pub events: Option<Events>,
    pub comfort_noise: bool,
    pub direction: Direction,
}

/// What offer and answer of one leg agree on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Agreed {
    /// The codec we send; one of `to_peer`.
    pub codec: Codec,
    /// What we may send, by the peer's numbers.
    pub to_peer: Payloads,
    /// What the peer may send, by our numbers.
    pub from_peer: Payloads,
    pub rtp: SocketAddr,
    pub rtcp: SocketAddr,
    pub rtcp_mux: bool,
    /// As the peer means it: it sends, it receives. Its last word, limited by ours.
    pub direction: Direction,
    pub zero_address: bool,
    pub ptime_ms: u8,
}

impl Own {
    /// Takes where the leg's media arrives and the id of its session, a random number.
    pub const fn new(address: IpAddr, port: u16, session: u64) -> Self {
        Self {
            address,
            port,
            // RFC 3264 §5: ids and versions stay below 2^62.
            session: session >> 2,
            version: 0,
            ptime_ms: 20,
            slots: Vec::new(),
            place: 0,
            events: None,
            said: None,
        }
    }

    /// Returns the same, asking the peer for packets of so many milliseconds.
    #[must_use]
    pub const fn asking_for(self, ptime_ms: u8) -> Self {
        let mut own = self;
        own.ptime_ms = ptime_ms;
        own
    }

    /// Returns the address that our `c=` line names.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the port our RTP arrives at; RTCP is the next one.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the direction that was said last.
    pub fn direction(&self) -> Direction {
        let said = self.said.as_ref();
        said.map_or(Direction::SendRecv, |said| said.direction)
    }

    /// Writes an offer. The version grows if it differs from what was said last.
    pub fn offer(&mut self, wish: &Wish) -> String {
        let number = |events: Events| self.events.unwrap_or(usable(events.number));
        let events = wish.events.map(|events| Events {
            number: number(events),
            ..events
        });
        self.events = events.map(|events| events.number).or(self.events);
        let payloads = Payloads {
            codecs: wish
                .codecs
                .iter()
                .map(|codec| (*codec, codec.number()))
                .collect(),
            events,
            comfort_noise: wish.comfort_noise.then_some(COMFORT_NOISE),
        };
        let (direction, zero_address) = (wish.direction, wish.zero_address);
        self.say(Said {
            payloads,
            direction,
            zero_address,
            rtcp_mux: false,
        })
    }

    /// Writes the answer to `offer`: one codec, by the offer's numbers, and the other
    /// sections turned off in place (RFC 3264 §6).
    pub fn answer(&mut self, offer: &RemoteOffer, choice: &Choice) -> (String, Agreed) {
        let audio = &offer.audio;
        let payloads = choose(&audio.payloads, choice);
        self.slots = offer.slots.clone();
        self.place = offer.place;
        self.events = payloads.events.map(|events| events.number).or(self.events);
        let direction = audio.direction.mirror().limit(choice.direction);
        let text = self.say(Said {
            payloads: payloads.clone(),
            direction,
            zero_address: false,
            rtcp_mux: audio.rtcp_mux,
        });
        (text, agree(audio, payloads.clone(), payloads, direction))
    }

    /// Returns what `answer` makes of our last offer.
    pub fn accept(&self, answer: &RemoteAnswer) -> Agreed {
        let audio = &answer.audio;
        let (ours, direction) = match &self.said {
            Some(said) => (said.payloads.clone(), said.direction),
            None => (audio.payloads.clone(), Direction::SendRecv),
        };
        let ours = Payloads {
            events: ours.events.filter(|_| audio.payloads.events.is_some()),
            comfort_noise: ours
                .comfort_noise
                .filter(|_| audio.payloads.comfort_noise.is_some()),
            ..ours
        };
        // Multiplexing is never offered, so it cannot be answered (RFC 5761 §5.1.1).
        let agreed = agree(audio, audio.payloads.clone(), ours, direction);
        Agreed {
            rtcp_mux: false,
            ..agreed
        }
    }

    /// Returns the last description as an offer of this direction. The version grows if
    /// it is another.
    pub fn turned(&mut self, direction: Direction, zero_address: bool) -> Option<String> {
        let said = self.said.clone()?;
        Some(self.say(Said {
            direction,
            zero_address,
            ..said
        }))
    }

    /// Returns the last description again, unchanged, for a refresh of our own
    /// (RFC 4028 §7.4).
    pub fn again(&self) -> Option<String> {
        self.said.as_ref().map(|said| write(self, said))
    }

    /// Leaves one version out: the peer took a description under it that counts no
    /// more, so the one before has to come again as a newer one (RFC 3264 §8).
    pub const fn skip_version(&mut self) {
        self.version += 2;
    }

    pub(super) fn sections(&self) -> usize {
        self.slots.len().max(1)
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }

    pub(super) fn payloads(&self) -> Option<&Payloads> {
        self.said.as_ref().map(|said| &said.payloads)
    }

    /// RFC 3264 §8: the version grows by one when the description changes, and only
    /// then.
    fn say(&mut self, said: Said) -> String {
        let before = self.again();
        let text = write(self, &said);
        self.said = Some(said);
        if before.as_ref() == Some(&text) {
            return text;
        }
        self.version += 1;
        self.again().unwrap_or(text)
    }
}

impl Wish {
    /// Returns the offer to a peer when nothing is known of the other leg.
    pub fn alone(policy: &Policy) -> Self {
        Self {
            codecs: policy.codecs.clone(),
            events: policy.events.then_some(Events {
                number: EVENTS,
                flash: true,
            }),
            comfort_noise: policy.comfort_noise,
            direction: Direction::SendRecv,
            zero_address: false,
        }
    }

    /// Returns the first offer to a peer for what the other leg's peer says: its
    /// codecs first, then those that need conversion. A call cannot begin on hold for
    /// this peer; its media is dropped until the other opens the stream.
    pub fn first(far: &RemoteAudio, policy: &Policy) -> Self {
        let ours = |codec: &Codec| policy.codecs.contains(codec);
        let mut codecs: Codecs = far.payloads.names().into_iter().filter(ours).collect();
        for codec in &policy.codecs {
            if !codecs.contains(codec) {
                // Two codecs, each once: there is room.
                let _ = codecs.push(*codec);
            }
        }
        Self {
            codecs,
            events: far.payloads.events.filter(|_| policy.events),
            comfort_noise: policy.comfort_noise && far.payloads.comfort_noise.is_some(),
            direction: Direction::SendRecv,
            zero_address: false,
        }
    }

    /// Returns a later offer, with direction and hold as this peer is told them.
    /// `None` when a hold is kept from it.
    pub fn later(far: &RemoteAudio, policy: &Policy) -> Option<Self> {
        let (direction, zero_address) = policy.hold.say(far.direction, far.zero_address)?;
        Some(Self {
            direction,
            zero_address,
            ..Self::first(far, policy)
        })
    }
}

impl Choice {
    /// Returns the choice for an answer before anything is known of the other leg.
    pub const fn alone(policy: &Policy) -> Self {
        Self {
            codec: None,
            events: if policy.events {
                Some(Events {
                    number: EVENTS,
                    flash: true,
                })
            } else {
                None
            },
            comfort_noise: policy.comfort_noise,
            direction: Direction::SendRecv,
        }
    }

    /// Returns the choice that suits what the other leg agreed on, for an answer of
    /// `direction`.
    pub const fn after(far: &Agreed, direction: Direction) -> Self {
        Self {
            codec: Some(far.codec),
            events: far.to_peer.events,
            comfort_noise: far.to_peer.comfort_noise.is_some(),
            direction,
        }
    }
}

/// The far leg's codec if it is offered, else the first; events and noise only as
/// far as both sides have them.
fn choose(offered: &Payloads, choice: &Choice) -> Payloads {
    let same = |entry: &&(Codec, u8)| Some(entry.0) == choice.codec;
    let codec = offered.codecs.iter().find(same).or(offered.codecs.first());
    let both = |(ours, far): (Events, Events)| Events {
        flash: ours.flash && far.flash,
        ..ours
    };
    Payloads {
        codecs: codec.copied().into_iter().collect(),
        events: offered.events.zip(choice.events).map(both),
        comfort_noise: offered.comfort_noise.filter(|_| choice.comfort_noise),
    }
}

/// `ours` is the direction as our own description says it.
fn agree(audio: &RemoteAudio, to: Payloads, from: Payloads, ours: Direction) -> Agreed {
    Agreed {
        codec: to.codecs.first().map_or(Codec::Pcma, |(codec, _)| *codec),
        to_peer: to,
        from_peer: from,
        rtp: audio.rtp,
        rtcp: audio.rtcp,
        rtcp_mux: audio.rtcp_mux,
        direction: audio.direction.limit(ours.mirror()),
        zero_address: audio.zero_address,
        ptime_ms: audio.ptime_ms,
    }
}

/// A number from the dynamic range (RFC 3551 §6), else the usual one.
const fn usable(number: u8) -> u8 {
    if number >= 96 { number } else { EVENTS }
}
