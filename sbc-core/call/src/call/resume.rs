//! Hold and resume by a re-INVITE without an offer: our offer in the 200 opens what the
//! other side lets it, and what the ACK answers is told to the other side (RFC 3261
//! §14.2, RFC 6337 §5.3).

use alloc::boxed::Box;
use alloc::string::String;

use sbc_media::sdp::{Direction, RemoteAudio, Wish};
use sbc_sip::message::Method;

use super::{Call, Crossing};
use crate::Side;
use crate::engine::{Desk, Owner};
use crate::leg::Errand;

impl Call {
    /// Returns our offer for a re-INVITE of `side` that has none: the session as it is,
    /// but what this side holds itself is open in it.
    pub(super) fn late_offer(&mut self, desk: &Desk, side: Side) -> Option<String> {
        let far = self.leg(side.other());
        let (direction, zero) = far.map(|far| far.half.wants()).unwrap_or_default();
        let leg = self.leg_mut(side)?;
        let hold = desk.media_of(leg.peer)?.hold;
        // A hold that is kept from this peer leaves it open.
        let (direction, zero) = hold.say(direction, zero).unwrap_or_default();
        leg.half.own.turned(direction, zero)
    }

    /// The ACK of `side` answered such an offer. The other side need not know of it if
    /// this one wants what it wanted `before`.
    pub(super) fn answered_late(&mut self, desk: &mut Desk, side: Side, before: (Direction, bool)) {
        let Some(leg) = self.leg_mut(side) else {
            return;
        };
        // It might have held on; what it offered before is its wish no more.
        leg.half.offered = None;
        let same = leg.half.wants() == before;
        if !same && self.crossing.is_none() && !self.pass_on(desk, side) {
            self.pass_on_later(desk, side);
        }
    }

    /// Offers the other side the direction that `side` wants. Returns false if something
    /// of the other side is under way.
    fn pass_on(&mut self, desk: &mut Desk, side: Side) -> bool {
        let other = side.other();
        let owner = Owner::Call(self.key, other);
        let wanted = self.leg(side).and_then(|leg| {
            let (direction, zero_address) = leg.half.wants();
            Some(RemoteAudio {
                direction,
                zero_address,
                ..leg.half.theirs.clone()?
            })
        });
        let (Some(wanted), Some(far)) = (wanted, self.leg_mut(other)) else {
            return true;
        };
        let policy = desk.media_of(far.peer);
        let wish = policy.and_then(|policy| Wish::later(&wanted, policy));
        // A hold may be kept from it, and so may its end.
        let Some(wish) = wish.filter(|wish| wish.direction != far.half.own.direction()) else {
            return true;
        };
        if far.is_changing() || far.half.waiting {
            return false;
        }
        let before = far.half.own.clone();
        let sdp = far.half.offer(&wish);
        if !far.change(desk, owner, Method::Invite, Errand::Change, Some(&sdp)) {
            far.half.own = before;
            far.half.waiting = false;
            return false;
        }
        self.crossing = Some(Crossing {
            from: side,
            again_at: None,
            offer: None,
            is_update: false,
            before: Box::new(before),
        });
        true
    }

    /// The other side is asked after the pause that a glare would have (RFC 3261 §14.1).
    fn pass_on_later(&mut self, desk: &mut Desk, side: Side) {
        let random = desk.random.below(u32::MAX);
        let Some(far) = self.leg(side.other()) else {
            return;
        };
        let Some(dialog) = &far.dialog else {
            return;
        };
        self.crossing = Some(Crossing {
            from: side,
            again_at: Some(desk.now + dialog.after_glare(random)),
            offer: None,
            is_update: false,
            before: Box::new(far.half.own.clone()),
        });
    }

    /// The pause is over. Returns true if the other side was to be asked for the first
    /// time, rather than again.
    pub(super) fn pass_on_now(&mut self, desk: &mut Desk) -> bool {
        let Some(crossing) = self.crossing.as_ref().filter(|it| it.offer.is_none()) else {
            return false;
        };
        let (from, before) = (crossing.from, crossing.before.direction());
        let far = self.leg(from.other());
        if far.is_some_and(|far| far.half.own.direction() != before) {
            return false;
        }
        self.crossing = None;
        self.pass_on(desk, from);
        true
    }
}
