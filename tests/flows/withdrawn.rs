//! Changes of the session that the other side does not answer, that are cancelled, or
//! that are under way when the call ends (RFC 3261 §9, §14.1).

use sbc_tests::kit::sip::{body, header};

use crate::lab::{Lab, Wire, text};

const DID: &str = "+49691231042";

/// The carrier's hold waits for a server that said 100.
fn holding() -> (Lab, String, String) {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.of("med-1").changes = 100;
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    (lab, call, id)
}

/// The version of the session that the last message of `start` to `name` describes.
fn version(lab: &mut Lab, name: &str, start: &str) -> u32 {
    let message = lab.message(name, start);
    let origin = body(&message).lines().find(|line| line.starts_with("o="));
    origin.unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

/// RFC 3261 §14.1, §21.5.5: the hold is refused, the call goes on, and can be held later.
#[test]
fn a_hold_that_hears_100_and_nothing_else_is_504_and_the_call_goes_on() {
    let (mut lab, call, id) = holding();
    lab.run(28_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 200 100");
    lab.run(2_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("100 504"));
    assert!(text(&lab.heard("med-1", &id)).ends_with("INVITE CANCEL ACK"));
    assert!(lab.is_open());
    lab.of("med-1").changes = 0;
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    assert!(!lab.is_open());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3311 §5.2: an UPDATE hears 504 before it gives up.
#[test]
fn a_hold_by_update_that_nobody_answers_is_504() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    lab.of("med-1").changes = 100;
    lab.request("itsp", &call, "UPDATE", Some("sendonly"));
    lab.run(31_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("UPDATE 504"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_server_that_dies_after_100_leaves_nothing_behind() {
    let (mut lab, call, _) = holding();
    lab.wires.insert("med-1", Wire::Hole);
    lab.run(31_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("504"));
    assert!(!lab.of("itsp").calls[&call].ended);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §15.1.2: what waits in a dialog ends with it.
#[test]
fn a_call_that_ends_during_a_hold_leaves_nothing_behind() {
    for (who, dies) in [("itsp", false), ("itsp", true), ("med-1", false)] {
        let (mut lab, call, id) = holding();
        if dies {
            lab.wires.insert("med-1", Wire::Hole);
        }
        lab.request(who, if who == "itsp" { &call } else { &id }, "BYE", None);
        lab.run(1_000);
        let heard = text(&lab.heard("itsp", &call));
        assert!(heard.contains("487"), "{who} {dies}: {heard}");
        lab.assert_nothing_left();
    }
}

/// RFC 3261 §9.2: 200 to the CANCEL, 487 to the re-INVITE, and the other side is
/// cancelled as well (§9.1).
#[test]
fn a_hold_that_is_cancelled_is_487_and_cancelled_on_the_other_side() {
    let (mut lab, call, id) = holding();
    lab.cancel("itsp", &call);
    lab.run(1_000);
    let heard = text(&lab.heard("itsp", &call));
    assert!(
        heard.contains("CANCEL 200") && heard.contains("487"),
        "{heard}"
    );
    assert!(text(&lab.heard("med-1", &id)).ends_with("INVITE CANCEL ACK"));
    assert!(lab.is_open());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §9.1, RFC 3264 §8: the 200 crossed the CANCEL; what held before is offered
/// again, as a newer description.
#[test]
fn a_cancelled_hold_that_was_accepted_is_undone() {
    let (mut lab, call, id) = holding();
    let before = version(&mut lab, "med-1", "INVITE");
    lab.cancel("itsp", &call);
    lab.of("med-1").changes = 0;
    let now = lab.now;
    lab.of("med-1").finish_change(now, &id, "200 OK");
    lab.collect();
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).contains("487"));
    let there = lab.of("med-1").calls[&id].clone();
    assert_eq!(
        there.session.as_deref(),
        Some("sendrecv"),
        "{:?}",
        there.heard
    );
    assert_eq!(there.direction, "sendrecv");
    assert_eq!(version(&mut lab, "med-1", "INVITE"), before + 1);
    assert!(lab.is_open() && lab.of("med-1").is_quiet());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §12.2.1.2: a server that knows nothing of the dialog ends the call, also
/// when nobody waits for its answer.
#[test]
fn a_server_that_lost_the_dialog_says_so_to_a_cancelled_hold() {
    let (mut lab, call, id) = holding();
    lab.cancel("itsp", &call);
    let now = lab.now;
    lab.of("med-1").finish_change(now, &id, "481 Gone");
    lab.collect();
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("BYE"));
    lab.assert_nothing_left();
}

/// RFC 4028 §10: a refresh that hears 100 and nothing else does not keep the call for ever.
#[test]
fn a_refresh_that_hears_100_and_nothing_else_is_cancelled() {
    let mut lab = Lab::new();
    let call = lab.call_edited("itsp", DID, |text| text.replace("UPDATE, ", ""));
    lab.run(1_000);
    lab.of("itsp").changes = 100;
    for _ in 0..2_000 {
        lab.run(1_000);
        if lab.heard("itsp", &call).iter().any(|said| said == "CANCEL") {
            break;
        }
    }
    assert!(text(&lab.heard("itsp", &call)).contains("INVITE CANCEL"));
    let cancel = lab.message("itsp", "CANCEL");
    assert!(header(&cancel, "CSeq").ends_with("CANCEL"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// The connection of the first server is gone.
fn cut(lab: &mut Lab) {
    let place = lab.place("med-1") as u64;
    let to = sbc_sip::transaction::Destination {
        transport: sbc_sip::transaction::Transport::Tcp,
        remote: "10.20.120.2:5068".parse().unwrap(),
        connection: (1 << 32) + place,
    };
    lab.input(sbc_call::Input::Unreachable { to });
}

/// RFC 3261 §8.1.3.1: what could not be sent is 503, and no more than that.
#[test]
fn a_connection_that_dies_under_a_hold_refuses_the_hold_alone() {
    let (mut lab, call, id) = Lab::talking(DID);
    // The server spoke last, so our requests use its connection.
    lab.request("med-1", &id, "INVITE", Some("sendrecv"));
    lab.run(1_000);
    lab.wires.insert("med-1", Wire::Hole);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    cut(&mut lab);
    lab.wires.remove("med-1");
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("503"));
    assert!(lab.is_open() && !lab.of("med-1").calls[&id].ended);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §12.2.1.2: no answer at all ends the dialog, and the other end is told as
/// soon as it can be.
#[test]
fn a_hold_that_nothing_answers_ends_the_call_with_a_bye_to_both() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.wires.insert("med-1", Wire::Hole);
    lab.request("itsp", &call, "INVITE", Some("sendonly"));
    lab.run(31_900);
    lab.wires.remove("med-1");
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("408 BYE"));
    assert!(text(&lab.heard("med-1", &id)).ends_with("BYE"));
    lab.assert_nothing_left();
}

/// RFC 3261 §18.4, §15.1.1: a BYE whose connection died goes once more by a new one.
#[test]
fn a_bye_whose_connection_dies_goes_once_more() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("med-1", &id, "INVITE", Some("sendrecv"));
    lab.run(1_000);
    lab.wires.insert("med-1", Wire::Hole);
    let (now, reason) = (lab.now, "Reason: Q.850;cause=38\r\n");
    lab.of("itsp").request(now, &call, "BYE", reason, None);
    lab.collect();
    lab.run(1_000);
    lab.wires.remove("med-1");
    cut(&mut lab);
    lab.run(1_000);
    assert!(text(&lab.heard("med-1", &id)).ends_with("BYE"));
    let bye = lab.message("med-1", "BYE");
    assert_eq!(header(&bye, "Reason"), "Q.850;cause=38");
    lab.assert_nothing_left();
}

#[test]
fn a_bye_that_nobody_takes_is_not_tried_for_ever() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    lab.wires.insert("med-1", Wire::Refused);
    lab.request("itsp", &call, "BYE", None);
    lab.run(2_000);
    lab.assert_nothing_left();
}
