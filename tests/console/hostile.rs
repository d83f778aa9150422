//! Peers that send what steers a terminal or a browser: none of it leaves the
//! node as it came, by any door.

use std::time::Duration;

use super::node::Node;
use super::peer::{Carrier, server};

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
    let mut asked = vec![
        "show calls".to_owned(),
        "show call history".to_owned(),
        "show cdr".to_owned(),
        "show audit last 100".to_owned(),
        "show alarms history".to_owned(),
        "request support bundle".to_owned(),
    ];
    for call in calls {
        for what in [
            "",
            " messages",
            " media",
            " reveal",
            " export text",
            " export svg",
            " export json",
            " | json",
        ] {
            asked.push(format!("show call {call}{what}"));
        }
    }
    let mut with_refusal = 0;
    for line in asked {
        let output = node.asks(&line);
        for octets in [&output.stdout, &output.stderr] {
            assert_eq!(raw_controls(octets), None, "{line}");
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        with_refusal += usize::from(text.contains("alert(1)"));
        if line.ends_with("svg") {
            assert!(!text.contains("<script"), "{line}: {text}");
        }
    }
    // The words were there to be seen.
    assert!(with_refusal >= 3, "{with_refusal}");
    for file in ["node.log", "cdr.jsonl", "state/audit.jsonl"] {
        let octets = std::fs::read(node.folder.join(file)).unwrap();
        assert_eq!(raw_controls(&octets), None, "{file}");
    }
}
