//! Ladders come in, the text and the image that people see are compared.

use alloc::string::ToString;
use core::time::Duration;

use super::{Ladder, Party, RUNGS_MAX, Rung, printable};
use crate::Side;

fn rung(at: u64, side: Side, ours: bool, what: &str) -> Rung {
    Rung {
        at: Duration::from_millis(at),
        side,
        ours,
        what: what.to_string(),
        sdp: what == "INVITE" || what == "200",
        note: alloc::string::String::new(),
        message: alloc::string::String::new(),
    }
}

fn ladder() -> Ladder {
    let mut ladder = Ladder {
        call: 17,
        id: "7f3a9c41".to_string(),
        peers: [
            ("med-1", "10.20.120.2:5068/tcp"),
            ("itsp-a", "192.0.2.2:5060/tcp"),
        ]
        .map(|(name, place)| Party {
            name: name.to_string(),
            place: place.to_string(),
        }),
        ..Ladder::default()
    };
    for (at, side, ours, what) in [
        (0, Side::A, false, "INVITE"),
        (1, Side::A, true, "100"),
        (2, Side::B, true, "INVITE"),
        (4913, Side::B, false, "200"),
        (4914, Side::A, true, "200"),
    ] {
        ladder.push(rung(at, side, ours, what));
    }
    ladder
}

#[test]
fn a_ladder_is_text_in_eighty_columns() {
    let text = ladder().text();
    let want = "\
Call 17  id 7f3a9c41
  time   med-1                 node                  itsp-a
         10.20.120.2:5068/tcp  |                     192.0.2.2:5060/tcp
  0.000  |----INVITE (sdp)---->|                     |
  0.001  |<--------100---------|                     |
  0.002  |                     |----INVITE (sdp)---->|
  4.913  |                     |<-----200 (sdp)------|
  4.914  |<-----200 (sdp)------|                     |
";
    assert_eq!(text, want);
}

#[test]
fn a_long_note_goes_on_below_and_no_line_is_over_eighty() {
    let mut ladder = ladder();
    ladder.rungs[0].note = "x".repeat(200);
    ladder.end = "call 1 in ..00 > ..67: 486, 0 ms, the callee released it (it refused) ".repeat(3);
    ladder.diagnosis = "y".repeat(100) + &" why".repeat(30);
    let text = ladder.text();
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    assert_eq!(text.matches('x').count(), 200);
    assert_eq!(text.matches('y').count(), 130);
    assert!(text.contains("\nDiagnosis: yyyy"), "{text}");
}

#[test]
fn nothing_a_peer_sent_steers_a_terminal_or_a_browser() {
    let mut ladder = ladder();
    ladder.rungs[0].note = "\u{1b}[2J<script>\0\u{9b}é".to_string();
    assert_eq!(printable("\u{1b}\0\u{9b}é"), "\\x1b\\x00\\x9b?");
    for out in [ladder.text(), ladder.svg()] {
        assert!(out.chars().all(|c| c == '\n' || (' '..='~').contains(&c)));
    }
    assert!(!ladder.svg().contains("<script"));
}

#[test]
fn a_full_ladder_counts_what_it_does_not_keep() {
    let mut ladder = Ladder::default();
    for _ in 0..RUNGS_MAX + 3 {
        ladder.push(rung(0, Side::A, false, "INFO"));
    }
    assert_eq!((ladder.rungs.len(), ladder.more), (RUNGS_MAX, 3));
}
