//! SIPp, a test tool of other people, on both sides of a node in a guest: its calls
//! cross a VLAN and the tunnel, with media.

use std::time::{Duration, Instant};

use sbc_tests::kit::scenarios::{Caller, Kind, caller};
use sbc_tests::kit::sipp::{Outcome, Sipp};
use serde_json::Value;

use crate::stage::{PATIENCE, Stage};
use crate::tunnel::{FILE, ground, nothing_in_clear, up};

/// The node as its Mediation Server and its providers see it.
const TO_SERVER: &str = "10.20.120.1:5066";
const TO_CARRIERS: &str = "192.0.2.1:5060";

/// How many calls each of the four callers places, and how many a second: what an
/// emulated machine carries with media in ESP.
const CALLS: u64 = 25;
const RATE: &str = "1";

/// How long a call with media talks, in milliseconds: 125 packets each way.
const TALKS: u32 = 2_500;

/// Where a caller is, what it does, and what it calls.
const CALLERS: [(&str, Caller<'static>, Kind); 4] = [
    (
        "itsp-udp",
        inward("10.30.0.2:5070", false, "+496912310"),
        Kind::Spoken(TALKS),
    ),
    (
        "itsp-tcp",
        inward("10.30.0.3:5070", true, "+494012310"),
        Kind::Spoken(TALKS),
    ),
    (
        "med",
        outward("10.20.120.2:5070", "+49305552"),
        Kind::Answered(500),
    ),
    (
        "med",
        outward("10.20.120.2:5071", "+49405552"),
        Kind::EndedByCallee,
    ),
];

const fn inward(face: &'static str, tcp: bool, prefix: &'static str) -> Caller<'static> {
    Caller {
        face,
        node: TO_CARRIERS,
        tcp,
        prefix,
    }
}

const fn outward(face: &'static str, prefix: &'static str) -> Caller<'static> {
    Caller {
        face,
        node: TO_SERVER,
        tcp: true,
        prefix,
    }
}

/// RFC 3261 §18, RFC 2784, RFC 4303: inward with media by UDP and by TCP, outward to
/// each, all at once.
#[test]
fn every_call_of_sipp_crosses_a_vlan_and_the_tunnel_by_udp_and_by_tcp() {
    let name = "every_call_of_sipp_crosses_a_vlan_and_the_tunnel_by_udp_and_by_tcp";
    if !sbc_tests::is_full(name) {
        return;
    }
    let Some((mut stage, mut peer)) = ground(name) else {
        return;
    };
    let _answering = [
        Sipp::answers(
            stage.hall(),
            "med",
            ("10.20.120.2:5068", true),
            &["-rtp_echo"],
        )
        .unwrap(),
        Sipp::answers(stage.hall(), "itsp-udp", ("10.30.0.2:5060", false), &[]).unwrap(),
        Sipp::answers(stage.hall(), "itsp-tcp", ("10.30.0.3:5060", true), &[]).unwrap(),
    ];
    stage.run(FILE);
    up(&mut stage, &mut peer, 0);
    let mut callers = CALLERS.map(|each| places(&stage, each));
    for sipp in &mut callers {
        let ended = sipp.finish(PATIENCE).unwrap();
        let all = Outcome {
            succeeded: CALLS,
            failed: 0,
        };
        assert_eq!(ended, all, "{}", sipp.errors());
    }
    held(&mut stage);
    nothing_in_clear(&stage);
}

fn places(stage: &Stage, (place, who, kind): (&str, Caller<'_>, Kind)) -> Sipp {
    let name = who.face.replace(['.', ':'], "-");
    let folder = stage.folder.join(format!("{place}-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tone.al"), [0x95; 8000]).unwrap();
    let calls = CALLS.to_string();
    // Two callers of one host want ports of their own.
    let media = format!("8{}0", &who.face[who.face.len() - 2..]);
    let words = ["-m", &calls, "-r", RATE, "-mp", &media, who.node];
    let scenario = caller(who, kind);
    Sipp::start(
        stage.hall(),
        place,
        &name,
        &scenario,
        (who.face, who.tcp),
        &words,
    )
    .unwrap()
}

/// Holds the records of all calls against what was played.
fn held(stage: &mut Stage) {
    let expected = CALLS as usize * CALLERS.len();
    let since = Instant::now();
    let records: Vec<Value> = loop {
        let text = stage.node.ok("cat /data/cdr.jsonl").unwrap_or_default();
        let read = |line: &str| serde_json::from_str(line).expect("a record");
        let records: Vec<Value> = text.lines().map(read).collect();
        if records.len() >= expected {
            break records;
        }
        assert!(since.elapsed() < PATIENCE, "{} records", records.len());
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(records.len(), expected);
    let (mut taken, mut lost) = (0, 0);
    for record in records.iter().filter(|record| record["direction"] == "in") {
        for side in ["media_a", "media_b"] {
            let packets = record[side]["rx"].as_u64().unwrap();
            assert!(packets > 100, "{packets} packets: {record}");
            assert_eq!(record[side]["unexpected"], 0, "{record}");
            taken += packets;
            lost += record[side]["lost"].as_u64().unwrap();
        }
    }
    println!("{expected} calls; {taken} packets taken, {lost} lost");
    assert!(taken > 2 * 2 * CALLS * 100, "{taken} packets");
    assert_eq!(lost, 0, "of {taken} packets");
}
