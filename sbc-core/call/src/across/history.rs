//! How a call was forwarded: History-Info or Diversion of one side comes in, what the
//! other side reads goes out, with our addresses in it (RFC 7544 §4 to §6, RFC 7044
//! §5, RFC 5806).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use sbc_config::Peer;
use sbc_config::peer::History;
use sbc_sip::message::history::{DIVERSIONS, LEVELS, to_diversions, to_history};
use sbc_sip::message::{
    Diversion, DiversionPrivacy, Field, HistoryInfo, Host, Privacy, Uri, Writer, each, single,
};
use sbc_sip::wire::{Frame, Name};

use crate::leg::Leg;
use crate::leg::address::{ANONYMOUS, local_uri, remote_uri};
use crate::parties;

/// A call that was forwarded more often is a loop: the most generous living limit on
/// forwarding is 20.
pub const FORWARDED_MAX: u16 = 20;

/// What one side tells of the way of a call.
#[derive(Debug)]
enum Told<'a> {
    Diversions(Vec<Diversion<'a>>),
    History(Vec<HistoryInfo<'a>>),
}

/// The way of a call, on its way to a peer.
#[derive(Debug)]
pub struct Way<'a> {
    told: Told<'a>,
    from: &'a Peer,
    to: &'a Peer,
    /// The caller wants the way hidden from those who are not trusted.
    private: bool,
}

impl<'a> Told<'a> {
    fn read(frame: &'a Frame) -> Option<Self> {
        let entries: Vec<HistoryInfo<'_>> = each(frame.all(Name::HistoryInfo))
            .flatten()
            .take(LEVELS)
            .collect();
        let diversions: Vec<Diversion<'_>> = each(frame.all(Name::Diversion))
            .flatten()
            .take(LEVELS)
            .collect();
        // Of two tellers the one that tells of a forwarding.
        if !diversions.is_empty() && to_diversions(&entries).is_empty() {
            return Some(Self::Diversions(diversions));
        }
        (!entries.is_empty()).then_some(Self::History(entries))
    }

    fn diversions(&self) -> Vec<Diversion<'a>> {
        match self {
            Self::Diversions(all) => all.iter().take(DIVERSIONS).copied().collect(),
            Self::History(entries) => to_diversions(entries),
        }
    }

    /// Returns the entries, and whether the last is where the call goes.
    fn history(&self) -> (Vec<HistoryInfo<'a>>, bool) {
        match self {
            Self::Diversions(all) => (to_history(all, ANONYMOUS), true),
            // What a mark of one maker says is said by causes, which all read.
            Self::History(all) if all.iter().any(|entry| entry.ms_reason.is_some()) => {
                (to_history(&to_diversions(all), ANONYMOUS), true)
            }
            Self::History(all) => (all.clone(), false),
        }
    }
}

/// Returns how often the call in `frame` was forwarded already.
#[must_use]
pub fn forwarded(frame: &Frame) -> u16 {
    let told = Told::read(frame);
    let all = told.map(|told| told.diversions()).unwrap_or_default();
    all.iter().map(|each| u16::from(each.count())).sum()
}

impl<'a> Way<'a> {
    /// Takes the caller's INVITE, its peer, and the peer that is called next; nothing
    /// if the call was not forwarded, or one of the two does not want to know.
    #[must_use]
    pub fn read(frame: &'a Frame, from: &'a Peer, to: &'a Peer) -> Option<Self> {
        if from.history == History::Off || to.history == History::Off {
            return None;
        }
        let privacy = single::<Privacy>(frame.all(Privacy::NAME));
        let privacy = privacy.ok().flatten().unwrap_or_default();
        Some(Self {
            told: Told::read(frame)?,
            from,
            to,
            private: privacy.has(Privacy::HISTORY) || privacy.has(Privacy::HEADER),
        })
    }

    /// Returns the number in E.164 that forwarded the call last and belongs to the
    /// called peer: the one that this peer bills.
    #[must_use]
    pub fn forwarder(&self) -> Option<String> {
        let own = |each: &Diversion<'_>| {
            let number = self.from.numbers.inward(&parties::number(&each.uri)?);
            self.to.owns(&number).then_some(number)
        };
        self.told.diversions().iter().find_map(own)
    }

    /// Writes the way as the called peer reads it. `user` is the number that is
    /// called, at `remote`.
    pub fn write(&self, writer: &mut Writer<'_>, leg: &Leg, remote: SocketAddr, user: &str) {
        let (diversion, history) = match self.to.history {
            History::Diversion => (true, false),
            History::HistoryInfo => (false, true),
            History::Both => (true, true),
            History::Off => (false, false),
        };
        if history {
            self.write_history(writer, leg, remote, user);
        }
        if diversion {
            self.write_diversions(writer, leg);
        }
    }

    fn write_diversions(&self, writer: &mut Writer<'_>, leg: &Leg) {
        for each in self.told.diversions() {
            let hidden = self.hides(!matches!(each.privacy, None | Some(DiversionPrivacy::Off)));
            let number = self.number(&each.uri);
            let uri = match &number {
                _ if hidden => ANONYMOUS,
                _ if is_nobody(&each.uri) => each.uri,
                Some(number) => local_uri(self.to, leg, number),
                None => continue,
            };
            writer.field(&Diversion {
                uri,
                display: each.display.filter(|_| !hidden),
                ..each
            });
        }
    }

    fn write_history(&self, writer: &mut Writer<'_>, leg: &Leg, remote: SocketAddr, user: &str) {
        let target = remote_uri(self.to, remote, user);
        let (entries, ends_with_target) = self.told.history();
        let last = entries.len().saturating_sub(1);
        for (place, entry) in entries.into_iter().enumerate() {
            let hidden = self.hides(
                entry.privacy.has(Privacy::HISTORY)
                    || entry.privacy.has(Privacy::ID)
                    || entry.privacy.has(Privacy::USER),
            );
            let number = self.number(&entry.uri);
            let uri = match &number {
                _ if ends_with_target && place == last => target,
                _ if hidden => ANONYMOUS,
                _ if is_nobody(&entry.uri) => entry.uri,
                Some(number) if number == user => target,
                Some(number) => local_uri(self.to, leg, number),
                None => ANONYMOUS,
            };
            writer.field(&HistoryInfo {
                uri,
                display: entry.display.filter(|_| !hidden),
                ms_reason: None,
                ..entry
            });
        }
    }

    fn hides(&self, wanted: bool) -> bool {
        (wanted || self.private) && !self.to.identity.trusted
    }

    /// Returns the number of a forwarder as the called peer writes it.
    fn number(&self, uri: &Uri<'_>) -> Option<String> {
        let number = parties::number(uri)?;
        Some(self.to.numbers.outward(&self.from.numbers.inward(&number)))
    }
}

/// Whether a URI stands for nobody in particular: no domain ends in `.invalid`.
fn is_nobody(uri: &Uri<'_>) -> bool {
    let Some(sip) = uri.sip() else {
        return false;
    };
    matches!(sip.host, Host::Name(name) if name.to_ascii_lowercase().ends_with(".invalid"))
}
