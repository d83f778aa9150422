//! Plans are done to a kernel that does as it is told: the second is empty, each
//! step can be taken back, and what somebody changed is named and repaired.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may say what it means"
)]

mod model;

use model::{apply, apply_all, running, sorted, take_back};
use sbc_plan::observed::{ObservedKind, ObservedLink};
use sbc_plan::{Desired, Observed, Ports, Users, desired, plan, verify};

const EXAMPLE: &str = include_str!("../../../sbc-core/config/tests/example-today.toml");
const SMALL: &str = include_str!("../../../sbc-core/config/tests/small.toml");
const SIX: &str = include_str!("six.toml");

fn of(text: &str) -> Desired {
    let node = sbc_config::check(text).node.unwrap();
    desired(&node, &Ports::new(), &Users::default())
}

#[test]
fn a_plan_done_leaves_nothing_to_do_and_makes_a_fence() {
    for text in [EXAMPLE, SMALL, SIX] {
        let desired = of(text);
        let bare = Observed::bare(&desired);
        assert!(verify(&desired, &bare).is_err());
        let kernel = running(&desired);
        assert_eq!(plan(&desired, &kernel).to_string(), "");
        assert!(verify(&desired, &kernel).is_ok());
    }
}

#[test]
fn from_any_file_to_any_other_is_a_plan_that_ends() {
    let all = [of(EXAMPLE), of(SMALL), of(SIX)];
    for from in &all {
        for to in &all {
            let mut kernel = running(from);
            // Ports that one file does not know are in the machine all the same.
            for port in Observed::bare(to).links {
                if kernel.links.iter().all(|one| one.name != port.name) {
                    kernel.links.push(port);
                }
            }
            let first = plan(to, &kernel);
            apply_all(&mut kernel, &first);
            let drifts = verify(to, &kernel).err().unwrap_or_default();
            assert!(drifts.is_empty(), "{drifts:?}");
            assert_eq!(plan(to, &kernel).to_string(), "");
        }
    }
}

#[test]
fn a_failure_at_each_step_in_turn_ends_in_the_old_state() {
    let (old, new) = (of(EXAMPLE), of(SIX));
    let mut start = running(&old);
    for port in Observed::bare(&new).links {
        if start.links.iter().all(|one| one.name != port.name) {
            start.links.push(port);
        }
    }
    let steps = plan(&new, &start).steps;
    assert!(steps.len() > 60, "{}", steps.len());
    for failing in 0..=steps.len() {
        let mut kernel = start.clone();
        let mut done: Vec<Observed> = Vec::new();
        for step in &steps[..failing] {
            done.push(kernel.clone());
            apply(&mut kernel, step);
        }
        for (step, before) in steps[..failing].iter().zip(&done).rev() {
            take_back(&mut kernel, step, before);
        }
        // A switch that could not be read before stays as it was set.
        kernel
            .sysctls
            .retain(|path, _| start.sysctls.contains_key(path));
        let (kernel, start) = (sorted(&kernel), sorted(&start));
        assert!(
            kernel == start,
            "after {failing} steps: {:?}",
            steps.get(failing)
        );
    }
}

type Change = (&'static str, fn(&mut Observed));

/// One change each, as somebody would make it by hand.
const CHANGES: [Change; 14] = [
    ("table inet sbc, chain input, rule 3", |kernel| {
        kernel.tables[0].chains[0].rules.remove(2);
    }),
    ("table inet sbc, chain input, rule 1", |kernel| {
        kernel.tables[0].chains[0].rules[0].parts.pop();
    }),
    ("table inet sbc, chain forward", |kernel| {
        kernel.tables[0].chains[2].hook.as_mut().unwrap().drops = false;
    }),
    ("table inet sbc: flags dormant", |kernel| {
        kernel.tables[0].foreign = Some("flags dormant".into());
    }),
    ("table netdev sbc-vlan120", |kernel| {
        kernel.tables.retain(|table| table.name != "sbc-vlan120");
    }),
    ("route: table", |kernel| {
        kernel.routes.remove(0);
    }),
    ("rule: 1000", |kernel| {
        kernel.rules.remove(0);
    }),
    ("address: 10.20.120.1/29", |kernel| {
        kernel.addresses.retain(|one| one.link != "vlan120");
    }),
    ("net/ipv4/ip_forward: is 1, not 0", |kernel| {
        kernel
            .sysctls
            .insert("net/ipv4/ip_forward".into(), "1".into());
    }),
    ("net/ipv4/conf/vlan310/rp_filter: is 0", |kernel| {
        kernel
            .sysctls
            .insert("net/ipv4/conf/vlan310/rp_filter".into(), "0".into());
    }),
    ("link vlan120: is down, not up", |kernel| {
        let link = kernel.links.iter_mut().find(|one| one.name == "vlan120");
        link.unwrap().up = false;
    }),
    ("link gre-itsp-a: is mtu 1476, not mtu 1400", |kernel| {
        let link = kernel.links.iter_mut().find(|one| one.name == "gre-itsp-a");
        link.unwrap().mtu = 1476;
    }),
    ("link: eth9 is not ours", |kernel| {
        kernel.links.push(ObservedLink {
            name: "eth9".into(),
            kind: ObservedKind::Port,
            up: true,
            mtu: 1500,
            silent: true,
        });
    }),
    ("link vlan121: is", |kernel| {
        let link = kernel.links.iter_mut().find(|one| one.name == "vlan121");
        let below = "enp4s0".into();
        link.unwrap().kind = ObservedKind::Vlan { below, tag: 122 };
    }),
];

#[test]
fn any_one_change_is_named_and_repaired() {
    let desired = of(EXAMPLE);
    let running = running(&desired);
    for (name, change) in CHANGES {
        let mut kernel = running.clone();
        change(&mut kernel);
        let drifts = verify(&desired, &kernel).expect_err(name);
        let told: Vec<String> = drifts.iter().map(ToString::to_string).collect();
        assert!(
            told.iter().any(|one| one.starts_with(name)),
            "{name}: {told:?}"
        );
        let repair = plan(&desired, &kernel);
        apply_all(&mut kernel, &repair);
        assert!(verify(&desired, &kernel).is_ok(), "{name}: {repair}");
    }
}

#[test]
fn what_charon_holds_is_planned_and_no_part_of_the_fence() {
    let desired = of(EXAMPLE);
    let mut kernel = running(&desired);
    kernel.connections.clear();
    assert!(verify(&desired, &kernel).is_ok());
    let again = plan(&desired, &kernel).to_string();
    assert!(again.contains("load connection itsp-a"), "{again}");
    assert_eq!(again.lines().count(), 1);
}
