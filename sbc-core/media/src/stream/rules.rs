//! What two legs agreed on goes in; what becomes of each payload number comes out.

use serde::{Deserialize, Serialize};

use crate::sdp::{Agreed, Codec};

/// Payload numbers a peer may use: two codecs, events, comfort noise.
const RULES: usize = 4;

/// All rules of one direction.
pub type Rules = heapless::Vec<Rule, RULES>;

/// What becomes of packets with one payload number. Those without a rule are dropped.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rule {
    /// The number the peer uses, which is ours.
    pub from: u8,
    /// The number the other side's peer knows it by.
    pub to: u8,
    pub action: Action,
}

/// What is done to a payload.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Action {
    AToU,
    /// A telephone event: it passes, and its timestamp says nothing of its pace.
    Event,
    Pass,
    UToA,
}

/// Returns the rules for media that flows from one leg's peer to the other's.
pub fn rules(from: &Agreed, to: &Agreed) -> Rules {
    let mut rules = Rules::new();
    for (codec, number) in &from.from_peer.codecs {
        // Four kinds of payload, each once: there is room.
        let _ = rules.push(voice(*codec, *number, to));
    }
    if let Some((ours, theirs)) = from.from_peer.events.zip(to.to_peer.events) {
        let _ = rules.push(Rule {
            from: ours.number,
            to: theirs.number,
            action: Action::Event,
        });
    }
    if let Some((from, to)) = from.from_peer.comfort_noise.zip(to.to_peer.comfort_noise) {
        let _ = rules.push(Rule {
            from,
            to,
            action: Action::Pass,
        });
    }
    rules
}

/// A law the other side knows passes; else it is converted to the one agreed on.
fn voice(codec: Codec, from: u8, to: &Agreed) -> Rule {
    if let Some(number) = to.to_peer.number(codec) {
        return Rule {
            from,
            to: number,
            action: Action::Pass,
        };
    }
    let action = match codec {
        Codec::Pcma => Action::AToU,
        Codec::Pcmu => Action::UToA,
    };
    let number = to.to_peer.number(to.codec).unwrap_or(to.codec.number());
    Rule {
        from,
        to: number,
        action,
    }
}
