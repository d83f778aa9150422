//! Requests of ours: RFC 3261 §17.1, §9.1, §18.4 and RFC 6026 §8.4.

use super::*;

fn invite() -> (Side, String) {
    let mut side = Side::new(Transport::Udp);
    let text = sent(&side.send(Method::Invite, 1));
    (side, text)
}

fn cancel(branch: u128) -> Input<'static> {
    Input::Cancel {
        client: Branch::new(branch),
        reason: None,
    }
}

/// RFC 3261 §17.1.1.3.
#[test]
fn the_ack_of_a_failure_is_made_here_and_made_again() {
    let (mut side, invite) = invite();
    let failure = response(486, &invite);
    let outputs = side.receive(&failure);
    assert_eq!(words(&outputs), ["> ACK", "response"]);
    let ack = sent(&outputs);
    assert_eq!(
        ack,
        "ACK sip:bob@192.0.2.9 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK00000000000000000000000000000001\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=from-z9hG4bK00000000000000000000000000000001\r\n\
         To: <sip:bob@example.com>;tag=theirs\r\n\
         Call-ID: call\r\n\
         CSeq: 7 ACK\r\n\
         Content-Length: 0\r\n\r\n"
    );
    side.run(10_000);
    let again = side.receive(&failure);
    assert_eq!(words(&again), ["> ACK"]);
    assert_eq!(sent(&again), ack);
    side.run(31_999);
    assert!(!side.layer.is_empty());
    side.run(32_000);
    side.assert_nothing_left();
}

/// RFC 3261 §17.1.1.2: any transport error in Completed ends the transaction.
#[test]
fn an_ack_that_cannot_be_sent_ends_the_transaction() {
    let (mut side, invite) = invite();
    side.receive(&response(486, &invite));
    let by = Transaction::Client(Branch::new(1));
    assert_eq!(side.input(Input::Unsent(by)), [Output::TransportError(by)]);
    side.assert_nothing_left();
}

/// RFC 6026 §8.4: each 2xx goes to the TU, for 64*T1; nothing else does.
#[test]
fn each_2xx_is_passed_on_while_the_transaction_is_accepted() {
    let (mut side, invite) = invite();
    let success = response(200, &invite);
    assert_eq!(words(&side.receive(&success)), ["response"]);
    assert_eq!(words(&side.receive(&success)), ["response"]);
    let fork = success.replace("tag=theirs", "tag=another");
    assert_eq!(words(&side.receive(&fork)), ["response"]);
    for late in [180, 486] {
        assert_eq!(side.receive(&response(late, &invite)), [], "{late}");
    }
    assert_eq!(side.counters().ignored_responses, 2);
    side.run(32_000);
    side.assert_nothing_left();
    assert_eq!(side.receive(&success), []);
    assert_eq!(side.counters().stray_responses, 1);
}

/// RFC 3261 §17.1.3: branch and method of CSeq; RFC 6026 §8.3: strays are dropped.
#[test]
fn a_response_to_nothing_is_dropped() {
    let (mut side, invite) = invite();
    let answer = response(200, &invite);
    let strays = [
        answer.replace("branch=z9hG4bK0", "branch=z9hG4bK1"),
        answer.replace("branch=z9hG4bK0", "branch=0"),
        answer.replace("CSeq: 7 INVITE", "CSeq: 7 BYE"),
        answer.replace("CSeq: 7 INVITE", "CSeq: 7 CANCEL"),
        answer.replace("CSeq: 7 INVITE", "CSeq: 7 ODD"),
    ];
    for stray in &strays {
        assert_ne!(*stray, answer);
        assert_eq!(side.receive(stray), [], "{stray}");
    }
    assert_eq!(side.counters().stray_responses, 5);
    assert_eq!(words(&side.receive(&answer)), ["response"]);
}

/// RFC 3261 §9.1: not before a provisional, and then with what the INVITE had.
#[test]
fn a_cancel_waits_until_the_invite_was_heard() {
    let (mut side, invite) = invite();
    assert_eq!(side.input(cancel(1)), []);
    assert_eq!(side.run(500), ["500 > INVITE"]);
    let outputs = side.receive(&response(100, &invite));
    assert_eq!(words(&outputs), ["response", "> CANCEL"]);
    assert_eq!(
        sent(&outputs),
        "CANCEL sip:bob@192.0.2.9 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK00000000000000000000000000000001\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=from-z9hG4bK00000000000000000000000000000001\r\n\
         To: <sip:bob@example.com>\r\n\
         Call-ID: call\r\n\
         CSeq: 7 CANCEL\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let cancel = sent(&outputs);
    assert_eq!(side.run(1000), ["1000 > CANCEL"]);
    assert_eq!(side.receive(&response(200, &cancel)), []);
    let ended = side.receive(&response(487, &invite));
    assert_eq!(words(&ended), ["> ACK", "response"]);
    assert_eq!(side.run(100_000), [""; 0]);
    side.assert_nothing_left();
}

#[test]
fn a_heard_invite_is_cancelled_at_once_and_once() {
    let (mut side, invite) = invite();
    side.receive(&response(180, &invite));
    assert_eq!(words(&side.input(cancel(1))), ["> CANCEL"]);
    assert_eq!(side.input(cancel(1)), []);
    assert_eq!(side.receive(&response(180, &invite)).len(), 1);
}

/// RFC 3261 §9.1: the INVITE has 64*T1 from the CANCEL on.
#[test]
fn a_cancelled_invite_that_is_never_answered_times_out() {
    let (mut side, invite) = invite();
    side.receive(&response(180, &invite));
    side.run(5000);
    let cancel = sent(&side.input(cancel(1)));
    side.receive(&response(200, &cancel));
    assert_eq!(side.run(100_000), ["37000 timed out"]);
    side.assert_nothing_left();
}

/// RFC 3261 §9.1: the 2xx that crosses a CANCEL is a call, and the TU ends it.
#[test]
fn a_2xx_may_cross_the_cancel() {
    let (mut side, invite) = invite();
    side.receive(&response(180, &invite));
    let cancel = sent(&side.input(cancel(1)));
    assert_eq!(words(&side.receive(&response(200, &invite))), ["response"]);
    side.receive(&response(481, &cancel));
    assert_eq!(side.run(100_000), [""; 0]);
    side.assert_nothing_left();
}

/// RFC 3261 §9.1: no CANCEL after a final response, nor for anything but INVITE.
#[test]
fn what_is_answered_is_not_cancelled() {
    for code in [200, 486] {
        let (mut side, invite) = invite();
        side.receive(&response(code, &invite));
        assert_eq!(side.input(cancel(1)), [], "{code}");
    }
    let (mut side, invite) = invite();
    side.input(cancel(1));
    assert_eq!(words(&side.receive(&response(200, &invite))), ["response"]);
    let mut side = Side::new(Transport::Udp);
    let bye = sent(&side.send(Method::Bye, 1));
    side.receive(&response(100, &bye));
    assert_eq!(side.input(cancel(1)), []);
    assert_eq!(side.input(cancel(2)), []);
}

/// RFC 3261 §18.4 and RFC 3261 §8.1.3.1: the transport's failures are the
/// transaction's, and with them the TU's.
#[test]
fn a_lost_connection_fails_what_waits_on_it() {
    let mut side = Side::new(Transport::Tcp);
    let heard = sent(&side.send(Method::Invite, 1));
    side.receive(&response(180, &heard));
    side.send(Method::Invite, 2);
    let bye = sent(&side.send(Method::Bye, 3));
    side.receive(&response(100, &bye));
    let accepted = sent(&side.send(Method::Invite, 4));
    side.receive(&response(200, &accepted));

    let mut elsewhere = side.far();
    elsewhere.connection += 1;
    assert_eq!(side.input(Input::Unreachable(elsewhere)), []);
    let far = side.far();
    let failed: Vec<_> = [2, 3]
        .map(|branch| Output::TransportError(Transaction::Client(Branch::new(branch))))
        .into();
    assert_eq!(side.input(Input::Unreachable(far)), failed);
    // The INVITE that was heard may be answered on another connection.
    assert_eq!(words(&side.receive(&response(200, &heard))), ["response"]);
    side.run(100_000);
    side.assert_nothing_left();
}

#[test]
fn a_cancel_that_cannot_be_sent_leaves_the_invite_to_its_time() {
    let (mut side, invite) = invite();
    side.receive(&response(180, &invite));
    side.input(cancel(1));
    let by = Transaction::Cancel(Branch::new(1));
    assert_eq!(side.input(Input::Unsent(by)), []);
    assert_eq!(side.run(100_000), ["32000 timed out"]);
    side.assert_nothing_left();
}

#[test]
fn what_is_forgotten_is_not_heard_of_again() {
    let (mut side, invite) = invite();
    side.receive(&response(180, &invite));
    side.input(cancel(1));
    let forget = Input::Forget(Transaction::Client(Branch::new(1)));
    assert_eq!(side.input(forget), []);
    side.assert_nothing_left();
    assert_eq!(side.receive(&response(200, &invite)), []);
}

/// RFC 3261 §17.1: ACK is no transaction, and CANCEL is made from its INVITE.
#[test]
fn a_branch_is_used_once_and_not_for_ack_or_cancel() {
    let mut side = Side::new(Transport::Udp);
    side.send(Method::Invite, 1);
    for (method, branch) in [
        (Method::Invite, 1),
        (Method::Bye, 1),
        (Method::Ack, 2),
        (Method::Cancel, 3),
    ] {
        let refused = [Output::Refused(Branch::new(branch))];
        assert_eq!(side.send(method, branch), refused, "{method}");
    }
    assert_eq!(side.layer.len(), 1);
}
