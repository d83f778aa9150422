//! Certificates at the console: a request goes out as PEM to copy, what an
//! authority made of it is pasted and handed to the node.

use serde_json::{Map, Value, json};

use super::ask::Unanswered;
use super::session::Session;
use super::table::{certificates_of, moment};
use super::{clean, terminal};

/// Octets that are taken from a paste; the node takes less, and says so.
const PASTE_MAX: u64 = 32 * 1024;

type Words = Map<String, Value>;

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn is(value: &Value, field: &str) -> bool {
    value.get(field) == Some(&Value::Bool(true))
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    let all = value.get(field).and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_str);
    all.map(clean).collect()
}

/// Every problem has a line of its own.
fn said(why: &Unanswered) -> String {
    why.to_string().replace("; SBC-", "\nSBC-")
}

/// Asks the node for a new key and its request, and shows the request.
pub fn request(session: &mut Session, operation: &str, words: &Words) -> Result<String, String> {
    let mut asked = words.clone();
    if let Some(Value::String(subject)) = asked.get_mut("subject") {
        *subject = subject.trim_matches(['"', '\'']).to_owned();
    }
    let made = session.client.ask(operation, &Value::Object(asked));
    let made = made.map_err(|why| said(&why))?;
    let name = clean(text(&made, "certificate"));
    let mut out = format!("subject  {}\n", clean(text(&made, "subject")));
    for name in texts(&made, "names") {
        out.push_str(&format!("name     {name}\n"));
    }
    out.push_str(text(&made, "request"));
    if is(&made, "replaced") {
        out.push_str("The request before it is over: its key is forgotten.\n");
    }
    out.push_str(&format!(
        "Have it signed, then 'request certificate import {name}'.\n"
    ));
    if !is(&made, "named") {
        let (chain, key) = (text(&made, "chain"), text(&made, "key"));
        out.push_str("The configuration does not name it yet:\n");
        out.push_str(&format!(
            "  set certificate {name} chain {}\n",
            clean(chain)
        ));
        out.push_str(&format!(
            "  set certificate {name} key secret {}\n",
            clean(key)
        ));
    }
    Ok(out)
}

/// Takes pasted PEM, and says what became of it.
pub fn import(session: &mut Session, operation: &str, words: &Words) -> Result<String, String> {
    let pem = terminal::paste("certificates in PEM", PASTE_MAX);
    let pem = pem.map_err(|error| error.to_string())?;
    let mut asked = words.clone();
    asked.insert("pem".to_owned(), json!(pem));
    let kept = session.client.ask(operation, &Value::Object(asked));
    let kept = kept.map_err(|why| said(&why))?;
    let mut out = format!(
        "{} octets, kept as {}\n",
        pem.len(),
        clean(text(&kept, "name"))
    );
    out.push_str(&certificates_of(&kept));
    if is(&kept, "new_key") {
        out.push_str("The new key is in use from now on; the old one is forgotten.\n");
    }
    let tunnels = texts(&kept, "tunnels").join(" ");
    if !tunnels.is_empty() {
        let when = if is(&kept, "told") {
            "with the next association"
        } else {
            "with the next commit or start"
        };
        out.push_str(&format!("Tunnels that show it {when}: {tunnels}\n"));
    }
    let set = texts(&kept, "set");
    if !set.is_empty() {
        out.push_str("The configuration does not name it yet:\n");
    }
    for line in set {
        out.push_str(&format!("  {line}\n"));
    }
    Ok(out)
}

/// Returns the day of a moment.
pub fn day(secs: u64) -> String {
    moment(secs).get(..10).unwrap_or_default().to_owned()
}
