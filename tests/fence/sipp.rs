//! SIPp, a test tool of other people, on both sides of a node in a guest: behind the
//! tunnel in UDP and in TCP, and on the VLAN of the Mediation Server.

use sbc_tests::kit::scenarios::{Caller, Kind, caller};
use sbc_tests::kit::sipp::{Hall, Outcome, Sipp};

use crate::stage::{PATIENCE, folder};
use crate::tunnel::{FILE, ground_with_shipped, nothing_in_clear, up};

/// Calls of each provider, at two a second.
const CALLS: u64 = 20;
/// How long each speaks, and how many packets come of it at least: SIPp has a pace of
/// its own beside emulated machines, 40 a second instead of 50.
const MILLIS: u32 = 3_000;
const PACKETS: u64 = 75;

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
    stage.run(FILE);
    up(&mut stage, &mut peer, 0);
    let folder = folder(name);
    let hall = Hall {
        net: &stage.net,
        folder: &folder,
    };
    let server = ("10.20.120.2:5068", true);
    let _server = Sipp::answers(hall, "med", server, &["-rtp_echo"]).unwrap();
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
        let words = ["-m", &calls, "-r", "2", "-mp", "8000", node];
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
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        for side in ["media_a", "media_b"] {
            let packets = record[side]["rx"].as_u64().unwrap();
            assert!(packets > PACKETS, "{packets} packets: {record}");
            assert_eq!(record[side]["lost"], 0, "{record}");
            assert_eq!(record[side]["unexpected"], 0, "{record}");
        }
    }
    println!("{} calls of SIPp", 2 * CALLS);
    nothing_in_clear(&stage);
}
