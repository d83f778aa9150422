//! Another configuration while calls are up (RFC 3261 §12: a dialog outlives
//! what was known of its peer when it began).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::calls::{alice, ringing, talking};
use super::{Bench, ITSP, MED_1, reply};
use crate::Input;

const FILE: &str = include_str!("node.toml");

fn configure(bench: &mut Bench, text: &str) {
    let checked = sbc_config::check(text);
    let problems = format!("{:?}", checked.problems);
    let node = checked.node.unwrap_or_else(|| panic!("{problems}"));
    bench.input(Input::Configure(Box::new(node)));
}

/// A trunk whose name and sockets sort before all others: whoever counts places
/// anew is off by one.
fn with_another_trunk() -> String {
    format!(
        "{FILE}\n[interface.aa]\nzone = \"private\"\ndevice = \"aa\"\naddress = [\"10.0.0.2/29\"]\n\
         [trunk.aa]\nvia = \"interface:aa\"\nremote = [\"10.0.0.1:5060/udp\"]\nmax-simultaneous-calls = 2\n"
    )
}

#[test]
fn a_call_of_an_unchanged_peer_does_not_notice_another_configuration() {
    let mut bench = Bench::new();
    let (_, answer) = talking(&mut bench);
    configure(&mut bench, &with_another_trunk());
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.receive(ITSP, &alice(&answer, "BYE", 2, ""));
    bench.sent(ITSP, "200");
    let bye = bench.sent(MED_1, "BYE");
    bench.receive(MED_1, &reply(&bye, "200 OK", "bob", ""));
    assert_eq!(bench.stories.len(), 1, "{:?}", bench.stories);
    // The other trunk is nobody that the bench could answer for.
    configure(&mut bench, FILE);
    bench.assert_nothing_left();
}

#[test]
fn a_call_that_rings_goes_on_through_another_configuration() {
    let mut bench = Bench::new();
    let out = ringing(&mut bench);
    configure(&mut bench, &with_another_trunk());
    bench.receive(MED_1, &reply(&out, "486 Busy Here", "bob", ""));
    bench.sent(MED_1, "ACK");
    bench.sent(ITSP, "486");
}

#[test]
fn a_peer_that_goes_takes_no_new_call_and_comes_back_at_its_place() {
    let mut bench = Bench::new();
    let names = |bench: &Bench| -> String {
        let peers = bench.engine.peers().into_iter().map(|peer| peer.name + " ");
        peers.collect()
    };
    let before = names(&bench);
    configure(&mut bench, &with_another_trunk());
    assert_eq!(names(&bench), format!("{before}aa "));
    configure(&mut bench, FILE);
    assert_eq!(names(&bench), before);
    configure(&mut bench, &with_another_trunk());
    assert_eq!(names(&bench), format!("{before}aa "));
    assert_eq!(bench.engine.peers().last().map(|peer| peer.limit), Some(2));
}

#[test]
fn a_new_limit_holds_for_the_next_call() {
    let mut bench = Bench::new();
    let _call = talking(&mut bench);
    let changed = FILE.replacen("max-simultaneous-calls = ", "max-simultaneous-calls = 1", 1);
    assert_ne!(changed, FILE);
    configure(&mut bench, &changed);
    let limits: u32 = bench.engine.peers().iter().map(|peer| peer.limit).sum();
    let fresh = Bench::new();
    let old: u32 = fresh.engine.peers().iter().map(|peer| peer.limit).sum();
    assert!(limits > old, "{limits} and {old}");
    assert_eq!(bench.engine.calls().len(), 1);
}
