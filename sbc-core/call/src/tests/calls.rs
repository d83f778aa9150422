//! Calls from INVITE to the end, a step a line.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use sbc_sip::wire::{Frame, Name};

use super::{Bench, ITSP, MED_1, MED_2, inside, reply, sdp, start};

fn invite(number: &str, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "INVITE sip:{number}@172.20.31.2 SIP/2.0\r\nVia: SIP/2.0/UDP 172.20.31.1;branch=z9hG4bKa1{number}\r\n\
         From: \"Alice\" <sip:+4930555100@carrier.example;user=phone>;tag=alice\r\nTo: <sip:{number}@172.20.31.2>\r\n\
         Call-ID: call-{number}@carrier.example\r\nCSeq: 1 INVITE\r\nMax-Forwards: 30\r\n\
         Contact: <sip:alice@172.20.31.1:5060>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request of Alice inside the dialog that `answer` made.
pub(super) fn alice(answer: &Frame, method: &str, cseq: u32, body: &str) -> String {
    let value = |name| answer.first(name).unwrap().to_string();
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    format!(
        "{method} sip:172.20.31.2 SIP/2.0\r\nVia: SIP/2.0/UDP 172.20.31.1;branch=z9hG4bK{method}{cseq}\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 30\r\n\
         Contact: <sip:alice@172.20.31.1:5060>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        value(Name::From),
        value(Name::To),
        value(Name::CallId),
        body.len()
    )
}

pub(super) fn ringing(bench: &mut Bench) -> Frame {
    bench.receive(
        ITSP,
        &invite("+49691231042", &sdp("172.20.31.1", 4000, "sendrecv")),
    );
    bench.sent(ITSP, "100");
    let out = bench.sent(MED_1, "INVITE");
    bench.receive(MED_1, &reply(&out, "100 Trying", "", ""));
    bench.receive(MED_1, &reply(&out, "180 Ringing", "bob", ""));
    bench.sent(ITSP, "180");
    out
}

/// Returns our INVITE to the server, and our 200 to Alice.
pub(super) fn talking(bench: &mut Bench) -> (Frame, Frame) {
    let out = ringing(bench);
    let body = sdp("10.20.120.2", 50000, "sendrecv");
    bench.receive(MED_1, &reply(&out, "200 OK", "bob", &body));
    bench.sent(MED_1, "ACK");
    let answer = bench.sent(ITSP, "200");
    let ack = alice(&answer, "ACK", 1, "");
    bench.receive(ITSP, &ack);
    (out, answer)
}

/// RFC 3261 §13, §15; RFC 7092 §3.1: two user agents, each with a dialog of its own.
#[test]
fn a_call_from_the_carrier_is_answered_and_ended_by_the_caller() {
    let mut bench = Bench::new();
    let (_, answer) = talking(&mut bench);
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.receive(ITSP, &alice(&answer, "BYE", 2, ""));
    bench.sent(ITSP, "200");
    let bye = bench.sent(MED_1, "BYE");
    bench.receive(MED_1, &reply(&bye, "200 OK", "bob", ""));
    assert_eq!(bench.stories.len(), 1, "{:?}", bench.stories);
    bench.assert_nothing_left();
}

/// RFC 3261 §15.1.1.
#[test]
fn a_call_is_ended_by_the_callee() {
    let mut bench = Bench::new();
    let (out, _) = talking(&mut bench);
    bench.receive(
        MED_1,
        &inside(&out, "BYE", 1, "bob", "Content-Length: 0\r\n\r\n"),
    );
    bench.sent(MED_1, "200");
    let bye = bench.sent(ITSP, "BYE");
    bench.receive(ITSP, &reply(&bye, "200 OK", "alice", ""));
    bench.assert_nothing_left();
}

/// RFC 7092 §3.2: nothing of one side is visible on the other.
#[test]
fn the_server_sees_nothing_of_the_carrier() {
    let mut bench = Bench::new();
    let out = ringing(&mut bench);
    let whole = format!(
        "{}{}",
        out.head(),
        core::str::from_utf8(out.body()).unwrap()
    );
    for secret in [
        "172.20.31",
        "carrier.example",
        "tag=alice",
        "z9hG4bKa1",
        "call-",
    ] {
        assert!(!whole.contains(secret), "{secret} in\n{whole}");
    }
    assert!(whole.contains("+4930555100"));
    assert!(whole.contains("Max-Forwards: 29\r\n"));
    assert!(whole.contains("c=IN IP4 10.20.120.1\r\n"));
}

/// RFC 3261 §9.2.
#[test]
fn a_cancelled_call_ends_on_both_sides() {
    let mut bench = Bench::new();
    let out = ringing(&mut bench);
    let cancel = invite("+49691231042", "").replace("INVITE", "CANCEL");
    bench.receive(ITSP, &cancel);
    bench.sent(ITSP, "200");
    let sent: alloc::vec::Vec<_> = bench.sent.iter().map(|(_, frame)| start(frame)).collect();
    assert_eq!(sent, ["CANCEL", "487"]);
    let cancel = bench.sent(MED_1, "CANCEL");
    bench.sent(ITSP, "487");
    bench.receive(MED_1, &reply(&cancel, "200 OK", "bob", ""));
    bench.receive(MED_1, &reply(&out, "487 Request Terminated", "bob", ""));
    bench.sent(MED_1, "ACK");
    bench.receive(ITSP, &invite("+49691231042", "").replace("INVITE", "ACK"));
    bench.assert_nothing_left();
}

/// RFC 3261 §16.7: a target that refuses the connection is passed over.
#[test]
fn a_dead_server_is_passed_over_and_the_other_answers() {
    let mut bench = Bench::new();
    bench.receive(
        ITSP,
        &invite("+49691231042", &sdp("172.20.31.1", 4000, "sendrecv")),
    );
    bench.sent(ITSP, "100");
    bench.refuse_connections(MED_1);
    let out = bench.sent(MED_2, "INVITE");
    let body = sdp("10.20.121.2", 50000, "sendrecv");
    bench.receive(MED_2, &reply(&out, "200 OK", "bob", &body));
    bench.sent(MED_2, "ACK");
    bench.sent(ITSP, "200");
}

/// RFC 3261 §21.5.4: the caller never hears 408 for a silent server.
#[test]
fn silence_of_both_servers_is_503_within_ten_seconds() {
    let mut bench = Bench::new();
    bench.receive(
        ITSP,
        &invite("+49691231042", &sdp("172.20.31.1", 4000, "sendrecv")),
    );
    bench.run(Duration::from_secs(9));
    let codes: alloc::vec::Vec<_> = bench
        .sent
        .iter()
        .filter(|(to, _)| to.remote.to_string() == ITSP)
        .map(|(_, frame)| start(frame))
        .filter(|what| what != "OPTIONS")
        .collect();
    // Three seconds for the first server, the rest of eight for the last, then
    // 503, and its repetition after T1.
    assert_eq!(codes, ["100", "503", "503"]);
}

/// RFC 3264 §8.4, RFC 3261 §14: hold crosses in the other peer's form.
#[test]
fn a_hold_of_the_caller_reaches_the_server_as_inactive() {
    let mut bench = Bench::new();
    let (_, answer) = talking(&mut bench);
    bench.receive(
        ITSP,
        &alice(&answer, "INVITE", 2, &sdp("172.20.31.1", 4000, "sendonly")),
    );
    let change = bench.sent(MED_1, "INVITE");
    assert!(
        core::str::from_utf8(change.body())
            .unwrap()
            .contains("a=inactive")
    );
    let body = sdp("10.20.120.2", 50000, "inactive");
    bench.receive(MED_1, &reply(&change, "200 OK", "bob", &body));
    bench.sent(MED_1, "ACK");
    let held = bench.sent(ITSP, "200");
    assert!(
        core::str::from_utf8(held.body())
            .unwrap()
            .contains("a=recvonly")
    );
    bench.receive(ITSP, &alice(&answer, "ACK", 2, ""));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}

/// RFC 4028 §7.4: a refresh that changes nothing stays on its leg.
#[test]
fn a_refresh_of_the_caller_is_answered_and_not_passed_on() {
    let mut bench = Bench::new();
    let (_, answer) = talking(&mut bench);
    bench.receive(
        ITSP,
        &alice(&answer, "INVITE", 2, &sdp("172.20.31.1", 4000, "sendrecv")),
    );
    bench.sent(ITSP, "200");
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}

/// RFC 3261 §21.4.5, §21.4.6, §21.4.26.
#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let mut bench = Bench::new();
    let unknown = invite("+33144556677", &sdp("172.20.31.1", 4000, "sendrecv"));
    bench.receive(ITSP, &unknown);
    bench.sent(ITSP, "404");
    let elsewhere = invite("+49691231043", &sdp("127.0.0.1", 4000, "sendrecv"));
    bench.receive(ITSP, &elsewhere);
    let refused = bench.sent(ITSP, "488");
    assert!(refused.first(Name::Warning).is_some());
    let g729 = sdp("172.20.31.1", 4000, "sendrecv").replace("8 0 101", "18");
    bench.receive(ITSP, &invite("+49691231044", &g729));
    bench.sent(ITSP, "488");
    bench.assert_nothing_left();
}

/// RFC 3261 §8.2: a stranger meets silence.
#[test]
fn a_stranger_gets_no_answer() {
    let mut bench = Bench::new();
    let from = sbc_sip::transaction::destination::Destination {
        transport: sbc_sip::transaction::destination::Transport::Udp,
        remote: "192.0.2.99:5060".parse().unwrap(),
        connection: 0,
    };
    let at = sbc_config::Socket {
        address: "172.20.31.2:5060".parse().unwrap(),
        transport: sbc_config::Transport::Udp,
    };
    let frame = super::frame(&invite("+49691231042", ""));
    bench.input(crate::Input::Received { from, at, frame });
    assert!(bench.sent.is_empty());
}

/// A late offer is answered with an offer of ours, and the answer is in the ACK
/// (RFC 3264 §4, RFC 3261 §13.2.1).
#[test]
fn an_invite_without_an_offer_gets_ours_in_the_answer() {
    let mut bench = Bench::new();
    bench.receive(ITSP, &invite("+49691231042", ""));
    bench.sent(ITSP, "100");
    let out = bench.sent(MED_1, "INVITE");
    assert!(!out.body().is_empty());
    let body = sdp("10.20.120.2", 50000, "sendrecv");
    bench.receive(MED_1, &reply(&out, "200 OK", "bob", &body));
    bench.sent(MED_1, "ACK");
    let answer = bench.sent(ITSP, "200");
    assert!(
        core::str::from_utf8(answer.body())
            .unwrap()
            .contains("m=audio")
    );
    let ack = alice(&answer, "ACK", 1, &sdp("172.20.31.1", 4000, "sendrecv"));
    bench.receive(ITSP, &ack);
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}

/// RFC 3261 §11.2: OPTIONS is answered as an INVITE would be, at once.
#[test]
fn options_are_answered_with_what_we_can_do() {
    let mut bench = Bench::new();
    let ask = invite("+49691231042", "").replace("INVITE", "OPTIONS");
    bench.receive(ITSP, &ask);
    let answer = bench.sent(ITSP, "200");
    for name in [Name::Allow, Name::Supported, Name::Accept] {
        assert!(answer.first(name).is_some(), "{name:?}");
    }
}

/// RFC 3261 §16.6: nobody rings for ever.
#[test]
fn a_server_that_rings_for_three_minutes_is_given_up() {
    let mut bench = Bench::new();
    ringing(&mut bench);
    bench.run(Duration::from_secs(180));
    let to_server = bench
        .sent
        .iter()
        .filter(|(to, _)| to.remote.to_string() == MED_1);
    let told: alloc::vec::Vec<String> = to_server.map(|(_, frame)| start(frame)).collect();
    assert!(told.contains(&"CANCEL".to_string()), "{told:?}");
}

/// RFC 3311 §4, §5.2: an UPDATE of the peer that changes nothing is answered.
#[test]
fn an_update_without_an_offer_is_a_refresh() {
    let mut bench = Bench::new();
    let (_, answer) = talking(&mut bench);
    assert!(answer.first(Name::Allow).unwrap().contains("UPDATE"));
    bench.receive(ITSP, &alice(&answer, "UPDATE", 2, ""));
    bench.sent(ITSP, "200");
    assert!(bench.sent.is_empty());
}

/// RFC 3261 §16.3: what went round through somebody else is recognised.
#[test]
fn an_invite_that_comes_back_with_a_via_of_ours_is_a_loop() {
    let mut bench = Bench::new();
    let out = ringing(&mut bench);
    let via = out.first(Name::Via).unwrap();
    let looped = invite("+49691231043", "").replace("CSeq", &format!("Via: {via}\r\nCSeq"));
    bench.receive(ITSP, &looped);
    bench.sent(ITSP, "482");
}

/// RFC 3261 §8.2.2.3, §21.4.6, §21.4.21, §21.5.2.
#[test]
fn what_is_beyond_us_is_named() {
    let mut bench = Bench::new();
    let plain = invite("+49691231042", "");
    bench.receive(
        ITSP,
        &plain.replace("CSeq: ", "Require: unheard-of\r\nCSeq: "),
    );
    let refused = bench.sent(ITSP, "420");
    assert_eq!(refused.first(Name::Unsupported), Some("unheard-of"));
    bench.receive(
        ITSP,
        &plain
            .replace("INVITE", "SUBSCRIBE")
            .replace("z9hG4bKa1", "z9hG4bKs1")
            .replace("CSeq: ", "Event: x\r\nCSeq: "),
    );
    let refused = bench.sent(ITSP, "405");
    assert!(refused.first(Name::Allow).unwrap().contains("INVITE"));
    bench.receive(
        ITSP,
        &plain
            .replace("INVITE", "DANCE")
            .replace("z9hG4bKa1", "z9hG4bKd1"),
    );
    bench.sent(ITSP, "501");
    bench.receive(
        ITSP,
        &plain
            .replace("Max-Forwards: 30", "Max-Forwards: 0")
            .replace("z9hG4bKa1", "z9hG4bKm1")
            .replace("call-", "hops-"),
    );
    bench.sent(ITSP, "483");
}

/// RFC 3261 §20.33: a call too many is told when to come again.
#[test]
fn a_full_trunk_is_503_with_retry_after_and_an_emergency_call_passes() {
    let mut bench = Bench::new();
    for number in ["+49691231001", "+49691231002"] {
        bench.receive(ITSP, &invite(number, &sdp("172.20.31.1", 4000, "sendrecv")));
        bench.sent(ITSP, "100");
        bench.sent(MED_1, "INVITE");
    }
    bench.receive(
        ITSP,
        &invite("+49691231003", &sdp("172.20.31.1", 4000, "sendrecv")),
    );
    let refused = bench.sent(ITSP, "503");
    assert_eq!(refused.first(Name::RetryAfter), Some("5"));
    let help = invite("112", &sdp("10.20.120.2", 4000, "sendrecv"))
        .replace("UDP 172.20.31.1", "TCP 10.20.120.2:5068")
        .replace("alice@172.20.31.1:5060", "alice@10.20.120.2:5068");
    bench.receive(MED_1, &help);
    bench.sent(MED_1, "100");
    let out = bench.sent(ITSP, "INVITE");
    assert!(out.head().starts_with("INVITE sip:112@"), "{}", out.head());
}

#[test]
fn while_the_fence_is_broken_no_call_begins_but_those_for_help() {
    let mut bench = Bench::new();
    let closed = |closed| {
        crate::Input::Network(crate::Network {
            closed,
            ..crate::Network::default()
        })
    };
    let call = || invite("+49691231001", &sdp("172.20.31.1", 4000, "sendrecv"));
    bench.input(closed(true));
    bench.receive(ITSP, &call());
    bench.sent(ITSP, "503");
    let help = invite("112", &sdp("10.20.120.2", 4000, "sendrecv"))
        .replace("UDP 172.20.31.1", "TCP 10.20.120.2:5068")
        .replace("alice@172.20.31.1:5060", "alice@10.20.120.2:5068");
    bench.receive(MED_1, &help);
    bench.sent(MED_1, "100");
    bench.sent(ITSP, "INVITE");
    bench.input(closed(false));
    let again = call()
        .replace("z9hG4bKa1", "z9hG4bKa2")
        .replace("call-", "again-");
    bench.receive(ITSP, &again);
    bench.sent(ITSP, "100");
    bench.sent(MED_1, "INVITE");
}

#[test]
fn a_peer_whose_cable_is_out_gets_no_call_at_once_and_the_next_does() {
    let mut bench = Bench::new();
    let way = sbc_config::Name::new("voice-a").map(sbc_config::network::Via::Interface);
    let cut = crate::Network {
        closed: false,
        down: way.into_iter().collect(),
    };
    bench.input(crate::Input::Network(cut));
    let peers = bench.engine.peers().into_iter();
    let mut down = peers.filter(|peer| peer.state == "down");
    assert_eq!(down.next().map(|peer| peer.name).as_deref(), Some("med-1"));
    assert!(down.next().is_none());
    let call = invite("+49691231001", &sdp("172.20.31.1", 4000, "sendrecv"));
    bench.receive(ITSP, &call);
    bench.sent(ITSP, "100");
    bench.sent(super::MED_2, "INVITE");
}

/// RFC 5621 §3.1: an emergency call carries a location beside its offer.
#[test]
fn an_offer_is_found_among_the_parts_of_a_body() {
    let mut bench = Bench::new();
    let offer = sdp("10.20.120.2", 4000, "sendrecv");
    let body = format!(
        "--b\r\nContent-Type: application/pidf+xml\r\n\r\n<x/>\r\n\
         --b\r\nContent-Type: application/sdp\r\n\r\n{offer}\r\n--b--\r\n"
    );
    let help = invite("112", &body)
        .replace(
            "application/sdp\r\nContent-Length",
            "multipart/mixed;boundary=b\r\nContent-Length",
        )
        .replace("UDP 172.20.31.1", "TCP 10.20.120.2:5068")
        .replace("alice@172.20.31.1:5060", "alice@10.20.120.2:5068");
    bench.receive(MED_1, &help);
    bench.sent(MED_1, "100");
    let out = bench.sent(ITSP, "INVITE");
    bench.receive(
        ITSP,
        &reply(
            &out,
            "200 OK",
            "help",
            &sdp("172.20.31.1", 50000, "sendrecv"),
        ),
    );
    bench.sent(ITSP, "ACK");
    let answer = bench.sent(MED_1, "200");
    // An answer names the one codec that was chosen; an offer of ours names two.
    let body = core::str::from_utf8(answer.body()).unwrap();
    assert!(body.contains("RTP/AVP 8 101"), "{body}");
}

/// The journal: a call goes on after a restart, and either side can end it.
#[test]
fn a_call_survives_a_restart_by_its_record() {
    let mut bench = Bench::new();
    let (out, answer) = talking(&mut bench);
    let (key, record) = bench.kept.clone().expect("a record");
    assert!(record.len() <= 2048, "{}", record.len());
    let mut after = Bench::new();
    after.input(crate::Input::Restore { key, record });
    after.receive(ITSP, &alice(&answer, "BYE", 2, ""));
    after.sent(ITSP, "200");
    let bye = after.sent(MED_1, "BYE");
    assert_eq!(bye.first(Name::CallId), out.first(Name::CallId));
    after.receive(MED_1, &reply(&bye, "200 OK", "bob", ""));
    assert_eq!(after.stories.len(), 1);
    after.assert_nothing_left();
}
