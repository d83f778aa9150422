//! Peers that send what steers a terminal or a browser: none of it leaves the
//! node as it came, by any door.

use std::time::Duration;

use sbc_core::cli::grammar::{Mode, ROWS};
use sbc_sip::wire::Name;

use super::node::Node;
use super::peer::{Carrier, server};
use super::shows::commands;

const SOON: Duration = Duration::from_secs(30);

/// Everything but the ends of lines.
fn raw_controls(octets: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(octets);
    let odd = text.chars().position(|c| c.is_control() && c != '\n')?;
    let around: String = text.chars().skip(odd.saturating_sub(40)).take(80).collect();
    Some(format!("{around:?}"))
}

#[test]
fn nothing_a_peer_says_leaves_the_node_as_a_control_character() {
    let net = 48;
    server(net, "486 </text><script>alert(1)</script> \u{202e}\u{e9}");
    let node = Node::start("hostile", net);
    let carrier = Carrier::open(net);
    let hostile: [&[u8]; 6] = [
        b"User-Agent: \x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\r\n",
        b"Subject: a\x00b\x7f\xc2\x9b31m\xff\xfe\r\n",
        b"X-Evil: one\r two\n three\r\n",
        b"Subject: \"\r\n\x1b[31m folded\"\r\n",
        b"P-Asserted-Identity: \"\x1b[31m</text><script>\" <sip:\x1b@evil>\r\n",
        b"Reason: Q.850;cause=16;text=\"\x1b[2J<script>\x08\x08\"\r\n",
    ];
    for (at, extra) in hostile.iter().enumerate() {
        // Each is refused, as no message or by the called side; none is taken as
        // something else.
        let code = carrier.calls(&format!("evil{at}"), "+49691234567", extra);
        assert!(matches!(code, 0 | 400 | 486), "{at}: {code}");
    }
    assert_eq!(carrier.calls("good", "+49691234567", b""), 486);
    node.until(SOON, |node| {
        node.answer("show call history").contains(" 486 ")
    });
    let history = node.answer("show call history | json");
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    let calls: Vec<u64> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["call"].as_u64().unwrap())
        .collect();
    assert!(!calls.is_empty());
    let with_words = everything_is_clean(&node, &calls);
    // The words were there to be seen.
    assert!(with_words >= 3, "{with_words}");
}

/// Looks at every answer the grammar has, at each of these calls by every row that
/// shows one, and at every file. Returns how many answers had the words.
fn everything_is_clean(node: &Node, calls: &[u64]) -> usize {
    let rows = ROWS.iter().filter(|row| row.mode == Mode::Operational);
    let shows = rows.filter(|row| row.syntax.starts_with("show "));
    let mut asked = vec!["request support bundle".to_owned()];
    for row in shows {
        for line in commands(row.syntax, "CALL") {
            if line.contains("CALL") {
                let each = calls.iter().map(ToString::to_string);
                asked.extend(each.map(|call| line.replace("CALL", &call)));
            } else {
                asked.push(line);
            }
        }
    }
    let mut with_words = 0;
    for line in asked
        .iter()
        .flat_map(|line| [line.clone(), format!("{line} | json")])
    {
        let output = node.asks(&line);
        for octets in [&output.stdout, &output.stderr] {
            assert_eq!(raw_controls(octets), None, "{line}");
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        with_words += usize::from(text.contains("alert(1)"));
        if line.ends_with("svg") {
            assert!(!text.contains("<script"), "{line}: {text}");
        }
    }
    let mut folders = vec![node.folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let octets = std::fs::read(&path).unwrap();
                assert_eq!(raw_controls(&octets), None, "{}", path.display());
            }
        }
    }
    with_words
}

/// The node reads every header by its name, so each has a way of its own in; what
/// stands behind a backslash in quotes passes the wire (RFC 3261 §25.1).
#[test]
fn no_header_by_whatever_name_brings_a_control_character_or_markup_out() {
    let net = 63;
    let quoted = "\"\\\x1b[2J\\\x07</text><script>alert(1)</script>\" <sip:\u{9b}31m@evil>";
    let names: Vec<&str> = Name::every().map(Name::canonical).collect();
    assert!(names.len() > 90, "{names:?}");
    // The called side says them as well, in its refusal.
    let said: String = names
        .iter()
        .filter(|name| !["Via", "From", "To", "Call-ID", "CSeq", "Content-Length"].contains(name))
        .take(80)
        .map(|name| format!("\r\n{name}: {quoted}"))
        .collect();
    let refusal = format!("486 \u{9b}31m</text><script>alert(1)</script>{said}");
    server(net, Box::leak(refusal.into_boxed_str()));
    let node = Node::start("hostile-headers", net);
    let carrier = Carrier::open(net);
    let soon = Duration::from_millis(300);
    let mut heard = std::collections::BTreeMap::new();
    for (at, name) in names.iter().chain(&["X-Evil", "x"]).enumerate() {
        for (way, value) in [
            quoted.as_bytes(),
            b"\x1b[2J<script>alert(1)</script>\x00\x7f\xc2\x9b31m\xff",
            b"a\rInjected: yes\nb\r\n c",
        ]
        .into_iter()
        .enumerate()
        {
            let extra = [name.as_bytes(), b": ", value, b"\r\n"].concat();
            let code = carrier.calls_within(soon, &format!("h{at}w{way}"), "+49691234567", &extra);
            *heard.entry(code).or_insert(0) += 1;
        }
    }
    println!("answers by their code: {heard:?}");
    let taken = heard.get(&486).copied().unwrap_or(0);
    assert!(taken > names.len() / 2, "{heard:?}");
    // Records are written a moment after their calls.
    let ended = |node: &Node| {
        let history = node.answer("show call history last 500 | json");
        let history: serde_json::Value = serde_json::from_str(&history).unwrap();
        let rows = history.as_array().unwrap().iter();
        rows.map(|row| row["call"].as_u64().unwrap())
            .collect::<Vec<u64>>()
    };
    node.until(SOON, |node| ended(node).len() >= taken);
    let calls = ended(&node);
    // Each kind of answer by each tenth call, and by the last.
    let some: Vec<u64> = calls.iter().step_by(10).copied().collect();
    let with_words = everything_is_clean(&node, &some);
    assert!(with_words > some.len(), "{with_words}");
}
