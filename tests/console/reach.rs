//! Whether somebody is there: peers asked for their options, hosts for an echo.

use std::time::Duration;

use super::node::Node;
use super::peer::{Carrier, server};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_peer_is_asked_for_its_options_at_once() {
    let net = 54;
    server(net, "486 Busy Here");
    let carrier = Carrier::open(net);
    let node = Node::start("options", net);
    // The first of all is asked by the node itself.
    assert!(carrier.answers_options(SOON));
    let said = node.answer("test options med-1");
    assert!(said.contains("answered             true"), "{said}");
    assert!(said.contains("state                up"), "{said}");
    // Nobody answers for the provider now.
    let said = node.answer("test options itsp-a | json");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["answered"], &said["options_ms"]),
        (&false.into(), &serde_json::Value::Null)
    );
    assert!(node.answer("test options nobody").contains("SBC-3003"));
    assert!(node.answer("show audit").contains("peers.ask peer=med-1"));
}

#[test]
fn a_host_is_asked_for_an_echo() {
    let node = Node::start("echo", 55);
    let said = node.answer("ping 127.0.0.1 count 2");
    if said.contains("ermission") || said.contains("not permitted") {
        sbc_tests::skip(
            "a_host_is_asked_for_an_echo",
            "no ICMP socket for this user",
        );
        return;
    }
    assert!(said.contains("127.0.0.1 answers, "), "{said}");
    assert!(said.contains("2 of 2 answered"), "{said}");
    let said = node.answer("traceroute 127.0.0.1");
    assert!(
        said.contains("there: 1 hops") || said.contains("may not hear"),
        "{said}"
    );
    assert!(node.answer("ping 255.255.255.255").contains("never many"));
    assert!(
        node.answer("ping host.example")
            .contains("looks up no names")
    );
    // Ctrl-C ends it, and the sum is told.
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    pty.types(b"ping 127.0.0.1 count 1000\r", 11_520).unwrap();
    pty.waits(0, "answers, ", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"\x03", 11_520).unwrap();
    pty.waits(from, " answered, ", SOON).unwrap();
    pty.waits(from, "lab> ", SOON).unwrap();
}
