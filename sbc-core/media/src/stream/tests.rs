//! Rows made from what two legs agreed on.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::sdp::{Choice, Codec, HoldFormat, Policy, Reach, RemoteOffer, Srtp};

fn policy() -> Policy {
    let everywhere = Network {
        address: "0.0.0.0".parse().unwrap(),
        prefix: 0,
    };
    Policy {
        codecs: [Codec::Pcma, Codec::Pcmu].into_iter().collect(),
        events: true,
        comfort_noise: true,
        hold: HoldFormat::Pass,
        srtp: Srtp::Off,
        reach: Reach {
            media_from: Vec::from([everywhere]),
            own: Vec::new(),
            loopback: false,
        },
    }
}

/// One leg whose peer at 192.0.2.`host` offers `formats`, with the given attributes.
fn leg(host: u8, formats: &str, attributes: &str) -> (Own, Agreed) {
    let text = format!(
        "v=0\no=- 1 1 IN IP4 192.0.2.{host}\nc=IN IP4 192.0.2.{host}\n\
         m=audio 4000 RTP/AVP {formats}\na=rtpmap:96 telephone-event/8000\n\
         a=rtpmap:101 telephone-event/8000\n{attributes}"
    );
    let offer = RemoteOffer::read(text.as_bytes(), &policy()).unwrap();
    let mut own = Own::new("198.51.100.1".parse().unwrap(), 20_000, 1);
    let (_, agreed) = own.answer(&offer, &Choice::alone(&policy()));
    (own, agreed)
}

fn side<'a>(own: &'a Own, agreed: Option<&'a Agreed>) -> Leg<'a> {
    let (source, rtcp) = (Source::Signalled, RtcpMode::default());
    Leg {
        own,
        agreed,
        source,
        media_from: &[],
        rtcp,
        identity: 7,
        tos: EXPEDITED,
    }
}

fn between(a: &(Own, Agreed), b: &(Own, Agreed)) -> StreamRow {
    let (a, b) = (side(&a.0, Some(&a.1)), side(&b.0, Some(&b.1)));
    StreamRow::between(StreamKey(1), &a, &b, Timers::default())
}

fn shown(rules: &Rules) -> String {
    rules
        .iter()
        .map(|rule| format!("{}>{} {:?}; ", rule.from, rule.to, rule.action))
        .collect()
}

#[test]
fn payload_numbers_are_mapped_and_laws_converted_only_if_they_differ() {
    let (a, u) = (leg(1, "8 101 13", ""), leg(2, "0 96 13", ""));
    let row = between(&a, &u);
    assert_eq!(shown(&row.a.rules), "8>0 AToU; 101>96 Event; 13>13 Pass; ");
    assert_eq!(shown(&row.b.rules), "0>8 UToA; 96>101 Event; 13>13 Pass; ");
    let row = between(&a, &leg(3, "8", ""));
    assert_eq!(shown(&row.a.rules), "8>8 Pass; ");
    assert_eq!(shown(&row.b.rules), "8>8 Pass; ");
}

#[test]
fn nothing_passes_before_both_legs_have_agreed() {
    let (own, agreed) = leg(1, "8 101", "");
    let (a, b) = (side(&own, Some(&agreed)), side(&own, None));
    let row = StreamRow::between(StreamKey(1), &a, &b, Timers::default());
    assert!(row.a.rules.is_empty() && row.b.rules.is_empty());
    assert_eq!(
        (row.b.remote, row.b.sends, row.b.hears),
        (None, false, false)
    );
    assert!(row.a.remote.is_some() && !row.is_two_way());
}

/// RFC 3264 §8.4: who holds is not sent to; a zero address is no address.
#[test]
fn hold_closes_one_direction_and_a_zero_address_both() {
    let open = leg(1, "8", "");
    assert!(between(&open, &open).is_two_way());
    let flags = |attributes: &str| {
        let row = between(&leg(2, "8", attributes), &open);
        assert!(!row.is_two_way());
        (row.a.sends, row.a.hears, row.a.remote.is_some())
    };
    assert_eq!(flags("a=sendonly\n"), (true, false, true));
    assert_eq!(flags("a=recvonly\n"), (false, true, true));
    assert_eq!(flags("a=inactive\n"), (false, false, true));
    assert_eq!(flags("c=IN IP4 0.0.0.0\n"), (true, false, false));
    assert_eq!(leg(2, "8", "a=sendonly\n").1.direction, Direction::SendOnly);
}

#[test]
fn a_source_is_the_signalled_one_or_one_of_the_named_networks() {
    let (own, agreed) = leg(1, "8", "");
    let networks = [Network {
        address: "192.0.2.0".parse().unwrap(),
        prefix: 28,
    }];
    let row = |source| {
        let leg = Leg {
            source,
            media_from: &networks,
            ..side(&own, Some(&agreed))
        };
        StreamRow::between(StreamKey(1), &leg, &leg, Timers::default()).a
    };
    let admits = |row: &SideRow, source: &str| {
        row.admits(source.parse().unwrap(), "192.0.2.1:4000".parse().unwrap())
    };
    let strict = row(Source::Signalled);
    assert!(admits(&strict, "192.0.2.1:4000"));
    assert!(!admits(&strict, "192.0.2.1:4002") && !admits(&strict, "192.0.2.2:4000"));
    let subnet = row(Source::Subnet);
    assert!(admits(&subnet, "192.0.2.1:4002") && admits(&subnet, "192.0.2.15:9"));
    assert!(!admits(&subnet, "192.0.2.16:4000"));
}

/// RFC 7022 §4.2: 96 random bits, apart from those of the source id.
#[test]
fn the_name_in_reports_is_random_and_printable() {
    let (own, agreed) = leg(1, "8", "");
    let row = |identity| {
        let leg = Leg {
            identity,
            ..side(&own, Some(&agreed))
        };
        StreamRow::between(StreamKey(1), &leg, &leg, Timers::default()).a
    };
    assert_eq!(&row(0xffff_ffff).name(), b"AAAAAAAAAAAAAAAA");
    assert_eq!(row(0xffff_ffff).ssrc(), u32::MAX);
    assert_eq!(&row(u128::MAX).name(), b"////////////////");
    assert_eq!(
        &row(1 << 32 | 2 << 38 | 63 << 122).name(),
        b"BCAAAAAAAAAAAAA/"
    );
}

#[test]
fn a_row_and_its_numbers_cross_between_processes() {
    let row = between(&leg(1, "8 101 13", ""), &leg(2, "0 101", ""));
    let bytes = postcard::to_allocvec(&row).unwrap();
    assert!(bytes.len() < 250, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<StreamRow>(&bytes).unwrap(), row);
    let event = MediaEvent::Ended {
        key: row.key,
        stats: alloc::boxed::Box::default(),
    };
    let bytes = postcard::to_allocvec(&event).unwrap();
    assert_eq!(postcard::from_bytes::<MediaEvent>(&bytes).unwrap(), event);
}

#[test]
fn loss_for_the_listener_is_what_is_lost_or_late() {
    let received = Received {
        packets: 96,
        lost: 4,
        late: 1,
        duplicate: 0,
        ..Received::default()
    };
    assert!((received.loss_percent() - 5.0).abs() < 1e-9);
    let round_trip = Some(Duration::from_millis(100));
    assert!((received.mos(round_trip).unwrap() - 3.87).abs() < 0.006);
    assert_eq!(Received::default().mos(None), None);
}

#[test]
fn a_row_with_more_networks_than_a_peer_may_have_is_not_read() {
    let (own, agreed) = leg(1, "8", "");
    let side = side(&own, Some(&agreed));
    let mut row = StreamRow::between(StreamKey(1), &side, &side, Timers::default());
    let network = Network {
        address: "192.0.2.0".parse().unwrap(),
        prefix: 28,
    };
    let read = |row: &StreamRow| {
        let octets = postcard::to_allocvec(row).unwrap();
        postcard::from_bytes::<StreamRow>(&octets)
    };
    row.a.media_from = [network].repeat(NETWORKS);
    assert_eq!(read(&row).unwrap(), row);
    row.a.media_from.push(network);
    assert!(read(&row).is_err());
}
