//! Answers to requests of ours, by their branch, and requests that got none
//! (RFC 3261 §8.1.3.1: silence is 408, a dead transport 503).

use sbc_sip::dialog::life;
use sbc_sip::message::{Method, Response, Status};
use sbc_sip::transaction::branch::Branch;

use super::answer::is_opening;
use super::{Call, Phase};
use crate::Side;
use crate::engine::{Desk, Owner};
use crate::leg::{Asking, Errand};
use crate::story::{ReleasedBy, Why};

impl Call {
    /// Takes the answer to the request with `branch`.
    pub fn response(&mut self, desk: &mut Desk, branch: Branch, answer: &Response<'_>) {
        let Some(at) = self.leg_of(branch) else {
            return;
        };
        if at == 0 || self.current == Some(at) {
            let side = if at == 0 { Side::A } else { Side::B };
            self.hear_session(side, answer.frame);
        }
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        if is_opening(leg, branch) {
            self.invite_answered(desk, at, answer);
            return;
        }
        if answer.status.is_provisional() {
            if answer.cseq.method == Method::Invite {
                leg.change_heard(desk.now, branch);
            }
            return;
        }
        let Some(asking) = leg.returned(branch) else {
            self.copy_of_success(desk, at, branch);
            return;
        };
        match asking.what {
            Errand::Change => self.change_answered(desk, at, &asking, answer),
            Errand::Withdrawn => self.withdrawn_answered(desk, at, &asking, answer),
            Errand::Refresh => self.refresh_answered(desk, at, &asking, answer),
            Errand::Bye | Errand::LastBye => self.bye_done(at),
            Errand::Aside => {}
        }
    }

    /// A copy of the 2xx to a re-INVITE wants its ACK again.
    fn copy_of_success(&self, desk: &mut Desk, at: usize, branch: Branch) {
        let side = if at == 0 { Side::A } else { Side::B };
        if let Some(leg) = self.legs.get(at)
            && let Some(ack) = leg.ack_again(branch)
        {
            let to = desk.next_hop(leg);
            desk.send_ack(Owner::Call(self.key, side), to, ack.clone());
        }
    }

    /// The request with `branch` got no answer, or could not be sent.
    pub fn lost(&mut self, desk: &mut Desk, branch: Branch, status: Status) {
        let Some(at) = self.leg_of(branch) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        if is_opening(leg, branch) {
            let why = match status {
                Status::REQUEST_TIMEOUT => "no answer",
                _ => "unreachable",
            };
            self.invite_lost(desk, at, why);
            return;
        }
        if let Some(asking) = leg.returned(branch) {
            self.errand_lost(desk, at, &asking, status);
        }
    }

    fn errand_lost(&mut self, desk: &mut Desk, at: usize, asking: &Asking, status: Status) {
        let side = if at == 0 { Side::A } else { Side::B };
        let (owner, cause) = (Owner::Call(self.key, side), self.last_cause());
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        if asking.what.is_change() {
            leg.close(sbc_sip::dialog::exchange::Event::Done, false);
            leg.half.waiting = false;
        }
        let unsent = status != Status::REQUEST_TIMEOUT;
        match asking.what {
            Errand::Bye if unsent && leg.bye_again(desk, owner, cause) => {}
            Errand::Bye | Errand::LastBye => self.bye_done(at),
            // A dialog that answered nothing but a cancelled change is not lost yet.
            Errand::Aside | Errand::Withdrawn => {}
            // A 503 is of the request alone (RFC 3261 §8.1.3.1).
            Errand::Change if unsent => self.crossed(desk, Err(status.code())),
            Errand::Change => {
                self.crossed(desk, Err(status.code()));
                self.unanswered(desk, at);
            }
            Errand::Refresh => {
                let leg = self.legs.get_mut(at);
                let due = leg
                    .and_then(|leg| leg.timer.as_mut())
                    .and_then(|timer| timer.unanswered(desk.now, status.code()));
                self.timer_due(desk, side, due);
            }
        }
    }

    /// Nothing at all answered a request of ours inside the dialog of leg `at`, which
    /// ends with a BYE (RFC 3261 §12.2.1.2): by another connection, since this one may
    /// be dead.
    fn unanswered(&mut self, desk: &mut Desk, at: usize) {
        if let Some(leg) = self.legs.get_mut(at)
            && let Some(way) = desk.way_back(leg)
        {
            leg.to = way;
        }
        self.finish(desk, Why::TransportLost, ReleasedBy::Node, Status::OK);
    }

    /// Our BYE is answered, whatever the answer: the dialog is over.
    fn bye_done(&mut self, at: usize) {
        if let Some(leg) = self.legs.get_mut(at) {
            if let Some(dialog) = &mut leg.dialog {
                dialog.apply(life::Event::ByeDone);
            }
            leg.success = None;
        }
    }

    /// An operator ends the call.
    pub fn clear(&mut self, desk: &mut Desk) {
        let status = match self.phase {
            Phase::Inviting => Status::SERVICE_UNAVAILABLE,
            Phase::Talking | Phase::Ending => Status::OK,
        };
        self.finish(desk, Why::Operator, ReleasedBy::Node, status);
    }
}
