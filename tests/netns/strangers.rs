//! Who is on no list: silence, from the listeners of the real node, as the
//! kernel of the stranger sees it; and what the console shows meanwhile.

use std::time::Duration;

use super::stage::{Stage, TO_CARRIER, TO_CARRIER_TCP, TO_SERVER, word};

/// RFC 9293 §3.10.7.2 would answer a SYN with SYN-ACK or a reset, RFC 1122
/// §3.2.2.1 a datagram with "port unreachable": a stranger gets neither.
#[test]
fn a_stranger_hears_nothing_at_all_from_a_listener() {
    let Some(stage) = Stage::set("a_stranger_hears_nothing_at_all_from_a_listener") else {
        return;
    };
    // Who is listed is heard: the same knock from its own address gets in.
    let mut listed = stage.actor("itsp", &["knock", TO_CARRIER]);
    let heard = listed.ask("udp", "knocked").unwrap();
    assert_eq!(word(&heard, 1), "answered", "{heard}");
    let mut listed = stage.actor("itsp-tcp", &["knock", TO_CARRIER_TCP]);
    let heard = listed.ask("tcp", "knocked").unwrap();
    assert_eq!(word(&heard, 1), "answered", "{heard}");
    drop(listed);

    for (place, device, from, to, kind) in [
        ("itsp", "a0", "172.20.31.3", TO_CARRIER, "udp"),
        ("itsp-tcp", "b0", "172.20.32.3", TO_CARRIER_TCP, "tcp"),
    ] {
        // Everything from here on leaves with an address that is on no list.
        let (address, net) = (format!("{from}/29"), network(from));
        let add = stage
            .net
            .ip(place, &["addr", "add", &address, "dev", device]);
        add.unwrap();
        let words = ["route", "replace", &net, "dev", device, "src", from];
        stage.net.ip(place, &words).unwrap();
        let before = [
            stage.kernel(place, "Ip InReceives"),
            stage.kernel(place, "Icmp InMsgs"),
        ];
        let drops = stage.drops(to, kind);
        let mut stranger = stage.actor(place, &["knock", to]);
        for _ in 0..3 {
            let heard = stranger.ask(kind, "knocked").unwrap();
            assert_eq!(word(&heard, 1), "silence", "{kind}: {heard}");
        }
        let after = [
            stage.kernel(place, "Ip InReceives"),
            stage.kernel(place, "Icmp InMsgs"),
        ];
        assert_eq!(before, after, "not one packet came back to {place}");
        stage.until(
            "the listener counts them",
            Duration::from_secs(5),
            |stage| stage.drops(to, kind) >= drops + 3,
        );
    }
    assert_eq!(
        stage.counter("unlisted"),
        0,
        "none of it reached the engine"
    );
}

/// The network of eight addresses the labs' neighbours are in.
fn network(address: &str) -> String {
    let (head, _) = address.rsplit_once('.').unwrap();
    format!("{head}.0/29")
}

/// The width of a serial console.
#[test]
fn every_show_fits_into_80_columns_of_ascii() {
    let Some(stage) = Stage::set("every_show_fits_into_80_columns_of_ascii") else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", super::stage::CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", super::stage::SERVER, TO_SERVER);
    super::stage::connect(&mut carrier, &mut server, "+49691231042");
    for what in [
        "calls",
        "call 1",
        "call 1 ladder",
        "trunks",
        "mediation",
        "limits",
        "counters",
        "held",
        "version",
    ] {
        let text = stage.node.ask(&format!("show {what}"));
        assert!(!text.is_empty(), "show {what} says nothing");
        let wide = text
            .lines()
            .find(|line| line.len() > 80 || !line.is_ascii());
        assert_eq!(wide, None, "show {what}");
    }
}
