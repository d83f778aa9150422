//! A ladder as text: 80 columns of ASCII, the peer of the A side left, the
//! node in the middle, the peer of the B side right.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use super::{Ladder, Rung, printable};
use crate::Side;

/// Columns between two life lines.
const SPAN: usize = 21;

const WIDTH: usize = 80;

/// Returns the text of `ladder`.
pub fn write(ladder: &Ladder) -> String {
    let mut out = String::new();
    let [a, b] = &ladder.peers;
    let _infallible = writeln!(
        out,
        "Call {}  id {}\n  time   {:<22}{:<22}{}",
        ladder.call,
        printable(&ladder.id),
        short(&a.name),
        "node",
        short(&b.name)
    );
    let _infallible = writeln!(
        out,
        "         {:<22}{:<22}{}",
        short(&a.place),
        "|",
        short(&b.place)
    );
    for rung in &ladder.rungs {
        out.push_str(line(rung).trim_end());
        out.push('\n');
    }
    if ladder.more > 0 {
        let _infallible = writeln!(out, "         ... {} more", ladder.more);
    }
    if !ladder.end.is_empty() {
        out.push_str(&sentence("", &printable(&ladder.end)));
    }
    if !ladder.diagnosis.is_empty() {
        out.push_str(&sentence("Diagnosis: ", &printable(&ladder.diagnosis)));
    }
    out
}

/// Returns a sentence behind its label, broken between words; a word longer than
/// a line is broken where it must be.
fn sentence(label: &str, text: &str) -> String {
    let mut out = String::from(label);
    let mut column = label.len();
    for (place, word) in text.split(' ').enumerate() {
        let mut rest = word;
        if place > 0 && column + 1 + rest.len() > WIDTH {
            out.push('\n');
            column = 0;
        } else if place > 0 {
            out.push(' ');
            column += 1;
        }
        while column + rest.len() > WIDTH {
            let (part, more) = rest.split_at(WIDTH.saturating_sub(column));
            out.push_str(part);
            out.push('\n');
            (rest, column) = (more, 0);
        }
        out.push_str(rest);
        column += rest.len();
    }
    out.push('\n');
    out
}

fn short(text: &str) -> String {
    let clean = printable(text);
    if clean.len() <= SPAN {
        return clean;
    }
    format!("{}~", clean.get(..SPAN - 1).unwrap_or_default())
}

fn line(rung: &Rung) -> String {
    let time = format!("{:>3}.{:03}", rung.at.as_secs(), rung.at.subsec_millis());
    let arrow = arrow(rung);
    let blank = " ".repeat(SPAN);
    let (left, right) = match rung.side {
        Side::A => (arrow, blank),
        Side::B => (blank, arrow),
    };
    let note = printable(&rung.note);
    let mut text = format!("{time}  |{left}|{right}|  ");
    if text.len() + note.len() <= WIDTH {
        text.push_str(&note);
        return text;
    }
    // What does not fit beside the arrows goes on below; nothing is cut.
    for part in wrapped(&note, WIDTH - 11) {
        let _infallible = write!(text, "\n           {part}");
    }
    text
}

fn wrapped(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = rest.split_at_checked(width.min(rest.len()))?;
        rest = after;
        Some(part)
    })
}

fn arrow(rung: &Rung) -> String {
    let label = format!(
        "{}{}",
        printable(&rung.what),
        if rung.sdp { " (sdp)" } else { "" }
    );
    let label = label.get(..SPAN - 3).unwrap_or(&label);
    let shaft = SPAN - 1 - label.len();
    let (before, after) = (shaft / 2, shaft - shaft / 2);
    let right = (rung.side == Side::A) != rung.ours;
    if right {
        format!("{}{label}{}>", "-".repeat(before), "-".repeat(after))
    } else {
        format!("<{}{label}{}", "-".repeat(before), "-".repeat(after))
    }
}
