//! When what is sent again, to the millisecond: RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1.

use super::*;

fn times(log: &[String], what: &str) -> Vec<u64> {
    let of = |line: &String| {
        let (at, rest) = line.split_once(' ').unwrap();
        (rest == what).then(|| at.parse().unwrap())
    };
    log.iter().filter_map(of).collect()
}

/// RFC 3261 §17.1.1.2: Timers A and B.
#[test]
fn an_unheard_invite_is_sent_seven_times_in_32_seconds() {
    let mut side = Side::new(Transport::Udp);
    assert_eq!(words(&side.send(Method::Invite, 1)), ["> INVITE"]);
    let log = side.run(100_000);
    assert_eq!(
        log,
        [
            "500 > INVITE",
            "1500 > INVITE",
            "3500 > INVITE",
            "7500 > INVITE",
            "15500 > INVITE",
            "31500 > INVITE",
            "32000 timed out",
        ]
    );
    side.assert_nothing_left();
}

/// RFC 3261 §17.1.2.2: Timers E and F.
#[test]
fn an_unheard_request_is_sent_eleven_times_in_32_seconds() {
    let mut side = Side::new(Transport::Udp);
    side.send(Method::Bye, 1);
    let log = side.run(100_000);
    assert_eq!(
        times(&log, "> BYE"),
        [
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    assert_eq!(times(&log, "timed out"), [32_000]);
    assert_eq!(log.len(), 11);
    side.assert_nothing_left();
}

/// RFC 3261 §17.1.2.2: in Proceeding, Timer E is reset to T2, and F goes on.
#[test]
fn a_request_that_was_heard_is_sent_every_four_seconds() {
    let mut side = Side::new(Transport::Udp);
    let invite = sent(&side.send(Method::Options, 1));
    side.run(600);
    assert_eq!(words(&side.receive(&response(100, &invite))), ["response"]);
    let log = side.run(100_000);
    assert_eq!(
        times(&log, "> OPTIONS"),
        [1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500]
    );
    assert_eq!(times(&log, "timed out"), [32_000]);
    side.assert_nothing_left();
}

/// RFC 3261 §17.1.1.2: a provisional stops both timers, however long it rings.
#[test]
fn an_invite_that_was_heard_is_not_sent_again() {
    let mut side = Side::new(Transport::Udp);
    let invite = sent(&side.send(Method::Invite, 1));
    side.run(499);
    side.receive(&response(180, &invite));
    assert_eq!(side.run(600_000), [""; 0]);
    side.receive(&response(200, &invite));
    assert_eq!(side.run(632_000), [""; 0]);
    side.assert_nothing_left();
}

/// RFC 3261 §17.1.1.2, §17.1.2.2: "the client transaction SHOULD NOT start
/// timer A" on a reliable transport, nor Timer E.
#[test]
fn nothing_is_sent_again_on_a_connection() {
    for transport in [Transport::Tcp, Transport::Tls] {
        for method in [Method::Invite, Method::Bye] {
            let mut side = Side::new(transport);
            side.send(method, 1);
            assert_eq!(side.run(100_000), ["32000 timed out"]);
            side.assert_nothing_left();
        }
    }
}

/// RFC 3261 §17.2.1: Timers G and H.
#[test]
fn a_failure_without_ack_is_sent_eleven_times_in_32_seconds() {
    let mut side = Side::new(Transport::Udp);
    let invite = request("INVITE", "z9hG4bK1", None);
    let id = server(&side.receive(&invite));
    side.respond(id, 486, &invite);
    let log = side.run(100_000);
    assert_eq!(
        times(&log, "> 486"),
        [
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500
        ]
    );
    assert_eq!(times(&log, "timed out"), [32_000]);
    side.assert_nothing_left();
}

/// RFC 3261 §17.2.1: Timer H runs on all transports, Timer G does not.
#[test]
fn a_failure_without_ack_is_sent_once_on_a_connection() {
    let mut side = Side::new(Transport::Tcp);
    let invite = request("INVITE", "z9hG4bK1", None);
    let id = server(&side.receive(&invite));
    side.respond(id, 486, &invite);
    assert_eq!(side.run(100_000), ["32000 timed out"]);
    side.assert_nothing_left();
}

/// RFC 3261 §17.2.1: "unless it knows that the TU will generate a provisional
/// or final response within 200 ms".
#[test]
fn a_silent_tu_is_spoken_for_after_200_ms() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut side = Side::new(transport);
        let invite = request("INVITE", "z9hG4bK1", None);
        let id = server(&side.receive(&invite));
        assert_eq!(side.run(10_000), ["200 > 100"]);
        assert_eq!(words(&side.receive(&invite)), ["> 100"]);
        assert_eq!(words(&side.respond(id, 180, &invite)), ["> 180"]);
        assert_eq!(words(&side.receive(&invite)), ["> 180"]);
    }
}

#[test]
fn a_tu_that_speaks_is_not_spoken_for() {
    for code in [100, 183, 200, 404] {
        let mut side = Side::new(Transport::Tcp);
        let invite = request("INVITE", "z9hG4bK1", None);
        let id = server(&side.receive(&invite));
        side.run(199);
        side.respond(id, code, &invite);
        assert_eq!(side.run(10_000), [""; 0], "{code}");
    }
}

/// RFC 4320 §4.1: a 100 once the client's Timer E is at T2, and not before
/// over UDP; §4.2: no final response after 64*T1.
#[test]
fn a_slow_request_is_kept_warm_and_then_given_up() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut side = Side::new(transport);
        side.receive(&request("BYE", "z9hG4bK1", Some("t")));
        assert_eq!(side.run(100_000), ["3500 > 100", "32000 timed out"]);
        side.assert_nothing_left();
    }
}

/// RFC 3261 Table 4 and RFC 6026 §8.1: how long each kind lingers.
#[test]
fn a_transaction_lingers_as_long_as_repetitions_may_come() {
    let client = |transport, method, code| {
        let mut side = Side::new(transport);
        let text = sent(&side.send(method, 1));
        side.receive(&response(code, &text));
        lingers(&mut side)
    };
    let server_side = |transport, method: &str, code, acks: bool| {
        let mut side = Side::new(transport);
        let text = request(method, "z9hG4bK1", None);
        let id = server(&side.receive(&text));
        side.respond(id, code, &text);
        if acks {
            side.receive(&request("ACK", "z9hG4bK1", Some("theirs")));
        }
        lingers(&mut side)
    };
    use Transport::{Tcp, Udp};
    assert_eq!(client(Udp, Method::Invite, 200), 32_000, "M");
    assert_eq!(client(Tcp, Method::Invite, 200), 32_000, "M");
    assert_eq!(client(Udp, Method::Invite, 486), 32_000, "D");
    assert_eq!(client(Tcp, Method::Invite, 486), 0, "D");
    assert_eq!(client(Udp, Method::Bye, 200), 5000, "K");
    assert_eq!(client(Tcp, Method::Bye, 200), 0, "K");
    assert_eq!(server_side(Udp, "INVITE", 200, false), 32_000, "L");
    assert_eq!(server_side(Tcp, "INVITE", 200, false), 32_000, "L");
    assert_eq!(server_side(Udp, "INVITE", 486, true), 5000, "I");
    assert_eq!(server_side(Tcp, "INVITE", 486, true), 0, "I");
    assert_eq!(server_side(Udp, "BYE", 200, false), 32_000, "J");
    assert_eq!(server_side(Tcp, "BYE", 200, false), 0, "J");
}

fn lingers(side: &mut Side) -> u64 {
    while let Some(at) = side.layer.next_wakeup() {
        side.now = u64::try_from(at.as_millis()).unwrap();
        assert_eq!(side.input(Input::Wakeup), []);
    }
    side.assert_nothing_left();
    side.now
}
