//! The relay as it runs: threads, sockets on loopback, packets through it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use sbc_core::relay::{Bind, Clock, Relay};
use sbc_media::g711;
use sbc_media::sdp::{Codec, Network};
use sbc_media::stream::{
    Action, EXPEDITED, MediaEvent, MediaPlane, Remote, RtcpMode, Rule, SideRow, Source, StreamKey,
    StreamRow, StreamSide, StreamStats, Timers,
};
use sbc_media::tone::{Play, Ringing, Tone};

/// How long something that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

const KEY: StreamKey = StreamKey(1);

/// One party with its port pair, on an address of its own.
struct Peer {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Peer {
    fn at(address: &str) -> Self {
        let bind = |port| {
            let socket = UdpSocket::bind((address, port)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        Self {
            rtp: bind(30_000),
            rtcp: bind(30_001),
        }
    }

    fn remote(&self) -> Remote {
        let at = |socket: &UdpSocket| socket.local_addr().unwrap();
        Remote {
            rtp: at(&self.rtp),
            rtcp: at(&self.rtcp),
            muxed: false,
        }
    }

    fn says(&self, to: SocketAddr, packet: &[u8]) {
        self.rtp.send_to(packet, to).unwrap();
    }

    fn hears(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2_048];
        let (length, from) = self.rtp.recv_from(&mut buffer).unwrap();
        (buffer[..length].to_vec(), from)
    }
}

/// A relay with one stream between two peers; each test has a network of its own.
struct Lab {
    relay: Relay,
    a: Peer,
    b: Peer,
    row: StreamRow,
}

impl Lab {
    fn new(net: u8) -> Self {
        Self::on(
            &format!("127.9.{net}.1"),
            &format!("127.9.{net}.2"),
            &format!("127.9.{net}.3"),
        )
    }

    fn on(ours: &str, a: &str, b: &str) -> Self {
        let (a, b) = (Peer::at(a), Peer::at(b));
        let local = |port| SocketAddr::new(ours.parse().unwrap(), port);
        let row = StreamRow {
            key: KEY,
            a: side(local(20_000), &a, 1),
            b: side(local(20_002), &b, 2),
            timers: Timers::default(),
        };
        let relay = Relay::start(2, Clock::starting(), &Bind).unwrap();
        let mut lab = Self { relay, a, b, row };
        lab.program();
        lab
    }

    fn program(&mut self) {
        self.relay.program(std::slice::from_ref(&self.row));
        self.stats();
    }

    /// Orders are carried out in order: once numbers come, all before has happened.
    fn stats(&self) -> StreamStats {
        let mut found = StreamStats::default();
        self.relay.read(&mut |key, stats| {
            assert_eq!(key, KEY);
            found = stats.clone();
        });
        found
    }

    fn next_event(&self) -> MediaEvent {
        let start = Instant::now();
        loop {
            if let Some(event) = self.relay.next_event() {
                return event;
            }
            assert!(start.elapsed() < PATIENCE, "no event came");
            std::thread::yield_now();
        }
    }
}

fn side(local: SocketAddr, peer: &Peer, identity: u128) -> SideRow {
    let network = |text: &str, prefix| Network {
        address: text.parse().unwrap(),
        prefix,
    };
    let rule = |from, to, action| Rule { from, to, action };
    SideRow {
        local,
        remote: Some(peer.remote()),
        source: Source::Signalled,
        media_from: [network("127.0.0.0", 8), network("::1", 128)]
            .into_iter()
            .collect(),
        rtcp: RtcpMode::default(),
        sends: true,
        hears: true,
        rules: [rule(8, 8, Action::Pass), rule(101, 96, Action::Event)]
            .into_iter()
            .collect(),
        identity,
        tos: EXPEDITED,
        play: None,
    }
}

fn packet(number: u8, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, number];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend([9, 9, 9, 9]);
    packet.extend(payload);
    packet
}

#[test]
fn media_passes_both_ways_from_the_port_that_was_signalled() {
    let lab = Lab::new(1);
    for sequence in 1..50 {
        let sent = packet(8, sequence, &[0xd5; 160]);
        lab.a.says(lab.row.a.local, &sent);
        assert_eq!(lab.b.hears(), (sent.clone(), lab.row.b.local));
        lab.b.says(lab.row.b.local, &sent);
        assert_eq!(lab.a.hears(), (sent, lab.row.a.local));
    }
    let stats = lab.stats();
    assert_eq!((stats.a.received.packets, stats.a.received.lost), (49, 0));
    assert_eq!((stats.b.sent.packets, stats.b.sent.bytes), (49, 49 * 172));
}

/// RFC 4733 §2.5.1.2, §2.5.1.4: number mapped; marker, timestamp, every end packet kept.
#[test]
fn telephone_events_pass_with_their_number_mapped_and_nothing_else_changed() {
    let lab = Lab::new(2);
    let digit = sbc_media::rtp::events::packets(5, 800, 160);
    for (sequence, (marker, event)) in (100..).zip(digit) {
        let number = if marker { 0x80 } else { 0 };
        let mut sent = packet(number | 101, sequence, &event.bytes());
        sent[4..8].copy_from_slice(&[0, 0, 0x40, 0]);
        lab.a.says(lab.row.a.local, &sent);
        sent[1] = number | 96;
        assert_eq!(lab.b.hears().0, sent);
    }
    let stats = lab.stats().a;
    assert_eq!((stats.events, stats.received.packets), (1, 7));
    assert_eq!(
        (stats.received.jitter, stats.received.late),
        (Duration::ZERO, 0)
    );
}

#[test]
fn the_laws_are_converted_by_the_tables() {
    let mut lab = Lab::new(3);
    let rules = |from, to, action| [Rule { from, to, action }].into_iter().collect();
    lab.row.a.rules = rules(8, 0, Action::AToU);
    lab.row.b.rules = rules(0, 8, Action::UToA);
    lab.program();
    let every: Vec<u8> = (0..=255).collect();
    lab.a.says(lab.row.a.local, &packet(8, 1, &every));
    let mut wanted = every.clone();
    g711::a_to_u(&mut wanted);
    assert_eq!(lab.b.hears().0, packet(0, 1, &wanted));
    lab.b.says(lab.row.b.local, &packet(0, 1, &every));
    let mut wanted = every;
    g711::u_to_a(&mut wanted);
    assert_eq!(lab.a.hears().0, packet(8, 1, &wanted));
}

/// A stranger, a neighbour and the peer itself from another port; the packet that is
/// the peer's comes last and is the only one to arrive.
#[test]
fn only_the_signalled_source_is_heard() {
    let lab = Lab::new(4);
    let stranger = UdpSocket::bind("127.9.4.99:30000").unwrap();
    let other_port = UdpSocket::bind("127.9.4.2:30002").unwrap();
    for _ in 0..20 {
        stranger
            .send_to(&packet(8, 1, &[1; 160]), lab.row.a.local)
            .unwrap();
        other_port
            .send_to(&packet(8, 1, &[2; 160]), lab.row.a.local)
            .unwrap();
        lab.b.says(lab.row.a.local, &packet(8, 1, &[3; 160]));
    }
    let wanted = packet(8, 2, &[4; 160]);
    lab.a.says(lab.row.a.local, &wanted);
    assert_eq!(lab.b.hears().0, wanted);
    let stats = lab.stats();
    assert_eq!(
        (stats.a.unexpected_source, stats.a.received.packets),
        (60, 1)
    );
    assert_eq!(stats.b.sent.packets, 1);
}

#[test]
fn nothing_passes_before_the_peer_is_known() {
    let mut lab = Lab::new(5);
    let known = lab.row.b.remote.take();
    lab.row.a.rules.clear();
    lab.program();
    lab.b.says(lab.row.b.local, &packet(8, 1, &[1; 160]));
    lab.a.says(lab.row.a.local, &packet(8, 1, &[1; 160]));
    lab.row.b.remote = known;
    lab.row.a.rules = lab.row.b.rules.clone();
    // What waits in the sockets is served before the order: see it counted first.
    while lab.stats().b.unexpected_source + lab.stats().a.muted < 2 {}
    lab.program();
    let wanted = packet(8, 2, &[2; 160]);
    lab.a.says(lab.row.a.local, &wanted);
    assert_eq!(lab.b.hears().0, wanted);
    let stats = lab.stats();
    assert_eq!((stats.b.unexpected_source, stats.a.muted), (1, 1));
    assert_eq!((stats.a.sent.packets, stats.b.sent.packets), (0, 1));
}

#[test]
fn a_subnet_source_locks_once_and_media_still_goes_to_the_signalled_address() {
    let mut lab = Lab::new(6);
    lab.row.a.source = Source::Subnet;
    let inside = Network {
        address: "127.9.6.0".parse().unwrap(),
        prefix: 28,
    };
    lab.row.a.media_from = [inside].into_iter().collect();
    lab.program();
    let (outside, gateway) = (
        UdpSocket::bind("127.9.6.77:30000").unwrap(),
        UdpSocket::bind("127.9.6.7:31000").unwrap(),
    );
    outside
        .send_to(&packet(8, 1, &[1; 160]), lab.row.a.local)
        .unwrap();
    gateway.send_to(&[0; 12], lab.row.a.local).unwrap();
    let first = packet(8, 1, &[2; 160]);
    gateway.send_to(&first, lab.row.a.local).unwrap();
    assert_eq!(lab.b.hears().0, first);
    // Locked: the signalled address itself is foreign until signalling says more.
    lab.a.says(lab.row.a.local, &packet(8, 2, &[3; 160]));
    let second = packet(8, 2, &[4; 160]);
    gateway.send_to(&second, lab.row.a.local).unwrap();
    assert_eq!(lab.b.hears().0, second);
    let stats = lab.stats().a;
    assert_eq!((stats.unexpected_source, stats.malformed), (2, 1));
    lab.b.says(lab.row.b.local, &first);
    assert_eq!(lab.a.hears().0, first);
    // A new signalled address unlocks.
    let moved = Peer::at("127.9.6.4");
    lab.row.a.remote = Some(moved.remote());
    lab.program();
    moved.says(lab.row.a.local, &second);
    assert_eq!(lab.b.hears().0, second);
    gateway.send_to(&first, lab.row.a.local).unwrap();
    moved.says(lab.row.a.local, &first);
    assert_eq!(lab.b.hears().0, first);
    assert_eq!(lab.stats().a.unexpected_source, 3);
}

#[test]
fn hold_stops_one_direction_and_keeps_counting() {
    let mut lab = Lab::new(7);
    lab.row.a.hears = false;
    lab.program();
    let music = packet(8, 1, &[1; 160]);
    lab.a.says(lab.row.a.local, &music);
    assert_eq!(lab.b.hears().0, music);
    lab.b.says(lab.row.b.local, &packet(8, 1, &[2; 160]));
    while lab.stats().b.muted < 1 {}
    lab.row.a.hears = true;
    lab.program();
    let speech = packet(8, 2, &[3; 160]);
    lab.b.says(lab.row.b.local, &speech);
    assert_eq!(lab.a.hears().0, speech);
    let stats = lab.stats();
    assert_eq!((stats.b.received.packets, stats.b.received.lost), (2, 0));
}

#[test]
fn payload_numbers_nobody_agreed_on_are_dropped_and_are_no_loss() {
    let lab = Lab::new(8);
    lab.a.says(lab.row.a.local, &packet(8, 1, &[1; 160]));
    lab.a.says(lab.row.a.local, &packet(18, 2, &[2; 20]));
    lab.a.says(lab.row.a.local, &packet(8, 3, &[3; 160]));
    assert_eq!(lab.b.hears().0, packet(8, 1, &[1; 160]));
    assert_eq!(lab.b.hears().0, packet(8, 3, &[3; 160]));
    let stats = lab.stats().a;
    assert_eq!((stats.unknown_payload, stats.received.lost), (1, 0));
}

#[test]
fn the_first_packet_is_told_once_and_again_after_a_move() {
    let mut lab = Lab::new(9);
    let first = MediaEvent::First {
        key: KEY,
        side: StreamSide::B,
    };
    for sequence in 1..4 {
        lab.b.says(lab.row.b.local, &packet(8, sequence, &[1; 160]));
        lab.a.hears();
    }
    assert_eq!(lab.next_event(), first);
    let moved = Peer::at("127.9.9.4");
    lab.row.b.remote = Some(moved.remote());
    lab.program();
    moved.says(lab.row.b.local, &packet(8, 9, &[1; 160]));
    assert_eq!(lab.next_event(), first);
    assert_eq!(lab.relay.next_event(), None);
}

#[test]
fn a_withdrawn_stream_tells_its_numbers_and_frees_its_ports() {
    let mut lab = Lab::new(10);
    lab.a.says(lab.row.a.local, &packet(8, 1, &[1; 160]));
    lab.b.hears();
    lab.relay.withdraw(&[KEY, StreamKey(3)]);
    lab.next_event();
    let MediaEvent::Ended { key: KEY, stats } = lab.next_event() else {
        panic!("the end of the stream was not told");
    };
    assert_eq!((stats.a.received.packets, stats.b.sent.packets), (1, 1));
    for port in 20_000..20_004 {
        assert!(
            UdpSocket::bind(("127.9.10.1", port)).is_ok(),
            "{port} is held"
        );
    }
    lab.relay
        .read(&mut |key, _| panic!("{key:?} is still there"));
}

#[test]
fn a_port_that_is_in_use_refuses_the_row_and_holds_nothing() {
    let mut lab = Lab::new(11);
    let taken = UdpSocket::bind("127.9.11.1:20013").unwrap();
    let mut second = lab.row.clone();
    second.key = StreamKey(2);
    second.a.local.set_port(20_010);
    second.b.local.set_port(20_012);
    lab.relay.program(&[second]);
    let refused = MediaEvent::Refused {
        key: StreamKey(2),
        side: StreamSide::B,
    };
    assert_eq!(lab.next_event(), refused);
    for port in 20_010..20_013 {
        assert!(
            UdpSocket::bind(("127.9.11.1", port)).is_ok(),
            "{port} is held"
        );
    }
    drop(taken);
}

#[test]
fn a_side_moves_to_other_ports_and_its_numbers_go_on() {
    let mut lab = Lab::new(12);
    lab.a.says(lab.row.a.local, &packet(8, 1, &[1; 160]));
    lab.b.hears();
    lab.row.a.local.set_port(20_020);
    lab.program();
    assert!(UdpSocket::bind("127.9.12.1:20000").is_ok());
    lab.a.says(lab.row.a.local, &packet(8, 2, &[1; 160]));
    lab.b.hears();
    assert_eq!(lab.stats().a.received.packets, 2);
}

/// RFC 5761 §4: one port for both, told apart by the second byte.
#[test]
fn multiplexed_rtcp_is_told_from_media() {
    let mut lab = Lab::new(13);
    let rtp = lab.a.rtp.local_addr().unwrap();
    lab.row.a.remote = Some(Remote {
        rtp,
        rtcp: rtp,
        muxed: true,
    });
    lab.program();
    lab.a.says(lab.row.a.local, &[0x80, 201, 0, 1, 0, 0, 0, 9]);
    let media = packet(8, 1, &[1; 160]);
    lab.a.says(lab.row.a.local, &media);
    assert_eq!(lab.b.hears().0, media);
    assert_eq!(lab.stats().a.rtcp_received, 1);
}

/// RFC 3551 §4.1: the first packet has the marker.
/// The tone comes from the port that was signalled, packet after packet, until the
/// first of the other side's.
#[test]
fn a_tone_plays_until_the_other_side_is_heard() {
    let mut lab = Lab::new(18);
    let tone = Tone::Ringing(Ringing::of("DE"));
    let play = Play {
        tone,
        codec: Codec::Pcma,
        number: 8,
        after: Duration::from_millis(5),
    };
    lab.row = lab.row.clone().playing(StreamSide::A, play);
    lab.program();
    let mut last = None;
    for number in 0..5_u16 {
        let (heard, from) = lab.a.hears();
        let second = if number == 0 { 0x88 } else { 8 };
        assert_eq!(
            (heard.len(), from, heard[1]),
            (172, lab.row.a.local, second)
        );
        let sequence = u16::from_be_bytes([heard[2], heard[3]]);
        assert!(last.is_none_or(|last: u16| last.wrapping_add(1) == sequence));
        last = Some(sequence);
    }
    let speech = packet(8, 1, &[1; 160]);
    lab.b.says(lab.row.b.local, &speech);
    while lab.a.hears().0 != speech {}
    // Programming the same row again starts nothing.
    lab.program();
    let sent = lab.stats().a.sent.packets;
    let pause = Some(Duration::from_millis(60));
    lab.a.rtp.set_read_timeout(pause).unwrap();
    assert!(lab.a.rtp.recv(&mut [0; 2_048]).is_err(), "the tone went on");
    assert_eq!(lab.stats().a.sent.packets, sent);
}

#[test]
fn rtcp_from_a_wrong_source_is_foreign_too() {
    let lab = Lab::new(14);
    let mut rtcp = lab.row.a.local;
    rtcp.set_port(rtcp.port() + 1);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9];
    lab.a.rtp.send_to(&report, rtcp).unwrap();
    lab.a.rtcp.send_to(&report, rtcp).unwrap();
    while lab.stats().a.rtcp_received < 1 {}
    assert_eq!(lab.stats().a.unexpected_source, 1);
}

#[test]
fn ipv6_carries_media_as_well() {
    let (a, b) = (
        UdpSocket::bind("[::1]:0").unwrap(),
        UdpSocket::bind("[::1]:0").unwrap(),
    );
    let mut lab = Lab::new(15);
    let remote = |socket: &UdpSocket| {
        let at = socket.local_addr().unwrap();
        Some(Remote {
            rtp: at,
            rtcp: at,
            muxed: false,
        })
    };
    (lab.row.a.remote, lab.row.b.remote) = (remote(&a), remote(&b));
    lab.row.a.local = "[::1]:24000".parse().unwrap();
    lab.row.b.local = "[::1]:24002".parse().unwrap();
    lab.program();
    let sent = packet(8, 1, &[1; 160]);
    a.send_to(&sent, lab.row.a.local).unwrap();
    let mut buffer = [0; 2_048];
    b.set_read_timeout(Some(PATIENCE)).unwrap();
    let (length, from) = b.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&sent[..], lab.row.b.local));
}

#[test]
fn what_is_larger_than_any_audio_is_dropped() {
    let lab = Lab::new(16);
    lab.a.says(lab.row.a.local, &packet(8, 1, &[1; 4_000]));
    lab.a.says(lab.row.a.local, &packet(8, 2, &[1; 160]));
    assert_eq!(lab.b.hears().0.len(), 172);
    assert_eq!(lab.stats().a.malformed, 1);
}

#[test]
fn a_thousand_streams_come_and_go_and_leave_nothing() {
    let mut lab = Lab::new(17);
    let rows: Vec<_> = (0..1_000_u16)
        .map(|number| {
            let mut row = lab.row.clone();
            row.key = StreamKey(100 + u64::from(number));
            row.a.local.set_port(40_000 + number * 4);
            row.b.local.set_port(40_002 + number * 4);
            row
        })
        .collect();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    for chunk in rows.chunks(50) {
        lab.relay.program(chunk);
        let keys: Vec<_> = chunk.iter().map(|row| row.key).collect();
        lab.relay.withdraw(&keys);
    }
    for _ in &rows {
        assert!(matches!(lab.next_event(), MediaEvent::Ended { .. }));
    }
    lab.stats();
    // Other tests of this process open a few of their own meanwhile.
    assert!(
        descriptors() < before + 200,
        "{} of {before}",
        descriptors()
    );
}
