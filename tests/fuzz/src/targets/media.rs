//! Descriptions and packets of a peer's media, and what they may never lead to.

use sbc_media::rtp::events::{Event, Tracker};
use sbc_media::rtp::rtcp::Heard;
use sbc_media::rtp::{Header, Reception};
use sbc_media::sdp::{
    Choice, Codec, HoldFormat, Network, Own, Policy, Reach, RemoteAnswer, RemoteOffer, Srtp, Wish,
};
use std::time::Duration;

/// An offer is refused, or its answer and the offer to the other leg read back, and
/// no address is accepted that is not the peer's.
pub fn sdp(octets: &[u8]) {
    let policy = policy();
    let mut own = Own::new([192, 0, 2, 1].into(), 20_000, 1);
    let Ok(offer) = RemoteOffer::read(octets, &policy) else {
        return;
    };
    let audio = &offer.audio;
    for at in [audio.rtp, audio.rtcp] {
        let inside = policy.reach.check(at.ip()).is_ok() || at.ip().is_unspecified();
        assert!(inside && at.port() != 0, "media to {at}");
    }
    let (answer, agreed) = own.answer(&offer, &Choice::alone(&policy));
    assert!(agreed.to_peer.number(agreed.codec).is_some());
    reads(&answer);
    assert_eq!(own.answer(&offer, &Choice::alone(&policy)).0, answer);
    let wish = Wish::later(audio, &policy).unwrap_or_else(|| Wish::first(audio, &policy));
    reads(&own.offer(&wish));
    if let Ok(answer) = RemoteAnswer::read(octets, &own, &policy) {
        assert!(!own.accept(&answer).to_peer.codecs.is_empty());
    }
}

/// A packet is refused, or its payload lies inside it; any run of packets is counted.
pub fn rtp(octets: &[u8]) {
    let (mut reception, mut tracker) = (Reception::default(), Tracker::default());
    let mut now = Duration::ZERO;
    for packet in octets.chunks(24) {
        now += Duration::from_millis(packet.len() as u64);
        let _ = Heard::parse(packet, Some(1));
        let Ok(header) = Header::parse(packet) else {
            continue;
        };
        let payload = &packet[header.payload.clone()];
        if let Some(event) = tracker.begins(header.timestamp, payload) {
            let volume = event.volume;
            assert_eq!(
                Event::parse(&event.bytes()).map(|event| event.volume),
                Some(volume)
            );
        }
        let place = (header.ssrc & 1, header.sequence, header.timestamp);
        reception.observe(now, place, true, Duration::from_millis(60));
        let _ = reception.interval();
    }
    let counted = reception.reordered() + reception.duplicate() + reception.late();
    assert!(counted <= 2 * reception.packets());
}

/// A compound packet of any length is read or refused.
pub fn rtcp(octets: &[u8]) {
    if let Ok(heard) = Heard::parse(octets, Some(0x0909_0909)) {
        assert!(octets.len() >= 8 || heard == Heard::default());
    }
}

/// What this node writes, its own strict reader takes for what was meant.
fn reads(text: &str) {
    let mut mirror = policy();
    mirror.reach.own.clear();
    let back = RemoteOffer::read(text.as_bytes(), &mirror);
    assert!(
        back.is_ok_and(|back| back.audio.rtp.port() == 20_000),
        "{text}"
    );
}

fn policy() -> Policy {
    let network = Network {
        address: [192, 0, 2, 0].into(),
        prefix: 24,
    };
    Policy {
        codecs: [Codec::Pcma, Codec::Pcmu].into_iter().collect(),
        events: true,
        comfort_noise: true,
        hold: HoldFormat::Pass,
        srtp: Srtp::Off,
        reach: Reach {
            media_from: vec![network],
            own: vec![[192, 0, 2, 1].into()],
            loopback: false,
        },
    }
}
