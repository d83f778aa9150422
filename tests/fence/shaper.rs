//! A slow link: voice goes first, whatever else wants to pass. By construction
//! nothing comes from behind the node but listed peers, so what competes is what the
//! node's own users may say to them: datagrams from the port of IKE, which has no
//! mark, and SIP over TCP, which has the mark of signalling.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::vswitch::frame::{Carried, UDP, carried};

use crate::stage::{PATIENCE, hears, word};
use crate::tunnel::{FILE, INSIDE, World};
use sbc_tests::kit::router::{INTERNET, PROVIDERS};

/// bit/s of the link, as the file says: so slow that the one emulated processor has time
/// to spare, for it is the link that is to be full.
const RATE: u64 = 1_000_000;
const SHAPE: &str = "\n[qos]\nshape = { interface = \"internet\", rate = \"1 Mbit/s\" }\n";

/// How long bulk and voice meet.
const SECONDS: u64 = 20;

/// Calls at once, at 111.2 kbit/s each: a third of the link.
const CALLS: usize = 3;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

/// A call that is up: the names both telephones give it.
struct Up {
    ours: String,
    theirs: String,
}

fn place(from: &mut Actor, to: &mut Actor, number: &str) -> Up {
    let placed = from
        .ask(&format!("call {number}"), "placed")
        .expect("placed");
    let ours = word(&placed, 1).to_owned();
    let end = from.hear(&format!("final {ours} "), PATIENCE);
    let end = end.expect("an answer");
    assert_eq!(word(&end, 2), "200", "{end}");
    let incoming = to.hear("incoming", PATIENCE).expect("it comes in");
    let theirs = word(&incoming, 1).to_owned();
    Up { ours, theirs }
}

/// Returns for how many ticks the node's processor worked, of how many in all.
fn busy_of(world: &mut World) -> (u64, u64) {
    let told = world.stage.node.ok("cat /proc/stat").unwrap();
    let line = told.lines().next().unwrap_or_default().split_whitespace();
    let ticks: Vec<u64> = line.skip(1).filter_map(|word| word.parse().ok()).collect();
    let all: u64 = ticks.iter().take(8).sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// Octets of IP packets the node sent outside, by DSCP, between two moments.
fn sent(world: &World, from: Duration, to: Duration) -> BTreeMap<u8, u64> {
    let mut sums = BTreeMap::new();
    for seen in world.stage.switch.seen(INTERNET) {
        if seen.at < from || seen.at > to {
            continue;
        }
        if let Carried::Ipv4(packet) = carried(&seen.frame)
            && packet.from == OUTSIDE
        {
            *sums.entry(packet.dscp).or_default() += u64::from(packet.length);
        }
    }
    sums
}

/// Returns how many packets of IKE left without the mark of signalling. One that waited
/// with the bulk left voice without keys for nine seconds.
fn unmarked(world: &World) -> usize {
    let seen = world.stage.switch.seen(INTERNET).into_iter();
    let ike = seen.filter(|seen| match carried(&seen.frame) {
        Carried::Ipv4(packet) => {
            packet.from == OUTSIDE && packet.ports == Some((500, 500)) && packet.dscp != 24
        }
        _ => false,
    });
    ike.count()
}

/// What came of each stream of voice that left the node towards the providers: its
/// packets, those that are missing between them, and the longest time between two.
fn streams(world: &World, from: Duration, to: Duration) -> Vec<(u64, u64, Duration)> {
    let mut streams: BTreeMap<(u16, u32), Vec<(u16, Duration)>> = BTreeMap::new();
    for seen in world.stage.switch.seen(PROVIDERS) {
        let Carried::Ipv4(packet) = carried(&seen.frame) else {
            continue;
        };
        let port = packet.ports.map_or(0, |ports| ports.0);
        let is_rtp = (20_000..20_200).contains(&port) && port % 2 == 0;
        if packet.from != INSIDE || packet.protocol != UDP || !is_rtp {
            continue;
        }
        // Ethernet, IPv4 without options, UDP, RTP (RFC 3550 §5.1).
        let rtp = &seen.frame[14 + 20 + 8..];
        let sequence = u16::from_be_bytes([rtp[2], rtp[3]]);
        let ssrc = u32::from_be_bytes([rtp[8], rtp[9], rtp[10], rtp[11]]);
        if (from..to).contains(&seen.at) {
            streams
                .entry((port, ssrc))
                .or_default()
                .push((sequence, seen.at));
        }
    }
    streams
        .into_values()
        .map(|packets| gaps(&packets))
        .collect()
}

fn gaps(packets: &[(u16, Duration)]) -> (u64, u64, Duration) {
    let (mut missing, mut longest) = (0, Duration::ZERO);
    for pair in packets.windows(2) {
        let step = pair[1].0.wrapping_sub(pair[0].0);
        // A packet that was overtaken would be a step back.
        assert!(step != 0 && step < 0x8000, "out of order: {pair:?}");
        missing += u64::from(step - 1);
        longest = longest.max(pair[1].1 - pair[0].1);
    }
    (packets.len() as u64, missing, longest)
}

#[test]
fn no_voice_is_lost_when_twice_the_link_is_offered_beside_it() {
    let name = "no_voice_is_lost_when_twice_the_link_is_offered_beside_it";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut world) = World::with_shipped(name) else {
        return;
    };
    // What both trunks may take fits into voice's part of the link.
    let limit = "max-simultaneous-calls = ";
    let file = FILE
        .replacen(&format!("{limit}50"), &format!("{limit}4"), 1)
        .replacen(&format!("{limit}50"), &format!("{limit}3"), 1);
    let file = file + SHAPE;
    world.stage.run(&file);
    world.up(0);
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let number = format!("+4969123400{number}");
        calls.push(place(&mut world.udp, &mut world.med, &number));
    }
    for call in &calls {
        hears(&mut world.udp, &call.ours);
        hears(&mut world.med, &call.theirs);
    }

    // Charon's own user, from a port of charon's: the one thing without a mark that
    // may leave by this link.
    world
        .stage
        .node
        .ok("busybox ln -s /init /usr/bin/lab")
        .unwrap();
    let bits = (RATE * 2).to_string();
    let seconds = SECONDS.to_string();
    let words = [
        "lab",
        "flood",
        "901",
        "203.0.113.10:4500",
        "203.0.113.12:4500",
        "1400",
        &bits,
        &seconds,
    ];
    let busy = busy_of(&mut world);
    let begun = world.stage.switch.now();
    let ended = world.stage.node.run_for(PATIENCE, "", &words).unwrap();
    let over = world.stage.switch.now();
    let (works, all) = busy_of(&mut world);
    let percent = (works - busy.0) * 100 / (all - busy.1).max(1);
    println!("the node's processor was busy {percent} % of the time");
    let told = ended.output + &ended.errors;
    println!("bulk: {}", told.trim());
    let offered: u64 = word(&told, 1).parse().unwrap_or_else(|_| panic!("{told}"));
    let classes = world.stage.node.ok("tc -s class show dev eth1").unwrap();
    println!("{classes}");

    // The bulk met a full queue all the time: from its first second to its last.
    let (from, to) = (
        begun + Duration::from_secs(2),
        over - Duration::from_secs(1),
    );
    let span = (to - from).as_secs_f64();
    let sums = sent(&world, from, to);
    let rate = |octets: u64| octets as f64 * 8.0 / span;
    let whole = rate(sums.values().sum());
    println!("outside: {whole:.0} bit/s in {span:.1} s, octets by DSCP {sums:?}");
    let bulk = offered as f64 * 1400.0 * 8.0 / SECONDS as f64;
    assert!(bulk > RATE as f64 * 1.9, "offered {bulk} bit/s");
    assert!(
        whole > RATE as f64 * 0.8,
        "the link was full: {whole} bit/s"
    );
    assert!(
        whole < RATE as f64 * 1.02,
        "the link is shaped: {whole} bit/s"
    );

    assert_eq!(unmarked(&world), 0, "IKE without the mark of signalling");
    let voice = streams(&world, from, to);
    for (packets, missing, longest) in &voice {
        println!("voice: {packets} packets, {missing} missing, longest gap {longest:?}");
    }
    assert_eq!(voice.len(), CALLS);
    let missing: u64 = voice.iter().map(|(_, missing, _)| missing).sum();
    assert_eq!(missing, 0, "voice that was lost");
    let least = voice.iter().map(|(packets, ..)| *packets).min().unwrap();
    assert!(
        least as f64 > span * 50.0 * 0.9,
        "{least} packets in {span} s"
    );
    for call in &calls {
        hears(&mut world.udp, &call.ours);
        world.udp.say(&format!("bye {}", call.ours)).unwrap();
    }
    let marks: Vec<u8> = sums.keys().copied().collect();
    assert!(marks.contains(&46) && marks.contains(&0), "{marks:?}");
    world.nothing_in_clear();
}
