//! A guest and a namespace on both sides of the switch.

use std::time::Duration;

use sbc_tests::kit::guest::Guest;
use sbc_tests::kit::net::Net;
use sbc_tests::kit::vswitch::frame::{ICMP, carried};
use sbc_tests::kit::vswitch::{NOWHERE, Switch};

use crate::lab::{folder, tools};

/// A guest with two VLANs on one cable and GRE behind it; on the far side a
/// namespace that knows no tags.
#[test]
fn a_guest_on_a_vlan_is_heard_in_a_namespace_and_nowhere_else() {
    let name = "a_guest_on_a_vlan_is_heard_in_a_namespace_and_nowhere_else";
    let Some(tools) = tools(name).expect("tools for guests") else {
        return;
    };
    let Ok(net) = Net::make(&[]) else {
        sbc_tests::skip(name, "this machine lets us make no network namespaces");
        return;
    };
    let place = net.name("node");
    let mut switch = Switch::new(&folder(name)).unwrap();
    let trunk = switch.trunk("guest", &[]).unwrap();
    let tap = switch.tap("host", &place, "eth0", 20, Some("10.20.0.2/24"));
    let tap = tap.expect("a TAP device in the namespace");
    let mut planned = Guest::plan(&tools, "vlan", &folder(name)).unwrap();
    let mac = planned.card(&trunk.socket);
    let mut guest = planned.boot().unwrap();

    guest.load(&["8021q", "ip_gre", "esp4"]).unwrap();
    let links = guest.ok("ip -j link show eth0").unwrap();
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    assert!(links.contains(&mac), "{mac} in {links}");
    guest
        .shell(
            // Apart: one request for both brings the link up first, and IPv6 speaks.
            "ip link set eth0 addrgenmode none
             ip link set eth0 up
             for v in 20 21; do
               ip link add link eth0 name eth0.$v type vlan id $v
               ip link set eth0.$v addrgenmode none
               ip link set eth0.$v up
               ip addr add 10.$v.0.1/24 dev eth0.$v
             done
             ip link add tun0 type gre local 10.20.0.1 remote 10.20.0.2 key 7",
        )
        .unwrap();
    guest
        .until(
            Duration::from_secs(60),
            "ping -c 1 -W 2 10.20.0.2",
            |text| text.contains("1 packets received"),
        )
        .unwrap();
    // The other VLAN leads to nobody.
    let alone = guest
        .run(&["ping", "-c", "1", "-W", "1", "10.21.0.2"])
        .unwrap();
    assert!(!alone.is_well());

    switch
        .only(20, |seen| {
            let carried = carried(&seen.frame);
            carried.is_arp() || carried.is(ICMP)
        })
        .unwrap();
    switch
        .only(21, |seen| {
            seen.from == Some(trunk.id) && carried(&seen.frame).is_arp()
        })
        .unwrap();
    switch.only(NOWHERE, |_| false).unwrap();
    assert!(!switch.seen(21).is_empty());
    assert!(switch.counters(&tap).received > 0);

    // Carrier goes and comes back.
    guest.machine().monitor("set_link n0 off").unwrap();
    let second = Duration::from_secs(30);
    let up = |text: &str| text.contains("LOWER_UP");
    guest
        .until(second, "ip link show eth0.20", |text| !up(text))
        .unwrap();
    guest.machine().monitor("set_link n0 on").unwrap();
    guest.until(second, "ip link show eth0.20", up).unwrap();
}
