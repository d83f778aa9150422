//! The 2xx to an INVITE and its ACK, which no transaction repeats: at the UAS
//! when to send the 2xx again, at the UAC when to send the ACK again (RFC 3261
//! §13.3.1.4, §14.2, §13.2.2.4). They cross proxies of unknown transports, so
//! this holds over TCP and TLS too.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use super::backoff::{Backoff, Beat};
use crate::{Instant, transaction::timers::Timings};

/// Answers of one INVITE whose ACK is kept: the most early dialogs a mediation
/// server may open for one INVITE, each of which may succeed.
pub const MOST_FORKS: usize = 20;

/// Where a 2xx of ours stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Sent, and sent again until its ACK.
    Waiting,
    Acknowledged,
    /// No ACK came for 64*T1: the dialog is up, its session is to be ended.
    GivenUp,
    /// The dialog ended first.
    Ended,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    Ack,
    /// The interval of retransmission is over.
    Again,
    /// 64*T1 are over.
    End,
    /// A BYE came, or the dialog was lost.
    Over,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    Retransmit,
    Stop,
    /// Pass the ACK, and the answer it may carry, to the session.
    Deliver,
    SendBye,
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(state: State, event: Event) -> (State, &'static [Action]) {
    use State::{Acknowledged, Ended, GivenUp, Waiting};
    match (state, event) {
        (Waiting, Event::Ack) => (Acknowledged, &[Action::Stop, Action::Deliver]),
        (Waiting, Event::Again) => (Waiting, &[Action::Retransmit]),
        (Waiting, Event::End) => (GivenUp, &[Action::Stop, Action::SendBye]),
        (Waiting, Event::Over) => (Ended, &[Action::Stop]),
        // A copy of the ACK answers a copy of the 2xx.
        (Acknowledged, Event::Ack) => (Acknowledged, &[]),
        // Our BYE is on its way.
        (GivenUp, Event::Ack) => (GivenUp, &[]),
        (Acknowledged | GivenUp, Event::Over) => (Ended, &[]),
        (Acknowledged | GivenUp, Event::Again | Event::End) | (Ended, _) => (state, &[]),
    }
}

/// A 2xx of ours to an INVITE or re-INVITE, until its ACK.
#[derive(Clone, Debug)]
pub struct Success {
    state: State,
    cseq: u32,
    backoff: Option<Backoff>,
}

/// What a wake-up asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Due {
    Retransmit,
    /// No ACK ever came: send BYE.
    Bye,
}

impl Success {
    /// Takes the moment the 2xx was sent, T1 and T2, and the CSeq of the INVITE.
    pub const fn new(now: Instant, timings: &Timings, cseq: u32) -> Self {
        Self {
            state: State::Waiting,
            cseq,
            backoff: Some(Backoff::new(now, timings.t1, timings.t2)),
        }
    }

    /// Takes the CSeq number of an ACK; returns whether it is the first for
    /// this 2xx, whose body then counts.
    pub fn ack(&mut self, cseq: u32) -> bool {
        cseq == self.cseq && self.apply(Event::Ack).contains(&Action::Deliver)
    }

    /// Takes note that the dialog is over: nothing is sent again.
    pub fn over(&mut self) {
        self.apply(Event::Over);
    }

    /// Returns whether the callee may send a BYE: not before the ACK or 64*T1
    /// (RFC 3261 §15).
    pub fn may_bye(&self) -> bool {
        self.state != State::Waiting
    }

    /// Returns what is due.
    pub fn wakeup(&mut self, now: Instant) -> Option<Due> {
        let event = match self.backoff.as_mut()?.due(now)? {
            Beat::Again => Event::Again,
            Beat::End => Event::End,
        };
        let actions = self.apply(event);
        actions.iter().find_map(|action| match action {
            Action::Retransmit => Some(Due::Retransmit),
            Action::SendBye => Some(Due::Bye),
            Action::Stop | Action::Deliver => None,
        })
    }

    /// Returns when something is due.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.backoff.as_ref().map(Backoff::next_wakeup)
    }

    fn apply(&mut self, event: Event) -> &'static [Action] {
        let (state, actions) = next(self.state, event);
        self.state = state;
        if actions.contains(&Action::Stop) {
            self.backoff = None;
        }
        actions
    }
}

/// The ACKs of one INVITE of ours, by the tag of who answered it, for 64*T1
/// after its first 2xx.
#[derive(Clone, Debug, Default)]
pub struct Acks {
    forks: Vec<Fork>,
    end: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Fork {
    tag: Box<str>,
    ack: Option<Bytes>,
}

/// What a 2xx is to the INVITE it answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// The first of all: it confirms the dialog, and wants an ACK.
    First,
    /// The first of another fork: it wants an ACK, then a BYE (RFC 3261
    /// §13.2.2.4).
    Other,
    /// A copy of one that was acknowledged: send this ACK again.
    Again(Bytes),
    /// A copy of one whose ACK is still to be made.
    Unanswered,
    /// One fork too many, or 64*T1 after the first: drop it.
    Dropped,
}

impl Acks {
    /// Takes a 2xx by the tag of its To header, empty for peers older than
    /// RFC 3261; returns what it is.
    pub fn success(&mut self, now: Instant, timings: &Timings, tag: &str) -> Seen {
        let end = *self
            .end
            .get_or_insert(now.saturating_add(timings.lifetime()));
        if now >= end {
            return Seen::Dropped;
        }
        if let Some(fork) = self.forks.iter().find(|fork| *fork.tag == *tag) {
            return fork.ack.clone().map_or(Seen::Unanswered, Seen::Again);
        }
        if self.forks.len() >= MOST_FORKS {
            return Seen::Dropped;
        }
        self.forks.push(Fork {
            tag: tag.into(),
            ack: None,
        });
        match self.forks.len() {
            1 => Seen::First,
            _ => Seen::Other,
        }
    }

    /// Takes the ACK sent to the fork with this tag, to be sent again.
    pub fn sent(&mut self, tag: &str, ack: Bytes) {
        if let Some(fork) = self.forks.iter_mut().find(|fork| *fork.tag == *tag) {
            fork.ack = Some(ack);
        }
    }

    /// Returns whether 64*T1 have passed since the first 2xx, so that this
    /// value may be dropped.
    pub fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    /// Returns when it is over, once a 2xx came.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use core::time::Duration;

    use super::super::table;
    use super::*;

    const T: Timings = Timings::DEFAULT;

    fn at(millis: u64) -> Instant {
        Duration::from_millis(millis)
    }

    /// RFC 3261 §13.3.1.4 and §15.
    #[test]
    fn the_whole_table_is_the_one_of_the_rfc() {
        use State::{Acknowledged, Ended, GivenUp, Waiting};
        let printed = table::print(
            &[Waiting, Acknowledged, GivenUp, Ended],
            &[Event::Ack, Event::Again, Event::End, Event::Over],
            next,
        );
        table::assert_same(
            &printed,
            "Waiting Ack -> Acknowledged [Stop, Deliver]
             Waiting Again -> Waiting [Retransmit]
             Waiting End -> GivenUp [Stop, SendBye]
             Waiting Over -> Ended [Stop]
             Acknowledged Ack -> Acknowledged []
             Acknowledged Again -> Acknowledged []
             Acknowledged End -> Acknowledged []
             Acknowledged Over -> Ended []
             GivenUp Ack -> GivenUp []
             GivenUp Again -> GivenUp []
             GivenUp End -> GivenUp []
             GivenUp Over -> Ended []
             Ended Ack -> Ended []
             Ended Again -> Ended []
             Ended End -> Ended []
             Ended Over -> Ended []",
        );
    }

    /// RFC 3261 §13.3.1.4; §14.2 for a re-INVITE.
    #[test]
    fn a_2xx_without_ack_is_repeated_for_64_t1_and_then_a_bye_goes() {
        let mut success = Success::new(at(0), &T, 7);
        for millis in [
            500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
        ] {
            assert_eq!(success.next_wakeup(), Some(at(millis)));
            assert_eq!(success.wakeup(at(millis)), Some(Due::Retransmit));
            assert!(!success.may_bye());
        }
        assert_eq!(success.wakeup(at(32_000)), Some(Due::Bye));
        assert!(success.may_bye());
        assert_eq!(
            (success.next_wakeup(), success.wakeup(at(40_000))),
            (None, None)
        );
    }

    #[test]
    fn the_ack_of_this_invite_stops_it_and_counts_once() {
        let mut success = Success::new(at(0), &T, 7);
        assert!(!success.ack(6));
        assert!(success.ack(7));
        assert!(!success.ack(7));
        assert_eq!(
            (success.next_wakeup(), success.wakeup(at(32_000))),
            (None, None)
        );
    }

    #[test]
    fn a_bye_stops_it() {
        let mut success = Success::new(at(0), &T, 7);
        success.over();
        assert!(!success.ack(7));
        assert_eq!(
            (success.next_wakeup(), success.wakeup(at(32_000))),
            (None, None)
        );
    }

    /// RFC 3261 §13.2.2.4.
    #[test]
    fn each_copy_gets_its_ack_and_each_other_fork_is_ended() {
        let mut acks = Acks::default();
        assert_eq!(acks.next_wakeup(), None);
        assert_eq!(acks.success(at(0), &T, "a"), Seen::First);
        assert_eq!(acks.success(at(1), &T, "a"), Seen::Unanswered);
        acks.sent("a", Bytes::from_static(b"ACK a"));
        assert_eq!(
            acks.success(at(2), &T, "a"),
            Seen::Again(Bytes::from_static(b"ACK a"))
        );
        assert_eq!(acks.success(at(3), &T, "b"), Seen::Other);
        acks.sent("b", Bytes::from_static(b"ACK b"));
        assert_eq!(
            acks.success(at(4), &T, "b"),
            Seen::Again(Bytes::from_static(b"ACK b"))
        );
        assert_eq!(acks.next_wakeup(), Some(at(32_000)));
        assert!(!acks.is_over(at(31_999)));
        assert!(acks.is_over(at(32_000)));
        assert_eq!(acks.success(at(32_000), &T, "a"), Seen::Dropped);
    }

    #[test]
    fn the_twenty_first_fork_is_dropped() {
        let mut acks = Acks::default();
        for fork in 0..MOST_FORKS {
            assert_ne!(acks.success(at(0), &T, &format!("{fork}")), Seen::Dropped);
        }
        assert_eq!(acks.success(at(0), &T, "one more"), Seen::Dropped);
        assert_eq!(acks.success(at(0), &T, "7"), Seen::Unanswered);
    }
}
