//! The network as tables: JSON comes in, lines of at most 80 ASCII columns go out.

use std::fmt::Write as _;

use serde_json::Value;

use super::table::{moment, number, short, text, time};

/// Columns of a line.
const WIDTH: usize = 80;

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn some(row: &Value, field: &str) -> Option<u64> {
    row.get(field).and_then(Value::as_u64)
}

fn optional(row: &Value, field: &str, say: impl Fn(u64) -> String) -> String {
    some(row, field).map_or_else(|| "-".to_owned(), say)
}

/// Adds `text` in lines that begin with `first`, then with as many spaces.
fn wrapped(out: &mut String, first: &str, text: &str) {
    let indent = " ".repeat(first.len());
    let (mut line, mut begun) = (first.to_owned(), false);
    for word in text.split_whitespace() {
        let mut rest = word;
        loop {
            let gap = usize::from(begun);
            let room = WIDTH.saturating_sub(line.len() + gap);
            if rest.len() <= room {
                line.push_str(" ".get(..gap).unwrap_or_default());
                line.push_str(rest);
                begun = true;
                break;
            }
            if !begun {
                // A word that is longer than a line is cut.
                let (head, tail) = rest.split_at(room);
                line.push_str(head);
                rest = tail;
            }
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&indent);
            begun = false;
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Returns a rate, as in `1.11 Mbit/s`: at most twelve columns.
fn rate(bits: u64) -> String {
    let (unit, word) = match bits {
        0..1_000_000 => (1_000, "kbit/s"),
        1_000_000..1_000_000_000 => (1_000_000, "Mbit/s"),
        _ => (1_000_000_000, "Gbit/s"),
    };
    let (whole, rest) = (bits / unit, bits % unit);
    if whole < 100 && unit > 1_000 {
        return format!("{whole}.{:02} {word}", rest * 100 / unit);
    }
    format!("{}.{} {word}", whole.min(9999), rest * 10 / unit)
}

/// Returns `show tunnels`.
pub fn tunnels(value: &Value) -> String {
    let mut out = String::from(
        "TUNNEL           STATE REMOTE                     SINCE     NEW KEYS IN  DOWNS\n",
    );
    for row in each(value) {
        let _infallible = writeln!(
            out,
            "{:<16} {:<5} {:<26} {:<9} {:<12} {}",
            short(&text(row, "name"), 16),
            short(&text(row, "state"), 5),
            short(&text(row, "remote"), 26),
            optional(row, "since_secs", time),
            optional(row, "rekey_secs", time),
            number(row, "downs"),
        );
        let told = format!("{}, {}", text(row, "auth"), text(row, "suite"));
        wrapped(&mut out, "  ", &told);
        for (way, packets, octets) in [
            ("in ", "packets_in", "octets_in"),
            ("out", "packets_out", "octets_out"),
        ] {
            let (packets, octets) = (number(row, packets), number(row, octets));
            let told = format!("{packets} packets, {octets} octets");
            wrapped(&mut out, &format!("  {way} "), &told);
        }
        if let Some(until) = some(row, "certificate_until") {
            let _infallible = writeln!(out, "  certificates hold until {} UTC", moment(until));
        }
        let why = text(row, "why");
        if !why.is_empty() {
            wrapped(&mut out, "  ", &why);
        }
    }
    out
}

/// Returns `show log debug`.
pub fn debugged(value: &Value) -> String {
    let mut out = String::from("LOOKED AT                        ENDS IN   LINES\n");
    for row in each(value) {
        let _infallible = writeln!(
            out,
            "{:<32} {:<9} {}",
            short(&text(row, "of"), 32),
            optional(row, "ends_secs", time),
            number(row, "lines"),
        );
    }
    out
}

/// Returns `show syslog`.
pub fn syslog(value: &Value) -> String {
    let mut out = String::from(
        "COLLECTOR    TARGET                     BY  STATE SINCE     SENT     WAIT  CUT\n",
    );
    for row in each(value) {
        let _infallible = writeln!(
            out,
            "{:<12} {:<26} {:<3} {:<5} {:<9} {:<8} {:<5} {}",
            short(&text(row, "name"), 12),
            short(&text(row, "target"), 26),
            text(row, "transport"),
            text(row, "state"),
            optional(row, "since_secs", time),
            number(row, "sent"),
            number(row, "waiting"),
            number(row, "cut"),
        );
        let why = text(row, "why");
        if !why.is_empty() {
            wrapped(&mut out, "  ", &why);
        }
    }
    out
}

/// Returns `show clock`.
pub fn clock(value: &Value) -> String {
    let mut out = String::new();
    let lines = [
        ("utc", text(value, "utc")),
        ("epoch secs", number(value, "epoch_secs").to_string()),
        ("timezone", text(value, "timezone")),
        ("state", text(value, "state")),
        ("since", time(number(value, "since_secs"))),
        ("offset ms", millis(value, "offset_us")),
    ];
    for (name, value) in lines {
        let _infallible = writeln!(out, "{name:<20} {value}");
    }
    let why = text(value, "why");
    if !why.is_empty() {
        wrapped(&mut out, "why                  ", &why);
    }
    let servers = value.get("servers").map(each).into_iter().flatten();
    for (at, row) in servers.enumerate() {
        if at == 0 {
            out.push_str("SERVER               STATE   STR    OFFSET MS   DELAY MS  REACH HEARD     STRAYS\n");
        }
        let _infallible = writeln!(
            out,
            "{:<20} {:<7} {:<3} {:>12} {:>10}  {:<5} {:<9} {}",
            short(&text(row, "server"), 20),
            text(row, "state"),
            optional(row, "stratum", |stratum| stratum.to_string()),
            millis(row, "offset_us"),
            millis(row, "delay_us"),
            text(row, "reach"),
            optional(row, "heard_secs", time),
            number(row, "strays"),
        );
        let why = text(row, "why");
        if !why.is_empty() {
            wrapped(&mut out, "  ", &why);
        }
    }
    out
}

/// Microseconds as milliseconds with three digits behind the point.
fn millis(row: &Value, field: &str) -> String {
    let Some(micros) = row.get(field).and_then(Value::as_i64) else {
        return "-".to_owned();
    };
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:03}", micros / 1000, micros % 1000)
}

/// Returns `show interfaces`.
pub fn interfaces(value: &Value) -> String {
    let mut out =
        String::from("INTERFACE        LINK            STATE       ZONE        MTU   ADDRESSES\n");
    for row in each(value) {
        let addresses = row.get("addresses").map(each).into_iter().flatten();
        let addresses: Vec<&str> = addresses.filter_map(Value::as_str).collect();
        let first = format!(
            "{:<16} {:<15} {:<11} {:<11} {:<5} ",
            short(&text(row, "name"), 16),
            short(&text(row, "link"), 15),
            text(row, "state"),
            short(&text(row, "zone"), 11),
            number(row, "mtu"),
        );
        match addresses.split_first() {
            Some((one, more)) if first.len() + one.len() <= WIDTH => {
                let _infallible = writeln!(out, "{first}{one}");
                more.iter().for_each(|one| wrapped(&mut out, "  ", one));
            }
            _ => {
                let _infallible = writeln!(out, "{}", first.trim_end());
                addresses
                    .iter()
                    .for_each(|one| wrapped(&mut out, "  ", one));
            }
        }
        wrapped(&mut out, "  ", &text(row, "kind"));
        for (way, packets, octets, dropped, errors) in [
            ("in ", "packets_in", "octets_in", "dropped_in", "errors_in"),
            (
                "out",
                "packets_out",
                "octets_out",
                "dropped_out",
                "errors_out",
            ),
        ] {
            let told = format!(
                "{} packets, {} octets, {} dropped, {} errors",
                number(row, packets),
                number(row, octets),
                number(row, dropped),
                number(row, errors),
            );
            wrapped(&mut out, &format!("  {way} "), &told);
        }
    }
    out
}

/// Returns `show isolation`.
pub fn isolation(value: &Value) -> String {
    let mut out = format!("The fence is {}.\n", text(value, "fence"));
    for differs in value.get("differs").map(each).into_iter().flatten() {
        wrapped(&mut out, "  ", differs.as_str().unwrap_or_default());
    }
    let (mut chain, mut sentence) = (String::new(), String::new());
    for row in value.get("rules").map(each).into_iter().flatten() {
        let here = format!("{}: {}", text(row, "table"), text(row, "chain"));
        if here != chain {
            sentence.clear();
            wrapped(&mut out, "", &here);
            chain = here;
        }
        let enforces = text(row, "enforces");
        if enforces != sentence {
            wrapped(&mut out, "  # ", &enforces);
            sentence = enforces;
        }
        let packets = optional(row, "packets", |packets| packets.to_string());
        wrapped(&mut out, &format!("{packets:>12}  "), &text(row, "rule"));
    }
    out.push_str("Numbers are packets of a counter; several rules may share one.\n");
    out
}

/// Returns `show isolation counters`.
pub fn counters(value: &Value) -> String {
    let mut out = String::from("TABLE                COUNTER                       PACKETS\n");
    for row in each(value) {
        let _infallible = writeln!(
            out,
            "{:<20} {:<29} {}",
            short(&text(row, "table"), 20),
            short(&text(row, "counter"), 29),
            number(row, "packets"),
        );
    }
    out
}

/// Returns `show bandwidth`.
pub fn bandwidth(value: &Value) -> String {
    let mut out =
        String::from("TRUNK            CALLS     A CALL       CALLS TAKE   LIMIT TAKES  PATH\n");
    for row in each(value) {
        let limit = optional(row, "limit", |limit| limit.to_string());
        let _infallible = writeln!(
            out,
            "{:<16} {:<9} {:<12} {:<12} {:<12} {}",
            short(&text(row, "trunk"), 16),
            format!("{}/{limit}", number(row, "calls")),
            rate(number(row, "call_bits")),
            rate(number(row, "calls_bits")),
            optional(row, "limit_bits", rate),
            optional(row, "path_bits", rate),
        );
        let told = format!(
            "{}: sent {}, received {} in the last second",
            text(row, "via"),
            optional(row, "sent_bits", rate),
            optional(row, "received_bits", rate),
        );
        wrapped(&mut out, "  ", &told);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bandwidth, interfaces, isolation, rate, tunnels, wrapped};

    #[test]
    fn long_lines_are_wrapped_at_eighty_columns_and_long_words_cut() {
        let mut out = String::new();
        wrapped(&mut out, "  # ", &"word ".repeat(30));
        wrapped(&mut out, "", &"x".repeat(200));
        wrapped(&mut out, "", "");
        assert!(out.lines().all(|line| line.len() <= 80), "{out}");
        assert_eq!(out.matches('x').count(), 200);
        assert_eq!(out.matches("word").count(), 30);
        assert!(
            out.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("    word"))
        );
    }

    #[test]
    fn a_rate_is_told_in_its_unit() {
        assert_eq!(rate(111_200), "111.2 kbit/s");
        assert_eq!(rate(5_560_000), "5.56 Mbit/s");
        assert_eq!(rate(100_000_000), "100.0 Mbit/s");
        assert_eq!(rate(2_500_000_000), "2.50 Gbit/s");
    }

    #[test]
    fn the_largest_numbers_and_names_fit_eighty_columns() {
        let most = u64::MAX;
        let name = "n".repeat(31);
        let row = json!([{
            "name": name, "trunk": name, "link": "l".repeat(15), "kind": "k".repeat(120),
            "state": "no carrier", "zone": "management", "mtu": 65535, "via": format!("tunnel:{name}"),
            "addresses": ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128", "10.0.0.1/24"],
            "remote": "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "auth": format!("certificate {name}"),
            "suite": "aes256gcm16-prfsha384-ecp384", "why": "y ".repeat(120),
            "since_secs": 99_999_999, "rekey_secs": 99_999, "downs": 99_999, "certificate_until": 4_000_000_000_u64,
            "packets_in": most, "octets_in": most, "packets_out": most, "octets_out": most,
            "dropped_in": most, "dropped_out": most, "errors_in": most, "errors_out": most,
            "calls": 9999, "limit": 9999, "call_bits": 111_200, "calls_bits": 999_999_999,
            "limit_bits": 999_999_999, "path_bits": 999_999_999, "sent_bits": 999_999_999,
        }]);
        let fence = json!({"fence": "broken", "differs": ["d ".repeat(100)], "rules": [
            {"table": "inet sbc", "chain": "input", "rule": "r ".repeat(90), "enforces": "e ".repeat(90), "packets": most},
            {"table": "inet sbc", "chain": "input", "rule": "drop", "enforces": "e ".repeat(90), "packets": null},
        ]});
        for shown in [
            tunnels(&row),
            interfaces(&row),
            bandwidth(&row),
            isolation(&fence),
        ] {
            for line in shown.lines() {
                assert!(line.len() <= 80 && line.is_ascii(), "{line}");
            }
        }
    }
}
