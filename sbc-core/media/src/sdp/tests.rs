//! Offers as they are seen on trunks, and what becomes of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::parse::{BYTES, LINE, MEDIA};
use super::*;

/// A re-INVITE of a Lync 2013 Mediation Server with optional SRTP; keys shortened.
const LYNC_HOLD: &str = "v=0
o=- 34278 2 IN IP4 10.0.0.151
s=session
c=IN IP4 10.0.0.151
b=CT:1000
t=0 0
m=audio 51466 RTP/AVP 8 101
a=tcap:1 RTP/SAVP
a=pcfg:1 t=1
c=IN IP4 10.0.0.151
a=rtcp:51467
a=label:Audio
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^31|2:1
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:BBBB|2^31
a=inactive
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
";

/// A first offer of a Mediation Server, with the extensions it adds.
const LYNC_FIRST: &str = "v=0
o=- 7 0 IN IP4 10.0.0.151
s=session
c=IN IP4 10.0.0.151
b=CT:1000
t=0 0
m=audio 51466 RTP/AVP 0 8 101 13
a=x-bypassid:4E2BB1B1-37C6-4A4F-9F7B-0E1B0B3F0B1E
a=x-mediasettings:signalboostunsupported
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:13 CN/8000
a=ptime:20
";

const PLAIN: &str = "v=0
o=user 1 1 IN IP4 192.0.2.7
s=-
c=IN IP4 192.0.2.7
t=0 0
m=audio 4000 RTP/AVP 8 0 101
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
";

fn policy() -> Policy {
    let network = |text: &str, prefix| Network {
        address: text.parse().unwrap(),
        prefix,
    };
    Policy {
        codecs: [Codec::Pcma, Codec::Pcmu].into_iter().collect(),
        events: true,
        comfort_noise: true,
        hold: HoldFormat::Pass,
        srtp: Srtp::Off,
        reach: Reach {
            media_from: Vec::from([
                network("10.0.0.0", 24),
                network("192.0.2.0", 24),
                network("2001:db8::", 32),
            ]),
            own: Vec::from(["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]),
            loopback: false,
        },
    }
}

fn only(codec: Codec) -> Policy {
    Policy {
        codecs: [codec].into_iter().collect(),
        ..policy()
    }
}

fn own() -> Own {
    Own::new("192.0.2.1".parse().unwrap(), 20_000, 4_000)
}

fn offer(text: &str) -> Result<RemoteOffer, Refusal> {
    RemoteOffer::read(text.as_bytes(), &policy())
}

fn taken(text: &str) -> RemoteOffer {
    offer(text).unwrap()
}

/// The plain offer with one piece of text replaced.
fn plain_with(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    PLAIN.replace(from, to)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Another parser reads our text to the same audio section.
fn strictly(text: &str) -> sdp_types::Session {
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
    sdp_types::Session::parse(text.as_bytes()).unwrap()
}

mod reading {
    use super::*;

    /// RFC 3605 §2.1, RFC 4733 §2.4.1, RFC 5939 §3.6: the explicit RTCP port, the
    /// flash event, and a choice of SRTP that a peer without SRTP leaves alone.
    #[test]
    fn the_hold_of_a_mediation_server_is_read_whole() {
        let offer = taken(LYNC_HOLD);
        assert_eq!(offer.audio.rtp, at("10.0.0.151:51466"));
        assert_eq!(offer.audio.rtcp, at("10.0.0.151:51467"));
        assert_eq!(offer.audio.direction, Direction::Inactive);
        assert_eq!(offer.audio.payloads.codecs.as_slice(), [(Codec::Pcma, 8)]);
        assert_eq!(
            offer.audio.payloads.events,
            Some(Events {
                number: 101,
                flash: true
            })
        );
        assert_eq!(
            (offer.audio.payloads.comfort_noise, offer.audio.ptime_ms),
            (None, 20)
        );
    }

    #[test]
    fn a_first_offer_of_a_mediation_server_keeps_its_order_and_unknown_lines_vanish() {
        let offer = taken(LYNC_FIRST);
        let codecs = offer.audio.payloads.names();
        assert_eq!(codecs.as_slice(), [Codec::Pcmu, Codec::Pcma]);
        assert_eq!(offer.audio.payloads.comfort_noise, Some(13));
        let (text, _) = own().answer(&offer, &Choice::alone(&policy()));
        assert!(
            !text.contains("x-") && !text.contains("10.0.0.151"),
            "{text}"
        );
    }

    /// RFC 8866 §5: either line end, empty lines at the end, and no letter unknown.
    #[test]
    fn line_ends_are_forgiven_and_unknown_letters_are_not() {
        assert_eq!(taken(&PLAIN.replace('\n', "\r\n")), taken(PLAIN));
        assert_eq!(taken(PLAIN.trim_end()), taken(PLAIN));
        assert_eq!(taken(&format!("{PLAIN}\r\n\n")), taken(PLAIN));
        for bad in [
            "y=1\n",
            "A=x\n",
            "a x\n",
            "\na=x\n",
            " a=x\n",
            "a=\0\n",
            "a=\x1b[2J\n",
        ] {
            let text = format!("{PLAIN}{bad}");
            assert!(
                matches!(
                    offer(&text),
                    Err(Refusal::Malformed(Malformed::Line { .. }))
                ),
                "{bad:?}"
            );
        }
    }

    /// RFC 8866 §5.2: six fields, numeric id and version.
    #[test]
    fn a_description_without_a_whole_origin_is_refused() {
        let origin = Refusal::Malformed(Malformed::Origin);
        for bad in [
            "o=u 1 1 IN IP4",
            "o=u x 1 IN IP4 h",
            "o=u 1 -1 IN IP4 h",
            "o=u 1 1 XX IP4 h",
        ] {
            assert_eq!(
                offer(&plain_with("o=user 1 1 IN IP4 192.0.2.7", bad)),
                Err(origin.clone())
            );
        }
        assert_eq!(
            offer(&plain_with("o=user 1 1 IN IP4 192.0.2.7\n", "")),
            Err(origin)
        );
        assert_eq!(
            offer(&PLAIN.replace("v=0", "v=1")),
            Err(Malformed::Version.into())
        );
        assert_eq!(
            offer(&PLAIN.replace("v=0\n", "")),
            Err(Malformed::Version.into())
        );
        assert_eq!(offer(""), Err(Malformed::Version.into()));
    }

    /// RFC 8866 §5.14: a port is a number below 65536.
    #[test]
    fn a_port_that_is_none_never_becomes_a_pinhole() {
        for port in [
            "65536",
            "-1",
            "+4000",
            "4000/2",
            "4000/",
            "",
            "0x10",
            "99999999999999999999",
        ] {
            let text = plain_with("audio 4000", &format!("audio {port}"));
            let refusal = offer(&text).unwrap_err();
            assert_eq!(refusal, Malformed::Media { line: 6 }.into(), "{port}");
            assert_eq!(refusal.status(), 488);
        }
        assert_eq!(
            offer(&plain_with("audio 4000", "audio 0")),
            Err(Refusal::NoAudio)
        );
        assert!(offer(&plain_with("audio 4000", "audio 4000/1")).is_ok());
        assert_eq!(
            offer(&plain_with("audio 4000", "audio 65535")),
            Err(Refusal::NoRtcpPort)
        );
    }

    #[test]
    fn an_rtcp_line_is_right_or_the_offer_is_refused() {
        for bad in [
            "0",
            "65536",
            "x",
            "4001 IN IP4",
            "4001 IN IP4 host",
            "4001 IN IP4 10.0.0.2 x",
        ] {
            let text = format!("{PLAIN}a=rtcp:{bad}\n");
            assert_eq!(offer(&text), Err(Malformed::Rtcp.into()), "{bad}");
        }
        let elsewhere = taken(&format!("{PLAIN}a=rtcp:53020 IN IP4 10.0.0.9\n"));
        assert_eq!(elsewhere.audio.rtcp, at("10.0.0.9:53020"));
        let foreign = offer(&format!("{PLAIN}a=rtcp:53020 IN IP4 198.51.100.1\n"));
        assert_eq!(foreign.unwrap_err().status(), 403);
    }

    #[test]
    fn every_bound_is_met_exactly() {
        let sections = |count: usize| PLAIN.to_string() + &"m=video 0 RTP/AVP 31\n".repeat(count);
        assert!(offer(&sections(MEDIA - 1)).is_ok());
        assert_eq!(offer(&sections(MEDIA)), Err(Malformed::TooManyMedia.into()));
        assert_eq!(offer(&sections(300)), Err(Malformed::TooManyMedia.into()));
        let padded = |length: usize| format!("{PLAIN}a={}\n", "x".repeat(length - 2));
        assert!(offer(&padded(LINE)).is_ok());
        assert_eq!(
            offer(&padded(LINE + 1)),
            Err(Malformed::LineTooLong { line: 9 }.into())
        );
        let lines = |count: usize| PLAIN.to_string() + &"a=x\n".repeat(count - 8);
        assert!(offer(&lines(1_024)).is_ok());
        assert_eq!(offer(&lines(1_025)), Err(Malformed::TooManyLines.into()));
        let long = format!("{PLAIN}{}", "a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(520));
        assert_eq!(
            offer(&long),
            Err(Malformed::TooLong { bytes: long.len() }.into())
        );
        assert!(long.len() > BYTES);
    }

    /// RFC 8866 §6.6: encoding names know no case; RFC 3551 §6: static numbers need
    /// no map, and a map overrules them.
    #[test]
    fn payload_numbers_mean_what_the_maps_say() {
        let text = plain_with("8 0 101", "97 98 99 0")
            + "a=rtpmap:97 pcma/8000/1\na=rtpmap:98 TELEPHONE-EVENT/8000\na=rtpmap:99 cn/8000\n";
        let payloads = taken(&text).audio.payloads;
        assert_eq!(
            payloads.codecs.as_slice(),
            [(Codec::Pcma, 97), (Codec::Pcmu, 0)]
        );
        assert_eq!(
            payloads.events,
            Some(Events {
                number: 98,
                flash: false
            })
        );
        assert_eq!(payloads.comfort_noise, Some(99));
        for other in ["G722/8000", "PCMU/16000", "PCMU/8000/2", "PCMU"] {
            let text = plain_with("8 0 101", "0") + &format!("a=rtpmap:0 {other}\n");
            assert!(
                matches!(offer(&text), Err(Refusal::NoCommonCodec { .. })),
                "{other}"
            );
        }
    }

    #[test]
    fn the_flash_is_heard_in_any_list_of_events() {
        for (list, flash) in [("0-16", true), ("0-15,16", true), ("0-11,15-17", true)] {
            let text = plain_with("0-15", list);
            assert_eq!(
                taken(&text).audio.payloads.events.unwrap().flash,
                flash,
                "{list}"
            );
        }
        for list in ["0-15", "0-11", "", "16-", "a-b", "999-1000"] {
            let text = plain_with("0-15", list);
            assert!(!taken(&text).audio.payloads.events.unwrap().flash, "{list}");
        }
    }

    #[test]
    fn a_packet_time_that_g711_does_not_use_counts_as_20_ms() {
        for (said, ptime_ms) in [
            ("10", 10),
            ("30", 30),
            ("40", 40),
            ("60", 20),
            ("0", 20),
            ("x", 20),
        ] {
            let text = format!("{PLAIN}a=ptime:{said}\n");
            assert_eq!(taken(&text).audio.ptime_ms, ptime_ms);
        }
    }

    /// RFC 8866 §6.7: the section's own direction overrules the session's.
    #[test]
    fn direction_is_inherited_from_the_session() {
        let text = plain_with("t=0 0", "t=0 0\na=sendonly");
        assert_eq!(taken(&text).audio.direction, Direction::SendOnly);
        assert_eq!(
            taken(&(text + "a=recvonly\n")).audio.direction,
            Direction::RecvOnly
        );
    }

    #[test]
    fn both_address_families_are_read() {
        let text = PLAIN.replace("IP4 192.0.2.7", "IP6 2001:db8::7");
        assert_eq!(taken(&text).audio.rtp, at("[2001:db8::7]:4000"));
        for mixed in [
            "IP4 2001:db8::7",
            "IP6 192.0.2.7",
            "IP4 host.example",
            "IP4 192.0.2.7/24",
        ] {
            let text = plain_with("c=IN IP4 192.0.2.7", &format!("c=IN {mixed}"));
            assert_eq!(
                offer(&text),
                Err(Malformed::Connection { line: 4 }.into()),
                "{mixed}"
            );
        }
        assert_eq!(
            offer(&plain_with("c=IN IP4 192.0.2.7\n", "")),
            Err(Refusal::NoAddress)
        );
    }

    /// A wide sample of broken text: no input makes the reader fail in any way but
    /// by a refusal.
    #[test]
    fn every_cut_and_every_changed_byte_of_an_offer_is_survived() {
        for text in [LYNC_HOLD, LYNC_FIRST] {
            for place in 0..text.len() {
                let _ = RemoteOffer::read(&text.as_bytes()[..place], &policy());
                for byte in [0, b'\n', b' ', b'/', b':', b'9', 0xff] {
                    let mut bytes = Vec::from(text);
                    bytes[place] = byte;
                    let _ = RemoteOffer::read(&bytes, &policy());
                }
            }
        }
    }
}

mod refusing {
    use super::*;

    #[test]
    fn no_pinhole_opens_to_an_address_that_is_not_the_peers() {
        let with = |family: &str, address: &str| {
            let to = format!("c=IN {family} {address}");
            offer(&plain_with("c=IN IP4 192.0.2.7", &to)).unwrap_err()
        };
        let not_hosts = [
            ("IP4", "127.0.0.1"),
            ("IP4", "127.255.0.9"),
            ("IP4", "224.0.0.1/127"),
            ("IP4", "239.255.255.255"),
            ("IP4", "240.0.0.1"),
            ("IP4", "255.255.255.255"),
            ("IP4", "0.1.2.3"),
            ("IP6", "::1"),
            ("IP6", "ff02::1"),
            ("IP6", "fe80::1"),
            ("IP6", "::ffff:192.0.2.7"),
            ("IP6", "::192.0.2.7"),
        ];
        for (family, address) in not_hosts {
            let refusal = with(family, address);
            let host: IpAddr = address.split('/').next().unwrap().parse().unwrap();
            assert_eq!(refusal, Refusal::Address(Unreachable::NotAHost(host)));
            assert_eq!((refusal.status(), refusal.warning()), (488, 399));
        }
        for (family, address) in [("IP4", "192.0.2.1"), ("IP6", "2001:db8::1")] {
            let ourselves = Unreachable::Ourselves(address.parse().unwrap());
            assert_eq!(with(family, address), Refusal::Address(ourselves));
        }
        for (family, address) in [("IP4", "198.51.100.7"), ("IP6", "2001:db9::7")] {
            assert_eq!(with(family, address).status(), 403, "{address}");
        }
    }

    #[test]
    fn networks_hold_what_their_prefix_says() {
        let network = |text: &str, prefix| Network {
            address: text.parse().unwrap(),
            prefix,
        };
        let inside = |network: Network, text: &str| network.contains(text.parse().unwrap());
        assert!(inside(network("10.0.0.0", 29), "10.0.0.7"));
        assert!(!inside(network("10.0.0.0", 29), "10.0.0.8"));
        assert!(inside(network("10.0.0.9", 0), "203.0.113.1"));
        assert!(!inside(network("0.0.0.0", 0), "2001:db8::"));
        assert!(inside(network("2001:db8::", 127), "2001:db8::1"));
        assert!(!inside(network("2001:db8::", 127), "2001:db8::2"));
        assert!(inside(network("::", 0), "2001:db8::2"));
        assert!(inside(
            Network::host("10.0.0.1".parse().unwrap()),
            "10.0.0.1"
        ));
        assert!(!inside(
            Network::host("10.0.0.1".parse().unwrap()),
            "10.0.0.0"
        ));
    }

    #[test]
    fn loopback_passes_only_where_a_lab_admits_it() {
        let text = PLAIN.replace("192.0.2.7", "127.0.0.7");
        let mut lab = policy();
        lab.reach.loopback = true;
        lab.reach
            .media_from
            .push(Network::host("127.0.0.7".parse().unwrap()));
        assert!(RemoteOffer::read(text.as_bytes(), &lab).is_ok());
    }

    /// RFC 3261 §21.4.26, §20.43: 488 with a warning that names what is missing.
    #[test]
    fn the_refusal_names_the_codec_that_is_missing() {
        let text = plain_with("8 0 101", "18 4 9 101");
        let refusal = offer(&text).unwrap_err();
        assert_eq!((refusal.status(), refusal.warning()), (488, 305));
        assert_eq!(refusal.to_string(), "no common codec: PCMA or PCMU missing");
        let text = plain_with("8 0 101", "0 101");
        let refusal = RemoteOffer::read(text.as_bytes(), &only(Codec::Pcma)).unwrap_err();
        assert_eq!(refusal.to_string(), "no common codec: PCMA missing");
    }

    #[test]
    fn fax_video_and_encryption_are_refused_by_name() {
        let fax = plain_with("m=audio 4000 RTP/AVP 8 0 101", "m=image 4000 udptl t38");
        assert_eq!(offer(&fax), Err(Refusal::T38));
        let both_off = fax.clone() + "m=audio 0 RTP/AVP 8\n";
        assert_eq!(offer(&both_off), Err(Refusal::T38));
        let video = plain_with("m=audio 4000 RTP/AVP 8 0 101", "m=video 4000 RTP/AVP 31");
        assert_eq!(offer(&video), Err(Refusal::NoAudio));
        for (profile, refusal) in [
            ("RTP/SAVP", Refusal::SrtpOff),
            ("RTP/SAVPF", Refusal::SrtpOff),
            ("RTP/AVPF", Refusal::Profile),
            ("UDP/TLS/RTP/SAVPF", Refusal::Profile),
            ("TCP/RTP/AVP", Refusal::Profile),
        ] {
            assert_eq!(
                offer(&plain_with("RTP/AVP", profile)),
                Err(refusal),
                "{profile}"
            );
        }
    }

    #[test]
    fn a_second_audio_section_serves_when_the_first_cannot() {
        let text = plain_with(
            "m=audio 4000 RTP/AVP 8 0 101",
            "m=audio 4002 RTP/SAVP 8\na=crypto:1 x inline:y\nm=audio 4000 RTP/AVP 8 0 101",
        );
        let offer = taken(&text);
        assert_eq!((offer.place, offer.audio.rtp.port()), (1, 4000));
        let (answer, _) = own().answer(&offer, &Choice::alone(&policy()));
        assert!(answer.contains("m=audio 0 RTP/SAVP 8\r\nm=audio 20000 RTP/AVP 8 101\r\n"));
    }
}

mod answering {
    use super::*;

    /// RFC 8866 §5, RFC 3264 §6: every byte of the answer is ours.
    #[test]
    fn the_answer_to_a_plain_offer_is_this_text() {
        let (text, agreed) = own().answer(&taken(PLAIN), &Choice::alone(&policy()));
        let wanted = "v=0\r\no=- 1000 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                      m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
                      a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n\
                      a=rtcp:20001\r\na=sendrecv\r\n";
        assert_eq!(text, wanted);
        assert_eq!(
            (agreed.codec, agreed.direction),
            (Codec::Pcma, Direction::SendRecv)
        );
        assert_eq!(
            (agreed.rtp, agreed.rtcp),
            (at("192.0.2.7:4000"), at("192.0.2.7:4001"))
        );
    }

    #[test]
    fn the_answer_follows_the_far_legs_codec_if_it_is_offered() {
        let (_, far) = own().answer(&taken(LYNC_FIRST), &Choice::alone(&policy()));
        assert_eq!(far.codec, Codec::Pcmu);
        let choice = Choice::after(&far, Direction::SendRecv);
        let (_, agreed) = own().answer(&taken(PLAIN), &choice);
        assert_eq!(agreed.codec, Codec::Pcmu);
        let a_only = taken(&plain_with("8 0 101", "8 101"));
        let (_, agreed) = own().answer(&a_only, &choice);
        assert_eq!(agreed.codec, Codec::Pcma);
    }

    #[test]
    fn events_and_noise_are_answered_only_if_the_far_leg_has_them() {
        let without = taken(&plain_with("8 0 101", "8"));
        let (_, far) = own().answer(&without, &Choice::alone(&policy()));
        let choice = Choice::after(&far, Direction::SendRecv);
        let (text, agreed) = own().answer(&taken(LYNC_FIRST), &choice);
        assert!(!text.contains("telephone-event") && !text.contains("CN/8000"));
        assert_eq!(
            (agreed.to_peer.events, agreed.to_peer.comfort_noise),
            (None, None)
        );
        let (text, _) = own().answer(&taken(LYNC_FIRST), &Choice::alone(&policy()));
        assert!(text.contains("m=audio 20000 RTP/AVP 0 101 13\r\n"));
        assert!(text.contains("a=fmtp:101 0-16\r\na=rtpmap:13 CN/8000\r\n"));
    }

    #[test]
    fn a_peer_without_comfort_noise_or_events_by_policy_hears_of_neither() {
        let quiet = Policy {
            comfort_noise: false,
            events: false,
            ..policy()
        };
        let offer = RemoteOffer::read(LYNC_FIRST.as_bytes(), &quiet).unwrap();
        let (text, _) = own().answer(&offer, &Choice::alone(&policy()));
        assert!(text.contains("m=audio 20000 RTP/AVP 0\r\n"));
    }

    /// RFC 3264 §6, §8.2: every section of the offer has its place in the answer, and
    /// in every later offer of ours.
    #[test]
    fn other_sections_stay_in_place_with_port_0() {
        let text = plain_with("m=audio", "m=video 5000 RTP/AVP 31 34\nm=audio")
            + "m=application 6000 UDP/BFCP *\n";
        let mut own = own();
        let (answer, _) = own.answer(&taken(&text), &Choice::alone(&policy()));
        let lines: Vec<_> = answer
            .lines()
            .filter(|line| line.starts_with("m="))
            .collect();
        let wanted = [
            "m=video 0 RTP/AVP 31",
            "m=audio 20000 RTP/AVP 8 101",
            "m=application 0 UDP/BFCP *",
        ];
        assert_eq!(lines, wanted);
        let later = own.offer(&Wish::alone(&policy()));
        assert_eq!(strictly(&later).medias.len(), 3);
        assert_eq!(strictly(&later).medias[1].port, 20_000);
    }

    /// RFC 5761 §5.1.1: one port for both only if the peer offers it.
    #[test]
    fn multiplexing_is_answered_and_never_offered() {
        let mut own = own();
        let (text, agreed) = own.answer(
            &taken(&format!("{PLAIN}a=rtcp-mux\n")),
            &Choice::alone(&policy()),
        );
        assert!(text.contains("a=rtcp:20000\r\na=rtcp-mux\r\n"));
        assert_eq!((agreed.rtcp_mux, agreed.rtcp), (true, at("192.0.2.7:4000")));
        assert!(!own.offer(&Wish::alone(&policy())).contains("mux"));
    }

    /// RFC 3264 §8: the version grows by one with each change and stays with none.
    #[test]
    fn the_version_grows_only_when_the_text_changes() {
        let (mut own, offer) = (own(), taken(PLAIN));
        let choice = Choice::alone(&policy());
        let (first, _) = own.answer(&offer, &choice);
        assert_eq!(own.answer(&offer, &choice).0, first);
        assert_eq!(own.again().as_deref(), Some(first.as_str()));
        let hold = taken(&format!("{PLAIN}a=sendonly\n"));
        let (held, agreed) = own.answer(&hold, &choice);
        assert_eq!(
            held,
            first
                .replace(" 1 IN", " 2 IN")
                .replace("sendrecv", "recvonly")
        );
        assert_eq!(agreed.direction, Direction::SendOnly);
        let (resumed, _) = own.answer(&offer, &choice);
        assert_eq!(resumed, first.replace(" 1 IN", " 3 IN"));
    }

    /// RFC 4028 §7.4: a refresh repeats the description; anything else is a change.
    #[test]
    fn only_an_unchanged_offer_is_a_refresh() {
        let before = taken(PLAIN);
        assert!(taken(PLAIN).refreshes(&before));
        assert!(taken(&plain_with("s=-", "s=other")).refreshes(&before));
        for (from, to) in [
            ("4000", "4002"),
            ("8 0 101", "0 8 101"),
            ("c=IN IP4 192.0.2.7", "c=IN IP4 192.0.2.8"),
        ] {
            assert!(!taken(&plain_with(from, to)).refreshes(&before), "{to}");
        }
        assert!(!taken(&format!("{PLAIN}a=sendonly\n")).refreshes(&before));
    }
}

mod offering {
    use super::*;

    /// RFC 3389 §4: comfort noise has the static number 13.
    #[test]
    fn the_first_offer_leads_with_what_the_other_leg_has() {
        let far = taken(LYNC_FIRST).audio;
        let text = own().offer(&Wish::first(&far, &policy()));
        assert!(
            text.contains("m=audio 20000 RTP/AVP 0 8 101 13\r\n"),
            "{text}"
        );
        let text = own().offer(&Wish::first(&far, &only(Codec::Pcma)));
        assert!(
            text.contains("m=audio 20000 RTP/AVP 8 101 13\r\n"),
            "{text}"
        );
        let a_only = taken(LYNC_HOLD).audio;
        let text = own().offer(&Wish::first(&a_only, &policy()));
        assert!(text.contains("m=audio 20000 RTP/AVP 8 0 101\r\n"), "{text}");
    }

    /// RFC 3264 §8.3.2: a payload number keeps its meaning through the session.
    #[test]
    fn the_number_of_events_stays_that_of_the_leg() {
        let mut own = own();
        let theirs = taken(&PLAIN.replace("101", "96"));
        own.answer(&theirs, &Choice::alone(&policy()));
        let text = own.offer(&Wish::first(&taken(LYNC_FIRST).audio, &policy()));
        assert!(
            text.contains("a=rtpmap:96 telephone-event/8000\r\n"),
            "{text}"
        );
        assert!(!text.contains("101"), "{text}");
    }

    /// A call that begins on hold is offered open: a Mediation Server refuses hold in
    /// a first INVITE.
    #[test]
    fn a_first_offer_on_hold_is_made_active() {
        for hold in ["a=sendonly\n", "a=inactive\n"] {
            let offer = taken(&format!("{PLAIN}{hold}"));
            let text = own().offer(&Wish::first(&offer.audio, &policy()));
            assert!(text.contains("a=sendrecv\r\n") && text.contains("c=IN IP4 192.0.2.1\r\n"));
        }
        let zero = taken(&plain_with("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0"));
        let text = own().offer(&Wish::first(&zero.audio, &policy()));
        assert!(text.contains("a=sendrecv\r\n") && !text.contains("0.0.0.0"));
        let (text, agreed) = own().answer(&zero, &Choice::alone(&policy()));
        assert!(text.contains("a=recvonly\r\n"));
        assert!(agreed.zero_address && !agreed.direction.receives());
    }

    /// RFC 3264 §8.4, RFC 6337 §5.3: hold in each form, said in each form.
    #[test]
    fn hold_is_said_to_each_peer_in_its_own_form() {
        let zero = taken(&plain_with("c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0")).audio;
        let sendonly = taken(&format!("{PLAIN}a=sendonly\n")).audio;
        let inactive = taken(&format!("{PLAIN}a=inactive\n")).audio;
        let said = |hold, far: &RemoteAudio| {
            let wish = Wish::later(far, &Policy { hold, ..policy() })?;
            let text = own().offer(&wish);
            let direction = text.lines().last().unwrap().to_string();
            Some((direction, text.contains("c=IN IP4 0.0.0.0")))
        };
        let told = |direction: &str, zero| Some((format!("a={direction}"), zero));
        for far in [&zero, &sendonly, &inactive] {
            assert_eq!(said(HoldFormat::Absorb, far), None);
            assert_eq!(said(HoldFormat::Inactive, far), told("inactive", false));
            assert_eq!(said(HoldFormat::SendOnly, far), told("sendonly", false));
        }
        assert_eq!(said(HoldFormat::Pass, &zero), told("sendonly", true));
        assert_eq!(said(HoldFormat::Pass, &sendonly), told("sendonly", false));
        assert_eq!(said(HoldFormat::Pass, &inactive), told("inactive", false));
        assert_eq!(
            said(HoldFormat::ZeroAddress, &inactive),
            told("inactive", true)
        );
        let open = taken(PLAIN).audio;
        assert_eq!(said(HoldFormat::Absorb, &open), told("sendrecv", false));
    }

    /// RFC 3264 §7: what the answer leaves of the offer, by the numbers of both.
    #[test]
    fn the_answer_of_a_peer_is_agreed_in_its_numbers_and_ours() {
        let mut own = own();
        own.offer(&Wish::alone(&policy()));
        let text = PLAIN.replace("101", "96") + "a=sendonly\n";
        let answer = RemoteAnswer::read(text.as_bytes(), &own, &policy()).unwrap();
        let agreed = own.accept(&answer);
        assert_eq!(agreed.codec, Codec::Pcma);
        assert_eq!(agreed.to_peer.events.unwrap().number, 96);
        assert_eq!(agreed.from_peer.events.unwrap().number, 101);
        assert_eq!(
            (agreed.to_peer.comfort_noise, agreed.from_peer.comfort_noise),
            (None, None)
        );
        assert_eq!(agreed.direction, Direction::SendOnly);
    }

    /// RFC 3264 §6.1: an answer may not widen what was offered.
    #[test]
    fn an_answer_that_says_more_than_the_offer_is_cut_down() {
        let mut own = own();
        let held = taken(&format!("{PLAIN}a=inactive\n")).audio;
        own.offer(&Wish::later(&held, &policy()).unwrap());
        let answer = RemoteAnswer::read(PLAIN.as_bytes(), &own, &policy()).unwrap();
        assert_eq!(own.accept(&answer).direction, Direction::Inactive);
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        let mut own = own();
        own.offer(&Wish::first(&taken(LYNC_HOLD).audio, &only(Codec::Pcma)));
        let read = |text: &str| RemoteAnswer::read(text.as_bytes(), &own, &policy());
        assert_eq!(
            read(&plain_with("audio 4000", "audio 0")),
            Err(Refusal::Declined)
        );
        assert_eq!(
            read(&format!("{PLAIN}m=video 0 RTP/AVP 31\n")),
            Err(Malformed::Shape.into())
        );
        let none = plain_with("m=audio 4000 RTP/AVP 8 0 101\n", "");
        assert_eq!(read(&none), Err(Malformed::Shape.into()));
        let other = plain_with("8 0 101", "0 101");
        assert!(matches!(read(&other), Err(Refusal::NoCommonCodec { .. })));
        assert!(matches!(
            read(&plain_with("RTP/AVP", "RTP/SAVP")),
            Err(Refusal::SrtpOff)
        ));
        assert!(read(PLAIN).is_ok());
    }

    /// RFC 3261 §18.1.1: small enough that an INVITE with it stays a datagram.
    #[test]
    fn the_canonical_description_is_small_and_reads_the_same_elsewhere() {
        let address = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap();
        let mut own = Own::new(address, 65_534, u64::MAX);
        let text = own.offer(&Wish::alone(&policy()));
        assert!(text.len() <= 600, "{}", text.len());
        let session = strictly(&text);
        assert_eq!(session.origin.sess_id, (u64::MAX >> 2).to_string());
        assert_eq!(
            session.connection.unwrap().connection_address,
            address.to_string()
        );
        assert_eq!(
            (session.medias[0].port, session.medias[0].fmt.as_str()),
            (65_534, "8 0 101 13")
        );
        assert_eq!(
            session.medias[0].get_first_attribute_value("rtcp").unwrap(),
            Some("65535")
        );
    }

    #[test]
    fn a_leg_survives_being_written_down() {
        let mut own = own();
        let (text, agreed) = own.answer(&taken(LYNC_FIRST), &Choice::alone(&policy()));
        let bytes = postcard::to_allocvec(&(&own, &agreed)).unwrap();
        assert!(bytes.len() < 200, "{}", bytes.len());
        let (back, again): (Own, Agreed) = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((back.again(), again), (Some(text), agreed));
    }
}

proptest! {
    /// Whatever is accepted is answered with text that another parser reads, that
    /// this one reads, and in which no token is the peer's but those of its sections.
    #[test]
    fn whatever_is_accepted_is_answered_well(
        head in "v=0\no=- [0-9]{1,3} 1 IN IP[46] [a-z.]{1,9}\n(s=[a-z]?\n)?",
        connection in "c=IN IP4 192\\.0\\.2\\.[2-9][0-9]?\n",
        media in proptest::collection::vec(
            "m=(audio|video|image) (0|4[0-9]{3}) (RTP/AVP|udptl) (0|8|13|18|9[6-9])( (0|8|101)){0,3}\n\
             (a=(sendonly|inactive|recvonly|rtcp:4[0-9]{3}|ptime:[0-9]{2}|rtcp-mux|x:[a-z]{0,5}|rtpmap:9[6-9] PCM[AU]/8000)\n){0,4}",
            0..5,
        ),
    ) {
        let text = head + &connection + &media.concat();
        let Ok(offer) = RemoteOffer::read(text.as_bytes(), &policy()) else {
            return Ok(());
        };
        let (answer, agreed) = own().answer(&offer, &Choice::alone(&policy()));
        let session = strictly(&answer);
        prop_assert_eq!(session.medias.len(), offer.slots.len());
        prop_assert_eq!(agreed.to_peer.number(agreed.codec).is_some(), true);
        let mut mirror = policy();
        mirror.reach.own.clear();
        let back = RemoteOffer::read(answer.as_bytes(), &mirror).unwrap();
        prop_assert_eq!(back.audio.direction, offer.audio.direction.mirror());
        prop_assert_eq!(back.audio.rtcp_mux, offer.audio.rtcp_mux);
    }

    #[test]
    fn no_bytes_at_all_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = RemoteOffer::read(&bytes, &policy());
        let mut text = Vec::from(PLAIN.as_bytes());
        text.extend(bytes);
        let _ = RemoteOffer::read(&text, &policy());
    }
}
