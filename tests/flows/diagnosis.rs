//! What is said of a call that went wrong: a call with one thing wrong goes in,
//! the sentence an operator reads comes out.

use sbc_media::stream::StreamStats;

use crate::lab::{Lab, Wire};
use crate::persona::Habit;

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";

/// The last diagnosis of a lab that is quiet.
fn said(mut lab: Lab) -> String {
    lab.assert_nothing_left();
    lab.diagnoses.pop().unwrap()
}

/// An answered call of `secs` seconds during which the relay counted `stats`.
fn talked(secs: u64, stats: StreamStats) -> String {
    let mut lab = Lab::new();
    lab.stats = stats;
    let call = lab.call("itsp", DID);
    lab.run(1_000 * secs);
    lab.request("itsp", &call, "BYE", None);
    said(lab)
}

fn heard(a: u64, b: u64) -> StreamStats {
    let mut stats = StreamStats::default();
    (stats.a.received.packets, stats.b.received.packets) = (a, b);
    stats
}

#[test]
fn a_good_call_has_no_diagnosis() {
    assert_eq!(talked(10, heard(500, 500)), "");
    // Too short to say anything of its media.
    assert_eq!(talked(1, heard(0, 50)), "");
}

#[test]
fn admission_names_the_peer_that_is_full() {
    let one = "max-simultaneous-calls = 1";
    let mut lab = Lab::with(&[("[mediation.med-1]", one), ("[mediation.med-2]", one)]);
    for _ in 0..2 {
        lab.call("itsp", DID);
        lab.run(5_000);
    }
    lab.call("itsp", DID);
    lab.run(5_000);
    let full = lab.diagnoses.pop().unwrap();
    assert_eq!(
        full,
        "refused by admission: each target of route inbound has as many calls as it may.  Next: show mediation"
    );
    // The side that calls is full.
    let mut lab = Lab::new();
    for _ in 0..5 {
        lab.call("itsp-b", "+49401231042");
    }
    lab.run(2_000);
    assert_eq!(
        lab.diagnoses.pop().unwrap(),
        "refused by admission: itsp-b has as many calls as it may.  Next: show trunks"
    );
}

#[test]
fn no_answer_says_whether_it_rang() {
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.habit(name, Habit::Ring);
    }
    lab.call("itsp", DID);
    lab.run(600_000);
    let rang = said(lab);
    assert!(
        rang.starts_with("no answer: med-") && rang.contains(" rang after 0."),
        "{rang}"
    );
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.habit(name, Habit::Ring);
    }
    let call = lab.call("itsp", DID);
    lab.run(20_000);
    lab.cancel("itsp", &call);
    let gave_up = said(lab);
    assert!(
        gave_up.starts_with("no answer: the caller gave med-")
            && gave_up.ends_with(" up after 20.0 s; it rang"),
        "{gave_up}"
    );
}

#[test]
fn a_mapped_code_names_both() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "responses = [\"480 -> 486\"]")]);
    lab.habit("itsp", Habit::Refuse(480, String::new()));
    lab.call("med-1", OUT);
    lab.run(12_000);
    let mapped = said(lab);
    assert!(
        mapped.starts_with("code mapped: itsp answered 480"),
        "{mapped}"
    );
    assert!(
        mapped.ends_with("the caller heard 486; see 'responses'"),
        "{mapped}"
    );
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.habit(name, Habit::Refuse(486, String::new()));
    }
    lab.call("itsp", DID);
    lab.run(12_000);
    let refused = said(lab);
    assert!(
        refused.starts_with("refused: med-") && refused.contains(" answered 486"),
        "{refused}"
    );
}

#[test]
fn a_target_that_is_not_there_is_named_with_the_time_it_cost() {
    let mut lab = Lab::new();
    for name in ["med-1", "med-2"] {
        lab.wires.insert(name, Wire::Hole);
    }
    lab.call("itsp", DID);
    lab.run(12_000);
    let nobody = said(lab);
    assert!(
        nobody.starts_with("no target could be reached: med-"),
        "{nobody}"
    );
    assert!(nobody.contains("after 3.0 s; med-"), "{nobody}");
    // The next one takes the call: that is worth a word, too.
    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Refuse(503, String::new()));
    let call = lab.call("itsp", DID);
    lab.run(5_000);
    lab.request("itsp", &call, "BYE", None);
    let taken = said(lab);
    assert!(
        taken.starts_with("taken by another target: med-1 answered 503"),
        "{taken}"
    );
}

#[test]
fn one_way_audio_names_the_side_that_is_not_heard() {
    let silent = talked(10, heard(0, 500));
    assert!(
        silent.starts_with("one-way audio: nothing came from itsp, 500 packets from med-"),
        "{silent}"
    );
    assert!(
        silent.contains("firewalls from itsp to the node"),
        "{silent}"
    );
    let silent = talked(10, heard(500, 0));
    assert!(
        silent.starts_with("one-way audio: nothing came from med-"),
        "{silent}"
    );
    // It came from somewhere else.
    let mut stats = heard(0, 500);
    stats.a.unexpected_source = 499;
    let foreign = talked(10, stats);
    assert!(
        foreign.contains("499 packets came from an address that it did not signal"),
        "{foreign}"
    );
    // It fell silent in the middle, and the relay said so.
    let mut stats = heard(120, 500);
    stats.one_way = Some(sbc_media::stream::StreamSide::A);
    let fell = talked(10, stats);
    assert!(
        fell.contains("itsp fell silent after 120 packets"),
        "{fell}"
    );
}

#[test]
fn loss_names_the_side_it_is_on() {
    let mut stats = heard(9_126, 9_315);
    stats.a.received.lost = 189;
    let lost = talked(190, stats);
    assert!(
        lost.starts_with("lost: 2.0 % of the packets from itsp (189 of 9315, MOS "),
        "{lost}"
    );
    assert!(lost.contains("on the way to the node; med-"), "{lost}");
    assert!(lost.ends_with(" is clean"), "{lost}");
    let mut stats = heard(9_315, 9_315);
    stats.b.received.late = 466;
    let late = talked(190, stats);
    assert!(
        late.starts_with("late: 5.0 % of the packets from med-"),
        "{late}"
    );
    let mut stats = heard(9_000, 9_000);
    (stats.a.received.lost, stats.b.received.lost) = (180, 360);
    let both = talked(190, stats);
    assert!(
        both.contains(" and 3.8 % of the packets from med-"),
        "{both}"
    );
}

#[test]
fn what_the_node_itself_refuses_says_where_to_look() {
    let mut lab = Lab::new();
    lab.call("itsp", "+33123");
    lab.run(1_000);
    assert_eq!(
        said(lab),
        "no route takes this number from itsp.  Next: show route NUMBER from itsp"
    );
}
