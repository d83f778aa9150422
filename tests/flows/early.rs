//! Before the answer: what the caller hears of a called side that promises media,
//! sends none, or has none (RFC 3960 §3).

use std::time::Duration;

use sbc_media::tone::{Ringing, Tone};
use sbc_tests::kit::sip::body;

use crate::lab::{Lab, text};
use crate::persona::Habit;

const DID: &str = "+49691231042";

/// Flow 8 of the manual (RFC 3960 §3.2): silence behind a promise of media is covered by the ringing
/// tone of the caller's country, which ends at the first packet or the answer.
#[test]
fn flow_8_silent_early_media_is_covered_by_ringing_until_somebody_speaks() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Early(2_000));
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let row = lab.streams.values().next().unwrap().clone();
    let play = row.a.play.unwrap();
    assert_eq!(play.tone, Tone::Ringing(Ringing::of("DE")));
    assert_eq!(play.after, Duration::from_millis(300));
    assert!(
        row.a.hears && row.b.sends,
        "the relay stops at the first packet"
    );
    assert_eq!(row.b.play, None);
    lab.run(2_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 183 200");
    assert_eq!(lab.streams.values().next().unwrap().a.play, None);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_called_side_that_promises_no_media_leaves_the_ringing_to_the_caller() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Ring);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180");
    assert_eq!(lab.streams.values().next().unwrap().a.play, None);
    lab.cancel("itsp", &call);
    lab.assert_nothing_left();
}

#[test]
fn a_caller_that_wants_early_media_as_it_is_gets_180_with_a_session_and_no_tone() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "early-media = \"pass\"")]);
    lab.habit("med-1", Habit::RingWithSession(2_000));
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(text(&lab.heard("itsp", &call)), "100 180");
    assert!(body(&lab.message("itsp", "SIP/2.0 180")).contains("m=audio"));
    assert_eq!(lab.streams.values().next().unwrap().a.play, None);
    lab.run(2_000);
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_caller_that_rings_by_itself_hears_180_and_no_early_media() {
    for habit in [Habit::Early(2_000), Habit::RingWithSession(2_000)] {
        let mut lab = Lab::with(&[("[trunk.itsp]", "early-media = \"ring-only\"")]);
        lab.habit("med-1", habit);
        let call = lab.call("itsp", DID);
        lab.run(1_000);
        assert_eq!(text(&lab.heard("itsp", &call)), "100 180");
        assert_eq!(body(&lab.message("itsp", "SIP/2.0 180")), "");
        let row = lab.streams.values().next().unwrap();
        assert!(row.a.play.is_none() && !row.a.hears);
        lab.run(2_000);
        assert!(body(&lab.message("itsp", "SIP/2.0 200")).contains("m=audio"));
        assert!(lab.streams.values().next().unwrap().is_two_way());
        lab.request("itsp", &call, "BYE", None);
        lab.assert_nothing_left();
    }
}

/// A server that wants 183 at once gets it before the carrier says anything.
#[test]
fn a_server_that_wants_progress_at_once_hears_183_first() {
    let mut lab = Lab::with(&[("[mediation.med-1]", "early-183 = \"at-once\"")]);
    lab.habit("itsp", Habit::Silent);
    let call = lab.call("med-1", "+4930555200");
    lab.run(10);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 183");
    lab.cancel("med-1", &call);
    lab.assert_nothing_left();
}

/// Flow 4 of the manual: 100, nothing for 9.5 s, then 183: the caller's server heard a
/// progress of ours before its ten seconds were over.
#[test]
fn flow_4_a_carrier_that_needs_nine_seconds_to_ring_loses_no_call() {
    let mut lab = Lab::new();
    lab.habit("itsp", Habit::TryThenEarly(9_500, 2_000));
    let call = lab.call("med-1", "+4930555200");
    lab.run(8_000);
    assert_eq!(text(&lab.heard("med-1", &call)), "100 183");
    assert_eq!(body(&lab.message("med-1", "SIP/2.0 183")), "");
    lab.run(6_000);
    assert!(body(&lab.message("med-1", "SIP/2.0 183")).contains("m=audio"));
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "200");
    lab.request("med-1", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// Flow 7 of the manual: five early dialogs, the fourth answers.
#[test]
fn flow_7_of_five_early_dialogs_the_fourth_answers_with_its_media() {
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::ForksThen(5, 3, 1_000));
    let call = lab.call("itsp", DID);
    lab.run(3_000);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "200");
    let row = lab.streams.values().next().unwrap();
    assert_eq!(row.b.remote.unwrap().rtp.port(), 50_006, "of the fourth");
    let told = lab.of("itsp").log.clone();
    let tags: std::collections::BTreeSet<&str> = told
        .iter()
        .filter(|text| text.starts_with("SIP/2.0 18") || text.starts_with("SIP/2.0 200"))
        .map(|text| sbc_tests::kit::sip::header(text, "To"))
        .collect();
    assert_eq!(tags.len(), 1, "{tags:?}");
    lab.request("itsp", &call, "BYE", None);
    lab.run(500);
    let bye = lab.message("med-1", "BYE");
    assert!(
        sbc_tests::kit::sip::header(&bye, "To").ends_with("f3"),
        "{bye}"
    );
    lab.assert_nothing_left();
}
