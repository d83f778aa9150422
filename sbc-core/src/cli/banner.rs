//! What stands above the first prompt: what the node says of itself comes in, two
//! lines for people go out. What the node does not answer in time is left out.

use serde_json::{Value, json};

use super::session::Session;

/// Returns the lines.
pub fn text(session: &mut Session) -> String {
    let hello = session.client.hello.clone();
    let word = |field| {
        let value = hello.get(field).and_then(Value::as_str);
        super::clean(value.unwrap_or_default())
    };
    let mut out = format!("SBC {}  {}", word("version"), word("node"));
    if let Ok(up) = session.client.ask("system.uptime", &Value::Null) {
        let secs = up.get("node_secs").and_then(Value::as_u64).unwrap_or(0);
        out.push_str(&format!("  up {}", span(secs)));
    }
    if let Ok(peers) = session.client.ask("peers.list", &Value::Null) {
        out.push_str(&calls_and_trunks(&peers));
    }
    if let Ok(alarms) = session.client.ask("alarms.list", &json!({})) {
        out.push_str(&worst(&alarms));
    }
    let mut out = fitting(&out);
    out.push_str("'?' help, 'menu' if lost.\n");
    out
}

/// A name may be long: then the line goes on below.
fn fitting(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for part in line.split("  ") {
        if column > 0 && column + 2 + part.len() > super::pager::COLUMNS {
            out.push_str("\n ");
            column = 1;
        } else if column > 0 {
            out.push_str("  ");
            column += 2;
        }
        out.push_str(part);
        column += part.len();
    }
    out.push('\n');
    out
}

fn span(secs: u64) -> String {
    let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
    format!("{days}d {hours:02}:{minutes:02}")
}

fn calls_and_trunks(peers: &Value) -> String {
    let trunks = || {
        let all = peers.as_array().into_iter().flatten();
        all.filter(|peer| peer["kind"] == "trunk")
    };
    let sum = |field: &str| {
        let each = trunks().filter_map(|peer| peer.get(field).and_then(Value::as_u64));
        each.sum::<u64>()
    };
    let up = trunks().filter(|peer| peer["state"] == "up").count();
    format!(
        "  calls {}/{}  trunks {up}/{}",
        sum("active"),
        sum("limit"),
        trunks().count()
    )
}

fn worst(alarms: &Value) -> String {
    let all = alarms.as_array().map_or(&[][..], Vec::as_slice);
    let severity = ["critical", "major", "minor", "warning"]
        .into_iter()
        .find(|word| all.iter().any(|alarm| alarm["severity"] == *word));
    match severity {
        Some(word) => {
            let count = all.iter().filter(|alarm| alarm["severity"] == word);
            format!("  alarms {} {word}", count.count())
        }
        None => "  alarms none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_alarms_are_counted_and_a_long_line_goes_on_below() {
        let alarms = json!([{"severity": "minor"}, {"severity": "major"}, {"severity": "major"}]);
        assert_eq!(worst(&alarms), "  alarms 2 major");
        assert_eq!(worst(&json!([])), "  alarms none");
        let long = fitting(&format!(
            "SBC 0.1.0  {}  up 0d 00:00  calls 0/3",
            "x".repeat(62)
        ));
        assert!(long.lines().all(|line| line.len() <= 80) && long.lines().count() == 2);
        let peers = json!([{"kind": "trunk", "state": "up", "active": 2, "limit": 5}, {"kind": "mediation", "active": 2, "limit": 9}]);
        assert_eq!(calls_and_trunks(&peers), "  calls 2/5  trunks 1/1");
    }
}
