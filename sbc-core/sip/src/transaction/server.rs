//! Non-INVITE server transaction: RFC 3261 §17.2.2, Figure 8, bounded by RFC 4320 §4.1 and §4.2.

use super::timers::Timer;
use super::{Action, Reliability};

use Action::{Pass, ReportTimeout, ReportTransportError, Resend, Send, SendTrying, Start, Stop};
use Event::{Expired, Final, Provisional, Request, TimerJ, TimerTrying, TransportError};
use Reliability::{Reliable, Unreliable};
use State::{Completed, Proceeding, Terminated, Trying};

/// The states of Figure 8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The request arrived again.
    Request,
    /// The TU answers with a 1xx.
    Provisional,
    /// The TU answers with a 200-699.
    Final,
    /// A response could not be sent.
    TransportError,
    TimerJ,
    /// The TU was silent for so long that the client's Timer E is at T2; not
    /// in the figure.
    TimerTrying,
    /// 64*T1 went by without a final response; not in the figure.
    Expired,
}

/// Returns the state a request from the network begins in, and what to do.
pub const fn start() -> (State, &'static [Action]) {
    (
        Trying,
        &[Pass, Start(Timer::LateTrying), Start(Timer::Expiry)],
    )
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(
    reliability: Reliability,
    state: State,
    event: Event,
) -> (State, &'static [Action]) {
    match (state, event) {
        (Trying | Proceeding, Provisional) => (Proceeding, &[Send, Stop(Timer::LateTrying)]),
        (Trying | Proceeding, Final) => match reliability {
            Unreliable => (Completed, &[Send, Stop(Timer::LateTrying), Start(Timer::J)]),
            // Timer J is zero: Completed is left as soon as it is entered.
            Reliable => (Terminated, &[Send]),
        },
        (Proceeding | Completed, Request) => (state, &[Resend]),
        (Proceeding | Completed, TransportError) => (Terminated, &[ReportTransportError]),
        (Completed, TimerJ) => (Terminated, &[]),

        // Not in the figure: such an element MUST respond with a 100 (RFC 4320 §4.1).
        (Trying, TimerTrying) => (Proceeding, &[SendTrying]),

        // Not in the figure: the client's Timer F has fired, and an element
        // that cannot respond by then "will not send a final response at all"
        // (RFC 4320 §4.2).
        (Trying | Proceeding, Expired) => (Terminated, &[ReportTimeout]),

        // Pairs the figure gives no arrow for.
        (Trying, Request | TransportError | TimerJ)
        | (Proceeding, TimerJ | TimerTrying)
        | (Completed, Provisional | Final | TimerTrying | Expired)
        | (Terminated, _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::table;

    const STATES: [State; 4] = [Trying, Proceeding, Completed, Terminated];
    const EVENTS: [Event; 7] = [
        Request,
        Provisional,
        Final,
        TransportError,
        TimerJ,
        TimerTrying,
        Expired,
    ];

    /// RFC 3261 Figure 8, §17.2.2; the last two events are RFC 4320 §4.1 and §4.2.
    #[test]
    fn the_table_is_figure_8() {
        let expected = "
Trying     Request        .
Trying     Provisional    Proceeding: Send, Stop(LateTrying)
Trying     Final          Completed: Send, Stop(LateTrying), Start(J)
Trying     Final          Terminated: Send (reliable)
Trying     TransportError .
Trying     TimerJ         .
Trying     TimerTrying    Proceeding: SendTrying
Trying     Expired        Terminated: ReportTimeout
Proceeding Request        Proceeding: Resend
Proceeding Provisional    Proceeding: Send, Stop(LateTrying)
Proceeding Final          Completed: Send, Stop(LateTrying), Start(J)
Proceeding Final          Terminated: Send (reliable)
Proceeding TransportError Terminated: ReportTransportError
Proceeding TimerJ         .
Proceeding TimerTrying    .
Proceeding Expired        Terminated: ReportTimeout
Completed  Request        Completed: Resend
Completed  Provisional    .
Completed  Final          .
Completed  TransportError Terminated: ReportTransportError
Completed  TimerJ         Terminated
Completed  TimerTrying    .
Completed  Expired        .
Terminated Request        .
Terminated Provisional    .
Terminated Final          .
Terminated TransportError .
Terminated TimerJ         .
Terminated TimerTrying    .
Terminated Expired        .
";
        assert_eq!(table::print(&STATES, &EVENTS, next), expected);
    }

    #[test]
    fn a_request_goes_to_the_tu_which_has_64_t1_to_answer() {
        assert_eq!(
            start(),
            (
                Trying,
                &[Pass, Start(Timer::LateTrying), Start(Timer::Expiry)][..]
            )
        );
    }
}
