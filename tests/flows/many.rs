//! Many calls at once: over wires that lose one datagram in ten, mixed outcomes,
//! and every order in which both sides can act at the same time.

use crate::lab::Lab;
use crate::persona::Habit;

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";

/// Ten per cent of the datagrams are lost each way; calls go on all the same.
#[test]
fn a_thousand_calls_over_a_lossy_wire_succeed_and_leave_nothing() {
    let mut lab = Lab::seeded(5);
    lab.loss = 10;
    let mut placed = Vec::new();
    for number in 0..1_000 {
        let (name, to) = if number % 2 == 0 {
            ("itsp", DID)
        } else {
            ("med-1", OUT)
        };
        placed.push((name, lab.call(name, to)));
        lab.run(20);
    }
    lab.run(30_000);
    let mut answered = 0;
    for (name, id) in &placed {
        if lab.heard(name, id).contains(&"200".to_string()) {
            answered += 1;
            lab.request(name, id, "BYE", None);
        }
        lab.run(5);
    }
    lab.run(60_000);
    assert!(answered >= 990, "{answered} of 1000");
    lab.loss = 0;
    lab.assert_nothing_left();
}

/// Answered, refused, cancelled, unassigned, held, ended by either side.
#[test]
fn five_thousand_mixed_calls_leave_nothing() {
    let mut lab = Lab::seeded(6);
    let mut talking: Vec<(&str, String)> = Vec::new();
    for number in 0..5_000_u32 {
        let habit = match lab.random(6) {
            0 => Habit::AnswerAtOnce,
            1 => Habit::Early(30),
            2 => Habit::Refuse(486, String::new()),
            3 => Habit::Forks(3, 20),
            4 => Habit::Refuse(503, String::new()),
            _ => Habit::Answer(40),
        };
        let (name, to) = match lab.random(4) {
            0 => ("med-1", OUT),
            1 => ("itsp-b", DID),
            2 => ("itsp", "+33144"),
            _ => ("itsp", DID),
        };
        let callee = if name == "med-1" { "itsp" } else { "med-1" };
        lab.habit(callee, habit);
        let id = lab.call(name, to);
        let pause = lab.random(60);
        lab.run(pause);
        if number % 7 == 0
            && !lab.of(name).calls[&id]
                .heard
                .iter()
                .any(|code| code.as_str() >= "200")
        {
            lab.cancel(name, &id);
        }
        talking.push((name, id));
        if talking.len() > 20 {
            let (name, id) = talking.remove(0);
            let call = lab.of(name).calls[&id].clone();
            if call.heard.contains(&"200".to_string()) && !call.ended {
                lab.request(name, &id, "BYE", None);
            }
        }
    }
    lab.run(5_000);
    for (name, id) in talking {
        let call = lab.of(name).calls[&id].clone();
        if call.heard.contains(&"200".to_string()) && !call.ended {
            lab.request(name, &id, "BYE", None);
        }
    }
    lab.assert_nothing_left();
}

/// What either side may do once a call talks or rings.
const ACTS: [(&str, &str); 6] = [
    ("itsp", "BYE"),
    ("itsp", "HOLD"),
    ("itsp", "UPDATE"),
    ("med-1", "BYE"),
    ("med-1", "HOLD"),
    ("itsp", "CANCEL"),
];

fn act(lab: &mut Lab, (name, what): (&str, &str), call: &str) {
    let id = if name == "itsp" {
        call.to_owned()
    } else {
        if lab.reached("med-1") == 0 {
            return;
        }
        lab.last("med-1").0
    };
    let known = lab.of(name).calls[&id].clone();
    let confirmed = known.theirs.contains(";tag=");
    match what {
        "CANCEL" if !known.heard.iter().any(|code| code.as_str() >= "200") => lab.cancel(name, &id),
        "CANCEL" => {}
        _ if known.ended || !confirmed => {}
        "HOLD" => lab.request(name, &id, "INVITE", Some("sendonly")),
        "UPDATE" => lab.request(name, &id, "UPDATE", Some("sendonly")),
        method => lab.request(name, &id, method, None),
    }
}

/// Every ordered choice of three acts, at every distance of a message's way from
/// each other, begun at each moment around the answer: depth three.
#[test]
fn three_acts_of_both_sides_in_every_order_leave_nothing() {
    let mut stories = 0;
    for first in ACTS {
        for second in ACTS {
            for third in ACTS {
                for (begin, gap) in [(95, 0), (103, 1), (106, 3), (110, 7), (200, 0), (200, 4)] {
                    let mut lab = Lab::seeded(3);
                    let call = lab.call("itsp", DID);
                    lab.run(begin);
                    for next in [first, second, third] {
                        act(&mut lab, next, &call);
                        lab.run(gap);
                    }
                    lab.run(8_000);
                    let known = lab.of("itsp").calls[&call].clone();
                    if known.heard.contains(&"200".to_string()) && !known.ended {
                        lab.request("itsp", &call, "BYE", None);
                    } else if !known.ended {
                        lab.cancel("itsp", &call);
                    }
                    lab.assert_nothing_left();
                    stories += 1;
                }
            }
        }
    }
    assert_eq!(stories, 6 * 6 * 6 * 6);
}
