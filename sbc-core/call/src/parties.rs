//! Who calls whom: the identities of one leg's request come in, those of the
//! other leg's go out (RFC 3261 §8.1.1, RFC 3323 §4.1, RFC 3325 §9).

use alloc::string::{String, ToString};

use sbc_config::Peer;
use sbc_config::node::Emergency;
use sbc_config::peer::Asserted;
use sbc_sip::message::{NameAddr, Uri};
use serde::{Deserialize, Serialize};

/// The longest number or user part that is taken over; RFC 3966 sets no limit,
/// our wire does.
pub const NUMBER_MAX: usize = 64;

/// Display names are for people; longer ones are cut here.
const DISPLAY_MAX: usize = 64;

/// A caller as one side names it, its number in E.164 where rules make it so.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Caller {
    pub number: Option<String>,
    pub display: Option<String>,
    /// Asserted by a peer that may assert (RFC 3325 §9.1).
    pub asserted: Option<String>,
    /// Who it is must not be shown to the one who is called.
    pub anonymous: bool,
}

/// What the other side is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// The user part of From; none is an anonymous caller.
    pub from: Option<String>,
    pub display: Option<String>,
    pub pai: Option<String>,
    pub ppi: Option<String>,
    /// `Privacy: id` goes along.
    pub private: bool,
}

impl Caller {
    /// Takes the From and the P-Asserted-Identity of a request of `peer`.
    #[must_use]
    pub fn new(
        peer: &Peer,
        from: &NameAddr<'_>,
        asserted: Option<&NameAddr<'_>>,
        privacy: bool,
    ) -> Self {
        let normal = |uri: &Uri<'_>| number(uri).map(|number| peer.numbers.inward(&number));
        let hidden = is_anonymous(&from.uri);
        Self {
            number: if hidden { None } else { normal(&from.uri) },
            display: if hidden { None } else { display(from) },
            asserted: asserted
                .filter(|_| peer.identity.trusted)
                .and_then(|asserted| normal(&asserted.uri)),
            anonymous: hidden || privacy,
        }
    }

    /// Returns what `peer` is told. `called` is the number that was called, which
    /// stands for the own number of a caller from outside (a forwarded call).
    #[must_use]
    pub fn told(&self, peer: &Peer, called: Option<&str>) -> Told {
        let identity = peer.identity;
        let number = self.asserted.as_deref().or(self.number.as_deref());
        let foreign = peer.name.is_trunk()
            && !peer.own_numbers.is_empty()
            && !number.is_some_and(|number| peer.owns(number));
        let choose = |wanted: Asserted| {
            let wanted = if foreign && wanted == Asserted::Original {
                identity.foreign
            } else {
                wanted
            };
            let pilot = peer.pilot_number.as_ref().map(sbc_config::Number::reveal);
            match wanted {
                Asserted::Original => number,
                Asserted::Did => called.filter(|did| peer.owns(did)).or(pilot),
                Asserted::Pilot => pilot,
                Asserted::None => None,
            }
            .map(|number| peer.numbers.outward(number))
        };
        let withheld = self.anonymous && !identity.trusted;
        let from = match identity.from {
            // The one who rings is shown to people; who vouches for the call is
            // another question (RFC 3325 §9.1).
            Asserted::Original => self.number.as_deref().map(|n| peer.numbers.outward(n)),
            wanted => choose(wanted),
        };
        Told {
            from: from.filter(|_| !self.anonymous),
            display: self.display.clone().filter(|_| !self.anonymous),
            pai: choose(identity.pai).filter(|_| !withheld),
            ppi: choose(identity.ppi).filter(|_| !withheld),
            private: self.anonymous,
        }
    }
}

/// Returns the number or the user part of `uri`: visual separators and user
/// parameters left out (RFC 3966 §5.1.1), escapes undone.
#[must_use]
pub fn number(uri: &Uri<'_>) -> Option<String> {
    let text: String = match uri {
        Uri::Tel(tel) => tel.number.to_string(),
        Uri::Sip(sip) => {
            sip.user?;
            let bytes = sip.user_bytes().take(NUMBER_MAX + 1);
            let mut text = String::with_capacity(NUMBER_MAX + 1);
            text.extend(bytes.map(char::from));
            text
        }
        Uri::Other { .. } => return None,
    };
    let bare = text.split(';').next().unwrap_or_default();
    let dialled = bare
        .chars()
        .all(|c| c.is_ascii_digit() || "+*#-.() ".contains(c));
    let mut clean = String::with_capacity(bare.len());
    clean.extend(bare.chars().filter(|c| !dialled || !"-.() ".contains(*c)));
    let fits = (1..=NUMBER_MAX).contains(&clean.len());
    (fits && clean.chars().all(|c| c.is_ascii_graphic())).then_some(clean)
}

/// Returns the emergency number that `peer` means by `dialled`, as the file has it: as
/// it is written, without a plus, or in E.164 by the rules of the peer. Only the
/// company's side dials for help; a provider delivers calls.
#[must_use]
pub fn help(emergency: &Emergency, peer: &Peer, dialled: &str) -> Option<String> {
    if peer.name.is_trunk() {
        return None;
    }
    let bare = dialled.trim_start_matches('+');
    let normal = peer.numbers.inward(dialled);
    [dialled, bare, &normal]
        .into_iter()
        .find(|number| emergency.is_emergency(number))
        .map(ToString::to_string)
}

/// Returns whether a From hides its caller (RFC 3323 §4.1.1.3).
fn is_anonymous(uri: &Uri<'_>) -> bool {
    let Some(sip) = uri.sip() else {
        return false;
    };
    let user = sip.user.unwrap_or_default();
    let host = matches!(sip.host, sbc_sip::message::Host::Name(name)
        if name.eq_ignore_ascii_case("anonymous.invalid"));
    host || user.eq_ignore_ascii_case("anonymous")
}

fn display(from: &NameAddr<'_>) -> Option<String> {
    let display = from.display.as_ref()?;
    let clean: String = display
        .chars()
        .filter(|c| !c.is_control())
        .take(DISPLAY_MAX)
        .collect();
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests;
