//! A node between two VLANs.

use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::vswitch::NOWHERE;
use sbc_tests::kit::vswitch::frame::{TCP, UDP, carried};

use crate::stage::{Act, Host, Stage, apply_again, call, meddle};

/// The node between a provider's VLAN and a Mediation Server's.
pub const FILE: &str = include_str!("vlans.toml");

/// Who is on them.
pub const HOSTS: [Host; 2] = [
    ("itsp", 310, "172.20.31.1/29"),
    ("med", 120, "10.20.120.2/29"),
];

/// Returns the telephones of the Mediation Server and of the provider.
pub fn telephones(stage: &mut Stage) -> (Actor, Actor) {
    let med = stage.phone("med", "tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880");
    let itsp = stage.phone("itsp", "udp", "172.20.31.1:5060", "172.20.31.2:5060", "440");
    (med, itsp)
}

const ACTS: [Act; 3] = [
    ("ip rule add priority 60 from 10.1.1.1 table 99", "rule: 60"),
    ("echo 1 > /proc/sys/net/ipv4/ip_forward", "ip_forward: is 1"),
    ("nft flush chain inet sbc input", "chain input"),
];

const MORE_ACTS: [Act; 9] = [
    ("ip rule del priority 30000", "rule: 30000"),
    ("ip route add 10.66.0.0/16 dev vlan120", "10.66.0.0/16"),
    (
        "ip addr add 10.20.120.3/29 dev vlan120",
        "address: 10.20.120.3/29",
    ),
    (
        "ip addr del 10.20.120.1/29 dev vlan120",
        "address: 10.20.120.1/29",
    ),
    ("ip link set vlan310 mtu 1300", "link vlan310: is mtu 1300"),
    ("ip link set vlan310 down", "link vlan310: is down"),
    ("ip link del vlan310", "link vlan310"),
    (
        "nft delete table netdev sbc-vlan120",
        "table netdev sbc-vlan120",
    ),
    (
        "ip link add link eth0 name eth0.99 type vlan id 99 && ip link set eth0.99 up",
        "eth0.99",
    ),
];

#[test]
fn a_call_crosses_vlans_and_what_another_hand_changes_is_named_and_mended() {
    let name = "a_call_crosses_vlans_and_what_another_hand_changes_is_named_and_mended";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    let (mut med, mut itsp) = telephones(&mut stage);
    stage.run(FILE);
    call(&mut itsp, &mut med, "+49691234001");
    call(&mut med, &mut itsp, "+4930555100");
    apply_again(&mut stage);
    meddle(&mut stage, &ACTS);
    let history = stage.ask("show alarms history");
    assert!(history.contains("fence-broken"), "{history}");
    call(&mut itsp, &mut med, "+49691234001");
    only_what_is_listed(&stage);
}

#[test]
fn every_kind_of_change_by_another_hand_is_named_and_mended() {
    let name = "every_kind_of_change_by_another_hand_is_named_and_mended";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    stage.run(FILE);
    meddle(&mut stage, &MORE_ACTS);
    apply_again(&mut stage);
}

/// Holds every frame the node sent, since power-on, against what it may send.
fn only_what_is_listed(stage: &Stage) {
    let node = stage.trunk.id;
    stage
        .switch
        .only(NOWHERE, |seen| seen.from != Some(node))
        .unwrap();
    for (vlan, transport) in [(310, UDP), (120, TCP)] {
        stage
            .switch
            .only(vlan, |seen| {
                let carried = carried(&seen.frame);
                // A host's own kernel may speak IPv6; the node may not.
                let theirs = seen.from != Some(node);
                theirs || carried.is_arp() || carried.is(transport) || carried.is(UDP)
            })
            .unwrap();
    }
}
