//! What is written over netlink is what is read back, and what `ip` did by hand is
//! seen (RFC 3549 §2).

use std::net::IpAddr;
use std::time::Duration;

use sbc_netcfg::netlink::watch::{News, Watch};
use sbc_netcfg::netlink::{Change, Class, Kind, NeighbourRow, Netlink, RouteRow, RuleRow};

use crate::space::{Space, run};

async fn port(netlink: &Netlink) -> u32 {
    let links = netlink.links().await.unwrap();
    links.iter().find(|link| link.name == "port").unwrap().index
}

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn a_device_is_set_up_and_down_resized_and_silenced() {
    let Some(_space) = Space::enter("a_device_is_set_up_and_down_resized_and_silenced") else {
        return;
    };
    run(async {
        let netlink = Netlink::open().unwrap();
        let index = port(&netlink).await;
        netlink.set_up("port", index, false).await.unwrap();
        netlink.set_mtu("port", index, 1400).await.unwrap();
        netlink.set_silent_v6("port", index, true).await.unwrap();
        let mac = [0x02, 0, 0, 0, 0, 0x17];
        netlink.set_mac("port", index, &mac).await.unwrap();
        let links = netlink.links().await.unwrap();
        let link = links.iter().find(|link| link.name == "port").unwrap();
        assert_eq!((link.up, link.mtu, link.silent_v6), (false, 1400, true));
        assert_eq!((&link.mac[..], &link.kind), (&mac[..], &Kind::Port));
        netlink.set_up("port", index, true).await.unwrap();
        let links = netlink.links().await.unwrap();
        assert!(links.iter().any(|link| link.name == "port" && link.up));
        assert!(links.iter().any(|link| link.kind == Kind::Loopback));
        // Silenced before it came up: the kernel made no address of its own.
        let addresses = netlink.addresses().await.unwrap();
        assert!(!addresses.iter().any(|row| row.index == index));
    });
}

/// The neighbour is told, so that nobody is asked (RFC 826).
#[test]
fn an_address_a_neighbour_a_route_and_a_rule_are_added_read_back_and_removed() {
    let name = "an_address_a_neighbour_a_route_and_a_rule_are_added_read_back_and_removed";
    let Some(_space) = Space::enter(name) else {
        return;
    };
    run(async {
        let netlink = Netlink::open().unwrap();
        let index = port(&netlink).await;
        let address = at("10.9.9.1");
        netlink
            .change_address(Change::Add, index, address, 24)
            .await
            .unwrap();
        let rows = netlink.addresses().await.unwrap();
        assert!(
            rows.iter()
                .any(|row| row.address == address && row.length == 24)
        );

        let neighbour = NeighbourRow {
            index,
            address: at("10.9.9.77"),
            mac: vec![2, 0, 0, 0, 0, 9],
        };
        let route = RouteRow {
            table: 1020,
            destination: at("10.9.9.2"),
            length: 32,
            gateway: None,
            device: Some(index),
            source: Some(address),
            blackhole: false,
            metric: 0,
            by_kernel: false,
        };
        let hole = RouteRow {
            destination: at("0.0.0.0"),
            length: 0,
            device: None,
            source: None,
            blackhole: true,
            ..route
        };
        let rule = RuleRow {
            priority: 100,
            is_v4: true,
            from: Some((address, 32)),
            to: None,
            out_by: None,
            in_by: None,
            users: Some((700, 700)),
            table: Some(1020),
        };
        let last = RuleRow {
            priority: 200,
            from: None,
            users: None,
            table: None,
            ..rule.clone()
        };
        let six = RouteRow {
            destination: at("2001:db8::"),
            length: 32,
            ..hole
        };
        for change in [Change::Add, Change::Remove] {
            netlink.change_neighbour(change, &neighbour).await.unwrap();
            for one in [&route, &hole, &six] {
                netlink.change_route(change, one).await.unwrap();
            }
            for one in [&rule, &last] {
                netlink.change_rule(change, one).await.unwrap();
            }
            let there = change == Change::Add;
            let neighbours = netlink.neighbours().await.unwrap();
            assert_eq!(neighbours.contains(&neighbour), there);
            let mut routes = netlink.routes().await.unwrap();
            for route in &mut routes {
                // IPv6 gives every route a metric.
                route.metric = 0;
            }
            for one in [&route, &hole, &six] {
                assert_eq!(routes.contains(one), there, "{one:?} in {routes:?}");
            }
            let rules = netlink.rules().await.unwrap();
            for one in [&rule, &last] {
                assert_eq!(rules.contains(one), there, "{one:?} in {rules:?}");
            }
        }
    });
}

#[test]
fn a_shaper_holds_the_rates_it_was_given() {
    let Some(_space) = Space::enter("a_shaper_holds_the_rates_it_was_given") else {
        return;
    };
    run(async {
        let netlink = Netlink::open().unwrap();
        let index = port(&netlink).await;
        netlink.add_shaper(index, 0x20).await.unwrap();
        let class = |minor, parent, rate, priority| Class {
            minor,
            parent,
            rate,
            ceiling: 1_250_000,
            priority,
        };
        // The whole link is more than 32 bits of octets a second hold.
        let whole = Class {
            ceiling: 6_250_000_000,
            ..class(1, 0, 6_250_000_000, 0)
        };
        let classes = [
            whole,
            class(0x10, 1, 1_000_000, 0),
            class(0x20, 1, 250_000, 1),
        ];
        for class in &classes {
            netlink.add_class(index, class).await.unwrap();
        }
        netlink.add_queue(index, 0x10, "pfifo").await.unwrap();
        let shapers = netlink.qdiscs().await.unwrap();
        let shaper = shapers.iter().find(|row| row.index == index).unwrap();
        assert_eq!((shaper.kind.as_str(), shaper.major), ("htb", 1));
        assert_eq!(shaper.default, 0x20);
        let mut found = shaper.classes.clone();
        found.sort_by_key(|class| class.minor);
        for class in &mut found {
            // The kernel gives a class with children no priority.
            class.priority = if class.minor == 1 { 0 } else { class.priority };
        }
        assert_eq!(found, classes);
        netlink.remove_shaper(index).await.unwrap();
        let shapers = netlink.qdiscs().await.unwrap();
        assert!(!shapers.iter().any(|row| row.index == index));
    });
}

#[test]
fn a_refusal_names_the_step_and_carries_the_kernels_reason() {
    let Some(_space) = Space::enter("a_refusal_names_the_step_and_carries_the_kernels_reason")
    else {
        return;
    };
    run(async {
        let netlink = Netlink::open().unwrap();
        let refused = netlink
            .change_address(Change::Add, 9999, at("10.0.0.1"), 24)
            .await
            .unwrap_err();
        assert_eq!(refused.to_string(), "address 10.0.0.1/24: refused");
        let source = std::error::Error::source(&refused).unwrap();
        assert!(source.to_string().contains("No such device"), "{source}");
    });
}

#[test]
fn a_carrier_that_goes_is_told_at_once_and_so_is_what_others_change() {
    let name = "a_carrier_that_goes_is_told_at_once_and_so_is_what_others_change";
    let Some(space) = Space::enter(name) else {
        return;
    };
    run(async {
        let netlink = Netlink::open().unwrap();
        let index = port(&netlink).await;
        let mut watch = Watch::open().unwrap();
        space.ip("route add blackhole 10.77.0.0/16");
        let within = Duration::from_secs(20);
        let changed = async { while watch.next().await != Some(News::Changed) {} };
        tokio::time::timeout(within, changed).await.unwrap();
        space.ip("link set port down");
        let lost = async {
            loop {
                match watch.next().await {
                    Some(News::Device(row)) if row.index == index && !row.carrier => break row,
                    Some(_) => {}
                    None => panic!("the watch ended"),
                }
            }
        };
        let row = tokio::time::timeout(within, lost).await.unwrap();
        assert!(!row.up);
    });
}
