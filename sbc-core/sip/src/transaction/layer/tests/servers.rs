//! Requests of others: RFC 3261 §17.2, §9.2, §8.2.2.2 and RFC 6026 §8.7.

use super::*;

fn invite() -> (Side, String, ServerId) {
    let mut side = Side::new(Transport::Udp);
    let text = request("INVITE", "z9hG4bK1", None);
    let id = server(&side.receive(&text));
    (side, text, id)
}

fn ack(branch: &str) -> String {
    request("ACK", branch, Some("theirs"))
}

/// RFC 3261 §17.2.1: a repeated INVITE is answered with the last provisional.
#[test]
fn a_repeated_invite_is_passed_on_once() {
    let (mut side, invite, id) = invite();
    assert_eq!(side.receive(&invite), []);
    side.respond(id, 183, &invite);
    assert_eq!(words(&side.receive(&invite)), ["> 183"]);
    assert_eq!(words(&side.respond(id, 486, &invite)), ["> 486"]);
    assert_eq!(words(&side.receive(&invite)), ["> 486"]);
    assert_eq!(side.counters().repeated_requests, 3);
}

/// RFC 3261 §17.2.1: the ACK stops the repetitions, and is not passed on.
#[test]
fn the_ack_of_a_failure_is_absorbed() {
    let (mut side, invite, id) = invite();
    side.respond(id, 486, &invite);
    assert_eq!(side.receive(&ack("z9hG4bK1")), []);
    assert_eq!(side.receive(&ack("z9hG4bK1")), []);
    assert_eq!(side.receive(&invite), []);
    assert_eq!(side.run(100_000), [""; 0]);
    side.assert_nothing_left();
}

/// RFC 6026 §8.7: INVITEs are absorbed, ACKs and the TU's 2xx pass.
#[test]
fn an_accepted_invite_is_the_tus_to_repeat() {
    let (mut side, invite, id) = invite();
    assert_eq!(words(&side.respond(id, 200, &invite)), ["> 200"]);
    assert_eq!(side.receive(&invite), []);
    assert_eq!(words(&side.respond(id, 200, &invite)), ["> 200"]);
    assert_eq!(side.respond(id, 486, &invite), []);
    assert_eq!(side.respond(id, 180, &invite), []);
    assert_eq!(side.counters().unsent_responses, 2);
    assert_eq!(side.receive(&ack("z9hG4bK1")), [Output::Ack(Some(id))]);
    // The ACK of a 2xx has a branch of its own (RFC 3261 §17.1.1.3).
    assert_eq!(side.receive(&ack("z9hG4bKother")), [Output::Ack(None)]);
    assert_eq!(side.run(100_000), [""; 0]);
    side.assert_nothing_left();
    assert_eq!(side.respond(id, 200, &invite), []);
    assert_eq!(side.counters().unsent_responses, 3);
}

/// RFC 6026 §8.7: a transport error is reported and changes nothing.
#[test]
fn an_invite_outlives_a_response_that_could_not_be_sent() {
    let (mut side, invite, id) = invite();
    let by = Transaction::Server(id);
    for code in [180, 200] {
        side.respond(id, code, &invite);
        assert_eq!(side.input(Input::Unsent(by)), [Output::TransportError(by)]);
    }
    assert_eq!(words(&side.respond(id, 200, &invite)), ["> 200"]);
}

/// RFC 3261 §17.2.2.
#[test]
fn a_repeated_request_is_answered_from_memory() {
    let mut side = Side::new(Transport::Udp);
    let bye = request("BYE", "z9hG4bK1", Some("t"));
    let id = server(&side.receive(&bye));
    assert_eq!(side.receive(&bye), []);
    assert_eq!(words(&side.respond(id, 200, &bye)), ["> 200"]);
    side.run(31_999);
    assert_eq!(words(&side.receive(&bye)), ["> 200"]);
    assert_eq!(side.respond(id, 481, &bye), []);
    side.run(32_000);
    side.assert_nothing_left();
}

/// RFC 3261 §17.2.2: a transport error ends it.
#[test]
fn a_request_ends_with_a_response_that_could_not_be_sent() {
    let mut side = Side::new(Transport::Udp);
    let bye = request("BYE", "z9hG4bK1", Some("t"));
    let id = server(&side.receive(&bye));
    side.respond(id, 200, &bye);
    let by = Transaction::Server(id);
    assert_eq!(side.input(Input::Unsent(by)), [Output::TransportError(by)]);
    side.assert_nothing_left();
}

/// RFC 4320 §4.1 and §4.2.
#[test]
fn only_what_rfc_4320_allows_answers_a_request() {
    let bye = request("BYE", "z9hG4bK1", Some("t"));
    let answered = |transport, code| {
        let mut side = Side::new(transport);
        let id = server(&side.receive(&bye));
        let outputs = side.respond(id, code, &bye);
        (words(&outputs), side.layer.len())
    };
    assert_eq!(answered(Transport::Udp, 100), ([].into(), 1));
    assert_eq!(answered(Transport::Tcp, 100), (["> 100".into()].into(), 1));
    assert_eq!(answered(Transport::Tcp, 180), ([].into(), 1));
    // Silent, but still there to absorb repetitions.
    assert_eq!(answered(Transport::Udp, 408), ([].into(), 1));
    assert_eq!(answered(Transport::Udp, 504), (["> 504".into()].into(), 1));
}

/// RFC 3261 §9.2.
#[test]
fn a_cancel_is_answered_here_and_passed_on_once() {
    let (mut side, invite, id) = invite();
    side.respond(id, 180, &invite);
    let cancel = request("CANCEL", "z9hG4bK1", None);
    let outputs = side.receive(&cancel);
    assert_eq!(words(&outputs), ["> 200", "cancelled"]);
    assert_eq!(outputs[1], Output::Cancelled(id));
    let tag = side.layer.tag(id);
    assert!(sent(&outputs).contains(&format!(
        "To: <sip:bob@example.com>;tag={}\r\n",
        tag.as_str()
    )));
    assert_eq!(words(&side.receive(&cancel)), ["> 200"]);
    // A second CANCEL, with its own CSeq or not, cancels nothing more.
    assert_eq!(words(&side.respond(id, 487, &invite)), ["> 487"]);
    side.receive(&ack("z9hG4bK1"));
    side.run(100_000);
    side.assert_nothing_left();
}

/// RFC 3261 §9.2: "If the UAS has issued a final response for that request,
/// the CANCEL has no effect on the processing of the original request".
#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    for code in [200, 486] {
        let (mut side, invite, id) = invite();
        side.respond(id, code, &invite);
        let cancel = request("CANCEL", "z9hG4bK1", None);
        assert_eq!(words(&side.receive(&cancel)), ["> 200"], "{code}");
    }
}

/// RFC 3261 §9.2: 481 where there is nothing to cancel.
#[test]
fn a_cancel_of_nothing_hears_481() {
    let (mut side, ..) = invite();
    let elsewhere = request("CANCEL", "z9hG4bK2", None);
    assert_eq!(words(&side.receive(&elsewhere)), ["> 481"]);
    assert_eq!(words(&side.receive(&elsewhere)), ["> 481"]);
    side.peer = Peer(2);
    let theirs = request("CANCEL", "z9hG4bK1", None);
    assert_eq!(words(&side.receive(&theirs)), ["> 481"]);
    assert_eq!(side.counters().stray_cancels, 2);
}

#[test]
fn a_stray_ack_gets_no_answer() {
    let mut side = Side::new(Transport::Udp);
    assert_eq!(side.receive(&ack("z9hG4bK1")), [Output::Ack(None)]);
    assert_eq!(side.counters().unmatched_acks, 1);
    side.assert_nothing_left();
    // An ACK before any final response is absorbed.
    let (mut side, ..) = invite();
    assert_eq!(side.receive(&ack("z9hG4bK1")), []);
}

/// RFC 3261 §8.2.2.2: 482 for the second path, whose ACK is absorbed too.
#[test]
fn a_request_on_a_second_path_hears_482() {
    let (mut side, invite, id) = invite();
    let other = invite.replace("branch=z9hG4bK1", "branch=z9hG4bK2");
    let outputs = side.receive(&other);
    assert_eq!(words(&outputs), ["> 482"]);
    assert_eq!(side.counters().merged, 1);
    assert_eq!(words(&side.receive(&other)), ["> 482"]);
    let ack = ack("z9hG4bK2");
    assert_eq!(side.receive(&ack), []);
    side.respond(id, 486, &invite);
    side.run(100_000);
    side.assert_nothing_left();
    // Once the first is over, there is nothing to merge with.
    assert_eq!(words(&side.receive(&other)), ["request"]);
}

/// RFC 3261 §17.2.3: an element of RFC 2543 has no branch to go by.
#[test]
fn an_old_invite_is_known_by_everything_and_its_ack_by_the_to_tag() {
    let mut side = Side::new(Transport::Udp);
    let invite = request("INVITE", "1", None);
    let id = server(&side.receive(&invite));
    assert_eq!(side.receive(&invite), []);
    side.respond(id, 486, &invite);
    assert_eq!(words(&side.receive(&invite)), ["> 486"]);
    let wrong = request("ACK", "1", Some("wrong"));
    assert_eq!(side.receive(&wrong), [Output::Ack(None)]);
    let right = request("ACK", "1", Some("theirs"));
    assert_eq!(side.receive(&right), []);
    assert_eq!(side.run(5000), [""; 0]);
    side.assert_nothing_left();
}

/// RFC 6026 §8.7 for an element of RFC 2543, whose ACK of a 2xx matches as well.
#[test]
fn an_old_ack_of_a_2xx_is_passed_on() {
    let mut side = Side::new(Transport::Udp);
    let invite = request("INVITE", "1", None);
    let id = server(&side.receive(&invite));
    side.respond(id, 200, &invite);
    side.respond(id, 200, &invite);
    let right = request("ACK", "1", Some("theirs"));
    assert_eq!(side.receive(&right), [Output::Ack(Some(id))]);
    let cancel = request("CANCEL", "1", None);
    assert_eq!(words(&side.receive(&cancel)), ["> 200"]);
    side.run(100_000);
    side.assert_nothing_left();
}

/// A connection forgets a finished request at once; its name is not given again.
#[test]
fn a_late_answer_does_not_reach_another_request_of_the_same_branch() {
    let mut side = Side::new(Transport::Tcp);
    let bye = request("BYE", "z9hG4bK1", Some("t"));
    let first = server(&side.receive(&bye));
    side.respond(first, 200, &bye);
    let second = server(&side.receive(&bye));
    assert_ne!(first, second);
    assert_eq!(side.respond(first, 481, &bye), []);
    assert_eq!(side.input(Input::Forget(Transaction::Server(first))), []);
    assert_eq!(words(&side.respond(second, 200, &bye)), ["> 200"]);
    side.assert_nothing_left();
}

/// RFC 3261 §18.2.2, RFC 3581 §4.
#[test]
fn an_answer_goes_back_where_the_request_came_from() {
    let (mut side, invite, id) = invite();
    let outputs = side.respond(id, 180, &invite);
    let Output::Transmit { to, by, .. } = &outputs[0] else {
        panic!("{outputs:?}");
    };
    assert_eq!(*to, side.far());
    assert_eq!(*by, Some(Transaction::Server(id)));
}
