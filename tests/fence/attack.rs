//! Frames nobody should send, and a node whose processes are all dead: nothing is
//! forwarded, nothing answered but ARP, and the counters account for every frame.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sbc_tests::kit::vswitch::forge::{self, Forgery, Target, ethernet, ipv4, udp};
use sbc_tests::kit::vswitch::frame::{IPV4, UDP, carried, tagged};

use crate::stage::{Host, PATIENCE, Stage};

/// The node of the VLANs, with operators besides, and silent.
pub fn file() -> String {
    let plain = include_str!("vlans.toml");
    let silent = plain.replace("{ every = \"5s\" }", "{ method = \"none\" }");
    format!(
        "{silent}\n[management]\ninterface = \"mgmt\"\nallow = [\"10.0.0.7/32\"]\n\n\
         [interface.mgmt]\nzone = \"management\"\ndevice = \"eth0\"\nvlan = 5\n\
         address = [\"10.0.0.5/24\"]\n"
    )
}

pub const HOSTS: [Host; 3] = [
    ("itsp", 310, "172.20.31.1/29"),
    ("med", 120, "10.20.120.2/29"),
    ("mgmt", 5, "10.0.0.7/24"),
];

pub const NODE_MED: Ipv4Addr = Ipv4Addr::new(10, 20, 120, 1);
pub const MED: Ipv4Addr = Ipv4Addr::new(10, 20, 120, 2);
pub const NODE_ITSP: Ipv4Addr = Ipv4Addr::new(172, 20, 31, 2);
pub const ITSP: Ipv4Addr = Ipv4Addr::new(172, 20, 31, 1);

/// Forged frames of each kind on each of two VLANs; 22 times this is over 10,000.
const EACH: u16 = 460;

/// Frames sent at once; the guest's card has room for them.
const BURST: u16 = 32;

/// Sends frames to the node, no faster than it takes them.
pub fn send(stage: &mut Stage, frames: impl Iterator<Item = Vec<u8>>) -> u64 {
    let mut sent = 0;
    for frame in frames {
        stage.switch.forge(&stage.trunk, &frame);
        sent += 1;
        if sent % u64::from(BURST) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    sent
}

/// Counters and frames taken before something is sent.
pub struct Before {
    counters: BTreeMap<(String, String), u64>,
    taken: u64,
}

impl Before {
    pub fn read(stage: &mut Stage) -> Self {
        Self {
            taken: taken(stage),
            counters: stage.counters(),
        }
    }
}

/// Returns how many frames the node's card took.
fn taken(stage: &mut Stage) -> u64 {
    let text = stage
        .node
        .ok("cat /sys/class/net/eth0/statistics/rx_packets")
        .unwrap();
    text.trim().parse().unwrap()
}

/// What rules counted: packets that were let through and dropped, by table.
#[derive(Debug, Default)]
pub struct Count {
    pub passed: BTreeMap<String, u64>,
    pub dropped: BTreeMap<String, u64>,
    /// By name, over all tables.
    pub names: BTreeMap<String, u64>,
}

impl Count {
    /// Waits until a frame without a tag, which comes behind all others, was counted,
    /// and the first chain has counted all that the card took; returns what all
    /// chains did since `before`, that frame aside.
    pub fn since(stage: &mut Stage, before: &Before) -> Self {
        let marker = ethernet(stage.mac, [2, 0, 0, 0, 0, 0x99], 0x88b5, &[0; 46]);
        stage.switch.forge(&stage.trunk, &marker);
        let began = std::time::Instant::now();
        loop {
            let count = Self::now(stage, &before.counters);
            let taken = taken(stage) - before.taken;
            let marked = count.names.get("dropped_untagged") == Some(&1);
            if marked && count.all("sbc-eth0") == taken {
                return count;
            }
            let late = began.elapsed() > PATIENCE;
            assert!(
                !late,
                "{taken} frames were taken, and not counted: {count:?}"
            );
        }
    }

    fn now(stage: &mut Stage, before: &BTreeMap<(String, String), u64>) -> Self {
        let mut count = Self::default();
        for ((table, name), packets) in stage.counters() {
            let was = before.get(&(table.clone(), name.clone())).copied();
            let more = packets - was.unwrap_or_default();
            let Some(name) = name.strip_prefix("isolation_") else {
                continue;
            };
            if name == "passed" {
                *count.passed.entry(table).or_default() += more;
            } else if name.starts_with("dropped") {
                *count.dropped.entry(table).or_default() += more;
                if more > 0 {
                    *count.names.entry(name.to_owned()).or_default() += more;
                }
            }
        }
        count
    }

    pub fn passed(&self, table: &str) -> u64 {
        self.passed.get(table).copied().unwrap_or_default()
    }

    pub fn dropped(&self, table: &str) -> u64 {
        self.dropped.get(table).copied().unwrap_or_default()
    }

    pub fn all(&self, table: &str) -> u64 {
        self.passed(table) + self.dropped(table)
    }
}

const LINKS: [&str; 3] = ["sbc-vlan5", "sbc-vlan120", "sbc-vlan310"];

#[test]
fn ten_thousand_forged_frames_are_all_counted_and_none_is_forwarded_or_answered() {
    let name = "ten_thousand_forged_frames_are_all_counted_and_none_is_forwarded_or_answered";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    stage.run(&file());
    let target = |vlan, address, peer, peer_mac, other_vlan| Target {
        mac: stage.mac,
        address,
        vlan,
        other_vlan,
        peer_mac,
        peer,
        stranger: Ipv4Addr::new(192, 0, 2, 66),
        port: 5060,
    };
    let targets = [
        target(120, NODE_MED, MED, stage.mac_of("med"), 310),
        target(310, NODE_ITSP, ITSP, stage.mac_of("itsp"), 99),
    ];
    let (mut all, mut reached) = (0, 0);
    for forgery in forge::ALL {
        for target in &targets {
            let before = Before::read(&mut stage);
            let quiet = stage.switch.seen_from(&stage.trunk).len();
            let frames = (0..EACH).map(|number| forgery.frame(target, number));
            let sent = send(&mut stage, frames);
            let count = Count::since(&mut stage, &before);
            println!("{forgery:?} on {}: {:?}", target.vlan, count.names);
            // Groups nobody joined are not even taken from the wire.
            let seen = count.all("sbc-eth0") - 1;
            let links: u64 = LINKS.iter().map(|link| count.all(link)).sum();
            assert_eq!(links, count.passed("sbc-eth0"), "{count:?}");
            assert_eq!(count.passed("sbc"), 0, "{forgery:?}: {count:?}");
            let further: u64 = LINKS.iter().map(|link| count.passed(link)).sum();
            // ARP of the peer's address, and what the machine's table drops.
            let may = match forgery {
                Forgery::ForeignArp | Forgery::Redirect => true,
                Forgery::Fragment => target.vlan == 310,
                _ => false,
            };
            assert!(may || further < 5, "{forgery:?} came further: {count:?}");
            for answer in &stage.switch.seen_from(&stage.trunk)[quiet..] {
                let is_arp = carried(&answer.frame).is_arp();
                assert!(is_arp, "{forgery:?} was answered: {answer:?}");
            }
            all += sent;
            reached += seen;
        }
    }
    assert!(all > 10_000, "{all}");
    assert!(!stage.log().contains("another hand"), "{}", stage.log());
    println!("{all} forged frames, {reached} reached the card, hosts' own among them");
}

/// Whatever a peer may send while the node lives.
fn honest(stage: &Stage) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for number in 0..100 {
        let say = |from: Ipv4Addr, to, vlan, mac, port| {
            let body = udp(49_152 + number, port, from, to, b"OPTIONS");
            let packet = ipv4(from, to, UDP, number, 0, &[], &body);
            tagged(&ethernet(stage.mac, mac, IPV4, &packet), vlan)
        };
        frames.push(say(ITSP, NODE_ITSP, 310, stage.mac_of("itsp"), 5060));
        frames.push(say(ITSP, NODE_ITSP, 310, stage.mac_of("itsp"), 20_000));
        frames.push(say(MED, NODE_MED, 120, stage.mac_of("med"), 20_002));
    }
    frames
}

#[test]
fn with_every_process_dead_the_rules_stay_and_nothing_passes_or_is_answered() {
    let name = "with_every_process_dead_the_rules_stay_and_nothing_passes_or_is_answered";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut stage) = Stage::set(name, &HOSTS, None) else {
        return;
    };
    stage.run(&file());
    let rules = stage.node.ok("nft -s list ruleset").unwrap();
    let routes = stage.node.ok("ip route show table all").unwrap();
    stage.kill();
    assert_eq!(stage.node.ok("nft -s list ruleset").unwrap(), rules);
    assert_eq!(stage.node.ok("ip route show table all").unwrap(), routes);

    let quiet = stage.switch.seen_from(&stage.trunk).len();
    let before = Before::read(&mut stage);
    let frames = honest(&stage);
    let sent = send(&mut stage, frames.into_iter());
    let count = Count::since(&mut stage, &before);
    assert!(count.all("sbc-eth0") > sent, "{count:?}");
    for (place, to) in [
        ("itsp", "172.20.31.2"),
        ("med", "10.20.120.1"),
        ("mgmt", "10.0.0.5"),
    ] {
        let mut tcp = stage.net.command(place, env!("CARGO_BIN_EXE_lab"));
        let mut knock =
            sbc_tests::kit::actor::Actor::start(place, tcp.args(["knock", &format!("{to}:5066")]))
                .unwrap();
        knock.hear("ready", PATIENCE).unwrap();
        assert_eq!(knock.ask("tcp", "knocked").unwrap(), "knocked silence");
        assert_eq!(knock.ask("udp", "knocked").unwrap(), "knocked silence");
    }
    let answers = stage.switch.seen_from(&stage.trunk);
    for answer in &answers[quiet..] {
        // Where it is, the kernel says; that is on the list.
        assert!(carried(&answer.frame).is_arp(), "{answer:?}");
    }
    println!("{sent} packets and 6 knocks, 0 answers but ARP");
    assert_eq!(stage.node.ok("nft -s list ruleset").unwrap(), rules);
}
