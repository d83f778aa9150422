//! The scenes of the demo, each a function over the stage.

use std::time::Duration;

use super::talk::Side::{Carrier, Server};
use super::talk::{
    PATIENCE, both_hear, clear_all, connect, fill, hang_up, hears, help, whole, word,
};
use super::{Shown, Stage, phone};
use crate::kit::actor::Actor;

type Scene = fn(&mut Stage) -> Shown;

/// Every scene, in order.
pub const ALL: [(&str, Scene); 9] = [
    ("call in, UDP to TCP", call_in),
    ("call out, TCP to UDP", call_out),
    ("call in, TCP to TCP", call_in_tcp),
    ("call out, TCP to TCP", call_out_tcp),
    ("held and resumed", held),
    ("trunk full", full),
    ("112 at a full trunk", emergency),
    ("Mediation Server dead", failover),
    ("signal killed in a call", killed),
];

fn call_in(stage: &mut Stage) -> Shown {
    let (carrier, server) = (&mut stage.carrier, &mut stage.server);
    whole(carrier, server, (Carrier, Carrier), "+49691231042")
}

fn call_out(stage: &mut Stage) -> Shown {
    let (carrier, server) = (&mut stage.carrier, &mut stage.server);
    whole(carrier, server, (Server, Carrier), "+4930555200")
}

fn call_in_tcp(stage: &mut Stage) -> Shown {
    let (carrier, server) = (&mut stage.carrier_tcp, &mut stage.server);
    whole(carrier, server, (Carrier, Server), "+49401231042")
}

fn call_out_tcp(stage: &mut Stage) -> Shown {
    let (carrier, server) = (&mut stage.carrier_tcp, &mut stage.server);
    whole(carrier, server, (Server, Server), "+4940555200")
}

fn held(stage: &mut Stage) -> Shown {
    let (carrier, server) = (&mut stage.carrier, &mut stage.server);
    let (ours, theirs) = connect(carrier, server, "+49691231042")?;
    both_hear(carrier, &ours, server, &theirs)?;
    carrier.ask(&format!("hold {ours}"), &format!("final {ours} 200"))?;
    let told = server.hear(&format!("changed {theirs}"), PATIENCE)?;
    if word(&told, 2) != "inactive" {
        return Err(format!("the server was told {told:?}, not inactive"));
    }
    carrier.ask(&format!("resume {ours}"), &format!("final {ours} 200"))?;
    server.hear(&format!("changed {theirs} sendrecv"), PATIENCE)?;
    carrier.ask(&format!("listen {ours}"), "listening")?;
    server.ask(&format!("listen {theirs}"), "listening")?;
    let shown = both_hear(carrier, &ours, server, &theirs)?;
    hang_up(carrier, &ours, server, &theirs)?;
    Ok(format!("inactive, then {shown}"))
}

fn full(stage: &mut Stage) -> Shown {
    let numbers = ["+49691231001", "+49691231002", "+49691231003"];
    let shown = fill(&mut stage.carrier, &mut stage.server, numbers)?;
    // They stay up for the next scene.
    stage
        .node
        .until(PATIENCE, |node| node.ask("show calls").lines().count() == 3)?;
    Ok(shown)
}

fn emergency(stage: &mut Stage) -> Shown {
    help(&mut stage.carrier, &mut stage.server)?;
    let table = stage.node.ask("show calls");
    println!("{table}");
    clear_all(&table, |command| stage.node.ask(command))?;
    stage
        .node
        .until(PATIENCE, |node| node.ask("show calls").lines().count() == 1)?;
    Ok("200, used the reserved call".into())
}

fn failover(stage: &mut Stage) -> Shown {
    // The first server ends: its connections break, new ones are refused.
    let gone = phone(
        &stage.net,
        &stage.program,
        "med1",
        ["udp", "10.20.120.2:5999", "10.20.120.1:5066", "880"],
    )?;
    let server = std::mem::replace(&mut stage.server, gone);
    drop(server);
    let carrier = &mut stage.carrier;
    let server_2 = stage.server_2.as_mut().ok_or("no second server")?;
    let since = std::time::Instant::now();
    let (ours, theirs) = connect(carrier, server_2, "+49691231042")?;
    let took = since.elapsed();
    let shown = both_hear(carrier, &ours, server_2, &theirs)?;
    hang_up(carrier, &ours, server_2, &theirs)?;
    stage.server = phone(
        &stage.net,
        &stage.program,
        "med1",
        ["tcp", "10.20.120.2:5068", "10.20.120.1:5066", "880"],
    )?;
    if took > Duration::from_millis(3_500) {
        return Err(format!("the other server answered after {took:?}"));
    }
    Ok(format!("the other in {} ms; {shown}", took.as_millis()))
}

/// The signal role dies in the middle of a call: media goes on, and both sides
/// can end the call afterwards.
fn killed(stage: &mut Stage) -> Shown {
    // This scene takes the memory of all before it.
    stage.show();
    let carrier = &mut stage.carrier;
    let server = stage.server_2.as_mut().ok_or("no second server")?;
    let (ours, theirs) = match connect(carrier, &mut stage.server, "+49691231042") {
        Ok((ours, theirs)) => {
            return finish_killed(&stage.node, carrier, &ours, &mut stage.server, &theirs);
        }
        // The first server may still count as down: the call is with the second.
        Err(_) => connect(carrier, server, "+49691231042")?,
    };
    finish_killed(&stage.node, carrier, &ours, server, &theirs)
}

fn finish_killed(
    node: &crate::kit::node::Node,
    carrier: &mut Actor,
    a: &str,
    server: &mut Actor,
    b: &str,
) -> Shown {
    both_hear(carrier, a, server, b)?;
    carrier.ask(&format!("listen {a}"), "listening")?;
    let before = node.pid("signal");
    node.kill("signal").ok_or("signal could not be killed")?;
    let back = node.until(PATIENCE, |node| {
        node.pid("signal") != before && node.ask("show calls").contains("talk")
    })?;
    let heard = hears(carrier, a, 880)?;
    let (lost, gap) = (word(&heard, 6), word(&heard, 8));
    if lost != "0" {
        return Err(format!("media suffered: {heard}"));
    }
    hang_up(server, b, carrier, a)?;
    node.until(PATIENCE, |node| node.ask("show calls").lines().count() == 1)?;
    Ok(format!(
        "back in {} ms, {lost} lost, gap {gap} ms, BYE 200",
        back.as_millis()
    ))
}

/// Returns a line about the media of one record, if any came.
pub fn quality(record: &str) -> Option<String> {
    let number = |part: &str, name: &str| {
        let after = part.split_once(&format!("\"{name}\":"))?.1;
        let end = after.find([',', '}'])?;
        Some(after.get(..end)?.to_owned())
    };
    let call = number(record, "call")?;
    let (_, a) = record.split_once("\"media_a\":")?;
    let (a, b) = a.split_once("\"media_b\":")?;
    let side = |part| {
        let mos = number(part, "mos")?;
        let mos: f64 = mos.parse().ok()?;
        Some(format!(
            "{:>6} packets, {} lost, MOS {mos:.2}",
            number(part, "rx")?,
            number(part, "lost")?
        ))
    };
    Some(format!(" call {call:>3}  A {}  B {}", side(a)?, side(b)?))
}
