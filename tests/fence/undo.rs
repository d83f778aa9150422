//! A plan that fails at any of its steps, in a kernel with VLANs, tunnels and
//! associations: it ends in the state of before. The test lays itself into a guest
//! and runs there as the hands of the node.

use std::time::Duration;

use sbc_netcfg::apply::Hands;
use sbc_plan::{Plan, Ports, Step, Users, desired, plan};
use sbc_tests::kit::guest::Guest;

use crate::stage::{folder, tools};
use crate::tunnel::FILE;

/// Set where the test is the one inside the guest.
const INSIDE: &str = "SBC_INSIDE";

/// Each step is done and taken back as often as there are steps behind it.
const WITHIN: Duration = Duration::from_secs(1500);
const LIFE: Duration = Duration::from_secs(1800);

/// Returns the node of a file.
fn wanted(text: &str) -> sbc_plan::Desired {
    let node = sbc_config::check(text).node.expect("a node");
    desired(&node, &Ports::new(), &Users::default())
}

/// From a machine that holds another configuration: with another tag, another tunnel,
/// other addresses.
async fn inside() {
    let whole = wanted(FILE);
    let other = FILE
        .replace("vlan    = 120", "vlan    = 121")
        .replace("10.20.120.", "10.20.121.")
        .replace("203.0.113.12", "203.0.113.13");
    let other = wanted(&other);
    let mut hands = Hands::open().unwrap();
    hands.raise(&other).await.unwrap();
    let steps = fail_everywhere(&mut hands, &whole).await;
    hands.raise(&whole).await.unwrap();
    println!("{steps} steps from another configuration");
}

/// Fails behind each step in turn. Returns how many there were.
async fn fail_everywhere(hands: &mut Hands, wanted: &sbc_plan::Desired) -> usize {
    let before = hands.observe(wanted).await.unwrap();
    let whole = plan(wanted, &before);
    for at in 0..=whole.steps.len() {
        let mut steps = whole.steps.clone();
        steps.truncate(at);
        steps.push(Step::ExpectPort("nowhere".into()));
        let failed = hands.apply(&Plan { steps }, &before).await.unwrap_err();
        assert_eq!(failed.place, at + 1, "{failed}");
        assert!(failed.left.is_empty(), "{failed}");
        let after = hands.observe(wanted).await.unwrap();
        assert_eq!(
            after, before,
            "after a failure behind {at} steps of\n{whole}"
        );
    }
    whole.steps.len()
}

#[test]
fn a_plan_that_fails_at_each_step_in_a_guest_ends_in_the_old_state() {
    if std::env::var_os(INSIDE).is_some() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        return builder.enable_all().build().unwrap().block_on(inside());
    }
    let name = "a_plan_that_fails_at_each_step_in_a_guest_ends_in_the_old_state";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(tools) = tools(name) else {
        return;
    };
    let mut switch = sbc_tests::kit::vswitch::Switch::new(&folder(name)).unwrap();
    let trunk = switch.trunk("node", &[]).unwrap();
    let outer = switch.access("outer", 10).unwrap();
    let mut planned = Guest::plan(&tools, "undo", &folder(name)).unwrap();
    planned.file("usr/bin/fence-test", &std::env::current_exe().unwrap());
    planned.lives(LIFE);
    planned.card(&trunk.socket);
    planned.card(&outer.socket);
    let mut guest = planned.boot().unwrap();
    // Their modules bring devices of their own, which nobody takes away again.
    guest.load(&["8021q", "ip_gre", "esp4"]).unwrap();
    let variable = format!("{INSIDE}=1");
    let test = "undo::a_plan_that_fails_at_each_step_in_a_guest_ends_in_the_old_state";
    let words = [
        "env",
        &variable,
        "fence-test",
        "--exact",
        test,
        "--nocapture",
    ];
    let ended = guest.run_for(WITHIN, "", &words).unwrap();
    println!("{}{}", ended.output, ended.errors);
    assert!(
        ended.is_well() && ended.output.contains("1 passed"),
        "{}",
        ended.how
    );
}
