//! What the scenes of both tiers do with telephones: calls are placed, heard and
//! ended.

use std::time::Duration;

use crate::kit::actor::Actor;

/// How long anything may take that takes a moment on a quiet machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How much of what is heard has to be the tone of the other side.
const CLEAR: f64 = 0.9;

/// Numbers one party gives to a call.
pub type Number = String;

/// Returns a word of a line.
pub fn word(line: &str, place: usize) -> String {
    line.split_whitespace()
        .nth(place)
        .unwrap_or_default()
        .to_owned()
}

/// `from` calls `number`; `to` answers. Returns what each calls the call.
pub fn connect(from: &mut Actor, to: &mut Actor, number: &str) -> Result<(Number, Number), String> {
    from.forget();
    to.forget();
    let placed = from.ask(&format!("call {number}"), "placed")?;
    let ours = word(&placed, 1);
    let end = from.hear(&format!("final {ours} "), PATIENCE)?;
    if word(&end, 2) != "200" {
        return Err(format!("the call to {number} ended in {end:?}"));
    }
    let incoming = to.hear("incoming", PATIENCE)?;
    Ok((ours, word(&incoming, 1)))
}

/// Waits until `who` hears `hertz` on its call; returns its line about it.
pub fn hears(who: &mut Actor, call: &str, hertz: u32) -> Result<String, String> {
    let mut last = String::new();
    for _ in 0..200 {
        last = who.ask(&format!("tone {call} {hertz}"), &format!("tone {call}"))?;
        if word(&last, 2).parse().unwrap_or(0.0) > CLEAR {
            return Ok(last);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{} does not hear {hertz} Hz: {last}", who.name))
}

/// Both hear the tone of the other: 440 Hz of the provider, 880 Hz of the server.
pub fn both_hear(
    carrier: &mut Actor,
    a: &str,
    server: &mut Actor,
    b: &str,
) -> Result<String, String> {
    let at_carrier = hears(carrier, a, 880)?;
    let at_server = hears(server, b, 440)?;
    Ok(format!(
        "880 Hz {:.0} %, 440 Hz {:.0} %",
        word(&at_carrier, 2).parse().unwrap_or(0.0) * 100.0,
        word(&at_server, 2).parse().unwrap_or(0.0) * 100.0
    ))
}

/// `who` hangs up, and `other` hears it.
pub fn hang_up(who: &mut Actor, a: &str, other: &mut Actor, b: &str) -> Result<(), String> {
    who.ask(&format!("bye {a}"), &format!("ended {a} 200"))?;
    other.hear(&format!("bye {b}"), PATIENCE)?;
    Ok(())
}

/// Who places a call, or ends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The provider.
    Carrier,
    /// The Mediation Server.
    Server,
}

/// A call to `number` is placed by one side, heard on both, and ended by one.
pub fn whole(
    carrier: &mut Actor,
    server: &mut Actor,
    (caller, ender): (Side, Side),
    number: &str,
) -> Result<String, String> {
    let (a, b) = if caller == Side::Carrier {
        connect(carrier, server, number)?
    } else {
        let (b, a) = connect(server, carrier, number)?;
        (a, b)
    };
    let shown = both_hear(carrier, &a, server, &b)?;
    if ender == Side::Carrier {
        hang_up(carrier, &a, server, &b)?;
    } else {
        hang_up(server, &b, carrier, &a)?;
    }
    Ok(shown)
}

/// Two of three calls are for everybody; the third is refused, and says when to come
/// again. Both stay up.
pub fn fill(carrier: &mut Actor, server: &mut Actor, numbers: [&str; 3]) -> Result<String, String> {
    let [first, second, third] = numbers;
    for number in [first, second] {
        connect(carrier, server, number)?;
    }
    let placed = carrier.ask(&format!("call {third}"), "placed")?;
    let call = word(&placed, 1);
    let end = carrier.hear(&format!("final {call} "), PATIENCE)?;
    if word(&end, 2) != "503" || word(&end, 3).is_empty() {
        return Err(format!(
            "the third call ended in {end:?}, not 503 with Retry-After"
        ));
    }
    Ok(format!("503, Retry-After: {} s", word(&end, 3)))
}

/// The call that is kept for emergencies goes through at a full trunk.
pub fn help(carrier: &mut Actor, server: &mut Actor) -> Result<(), String> {
    let placed = server.ask("call 112", "placed")?;
    let call = word(&placed, 1);
    carrier.hear("incoming", PATIENCE)?;
    let end = server.hear(&format!("final {call} "), PATIENCE)?;
    if word(&end, 2) != "200" {
        return Err(format!("112 ended in {end:?}"));
    }
    Ok(())
}

/// Clears every call of the table that `show calls` gave, by `ask`.
pub fn clear_all(table: &str, ask: impl Fn(&str) -> String) -> Result<(), String> {
    for line in table.lines().skip(1) {
        let number = word(line, 0);
        let clear = format!("clear call {}", number.trim_end_matches('!'));
        let answer = ask(&clear);
        if !answer.contains("cleared") {
            return Err(format!("{clear}: {answer}"));
        }
    }
    Ok(())
}
