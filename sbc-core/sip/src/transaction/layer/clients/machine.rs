//! What happens to a client transaction comes in, a step of its figure goes out
//! (RFC 3261 §17.1.1.2, §17.1.2.2).

use super::super::super::timers::Timer;
use super::super::super::{Action, Reliability, client, invite_client};
use crate::message::{Method, StatusClass};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Machine {
    Invite(invite_client::State),
    Other(client::State),
}

/// What either machine can be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Response(StatusClass),
    TransportError,
    Fired(Timer),
}

pub(super) type Step = (Machine, &'static [Action]);

impl Machine {
    pub(super) fn start(method: Method<'_>, reliability: Reliability) -> Step {
        if method == Method::Invite {
            let (state, actions) = invite_client::start(reliability);
            (Self::Invite(state), actions)
        } else {
            let (state, actions) = client::start(reliability);
            (Self::Other(state), actions)
        }
    }

    pub(super) fn next(self, reliability: Reliability, event: Event) -> Step {
        let step = match self {
            Self::Invite(state) => invite_event(event).map(|event| {
                let (state, actions) = invite_client::next(reliability, state, event);
                (Self::Invite(state), actions)
            }),
            Self::Other(state) => other_event(event).map(|event| {
                let (state, actions) = client::next(reliability, state, event);
                (Self::Other(state), actions)
            }),
        };
        step.unwrap_or((self, &[]))
    }

    pub(super) const fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_client::State::Terminated) | Self::Other(client::State::Terminated)
        )
    }

    /// Returns whether losing the way to the peer ends the transaction. An
    /// INVITE that was heard goes on: its response may come another way.
    pub(super) const fn waits(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_client::State::Calling)
                | Self::Other(client::State::Trying | client::State::Proceeding)
        )
    }

    pub(super) const fn is_calling(self) -> bool {
        matches!(self, Self::Invite(invite_client::State::Calling))
    }

    pub(super) const fn is_proceeding(self) -> bool {
        matches!(self, Self::Invite(invite_client::State::Proceeding))
    }

    /// Returns whether what was sent may have to be sent again, or be made an
    /// ACK or CANCEL.
    pub(super) const fn keeps(self) -> bool {
        match self {
            Self::Invite(state) => !matches!(state, invite_client::State::Accepted),
            Self::Other(state) => {
                matches!(state, client::State::Trying | client::State::Proceeding)
            }
        }
    }
}

const fn invite_event(event: Event) -> Option<invite_client::Event> {
    use invite_client::Event::{
        Failure, GiveUp, Provisional, Success, TimerA, TimerB, TimerD, TimerM, TransportError,
    };
    Some(match event {
        Event::Response(StatusClass::Provisional) => Provisional,
        Event::Response(StatusClass::Success) => Success,
        Event::Response(_) => Failure,
        Event::TransportError => TransportError,
        Event::Fired(Timer::A) => TimerA,
        Event::Fired(Timer::B) => TimerB,
        Event::Fired(Timer::D) => TimerD,
        Event::Fired(Timer::M) => TimerM,
        Event::Fired(Timer::Cancelled) => GiveUp,
        Event::Fired(_) => return None,
    })
}

const fn other_event(event: Event) -> Option<client::Event> {
    use client::Event::{Final, Provisional, TimerE, TimerF, TimerK, TransportError};
    Some(match event {
        Event::Response(StatusClass::Provisional) => Provisional,
        Event::Response(_) => Final,
        Event::TransportError => TransportError,
        Event::Fired(Timer::E) => TimerE,
        Event::Fired(Timer::F) => TimerF,
        Event::Fired(Timer::K) => TimerK,
        Event::Fired(_) => return None,
    })
}
