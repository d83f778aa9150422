//! The switch between cables that the test holds itself, as QEMU would.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::forge::{self, Forgery, Target};
use super::frame::{IPV4, UDP, carried};
use super::*;

const A: Mac = [2, 0, 0, 0, 0, 0xa];
const B: Mac = [2, 0, 0, 0, 0, 0xb];
const ALL: Mac = [0xff; 6];

/// A card of a guest that is none.
struct Card(UnixStream);

impl Card {
    fn plug(switch: &Switch, place: &Place) -> Self {
        let stream = UnixStream::connect(&place.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // Frames for a card that is not there yet go nowhere.
        while !switch.is_joined(place) {
            std::thread::yield_now();
        }
        Self(stream)
    }

    fn say(&mut self, frame: &[u8]) {
        write_frame(&mut self.0, frame).unwrap();
    }

    fn hear(&mut self) -> Vec<u8> {
        read_frame(&mut self.0).unwrap()
    }
}

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("sbc-vswitch-{name}-{}", std::process::id()))
}

fn datagram(to: Mac, from: Mac, words: &[u8]) -> Vec<u8> {
    let (a, b) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let body = forge::udp(5060, 5060, a, b, words);
    forge::ethernet(to, from, IPV4, &forge::ipv4(a, b, UDP, 1, 0, &[], &body))
}

#[test]
fn a_tag_decides_who_hears_a_frame() {
    let folder = folder("tag");
    let mut switch = Switch::new(&folder).unwrap();
    let trunk = switch.trunk("node", &[]).unwrap();
    let (on_20, on_21) = (
        switch.access("a", 20).unwrap(),
        switch.access("b", 21).unwrap(),
    );
    let mut node = Card::plug(&switch, &trunk);
    let (mut a, mut b) = (Card::plug(&switch, &on_20), Card::plug(&switch, &on_21));
    let (first, second) = (datagram(ALL, A, b"to 20"), datagram(ALL, A, b"to 21"));
    node.say(&tagged(&first, 0xa000 | 20));
    node.say(&tagged(&second, 21));
    assert_eq!(a.hear(), first);
    assert_eq!(b.hear(), second, "the frame for 20 is not heard on 21");
    // Back: tagged with the port's VLAN.
    let answer = datagram(ALL, B, b"from 21");
    b.say(&answer);
    assert_eq!(node.hear(), tagged(&answer, 21));
    assert_eq!(switch.seen(20)[0].tag, Some(0xa000 | 20));
    drop(switch);
    let kept = pcap::read(&std::fs::read(folder.join("vlan-20.pcap")).unwrap());
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1, first);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_priority_of_a_tag_crosses_from_trunk_to_trunk() {
    let folder = folder("priority");
    let mut switch = Switch::new(&folder).unwrap();
    let (one, two) = (
        switch.trunk("one", &[]).unwrap(),
        switch.trunk("two", &[20]).unwrap(),
    );
    let (mut one, mut two) = (Card::plug(&switch, &one), Card::plug(&switch, &two));
    let frame = datagram(ALL, A, b"first");
    one.say(&tagged(&frame, 21));
    one.say(&tagged(&frame, 0xa000 | 20));
    assert_eq!(
        two.hear(),
        tagged(&frame, 0xa000 | 20),
        "the trunk has no VLAN 21"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_known_address_is_sent_to_its_port_alone() {
    let folder = folder("learn");
    let mut switch = Switch::new(&folder).unwrap();
    let places = ["a", "b", "c"].map(|name| switch.access(name, 5).unwrap());
    let [mut a, mut b, mut c] = places.each_ref().map(|place| Card::plug(&switch, place));
    b.say(&datagram(ALL, B, b"here is b"));
    a.hear();
    c.hear();
    a.say(&datagram(B, A, b"for b"));
    a.say(&datagram(ALL, A, b"for all"));
    assert_eq!(b.hear(), datagram(B, A, b"for b"));
    assert_eq!(
        c.hear(),
        datagram(ALL, A, b"for all"),
        "c does not hear what is for b"
    );
    assert_eq!(switch.counters(&places[2]).sent, 2);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_comes_with_a_wrong_tag_or_none_goes_nowhere_and_is_counted() {
    let folder = folder("nowhere");
    let mut switch = Switch::new(&folder).unwrap();
    let (trunk, access) = (
        switch.trunk("t", &[5]).unwrap(),
        switch.access("a", 5).unwrap(),
    );
    let frame = datagram(ALL, A, b"x");
    switch.enter(&trunk, &frame);
    switch.enter(&trunk, &tagged(&frame, 6));
    switch.enter(&trunk, &tagged(&frame, 0));
    switch.enter(&access, &tagged(&frame, 5));
    assert_eq!(switch.counters(&trunk).refused, 3);
    assert_eq!(switch.counters(&access).refused, 1);
    assert_eq!(switch.seen(NOWHERE).len(), 4);
    assert_eq!(
        switch.counters(&trunk).sent + switch.counters(&access).sent,
        0
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_else_was_on_a_vlan_is_named() {
    let folder = folder("only");
    let mut switch = Switch::new(&folder).unwrap();
    let port = switch.access("a", 5).unwrap();
    switch.enter(&port, &datagram(ALL, A, b"x"));
    let is_udp = |seen: &Seen| carried(&seen.frame).is(UDP);
    assert_eq!(switch.only(5, is_udp), Ok(()));
    assert_eq!(switch.only(6, |_| false), Ok(()));
    let objection = switch.only(5, |seen| !is_udp(seen)).unwrap_err();
    assert!(
        objection.starts_with("1 other frames were on VLAN 5:"),
        "{objection}"
    );
    assert!(
        objection.ends_with("a: UDP 10.0.0.1 > 10.0.0.2 (5060, 5060)"),
        "{objection}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_forged_frame_leaves_as_it_is_and_is_known_as_forged() {
    let folder = folder("forge");
    let mut switch = Switch::new(&folder).unwrap();
    let trunk = switch.trunk("node", &[]).unwrap();
    let mut node = Card::plug(&switch, &trunk);
    let target = Target {
        mac: A,
        address: [10, 0, 0, 1].into(),
        vlan: 20,
        other_vlan: 21,
        peer_mac: B,
        peer: [10, 0, 0, 2].into(),
        stranger: [192, 0, 2, 1].into(),
        port: 5060,
    };
    for (number, kind) in (0..).zip(forge::ALL) {
        let frame = kind.frame(&target, number);
        switch.forge(&trunk, &frame);
        assert_eq!(node.hear(), frame, "{kind:?}");
    }
    let counters = switch.counters(&trunk);
    assert_eq!((counters.forged, counters.sent), (11, 11));
    assert_eq!(switch.seen(21).len(), 1, "only {:?}", Forgery::WrongTag);
    assert!(switch.seen(20).iter().all(|seen| seen.from.is_none()));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_bad_cable_loses_doubles_and_delays() {
    let folder = folder("faults");
    let mut switch = Switch::new(&folder).unwrap();
    let (from, to) = (
        switch.access("a", 5).unwrap(),
        switch.access("b", 5).unwrap(),
    );
    let mut b = Card::plug(&switch, &to);
    let frame = datagram(ALL, A, b"x");
    let faults = Faults {
        double: 1000,
        delay: Duration::from_millis(200),
        ..Faults::default()
    };
    switch.spoil(&to, faults);
    let since = Instant::now();
    switch.enter(&from, &frame);
    assert_eq!((b.hear(), b.hear()), (frame.clone(), frame.clone()));
    assert!(since.elapsed() >= Duration::from_millis(200));
    let faults = Faults {
        is_cut: true,
        ..Faults::default()
    };
    switch.spoil(&to, faults);
    switch.enter(&from, &frame);
    switch.spoil(&to, Faults::default());
    let last = datagram(ALL, A, b"the cable is whole again");
    switch.enter(&from, &last);
    assert_eq!(
        b.hear(),
        last,
        "what was sent through the cut cable is not heard"
    );
    let counters = switch.counters(&to);
    assert_eq!((counters.lost, counters.doubled), (1, 1));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_guest_may_come_again_by_the_same_cable() {
    let folder = folder("again");
    let mut switch = Switch::new(&folder).unwrap();
    let place = switch.access("a", 5).unwrap();
    let other = switch.access("b", 5).unwrap();
    let first = Card::plug(&switch, &place);
    drop(first);
    while switch.is_joined(&place) {
        std::thread::yield_now();
    }
    let mut second = Card::plug(&switch, &place);
    let frame = datagram(ALL, B, b"x");
    switch.enter(&other, &frame);
    assert_eq!(second.hear(), frame);
    std::fs::remove_dir_all(folder).unwrap();
}
