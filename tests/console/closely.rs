//! Calls that are looked at closely: what the diary says of their messages.

use std::time::Duration;

use super::node::Node;
use super::peer::{Carrier, server};

const SOON: Duration = Duration::from_secs(20);

/// Returns the lines of the diary about messages.
fn messages(node: &Node) -> Vec<String> {
    let told = node.answer("show log last 500");
    let told = told.replace("\n  ", " ");
    let lines = told.lines().filter(|line| line.contains("DEBUG"));
    lines.map(str::to_owned).collect()
}

#[test]
fn calls_of_a_peer_or_number_are_in_the_diary_until_they_are_no_longer_asked_for() {
    let net = 81;
    server(net, "486 Busy Here");
    let carrier = Carrier::open(net);
    let node = Node::start("closely", net);
    assert_eq!(carrier.calls("before", "+49691234567", b""), 486);
    assert_eq!(messages(&node), [""; 0]);
    let said = node.answer("set log debug peer itsp-a for 2");
    assert!(said.contains("for 2 min"), "{said}");
    assert!(
        node.answer("set log debug number +49691239999")
            .contains("15 min")
    );
    assert!(
        node.answer("set log debug peer nobody")
            .contains("SBC-3003")
    );
    assert!(node.answer("set log debug call 4711").contains("SBC-3003"));
    let listed = node.answer("show log debug");
    assert!(
        listed.contains("peer itsp-a") && listed.contains("number ..99"),
        "{listed}"
    );
    assert!(!listed.contains("49691239999"), "{listed}");
    assert_eq!(carrier.calls("during", "+49691234567", b""), 486);
    node.until(SOON, |node| {
        let lines = messages(node);
        let says = |what: &str| lines.iter().any(|line| line.contains(what));
        // Both legs, both ways: the request and what was answered.
        says("what=\"INVITE\"") && says("what=\"486\"") && says("side=\"b\" way=\"out\"")
    });
    let whole = messages(&node).join("\n");
    assert!(
        !whole.contains("+49691234567") && !whole.contains("69123"),
        "{whole}"
    );
    assert!(whole.contains("m=audio"), "{whole}");
    let audit = node.answer("show audit last 50 | json");
    assert!(
        audit.contains("debug.set") && !audit.contains("49691239999"),
        "{audit}"
    );
    assert!(node.answer("clear log debug").contains("2 ended"));
    let before = messages(&node).len();
    assert_eq!(carrier.calls("after", "+49691234567", b""), 486);
    node.until(SOON, |node| {
        node.answer("show cdr | json").matches("\"call\"").count() >= 3
    });
    assert_eq!(messages(&node).len(), before);
}
