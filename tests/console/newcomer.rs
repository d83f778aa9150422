//! A newcomer without a manual: from a node that knows nothing to its first
//! call, by the questions alone, and again by pasted lines.

use std::time::Duration;

use super::node::Node;
use super::peer::{Carrier, server};
use super::pty::Pty;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(30);

const PASSWORD: &str = "correct horse battery";

const EMPTY: &str = "config-version = 1\n\n[system]\nhostname = \"new\"\ncountry = \"DE\"\n";

/// Claims the node, and returns its line behind the first password.
fn claims(node: &Node) -> Pty {
    let mut line = node.login();
    for question in ["New password: ", "Again: "] {
        line.waits(0, question, SOON).unwrap();
        line.types(format!("{PASSWORD}\r").as_bytes(), 11_520)
            .unwrap();
    }
    line
}

/// The provider calls, and the call reaches the Mediation Server.
fn first_call(carrier: &Carrier, node: &Node) {
    assert_eq!(carrier.calls("first", "+49691234567", b""), 486);
    node.until(SOON, |node| {
        node.answer("show call history").contains(" 486 ")
    });
    let ladder = node.answer("show call 1");
    assert!(
        ladder.contains("itsp-a") && ladder.contains("med-1"),
        "{ladder}"
    );
}

#[test]
fn a_newcomer_reaches_the_first_call_by_the_questions_alone() {
    let net = 50;
    server(net, "486 Busy Here");
    let carrier = Carrier::open(net);
    let node = Node::with("questions", EMPTY);
    let mut line = claims(&node);
    line.waits(0, "this node has no provider", SOON).unwrap();
    let own = format!("127.40.{net}.2/29");
    let remote = format!("127.40.{net}.1:5060/udp");
    let voice = format!("127.41.{net}.1/29");
    let theirs = format!("127.41.{net}.2");
    let asked = [
        ("1/8 host name [sbc]: ", "?"),
        ("how this node is called", ""),
        ("2/8 time zone [UTC]: ", "b"),
        // Back at the first, which offers what was answered.
        ("1/8 host name [sbc]: ", "lab two"),
        ("small letters, digits, hyphens", "lab"),
        ("2/8 time zone [UTC]: ", "Europe/Berlin"),
        ("2/8 time servers (addresses, or none) [none]: ", ""),
        ("3/8 management port (or none) [none]: ", ""),
        (
            "5/8 first trunk: 1 Internet, needs VPN  2 MPLS or private  3 later [2]: ",
            "",
        ),
        ("6/8 port towards the provider", "a0"),
        ("6/8 its VLAN (or none) [none]: ", ""),
        ("6/8 our address and prefix there: ", &own),
        ("6/8 the gateway there (or none) [none]: ", ""),
        ("6/8 the provider's SIP address: ", &remote),
        (
            "6/8 networks its media comes from (or same) [same]: ",
            "192.0.2.0/24",
        ),
        ("6/8 the pilot number of the trunk: ", "0691234"),
        ("in full with a plus", "+49691234000"),
        ("6/8 calls at once [10]: ", "3"),
        ("7/8 port towards the Mediation Server", "m1"),
        ("7/8 its VLAN (or none) [none]: ", ""),
        ("7/8 our address and prefix there: ", &voice),
        ("7/8 the address of the Mediation Server: ", &theirs),
        ("7/8 where it listens [5068/tcp]: ", ""),
        ("8/8 country (two letters) [DE]: ", ""),
        ("make it live for 10 minutes [y], or change it [n]: ", ""),
    ];
    let mut from = 0;
    for (question, answer) in asked {
        line.waits(from, question, SOON).unwrap();
        from = line.seen.len();
        line.types(format!("{answer}\r").as_bytes(), 11_520)
            .unwrap();
    }
    line.waits(from, "is live (", SOON).unwrap();
    assert!(carrier.answers_options(SOON));
    line.waits(
        from,
        "probe options  itsp-a                   answered in ",
        SOON,
    )
    .unwrap();
    line.waits(
        from,
        "probe options  med-1                    answered in ",
        SOON,
    )
    .unwrap();
    line.waits(from, "keep it [y], or go back [n]: ", SOON)
        .unwrap();
    line.types(b"\r", 11_520).unwrap();
    line.waits(from, "kept; boot uses it.", SOON).unwrap();
    line.waits(from, "new> ", SOON).unwrap();
    first_call(&carrier, &node);
    // It boots with it, and asks nobody any more.
    let folder = node.cut();
    let again = Node::again(folder);
    assert!(again.answer("show trunks").contains("itsp-a"));
    let said = again.answer("request setup");
    assert!(said.contains("'configure' changes them"), "{said}");
}

#[test]
fn a_newcomer_reaches_the_first_call_by_pasted_lines() {
    let net = 51;
    server(net, "486 Busy Here");
    let carrier = Carrier::open(net);
    let node = Node::with("pasted-setup", EMPTY);
    let mut line = claims(&node);
    line.waits(0, "1/8 host name", SOON).unwrap();
    // Ctrl-C leaves the questions, and nothing was changed.
    line.types(b"\x03", 11_520).unwrap();
    line.waits(0, "nothing was changed", SOON).unwrap();
    line.waits(0, "new> ", SOON).unwrap();
    line.types(b"configure\r", 11_520).unwrap();
    line.waits(0, "new# ", SOON).unwrap();
    line.types(b"load merge terminal\r", 11_520).unwrap();
    line.waits(0, "Ctrl-D", SOON).unwrap();
    let lines = format!(
        "set interface carrier-a zone private\r\
         set interface carrier-a device a0\r\
         set interface carrier-a address [127.40.{net}.2/29]\r\
         set interface voice-a zone mediation\r\
         set interface voice-a device m1\r\
         set interface voice-a address [127.41.{net}.1/29]\r\
         set trunk itsp-a via interface:carrier-a\r\
         set trunk itsp-a remote [127.40.{net}.1:5060/udp]\r\
         set trunk itsp-a media-from [192.0.2.0/24]\r\
         set trunk itsp-a pilot-number +49691234000\r\
         set trunk itsp-a max-simultaneous-calls 3\r\
         set mediation med-1 interface voice-a\r\
         set mediation med-1 address 127.41.{net}.2\r\
         set mediation med-1 port 5068/tcp\r\
         set route inbound from trunk:*\r\
         set route inbound match '\\+\\d+'\r\
         set route inbound to [mediation:med-1]\r\x04"
    );
    line.types(lines.as_bytes(), 11_520).unwrap();
    line.waits(0, "octets, SHA-256", SOON).unwrap();
    line.types(b"commit confirmed 1\rconfirm\r", 11_520)
        .unwrap();
    line.waits(0, "kept; boot uses it", SOON).unwrap();
    first_call(&carrier, &node);
}
