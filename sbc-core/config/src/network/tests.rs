//! Networks by hand, and the table of what a call costs.

use super::*;

fn v4(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str, length: u8) -> Network {
    Network::new(v4(text), length).unwrap()
}

fn path(tagged: bool, tunnel: Option<Encapsulation>) -> Path {
    Path {
        zone: Zone::Private,
        local: v4("10.0.0.1"),
        tagged,
        tunnel,
        mtu: 1500,
        ptime: 20,
    }
}

const TUNNEL: Encapsulation = Encapsulation {
    outer_v6: false,
    key: false,
    nat_traversal: false,
};

#[test]
fn a_network_knows_its_ends_and_what_lies_in_it() {
    let vlan = net("10.20.121.1", 29);
    assert_eq!(
        (vlan.first(), vlan.last()),
        (v4("10.20.121.0"), v4("10.20.121.7"))
    );
    assert!(vlan.contains(v4("10.20.121.2")));
    assert!(!vlan.contains(v4("10.20.122.2")));
    assert!(net("0.0.0.0", 0).contains(v4("255.255.255.255")));
    assert_eq!(net("1.2.3.4", 32).last(), v4("1.2.3.4"));
    assert!(!net("0.0.0.0", 0).contains(v4("::1")));
    assert!(net("::", 0).contains(v4("ffff::1")));
    assert_eq!(Network::new(v4("1.2.3.4"), 33), None);
}

#[test]
fn networks_overlap_when_one_holds_the_start_of_the_other() {
    assert!(net("10.0.0.0", 8).overlaps(&net("10.1.0.0", 16)));
    assert!(net("10.1.0.0", 16).overlaps(&net("10.0.0.0", 8)));
    assert!(!net("10.1.0.0", 16).overlaps(&net("10.2.0.0", 16)));
    assert!(net("10.0.0.0", 8).covers(&net("10.1.0.0", 16)));
    assert!(!net("10.1.0.0", 16).covers(&net("10.0.0.0", 8)));
}

/// RFC 3550 §5.1, RFC 2784 §2, RFC 2890 §2, RFC 4303 §2 and §2.4, RFC 4106
/// §3.1 and §6, RFC 3948 §2.1: octets of each layer, summed.
#[test]
fn a_call_costs_what_its_path_puts_on_the_wire() {
    let plain = path(false, None);
    assert_eq!(
        (plain.cost_at_ip(), plain.cost_bits_per_call()),
        (80_000, 87_200)
    );
    assert_eq!(plain.cost_by_formula(), 72_000);
    assert_eq!(path(true, None).cost_bits_per_call(), 88_800);
    let tunnel = path(false, Some(TUNNEL));
    assert_eq!(
        (tunnel.cost_at_ip(), tunnel.cost_bits_per_call()),
        (104_000, 111_200)
    );
    assert_eq!(path(true, Some(TUNNEL)).cost_bits_per_call(), 112_800);
    let nat = path(
        false,
        Some(Encapsulation {
            nat_traversal: true,
            ..TUNNEL
        }),
    );
    assert_eq!(nat.cost_at_ip(), 107_200);
    let v6 = Path {
        local: v4("fd00::1"),
        ..plain
    };
    assert_eq!(v6.cost_at_ip(), 88_000);
}

#[test]
fn two_megabit_carry_23_calls_on_a_vlan_and_18_in_a_tunnel() {
    assert_eq!(path(true, None).calls_that_fit(2_048_000), 23);
    assert_eq!(path(false, Some(TUNNEL)).calls_that_fit(2_048_000), 18);
    assert_eq!(path(false, Some(TUNNEL)).calls_that_fit(6_000_000), 53);
}

#[test]
fn longer_packets_cost_less() {
    let long = Path {
        ptime: 40,
        ..path(true, None)
    };
    assert_eq!(long.cost_bits_per_call(), 76_400);
}

#[test]
fn what_fits_a_tunnel_fits_its_underlay() {
    let inner = TUNNEL.inner_mtu(1500);
    assert_eq!(inner, 1442);
    assert!(TUNNEL.wrap(u32::from(inner)) <= 1500);
    assert!(TUNNEL.wrap(u32::from(inner) + 1) > 1500);
}
