//! Media from whom nobody expects it, through the whole node: from another host,
//! from the peer's own address on another port, and before the answer.

use super::stage::{
    CARRIER, PATIENCE, SERVER, Stage, TO_CARRIER, TO_SERVER, connect, hears, number, tone, word,
};
use sbc_tests::kit::actor::Actor;

/// The media ports of `node.toml`, in parts that a receiver can take.
const PORTS: (u16, u16) = (20_000, 49_999);

/// RFC 3550 §5.1 has no word on who may send; the signalled source alone is heard.
/// The sprayers reach every port of both sides, so they hit whichever are open.
#[test]
fn media_from_a_wrong_source_is_neither_delivered_nor_answered_and_is_counted() {
    let name = "media_from_a_wrong_source_is_neither_delivered_nor_answered_and_is_counted";
    let Some(stage) = Stage::set(name) else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let add = |place, address, device| {
        let words = ["addr", "add", address, "dev", device];
        stage.net.ip(place, &words).unwrap();
    };
    add("itsp", "172.20.31.3/29", "a0");
    add("med1", "10.20.120.3/29", "m1");
    // Another host of each network, and each peer's own address on another port.
    let mut sprayers = [
        ("itsp", "172.20.31.3:7000", "172.20.31.2"),
        ("itsp", "172.20.31.1:7000", "172.20.31.2"),
        ("med1", "10.20.120.3:7000", "10.20.120.1"),
        ("med1", "10.20.120.2:7000", "10.20.120.1"),
    ]
    .map(|(place, at, to)| (stage.actor(place, &["spray", at]), to));

    // It rings: the server knows a port of ours, and nobody has answered.
    server.ask("mood ring", "mood").unwrap();
    let placed = carrier.ask("call +49691231042", "placed").unwrap();
    let rings = word(&placed, 1).to_owned();
    carrier
        .hear(&format!("progress {rings} 180"), PATIENCE)
        .unwrap();
    spray(&mut sprayers);
    let at_server = server.hear("incoming", PATIENCE).unwrap();
    for (who, call) in [
        (&mut carrier, rings.as_str()),
        (&mut server, word(&at_server, 1)),
    ] {
        let line = tone(who, call);
        assert_eq!(number(&line, "injected"), 0, "before the answer: {line}");
        assert_eq!(number(&line, "packets"), 0, "before the answer: {line}");
    }
    let clear = format!("clear call {}", call_up(&stage));
    assert!(stage.node.ask(&clear).contains("cleared"));
    stage.until("it ends", PATIENCE, |stage| stage.records().len() == 1);

    // It talks: both sides hear each other, and nobody else.
    server.ask("mood answer", "mood").unwrap();
    let (ours, theirs) = connect(&mut carrier, &mut server, "+49691231042");
    hears(&mut carrier, &ours);
    hears(&mut server, &theirs);
    let sprayed = spray(&mut sprayers);
    for (who, call) in [(&mut carrier, &ours), (&mut server, &theirs)] {
        let line = hears(who, call);
        assert_eq!(number(&line, "injected"), 0, "{line}");
        assert_eq!(number(&line, "foreign"), 0, "{line}");
        assert_eq!(number(&line, "lost"), 0, "{line}");
    }
    carrier
        .ask(&format!("bye {ours}"), &format!("ended {ours} 200"))
        .unwrap();
    stage.until("it ends", PATIENCE, |stage| stage.records().len() == 2);
    let records = stage.records();
    println!("{sprayed} packets sprayed; {records:?}");
    // Two sprayers of each side met the port of RTP; reports have one of their own.
    for record in &records {
        let rang = record["answer"].is_null();
        for side in ["media_a", "media_b"] {
            let counted = record[side]["unexpected"].as_u64().unwrap();
            // The caller's side has no port before it needs one.
            let wanted = if rang && side == "media_a" {
                0
            } else {
                ROUNDS * 2
            };
            assert!(
                counted >= wanted,
                "{counted} of {wanted} on {side}: {record}"
            );
        }
    }
}

/// Packets for each port.
const ROUNDS: u64 = 2;

/// Every sprayer sends to every port. Returns how many packets that were.
fn spray(sprayers: &mut [(Actor, &str)]) -> u64 {
    let (first, last) = PORTS;
    for (sprayer, to) in sprayers.iter_mut() {
        sprayer
            .say(&format!("{to} {first} {last} {ROUNDS}"))
            .unwrap();
    }
    let heard = sprayers.iter_mut().map(|(sprayer, _)| {
        let line = sprayer.hear("sprayed", PATIENCE * 3).unwrap();
        assert_eq!(number(&line, "heard"), 0, "something leaked: {line}");
        number(&line, "sprayed")
    });
    heard.sum()
}

fn call_up(stage: &Stage) -> String {
    let table = stage.node.ask("show calls");
    let line = table.lines().nth(1).unwrap_or_default();
    word(line, 0).to_owned()
}
