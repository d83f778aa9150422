//! The scenes of the image, each a function over the stage.

use std::net::Ipv4Addr;
use std::time::Instant;

use super::super::Shown;
use super::super::talk::Side::{Carrier, Server};
use super::super::talk::{both_hear, clear_all, connect, fill, hang_up, hears, help, whole, word};
use super::{MED1, Stage, TCP, Telephone};
use crate::kit::actor::Actor;
use crate::kit::router::INTERNET;
use crate::kit::vswitch::forge::{Forgery, Target};
use crate::kit::vswitch::frame::{ESP, carried};

type Scene = fn(&mut Stage) -> Shown;

/// Every scene, in order.
pub const ALL: [(&str, Scene); 11] = [
    ("power on to READY", ready),
    ("tunnel", tunnel),
    ("call in, tunnel to VLAN", call_in),
    ("call out, VLAN to tunnel", call_out),
    ("broadcast flood in a call", flood),
    ("trunk full", full),
    ("112 at a full trunk", emergency),
    ("Mediation Server dead", failover),
    ("Internet cut", cut),
    ("update, a call either side", update),
    ("outside, power-on to here", outside),
];

/// The version the node is updated to.
pub const NEXT: &str = "0.2.0";

/// Without the first so many the others show nothing.
pub const NEEDED: usize = 2;

/// What stands in while a telephone is away.
const MED1_SPARE: Telephone = (
    "med1",
    ["udp", "10.20.120.2:5999", "10.20.120.1:5066", "880"],
);
const TCP_SPARE: Telephone = ("tcp", ["udp", "10.30.0.3:5999", "192.0.2.1:5060", "440"]);

/// Frames of the flood, and how many go at once: a card has room for them.
const FLOOD: u16 = 1_000;
const BURST: u16 = 32;

/// Nothing leaves before the rules were read back from the kernel.
fn ready(stage: &mut Stage) -> Shown {
    stage.booted.says("fence: drop all, read back")?;
    let left = stage.left();
    if left != 0 {
        return Err(format!("{left} frames left before the fence was there"));
    }
    stage.booted.says("SBC-READY ")?;
    stage.booted.says("calls=accepting")?;
    let took = stage.booted.since.elapsed().as_secs_f64();
    Ok(format!("{took:.1} s; 0 frames before the fence"))
}

/// Whether all three trunks are up.
fn all_up(said: &str) -> bool {
    said.lines().filter(|line| line.contains(" up")).count() == 3
}

fn tunnel(stage: &mut Stage) -> Shown {
    stage.until("show trunks", all_up)?;
    Ok("GRE in ESP, IKEv2; all trunks up".into())
}

fn call_in(stage: &mut Stage) -> Shown {
    whole(
        &mut stage.udp,
        &mut stage.med1,
        (Carrier, Carrier),
        "+49691234001",
    )
}

fn call_out(stage: &mut Stage) -> Shown {
    whole(
        &mut stage.tcp,
        &mut stage.med1,
        (Server, Carrier),
        "+4940555100",
    )
}

/// A call goes on while somebody floods the VLAN of the Mediation Server.
fn flood(stage: &mut Stage) -> Shown {
    let target = Target {
        mac: stage.mac,
        address: Ipv4Addr::new(10, 20, 120, 1),
        vlan: 120,
        other_vlan: 310,
        peer_mac: [2, 0, 0, 0, 0, 0x66],
        peer: Ipv4Addr::new(10, 20, 120, 2),
        stranger: Ipv4Addr::new(10, 20, 120, 5),
        port: 5066,
    };
    let (carrier, server) = (&mut stage.udp, &mut stage.med1);
    let (ours, theirs) = connect(carrier, server, "+49691234001")?;
    both_hear(carrier, &ours, server, &theirs)?;
    carrier.ask(&format!("listen {ours}"), "listening")?;
    for number in 0..FLOOD {
        stage
            .switch
            .forge(&stage.trunk, &Forgery::Broadcast.frame(&target, number));
        if number % BURST == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    let heard = hears(carrier, &ours, 880)?;
    hang_up(carrier, &ours, server, &theirs)?;
    let from_node = stage.switch.seen_from(&stage.trunk);
    let answered = from_node.iter().filter(|seen| {
        let to = seen.frame.get(..6);
        to == Some(&target.peer_mac[..])
    });
    match answered.count() {
        0 => Ok(format!(
            "{FLOOD} frames, 0 answered; {} lost, gap {} ms",
            word(&heard, 6),
            word(&heard, 8)
        )),
        some => Err(format!("{some} frames were answered")),
    }
}

fn full(stage: &mut Stage) -> Shown {
    let numbers = ["+49691234001", "+49691234002", "+49691234003"];
    fill(&mut stage.udp, &mut stage.med1, numbers)
}

fn emergency(stage: &mut Stage) -> Shown {
    help(&mut stage.udp, &mut stage.med1)?;
    let table = stage.ask("show calls");
    println!("{table}");
    clear_all(&table, |command| stage.ask(command))?;
    stage.until("show calls", |said| said.lines().count() == 1)?;
    Ok("200, used the reserved call".into())
}

fn failover(stage: &mut Stage) -> Shown {
    // The first server ends: its connections break, new ones are refused.
    let spare = stage.telephone(MED1_SPARE)?;
    drop(std::mem::replace(&mut stage.med1, spare));
    let since = Instant::now();
    let (carrier, server) = (&mut stage.udp, &mut stage.med2);
    let (ours, theirs) = connect(carrier, server, "+49691234001")?;
    let took = since.elapsed();
    let shown = both_hear(carrier, &ours, server, &theirs)?;
    hang_up(carrier, &ours, server, &theirs)?;
    stage.med1 = stage.telephone(MED1)?;
    Ok(format!("the other in {} ms; {shown}", took.as_millis()))
}

/// The cable to the Internet is pulled: the next call goes by the private line.
fn cut(stage: &mut Stage) -> Shown {
    stage.booted.machine.monitor("set_link n1 off")?;
    stage.until("show trunks", |said| {
        let lines = said.lines().filter(|line| line.contains("itsp-"));
        lines.filter(|line| !line.contains(" up")).count() == 2
    })?;
    let shown = whole(
        &mut stage.line,
        &mut stage.med2,
        (Server, Carrier),
        "+4930555200",
    );
    stage.booted.machine.monitor("set_link n1 on")?;
    let shown = shown?;
    let back = stage.until("show trunks", all_up)?;
    Ok(format!("private line, {shown}; back {} s", back.as_secs()))
}

/// The bundle on the plugged volume goes into the other slot, which is booted on
/// trial and kept; a call before and one after.
fn update(stage: &mut Stage) -> Shown {
    let number = "+4940555100";
    whole(&mut stage.tcp, &mut stage.med1, (Server, Carrier), number)?;
    let since = Instant::now();
    let version = format!("{{\"version\":\"{NEXT}\"}}");
    let told = stage.operation("image.activate", &version)?;
    if !told.contains("\"ok\"") {
        return Err(told);
    }
    stage
        .booted
        .says(&format!("SBC-READY version={NEXT} slot=B"))?;
    let took = since.elapsed().as_secs();
    // Connections ended with the machine.
    stage.med1 = again(stage, |stage| &mut stage.med1, MED1_SPARE, MED1)?;
    stage.tcp = again(stage, |stage| &mut stage.tcp, TCP_SPARE, TCP)?;
    stage.until("show trunks", all_up)?;
    stage.until("show mediation", |said| {
        said.lines()
            .any(|line| line.contains("med-1") && line.contains(" up"))
    })?;
    let shown = whole(&mut stage.tcp, &mut stage.med1, (Server, Carrier), number)?;
    let slots = stage.operation("image.list", "{}")?;
    let kept = slots
        .split('{')
        .any(|slot| slot.contains(NEXT) && slot.contains("good"));
    if !kept {
        return Err(format!("{NEXT} is not kept: {slots}"));
    }
    Ok(format!("{NEXT} in {took} s, kept; {shown}"))
}

/// Ends a telephone and starts it again; another stands in meanwhile.
fn again(
    stage: &mut Stage,
    place: fn(&mut Stage) -> &mut Actor,
    spare: Telephone,
    own: Telephone,
) -> Result<Actor, String> {
    let spare = stage.telephone(spare)?;
    drop(std::mem::replace(place(stage), spare));
    stage.telephone(own)
}

fn outside(stage: &mut Stage) -> Shown {
    let seen = stage.switch.seen(INTERNET).len();
    stage.switch.only(INTERNET, |seen| {
        let carried = carried(&seen.frame);
        carried.is_arp() || carried.is_ike() || carried.is(ESP)
    })?;
    Ok(format!("{seen} frames: ARP, IKE, ESP; 0 in clear"))
}

impl Stage {
    /// Returns how many frames left the node so far.
    fn left(&self) -> usize {
        let from = |cable| self.switch.seen_from(cable).len();
        from(&self.trunk) + from(&self.outer)
    }
}
