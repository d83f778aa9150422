//! What happens to a server transaction comes in, a step of its figure goes out
//! (RFC 3261 §17.2.1, §17.2.2).

use super::super::super::timers::Timer;
use super::super::super::{Action, Reliability, invite_server, server};
use crate::message::{Method, StatusClass};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Machine {
    Invite(invite_server::State),
    Other(server::State),
}

/// What either machine can be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Request,
    Ack,
    Response(StatusClass),
    TransportError,
    Fired(Timer),
}

pub(super) type Step = (Machine, &'static [Action]);

impl Machine {
    pub(super) fn start(method: Method<'_>) -> Step {
        if method == Method::Invite {
            let (state, actions) = invite_server::start();
            (Self::Invite(state), actions)
        } else {
            let (state, actions) = server::start();
            (Self::Other(state), actions)
        }
    }

    pub(super) fn next(self, reliability: Reliability, event: Event) -> Step {
        let step = match self {
            Self::Invite(state) => invite_event(event).map(|event| {
                let (state, actions) = invite_server::next(reliability, state, event);
                (Self::Invite(state), actions)
            }),
            Self::Other(state) => other_event(event).map(|event| {
                let (state, actions) = server::next(reliability, state, event);
                (Self::Other(state), actions)
            }),
        };
        step.unwrap_or((self, &[]))
    }

    pub(super) const fn is_terminated(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_server::State::Terminated) | Self::Other(server::State::Terminated)
        )
    }

    /// Returns whether the request may still be answered with something else
    /// than what was answered.
    pub(super) const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Invite(invite_server::State::Proceeding)
                | Self::Other(server::State::Trying | server::State::Proceeding)
        )
    }

    /// Returns whether what was sent may have to be sent again.
    pub(super) const fn keeps(self) -> bool {
        !matches!(
            self,
            Self::Invite(invite_server::State::Accepted | invite_server::State::Confirmed)
        )
    }
}

const fn invite_event(event: Event) -> Option<invite_server::Event> {
    use invite_server::Event::{
        Ack, Failure, Invite, Provisional, Success, TimerG, TimerH, TimerI, TimerL, TimerTrying,
        TransportError,
    };
    Some(match event {
        Event::Request => Invite,
        Event::Ack => Ack,
        Event::Response(StatusClass::Provisional) => Provisional,
        Event::Response(StatusClass::Success) => Success,
        Event::Response(_) => Failure,
        Event::TransportError => TransportError,
        Event::Fired(Timer::G) => TimerG,
        Event::Fired(Timer::H) => TimerH,
        Event::Fired(Timer::I) => TimerI,
        Event::Fired(Timer::L) => TimerL,
        Event::Fired(Timer::Trying) => TimerTrying,
        Event::Fired(_) => return None,
    })
}

const fn other_event(event: Event) -> Option<server::Event> {
    use server::Event::{
        Expired, Final, Provisional, Request, TimerJ, TimerTrying, TransportError,
    };
    Some(match event {
        Event::Request => Request,
        Event::Response(StatusClass::Provisional) => Provisional,
        Event::Response(_) => Final,
        Event::TransportError => TransportError,
        Event::Fired(Timer::J) => TimerJ,
        Event::Fired(Timer::LateTrying) => TimerTrying,
        Event::Fired(Timer::Expiry) => Expired,
        Event::Ack | Event::Fired(_) => return None,
    })
}
