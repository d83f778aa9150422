//! INVITE client transaction: RFC 3261 §17.1.1.2, Figure 5, as amended by RFC 6026 §8.4.

use super::timers::Timer;
use super::{Action, Reliability};

use Action::Stop;
use Action::{Double, Pass, ReportTimeout, ReportTransportError, Resend, Send, SendAck, Start};
use Event::{
    Failure, GiveUp, Provisional, Success, TimerA, TimerB, TimerD, TimerM, TransportError,
};
use Reliability::{Reliable, Unreliable};
use State::{Accepted, Calling, Completed, Proceeding, Terminated};

/// The states of Figure 5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A 1xx arrived.
    Provisional,
    /// A 2xx arrived.
    Success,
    /// A 300-699 arrived.
    Failure,
    /// The INVITE or the ACK could not be sent.
    TransportError,
    TimerA,
    TimerB,
    TimerD,
    TimerM,
    /// 64*T1 went by since a CANCEL was sent (RFC 3261 §9.1); not in the figure.
    GiveUp,
}

/// Returns the state an INVITE from the TU begins in, and what to do.
pub const fn start(reliability: Reliability) -> (State, &'static [Action]) {
    match reliability {
        Unreliable => (Calling, &[Send, Start(Timer::A), Start(Timer::B)]),
        Reliable => (Calling, &[Send, Start(Timer::B)]),
    }
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(
    reliability: Reliability,
    state: State,
    event: Event,
) -> (State, &'static [Action]) {
    match (state, event) {
        (Calling, TimerA) => (Calling, &[Resend, Double(Timer::A)]),
        (Calling, TimerB) => (Terminated, &[ReportTimeout]),
        (Calling | Completed, TransportError) => (Terminated, &[ReportTransportError]),
        (Calling, Provisional) => (Proceeding, &[Pass, Stop(Timer::A), Stop(Timer::B)]),
        (Proceeding, Provisional) => (Proceeding, &[Pass]),
        (Calling | Proceeding, Success) => (Accepted, &[Pass, Stop(Timer::A), Start(Timer::M)]),
        (Calling | Proceeding, Failure) => match reliability {
            Unreliable => (Completed, &[SendAck, Pass, Stop(Timer::A), Start(Timer::D)]),
            // Timer D is zero: Completed is left as soon as it is entered.
            Reliable => (Terminated, &[SendAck, Pass]),
        },
        (Completed, Failure) => (Completed, &[Resend]),
        (Completed, TimerD) => (Terminated, &[]),
        (Accepted, Success) => (Accepted, &[Pass]),
        (Accepted, TimerM) => (Terminated, &[]),

        // Not in the figure: "the client SHOULD then consider the original
        // transaction cancelled" (RFC 3261 §9.1).
        (Calling | Proceeding, GiveUp) => (Terminated, &[ReportTimeout]),

        // Pairs the figure gives no arrow for. Nothing is sent in Proceeding
        // or Accepted, so no transport error can be theirs.
        (Calling, TimerD | TimerM)
        | (Proceeding, TimerA | TimerB | TimerD | TimerM | TransportError)
        | (Completed, Provisional | Success | TimerA | TimerB | TimerM | GiveUp)
        | (Accepted, Provisional | Failure | TransportError | TimerA | TimerB | TimerD | GiveUp)
        | (Terminated, _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::table;

    const STATES: [State; 5] = [Calling, Proceeding, Completed, Accepted, Terminated];
    const EVENTS: [Event; 9] = [
        Provisional,
        Success,
        Failure,
        TransportError,
        TimerA,
        TimerB,
        TimerD,
        TimerM,
        GiveUp,
    ];

    /// RFC 3261 Figure 5 with RFC 6026 §8.4; the last event is RFC 3261 §9.1.
    #[test]
    fn the_table_is_figure_5_as_amended() {
        let expected = "
Calling    Provisional    Proceeding: Pass, Stop(A), Stop(B)
Calling    Success        Accepted: Pass, Stop(A), Start(M)
Calling    Failure        Completed: SendAck, Pass, Stop(A), Start(D)
Calling    Failure        Terminated: SendAck, Pass (reliable)
Calling    TransportError Terminated: ReportTransportError
Calling    TimerA         Calling: Resend, Double(A)
Calling    TimerB         Terminated: ReportTimeout
Calling    TimerD         .
Calling    TimerM         .
Calling    GiveUp         Terminated: ReportTimeout
Proceeding Provisional    Proceeding: Pass
Proceeding Success        Accepted: Pass, Stop(A), Start(M)
Proceeding Failure        Completed: SendAck, Pass, Stop(A), Start(D)
Proceeding Failure        Terminated: SendAck, Pass (reliable)
Proceeding TransportError .
Proceeding TimerA         .
Proceeding TimerB         .
Proceeding TimerD         .
Proceeding TimerM         .
Proceeding GiveUp         Terminated: ReportTimeout
Completed  Provisional    .
Completed  Success        .
Completed  Failure        Completed: Resend
Completed  TransportError Terminated: ReportTransportError
Completed  TimerA         .
Completed  TimerB         .
Completed  TimerD         Terminated
Completed  TimerM         .
Completed  GiveUp         .
Accepted   Provisional    .
Accepted   Success        Accepted: Pass
Accepted   Failure        .
Accepted   TransportError .
Accepted   TimerA         .
Accepted   TimerB         .
Accepted   TimerD         .
Accepted   TimerM         Terminated
Accepted   GiveUp         .
Terminated Provisional    .
Terminated Success        .
Terminated Failure        .
Terminated TransportError .
Terminated TimerA         .
Terminated TimerB         .
Terminated TimerD         .
Terminated TimerM         .
Terminated GiveUp         .
";
        assert_eq!(table::print(&STATES, &EVENTS, next), expected);
    }

    /// RFC 3261 §17.1.1.2: Timer A runs on unreliable transports only.
    #[test]
    fn an_invite_starts_in_calling_and_repeats_only_where_it_can_be_lost() {
        assert_eq!(
            start(Unreliable),
            (Calling, &[Send, Start(Timer::A), Start(Timer::B)][..])
        );
        assert_eq!(start(Reliable), (Calling, &[Send, Start(Timer::B)][..]));
    }
}
