//! What packets look like on their way: sizes and marks inside and outside the
//! tunnel, and the tunnel through a translator's port.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sbc_tests::kit::router::{INTERNET, PROVIDERS};
use sbc_tests::kit::vswitch::frame::{Carried, ESP, Packet, TCP, UDP, carried};

use crate::stage::call;
use crate::tunnel::{FILE, INSIDE, World};

/// The node's address inside the tunnel, and outside.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const MED: Ipv4Addr = Ipv4Addr::new(10, 20, 120, 1);

/// RFC 3246 (EF) and RFC 2474 §4.2.2.2 (CS3).
const EF: u8 = 46;
const CS3: u8 = 24;

/// Octets of an IP packet in the tunnel.
const TUNNEL: u16 = 1400;

/// What every packet of `from` on a VLAN was.
fn packets(world: &World, vlan: u16, from: Ipv4Addr) -> Vec<(Packet, Vec<u8>)> {
    let seen = world.stage.switch.seen(vlan);
    let read = seen
        .into_iter()
        .filter_map(|seen| match carried(&seen.frame) {
            Carried::Ipv4(packet) if packet.from == from => Some((packet, seen.frame)),
            _ => None,
        });
    read.collect()
}

/// Returns the segment size that a SYN offers (RFC 9293 §3.7.1).
fn offered(frame: &[u8]) -> Option<u16> {
    let ip = usize::from(frame.get(14)? & 0x0f) * 4;
    let tcp = frame.get(14 + ip..)?;
    let is_syn = tcp.get(13)? & 0x02 != 0;
    let mut options = tcp.get(20..usize::from(tcp.get(12)? >> 4) * 4)?;
    if !is_syn {
        return None;
    }
    loop {
        match options {
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([*high, *low])),
            [1, rest @ ..] => options = rest,
            [_, length, ..] => options = options.get(usize::from(*length).max(2)..)?,
            _ => return None,
        }
    }
}

#[test]
fn large_messages_fit_the_tunnel_and_voice_is_marked_inside_and_outside() {
    let name = "large_messages_fit_the_tunnel_and_voice_is_marked_inside_and_outside";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut world) = World::set(name) else {
        return;
    };
    world.stage.run(FILE);
    world.up(0);
    world.calls();
    // An INVITE of more than 1,400 octets does not fit one packet of the tunnel.
    world.tcp.say("pad 1400").unwrap();
    call(&mut world.tcp, &mut world.med, "+49691234002");

    let longest = world.stage.switch.seen(PROVIDERS);
    let longest = longest
        .iter()
        .filter_map(|seen| match carried(&seen.frame) {
            Carried::Ipv4(packet) if packet.to == INSIDE && packet.protocol == TCP => {
                Some(packet.length)
            }
            _ => None,
        });
    assert_eq!(
        longest.max(),
        Some(TUNNEL),
        "a full segment, and no larger one"
    );

    let inner = packets(&world, PROVIDERS, INSIDE);
    let sizes: BTreeSet<u16> = inner
        .iter()
        .filter_map(|(_, frame)| offered(frame))
        .collect();
    assert_eq!(sizes, BTreeSet::from([TUNNEL - 40]), "what our side offers");

    let marks = |packets: &[(Packet, Vec<u8>)], protocol: u8, media: bool| -> BTreeSet<u8> {
        let is = |packet: &Packet| {
            let port = packet.ports.map_or(0, |ports| ports.0);
            packet.protocol == protocol && (20_000..20_200).contains(&port) == media
        };
        let these = packets.iter().filter(|(packet, _)| is(packet));
        these.map(|(packet, _)| packet.dscp).collect()
    };
    let server = packets(&world, 120, MED);
    for (place, packets) in [("providers", &inner), ("server", &server)] {
        assert_eq!(marks(packets, UDP, true), BTreeSet::from([EF]), "{place}");
        assert_eq!(marks(packets, TCP, false), BTreeSet::from([CS3]), "{place}");
    }
    assert_eq!(
        marks(&inner, UDP, false),
        BTreeSet::from([CS3]),
        "SIP over UDP"
    );

    let outer = packets(&world, INTERNET, OUTSIDE);
    let esp = marks(&outer, ESP, false);
    assert!(esp.is_superset(&BTreeSet::from([EF, CS3])), "{esp:?}");
    assert!(
        outer
            .iter()
            .all(|(packet, _)| !packet.is_fragment && packet.length <= 1500)
    );
    let most = outer.iter().map(|(packet, _)| packet.length).max();
    println!(
        "outside: {} packets, the longest {most:?}, marks {esp:?}",
        outer.len()
    );
    world.nothing_in_clear();
}

#[test]
fn behind_a_translator_esp_goes_in_udp_and_calls_pass() {
    let name = "behind_a_translator_esp_goes_in_udp_and_calls_pass";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some(mut world) = World::set(name) else {
        return;
    };
    let file = FILE.replace(
        "dead-peer = \"10s\"",
        "dead-peer = \"10s\"\nnat-traversal = \"auto\"",
    );
    assert_ne!(file, FILE);
    world.stage.run(&file);
    world.up(0);
    world.calls();
    world.nothing_in_clear();
    let outer = packets(&world, INTERNET, OUTSIDE);
    assert!(outer.iter().all(|(packet, _)| packet.protocol == UDP));
    println!("outside: {} packets, UDP all of them", outer.len());
}
