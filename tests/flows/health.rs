//! Peers that calls find dead, and how they come back (RFC 3261 §8.1.3.1, §11).

use crate::lab::{Lab, Wire};
use crate::persona::{Habit, Persona};

const OUT: &str = "+4930555200";

/// A lab that sends no OPTIONS to the first carrier, whose place is a hole.
fn unasked() -> Lab {
    let mut lab = Lab::with(&[("[trunk.itsp]", "keepalive.method = \"none\"")]);
    lab.wires.insert("itsp", Wire::Hole);
    lab
}

fn state(lab: &Lab) -> String {
    let peers = lab.engine.peers();
    let itsp = peers.iter().find(|peer| peer.name == "itsp").unwrap();
    itsp.state.clone()
}

/// A call of the server that is answered by somebody within `time`, and ended.
fn carried(lab: &mut Lab, time: u64) {
    let call = lab.call("med-1", OUT);
    lab.run(time);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "200");
    lab.request("med-1", &call, "BYE", None);
    lab.run(1_000);
}

/// The carrier is dead to three calls, and then down.
fn down() -> Lab {
    let mut lab = unasked();
    for _ in 0..3 {
        carried(&mut lab, 4_000);
    }
    assert_eq!(state(&lab), "down");
    lab
}

/// Its patience ends after 3 s, its transaction after 32.
#[test]
fn one_dead_attempt_counts_once() {
    let mut lab = unasked();
    for _ in 0..2 {
        carried(&mut lab, 4_000);
        lab.run(40_000);
    }
    assert_eq!(state(&lab), "unknown");
    carried(&mut lab, 4_000);
    assert_eq!(state(&lab), "down");
    lab.assert_nothing_left();
}

#[test]
fn an_answer_of_any_kind_starts_the_count_of_dead_attempts_again() {
    for habit in [
        Habit::Answer(50),
        Habit::Refuse(486, String::new()),
        Habit::Refuse(503, String::new()),
    ] {
        let mut lab = unasked();
        for _ in 0..3 {
            for _ in 0..2 {
                carried(&mut lab, 4_000);
            }
            lab.wires.remove("itsp");
            lab.habit("itsp", habit.clone());
            let call = lab.call("med-1", OUT);
            lab.run(1_000);
            if !lab.of("med-1").calls[&call].ended {
                lab.request("med-1", &call, "BYE", None);
            }
            lab.run(1_000);
            assert_eq!(state(&lab), "up", "{habit:?}");
            lab.wires.insert("itsp", Wire::Hole);
        }
        lab.wires.remove("itsp");
        lab.assert_nothing_left();
    }
}

#[test]
fn a_carrier_without_keepalive_comes_back_when_a_call_finds_it() {
    let mut lab = down();
    carried(&mut lab, 500);
    lab.run(30_000);
    lab.wires.remove("itsp");
    assert_eq!((state(&lab).as_str(), lab.reached("itsp")), ("down", 0));
    carried(&mut lab, 500);
    assert_eq!((state(&lab).as_str(), lab.reached("itsp")), ("up", 1));
    carried(&mut lab, 500);
    assert_eq!(lab.reached("itsp"), 2);
    lab.assert_nothing_left();
}

#[test]
fn a_carrier_that_is_still_dead_costs_one_call_in_each_pause() {
    let mut lab = down();
    lab.run(30_000);
    let tries = lab.call("med-1", OUT);
    lab.run(100);
    carried(&mut lab, 500);
    lab.run(3_000);
    assert_eq!(lab.heard("med-1", &tries).last().unwrap(), "200");
    lab.request("med-1", &tries, "BYE", None);
    lab.run(10_000);
    carried(&mut lab, 500);
    assert_eq!(state(&lab), "down");
    lab.assert_nothing_left();
}

/// The first carrier has two places, and the second of them answers as well.
fn two_places() -> Lab {
    let one = "[\"172.20.31.1:5060/udp\"]";
    let mut lab = Lab::instead(one, "[\"172.20.31.1:5060/udp\", \"172.20.31.3:5060/udp\"]");
    let second = Persona::new("itsp-2", "172.20.31.3:5060", "172.20.31.2:5060", false);
    lab.personas.push(second);
    lab
}

/// RFC 3261 §11.
#[test]
fn a_carrier_whose_second_place_lives_is_up_and_is_called_there_first() {
    let mut lab = two_places();
    lab.wires.insert("itsp", Wire::Hole);
    for _ in 0..60 {
        lab.run(5_000);
        assert_eq!(state(&lab), "up");
    }
    assert!(lab.of("itsp-2").options > 3);
    carried(&mut lab, 500);
    assert_eq!(lab.reached("itsp-2"), 1);
    lab.wires.remove("itsp");
    lab.run(60_000);
    carried(&mut lab, 500);
    assert_eq!((lab.reached("itsp"), lab.reached("itsp-2")), (1, 1));
    lab.assert_nothing_left();
}

#[test]
fn a_carrier_is_down_when_both_of_its_places_are_silent_and_up_with_either() {
    let mut lab = two_places();
    for name in ["itsp", "itsp-2"] {
        lab.wires.insert(name, Wire::Hole);
    }
    lab.run(90_000);
    assert_eq!(state(&lab), "down");
    lab.wires.remove("itsp-2");
    lab.run(60_000);
    assert_eq!(state(&lab), "up");
    lab.assert_nothing_left();
}
