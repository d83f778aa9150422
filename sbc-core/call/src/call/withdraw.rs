//! A change that crosses and that nobody waits for any more: cancelled by who asked,
//! or not answered in time. It is cancelled on the other side, and undone if it was
//! accepted meanwhile (RFC 3261 §9.1, §9.2, §14.1).

use core::time::Duration;

use sbc_sip::Instant;
use sbc_sip::dialog::{exchange, life};
use sbc_sip::message::{Method, Response, Status};
use sbc_sip::transaction::branch::Branch;
use sbc_sip::transaction::layer::ServerId;

use super::{Call, Phase};
use crate::Side;
use crate::engine::{Desk, Owner};
use crate::leg::{Asking, Errand, Leg};

/// A re-INVITE of ours that was heard is waited for this long. Its Timer B ended with
/// the first 100; no person is asked about a hold, and an UPDATE that asks for one
/// gives up after 32 s (Timer F).
const CHANGES_WITHIN: Duration = Duration::from_secs(30);

impl Call {
    /// Takes a change back that crosses: who asked for it hears `status`, the other
    /// side CANCEL.
    pub(super) fn withdraw(&mut self, desk: &mut Desk, status: Status) {
        let Some(crossing) = &self.crossing else {
            return;
        };
        let other = crossing.from.other();
        if let Some(far) = self.leg_mut(other) {
            for ask in far.asking.iter_mut() {
                if ask.what == Errand::Change {
                    ask.what = Errand::Withdrawn;
                }
            }
            far.cancel_changes(desk);
        }
        self.crossed(desk, Err(status.code()));
    }

    /// Gives up re-INVITEs of leg `at` that were waited for long enough.
    pub(super) fn change_due(&mut self, desk: &mut Desk, at: usize) {
        let now = desk.now;
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let due = |ask: &&Asking| ask.until.is_some_and(|until| until <= now);
        let Some(what) = leg.asking.iter().find(due).map(|ask| ask.what) else {
            return;
        };
        leg.cancel_changes(desk);
        if what == Errand::Change {
            // RFC 3311 §5.2: 504 is of the request alone, 408 would end the dialog.
            self.withdraw(desk, Status::SERVER_TIME_OUT);
        }
    }

    /// Takes the final answer to a change that was taken back. A 2xx crossed our
    /// CANCEL: the peer is offered again what held before.
    pub(super) fn withdrawn_answered(
        &mut self,
        desk: &mut Desk,
        at: usize,
        asking: &Asking,
        answer: &Response<'_>,
    ) {
        let side = if at == 0 { Side::A } else { Side::B };
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        leg.close(exchange::Event::Done, false);
        leg.half.waiting = false;
        if answer.status.is_success() {
            leg.acknowledge_change(desk, owner, asking);
            leg.refreshed(desk, answer);
            if self.phase == Phase::Talking {
                leg.half.own.skip_version();
                self.refresh(desk, side, Some(Method::Invite));
            }
        } else if life::loses_dialog(Method::Invite, answer.status.code()) {
            self.lost_dialog(desk, side);
        }
    }
}

impl Leg {
    /// Cancels our INVITEs inside the dialog; their final answers are still to come, or
    /// are given up by their transactions (RFC 3261 §9.1).
    pub(super) fn cancel_changes(&mut self, desk: &mut Desk) {
        for ask in self.asking.iter_mut().filter(|ask| ask.what.is_change()) {
            ask.until = None;
            desk.cancel(ask.branch, None);
        }
    }

    /// The peer has our re-INVITE with this branch, and takes its time.
    pub(super) fn change_heard(&mut self, now: Instant, branch: Branch) {
        let heard = |ask: &&mut Asking| {
            ask.branch == branch && matches!(ask.what, Errand::Change | Errand::Refresh)
        };
        if let Some(ask) = self.asking.iter_mut().find(heard) {
            ask.until.get_or_insert(now + CHANGES_WITHIN);
        }
    }

    /// Returns whether the request of the peer with this name waits for the other side.
    pub(super) fn waits_for(&self, id: ServerId) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.id == id)
    }
}
