//! Why a peer's session description is not accepted, and what the peer hears:
//! a status (RFC 3261 §21.4.26) and a warning (RFC 3261 §20.43).

use super::parse::Malformed;
use super::{Codecs, Unreachable};

/// Why a description was refused. Each reason is one answer; its text names only
/// what the peer itself wrote.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("malformed SDP: {0}")]
    Malformed(#[from] Malformed),
    #[error("media address refused: {0}")]
    Address(#[from] Unreachable),
    #[error("no audio offered")]
    NoAudio,
    #[error("audio declined in the answer")]
    Declined,
    #[error("no common codec: {} missing", Listed(.wanted))]
    NoCommonCodec { wanted: Codecs },
    #[error("no connection address for the audio")]
    NoAddress,
    #[error("no port for RTCP after RTP port 65535")]
    NoRtcpPort,
    #[error("RTP/SAVP offered, but SRTP is off for this peer: RTP/AVP missing")]
    SrtpOff,
    #[error("media profile is not supported: RTP/AVP missing")]
    Profile,
    #[error("T.38 fax is not supported: audio PCMA or PCMU missing")]
    T38,
}

impl Refusal {
    /// Returns the status code the peer hears: 403 for an address of another network
    /// than its own, else 488.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Address(Unreachable::OutsideNetworks(_)) => 403,
            _ => 488,
        }
    }

    /// Returns the code of the warning that goes along (RFC 3261 §20.43).
    pub const fn warning(&self) -> u16 {
        match self {
            Self::Address(_) | Self::Malformed(_) => 399,
            Self::Declined | Self::NoAudio | Self::T38 => 304,
            Self::NoAddress | Self::NoRtcpPort => 301,
            Self::NoCommonCodec { .. } => 305,
            Self::Profile | Self::SrtpOff => 302,
        }
    }
}

struct Listed<'a>(&'a Codecs);

impl core::fmt::Display for Listed<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (place, codec) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { " or " };
            write!(out, "{gap}{}", codec.name())?;
        }
        Ok(())
    }
}
