//! The firmware's slots as the console shows and changes them: whoever looks
//! after them on the appliance is asked, after the node wrote down who asks.

use std::path::Path;

use serde_json::{Value, json};

use super::ask::Client;
use super::session::Session;
use super::table::raw;

/// Where the appliance answers questions about its slots.
const SOCKET: &str = "/run/sbc/firmware";

fn ask(operation: &str, arguments: &Value) -> Result<Value, String> {
    let mut client = Client::open(Path::new(SOCKET))
        .map_err(|_| "SBC-3009: this machine has no slots: it is no appliance".to_owned())?;
    let answer = client.ask(operation, arguments);
    answer.map_err(|why| why.to_string())
}

/// The same, once the node has written down who wants it.
fn noted(session: &mut Session, operation: &str, arguments: &Value) -> Result<Value, String> {
    let note = json!({ "what": format!("{operation} {arguments}") });
    let asked = session.client.ask("machine.note", &note);
    asked.map_err(|why| why.to_string())?;
    ask(operation, arguments)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or("-")
}

/// Returns `show image`.
pub fn list(as_json: bool) -> Result<String, String> {
    let told = ask("image.list", &Value::Null)?;
    Ok(if as_json { raw(&told) } else { table(&told) })
}

fn table(told: &Value) -> String {
    let mut out = String::from("SLOT  VERSION     STATE             RUNS\n");
    let slots = told.get("slots").and_then(Value::as_array);
    for slot in slots.into_iter().flatten() {
        let runs = slot.get("running") == Some(&Value::Bool(true));
        out.push_str(&super::clean(&format!(
            "{:<5} {:<11} {:<17} {}",
            text(slot, "slot"),
            text(slot, "version"),
            text(slot, "state"),
            if runs { "yes" } else { "no" }
        )));
        out.push('\n');
    }
    let floor = super::clean(text(told, "floor"));
    out.push_str(&format!("lowest version that is taken: {floor}\n"));
    let volume = told.get("volume").unwrap_or(&Value::Null);
    let line = if volume.is_null() {
        "no volume SBCUPDATE is plugged in".to_owned()
    } else if volume.get("code").is_some() {
        format!(
            "volume: {}: {}",
            text(volume, "code"),
            text(volume, "message")
        )
    } else {
        format!("volume: {}", of_bundle(volume))
    };
    out.push_str(&super::clean(&line));
    out.push('\n');
    out
}

fn of_bundle(bundle: &Value) -> String {
    let octets = bundle.get("octets").and_then(Value::as_u64).unwrap_or(0);
    let (version, key) = (text(bundle, "version"), text(bundle, "key"));
    format!("{version}, signed by {key}, {octets} octets")
}

/// Looks at the whole bundle.
pub fn verify(session: &mut Session) -> Result<String, String> {
    let told = noted(session, "image.verify", &json!({}))?;
    Ok(format!("whole: {}\n", super::clean(&of_bundle(&told))))
}

/// Installs the bundle of this version.
pub fn activate(session: &mut Session, version: &str) -> Result<String, String> {
    let told = noted(session, "image.activate", &json!({ "version": version }))?;
    let (slot, version) = (text(&told, "slot"), text(&told, "version"));
    Ok(super::clean(&format!(
        "{version} is in slot {slot}, signed by {}; the machine restarts with it",
        text(&told, "key")
    )) + "\n")
}

/// Goes back to the other slot.
pub fn rollback(session: &mut Session) -> Result<String, String> {
    super::deeds::agreed(session, "rollback")?;
    let told = noted(session, "image.rollback", &json!({}))?;
    let (slot, version) = (text(&told, "slot"), text(&told, "version"));
    let line = format!("the machine restarts with {version} of slot {slot}");
    Ok(super::clean(&line) + "\n")
}

/// Erases everything but the firmware. The last hash of the audit log, which goes with
/// it, is said before: whoever keeps it can tell a copy that was altered.
pub fn reset(session: &mut Session, serial: &str) -> Result<String, String> {
    let audit = session.client.ask("audit.verify", &Value::Null);
    let audit = audit.map_err(|why| why.to_string())?;
    let head = super::clean(text(&audit, "head"));
    println!("the audit log that goes ends with\n{head}");
    noted(session, "factory.reset", &json!({ "serial": serial }))?;
    Ok("the machine restarts and forgets everything but its firmware\n".to_owned())
}

/// Returns the lines of the boot before this one, or the answer itself.
pub fn previous(as_json: bool) -> Result<String, String> {
    let told = ask("image.previous", &Value::Null)?;
    if as_json {
        return Ok(super::table::raw(&told));
    }
    let lines = told.get("lines").and_then(Value::as_array);
    let lines = lines.into_iter().flatten().filter_map(Value::as_str);
    Ok(lines.map(|line| super::clean(line) + "\n").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_a_table_of_eighty_columns() {
        let told = json!({
            "slots": [
                {"slot": "A", "version": "0.1.0", "state": "good", "running": true},
                {"slot": "B", "version": null, "state": "empty", "running": false},
            ],
            "floor": "0.1.0",
            "volume": {"version": "0.2.0", "key": "2026-1", "octets": 34_000_000},
        });
        let text = table(&told);
        assert_eq!(
            text,
            "SLOT  VERSION     STATE             RUNS\n\
             A     0.1.0       good              yes\n\
             B     -           empty             no\n\
             lowest version that is taken: 0.1.0\n\
             volume: 0.2.0, signed by 2026-1, 34000000 octets\n"
        );
        assert!(text.lines().all(|line| line.len() <= 80));
    }
}
