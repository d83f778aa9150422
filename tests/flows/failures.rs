//! Calls that are refused, that nobody answers, and peers that are dead.

use crate::lab::{Lab, Wire, text};
use crate::persona::Habit;

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";

/// What the caller hears when both servers answer `code`.
fn refused_with(code: u16) -> String {
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.habit(name, Habit::Refuse(code, String::new()));
    }
    let call = lab.call("itsp", DID);
    lab.run(12_000);
    let heard = text(&lab.heard("itsp", &call));
    lab.assert_nothing_left();
    heard
}

/// RFC 3261 §21.4: what a user decides ends the call.
#[test]
fn busy_unknown_and_declined_are_told_unchanged() {
    for code in [404, 480, 484, 486, 600, 603, 604, 403, 410] {
        assert_eq!(refused_with(code), format!("100 {code}"));
    }
}

/// RFC 3261 §21.5.4: what a server cannot do is 503 when none is left.
#[test]
fn a_server_that_cannot_is_503_when_none_is_left() {
    for code in [408, 500, 502, 503, 504, 580] {
        assert_eq!(refused_with(code), "100 503", "{code}");
    }
}

#[test]
fn codes_of_other_worlds_are_told_in_ours() {
    assert_eq!(refused_with(606), "100 488");
    assert_eq!(refused_with(607), "100 603");
    assert_eq!(refused_with(608), "100 603");
    assert_eq!(refused_with(401), "100 503");
    assert_eq!(refused_with(407), "100 503");
}

#[test]
fn the_other_server_answers_when_the_first_cannot() {
    for code in [408, 500, 503] {
        let mut lab = Lab::new();
        lab.habit("med-1", Habit::Refuse(code, String::new()));
        let call = lab.call("itsp", DID);
        lab.run(1_000);
        assert!(text(&lab.heard("itsp", &call)).ends_with("200"), "{code}");
        assert_eq!(lab.reached("med-2"), 1);
        lab.request("itsp", &call, "BYE", None);
        lab.assert_nothing_left();
    }
}

#[test]
fn a_refused_connection_costs_no_time() {
    let mut lab = Lab::new();
    lab.wires.insert("med-1", Wire::Refused);
    let call = lab.call("itsp", DID);
    lab.run(200);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_black_hole_costs_three_seconds_and_the_next_call_nothing() {
    let mut lab = Lab::new();
    lab.wires.insert("med-1", Wire::Hole);
    let call = lab.call("itsp", DID);
    lab.run(3_500);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.run(60_000);
    let next = lab.call("itsp", DID);
    lab.run(500);
    assert!(text(&lab.heard("itsp", &next)).ends_with("200"));
    lab.request("itsp", &next, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn all_servers_dead_is_503_in_time() {
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.wires.insert(name, Wire::Hole);
    }
    let call = lab.call("itsp", DID);
    lab.run(9_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 503");
    // Once they are known to be dead, the answer comes at once.
    lab.run(60_000);
    let next = lab.call("itsp", DID);
    lab.run(100);
    assert_eq!(text(&lab.heard("itsp", &next)), "503");
    lab.assert_nothing_left();
}

#[test]
fn a_server_that_comes_back_is_used_again() {
    let mut lab = Lab::new();
    lab.wires.insert("med-1", Wire::Hole);
    lab.run(60_000);
    assert_eq!(
        lab.engine
            .peers()
            .iter()
            .find(|p| p.name == "med-1")
            .unwrap()
            .state,
        "down"
    );
    lab.wires.remove("med-1");
    lab.run(20_000);
    assert_eq!(
        lab.engine
            .peers()
            .iter()
            .find(|p| p.name == "med-1")
            .unwrap()
            .state,
        "up"
    );
    let call = lab.call("itsp", DID);
    lab.run(500);
    assert_eq!(lab.reached("med-1"), 1);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §21.5.4, §20.33: a server that asks for rest gets it.
#[test]
fn a_server_that_says_503_with_retry_after_rests() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Refuse(503, "Retry-After: 10\r\n".into()));
    let call = lab.call("itsp", DID);
    lab.run(500);
    lab.request("itsp", &call, "BYE", None);
    lab.run(500);
    let next = lab.call("itsp", DID);
    lab.run(500);
    assert_eq!((lab.reached("med-1"), lab.reached("med-2")), (1, 2));
    lab.request("itsp", &next, "BYE", None);
    lab.assert_nothing_left();
}

/// The server gives up after ten seconds without 18x; it hears one before.
#[test]
fn a_silent_carrier_is_covered_by_a_183_of_ours() {
    let mut lab = Lab::new();
    lab.habit("itsp", Habit::Try);
    let call = lab.call("med-1", OUT);
    lab.run(5_900);
    assert_eq!(text(&lab.heard("med-1", &call)), "100");
    lab.run(300);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 183");
    lab.cancel("med-1", &call);
    lab.run(1_000);
    assert!(text(&lab.heard("med-1", &call)).ends_with("487"));
    lab.habit("itsp", Habit::Answer(0));
    lab.assert_nothing_left();
}

#[test]
fn a_dead_carrier_is_replaced_by_the_next() {
    let mut lab = Lab::new();
    lab.wires.insert("itsp", Wire::Hole);
    let call = lab.call("med-1", OUT);
    lab.run(4_000);
    assert!(text(&lab.heard("med-1", &call)).ends_with("200"));
    assert_eq!(lab.reached("itsp-b"), 1);
    lab.request("med-1", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §17.1.1.2: copies of an INVITE leave after 0.5, 1.5, 3.5 and 7.5 s;
/// where nobody else can take the call, all of them count.
#[test]
fn the_last_target_is_waited_for_until_the_fifth_copy() {
    let mut lab = Lab::new();
    let peer = sbc_config::PeerName::Trunk(sbc_config::Name::new("itsp-b").unwrap());
    let wish = sbc_call::Wish::Drain { peer, on: true };
    lab.input(sbc_call::Input::Operator(wish));
    lab.wires.insert("itsp", Wire::Hole);
    let call = lab.call("med-1", OUT);
    lab.run(7_000);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 183");
    lab.wires.remove("itsp");
    lab.run(900);
    assert!(text(&lab.heard("med-1", &call)).ends_with("200"));
    lab.request("med-1", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §21.4.5.
#[test]
fn an_unassigned_number_is_404() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", "+33144556677");
    lab.run(500);
    assert_eq!(text(&lab.heard("itsp", &call)), "404");
    lab.assert_nothing_left();
}

/// Four calls, one of them kept for emergencies.
#[test]
fn the_fourth_call_of_four_is_kept_for_emergencies() {
    let mut lab = Lab::new();
    lab.wires.insert("itsp", Wire::Refused);
    let calls: Vec<String> = (0..3).map(|_| lab.call("med-1", OUT)).collect();
    lab.run(1_000);
    let over = lab.call("med-1", OUT);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("med-1", &over)), "100 503");
    assert!(
        lab.of("med-1")
            .log
            .iter()
            .any(|text| text.contains("Retry-After: 5\r\n"))
    );
    let help = lab.call("med-1", "112");
    lab.run(1_000);
    assert!(text(&lab.heard("med-1", &help)).ends_with("200"));
    for call in calls.iter().chain([&help]) {
        lab.request("med-1", call, "BYE", None);
    }
    lab.assert_nothing_left();
}

#[test]
fn an_emergency_call_tries_every_trunk_whatever_the_first_says() {
    let mut lab = Lab::new();
    lab.habit("itsp-b", Habit::Refuse(486, String::new()));
    let help = lab.call("med-1", "112");
    lab.run(1_000);
    assert!(text(&lab.heard("med-1", &help)).ends_with("200"));
    assert_eq!((lab.reached("itsp-b"), lab.reached("itsp")), (1, 1));
    lab.request("med-1", &help, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §8.1.3.4: a redirection is followed to peers only.
#[test]
fn a_redirection_to_a_peer_is_followed_and_to_a_stranger_is_not() {
    for (contact, ends) in [("10.20.121.2:5068", "200"), ("192.0.2.66:5060", "480")] {
        let mut lab = Lab::new();
        lab.habit(
            "med-1",
            Habit::Refuse(302, format!("Contact: <sip:x@{contact};transport=tcp>\r\n")),
        );
        let call = lab.call("itsp", DID);
        lab.run(1_000);
        let heard = text(&lab.heard("itsp", &call));
        assert!(heard.ends_with(ends), "{contact}: {heard}");
        if ends == "200" {
            lab.request("itsp", &call, "BYE", None);
        }
        lab.assert_nothing_left();
    }
}

/// RFC 4028 §7.3: 422 is settled with the target.
#[test]
fn a_longer_session_is_agreed_with_the_target() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Refuse(422, "Min-SE: 3600\r\n".into()));
    let call = lab.call("itsp", DID);
    lab.run(100);
    let log = lab.of("med-1").log.clone();
    let asked: Vec<&String> = log
        .iter()
        .filter(|text| text.starts_with("INVITE"))
        .collect();
    assert!(asked.len() >= 2, "{}", asked.len());
    assert!(asked[1].contains("Session-Expires: 3600"), "{}", asked[1]);
    lab.run(1_000);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §13.3.1.4: no ACK ever came.
#[test]
fn an_answer_nobody_acknowledges_is_ended() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(50);
    lab.wires.insert("itsp", Wire::Hole);
    lab.run(40_000);
    lab.wires.remove("itsp");
    assert_eq!(text(&lab.last("med-1").1.heard), "INVITE ACK BYE");
    lab.of("itsp").calls.remove(&call);
    lab.assert_nothing_left();
}

/// RFC 3261 §12.2.2: a request of a dialog nobody knows.
#[test]
fn a_request_of_an_unknown_dialog_is_481() {
    let mut lab = Lab::new();
    lab.raw("itsp", "BYE sip:x@172.20.31.2 SIP/2.0\r\nVia: SIP/2.0/UDP 172.20.31.1:5060;branch=z9hG4bKstray\r\n\
        From: <sip:a@b.example>;tag=1\r\nTo: <sip:x@c.example>;tag=2\r\nCall-ID: stray\r\nCSeq: 2 BYE\r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n");
    lab.run(500);
    assert!(
        lab.of("itsp")
            .log
            .last()
            .unwrap()
            .starts_with("SIP/2.0 481")
    );
    lab.assert_nothing_left();
}

/// RFC 3261 §8.2.2.2: the same request by another way.
#[test]
fn a_request_that_arrives_twice_by_different_ways_is_482() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Ring);
    let call = lab.call("itsp", DID);
    lab.run(500);
    let twin = lab.of("itsp").calls[&call]
        .invite
        .replace("branch=z9hG4bK", "branch=z9hG4bKtwin");
    lab.raw("itsp", &twin);
    lab.run(500);
    assert!(
        lab.of("itsp")
            .log
            .iter()
            .any(|text| text.starts_with("SIP/2.0 482"))
    );
    lab.cancel("itsp", &call);
    lab.assert_nothing_left();
}

#[test]
fn methods_of_other_services_never_get_in() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", "+33144556677");
    lab.run(100);
    let invite = lab.of("itsp").calls[&call].invite.clone();
    for (method, code) in [
        ("MESSAGE", "405"),
        ("SUBSCRIBE", "405"),
        ("PUBLISH", "405"),
        ("REGISTER", "405"),
        ("REFER", "405"),
        ("DANCE", "501"),
    ] {
        let asked = invite
            .replace("INVITE", method)
            .replace("z9hG4bK", &format!("z9hG4bK{method}"))
            .replace("CSeq", "Event: x\r\nRefer-To: <sip:a@b.example>\r\nCSeq");
        lab.raw("itsp", &asked);
        lab.run(100);
        let answer = lab.of("itsp").log.last().unwrap().clone();
        assert!(
            answer.starts_with(&format!("SIP/2.0 {code}")),
            "{method}: {answer}"
        );
    }
    lab.assert_nothing_left();
}

/// RFC 3261 §17.2.1: a copy of an INVITE is not a second call.
#[test]
fn a_repeated_invite_is_one_call() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(20);
    let copy = lab.of("itsp").calls[&call].invite.clone();
    for _ in 0..3 {
        lab.raw("itsp", &copy);
    }
    lab.run(1_000);
    assert_eq!(lab.reached("med-1"), 1);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §7.3.1: names in any case and compact forms say the same.
#[test]
fn an_invite_in_upper_case_and_compact_form_is_a_call() {
    let mut lab = Lab::new();
    let now = lab.now;
    let call = lab.of("itsp").invite(now, DID, "", true);
    let text = lab.of("itsp").outbox.pop().unwrap();
    let text = text
        .replace("Via: ", "v: ")
        .replace("From: ", "FROM: ")
        .replace("To: ", "t: ")
        .replace("Call-ID: ", "CALL-ID : ")
        .replace("CSeq: ", "CSEQ: ")
        .replace("Contact: ", "m: ")
        .replace("Content-Type: ", "c:\r\n ")
        .replace("Content-Length: ", "l: ");
    lab.raw("itsp", &text);
    lab.run(1_000);
    assert!(text_of(&mut lab, &call).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

fn text_of(lab: &mut Lab, call: &str) -> String {
    text(&lab.heard("itsp", call))
}

/// An operator takes a server out: calls that are up stay, new ones go elsewhere.
#[test]
fn a_drained_server_keeps_its_calls_and_gets_no_new_ones() {
    let mut lab = Lab::new();
    let old = lab.call("itsp", DID);
    lab.run(1_000);
    let peer = sbc_config::PeerName::Mediation(sbc_config::Name::new("med-1").unwrap());
    lab.input(sbc_call::Input::Operator(sbc_call::Wish::Drain {
        peer,
        on: true,
    }));
    let new = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!((lab.reached("med-1"), lab.reached("med-2")), (1, 1));
    assert!(!lab.of("itsp").calls[&old].ended);
    for call in [old, new] {
        lab.request("itsp", &call, "BYE", None);
    }
    lab.assert_nothing_left();
}

/// An operator ends a call; both sides hear it.
#[test]
fn a_call_an_operator_clears_ends_on_both_sides() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let key = lab.engine.calls()[0].call;
    lab.input(sbc_call::Input::Operator(sbc_call::Wish::Clear {
        call: key,
    }));
    lab.run(1_000);
    assert!(text_of(&mut lab, &call).ends_with("BYE"));
    assert!(text(&lab.last("med-1").1.heard).ends_with("BYE"));
    lab.assert_nothing_left();
}

/// RFC 3323 §4.1: who is anonymous on one side is anonymous on the other.
#[test]
fn an_anonymous_caller_is_anonymous_on_the_other_side() {
    let mut lab = Lab::new();
    let call = lab.call_with("med-1", OUT, "Privacy: id\r\n", true);
    lab.run(1_000);
    let (_, there) = lab.last("itsp");
    let from = sbc_tests::kit::sip::header(&there.invited, "From");
    assert!(from.contains("anonymous.invalid"), "{from}");
    assert!(there.invited.contains("Privacy: id\r\n"));
    lab.request("med-1", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §16.6: each hop takes one from Max-Forwards.
#[test]
fn a_call_has_one_hop_less_on_the_other_side() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert!(lab.last("med-1").1.invited.contains("Max-Forwards: 69\r\n"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3326: a side that hears BYE for a failure hears the cause.
#[test]
fn a_refusal_carries_its_cause() {
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.habit(name, Habit::Refuse(486, String::new()));
    }
    lab.call("itsp", DID);
    lab.run(1_000);
    let log = lab.of("itsp").log.clone();
    let refused = log
        .iter()
        .find(|text| text.starts_with("SIP/2.0 486"))
        .unwrap();
    assert!(refused.contains("Reason: Q.850;cause=17"), "{refused}");
    lab.assert_nothing_left();
}
