//! The processor time of a relayed packet: calls stand on an element, both their
//! ends send, and the process that moves media is looked at.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::sipp::{self, Load};
use super::{Bench, Who, figure, moves_media};

/// Rounds of each comparison.
const ROUNDS: usize = 3;

/// Calls whose media flow at once: 20,000 packets a second.
const CALLS: u32 = 200;

/// How long media flow.
const FLOWS: Duration = Duration::from_secs(6);

const LOAD: Load = Load {
    calls: CALLS,
    per_second: 200,
    held: Duration::from_secs(14),
    tcp: false,
};

/// So many of a hundred packets arrive, or the round says nothing.
const ARRIVE: u64 = 95;

/// Where the parties of all calls are, as their SDP says, and the element.
const SIDES: [(&str, &str); 2] = [
    ("172.20.31.1:30000", "172.20.31.2"),
    ("10.20.120.2:40000", "10.20.120.1"),
];

/// Plays all rounds.
///
/// # Errors
/// When SIPp or the parties fail.
pub fn measure(bench: &mut Bench) -> Result<(), String> {
    let mut rows = Vec::new();
    for round in 1..=ROUNDS {
        let ours = packet(bench, Who::Ours)?;
        let theirs = packet(bench, Who::Anchored)?;
        bench.say(&format!(
            "a relayed packet, round {round}: ours {ours:.2} µs, rtpengine {theirs:.2} µs"
        ));
        rows.push((ours, Some(theirs)));
    }
    let what = "a relayed packet, against rtpengine";
    bench.figures.push(figure(what, (0.65, 0.30), "us", rows));
    Ok(())
}

/// Returns microseconds for a packet that arrived.
fn packet(bench: &mut Bench, who: Who) -> Result<f64, String> {
    let stage = bench.stage(who);
    let wanted = usize::try_from(CALLS).unwrap_or(0);
    let known = sipp::ports(stage, "called").len();
    let mut caller = sipp::caller(stage, "caller", LOAD)?;
    let since = Instant::now();
    let ports = loop {
        let theirs = sipp::ports(stage, "called");
        let called = theirs.get(known..).unwrap_or_default().to_vec();
        let caller = sipp::ports(stage, "caller");
        if caller.len() >= wanted && called.len() >= wanted {
            break [caller, called];
        }
        if since.elapsed() > Duration::from_secs(6) {
            return Err(format!("{who:?}: the calls did not stand in time"));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let before = stage.nanoseconds(moves_media);
    let (sent, heard) = flow(bench, who, &ports)?;
    let spent = bench.stage(who).nanoseconds(moves_media) - before;
    // A receiver without the processor loses some; it is those that arrived which count.
    if heard * 100 < sent * ARRIVE {
        return Err(format!("{who:?}: {heard} of {sent} packets arrived"));
    }
    let outcome = caller.finish(LOAD.held + Duration::from_secs(40))?;
    bench.note(who, outcome);
    Ok(spent as f64 / 1e3 / heard as f64)
}

/// Sends media both ways on all calls; returns how many packets left and arrived.
fn flow(bench: &Bench, who: Who, ports: &[Vec<u16>; 2]) -> Result<(u64, u64), String> {
    let say = |error: std::io::Error| format!("the parties: {error}");
    let program = bench.program.to_str().ok_or("a path that is no text")?;
    let mut command = bench.stage(who).net.command("peers", program);
    let mut child = command
        .args(["streams", &FLOWS.as_secs().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(say)?;
    let mut input = child.stdin.take().ok_or("the parties hear nothing")?;
    for ((local, remote), ports) in SIDES.iter().zip(ports) {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        writeln!(input, "{local} {remote} {}", ports.join(",")).map_err(say)?;
    }
    drop(input);
    let said = child.wait_with_output().map_err(say)?.stdout;
    let said = String::from_utf8_lossy(&said);
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["sent", sent, "heard", heard] = words.as_slice() else {
        return Err(format!("the parties said {said:?}"));
    };
    let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number"));
    Ok((number(sent)?, number(heard)?))
}
