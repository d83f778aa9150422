//! Who gets in when many call at once, and what help hears.

use crate::lab::Lab;

const DID: &str = "+49691231042";
const DID_B: &str = "+49401231042";

/// The calls of `ids` that `name` heard answered.
fn answered(lab: &mut Lab, name: &str, ids: &[String]) -> usize {
    let is_answered = |id: &&String| lab.heard(name, id).contains(&"200".to_string());
    ids.iter().filter(is_answered).count()
}

/// The node takes 1,000 calls a second; 2,000 of a trunk that may have five are none
/// of the other trunk's business.
#[test]
fn a_trunk_that_floods_takes_no_calls_from_the_others() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "max-calls-per-second = 5")]);
    let flood: Vec<String> = (0..2_000).map(|_| lab.call("itsp", DID)).collect();
    let other = lab.call("itsp-b", DID_B);
    lab.run(1_000);
    assert_eq!(answered(&mut lab, "itsp", &flood), 5);
    assert_eq!(answered(&mut lab, "itsp-b", &[other]), 1);
}

/// Each millisecond brings two calls; five of each second get in.
#[test]
fn a_trunk_that_floods_for_seconds_has_what_its_limit_says() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "max-calls-per-second = 5")]);
    let mut flood = Vec::new();
    for _ in 0..3_000 {
        flood.extend([lab.call("itsp", DID), lab.call("itsp", DID)]);
        lab.run(1);
    }
    lab.run(1_000);
    assert_eq!(answered(&mut lab, "itsp", &flood), 5 + 14);
}
