//! Volume: SIPp on both sides of the node's own processes, with media, over a
//! wire that loses datagrams, and thousands of mixed calls that leave nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::stage::{
    CARRIER, CARRIER_TCP, PATIENCE, SERVER, Stage, TO_CARRIER, TO_CARRIER_TCP, TO_SERVER,
    descriptors, resident,
};
use sbc_tests::kit::scenarios::{Caller, Kind, caller};
use sbc_tests::kit::sipp::{Outcome, Sipp};

/// Callers of the provider beside its own answering side.
const CALLER: &str = "172.20.31.1:5070";
const CALLER_TCP: &str = "172.20.32.1:5070";
const SERVER_CALLER: &str = "10.20.120.2:5070";

const IN: Caller<'static> = Caller {
    face: CALLER,
    node: TO_CARRIER,
    tcp: false,
    prefix: "+496912310",
};
const IN_TCP: Caller<'static> = Caller {
    face: CALLER_TCP,
    node: TO_CARRIER_TCP,
    tcp: true,
    prefix: "+494012310",
};
const OUT: Caller<'static> = Caller {
    face: SERVER_CALLER,
    node: TO_SERVER,
    tcp: true,
    prefix: "+49305552",
};
const OUT_TCP: Caller<'static> = Caller {
    face: SERVER_CALLER,
    node: TO_SERVER,
    tcp: true,
    prefix: "+49405552",
};

/// Starts `calls` calls at `rate` a second.
pub fn places(
    stage: &Stage,
    place: &str,
    name: &str,
    (who, kind): (Caller<'_>, Kind),
    (calls, rate): (u32, u32),
    more: &[&str],
) -> Sipp {
    let (calls, rate) = (calls.to_string(), rate.to_string());
    let mut words = vec!["-m", &calls, "-r", &rate];
    words.extend(more);
    words.push(who.node);
    let scenario = caller(who, kind);
    Sipp::start(
        stage.hall(),
        place,
        name,
        &scenario,
        (who.face, who.tcp),
        &words,
    )
    .unwrap()
}

fn all(succeeded: u64) -> Outcome {
    Outcome {
        succeeded,
        failed: 0,
    }
}

/// RFC 3261 §18, RFC 3550 §5.1: calls from a provider on UDP and on TCP to a
/// Mediation Server on TCP, each with a tone that the server echoes.
#[test]
fn every_call_over_udp_and_tcp_succeeds_with_media_both_ways() {
    const CALLS: u32 = 100;
    let Some(stage) = Stage::set("every_call_over_udp_and_tcp_succeeds_with_media_both_ways")
    else {
        return;
    };
    let _server = Sipp::answers(stage.hall(), "med1", (SERVER, true), &["-rtp_echo"]).unwrap();
    let speaks = |place: &str, who: Caller<'_>| {
        let folder = stage.folder.join(format!("{place}-speaks"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tone.al"), [0x95; 8000]).unwrap();
        let kind = (who, Kind::Spoken(3000));
        places(&stage, place, "speaks", kind, (CALLS, 25), &["-mp", "8000"])
    };
    let mut carrier = speaks("itsp", IN);
    let mut carrier_tcp = speaks("itsp-tcp", IN_TCP);
    assert_eq!(
        carrier.finish(PATIENCE).unwrap(),
        all(100),
        "{}",
        carrier.errors()
    );
    assert_eq!(
        carrier_tcp.finish(PATIENCE).unwrap(),
        all(100),
        "{}",
        carrier_tcp.errors()
    );
    stage.until("calls end", PATIENCE, |stage| stage.records().len() == 200);

    let (mut back, mut unechoed) = ([0; 2], 0);
    for record in stage.records() {
        for (side, from) in [("media_a", "the caller"), ("media_b", "the echo")] {
            let packets = record[side]["rx"].as_u64().unwrap();
            assert!(packets > 120, "{packets} packets of {from}: {record}");
            let lost = record[side]["lost"].as_u64().unwrap();
            assert!(lost == 0 || side == "media_b", "of {from}: {record}");
            unechoed += lost;
            assert_eq!(record[side]["unexpected"], 0, "of {from}: {record}");
        }
        let tcp = usize::from(record["trunk"] == "itsp-tcp");
        back[tcp] += record["media_a"]["tx"].as_u64().unwrap();
    }
    // All calls share the echo's one socket: what its kernel says had no room there, on
    // a machine with other work, was never echoed. Nothing else is lost.
    let dropped = stage.kernel("med1", "Udp RcvbufErrors");
    assert!(unechoed <= dropped, "{unechoed} lost, {dropped} dropped");
    // The kernel of each provider saw what the node says it sent there.
    for (place, sent) in ["itsp", "itsp-tcp"].into_iter().zip(back) {
        // SIPp looks at none of them: what its sockets took is what came.
        let taken = stage.kernel(place, "Ip InDelivers") - stage.kernel(place, "Udp NoPorts");
        assert!(
            sent > 12_000 && taken >= sent,
            "{place}: {taken} of {sent} came"
        );
    }
}

/// RFC 3261 §17.1, §17.2, §13.3.1.4: retransmission makes up for what is lost.
#[test]
fn of_a_thousand_calls_over_a_wire_that_loses_a_tenth_each_way_99_of_100_succeed() {
    const EACH: u32 = 500;
    // SIPp has no ear for a repeated 200 once its BYE is out: three copies fit.
    const LASTS: u32 = 4_000;
    let Some(stage) =
        Stage::set("of_a_thousand_calls_over_a_wire_that_loses_a_tenth_each_way_99_of_100_succeed")
    else {
        return;
    };
    let wire = |face, back, phone, seed| {
        let words = ["lossy", face, TO_CARRIER, back, phone, "10", seed];
        stage.actor("itsp", &words)
    };
    // Calls from the provider, and calls to it, each over a wire of its own.
    let mut inward = wire("172.20.31.1:5061", "172.20.31.1:5071", CALLER, "11");
    let mut outward = wire(CARRIER, "172.20.31.1:5081", "172.20.31.1:5080", "23");
    let _server = Sipp::answers(stage.hall(), "med1", (SERVER, true), &[]).unwrap();
    let behind = ("172.20.31.1:5080", false);
    let carrier = Sipp::answers_with(stage.hall(), "itsp", behind, CARRIER, &[]).unwrap();
    let who = Caller {
        face: "172.20.31.1:5061",
        node: TO_CARRIER,
        ..IN
    };
    let scenario = caller(who, Kind::Answered(LASTS));
    let words = ["-m", "500", "-r", "50", "172.20.31.1:5071"];
    let mut caller = Sipp::start(
        stage.hall(),
        "itsp",
        "caller",
        &scenario,
        (CALLER, false),
        &words,
    )
    .unwrap();
    let kind = (OUT, Kind::Answered(LASTS));
    let mut server = places(&stage, "med1", "caller", kind, (EACH, 50), &[]);

    let patience = Duration::from_secs(90);
    let (a, b) = (
        caller.finish(patience).unwrap(),
        server.finish(patience).unwrap(),
    );
    let succeeded = a.succeeded + b.succeeded;
    for wire in [&mut inward, &mut outward] {
        let line = wire.ask("count", "wire").unwrap();
        println!("{line}");
        let lost = super::stage::number(&line, "lost");
        assert!(
            lost > 100,
            "a wire that loses nothing proves nothing: {line}"
        );
    }
    println!("{succeeded} of 1000 calls succeeded: {a:?} in, {b:?} out");
    assert_eq!(a.succeeded + a.failed, u64::from(EACH));
    assert_eq!(b.succeeded + b.failed, u64::from(EACH));
    assert!(
        succeeded >= 990,
        "{}\n{}\n{}",
        caller.errors(),
        server.errors(),
        carrier.errors()
    );
    // A call whose ACK never came ends after 64 T1, and its BYE may take as long.
    stage.until("nothing is left", Duration::from_secs(110), |stage| {
        stage.held() == [0, 0, 0, 0, 0]
    });
}

/// What the roles hold while no call is up.
#[derive(Debug, Eq, PartialEq)]
struct Holding {
    /// Descriptors of `signal`, `relay`, `console` and `init`, by their kind.
    descriptors: [BTreeMap<String, usize>; 4],
    /// Octets that live in the heap of `signal`, as its allocator counts them.
    live: u64,
    /// Octets each role has touched, for people.
    resident: [u64; 4],
}

fn holding(stage: &Stage) -> Holding {
    let pid = |role| stage.node.pid(role).expect("a role that runs");
    let pids = [
        pid("signal"),
        pid("relay"),
        pid("console"),
        stage.node.supervisor(),
    ];
    Holding {
        descriptors: pids.map(descriptors),
        live: stage.counter("live-octets"),
        resident: pids.map(resident),
    }
}

/// Plays `calls` calls of every kind, in both directions and over both
/// transports of a trunk. Waits until nothing of them is held.
fn mixed(stage: &Stage, round: &str, calls: u32) {
    let plays = [
        ("itsp", (IN, Kind::Answered(50)), 4),
        ("itsp", (IN, Kind::EndedByCallee), 1),
        ("itsp", (IN, Kind::Busy), 2),
        ("itsp", (IN, Kind::Cancelled), 3),
        ("itsp", (IN, Kind::Unassigned), 2),
        ("itsp-tcp", (IN_TCP, Kind::Held), 2),
        ("med1", (OUT, Kind::Answered(50)), 3),
        ("med1", (OUT_TCP, Kind::Held), 2),
        ("med1", (OUT_TCP, Kind::Busy), 1),
    ];
    let mut running = Vec::new();
    for (number, (place, (who, kind), share)) in plays.into_iter().enumerate() {
        let address = who.face.rsplit_once(':').unwrap().0;
        let face = format!("{address}:{}", 5070 + 2 * number);
        let media = (7000 + 100 * number).to_string();
        let who = Caller { face: &face, ..who };
        let name = format!("{round}-{number}");
        // All kinds are done at about the same time: 300 calls a second.
        let (calls, rate) = (calls * share / 20, 15 * share);
        let more = ["-mp", &media];
        let sipp = places(stage, place, &name, (who, kind), (calls, rate), &more);
        running.push((sipp, kind, u64::from(calls)));
    }
    for (sipp, kind, calls) in &mut running {
        let outcome = sipp.finish(Duration::from_secs(60)).unwrap();
        assert_eq!(outcome, all(*calls), "{kind:?}: {}", sipp.errors());
    }
    // Transactions absorb repetitions for 32 s (RFC 3261 §17.2.2, Timer J).
    stage.until("nothing is held", Duration::from_secs(50), |stage| {
        stage.held() == [0, 0, 0, 0, 0]
    });
    let signal = stage.node.pid("signal").expect("a role that runs");
    let what = format!("{STANDING} sockets of TCP and no more");
    stage.until(&what, PINGED, |_| {
        descriptors(signal).get("tcp") == Some(&STANDING)
    });
}

/// Sockets of TCP while no call is up: three that listen, and one connection to
/// each of the two neighbours that answer.
const STANDING: usize = 3 + 2;
/// A connection that a starved peer let go is there again when that peer is pinged.
const PINGED: Duration = Duration::from_secs(120);

/// glibc counts freed chunks that a thread keeps at hand as live; none are kept.
const NO_CACHE: &str = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0";

/// Memory is the heap's live octets of `signal` as glibc counts them, after the
/// ladders of the first calls have filled their 8 MiB.
#[test]
fn five_thousand_mixed_calls_through_the_processes_leave_nothing() {
    let name = "five_thousand_mixed_calls_through_the_processes_leave_nothing";
    let Some(stage) = Stage::set_with(name, &[NO_CACHE]) else {
        return;
    };
    let _server = Sipp::answers(stage.hall(), "med1", (SERVER, true), &[]).unwrap();
    let _carrier = Sipp::answers(stage.hall(), "itsp", (CARRIER, false), &[]).unwrap();
    let _carrier_tcp = Sipp::answers(stage.hall(), "itsp-tcp", (CARRIER_TCP, true), &[]).unwrap();
    mixed(&stage, "before", 2_000);
    assert!(stage.counter("ladders-evicted") > 0, "the ladders are full");
    let before = holding(&stage);
    mixed(&stage, "after", 5_000);
    let after = holding(&stage);
    println!("before {before:?}\nafter  {after:?}");
    assert_eq!(stage.records().len(), 7_000);
    assert_eq!(before.descriptors, after.descriptors);
    // The latest ladder is as long as it is; one call's messages more or less.
    let grown = after.live.abs_diff(before.live);
    assert!(grown < 64 * 1024, "{grown} octets: {before:?} {after:?}");
}
