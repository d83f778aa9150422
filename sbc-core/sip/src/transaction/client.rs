//! Non-INVITE client transaction: RFC 3261 §17.1.2.2, Figure 6.

use super::timers::Timer;
use super::{Action, Reliability};

use Action::{Double, Pass, ReportTimeout, ReportTransportError, Resend, Send, Slow, Start, Stop};
use Event::{Final, Provisional, TimerE, TimerF, TimerK, TransportError};
use Reliability::{Reliable, Unreliable};
use State::{Completed, Proceeding, Terminated, Trying};

/// The states of Figure 6.
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
    /// A 1xx arrived.
    Provisional,
    /// A 200-699 arrived.
    Final,
    /// The request could not be sent.
    TransportError,
    TimerE,
    TimerF,
    TimerK,
}

/// Returns the state a request from the TU begins in, and what to do.
pub const fn start(reliability: Reliability) -> (State, &'static [Action]) {
    match reliability {
        Unreliable => (Trying, &[Send, Start(Timer::E), Start(Timer::F)]),
        Reliable => (Trying, &[Send, Start(Timer::F)]),
    }
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(
    reliability: Reliability,
    state: State,
    event: Event,
) -> (State, &'static [Action]) {
    match (state, event) {
        (Trying, TimerE) => (Trying, &[Resend, Double(Timer::E)]),
        (Proceeding, TimerE) => (Proceeding, &[Resend, Slow(Timer::E)]),
        (Trying | Proceeding, TimerF) => (Terminated, &[ReportTimeout]),
        (Trying | Proceeding, TransportError) => (Terminated, &[ReportTransportError]),
        // Timers E and F go on running: F bounds the whole transaction.
        (Trying | Proceeding, Provisional) => (Proceeding, &[Pass]),
        (Trying | Proceeding, Final) => match reliability {
            Unreliable => (Completed, &[Pass, Stop(Timer::E), Start(Timer::K)]),
            // Timer K is zero: Completed is left as soon as it is entered.
            Reliable => (Terminated, &[Pass]),
        },
        (Completed, TimerK) => (Terminated, &[]),

        // Pairs the figure gives no arrow for.
        (Trying | Proceeding, TimerK)
        | (Completed, Provisional | Final | TransportError | TimerE | TimerF)
        | (Terminated, _) => (state, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::table;

    const STATES: [State; 4] = [Trying, Proceeding, Completed, Terminated];
    const EVENTS: [Event; 6] = [Provisional, Final, TransportError, TimerE, TimerF, TimerK];

    /// RFC 3261 Figure 6, §17.1.2.2.
    #[test]
    fn the_table_is_figure_6() {
        let expected = "
Trying     Provisional    Proceeding: Pass
Trying     Final          Completed: Pass, Stop(E), Start(K)
Trying     Final          Terminated: Pass (reliable)
Trying     TransportError Terminated: ReportTransportError
Trying     TimerE         Trying: Resend, Double(E)
Trying     TimerF         Terminated: ReportTimeout
Trying     TimerK         .
Proceeding Provisional    Proceeding: Pass
Proceeding Final          Completed: Pass, Stop(E), Start(K)
Proceeding Final          Terminated: Pass (reliable)
Proceeding TransportError Terminated: ReportTransportError
Proceeding TimerE         Proceeding: Resend, Slow(E)
Proceeding TimerF         Terminated: ReportTimeout
Proceeding TimerK         .
Completed  Provisional    .
Completed  Final          .
Completed  TransportError .
Completed  TimerE         .
Completed  TimerF         .
Completed  TimerK         Terminated
Terminated Provisional    .
Terminated Final          .
Terminated TransportError .
Terminated TimerE         .
Terminated TimerF         .
Terminated TimerK         .
";
        assert_eq!(table::print(&STATES, &EVENTS, next), expected);
    }

    /// RFC 3261 §17.1.2.2: Timer E runs on unreliable transports only.
    #[test]
    fn a_request_starts_in_trying_and_repeats_only_where_it_can_be_lost() {
        assert_eq!(
            start(Unreliable),
            (Trying, &[Send, Start(Timer::E), Start(Timer::F)][..])
        );
        assert_eq!(start(Reliable), (Trying, &[Send, Start(Timer::F)][..]));
    }
}
