//! Calls that are answered, and how they end.

use crate::lab::{Lab, text};
use crate::persona::Habit;

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";

/// RFC 3261 §13, §15.
#[test]
fn the_carrier_calls_and_hangs_up() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    lab.request("itsp", &call, "BYE", None);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 200 BYE 200");
    let (_, there) = lab.last("med-1");
    assert_eq!(text(&there.heard), "INVITE ACK BYE");
    lab.assert_nothing_left();
}

#[test]
fn the_carrier_calls_and_the_server_hangs_up() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let (id, _) = lab.last("med-1");
    lab.request("med-1", &id, "BYE", None);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 200 BYE");
    assert_eq!(text(&lab.heard("med-1", &id)), "INVITE ACK BYE 200");
    lab.assert_nothing_left();
}

#[test]
fn the_server_calls_over_udp_and_hangs_up() {
    let mut lab = Lab::new();
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    lab.request("med-1", &call, "BYE", None);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 180 200 BYE 200");
    assert_eq!(text(&lab.last("itsp").1.heard), "INVITE ACK BYE");
    lab.assert_nothing_left();
}

#[test]
fn the_server_calls_and_the_carrier_hangs_up() {
    let mut lab = Lab::new();
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    let (id, _) = lab.last("itsp");
    lab.request("itsp", &id, "BYE", None);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 180 200 BYE");
    lab.assert_nothing_left();
}

#[test]
fn a_call_between_two_connections_passes() {
    let mut lab = Lab::new();
    let call = lab.call("itsp-b", "+49401231042");
    lab.run(1_000);
    lab.request("itsp-b", &call, "BYE", None);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp-b", &call)), "100 180 200 BYE 200");
    lab.assert_nothing_left();
}

#[test]
fn an_answer_without_ringing_passes() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::AnswerAtOnce);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    lab.request("itsp", &call, "BYE", None);
    lab.run(500);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 200 BYE 200");
    lab.assert_nothing_left();
}

/// RFC 3960 §3: early media crosses as 183.
#[test]
fn early_media_crosses_as_183() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Early(2_000));
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183");
    assert_eq!(
        lab.of("itsp").calls[&call].session.as_deref(),
        Some("sendrecv")
    );
    lab.run(2_000);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// Some peers take a session nowhere but in a 183.
#[test]
fn a_session_in_180_becomes_183() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::RingWithSession(2_000));
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183");
    lab.run(2_000);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §12.1, §13.2.2.4: many early dialogs come in, one goes out.
#[test]
fn twenty_early_dialogs_become_one() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Forks(20, 1_000));
    let call = lab.call("itsp", DID);
    lab.run(2_000);
    let tags: std::collections::BTreeSet<String> = lab
        .of("itsp")
        .log
        .iter()
        .filter(|text| text.starts_with("SIP/2.0 1") && !text.starts_with("SIP/2.0 100"))
        .map(|text| sbc_tests::kit::sip::header(text, "To").to_owned())
        .collect();
    assert_eq!(tags.len(), 1, "{tags:?}");
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_fork_too_many_harms_nothing() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Forks(25, 1_000));
    let call = lab.call("itsp", DID);
    lab.run(2_000);
    assert!(text(&lab.heard("itsp", &call)).ends_with("200"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3262 §4: a reliable progress of the server is acknowledged on its leg.
#[test]
fn a_reliable_progress_is_acknowledged_on_its_leg_only() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Reliable(1_000));
    let call = lab.call("itsp", DID);
    lab.run(3_000);
    let (_, there) = lab.last("med-1");
    assert_eq!(text(&there.heard), "INVITE PRACK ACK");
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183 200");
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3262 §3: a caller that requires it gets reliable progress.
#[test]
fn a_caller_that_requires_100rel_gets_it() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Early(1_000));
    let call = lab.call_with("itsp", DID, "Require: 100rel\r\n", true);
    lab.run(3_000);
    let heard = text(&lab.heard("itsp", &call));
    assert!(heard.contains("PRACK 200"), "{heard}");
    assert!(heard.ends_with("200"), "{heard}");
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §9.2.
#[test]
fn a_caller_gives_up_while_it_rings() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Ring);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    lab.cancel("itsp", &call);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 CANCEL 200 487");
    assert_eq!(text(&lab.last("med-1").1.heard), "INVITE CANCEL ACK");
    lab.assert_nothing_left();
}

/// RFC 3261 §9.1: no CANCEL before a provisional answer.
#[test]
fn a_caller_gives_up_before_the_server_said_anything() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Silent);
    let call = lab.call("itsp", DID);
    lab.run(100);
    lab.cancel("itsp", &call);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 CANCEL 200 487");
    assert_eq!(text(&lab.last("med-1").1.heard), "INVITE");
    lab.assert_nothing_left();
}

/// RFC 3261 §9.1, §15: the 200 crosses the CANCEL.
#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_ended() {
    for after in 90..115 {
        let mut lab = Lab::new();
        let call = lab.call("itsp", DID);
        lab.run(after);
        lab.cancel("itsp", &call);
        lab.run(2_000);
        let heard = text(&lab.heard("itsp", &call));
        if heard.contains(" 200 CANCEL") || heard.ends_with("CANCEL 200") {
            lab.request("itsp", &call, "BYE", None);
        }
        lab.assert_nothing_left();
    }
}

/// RFC 3261 §15: a caller may end an early dialog with BYE.
#[test]
fn a_caller_ends_an_early_dialog_with_bye() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Ring);
    let call = lab.call("itsp", DID);
    lab.run(500);
    let theirs = lab
        .of("itsp")
        .log
        .iter()
        .rev()
        .find(|text| text.starts_with("SIP/2.0 180"))
        .cloned()
        .unwrap();
    let to = sbc_tests::kit::sip::header(&theirs, "To").to_owned();
    lab.of("itsp").calls.get_mut(&call).unwrap().theirs = to;
    lab.request("itsp", &call, "BYE", None);
    lab.run(1_000);
    let heard = text(&lab.heard("itsp", &call));
    assert!(
        heard.contains("487") && heard.contains("BYE 200"),
        "{heard}"
    );
    lab.assert_nothing_left();
}

/// RFC 5407 §3.1.4: both hang up at once.
#[test]
fn byes_that_cross_end_the_call_once() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let (id, _) = lab.last("med-1");
    lab.request("itsp", &call, "BYE", None);
    lab.request("med-1", &id, "BYE", None);
    lab.run(1_000);
    assert!(text(&lab.heard("itsp", &call)).contains("BYE 200"));
    assert!(text(&lab.heard("med-1", &id)).contains("BYE 200"));
    assert_eq!(lab.stories.len(), 1);
    lab.assert_nothing_left();
}

/// RFC 3264 §4: the offer is in our 200, the answer in the ACK.
#[test]
fn a_late_offer_is_answered_with_ours() {
    let mut lab = Lab::new();
    let call = lab.call_with("itsp", DID, "", false);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180 200");
    let row = lab.streams.values().next().unwrap();
    assert!(row.is_two_way());
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// The restart of the signal role, in virtual time.
#[test]
fn a_call_taken_over_by_the_next_engine_is_changed_and_ended_by_both_sides() {
    for who in ["itsp", "med-1"] {
        let mut lab = Lab::new();
        let call = lab.call("itsp", DID);
        lab.run(1_000);
        let records = lab.journal.clone();
        assert_eq!(records.len(), 1);
        lab.engine = sbc_call::Engine::new(crate::lab::node(), [9; 32], 0);
        for (key, record) in records {
            lab.input(sbc_call::Input::Restore { key, record });
        }
        lab.run(2_000);
        lab.request("itsp", &call, "INVITE", Some("sendonly"));
        lab.run(1_000);
        let (id, there) = lab.last("med-1");
        assert_eq!(there.session.as_deref(), Some("inactive"));
        let id = if who == "itsp" { call } else { id };
        lab.request(who, &id, "BYE", None);
        lab.run(1_000);
        assert!(text(&lab.heard(who, &id)).contains("BYE 200"));
        lab.assert_nothing_left();
    }
}

/// RFC 4028 §7, §10: a long call is refreshed on each leg, and goes on.
#[test]
fn a_call_of_a_day_is_refreshed_and_not_cut() {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(24 * 3_600_000);
    // Every 15 minutes on each leg, and each stays on its leg.
    let refreshes = lab.last("med-1").1.heard;
    let count = refreshes.iter().filter(|what| *what == "INVITE").count();
    assert!((95..=97).contains(&count), "{count}");
    assert!(!lab.of("itsp").calls[&call].ended);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}
