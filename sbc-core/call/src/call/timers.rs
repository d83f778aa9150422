//! The moments of a call: when the next is, and what is due then.

use sbc_sip::Instant;
use sbc_sip::dialog::session_timer::Due;
use sbc_sip::dialog::{reliable, two_xx};
use sbc_sip::message::Status;

use super::{Call, Phase};
use crate::Side;
use crate::engine::{Desk, Owner};
use crate::leg::{Leg, Opening};
use crate::story::{ReleasedBy, Why};

impl Call {
    /// Returns when this call next wants to be woken.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Instant> {
        let again = self.crossing.as_ref().and_then(|c| c.again_at);
        let own = [self.guard, self.patience, again, self.numbers_until];
        let legs = self.legs.iter().filter_map(Leg::next_wakeup);
        own.into_iter().flatten().chain(legs).min()
    }

    /// Does what is due.
    pub fn wakeup(&mut self, desk: &mut Desk) {
        let now = desk.now;
        let due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if due(self.guard) {
            self.guard_fires(desk);
        }
        if due(self.patience) {
            self.out_of_patience(desk);
        }
        if due(self.crossing.as_ref().and_then(|c| c.again_at)) {
            self.ask_again(desk);
        }
        if due(self.numbers_until) {
            self.tell(desk);
        }
        for at in 0..self.legs.len() {
            self.wake_leg(desk, at);
        }
    }

    fn wake_leg(&mut self, desk: &mut Desk, at: usize) {
        let now = desk.now;
        let side = if at == 0 { Side::A } else { Side::B };
        let owner = Owner::Call(self.key, side);
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        leg.forget_acks(now);
        let unconfirmed = leg.repeat_success(desk, owner);
        let unacknowledged = leg.repeat_provisional(desk, owner);
        let timer = leg.timer.as_mut().and_then(|timer| timer.wakeup(now));
        if unconfirmed {
            self.finish(desk, Why::NoAck, ReleasedBy::Node, Status::OK);
        }
        if unacknowledged {
            self.finish(desk, Why::NoAck, ReleasedBy::Node, Status::SERVER_TIME_OUT);
        }
        self.timer_due(desk, side, timer);
        self.change_due(desk, at);
    }

    /// Does what a session timer asks for (RFC 4028 §10).
    pub(super) fn timer_due(&mut self, desk: &mut Desk, side: Side, due: Option<Due>) {
        if self.phase != Phase::Talking {
            return;
        }
        match due {
            Some(Due::Refresh(method)) => self.refresh(desk, side, Some(method)),
            Some(Due::Bye) => self.finish(desk, Why::SessionTimer, ReleasedBy::Node, Status::OK),
            None => {}
        }
    }
}

impl Leg {
    fn next_wakeup(&self) -> Option<Instant> {
        let acks = match &self.opening {
            Opening::Ours(calling) if calling.answered => calling.acks.next_wakeup(),
            _ => None,
        };
        let success = self.success.as_ref().and_then(|s| s.repeat.next_wakeup());
        let reliable = self.reliable.as_ref().and_then(|r| r.uas.next_wakeup());
        // The session is over with the dialog: its timer has nothing to say.
        let talking = self
            .dialog
            .as_ref()
            .is_some_and(|dialog| dialog.state() == sbc_sip::dialog::life::State::Confirmed);
        let timer = self.timer.as_ref().filter(|_| talking);
        let timer = timer.and_then(sbc_sip::dialog::session_timer::SessionTimer::next_wakeup);
        let changes = self.asking.iter().filter_map(|ask| ask.until);
        let own = [acks, success, reliable, timer].into_iter().flatten();
        own.chain(changes).min()
    }

    /// Sends our 2xx again if it is due. Returns true when no ACK ever came.
    fn repeat_success(&mut self, desk: &mut Desk, owner: Owner) -> bool {
        let Some(success) = &mut self.success else {
            return false;
        };
        match success.repeat.wakeup(desk.now) {
            Some(two_xx::Due::Retransmit) => {
                let (id, bytes) = (success.id, success.bytes.clone());
                desk.respond(Some(owner), id, Status::OK, bytes);
                false
            }
            Some(two_xx::Due::Bye) => {
                self.success = None;
                self.close(sbc_sip::dialog::exchange::Event::Confirmed, false);
                if let Some(cause) = self.bye_due.take() {
                    self.hang_up(desk, owner, cause);
                }
                true
            }
            None => false,
        }
    }

    /// Sends our reliable provisional answer again if it is due. Returns true
    /// when no PRACK ever came.
    fn repeat_provisional(&mut self, desk: &mut Desk, owner: Owner) -> bool {
        let Some(kept) = &mut self.reliable else {
            return false;
        };
        match kept.uas.wakeup(desk.now) {
            Some(reliable::Due::Retransmit) => {
                let (status, bytes) = (kept.status, kept.bytes.clone());
                if let Opening::Theirs(asked) = &self.opening {
                    desk.respond(Some(owner), asked.id, status, bytes);
                }
                false
            }
            Some(reliable::Due::Reject) => {
                self.reliable = None;
                true
            }
            None => false,
        }
    }
}
