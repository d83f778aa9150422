//! One leg's half of the media: offers and answers of its peer come in, ours go
//! out, and what both halves agree on becomes one row of the stream table
//! (RFC 3264 §5 to §8).

use alloc::string::String;

use sbc_config::Peer;
use sbc_config::peer::{Codec as Named, ComfortNoise, Dtmf, HoldFormat as Format};
use sbc_media::sdp::{
    Agreed, Choice, Codec, Direction, HoldFormat, Network, Own, Policy, Reach, Refusal,
    RemoteAnswer, RemoteAudio, RemoteOffer, Srtp, Wish,
};
use serde::{Deserialize, Serialize};

/// What was said on one leg, and what it came to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Half {
    pub own: Own,
    /// Their latest offer: one like it changes nothing.
    pub offered: Option<RemoteOffer>,
    /// Their latest description, offer or answer.
    pub theirs: Option<RemoteAudio>,
    pub agreed: Option<Agreed>,
    /// Our offer waits for an answer.
    pub waiting: bool,
}

/// What an offer of the peer asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asks {
    /// It is the one of before.
    Nothing,
    /// Another address, port or packet time: the other side need not know.
    Place,
    /// Hold, resume, another codec: the other side is told.
    Session,
}

impl Half {
    /// Returns a half on which nothing was said.
    #[must_use]
    pub const fn new(own: Own) -> Self {
        Self {
            own,
            offered: None,
            theirs: None,
            agreed: None,
            waiting: false,
        }
    }

    /// Reads an offer of the peer.
    ///
    /// # Errors
    /// What the peer hears.
    pub fn read_offer(&self, body: &[u8], policy: &Policy) -> Result<(RemoteOffer, Asks), Refusal> {
        let offer = RemoteOffer::read(body, policy)?;
        let asks = match (&self.offered, &self.theirs) {
            (Some(earlier), _) if offer.refreshes(earlier) => Asks::Nothing,
            (_, Some(theirs)) if same_session(theirs, &offer.audio) => Asks::Place,
            _ => Asks::Session,
        };
        Ok((offer, asks))
    }

    /// Takes an offer, and returns our answer to it.
    pub fn answer(&mut self, offer: RemoteOffer, choice: &Choice) -> String {
        let (text, agreed) = self.own.answer(&offer, choice);
        self.theirs = Some(offer.audio.clone());
        self.offered = Some(offer);
        self.agreed = Some(agreed);
        self.waiting = false;
        text
    }

    /// Returns an offer of ours.
    pub fn offer(&mut self, wish: &Wish) -> String {
        self.waiting = true;
        self.own.offer(wish)
    }

    /// Takes the peer's answer to our offer.
    ///
    /// # Errors
    /// When it is no answer to it.
    pub fn accept(&mut self, body: &[u8], policy: &Policy) -> Result<(), Refusal> {
        let answer = RemoteAnswer::read(body, &self.own, policy)?;
        self.agreed = Some(self.own.accept(&answer));
        self.theirs = Some(answer.audio);
        self.waiting = false;
        Ok(())
    }

    /// Returns the direction that the peer itself wants, and whether it holds by a zero
    /// address: what it answers to a hold of ours is not its wish, what it offered
    /// before is (RFC 6337 §5.3).
    #[must_use]
    pub fn wants(&self) -> (Direction, bool) {
        let said = |audio: &RemoteAudio| (audio.direction, audio.zero_address);
        let offered = self.offered.as_ref().map(|offer| &offer.audio);
        match &self.theirs {
            Some(theirs)
                if Some(theirs) != offered && self.own.direction() == Direction::SendRecv =>
            {
                said(theirs)
            }
            _ => offered.map(said).unwrap_or_default(),
        }
    }

    /// Returns the direction of this leg, as its peer means it.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.agreed
            .as_ref()
            .map_or(Direction::SendRecv, |agreed| agreed.direction)
    }
}

/// Whether an offer differs from what was said before in places only.
fn same_session(before: &RemoteAudio, now: &RemoteAudio) -> bool {
    before.direction == now.direction
        && before.zero_address == now.zero_address
        && before.payloads == now.payloads
}

/// Returns how the media of `peer` is treated; `own` are the node's addresses.
#[must_use]
pub fn policy(peer: &Peer, own: &[core::net::IpAddr]) -> Policy {
    let network = |network: &sbc_config::Network| Network {
        address: network.address(),
        prefix: network.length(),
    };
    Policy {
        codecs: peer.codecs.iter().map(|codec| codec_of(*codec)).collect(),
        events: peer.dtmf == Dtmf::Rfc4733,
        comfort_noise: peer.comfort_noise == ComfortNoise::Pass,
        hold: match peer.hold_format {
            Format::Inactive => HoldFormat::Inactive,
            Format::Sendonly => HoldFormat::SendOnly,
            Format::ZeroAddress => HoldFormat::ZeroAddress,
            Format::Pass => HoldFormat::Pass,
            Format::Absorb => HoldFormat::Absorb,
        },
        srtp: Srtp::Off,
        reach: Reach {
            media_from: peer.media_from.iter().map(network).collect(),
            own: own.to_vec(),
            loopback: false,
        },
    }
}

const fn codec_of(named: Named) -> Codec {
    match named {
        Named::Pcma => Codec::Pcma,
        Named::Pcmu => Codec::Pcmu,
    }
}
