//! The terminal that answers nothing, noise, and long pastes.

use std::time::{Duration, Instant};

use super::node::Node;
use super::pty::Pty;

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

/// Types what is no text, until the terminal has said so and prompts again: what is
/// typed before that is lost with it.
fn noise(pty: &mut Pty, keys: &[u8]) {
    let from = pty.seen.len();
    pty.types(keys, 11_520).unwrap();
    pty.waits(from, "?\r\n", SOON).unwrap();
    let said = pty.seen.iter().rposition(|octet| *octet == b'?').unwrap();
    pty.waits(said, "lab> ", SOON).unwrap();
}

#[test]
fn a_byte_of_noise_logs_nobody_out() {
    let node = Node::start("noise", 12);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    for _ in 0..3 {
        noise(&mut pty, b"show v\xe9rsion\r");
    }
    for byte in [0x80_u8, 0xff, 0xc3, 0xe9] {
        noise(&mut pty, &[byte, b'\r']);
    }
    // What was typed behind the noise is lost with it; the next line is whole.
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
    // Names of the file are known, those of the candidate as well.
    let from = pty.seen.len();
    pty.types(b"\x15show calls trunk it\t\r", 11_520).unwrap();
    pty.waits(from, "show calls trunk itsp-a", SOON).unwrap();
    pty.types(
        b"configure\rset site north max-simultaneous-calls 3\r",
        11_520,
    )
    .unwrap();
    pty.waits(from, "calls 3\r\n", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"set site n\tmax-simultaneous-calls 4\r", 11_520)
        .unwrap();
    pty.waits(from, "set site north ", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"set mediation ?", 11_520).unwrap();
    pty.waits(from, "a mediation of the file", SOON).unwrap();
    pty.types(b"\x15discard\rexit\r", 11_520).unwrap();
    pty.waits(from, "lab> ", SOON).unwrap();
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
        let from = pty.seen.len();
        pty.types(b"show nonsense", 11_520).unwrap();
        pty.waits(from, "nonsense", SOON).unwrap();
        let from = pty.seen.len();
        pty.types(b"\x03", 11_520).unwrap();
        pty.waits(from, "lab> ", SOON).unwrap();
    }
    pty.types(b"\x1a\x1c", 11_520).unwrap();
    let from = pty.seen.len();
    pty.types(b"show version\r", 11_520).unwrap();
    pty.waits(from, "sbc 0.", SOON).unwrap();
    assert!(!pty.text(0).contains("unknown 'nonsense'"));
}

/// A configuration of thousands of lines, on a line of 11,520 octets a second:
/// what waits to be written is dropped, and the prompt is there at once, behind
/// the page that has left the node already: our end of the terminal holds that.
#[test]
fn control_c_stops_any_output_at_once() {
    const RATE: u64 = 11_520;
    const PAGE: u64 = 4096;
    let node = Node::start("stops-output", 19);
    let mut lines = String::from("configure\n");
    for number in 0..4_000 {
        lines.push_str(&format!("set site s{number} max-simultaneous-calls 7\n"));
    }
    assert!(
        node.follows(&format!("{lines}commit\n"))
            .contains("is live")
    );
    let whole = node.answer("show configuration").len();
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    // The best of some, since the machine may be busy for a while.
    let page = Duration::from_millis(PAGE * 1000 / RATE);
    let (mut best, mut most) = (SOON, usize::MAX);
    for _ in 0..12 {
        let from = pty.seen.len();
        pty.presses(b"show configuration | no-more\r").unwrap();
        pty.waits_at(RATE, from, "[site.s9]", SOON).unwrap();
        let from = pty.seen.len();
        pty.presses(b"\x03").unwrap();
        let took = pty.waits_at(RATE, from, "lab> ", SOON).unwrap();
        (best, most) = (best.min(took), most.min(pty.seen.len() - from));
        if best < page + Duration::from_millis(200) {
            break;
        }
    }
    println!("prompt after {best:?}; {most} of {whole} octets came");
    assert!(best < page + Duration::from_millis(200), "{best:?}");
    assert!(most < 4096 + 200 && whole > 100_000, "{most} of {whole}");
    // The login goes on.
    let from = pty.seen.len();
    pty.presses(b"show version\r").unwrap();
    pty.waits_at(RATE, from, "sbc 0.", SOON).unwrap();
}

#[test]
fn control_c_leaves_a_screen_a_paste_and_a_monitor() {
    let node = Node::start("leaves", 44);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    let mut leaves = |typed: &str, shown: &str, prompt: &str| {
        let from = pty.seen.len();
        pty.types(format!("{typed}\r").as_bytes(), 11_520).unwrap();
        pty.waits(from, shown, SOON).unwrap();
        let from = pty.seen.len();
        pty.types(b"\x03", 11_520).unwrap();
        pty.waits(from, prompt, SOON).unwrap();
    };
    leaves("help", "--More--", "lab> ");
    leaves("monitor trunks", "itsp-a", "lab> ");
    leaves("configure", "lab# ", "lab# ");
    leaves(
        "load merge terminal\rset trunk itsp-a bandw",
        "Ctrl-D",
        "lab# ",
    );
    // Nothing of the paste was taken, neither by the candidate nor as a command.
    let from = pty.seen.len();
    pty.types(b"compare\r", 11_520).unwrap();
    pty.waits(from, "no changes", SOON).unwrap();
}

#[test]
fn a_break_locks_the_line() {
    let node = Node::start("break", 45);
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", SOON).unwrap();
    // A BREAK is read as NUL.
    pty.types(b"show ver\0", 11_520).unwrap();
    pty.waits(0, "locked by local", SOON).unwrap();
    let from = pty.seen.len();
    pty.types(b"show version\r", 11_520).unwrap();
    pty.waits(from, "Password: ", SOON).unwrap();
    assert!(!pty.text(from).contains("sbc 0."), "{}", pty.text(from));
}
