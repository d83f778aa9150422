//! Roles that die with a hundred calls up: media, and what both sides can still
//! do with their calls afterwards.

use std::time::Duration;

use super::stage::{
    CARRIER, PATIENCE, SERVER, Stage, TO_CARRIER, TO_SERVER, connect, descriptors, hears, number,
    tone,
};
use sbc_tests::kit::actor::Actor;
use sbc_tests::kit::node::send;

/// No gap: a packet comes every 20 ms, and this much is a loaded machine's.
const NO_GAP_MS: u64 = 400;

/// A call as each side calls it.
type Call = (String, String);

fn calls(carrier: &mut Actor, server: &mut Actor, count: usize) -> Vec<Call> {
    let calls = (0..count).map(|number| match number % 2 {
        0 => connect(carrier, server, &format!("+496912310{number:02}")),
        _ => {
            let (theirs, ours) = connect(server, carrier, &format!("+49305552{number:02}"));
            (ours, theirs)
        }
    });
    calls.collect()
}

fn listen(carrier: &mut Actor, server: &mut Actor, calls: &[Call]) {
    for (ours, theirs) in calls {
        carrier
            .ask(&format!("listen {ours}"), &format!("listening {ours}"))
            .unwrap();
        server
            .ask(&format!("listen {theirs}"), &format!("listening {theirs}"))
            .unwrap();
    }
}

/// Returns the most packets lost on one call, and the longest gap in
/// milliseconds, over both sides of all calls.
fn worst(carrier: &mut Actor, server: &mut Actor, calls: &[Call]) -> (u64, u64) {
    let mut worst = (0, 0);
    for (ours, theirs) in calls {
        for line in [tone(carrier, ours), tone(server, theirs)] {
            assert!(number(&line, "packets") > 0, "{line}");
            assert_eq!(number(&line, "foreign"), 0, "from another port: {line}");
            worst.0 = worst.0.max(number(&line, "lost"));
            worst.1 = worst.1.max(number(&line, "gap"));
        }
    }
    worst
}

/// RFC 3261 §12.2, §15: the dialogs of both sides go on in a new process.
#[test]
fn a_hundred_calls_outlive_the_signal_role_and_end_by_bye_from_either_side() {
    let name = "a_hundred_calls_outlive_the_signal_role_and_end_by_bye_from_either_side";
    let Some(stage) = Stage::set(name) else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let relay = stage.node.pid("relay").expect("a relay");
    let base = descriptors(relay);
    let calls = calls(&mut carrier, &mut server, 100);
    // One more rings: it is lost with the role, and its stream must not stay.
    server.ask("mood ring", "mood").unwrap();
    carrier.ask("call +49691231042", "placed").unwrap();
    server.hear("incoming", PATIENCE).unwrap();
    server.ask("mood answer", "mood").unwrap();
    for (ours, theirs) in &calls {
        hears(&mut carrier, ours);
        hears(&mut server, theirs);
    }
    listen(&mut carrier, &mut server, &calls);
    let before = stage.node.kill("signal").expect("a role to kill");
    let back = stage.until("all calls are back", Duration::from_secs(10), |stage| {
        stage.node.pid("signal") != Some(before) && stage.calls() == 100
    });
    // What was lost or late around the death lies in the past once more is heard.
    for (ours, theirs) in &calls {
        hears(&mut carrier, ours);
        hears(&mut server, theirs);
    }
    let (lost, gap) = worst(&mut carrier, &mut server, &calls);
    println!(
        "signal killed: back in {} ms, {lost} lost, longest gap {gap} ms",
        back.as_millis()
    );
    assert_eq!(lost, 0);
    assert!(gap < NO_GAP_MS, "a gap of {gap} ms");

    // Ten of them are changed from either side first (RFC 3261 §14).
    for (number, (ours, theirs)) in calls.iter().take(10).enumerate() {
        let (who, call) = match number % 2 {
            0 => (&mut carrier, ours),
            _ => (&mut server, theirs),
        };
        for change in ["hold", "resume"] {
            who.ask(&format!("{change} {call}"), &format!("final {call} 200"))
                .unwrap();
        }
        hears(&mut carrier, ours);
        hears(&mut server, theirs);
    }
    for (number, (ours, theirs)) in calls.iter().enumerate() {
        let (who, call, other, its) = match number / 2 % 2 {
            0 => (&mut carrier, ours, &mut server, theirs),
            _ => (&mut server, theirs, &mut carrier, ours),
        };
        who.ask(&format!("bye {call}"), &format!("ended {call} 200"))
            .unwrap();
        other.hear(&format!("bye {its}"), PATIENCE).unwrap();
    }
    stage.until("a record for each", PATIENCE, |stage| {
        stage.records().len() == 100
    });
    let (mut by_caller, mut changed) = (0, 0);
    for record in stage.records() {
        assert_eq!(record["sip_code"], 200, "{record}");
        assert_eq!(record["sbc_code"], 0, "{record}");
        assert!(record["answer"].is_number(), "{record}");
        let (start, end) = (&record["answer"], &record["end"]);
        let lasted = end.as_u64().unwrap() - start.as_u64().unwrap();
        let said = record["duration_ms"].as_u64().unwrap();
        assert!(said > 0 && lasted.abs_diff(said) < 1_000, "{record}");
        assert_eq!(record["trunk"], "itsp-udp", "{record}");
        assert_eq!(record["mediation"], "med-1", "{record}");
        for side in ["media_a", "media_b"] {
            assert!(record[side]["rx"].as_u64().unwrap() > 0, "{record}");
        }
        by_caller += u32::from(record["released_by"] == "caller");
        changed += u32::from(record["reinvites"].as_u64().unwrap() > 0);
    }
    assert_eq!(
        by_caller, 50,
        "half of the calls were ended by their callers"
    );
    assert_eq!(changed, 10, "ten calls were changed");
    assert_eq!(stage.calls(), 0);
    stage.until("no stream is left", PATIENCE, |_| {
        descriptors(relay) == base
    });
}

/// A role that hangs is noticed within three seconds and back within one more;
/// its calls go on.
#[test]
fn a_signal_role_that_hangs_is_back_within_four_seconds_and_keeps_its_calls() {
    let name = "a_signal_role_that_hangs_is_back_within_four_seconds_and_keeps_its_calls";
    let Some(stage) = Stage::set(name) else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let calls = calls(&mut carrier, &mut server, 10);
    listen(&mut carrier, &mut server, &calls);
    let before = stage.node.pid("signal");
    assert!(send("STOP", before.expect("a role to stop")));
    let back = stage.until("all calls are back", PATIENCE, |stage| {
        stage.node.pid("signal") != before && stage.calls() == 10
    });
    println!("signal stopped: back in {} ms", back.as_millis());
    assert!(back < Duration::from_secs(4), "{back:?}");
    for (number, (ours, theirs)) in calls.iter().enumerate() {
        let (who, call) = match number % 2 {
            0 => (&mut carrier, ours),
            _ => (&mut server, theirs),
        };
        hears(who, call);
        who.ask(&format!("bye {call}"), &format!("ended {call} 200"))
            .unwrap();
    }
    stage.until("they end", PATIENCE, |stage| stage.records().len() == 10);
}

/// A new relay learns every row again, and takes the same ports.
#[test]
fn media_goes_on_within_a_second_on_the_same_ports_when_the_relay_dies() {
    let name = "media_goes_on_within_a_second_on_the_same_ports_when_the_relay_dies";
    let Some(stage) = Stage::set(name) else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let calls = calls(&mut carrier, &mut server, 50);
    for (ours, theirs) in &calls {
        hears(&mut carrier, ours);
        hears(&mut server, theirs);
    }
    listen(&mut carrier, &mut server, &calls);
    let before = stage.node.kill("relay").expect("a role to kill");
    stage.until("it is back", Duration::from_secs(10), |stage| {
        stage.node.pid("relay") != Some(before)
    });
    for (ours, theirs) in &calls {
        hears(&mut carrier, ours);
        hears(&mut server, theirs);
    }
    // Media that came from any other port would count as foreign.
    let (lost, gap) = worst(&mut carrier, &mut server, &calls);
    println!("relay killed: {lost} packets lost on the worst call, longest gap {gap} ms");
    assert!(gap <= 1_000, "a gap of {gap} ms");
    for (number, (ours, theirs)) in calls.iter().enumerate() {
        let (who, call) = match number % 2 {
            0 => (&mut carrier, ours),
            _ => (&mut server, theirs),
        };
        who.ask(&format!("bye {call}"), &format!("ended {call} 200"))
            .unwrap();
    }
    stage.until("they end", PATIENCE, |stage| stage.records().len() == 50);
    assert_eq!(stage.calls(), 0);
}
