//! INVITE server transaction: RFC 3261 §17.2.1, Figure 7, as amended by RFC 6026 §8.7.

use super::timers::Timer;
use super::{Action, Reliability};

use Action::Stop;
use Action::{Double, Pass, ReportTimeout, ReportTransportError, Resend, Send, SendTrying, Start};
use Event::{
    Ack, Failure, Invite, Provisional, Success, TimerG, TimerH, TimerI, TimerL, TimerTrying,
    TransportError,
};
use Reliability::{Reliable, Unreliable};
use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};

/// The states of Figure 7.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The INVITE arrived again.
    Invite,
    Ack,
    /// The TU answers with a 1xx.
    Provisional,
    /// The TU answers with a 2xx.
    Success,
    /// The TU answers with a 300-699.
    Failure,
    /// A response could not be sent.
    TransportError,
    TimerG,
    TimerH,
    TimerI,
    TimerL,
    /// The TU was silent for 200 ms.
    TimerTrying,
}

/// Returns the state an INVITE from the network begins in, and what to do.
pub const fn start() -> (State, &'static [Action]) {
    (Proceeding, &[Pass, Start(Timer::Trying)])
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(
    reliability: Reliability,
    state: State,
    event: Event,
) -> (State, &'static [Action]) {
    match (state, event) {
        (Proceeding, TimerTrying) => (Proceeding, &[SendTrying]),
        (Proceeding, Invite) => (Proceeding, &[Resend]),
        (Proceeding, Provisional) => (Proceeding, &[Send, Stop(Timer::Trying)]),
        (Proceeding, Success) => (Accepted, &[Send, Stop(Timer::Trying), Start(Timer::L)]),
        (Proceeding, Failure) => match reliability {
            Unreliable => (Completed, &[Send, Start(Timer::G), Start(Timer::H)]),
            Reliable => (Completed, &[Send, Stop(Timer::Trying), Start(Timer::H)]),
        },
        (Proceeding | Completed | Accepted, TransportError) => (state, &[ReportTransportError]),
        (Completed, Invite) => (Completed, &[Resend]),
        (Completed, TimerG) => (Completed, &[Resend, Double(Timer::G)]),
        (Completed, Ack) => match reliability {
            Unreliable => (Confirmed, &[Stop(Timer::G), Start(Timer::I)]),
            // Timer I is zero: Confirmed is left as soon as it is entered.
            Reliable => (Terminated, &[]),
        },
        // The figure has no word here, the text does: "MUST indicate to the
        // TU that a transaction failure has occurred".
        (Completed, TimerH) => (Terminated, &[ReportTimeout]),
        (Confirmed, TimerI) => (Terminated, &[]),
        // A repeated INVITE is absorbed: the TU repeats the 2xx by its own clock.
        (Accepted, Invite) => (Accepted, &[]),
        (Accepted, Ack) => (Accepted, &[Pass]),
        (Accepted, Success) => (Accepted, &[Send]),
        (Accepted, TimerL) => (Terminated, &[]),

        // Pairs the figure gives no arrow for.
        (Proceeding, Ack | TimerG | TimerH | TimerI | TimerL)
        | (Completed, Provisional | Success | Failure | TimerI | TimerL | TimerTrying)
        | (
            Confirmed,
            Invite | Ack | Provisional | Success | Failure | TransportError | TimerG | TimerH
            | TimerL | TimerTrying,
        )
        | (Accepted, Provisional | Failure | TimerG | TimerH | TimerI | TimerTrying)
        | (Terminated, _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::table;

    const STATES: [State; 5] = [Proceeding, Completed, Confirmed, Accepted, Terminated];
    const EVENTS: [Event; 11] = [
        Invite,
        Ack,
        Provisional,
        Success,
        Failure,
        TransportError,
        TimerG,
        TimerH,
        TimerI,
        TimerL,
        TimerTrying,
    ];

    /// RFC 3261 Figure 7, §17.2.1, with RFC 6026 §8.7.
    #[test]
    fn the_table_is_figure_7_as_amended() {
        let expected = "
Proceeding Invite         Proceeding: Resend
Proceeding Ack            .
Proceeding Provisional    Proceeding: Send, Stop(Trying)
Proceeding Success        Accepted: Send, Stop(Trying), Start(L)
Proceeding Failure        Completed: Send, Start(G), Start(H)
Proceeding Failure        Completed: Send, Stop(Trying), Start(H) (reliable)
Proceeding TransportError Proceeding: ReportTransportError
Proceeding TimerG         .
Proceeding TimerH         .
Proceeding TimerI         .
Proceeding TimerL         .
Proceeding TimerTrying    Proceeding: SendTrying
Completed  Invite         Completed: Resend
Completed  Ack            Confirmed: Stop(G), Start(I)
Completed  Ack            Terminated (reliable)
Completed  Provisional    .
Completed  Success        .
Completed  Failure        .
Completed  TransportError Completed: ReportTransportError
Completed  TimerG         Completed: Resend, Double(G)
Completed  TimerH         Terminated: ReportTimeout
Completed  TimerI         .
Completed  TimerL         .
Completed  TimerTrying    .
Confirmed  Invite         .
Confirmed  Ack            .
Confirmed  Provisional    .
Confirmed  Success        .
Confirmed  Failure        .
Confirmed  TransportError .
Confirmed  TimerG         .
Confirmed  TimerH         .
Confirmed  TimerI         Terminated
Confirmed  TimerL         .
Confirmed  TimerTrying    .
Accepted   Invite         .
Accepted   Ack            Accepted: Pass
Accepted   Provisional    .
Accepted   Success        Accepted: Send
Accepted   Failure        .
Accepted   TransportError Accepted: ReportTransportError
Accepted   TimerG         .
Accepted   TimerH         .
Accepted   TimerI         .
Accepted   TimerL         Terminated
Accepted   TimerTrying    .
Terminated Invite         .
Terminated Ack            .
Terminated Provisional    .
Terminated Success        .
Terminated Failure        .
Terminated TransportError .
Terminated TimerG         .
Terminated TimerH         .
Terminated TimerI         .
Terminated TimerL         .
Terminated TimerTrying    .
";
        assert_eq!(table::print(&STATES, &EVENTS, next), expected);
    }

    #[test]
    fn an_invite_goes_to_the_tu_which_has_200_ms_to_speak() {
        assert_eq!(start(), (Proceeding, &[Pass, Start(Timer::Trying)][..]));
    }
}
