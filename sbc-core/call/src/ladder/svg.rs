//! A ladder as an image: SVG 1.1 with text and lines only, so that any browser
//! shows it and nothing in it runs.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use super::{Ladder, Rung, printable};
use crate::Side;

const LINES: [u32; 3] = [190, 490, 790];
const TOP: u32 = 70;
const STEP: u32 = 26;

/// Returns the image of `ladder`.
pub fn write(ladder: &Ladder) -> String {
    let count = u32::try_from(ladder.rungs.len()).unwrap_or(u32::MAX);
    let height = TOP.saturating_add(STEP.saturating_mul(count.saturating_add(3)));
    let mut out = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="980" height="{0}" "#,
            r#"viewBox="0 0 980 {0}" font-family="monospace" font-size="13">"#,
            "\n",
            r#"<rect width="980" height="{0}" fill="white"/>"#,
            "\n"
        ),
        height
    );
    head(&mut out, ladder, height);
    for (place, rung) in (1_u32..).zip(&ladder.rungs) {
        step(&mut out, rung, TOP + STEP * place);
    }
    let end = escaped(&ladder.end);
    label(&mut out, 20, height - 38, "start", "#333", &end);
    if !ladder.diagnosis.is_empty() {
        let text = format!("Diagnosis: {}", escaped(&ladder.diagnosis));
        label(&mut out, 20, height - 12, "start", "#b00020", &text);
    }
    out.push_str("</svg>\n");
    out
}

fn head(out: &mut String, ladder: &Ladder, height: u32) {
    let title = format!("Call {}  id {}", ladder.call, escaped(&ladder.id));
    label(out, 20, 22, "start", "#000", &title);
    let [a, b] = &ladder.peers;
    let parties = [
        (escaped(&a.name), escaped(&a.place)),
        (String::from("node"), String::new()),
        (escaped(&b.name), escaped(&b.place)),
    ];
    for (x, (name, place)) in LINES.into_iter().zip(parties) {
        label(out, x, 42, "middle", "#000", &name);
        label(out, x, 58, "middle", "#666", &place);
        let bottom = height - 2 * STEP;
        let _infallible = writeln!(
            out,
            r##"<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#999"/>"##
        );
    }
}

fn step(out: &mut String, rung: &Rung, y: u32) {
    let [left, middle, right] = LINES;
    let (from, to) = match (rung.side, rung.ours) {
        (Side::A, false) => (left, middle),
        (Side::A, true) => (middle, left),
        (Side::B, true) => (middle, right),
        (Side::B, false) => (right, middle),
    };
    let time = format!("{}.{:03}", rung.at.as_secs(), rung.at.subsec_millis());
    label(out, 70, y + 4, "end", "#666", &time);
    let colour = colour(&rung.what);
    let back = if to > from { to - 8 } else { to + 8 };
    let _infallible = writeln!(
        out,
        concat!(
            r#"<line x1="{0}" y1="{1}" x2="{2}" y2="{1}" stroke="{3}"/>"#,
            r#"<path d="M{2} {1}L{4} {5}L{4} {6}Z" fill="{3}"/>"#
        ),
        from,
        y,
        to,
        colour,
        back,
        y - 4,
        y + 4
    );
    let what = format!(
        "{}{}",
        escaped(&rung.what),
        if rung.sdp { " (sdp)" } else { "" }
    );
    label(out, from.midpoint(to), y - 5, "middle", colour, &what);
    label(out, 810, y + 4, "start", "#666", &escaped(&rung.note));
}

/// Failures are red, success is green, the rest is blue.
fn colour(what: &str) -> &'static str {
    match what.as_bytes().first() {
        Some(b'4'..=b'6') => "#b00020",
        Some(b'2') => "#1b7f3b",
        _ => "#1f4e9c",
    }
}

fn label(out: &mut String, x: u32, y: u32, anchor: &str, colour: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let _infallible = writeln!(
        out,
        r#"<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{text}</text>"#
    );
}

fn escaped(text: &str) -> String {
    let mut clean = String::new();
    for c in printable(text).chars() {
        match c {
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            '&' => clean.push_str("&amp;"),
            '"' => clean.push_str("&quot;"),
            other => clean.push(other),
        }
    }
    clean
}
