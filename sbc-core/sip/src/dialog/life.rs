//! The life of a dialog made by INVITE: what is sent and received comes in, its
//! state goes out (RFC 3261 §12.3, §15; the states of RFC 5407 §2 less those
//! that belong to the transactions; RFC 5057 §5.1 for what a failure means).

use serde::{Deserialize, Serialize};

use crate::message::Method;

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum State {
    /// A provisional response made it.
    Early,
    /// A 2xx was sent or received.
    Confirmed,
    /// Our BYE waits for its answer: the session is over, the dialog not yet.
    Ending,
    Terminated,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A 2xx to the INVITE was sent or received.
    Success,
    /// The INVITE got its final response, and it is not a 2xx.
    Failure,
    ByeReceived,
    ByeSent,
    /// Our BYE was answered, whatever the answer, or timed out.
    ByeDone,
    /// A request of ours showed that the peer has lost the dialog.
    Lost,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Answer the BYE with 200.
    AnswerBye,
    /// Answer the BYE with 481.
    RefuseBye,
    /// Answer every request still pending in it with 487 (RFC 3261 §15.1.2).
    EndRequests,
    /// Stop media: the session is over.
    EndSession,
    /// Forget the dialog.
    Release,
}

/// Returns where `event` leads from `state`, and what to do on the way.
pub const fn next(state: State, event: Event) -> (State, &'static [Action]) {
    use Action::{AnswerBye, EndRequests, EndSession, RefuseBye, Release};
    use State::{Confirmed, Early, Ending, Terminated};
    match (state, event) {
        (Early, Event::Success) => (Confirmed, &[]),
        (Early, Event::Failure) => (Terminated, &[EndSession, Release]),
        (Early | Confirmed, Event::ByeReceived) => {
            (Terminated, &[AnswerBye, EndRequests, EndSession, Release])
        }
        (Early | Confirmed, Event::ByeSent) => (Ending, &[EndSession]),
        (Early | Confirmed, Event::Lost) => (Terminated, &[EndSession, Release]),
        // The BYEs crossed (RFC 5407 §3.2).
        (Ending, Event::ByeReceived) => (Ending, &[AnswerBye]),
        (Ending, Event::ByeDone | Event::Lost) => (Terminated, &[Release]),
        // The BYE to an early dialog crossed its 2xx, which still wants an ACK.
        (Ending, Event::Success | Event::Failure | Event::ByeSent) => (Ending, &[]),
        // Every copy of a 2xx; the failure of a re-INVITE is no failure of the
        // dialog (RFC 3261 §14.1).
        (Confirmed, Event::Success | Event::Failure) => (Confirmed, &[]),
        (Early | Confirmed, Event::ByeDone) => (state, &[]),
        (Terminated, Event::ByeReceived) => (Terminated, &[RefuseBye]),
        (Terminated, _) => (Terminated, &[]),
    }
}

/// Returns whether this final response to a request of ours inside a dialog
/// means that the dialog is lost and a BYE should go. 408 stands for no
/// response at all (RFC 3261 §12.2.1.2, §14.1; RFC 5057 §5.1).
///
/// Of RFC 5057 only those codes count that say something of the dialog itself:
/// 405, 480 and 501 leave a call up that can still be talked on. A REFER's
/// failure speaks of the referral's target, a PRACK's of one response.
pub const fn loses_dialog(method: Method<'_>, status: u16) -> bool {
    match (method, status) {
        (Method::Ack | Method::Cancel | Method::Prack, _) => false,
        (_, 408 | 481) => true,
        (Method::Refer, _) => false,
        (_, 404 | 410 | 416 | 482 | 484 | 485 | 502 | 604) => true,
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    /// RFC 3261 §12.3, §15.1.2; RFC 5407 §2 and §3.2.
    #[test]
    fn the_whole_table_is_the_one_of_the_rfc() {
        use State::{Confirmed, Early, Ending, Terminated};
        let printed = table::print(
            &[Early, Confirmed, Ending, Terminated],
            &[
                Event::Success,
                Event::Failure,
                Event::ByeReceived,
                Event::ByeSent,
                Event::ByeDone,
                Event::Lost,
            ],
            next,
        );
        table::assert_same(
            &printed,
            "Early Success -> Confirmed []
             Early Failure -> Terminated [EndSession, Release]
             Early ByeReceived -> Terminated [AnswerBye, EndRequests, EndSession, Release]
             Early ByeSent -> Ending [EndSession]
             Early ByeDone -> Early []
             Early Lost -> Terminated [EndSession, Release]
             Confirmed Success -> Confirmed []
             Confirmed Failure -> Confirmed []
             Confirmed ByeReceived -> Terminated [AnswerBye, EndRequests, EndSession, Release]
             Confirmed ByeSent -> Ending [EndSession]
             Confirmed ByeDone -> Confirmed []
             Confirmed Lost -> Terminated [EndSession, Release]
             Ending Success -> Ending []
             Ending Failure -> Ending []
             Ending ByeReceived -> Ending [AnswerBye]
             Ending ByeSent -> Ending []
             Ending ByeDone -> Terminated [Release]
             Ending Lost -> Terminated [Release]
             Terminated Success -> Terminated []
             Terminated Failure -> Terminated []
             Terminated ByeReceived -> Terminated [RefuseBye]
             Terminated ByeSent -> Terminated []
             Terminated ByeDone -> Terminated []
             Terminated Lost -> Terminated []",
        );
    }

    /// RFC 3261 §12.2.1.2 and §14.1, RFC 5057 §5.1.
    #[test]
    fn some_failures_lose_the_dialog_and_most_do_not() {
        let losing = |method| -> alloc::vec::Vec<u16> {
            (300..700)
                .filter(|&status| loses_dialog(method, status))
                .collect()
        };
        let all = [404, 408, 410, 416, 481, 482, 484, 485, 502, 604];
        for method in [
            Method::Invite,
            Method::Update,
            Method::Info,
            Method::Options,
        ] {
            assert_eq!(losing(method), all, "{method}");
        }
        assert_eq!(losing(Method::Refer), [408, 481]);
        for method in [Method::Ack, Method::Cancel, Method::Prack] {
            assert_eq!(losing(method), [0_u16; 0], "{method}");
        }
    }
}
