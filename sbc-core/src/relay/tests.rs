//! Streams on real sockets, in time that the test sets.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt::ip_tos;
use sbc_media::Instant;
use sbc_media::rtp::rtcp::Heard;
use sbc_media::sdp::{Codec, Network};
use sbc_media::stream::{
    Action, EXPEDITED, MediaEvent, Remote, RtcpMode, Rule, SideRow, Source, StreamKey, StreamRow,
    StreamSide, Timers,
};
use sbc_media::tone::{Play, Ringing, Tone};

use super::Clock;
use super::live::Live;
use super::side::{Flow, Pair};
use super::socket::{self, Bind, OpenPort};

const KEY: StreamKey = StreamKey(7);
const LIMIT: Duration = Duration::from_secs(60);

fn secs(number: u64) -> Instant {
    Duration::from_secs(number)
}

/// A peer on a port pair of its own, and the row of the side that faces it.
struct Peer {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    row: SideRow,
}

fn bound() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

fn peer() -> Peer {
    let (rtp, rtcp) = (bound(), bound());
    let remote = Remote {
        rtp: rtp.local_addr().unwrap(),
        rtcp: rtcp.local_addr().unwrap(),
        muxed: false,
    };
    let loopback = Network {
        address: "127.0.0.0".parse().unwrap(),
        prefix: 8,
    };
    let row = SideRow {
        local: "127.0.0.1:0".parse().unwrap(),
        remote: Some(remote),
        source: Source::Signalled,
        media_from: [loopback].into_iter().collect(),
        rtcp: RtcpMode::default(),
        sends: true,
        hears: true,
        rules: [Rule {
            from: 8,
            to: 8,
            action: Action::Pass,
        }]
        .into_iter()
        .collect(),
        identity: 0x0102_0304_0506_0708,
        tos: EXPEDITED,
        play: None,
    };
    Peer { rtp, rtcp, row }
}

/// Two open sides, and the stream between them at time zero.
fn lab() -> (Peer, Peer, Live) {
    let (a, b) = (peer(), peer());
    let live = Live::new(row(&a, &b), pair(), pair(), Instant::ZERO);
    (a, b, live)
}

fn row(a: &Peer, b: &Peer) -> StreamRow {
    let timers = Timers {
        media: Some(LIMIT),
        ..Timers::default()
    };
    StreamRow {
        key: KEY,
        a: a.row.clone(),
        b: b.row.clone(),
        timers,
    }
}

fn pair() -> Pair {
    let open = || Bind.open("127.0.0.1:0".parse().unwrap()).unwrap();
    Pair {
        rtp: open(),
        rtcp: open(),
    }
}

fn packet(sequence: u16) -> [u8; 172] {
    let mut packet = [0xd5; 172];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet[8..12].copy_from_slice(&[9, 9, 9, 9]);
    packet
}

fn heard(peer: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 2_048];
    let length = peer.recv(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

fn told(live: &mut Live, now: Instant) -> Vec<MediaEvent> {
    let mut events = Vec::new();
    live.watch(now, &mut |event| events.push(event));
    events
}

/// Marks a packet of media from a side at `now`, as the packet path does.
fn talks(live: &mut Live, side: StreamSide, now: Instant) {
    let side = live.side_mut(side);
    side.heard(now, 172);
    side.last_media = Some(now);
}

/// RFC 3550 §6.4, §6.2: a receiver report where nothing was sent, a sender report by
/// the source that is relayed, and both on hold.
#[test]
fn each_leg_gets_reports_of_ours_on_hold_too() {
    let (mut a, b, mut live) = lab();
    let clock = Clock::starting();
    a.row.sends = false;
    a.row.hears = false;
    live.change(row(&a, &b), secs(1));
    live.report(&clock, secs(2));
    assert_eq!(live.stats().a.rtcp_sent, 0);
    live.report(&clock, secs(3));
    for peer in [&a, &b] {
        let report = heard(&peer.rtcp).unwrap();
        assert_eq!((report[0], report[1]), (0x80, 201));
        assert_eq!(report[4..8], [5, 6, 7, 8]);
        assert!(Heard::parse(&report, None).is_ok());
    }
    let mut sent = live.stats().a.rtcp_sent;
    for now in 4..64 {
        live.report(&clock, secs(now));
    }
    sent = live.stats().a.rtcp_sent - sent;
    assert!((9..=16).contains(&sent), "{sent} reports in a minute");
}

#[test]
fn a_peer_that_hears_media_gets_sender_reports_of_it() {
    let (a, b, mut live) = lab();
    let clock = Clock::starting();
    let from = a.rtp.local_addr().unwrap();
    for sequence in 1..=3 {
        live.datagram(
            &clock,
            clock.now(),
            (StreamSide::A, Flow::Rtp),
            (from, &mut packet(sequence)),
        );
    }
    live.report(&clock, clock.now() + secs(3));
    let to_b = heard(&b.rtcp).unwrap();
    assert_eq!((to_b[0], to_b[1]), (0x80, 200));
    assert_eq!(to_b[4..8], [9, 9, 9, 9]);
    assert_eq!(to_b[20..28], [0, 0, 0, 3, 0, 0, 1, 224]);
    // Three seconds after the last packet the media clock is 24,000 ticks on.
    let stamp = u32::from_be_bytes([to_b[16], to_b[17], to_b[18], to_b[19]]);
    assert!((480 + 24_000..480 + 24_800).contains(&stamp), "{stamp}");
    let to_a = heard(&a.rtcp).unwrap();
    assert_eq!(
        (to_a[0], to_a[1], &to_a[8..12]),
        (0x81, 201, &[9, 9, 9, 9][..])
    );
    assert_eq!(to_a[12], 0);
}

/// RFC 3550 §6.4.1: the answer to our sender report gives the round trip.
#[test]
fn rtcp_of_a_peer_is_read_and_goes_no_further() {
    let (a, b, mut live) = lab();
    let clock = Clock::starting();
    let (rtp, rtcp) = (a.rtp.local_addr().unwrap(), b.rtcp.local_addr().unwrap());
    live.datagram(
        &clock,
        clock.now(),
        (StreamSide::A, Flow::Rtp),
        (rtp, &mut packet(1)),
    );
    live.report(&clock, secs(3));
    let ours = heard(&b.rtcp).unwrap();
    let mut answer = vec![0x81, 201, 0, 7, 1, 1, 1, 1, 9, 9, 9, 9, 64, 0, 0, 0];
    answer.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    answer.extend(&ours[10..14]);
    answer.extend([0, 0, 0, 0]);
    // The report carries a moment three seconds ahead; so does the answer's arrival.
    let late = Clock {
        unix: clock.unix + secs(3) + Duration::from_millis(250),
        ..clock
    };
    live.datagram(
        &late,
        late.now(),
        (StreamSide::B, Flow::Rtcp),
        (rtcp, &mut answer.clone()),
    );
    let stats = live.stats().b;
    assert_eq!((stats.rtcp_received, stats.reported_loss), (1, Some(64)));
    let trip = stats.round_trip.unwrap();
    assert!(
        trip >= Duration::from_millis(249) && trip < Duration::from_secs(2),
        "{trip:?}"
    );
    live.datagram(
        &clock,
        clock.now(),
        (StreamSide::B, Flow::Rtcp),
        (rtcp, &mut [0x80, 8, 0, 0]),
    );
    assert_eq!(live.stats().b.malformed, 1);
    a.rtcp.set_nonblocking(true).unwrap();
    let to_a = heard(&a.rtcp).unwrap();
    assert_eq!(to_a[1], 201, "our own report, and then nothing");
    assert!(heard(&a.rtcp).is_err());
}

#[test]
fn a_goodbye_ends_no_stream() {
    let (_, b, mut live) = lab();
    let clock = Clock::starting();
    let mut bye = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9];
    let from = b.rtcp.local_addr().unwrap();
    let told = live.datagram(
        &clock,
        clock.now(),
        (StreamSide::B, Flow::Rtcp),
        (from, &mut bye),
    );
    assert_eq!(told, None);
    assert_eq!(live.stats().b.rtcp_received, 1);
}

#[test]
fn a_side_that_falls_silent_is_told_once_until_it_speaks_again() {
    let (_, _, mut live) = lab();
    let silent = |side| MediaEvent::Silent { key: KEY, side };
    talks(&mut live, StreamSide::A, secs(59));
    talks(&mut live, StreamSide::B, secs(59));
    assert_eq!(told(&mut live, secs(118)), []);
    talks(&mut live, StreamSide::B, secs(118));
    live.one_way_told = true;
    assert_eq!(told(&mut live, secs(119)), [silent(StreamSide::A)]);
    assert_eq!(told(&mut live, secs(130)), []);
    talks(&mut live, StreamSide::A, secs(131));
    talks(&mut live, StreamSide::B, secs(190));
    assert_eq!(told(&mut live, secs(191)), [silent(StreamSide::A)]);
}

#[test]
fn rtcp_keeps_a_quiet_side_alive() {
    let (_, _, mut live) = lab();
    live.one_way_told = true;
    for now in 1..20 {
        live.a.heard(secs(now * 10), 0);
        talks(&mut live, StreamSide::B, secs(now * 10));
        assert_eq!(told(&mut live, secs(now * 10 + 1)), []);
    }
}

#[test]
fn silence_on_hold_or_before_the_answer_means_nothing() {
    let (mut a, b, mut live) = lab();
    a.row.hears = false;
    live.change(row(&a, &b), secs(1));
    assert_eq!(told(&mut live, secs(3_600)), []);
    a.row.hears = true;
    live.change(row(&a, &b), secs(4_000));
    assert_eq!(told(&mut live, secs(4_059)), []);
    assert_eq!(told(&mut live, secs(4_060)).len(), 2);
    let mut unwatched = row(&a, &b);
    unwatched.timers.media = None;
    let mut early = Live::new(unwatched, pair(), pair(), Instant::ZERO);
    assert_eq!(told(&mut early, secs(3_600)), []);
}

#[test]
fn one_way_audio_is_seen_from_either_end() {
    for missing in StreamSide::BOTH {
        let (_, _, mut live) = lab();
        for now in 0..5 {
            talks(&mut live, missing.other(), secs(now));
            assert_eq!(told(&mut live, secs(now)), []);
        }
        talks(&mut live, missing.other(), secs(5));
        assert_eq!(
            told(&mut live, secs(5)),
            [MediaEvent::OneWay { key: KEY, missing }]
        );
        assert_eq!(told(&mut live, secs(6)), []);
        assert_eq!(live.stats().one_way, Some(missing));
    }
}

/// RFC 2474 §3, RFC 3246: the class is set where every packet of the socket has it.
#[test]
fn packets_leave_with_the_class_of_the_row() {
    let socket: OwnedFd = Bind.open("127.0.0.1:0".parse().unwrap()).unwrap();
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket::mark(&socket, local.ip(), EXPEDITED).unwrap();
    assert_eq!(ip_tos(&socket).unwrap(), 0xb8);
}

/// RFC 3551 §4.1, RFC 3550 §5.1: a marker first; random beginnings; one packet each
/// 20 ms, and none made up for.
#[test]
fn a_tone_is_paced_and_never_catches_up_in_a_burst() {
    let (mut a, b, mut live) = lab();
    let tone = Tone::Ringing(Ringing::of("DE"));
    let after = Duration::from_millis(300);
    a.row.play = Some(Play {
        tone,
        codec: Codec::Pcma,
        number: 8,
        after,
    });
    a.row.identity = 0xabcd << 112 | 0x0102_0304 << 80 | 7;
    live.change(row(&a, &b), secs(1));
    let at = |millis| Duration::from_millis(millis);
    for now in [1_299, 1_300, 1_310, 1_320, 3_000, 3_001, 3_020, 3_040] {
        assert!(live.play(at(now)));
    }
    assert_eq!(live.stats().a.sent.packets, 5);
    let first = heard(&a.rtp).unwrap();
    assert_eq!(
        first[..12],
        [0x80, 0x88, 0xab, 0xcd, 1, 2, 3, 4, 0, 0, 0, 7]
    );
    let second = heard(&a.rtp).unwrap();
    assert_eq!(second[..8], [0x80, 8, 0xab, 0xce, 1, 2, 3, 4 + 160]);
}

#[test]
fn a_row_that_points_outside_its_networks_sends_and_takes_nothing() {
    let (mut a, b, mut live) = lab();
    let clock = Clock::starting();
    a.row.media_from.clear();
    live.change(row(&a, &b), secs(1));
    let (from_a, from_b) = (a.rtp.local_addr().unwrap(), b.rtp.local_addr().unwrap());
    live.datagram(
        &clock,
        clock.now(),
        (StreamSide::A, Flow::Rtp),
        (from_a, &mut packet(1)),
    );
    live.datagram(
        &clock,
        clock.now(),
        (StreamSide::B, Flow::Rtp),
        (from_b, &mut packet(1)),
    );
    live.report(&clock, secs(9));
    let stats = live.stats();
    assert_eq!((stats.a.unexpected_source, stats.a.rtcp_sent), (1, 0));
    assert_eq!(
        (stats.a.sent.packets, stats.b.muted, stats.b.rtcp_sent),
        (0, 1, 1)
    );
}
