//! Whether somebody is there: peers asked for their options, hosts for an echo.

use std::path::PathBuf;
use std::time::Duration;

use super::node::Node;
use super::peer::{Carrier, server};
use super::pty::Pty;

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

/// Waits until packets are heard: the recording's file is there. Returns nothing after
/// having reported `test` as skipped, where this user may not hear any.
fn begun(node: &Node, pty: &mut Pty, recording: &str, test: &str) -> Option<PathBuf> {
    let path = node
        .folder
        .join(format!("state/captures/{recording}.pcapng"));
    let since = std::time::Instant::now();
    while !path.exists()
        && pty
            .waits(0, "no capture:", Duration::from_millis(50))
            .is_err()
    {
        assert!(since.elapsed() < SOON, "{}", pty.text(0));
    }
    if pty.text(0).contains("no capture:") {
        sbc_tests::skip(test, "this user may not hear packets");
        return None;
    }
    Some(path)
}

#[test]
fn packets_of_a_peer_are_recorded_and_leave_as_text() {
    let name = "packets_of_a_peer_are_recorded_and_leave_as_text";
    let net = 58;
    server(net, "486 Busy Here");
    let carrier = Carrier::open(net);
    let node = Node::start("packets", net);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    pty.types(b"capture start c1 peer itsp-a seconds 60\r", 11_520)
        .unwrap();
    pty.waits(0, "^C ends it", SOON).unwrap();
    let Some(path) = begun(&node, &mut pty, "c1", name) else {
        return;
    };
    assert_eq!(carrier.calls("caught", "+49691234567", b""), 486);
    let from = pty.seen.len();
    pty.types(b"\x03", 11_520).unwrap();
    pty.waits(from, " packets, ", SOON).unwrap();
    pty.waits(from, "lab> ", SOON).unwrap();
    let octets = std::fs::read(path).unwrap();
    let holds = |text: &str| {
        octets
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("INVITE sip:+49691234567@") && holds("SIP/2.0 486"));
    // The other side's messages are none of this peer's.
    assert!(!holds(&format!("SIP/2.0/TCP 127.41.{net}.1")));
    assert!(node.answer("capture list").contains("c1 "));
    let text = node.answer("capture show c1");
    assert!(
        text.starts_with("begin c1.pcapng ") && text.contains("\nend sha256 "),
        "{text}"
    );
    assert!(node.answer("capture start c1").contains("of that name"));
    assert!(node.answer("capture start ../x").contains("SBC-3002"));
    assert!(node.answer("capture show nothing").contains("SBC-3003"));
    assert!(node.answer("capture delete c1").contains("forgotten"));
    assert!(
        node.answer("show audit | json")
            .contains("captures.begin name=c1 peer=itsp-a")
    );
}

#[test]
fn packets_on_an_interface_are_recorded_with_their_frames() {
    let name = "packets_on_an_interface_are_recorded_with_their_frames";
    let net = 82;
    let text = super::syslog::with(net, &[]).replace("device = \"g0\"", "device = \"lo\"");
    let node = Node::with("interface", &text);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    pty.types(b"capture start c2 interface mgmt seconds 60\r", 11_520)
        .unwrap();
    pty.waits(0, "capturing all on lo for 60 s", SOON).unwrap();
    let Some(path) = begun(&node, &mut pty, "c2", name) else {
        return;
    };
    let ours = std::net::UdpSocket::bind(format!("127.42.{net}.1:0")).unwrap();
    ours.send_to(b"whoever is there", format!("127.42.{net}.2:9"))
        .unwrap();
    let from = pty.seen.len();
    pty.types(b"\x03", 11_520).unwrap();
    pty.waits(from, " packets, ", SOON).unwrap();
    let octets = std::fs::read(path).unwrap();
    // The type of IPv4 behind two addresses of the link, then the packet's first octet.
    let frame = [[0; 12].as_slice(), &[0x08, 0x00, 0x45]].concat();
    let at = octets.windows(frame.len()).position(|part| part == frame);
    assert!(at.is_some());
    let text = b"whoever is there";
    assert!(octets.windows(text.len()).any(|part| part == text));
    assert!(
        node.answer("capture start c3 interface nowhere")
            .contains("SBC-3003")
    );
    // What a file calls `a0` is no device here.
    assert!(
        node.answer("capture start c3 interface carrier-a")
            .contains("no capture")
    );
    assert!(
        node.answer("show audit | json")
            .contains("captures.begin interface=mgmt name=c2")
    );
}

#[test]
fn the_dashboard_is_drawn_until_control_c() {
    let net = 83;
    server(net, "486 Busy Here");
    let node = Node::start("dashboard", net);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"monitor dashboard\r", 11_520).unwrap();
    for wanted in [
        "revision 1",
        "TRUNK",
        "itsp-a",
        "MEDIATION",
        "med-1",
        "^C ends it",
    ] {
        pty.waits(from, wanted, SOON).unwrap();
    }
    // What has changed is drawn in its place: the time, in the first line.
    let later = pty.seen.len();
    pty.waits(later, "\x1b[1;1H", SOON).unwrap();
    pty.types(b"\x03", 11_520).unwrap();
    pty.waits(later, "lab> ", SOON).unwrap();
    let once = node.answer("monitor dashboard");
    assert!(
        once.contains("no call is up") && !once.contains('\x1b'),
        "{once}"
    );
}
