//! Who gets in when many call at once, and what help hears.

use sbc_tests::kit::sip::header;

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

/// What `dialled` at the server leads to, with these rules of the server and of the
/// trunk for help: the Request-URI and the To of the INVITE.
fn dialled_for_help(dialled: &str, inward: &str, outward: &str) -> (String, String) {
    let tables = format!(
        "\n[numbers.company]\nfrom-trunk = ['{inward}']\n\n[numbers.carrier]\nto-trunk = ['{outward}']\n"
    );
    let keys = [
        ("[mediation.med-1]", "numbers = \"company\""),
        ("[trunk.itsp-b]", "numbers = \"carrier\""),
    ];
    let mut lab = Lab::with_tables(&keys, &tables);
    let call = lab.call("med-1", dialled);
    lab.run(1_000);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "200");
    let invite = lab.message("itsp-b", "INVITE");
    lab.request("med-1", &call, "BYE", None);
    lab.assert_nothing_left();
    let line = invite.split(' ').nth(1).unwrap();
    (line.to_owned(), header(&invite, "To").to_owned())
}

#[test]
fn what_a_rule_makes_an_emergency_number_is_dialled_as_that_number() {
    for (dialled, inward) in [
        ("+49112", r"\+49(11\d) -> $1"),
        ("0112", r"0(11\d) -> $1"),
        ("+112", r"0(\d+) -> +49$1"),
        ("112", r"(\d+) -> +49$1"),
    ] {
        let (uri, to) = dialled_for_help(dialled, inward, r"\+49(\d+) -> 0$1");
        assert!(uri.starts_with("sip:112@"), "{dialled}: {uri}");
        assert!(to.starts_with("<sip:112@"), "{dialled}: {to}");
    }
}

#[test]
fn no_rule_of_a_trunk_makes_another_number_of_an_emergency_number() {
    let (uri, to) = dialled_for_help("112", r"0(\d+) -> +49$1", r"(\d+) -> +49$1");
    assert!(uri.starts_with("sip:112@"), "{uri}");
    assert!(to.starts_with("<sip:112@"), "{to}");
}
