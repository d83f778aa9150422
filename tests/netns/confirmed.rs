//! A commit that cuts its own path under calls that are none of its business: it
//! goes back by itself, and they do not notice.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::stage::{
    CARRIER, CARRIER_TCP, PATIENCE, SERVER, Stage, TO_CARRIER, TO_CARRIER_TCP, TO_SERVER, connect,
    hears, number, tone,
};

/// How long nobody confirms: what an operator types as `commit confirmed 1`, or a
/// twelfth of it where time is short.
fn unconfirmed() -> Duration {
    match std::env::var("SBC_TESTS").as_deref() {
        Ok("full") => Duration::from_secs(60),
        _ => Duration::from_secs(5),
    }
}

/// Asks the node's socket for one operation.
fn asks(stage: &Stage, operation: &str, arguments: &Value) -> Value {
    let stream = UnixStream::connect(stage.folder.join("api.sock")).expect("a node");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
    lines.next().expect("a greeting").expect("text");
    let line = json!({ "id": 1, "op": operation, "args": arguments });
    writeln!(&stream, "{line}").expect("asked");
    let answer = lines.next().expect("an answer").expect("text");
    serde_json::from_str(&answer).expect("JSON")
}

#[test]
fn a_commit_that_cuts_its_own_path_goes_back_live_and_calls_elsewhere_lose_nothing() {
    let name = "a_commit_that_cuts_its_own_path_goes_back_live_and_calls_elsewhere_lose_nothing";
    let Some(stage) = Stage::set(name) else {
        return;
    };
    let mut carrier = stage.phone("itsp", "udp", CARRIER, TO_CARRIER);
    let mut server = stage.phone("med1", "tcp", SERVER, TO_SERVER);
    let mut other = stage.phone("itsp-tcp", "tcp", CARRIER_TCP, TO_CARRIER_TCP);
    let (ours, theirs) = connect(&mut carrier, &mut server, "+49691231042");
    hears(&mut carrier, &ours);
    hears(&mut server, &theirs);

    // The other provider's socket moves away from where it is called.
    let live = asks(&stage, "config.live", &Value::Null);
    let text = live["ok"]["toml"].as_str().expect("a text");
    let cut = text.replace("172.20.32.1:5060/tcp", "172.20.32.1:5070/tcp");
    assert_ne!(cut, text);
    let confirm = unconfirmed();
    let put = asks(
        &stage,
        "config.put",
        &json!({ "toml": cut, "base": live["ok"]["revision"], "confirm": confirm.as_secs() }),
    );
    let began = Instant::now();
    assert!(put["ok"]["revision"].is_u64(), "{put}");
    assert!(stage.node.ask("show trunks").contains("172.20.32.1:5070"));
    stage.until("it goes back", confirm + PATIENCE, |stage| {
        stage.node.ask("show trunks").contains("172.20.32.1:5060")
    });
    let took = began.elapsed();
    assert!(took >= confirm, "before its time: {took:?}");
    assert!(took < confirm + Duration::from_secs(5), "late: {took:?}");
    // The way that was cut carries calls again.
    let (again, there) = connect(&mut other, &mut server, "+49691231043");
    hears(&mut other, &again);
    hears(&mut server, &there);
    // And the call that had nothing to do with it lost no packet.
    for (who, call) in [(&mut carrier, &ours), (&mut server, &theirs)] {
        let line = tone(who, call);
        println!("back after {took:?} of {confirm:?}: {line}");
        assert_eq!(number(&line, "lost"), 0, "{line}");
        assert!(number(&line, "packets") > 50, "{line}");
    }
    carrier
        .ask(&format!("bye {ours}"), &format!("ended {ours} 200"))
        .expect("an end");
    stage.until("it is in the books", PATIENCE, |stage| {
        stage.records().len() == 1
    });
    let record = &stage.records()[0];
    for side in ["media_a", "media_b"] {
        assert_eq!(record[side]["lost"], 0, "{record}");
    }
    assert!(stage.node.ask("show call history").contains("itsp-udp"));
}
