//! Providers behind GRE in ESP over the Internet: calls pass, and nothing else is
//! ever seen outside but ARP, IKE and ESP.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sbc_core::cli::form::{misfits, schema};
use sbc_core::cli::grammar::ROWS;
use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::programs;
use sbc_tests::kit::router::{INTERNET, PROVIDERS, Router, SECRET};
use sbc_tests::kit::vswitch::frame::{Carried, ESP, carried};

use serde_json::Value;

use crate::stage::{Host, PATIENCE, Stage, apply_again, call, folder, meddle};

/// The node inside the tunnel.
pub const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

pub const FILE: &str = include_str!("tunnel.toml");

const HOSTS: [Host; 3] = [
    ("itsp-udp", PROVIDERS, "10.30.0.2/24"),
    ("itsp-tcp", PROVIDERS, "10.30.0.3/24"),
    ("med", 120, "10.20.120.2/29"),
];

/// A node, its peer, and a telephone at each of its neighbours.
pub struct World {
    pub stage: Stage,
    pub peer: Router,
    pub med: Actor,
    pub udp: Actor,
    pub tcp: Actor,
}

/// Boots a node and its peer, with nobody at their neighbours; the node does not run.
pub fn ground(test: &str) -> Option<(Stage, Router)> {
    let stage = Stage::set(test, &HOSTS, Some(INTERNET))?;
    Some(around(stage, test))
}

/// The same with the program as it ships: it takes a tenth of the processor.
pub fn ground_with_shipped(test: &str) -> Option<(Stage, Router)> {
    let program = programs::shipped().expect("the program of the image");
    let stage = Stage::set_with(&program, test, &HOSTS, Some(INTERNET))?;
    Some(around(stage, test))
}

fn around(mut stage: Stage, test: &str) -> (Stage, Router) {
    let peer = Router::boot(&mut stage.switch, &stage.tools, &folder(test));
    let peer = peer.expect("a router");
    for place in ["itsp-udp", "itsp-tcp"] {
        let words = ["route", "add", "192.0.2.0/30", "via", "10.30.0.1"];
        stage.net.ip(place, &words).unwrap();
    }
    let secret = "/data/secrets/vpn/itsp";
    stage.node.put(secret, 0o600, SECRET).unwrap();
    (stage, peer)
}

/// Waits until the tunnel is up, as the node's log behind `from` tells of it.
pub fn up(stage: &mut Stage, peer: &mut Router, from: usize) {
    let since = Instant::now();
    loop {
        let log = stage.log();
        if log[from..].contains("tunnel tunnel=\"itsp\" up=true") {
            println!("the tunnel is up after {:?}", since.elapsed());
            return;
        }
        let late = since.elapsed() > PATIENCE;
        assert!(!late, "no tunnel:\n{log}\nthe peer:\n{}", peer.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Waits until the node knows that a peer serves.
pub fn serves(stage: &mut Stage, name: &str) {
    let since = Instant::now();
    let mut told = String::new();
    while since.elapsed() < PATIENCE {
        for command in ["show mediation | json", "show trunks | json"] {
            told = stage.ask(command);
            let peers: Value = serde_json::from_str(&told).unwrap_or_default();
            let mut peers = peers.as_array().into_iter().flatten();
            if peers.any(|peer| peer["name"] == name && peer["state"] == "up") {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{name} does not serve: {told}");
}

/// Holds everything that was ever seen outside against the list.
pub fn nothing_in_clear(stage: &Stage) {
    let seen = stage.switch.seen(INTERNET).len();
    let listed = stage.switch.only(INTERNET, |seen| {
        let carried = carried(&seen.frame);
        carried.is_arp() || carried.is_ike() || carried.is(ESP)
    });
    listed.unwrap();
    println!("{seen} frames outside, ARP, IKE and ESP all of them");
    // What the node said to its providers came through it.
    let said = stage.switch.seen(PROVIDERS).into_iter();
    let said = said
        .filter(
            |seen| matches!(carried(&seen.frame), Carried::Ipv4(packet) if packet.from == INSIDE),
        )
        .count();
    let outer = stage.outer.as_ref().expect("a card outside");
    let sent = stage.switch.seen_from(outer).len();
    assert!(said > 10 && sent >= said, "{said} inside, {sent} outside");
}

impl World {
    /// Boots all of it; the node does not run yet.
    pub fn set(test: &str) -> Option<Self> {
        Some(Self::of(ground(test)?))
    }

    /// The same with the program as it ships.
    pub fn with_shipped(test: &str) -> Option<Self> {
        Some(Self::of(ground_with_shipped(test)?))
    }

    fn of((stage, peer): (Stage, Router)) -> Self {
        let med = stage.phone("med", "tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880");
        let udp = stage.phone("itsp-udp", "udp", "10.30.0.2:5060", "192.0.2.1:5060", "440");
        let tcp = stage.phone("itsp-tcp", "tcp", "10.30.0.3:5060", "192.0.2.1:5060", "440");
        Self {
            stage,
            peer,
            med,
            udp,
            tcp,
        }
    }

    /// Waits until the tunnel is up, as the node's log behind `from` tells of it.
    pub fn up(&mut self, from: usize) {
        up(&mut self.stage, &mut self.peer, from);
    }

    /// Places a call by UDP and one by TCP, once all that carries them answers.
    pub fn calls(&mut self) {
        for peer in ["itsp-udp", "itsp-tcp", "med"] {
            serves(&mut self.stage, peer);
        }
        call(&mut self.udp, &mut self.med, "+49691234001");
        call(&mut self.med, &mut self.tcp, "+4940555100");
    }

    /// Holds everything that was ever seen outside against the list.
    pub fn nothing_in_clear(&self) {
        nothing_in_clear(&self.stage);
    }
}

#[test]
fn calls_pass_the_tunnel_and_nothing_is_seen_outside_but_ike_esp_and_arp() {
    let name = "calls_pass_the_tunnel_and_nothing_is_seen_outside_but_ike_esp_and_arp";
    let Some(mut world) = World::set(name) else {
        return;
    };
    world.stage.run(FILE);
    world.up(0);
    world.calls();
    let log = world.stage.log();
    assert!(
        !log.contains("another hand"),
        "charon changes nothing else:\n{log}"
    );
    let from = log.len();
    apply_again(&mut world.stage);
    world.up(from);
    let act = ("ip rule add priority 60 from 10.1.1.1 table 99", "rule: 60");
    meddle(&mut world.stage, &[act]);
    let history = world.stage.ask("show alarms history");
    for alarm in ["fence-broken", "tunnel-down"] {
        assert!(history.contains(alarm), "{history}");
    }
    call(&mut world.med, &mut world.udp, "+4930555100");
    shows(&mut world);
    no_secret_is_told(&mut world.stage);
    world.nothing_in_clear();
}

/// What charon and the network role print, and what they wrote, has no secret in it.
fn no_secret_is_told(stage: &mut Stage) {
    let mut told = stage.log();
    for ask in [
        "request support bundle",
        "show tunnels | json",
        "show log | json",
    ] {
        told += &stage.ask(ask);
    }
    for word in ["charon", "netcfg"] {
        assert!(told.contains(word), "nothing of {word}: {told}");
    }
    assert!(!told.contains(SECRET), "{told}");
    // The search finds it where it is kept, and nowhere else.
    let places =
        format!("busybox grep -rlF '{SECRET}' /data /etc /run /tmp 2> /dev/null || busybox true");
    let found = stage.node.shell(&places).unwrap();
    assert_eq!(found.trim(), "/data/secrets/vpn/itsp");
}

/// Each view of the network fits eighty columns and its form, and knows what passed.
fn shows(world: &mut World) {
    for (operation, line) in [
        ("tunnels.list", "show tunnels"),
        ("interfaces.list", "show interfaces"),
        ("isolation.list", "show isolation"),
        ("isolation.counters", "show isolation counters"),
        ("bandwidth.list", "show bandwidth"),
    ] {
        let text = world.stage.ask(line);
        println!("> {line}\n{text}");
        let fits = |line: &str| line.len() <= 80 && line.is_ascii();
        assert!(text.lines().all(fits), "{text}");
        let json = world.stage.ask(&format!("{line} | json"));
        let value: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{json}"));
        let row = ROWS
            .iter()
            .find(|row| row.syntax.starts_with(line))
            .unwrap();
        let odd = misfits(&schema(operation, row.form), &value);
        assert!(odd.is_empty(), "{line}: {odd:?}");
        let more = |value: &Value| value.as_u64().unwrap_or(0) > 0;
        match operation {
            "tunnels.list" => {
                assert_eq!(value[0]["state"], "up", "{text}");
                assert!(more(&value[0]["packets_in"]) && more(&value[0]["rekey_secs"]));
            }
            "interfaces.list" => {
                let rows = value.as_array().unwrap();
                let voice = rows.iter().find(|row| row["name"] == "voice").unwrap();
                assert_eq!(voice["addresses"][0], "10.20.120.1/29");
                assert!(more(&voice["packets_in"]) && more(&voice["octets_out"]));
            }
            "isolation.list" => {
                assert_eq!(value["fence"], "whole");
                let rules = value["rules"].as_array().unwrap();
                let gre = rules.iter().find(|row| {
                    let rule = row["rule"].as_str().unwrap();
                    rule.contains("ipsec missing") && rule.contains("drop")
                });
                assert!(gre.is_some(), "GRE in clear is dropped");
                assert!(rules.iter().any(|row| more(&row["packets"])));
            }
            "bandwidth.list" => {
                assert_eq!(value[0]["call_bits"], 111_200);
                assert!(!value[0]["sent_bits"].is_null());
            }
            _ => assert!(
                value
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|row| more(&row["packets"]))
            ),
        }
    }
}

#[test]
fn nothing_is_in_clear_through_rekey_killed_charon_killed_node_and_a_new_peer() {
    let name = "nothing_is_in_clear_through_rekey_killed_charon_killed_node_and_a_new_peer";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut world) = World::set(name) else {
        return;
    };
    world.stage.run(FILE);
    world.up(0);
    world.calls();

    for rekey in ["--ike sbc", "--child gre"] {
        let line = format!("swanctl --rekey {rekey}");
        world.peer.guest.ok(&line).unwrap();
        world.calls();
    }
    println!("rekeyed");

    let log = world.stage.log();
    let line = log
        .lines()
        .rfind(|line| line.contains("started charon pid="))
        .unwrap();
    let charon = line.rsplit("pid=").next().unwrap().trim().parse().unwrap();
    world.stage.node.signal(charon, 9).unwrap();
    world.up(log.len());
    world.calls();
    println!("charon killed");

    world.peer.kill().unwrap();
    world.peer.start().unwrap();
    let since = Instant::now();
    world.calls();
    println!(
        "the peer has a new charon: calls after {:?}",
        since.elapsed()
    );

    world.stage.kill();
    // Whoever calls meanwhile keeps the way busy.
    world.udp.say("call +49691234009").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    world.stage.start();
    world.up(0);
    world.udp.forget();
    world.calls();
    world.nothing_in_clear();
}
