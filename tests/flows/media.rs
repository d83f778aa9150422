//! Sessions that change: hold, resume, refreshes, glare, and what the stream
//! table holds meanwhile (RFC 3264, RFC 3261 §14, RFC 3311).

use sbc_call::Input;
use sbc_media::stream::{MediaEvent, RtcpMode, StreamSide};

use crate::lab::{Lab, text};
use crate::persona::describe;

const DID: &str = "+49691231042";

/// RFC 3264 §8.4: hold and resume of the caller, in the server's form.
#[test]
fn the_carrier_holds_and_resumes() {
    let (mut lab, call, id) = Lab::talking(DID);
    assert!(lab.is_open());
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    assert_eq!(
        lab.of("med-1").calls[&id].session.as_deref(),
        Some("inactive")
    );
    assert_eq!(
        lab.of("itsp").calls[&call].session.as_deref(),
        Some("recvonly")
    );
    assert!(!lab.is_open());
    lab.request("itsp", &call, "INVITE", Some("sendrecv"));
    lab.run(1_000);
    assert_eq!(
        lab.of("med-1").calls[&id].session.as_deref(),
        Some("sendrecv")
    );
    assert!(lab.is_open());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// The carrier is told `sendonly`, whatever the server said.
#[test]
fn the_server_holds_inactive_and_the_carrier_hears_sendonly() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("med-1", &id, "INVITE", Some("inactive"));
    lab.run(1_000);
    assert_eq!(
        lab.of("itsp").calls[&call].session.as_deref(),
        Some("sendonly")
    );
    assert_eq!(
        lab.of("med-1").calls[&id].session.as_deref(),
        Some("inactive")
    );
    lab.request("med-1", &id, "INVITE", Some("sendrecv"));
    lab.run(1_000);
    assert!(lab.is_open());
    lab.request("med-1", &id, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3311 §5: hold by UPDATE.
#[test]
fn a_hold_by_update_crosses_as_well() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("itsp", &call, "UPDATE", Some("sendonly"));
    lab.run(1_000);
    assert_eq!(
        lab.of("med-1").calls[&id].session.as_deref(),
        Some("inactive")
    );
    assert!(text(&lab.heard("itsp", &call)).ends_with("UPDATE 200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 4028 §7.4.
#[test]
fn a_refresh_that_changes_nothing_stays_on_its_leg() {
    let (mut lab, call, id) = Lab::talking(DID);
    let before = lab.heard("med-1", &id);
    for method in ["INVITE", "UPDATE"] {
        lab.request("itsp", &call, method, Some("sendrecv"));
        lab.run(1_000);
        assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    }
    assert_eq!(lab.heard("med-1", &id), before);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// An address that moves is settled on its leg, and the stream follows.
#[test]
fn a_moved_address_stays_on_its_leg_and_moves_the_stream() {
    let (mut lab, call, id) = Lab::talking(DID);
    let before = lab.heard("med-1", &id);
    let invite = lab.of("itsp").calls[&call].invite.clone();
    let theirs = lab.of("itsp").calls[&call].theirs.clone();
    let moved = describe("172.20.31.1", 44_444, 9, "sendrecv");
    let (head, _) = invite.split_once("Content-Type").unwrap();
    let to = sbc_tests::kit::sip::header(&invite, "To").to_owned();
    let head = head
        .replace(&format!("To: {to}"), &format!("To: {theirs}"))
        .replace("CSeq: 1", "CSeq: 2")
        .replace("INVITEx1x", "INVITEx2x");
    lab.raw(
        "itsp",
        &format!(
            "{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{moved}",
            moved.len()
        ),
    );
    lab.run(1_000);
    let row = lab.streams.values().next().unwrap();
    assert_eq!(row.a.remote.unwrap().rtp.port(), 44_444);
    assert_eq!(lab.heard("med-1", &id), before);
    lab.of("itsp").calls.get_mut(&call).unwrap().cseq = 2;
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §14.1: what the other side refuses is refused, and the call goes on.
#[test]
fn a_hold_that_is_refused_leaves_the_call_as_it_was() {
    let (mut lab, call, _) = Lab::talking(DID);
    lab.of("med-1").changes = 488;
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(2_000);
    assert!(
        text(&lab.heard("itsp", &call)).ends_with("488"),
        "{:?}",
        lab.heard("itsp", &call)
    );
    assert!(lab.is_open());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §14.1: the other side says 491, and is asked again.
#[test]
fn a_glare_of_the_other_side_is_tried_again() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.of("med-1").changes = 491;
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(100);
    lab.of("med-1").changes = 0;
    lab.run(6_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    assert_eq!(
        lab.of("med-1").calls[&id].session.as_deref(),
        Some("inactive")
    );
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §14.2: both sides hold at once.
#[test]
fn holds_of_both_sides_at_once_end_well() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.request("med-1", &id, "INVITE", Some("inactive"));
    lab.run(10_000);
    for (name, id) in [("itsp", &call), ("med-1", &id)] {
        let heard = text(&lab.heard(name, id));
        assert!(
            heard.contains("491") || heard.ends_with("200") || heard.ends_with("ACK"),
            "{name}: {heard}"
        );
    }
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3264 §8.4: a call that begins on hold is offered open, and opens later.
#[test]
fn a_call_that_begins_on_hold_is_offered_open() {
    let mut lab = Lab::new();
    let now = lab.now;
    let id = lab.of("itsp").invite(now, DID, "", true);
    let held = lab
        .of("itsp")
        .outbox
        .pop()
        .unwrap()
        .replace("a=sendrecv", "a=inactive");
    let body = sbc_tests::kit::sip::body(&held).to_owned();
    let (head, _) = held.split_once("Content-Length").unwrap();
    lab.raw(
        "itsp",
        &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    );
    lab.run(1_000);
    assert_eq!(lab.last("med-1").1.session.as_deref(), Some("sendrecv"));
    lab.request("itsp", &id, "BYE", None);
    lab.assert_nothing_left();
}

/// Dead media ends the call on both sides.
#[test]
fn a_call_whose_media_died_is_ended_on_both_sides() {
    let (mut lab, call, id) = Lab::talking(DID);
    let key = *lab.streams.keys().next().unwrap();
    lab.input(Input::Media(MediaEvent::Silent {
        key,
        side: StreamSide::A,
    }));
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("BYE"));
    assert!(text(&lab.heard("med-1", &id)).ends_with("BYE"));
    lab.assert_nothing_left();
}

/// RFC 3261 §18.1.1: a dialog outlives its connection.
#[test]
fn a_call_goes_on_when_its_connection_is_gone() {
    let (mut lab, call, id) = Lab::talking(DID);
    let place = lab.place("med-1") as u64;
    let to = sbc_sip::transaction::Destination {
        transport: sbc_sip::transaction::Transport::Tcp,
        remote: "10.20.120.2:5068".parse().unwrap(),
        connection: (1 << 32) + place,
    };
    lab.input(Input::Unreachable { to });
    lab.request("itsp", &call, "BYE", None);
    lab.run(1_000);
    assert!(text(&lab.heard("med-1", &id)).ends_with("BYE"));
    lab.assert_nothing_left();
}

/// Nothing of one side is ever seen on the other: all messages are searched.
#[test]
fn no_message_of_one_side_names_anything_of_the_other() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    lab.request("med-1", &id, "BYE", None);
    lab.run(1_000);
    let of_carrier = ["172.20.", "itspt", &call, "z9hG4bKINVITEx1xitsp"];
    let of_server = ["10.20.", "med-1", "z9hG4bKINVITEx1xmed"];
    for message in &lab.of("med-1").log.clone() {
        for secret in of_carrier {
            assert!(!message.contains(secret), "{secret} in\n{message}");
        }
    }
    for message in &lab.of("itsp").log.clone() {
        for secret in of_server {
            assert!(!message.contains(secret), "{secret} in\n{message}");
        }
    }
    lab.assert_nothing_left();
}

/// Each peer is asked for packets of the length that stands in the file.
#[test]
fn each_side_is_asked_for_packets_of_its_own_length() {
    let mut lab = Lab::with(&[
        ("[trunk.itsp]", "ptime = 30"),
        ("[mediation.med-1]", "ptime = 10"),
    ]);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let asked = |lab: &mut Lab, name: &str, start: &str| {
        let message = lab.message(name, start);
        let line = message.lines().find(|line| line.starts_with("a=ptime:"));
        line.map(str::to_owned)
    };
    assert_eq!(asked(&mut lab, "med-1", "INVITE").unwrap(), "a=ptime:10");
    assert_eq!(
        asked(&mut lab, "itsp", "SIP/2.0 200").unwrap(),
        "a=ptime:30"
    );
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// The interval of our RTCP is the peer's own (RFC 3550 §6.2), on hold too.
#[test]
fn rtcp_goes_out_at_the_interval_of_each_peer() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "rtcp-interval = \"2s\"")]);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let intervals = |lab: &Lab| {
        let row = lab.streams.values().next().unwrap();
        [row.a.rtcp, row.b.rtcp].map(|mode| match mode {
            RtcpMode::Originate(every) => every.as_secs(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(intervals(&lab), [2, 5]);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    assert_eq!(intervals(&lab), [2, 5]);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// Media bypass of the server: clients of the networks in the file are sent media
/// directly, any other address in an offer is refused.
#[test]
fn media_pass_by_the_server_to_the_networks_of_its_bypass_and_to_no_other() {
    let placed = |lab: &mut Lab, client: &str| {
        let there = format!("c=IN IP4 {client}");
        let edit = |text: String| text.replace("c=IN IP4 10.20.120.2", &there);
        let call = lab.call_edited("med-1", "+4930555100", edit);
        lab.run(1_000);
        call
    };
    let mut lab = Lab::with(&[("[mediation.med-1]", "bypass = [\"172.20.40.0/29\"]")]);
    let call = placed(&mut lab, "172.20.40.5");
    assert_eq!(text(&lab.heard("med-1", &call)), "100 180 200");
    let row = lab.streams.values().next().unwrap();
    let remote = row.a.remote.as_ref().unwrap().rtp;
    assert_eq!(remote.ip().to_string(), "172.20.40.5");
    lab.request("med-1", &call, "BYE", None);
    lab.run(1_000);
    let call = placed(&mut lab, "172.20.40.9");
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "403");
    lab.assert_nothing_left();
}
