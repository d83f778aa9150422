//! Codes that a program meets at the node's door, each provoked.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use super::node::Node;

/// Says octets to the node's socket and returns the first line it answers; nothing
/// else may follow if the node is to hang up.
fn says(node: &Node, octets: &[u8], hangs_up: bool) -> String {
    let mut stream = UnixStream::connect(node.folder.join("api.sock")).unwrap();
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let (mut hello, mut answer) = (String::new(), String::new());
    lines.read_line(&mut hello).unwrap();
    assert!(hello.starts_with("{\"hello\""), "{hello}");
    stream.write_all(octets).unwrap();
    lines.read_line(&mut answer).unwrap();
    if hangs_up {
        let mut rest = Vec::new();
        // It may be gone by a reset: what we sent was not read to its end.
        let _reset = lines.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
    answer
}

/// Stops a role, or lets it go on, without a word to it.
fn signals(node: &Node, role: &str, signal: &str) {
    let log = node.log();
    let mut started = log.lines().rev();
    let line = started.find(|line| line.contains(&format!("started role=\"{role}\"")));
    let pid = line.and_then(|line| line.rsplit("pid=").next()).unwrap();
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{signal} {}", pid.trim())])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_line_that_is_no_question_or_has_no_end_is_refused_by_its_code() {
    let node = Node::start("no-question", 60);
    for (line, code) in [
        (&b"hello\n"[..], "SBC-3005"),
        (b"[1,2]\n", "SBC-3005"),
        (b"\xff\xfe\n", "SBC-3005"),
        (b"{\"id\":1}\n", "SBC-3005"),
        (b"{\"id\":1,\"op\":7}\n", "SBC-3005"),
        (b"{\"id\":1,\"op\":\"no.such\"}\n", "SBC-3001"),
        (b"{\"id\":1,\"op\":\"calls.no\\u001bsuch\"}\n", "SBC-3001"),
    ] {
        let answer = says(&node, line, false);
        let shown = String::from_utf8_lossy(line);
        assert!(answer.contains(&format!("\"{code}\"")), "{shown}: {answer}");
        assert!(!answer.trim_end().contains(char::is_control), "{answer:?}");
    }
    // A line without an end takes no memory beyond its bound.
    let long = [b"{\"id\":1,\"op\":\"", &vec![b'x'; 70_000][..]].concat();
    assert!(says(&node, &long, true).contains("\"SBC-3004\""));
    // A configuration in parts is bounded as a whole.
    let part = format!("{{\"text\":\"{}\"}}", "#".repeat(60_000));
    let said = node.asks_api(&vec![("config.part", part.as_str()); 20]);
    assert!(said.contains("\"octets\":60000"), "{said}");
    assert!(said.contains("\"SBC-3004\""), "{said}");
}

#[test]
fn a_role_that_hangs_is_said_to_be_away_and_answers_again_once_it_is_back() {
    let node = Node::start("away", 61);
    signals(&node, "signal", "STOP");
    let said = node.answer("show calls");
    assert!(said.starts_with("SBC-3007: the signal role "), "{said}");
    let soon = Duration::from_secs(30);
    node.until(soon, |node| node.asks("show calls").status.success());
}

#[test]
fn what_cannot_be_written_is_refused_and_nothing_is_changed() {
    let node = Node::start("not-written", 62);
    // A file where a folder is to be: even root writes nothing there.
    let state = node.folder.join("state");
    for name in ["secrets", "captures", "config"] {
        let place = state.join(name);
        let _absent = std::fs::remove_dir_all(&place);
        std::fs::write(&place, "in the way").unwrap();
    }
    for (operation, arguments) in [
        ("secrets.set", "{\"secret\":\"sip/itsp-a\",\"value\":\"x\"}"),
        ("captures.begin", "{\"name\":\"c1\",\"peer\":\"itsp-a\"}"),
    ] {
        let said = node.asks_api(&[(operation, arguments)]);
        assert!(said.contains("\"SBC-3016\""), "{operation}: {said}");
    }
    let before = node.answer("show configuration");
    let said = node.puts(7, None);
    assert!(said.contains("\"SBC-3016\""), "{said}");
    assert_eq!(node.answer("show configuration"), before);
}
