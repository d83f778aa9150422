//! Before the answer, inside early dialogs: reliable progress, its acknowledgement, and
//! sessions that change (RFC 3262, RFC 3311, RFC 6337), in every order.

use sbc_tests::kit::sip::{body, header};

use crate::lab::{Lab, text};
use crate::persona::Habit;

const DID: &str = "+49691231042";

/// A call that waits for what the server does by hand.
fn waiting(extra: &str) -> (Lab, String, String) {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Silent);
    let call = lab.call_with("itsp", DID, extra, true);
    lab.run(20);
    let (id, _) = lab.last("med-1");
    (lab, call, id)
}

impl Lab {
    fn progress(&mut self, id: &str, status: &str, rseq: Option<u32>, described: bool) {
        self.of("med-1").progress(id, status, rseq, described);
        self.collect();
        self.run(20);
    }

    fn answer(&mut self, id: &str) {
        let now = self.now;
        self.of("med-1").answer(now, id);
        self.collect();
        self.run(20);
    }

    fn prack(&mut self, call: &str, direction: Option<&str>) {
        let now = self.now;
        self.of("itsp").prack(now, call, direction);
        self.collect();
        self.run(20);
    }

    fn port_b(&self) -> u16 {
        let row = self.streams.values().next().unwrap();
        row.b.remote.map_or(0, |remote| remote.rtp.port())
    }
}

/// RFC 3311 §5.2: the called side moves its media before it answers; the answer, which
/// repeats what it said first, does not move it back.
#[test]
fn an_update_of_the_called_side_before_its_answer_moves_the_stream_for_good() {
    let (mut lab, call, id) = waiting("");
    lab.progress(&id, "183 Session Progress", Some(1), true);
    assert_eq!(lab.port_b(), 50_000);
    lab.request("med-1", &id, "UPDATE", Some("sendrecv"));
    lab.run(20);
    assert!(text(&lab.heard("med-1", &id)).ends_with("UPDATE 200"));
    let moved = lab.port_b();
    assert_ne!(moved, 50_000);
    lab.answer(&id);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "200");
    assert_eq!(lab.port_b(), moved);
    lab.request("itsp", &call, "BYE", None);
    lab.run(20);
    assert!(text(&lab.heard("med-1", &id)).ends_with("ACK BYE"));
    lab.assert_nothing_left();
}

/// RFC 3311 §5.2: an offer meets one of ours that waits for its answer.
#[test]
fn an_update_of_the_called_side_before_it_described_itself_is_491() {
    let (mut lab, call, id) = waiting("");
    lab.progress(&id, "180 Ringing", Some(1), false);
    lab.request("med-1", &id, "UPDATE", Some("sendrecv"));
    lab.run(20);
    assert!(text(&lab.heard("med-1", &id)).ends_with("UPDATE 491"));
    lab.answer(&id);
    assert_eq!(lab.port_b(), 50_000);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3311 §5.2: a second offer before the answer to the first is 500 with a pause.
#[test]
fn an_update_of_the_caller_waits_for_the_answer_to_its_first_offer() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.progress(&id, "180 Ringing", None, false);
    lab.request("itsp", &call, "UPDATE", Some("sendrecv"));
    lab.run(20);
    assert!(text(&lab.heard("itsp", &call)).ends_with("UPDATE 500"));
    assert!(
        header(&lab.message("itsp", "SIP/2.0 500"), "Retry-After")
            .parse::<u32>()
            .unwrap()
            <= 10
    );
    lab.progress(&id, "183 Session Progress", None, true);
    lab.request("itsp", &call, "UPDATE", Some("sendrecv"));
    lab.run(20);
    let heard = text(&lab.heard("itsp", &call));
    assert!(heard.ends_with("UPDATE 200"), "{heard}");
    lab.answer(&id);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 6337 §3.1.1: offer and answer are of a dialog: the hold of one branch is over
/// when another answers.
#[test]
fn what_one_branch_changed_is_not_held_against_another_that_answers() {
    let (mut lab, call, id) = waiting("");
    let two_way = |lab: &Lab| lab.streams.values().next().unwrap().is_two_way();
    lab.progress(&id, "183 Session Progress", None, true);
    lab.request("med-1", &id, "UPDATE", Some("inactive"));
    lab.run(20);
    assert!(text(&lab.heard("med-1", &id)).ends_with("UPDATE 200"));
    assert!(!two_way(&lab), "the first branch holds");
    let known = lab.of("med-1").calls.get_mut(&id).unwrap();
    known.ours = format!("{}other", known.ours);
    known.port = 51_000;
    lab.answer(&id);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "200");
    assert_eq!(lab.port_b(), 51_000);
    assert!(two_way(&lab), "the second does not");
    assert_eq!(
        lab.of("itsp").calls[&call].session.as_deref(),
        Some("sendrecv")
    );
    lab.request("itsp", &call, "BYE", None);
    lab.run(20);
    let bye = lab.message("med-1", "BYE");
    assert!(header(&bye, "To").ends_with("other"), "{bye}");
    lab.assert_nothing_left();
}

/// RFC 3262 §3: no 200 while a description waits for its PRACK.
#[test]
fn the_answer_waits_until_the_caller_has_acknowledged_the_session() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "183 Session Progress", None, true);
    lab.answer(&id);
    lab.run(100);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183");
    lab.prack(&call, None);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183 PRACK 200 200");
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3262 §3: a PRACK that comes behind the 200 is answered all the same.
#[test]
fn a_prack_behind_the_answer_is_answered() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "180 Ringing", None, false);
    lab.answer(&id);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 200");
    lab.prack(&call, None);
    assert!(text(&lab.heard("itsp", &call)).ends_with("PRACK 200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3262 §3: one at a time; what comes meanwhile follows the PRACK.
#[test]
fn progress_behind_unacknowledged_progress_follows_it() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "180 Ringing", None, false);
    lab.progress(&id, "183 Session Progress", None, true);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180");
    lab.prack(&call, None);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 PRACK 200 183");
    assert!(body(&lab.message("itsp", "SIP/2.0 183")).contains("m=audio"));
    lab.prack(&call, None);
    lab.answer(&id);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "200");
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3262 §3: nobody acknowledges for 64*T1, so nobody is there.
#[test]
fn progress_that_nobody_acknowledges_ends_the_call_on_both_sides() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "183 Session Progress", None, true);
    lab.answer(&id);
    lab.run(40_000);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "504");
    assert!(text(&lab.heard("med-1", &id)).ends_with("ACK BYE"));
    lab.assert_nothing_left();
}

/// The answer is held back for a PRACK, and one side has enough of it.
#[test]
fn an_answer_that_is_held_back_is_ended_by_a_cancel_and_by_a_bye() {
    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "183 Session Progress", None, true);
    lab.answer(&id);
    lab.cancel("itsp", &call);
    lab.run(100);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "487");
    assert!(text(&lab.heard("med-1", &id)).ends_with("ACK BYE"));
    lab.assert_nothing_left();

    let (mut lab, call, id) = waiting("Require: 100rel\r\n");
    lab.of("itsp").pracks = false;
    lab.progress(&id, "183 Session Progress", None, true);
    lab.answer(&id);
    lab.request("med-1", &id, "BYE", None);
    lab.run(100);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "480");
    lab.assert_nothing_left();
}

/// RFC 3262 §5: an INVITE without an offer gets ours in the first reliable answer, the
/// answer to it comes in the PRACK.
#[test]
fn a_late_offer_is_made_in_reliable_progress_and_answered_in_its_prack() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Answer(500));
    let call = lab.call_with("itsp", DID, "Require: 100rel\r\n", false);
    lab.run(200);
    assert!(body(&lab.message("itsp", "SIP/2.0 180")).contains("m=audio"));
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 PRACK 200");
    lab.run(1_000);
    assert_eq!(body(&lab.message("itsp", "SIP/2.0 200")), "");
    assert!(lab.streams.values().next().unwrap().is_two_way());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §15: the called side of an early dialog has no BYE.
#[test]
fn a_bye_of_the_called_side_before_its_answer_is_481() {
    let (mut lab, call, id) = waiting("");
    lab.progress(&id, "180 Ringing", None, false);
    lab.request("med-1", &id, "BYE", None);
    lab.run(100);
    assert!(text(&lab.heard("med-1", &id)).ends_with("BYE 481"));
    lab.cancel("itsp", &call);
    lab.of("med-1").calls.get_mut(&id).unwrap().ended = false;
    lab.assert_nothing_left();
}

const ACTS: [&str; 8] = [
    "180",
    "183",
    "183 reliably",
    "200",
    "PRACK",
    "UPDATE",
    "UPDATE there",
    "CANCEL",
];

fn act(lab: &mut Lab, what: &str, (call, id): (&str, &str), rseq: &mut u32) {
    let (here, there) = (
        lab.of("itsp").calls[call].clone(),
        lab.of("med-1").calls[id].clone(),
    );
    let final_here = here
        .heard
        .iter()
        .any(|code| code.len() == 3 && code.as_str() >= "200");
    let cancelled = there.heard.contains(&"CANCEL".to_string());
    let answered = lab.of("med-1").said_200.contains(id);
    match what {
        "180" if !answered && !cancelled => lab.progress(id, "180 Ringing", None, false),
        "183" if !answered && !cancelled => lab.progress(id, "183 Progress", None, true),
        "183 reliably" if !answered && !cancelled => {
            *rseq += 1;
            lab.progress(id, "183 Progress", Some(*rseq), true);
        }
        "200" if !answered && !cancelled => {
            lab.of("med-1").said_200.insert(id.to_owned());
            lab.answer(id);
        }
        "PRACK" => lab.prack(call, None),
        "UPDATE" if here.theirs.contains(";tag=") && !here.ended => {
            lab.request("itsp", call, "UPDATE", Some("sendrecv"));
        }
        "UPDATE there" if !there.ended && !cancelled => {
            lab.request("med-1", id, "UPDATE", Some("sendonly"));
        }
        "CANCEL" if !final_here => lab.cancel("itsp", call),
        _ => {}
    }
    lab.run(9);
}

/// RFC 3262 §3, §4, §5; RFC 3311 §5: every order of four of these acts, with a caller
/// that requires reliable progress and acknowledges it late, and with one that does not
/// care: 8,192 stories, each ended by what its state allows.
#[test]
fn progress_pracks_updates_answer_and_cancel_in_every_order_leave_nothing() {
    let mut stories = 0;
    let mut answered = 0;
    for extra in ["Require: 100rel\r\n", ""] {
        for code in 0..ACTS.len().pow(4) {
            let (mut lab, call, id) = waiting(extra);
            lab.of("itsp").pracks = false;
            let (mut code, mut rseq) = (code, 0);
            for _ in 0..4 {
                act(&mut lab, ACTS[code % ACTS.len()], (&call, &id), &mut rseq);
                code /= ACTS.len();
            }
            lab.of("itsp").pracks = true;
            lab.prack(&call, None);
            let known = lab.of("itsp").calls[&call].clone();
            if known.heard.iter().any(|code| code == "200") {
                answered += 1;
                lab.request("itsp", &call, "BYE", None);
            } else if !known.ended {
                lab.cancel("itsp", &call);
            }
            lab.assert_nothing_left();
            stories += 1;
        }
    }
    assert_eq!(stories, 8_192);
    assert!(answered > 1_000, "{answered}");
}
