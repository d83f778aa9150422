//! Offer and answer of each early dialog of an INVITE of ours: a tag comes in, and the
//! leg's half of the media is that dialog's (RFC 3264 §4, RFC 6337 §3.1.1). One dialog
//! at a time has its half at the leg; the others' wait here.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sbc_media::sdp::Own;
use sbc_sip::dialog::reliable::Uac;

use super::media::Half;

/// One early dialog.
#[derive(Debug, Default)]
struct Early {
    tag: Option<Box<str>>,
    /// Which of its reliable provisional answers were heard.
    heard: Uac,
    /// Its half, unless that is at the leg.
    half: Option<Half>,
    /// Its answer came reliably, or was followed by an offer: descriptions in further
    /// answers to the INVITE say nothing new.
    firm: bool,
}

/// The early dialogs that said more than that they are there. There are at most as many
/// as [`sbc_sip::dialog::Forks`] keeps.
#[derive(Debug, Default)]
pub struct Earlies {
    all: Vec<Early>,
    /// Whose half is at the leg.
    at: Option<usize>,
    /// What the INVITE offered, if a dialog has moved on from there.
    offered: Option<Box<Own>>,
}

impl Earlies {
    /// Makes `half` that of the dialog with this tag of theirs. Returns whether its
    /// answer is firm.
    pub fn turn_to(&mut self, half: &mut Half, tag: Option<&str>) -> bool {
        let place = self.place(tag);
        if self.at != Some(place) {
            if let Some(before) = self.at {
                let waits = self.all.get_mut(place).and_then(|early| early.half.take());
                let next = waits.unwrap_or_else(|| self.fresh(half));
                let left = core::mem::replace(half, next);
                if let Some(early) = self.all.get_mut(before) {
                    early.half = Some(left);
                }
            }
            self.at = Some(place);
        }
        self.all.get(place).is_some_and(|early| early.firm)
    }

    /// Returns whether no dialog has said anything yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether the dialog with this tag of theirs has described itself.
    #[must_use]
    pub fn has_spoken(&self, tag: Option<&str>) -> bool {
        let place = self
            .all
            .iter()
            .position(|early| early.tag.as_deref() == tag);
        place.is_some_and(|place| {
            let waits = self
                .all
                .get(place)
                .is_some_and(|early| early.half.is_some());
            waits || self.at == Some(place)
        })
    }

    /// Notes that the answer of the dialog at the leg stands.
    pub fn firm(&mut self) {
        let at = self.at.and_then(|at| self.all.get_mut(at));
        if let Some(early) = at {
            early.firm = true;
        }
    }

    /// Keeps what the INVITE offered: the dialog at the leg is about to move on.
    pub fn move_on(&mut self, own: &Own) {
        if self.offered.is_none() {
            self.offered = Some(Box::new(own.clone()));
        }
    }

    /// Returns the count of the reliable answers of one dialog.
    pub fn heard(&mut self, tag: Option<&str>) -> Option<&mut Uac> {
        let place = self.place(tag);
        self.all.get_mut(place).map(|early| &mut early.heard)
    }

    fn fresh(&self, half: &Half) -> Half {
        let own = self.offered.as_deref().unwrap_or(&half.own);
        Half {
            waiting: true,
            ..Half::new(own.clone())
        }
    }

    fn place(&mut self, tag: Option<&str>) -> usize {
        let known = self
            .all
            .iter()
            .position(|early| early.tag.as_deref() == tag);
        known.unwrap_or_else(|| {
            self.all.push(Early {
                tag: tag.map(Into::into),
                ..Early::default()
            });
            self.all.len() - 1
        })
    }
}
