//! The dialogs of one INVITE of ours: its responses come in, one dialog for
//! each tag goes out (RFC 3261 §12.1, §13.2.2.1, §13.2.2.4).

use alloc::vec::Vec;

use super::{
    facts::{Opening, Reply, Unfit},
    life::{Event, State},
    state::Dialog,
};
use crate::message::Uri;

/// Early dialogs of one INVITE: as many as a mediation server allows in its
/// standard configuration.
pub const MOST_EARLY: usize = 20;

/// All dialogs of one INVITE of ours.
#[derive(Clone, Debug)]
pub struct Forks {
    most: usize,
    dialogs: Vec<Dialog>,
}

/// Why a response makes no dialog.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unforked {
    #[error("the INVITE has {most} early dialogs, no more are kept")]
    TooMany { most: usize },
    #[error("{0}")]
    Unfit(#[from] Unfit),
}

impl Forks {
    /// Takes the most early dialogs to keep, at least 1.
    pub const fn new(most: usize) -> Self {
        Self {
            most: if most == 0 { 1 } else { most },
            dialogs: Vec::new(),
        }
    }

    /// Takes a response of 100 to 299 and its Record-Route URIs; returns its
    /// dialog. A 100, and a provisional response without a tag, has none.
    pub fn respond<'a>(
        &mut self,
        request: &Opening<'_>,
        reply: &Reply<'_>,
        record_route: impl IntoIterator<Item = Uri<'a>>,
    ) -> Result<Option<&mut Dialog>, Unforked> {
        let success = reply.is_success();
        if reply.status == 100 || (reply.tag.is_none() && !success) {
            return Ok(None);
        }
        let known = self
            .dialogs
            .iter()
            .position(|dialog| dialog.remote_tag() == reply.tag);
        if known.is_none() {
            self.make_room(success)?;
            let dialog = Dialog::as_uac(request, reply, record_route)?;
            self.dialogs.push(dialog);
            return Ok(self.dialogs.last_mut());
        }
        let dialog = known.and_then(|at| self.dialogs.get_mut(at));
        match dialog {
            Some(dialog) if success => {
                dialog.succeed(reply, record_route)?;
                Ok(Some(dialog))
            }
            other => Ok(other),
        }
    }

    /// A success needs its ACK and BYE whatever the count: the oldest early
    /// dialog makes room for it, as the INVITE is answered.
    fn make_room(&mut self, success: bool) -> Result<(), Unforked> {
        if self.dialogs.len() < self.most {
            return Ok(());
        }
        let early = |dialog: &Dialog| dialog.state() == State::Early;
        match self.dialogs.iter().position(early) {
            Some(oldest) if success => {
                self.dialogs.remove(oldest);
                Ok(())
            }
            _ => Err(Unforked::TooMany { most: self.most }),
        }
    }

    /// Takes note that the INVITE failed: every early dialog is over (RFC 3261
    /// §13.2.2.3).
    pub fn fail(&mut self) {
        for dialog in &mut self.dialogs {
            dialog.apply(Event::Failure);
        }
        self.dialogs
            .retain(|dialog| dialog.state() != State::Terminated);
    }

    /// Returns the dialog with this tag of theirs.
    pub fn get_mut(&mut self, tag: Option<&str>) -> Option<&mut Dialog> {
        self.dialogs
            .iter_mut()
            .find(|dialog| dialog.remote_tag() == tag)
    }

    /// Returns the dialog with this tag of theirs, and keeps it no more: the
    /// call goes on with it, or its BYE is on its way.
    pub fn take(&mut self, tag: Option<&str>) -> Option<Dialog> {
        let at = self
            .dialogs
            .iter()
            .position(|dialog| dialog.remote_tag() == tag)?;
        Some(self.dialogs.remove(at))
    }

    /// Takes a dialog back that was taken out for a moment.
    pub fn put(&mut self, dialog: Dialog) {
        self.dialogs.push(dialog);
    }

    /// Returns the dialogs, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs.iter()
    }
}

impl Default for Forks {
    fn default() -> Self {
        Self::new(MOST_EARLY)
    }
}

#[cfg(test)]
mod tests;
