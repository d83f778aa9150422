//! SIPp, a test tool of other people, on both sides of a node in a guest: behind the
//! tunnel in UDP and in TCP, and on the VLAN of the Mediation Server.

use std::net::Ipv4Addr;

use sbc_tests::kit::router::PROVIDERS;
use sbc_tests::kit::scenarios::{Caller, Kind, caller};
use sbc_tests::kit::sipp::{Hall, Outcome, Sipp};
use sbc_tests::kit::vswitch::Seen;
use sbc_tests::kit::vswitch::frame::{Carried, UDP, carried};

use crate::stage::{PATIENCE, Stage, folder};
use crate::tunnel::{FILE, INSIDE, ground_with_shipped, nothing_in_clear, serves, up};

/// Calls of each provider, one in two seconds: the emulated processors of the node and
/// of its peer carry ten at once and no more, and what they are late with at a call's
/// end is missing.
const CALLS: u64 = 20;
/// How long each speaks, and how many packets come of it at least.
const MILLIS: u32 = 3_000;
const PACKETS: u64 = 120;
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 20, 120, 2);
const MEDIATION: u16 = 120;

/// Returns how many packets of RTP came in on a VLAN from hosts that `is_theirs` knows.
fn spoken(stage: &Stage, vlan: u16, is_theirs: impl Fn(Ipv4Addr) -> bool) -> u64 {
    let is_rtp = |seen: &Seen| match carried(&seen.frame) {
        Carried::Ipv4(packet) => {
            let to = packet.ports.map_or(0, |(_, to)| to);
            let is_media = (20_000..20_200).contains(&to) && to % 2 == 0;
            packet.protocol == UDP && is_media && is_theirs(packet.from)
        }
        _ => false,
    };
    let seen = stage.switch.seen(vlan);
    seen.iter().filter(|seen| is_rtp(seen)).count() as u64
}

/// RFC 3261 §18, RFC 3550 §5.1, through GRE in ESP (RFC 4303).
#[test]
fn calls_of_sipp_through_the_tunnel_all_succeed_with_media_both_ways() {
    let name = "calls_of_sipp_through_the_tunnel_all_succeed_with_media_both_ways";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some((mut stage, mut peer)) = ground_with_shipped(name) else {
        return;
    };
    let folder = folder(name);
    let server = ("10.20.120.2:5068", true);
    let hall = Hall {
        net: &stage.net,
        folder: &folder,
    };
    // It is there before the node asks for it.
    let _server = Sipp::answers(hall, "med", server, &["-rtp_echo"]).unwrap();
    stage.run(FILE);
    up(&mut stage, &mut peer, 0);
    serves(&mut stage, "med");
    let hall = Hall {
        net: &stage.net,
        folder: &folder,
    };
    let calls = CALLS.to_string();
    let speaks = |place: &str, face: &str, tcp: bool, prefix: &str| {
        let here = folder.join(format!("{place}-speaks"));
        std::fs::create_dir_all(&here).unwrap();
        std::fs::write(here.join("tone.al"), [0x95; 8000]).unwrap();
        let node = "192.0.2.1:5060";
        let who = Caller {
            face,
            node,
            tcp,
            prefix,
        };
        let words = ["-m", &calls, "-r", "1", "-rp", "2000", "-mp", "8000", node];
        let scenario = caller(who, Kind::Spoken(MILLIS));
        Sipp::start(hall, place, "speaks", &scenario, (face, tcp), &words).unwrap()
    };
    let mut callers = [
        speaks("itsp-udp", "10.30.0.2:5070", false, "+496912340"),
        speaks("itsp-tcp", "10.30.0.3:5070", true, "+494012340"),
    ];
    for caller in &mut callers {
        let outcome = caller.finish(PATIENCE).unwrap();
        let all = Outcome {
            succeeded: CALLS,
            failed: 0,
        };
        assert_eq!(outcome, all, "{}", caller.errors());
    }
    let records = |text: &str| text.lines().count() as u64 == 2 * CALLS;
    let text = stage
        .node
        .until(PATIENCE, "cat /data/cdr.jsonl", records)
        .unwrap();
    let mut heard = [0; 2];
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        for (side, heard) in ["media_a", "media_b"].into_iter().zip(&mut heard) {
            let packets = record[side]["rx"].as_u64().unwrap();
            assert!(packets > PACKETS, "{packets} packets: {record}");
            *heard += packets;
            assert_eq!(record[side]["lost"], 0, "{record}");
            assert_eq!(record[side]["unexpected"], 0, "{record}");
        }
    }
    let said = [
        spoken(&stage, PROVIDERS, |from| from != INSIDE),
        spoken(&stage, MEDIATION, |from| from == SERVER),
    ];
    assert_eq!(heard, said, "packets of the providers and of the server");
    println!(
        "{} calls of SIPp, {said:?} packets, none missing",
        2 * CALLS
    );
    nothing_in_clear(&stage);
}
