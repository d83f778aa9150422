//! The terminal that answers nothing, noise, and long pastes.

use std::time::{Duration, Instant};

use super::node::Node;

/// Time for what should be at once, on a machine that does much else.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_terminal_that_never_answers_gets_its_prompt_and_no_question() {
    let node = Node::start("never-answers", 10);
    // The best of a few, since the machine may be busy for a moment.
    let mut best = SOON;
    for _ in 0..5 {
        let began = Instant::now();
        let mut pty = node.terminal();
        pty.waits(0, "lab> ", SOON).unwrap();
        best = best.min(began.elapsed());
        pty.types(b"show version\r", 11_520).unwrap();
        pty.waits(0, "sbc 0.", SOON).unwrap();
        assert!(!pty.text(0).contains("\x1b[6n"), "{:?}", pty.text(0));
    }
    assert!(best < Duration::from_millis(300), "{best:?}");
}

#[test]
fn a_thousand_pasted_lines_all_arrive() {
    let node = Node::start("pasted-lines", 11);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    pty.types(b"configure\r", 11_520).unwrap();
    pty.waits(0, "lab# ", SOON).unwrap();
    let lines: String = (0..1000)
        .map(|number| format!("set trunk itsp-a own-numbers [ '\\+4969{number:04}' ]\r"))
        .collect();
    pty.types(lines.as_bytes(), 11_520).unwrap();
    let from = pty.seen.len();
    pty.types(
        b"annotate system \"the last of them\"\rshow system\r",
        11_520,
    )
    .unwrap();
    pty.waits(
        from,
        "# the last of them\r\n[system]",
        Duration::from_secs(60),
    )
    .unwrap();
    // Each line was echoed whole and none was refused.
    let seen = pty.text(0);
    assert!(
        !seen.contains("SBC-3012") && !seen.contains("unknown"),
        "{seen}"
    );
    let from = pty.seen.len();
    pty.types(b"show trunk itsp-a own-numbers\r", 11_520)
        .unwrap();
    pty.waits(from, "own-numbers = ['\\+49690999']", SOON)
        .unwrap();
}

#[test]
fn a_byte_of_noise_logs_nobody_out() {
    let node = Node::start("noise", 12);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    for _ in 0..3 {
        let from = pty.seen.len();
        pty.types(b"show v\xe9rsion\r", 11_520).unwrap();
        pty.waits(from, "?", SOON).unwrap();
    }
    for byte in [0x80_u8, 0xff, 0xc3, 0xe9] {
        pty.types(&[byte, b'\r'], 11_520).unwrap();
    }
    // What was typed behind the noise is lost with it; the next line is whole.
    let from = pty.seen.len();
    pty.types(b"\r\r\r\r", 11_520).unwrap();
    pty.waits(from, "lab> ", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"show version\r", 11_520).unwrap();
    pty.waits(from, "sbc 0.", SOON).unwrap();
    assert!(pty.runs());
}

#[test]
fn the_question_mark_helps_and_the_tab_completes() {
    let node = Node::start("help-and-tab", 13);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    pty.types(b"show ver\t\r", 11_520).unwrap();
    pty.waits(0, "sbc 0.", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"show call 1 ?", 11_520).unwrap();
    pty.waits(from, "<enter>", SOON).unwrap();
    pty.waits(from, "what was counted of the media", SOON)
        .unwrap();
    // A question mark in quotes is a character.
    pty.types(b"\x15explain 'what?'\r", 11_520).unwrap();
    pty.waits(from, "there is no code what?", SOON).unwrap();
}

#[test]
fn control_c_cancels_the_line_and_keeps_the_login() {
    let node = Node::start("control-c", 14);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    for _ in 0..3 {
        pty.types(b"show nonsense\x03", 11_520).unwrap();
    }
    pty.types(b"\x1a\x1c", 11_520).unwrap();
    let from = pty.seen.len();
    pty.types(b"show version\r", 11_520).unwrap();
    pty.waits(from, "sbc 0.", SOON).unwrap();
    assert!(!pty.text(0).contains("unknown 'nonsense'"));
}
