//! Answers that come more than once, and requests of ours that never get one
//! (RFC 3261 §13.2.2.4, §14.1).

use sbc_tests::kit::sip::header;

use crate::lab::{Lab, Wire};

const DID: &str = "+49691231042";

/// RFC 3261 §13.2.2.4: the ACK of a re-INVITE is lost, and goes again with each copy
/// of the 200.
#[test]
fn a_200_to_a_hold_whose_ack_was_lost_is_acknowledged_again() {
    let (mut lab, call, id) = Lab::talking(DID);
    lab.request("med-1", &id, "INVITE", Some("inactive"));
    lab.run(8);
    lab.wires.insert("itsp", Wire::Hole);
    lab.run(100);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "INVITE");
    lab.wires.remove("itsp");
    lab.run(500);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "ACK");
    assert!(lab.of("itsp").is_quiet());
    let stray = |(name, _): &(String, u64)| name.contains("stray");
    let counters = lab.engine.counters();
    assert!(
        counters
            .iter()
            .filter(|c| stray(c))
            .all(|(_, count)| *count == 0),
        "{counters:?}"
    );
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §13.2.2.4: the same for a session refresh of ours (RFC 4028 §7.4).
#[test]
fn a_200_to_a_refresh_whose_ack_was_lost_is_acknowledged_again() {
    let mut lab = Lab::new();
    let call = lab.call_edited("itsp", DID, |text| text.replace("UPDATE, ", ""));
    let mut refreshed = false;
    for _ in 0..2_000 {
        lab.run(1_000);
        refreshed = lab.heard("itsp", &call).iter().any(|said| said == "INVITE");
        if refreshed {
            break;
        }
    }
    assert!(refreshed, "{:?}", lab.heard("itsp", &call));
    let invite = lab.message("itsp", "INVITE");
    let cseq = header(&invite, "CSeq").replace("INVITE", "ACK");
    let acks = |lab: &mut Lab| {
        let log = &lab.of("itsp").log;
        let of = |text: &&String| text.starts_with("ACK") && header(text, "CSeq") == cseq;
        log.iter().filter(of).count()
    };
    let before = acks(&mut lab);
    let answer = answer_to(&invite);
    for _ in 0..3 {
        lab.raw("itsp", &answer);
    }
    lab.run(100);
    assert_eq!(acks(&mut lab), before + 3);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// The 200 that a copy of the answer to `invite` is.
fn answer_to(invite: &str) -> String {
    format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:x@172.20.31.1:5060>\r\nContent-Length: 0\r\n\r\n",
        header(invite, "Via"),
        header(invite, "From"),
        header(invite, "To"),
        header(invite, "Call-ID"),
        header(invite, "CSeq")
    )
}

/// RFC 3261 §13.2.2.4: who answers as the second gets an ACK and a BYE, on a
/// connection as well.
#[test]
fn a_second_answer_on_a_connection_is_acknowledged_and_ended() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let answer = answer_to(&lab.message("med-1", "INVITE"));
    let to = header(&answer, "To").to_owned();
    let contact = "Contact: <sip:y@10.20.120.2:5068;transport=tcp>";
    let answer = answer
        .replace(&format!("To: {to}"), &format!("To: {to};tag=second"))
        .replace("Contact: <sip:x@172.20.31.1:5060>", contact);
    lab.raw("med-1", &answer);
    lab.run(500);
    for start in ["ACK sip:y@", "BYE sip:y@"] {
        assert!(header(&lab.message("med-1", start), "To").ends_with(";tag=second"));
    }
    assert!(!lab.of("itsp").calls[&call].ended);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}
