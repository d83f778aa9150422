//! SDP both ways: a peer's text becomes a [`RemoteOffer`] or [`RemoteAnswer`], our
//! half of a leg ([`Own`]) writes its own, and the two become [`Agreed`]
//! (RFC 8866, RFC 3264, RFC 6337). Nothing of one leg's text reaches the other.

mod address;
mod attribute;
mod direction;
mod own;
mod parse;
mod refusal;
mod remote;
mod write;

pub use address::{Network, Reach, Unreachable};
pub use direction::{Direction, HoldFormat};
pub use own::{Agreed, Choice, Own, Wish};
pub use parse::{Malformed, Session};
pub use refusal::Refusal;
pub use remote::{RemoteAnswer, RemoteAudio, RemoteOffer, Slot};

use serde::{Deserialize, Serialize};

/// The two laws of G.711, the only codecs there are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Codec {
    Pcma,
    Pcmu,
}

impl Codec {
    /// Returns the static payload number (RFC 3551 §6).
    pub const fn number(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// Returns the encoding name (RFC 3551 §6).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }
}

/// Codecs in order of preference, each at most once.
pub type Codecs = heapless::Vec<Codec, 2>;

/// Telephone events (RFC 4733): their payload number, and whether event 16, the
/// hook flash, is among them beside 0 to 15.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Events {
    pub number: u8,
    pub flash: bool,
}

/// What one side may send and by which payload numbers: the numbers of the SDP of
/// the side that receives (RFC 3264 §5.1).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Payloads {
    /// In order of preference, each codec once.
    pub codecs: heapless::Vec<(Codec, u8), 2>,
    pub events: Option<Events>,
    pub comfort_noise: Option<u8>,
}

impl Payloads {
    /// Returns the payload number of `codec`, if it is among them.
    pub fn number(&self, codec: Codec) -> Option<u8> {
        self.codecs
            .iter()
            .find(|(listed, _)| *listed == codec)
            .map(|(_, number)| *number)
    }

    /// Returns the codecs alone, in order.
    pub fn names(&self) -> Codecs {
        self.codecs.iter().map(|(codec, _)| *codec).collect()
    }
}

/// How the media of one peer is treated.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The codecs it may use, ours to prefer first.
    pub codecs: Codecs,
    /// Whether telephone events are carried (RFC 4733).
    pub events: bool,
    /// Whether comfort noise is carried (RFC 3389).
    pub comfort_noise: bool,
    /// How hold is said to this peer.
    pub hold: HoldFormat,
    pub srtp: Srtp,
    pub reach: Reach,
}

/// Whether a peer's media is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Srtp {
    /// Plain RTP: an offer that insists on SRTP is refused, a choice is answered plain.
    Off,
}

#[cfg(test)]
mod tests;
