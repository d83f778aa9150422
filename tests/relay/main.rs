//! No packet costs an allocation. Alone in its process, for it counts them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this whole target is a test, helpers included"
)]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use sbc_core::relay::{Bind, Clock, Relay};
use sbc_media::sdp::Network;
use sbc_media::stream::{
    Action, EXPEDITED, MediaPlane, Remote, RtcpMode, Rule, SideRow, Source, StreamKey, StreamRow,
    Timers,
};
use sbc_tests::all_allocations;

#[global_allocator]
static ALLOCATOR: sbc_tests::Counting = sbc_tests::Counting;

fn side(local: &str, peer: &UdpSocket, rules: [Rule; 2]) -> SideRow {
    let rtp = peer.local_addr().unwrap();
    let mut rtcp = rtp;
    rtcp.set_port(rtp.port() + 1);
    let loopback = Network {
        address: "127.0.0.0".parse().unwrap(),
        prefix: 8,
    };
    SideRow {
        local: local.parse().unwrap(),
        remote: Some(Remote {
            rtp,
            rtcp,
            muxed: false,
        }),
        source: Source::Signalled,
        media_from: [loopback].into_iter().collect(),
        rtcp: RtcpMode::default(),
        sends: true,
        hears: true,
        rules: rules.into_iter().collect(),
        identity: 1,
        tos: EXPEDITED,
        play: None,
    }
}

fn bound(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}

#[test]
fn a_packet_costs_no_allocation() {
    let (a, b) = (bound("127.8.0.2:30000"), bound("127.8.0.3:30000"));
    let foreign = bound("127.8.0.4:30000");
    let rule = |from, to, action| Rule { from, to, action };
    let (to_b, to_a): (SocketAddr, SocketAddr) = (
        "127.8.0.1:20000".parse().unwrap(),
        "127.8.0.1:20002".parse().unwrap(),
    );
    let row = StreamRow {
        key: StreamKey(1),
        a: side(
            "127.8.0.1:20000",
            &a,
            [rule(8, 0, Action::AToU), rule(101, 96, Action::Event)],
        ),
        b: side(
            "127.8.0.1:20002",
            &b,
            [rule(0, 8, Action::UToA), rule(96, 101, Action::Event)],
        ),
        timers: Timers::default(),
    };
    let mut relay = Relay::start(1, Clock::starting(), &Bind).unwrap();
    relay.program(&[row]);
    relay.read(&mut |_, _| {});
    let mut packet = [0x55; 172];
    let mut buffer = [0; 2_048];
    let mut pump = |count: u16, from: u16| {
        for sequence in from..from + count {
            packet[..4].copy_from_slice(&[0x80, 8, (sequence >> 8) as u8, sequence as u8]);
            a.send_to(&packet, to_b).unwrap();
            foreign.send_to(&packet, to_b).unwrap();
            b.recv_from(&mut buffer).unwrap();
            packet[1] = if sequence % 10 == 0 { 96 } else { 0 };
            b.send_to(&packet, to_a).unwrap();
            a.recv_from(&mut buffer).unwrap();
        }
    };
    pump(10, 0);
    // The test's own harness is a thread too and may take its turn in one window; what
    // a packet costs is in all of them.
    let windows = (0..5).map(|window| {
        let before = all_allocations();
        pump(1_000, 10 + window * 1_000);
        all_allocations() - before
    });
    assert_eq!(windows.min(), Some(0), "allocations for 3,000 packets");
}
