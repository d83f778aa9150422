//! Random edits of the examples: whatever an operator's hand does, the answer
//! is a node or a list of problems, never a panic, and it can be printed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it means"
)]

use sbc_config::{Checked, Severity, check, render};

const FILES: [&str; 3] = [
    include_str!("example.toml"),
    include_str!("example-today.toml"),
    include_str!("small.toml"),
];

/// Pieces an edit may put in: what TOML and the values of the file are made of.
const PIECES: [&str; 40] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "\r\n",
    "\t",
    "->",
    "trunk.",
    "[trunk.a]",
    "[[route]]",
    "active = false\n",
    "profile = \"a\"\n",
    "[profile.a]\n",
    "\u{1b}[31m",
    "ü",
    "\u{202e}",
    "\0",
    "0",
    "-1",
    "9223372036854775808",
    "1e400",
    "nan",
    "true",
    "1979-05-27",
    "/32",
    "::1",
    "(((((((",
    "\\d{1,999}",
    "*",
    ":*",
];

/// A small generator of the same numbers every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap()
    }

    /// Returns a place between two characters.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.roll(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn edit(&mut self, text: &mut String) {
        let (a, b) = (self.place(text), self.place(text));
        let (from, to) = (a.min(b), a.max(b));
        match self.roll(6) {
            0 => text.insert_str(a, PIECES[self.roll(PIECES.len())]),
            1 => {
                let mut end = (from + self.roll(12)).min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.replace_range(from..end.max(from), "");
            }
            2 if to - from < 400 => {
                let copy = text[from..to].to_owned();
                let at = self.place(text);
                text.insert_str(at, &copy);
            }
            3 => {
                let lines: Vec<&str> = text.lines().collect();
                let drop = self.roll(lines.len());
                *text = lines
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != drop)
                    .fold(String::new(), |all, (_, line)| all + line + "\n");
            }
            4 => {
                let lines: Vec<&str> = text.lines().collect();
                let copy = lines
                    .get(self.roll(lines.len()))
                    .copied()
                    .unwrap_or_default()
                    .to_owned();
                text.insert_str(a, &copy);
            }
            _ => text.replace_range(a..a, PIECES[self.roll(PIECES.len())]),
        }
    }
}

fn answered(text: &str) {
    let Checked { node, problems } = check(text);
    let errors = problems
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    assert_eq!(
        node.is_none(),
        errors,
        "a node exists exactly without errors:\n{text}"
    );
    let told = render::text("edit.toml", text, &problems);
    let foreign = |letter: char| letter.is_control() && letter != '\n';
    assert!(
        !told.contains(foreign),
        "a control character got through:\n{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&render::json("edit.toml", text, &problems)).unwrap();
    assert_eq!(json.as_array().unwrap().len(), problems.len());
    assert!(problems.is_sorted_by_key(|problem| problem.span.start));
}

#[test]
fn random_edits_are_answered_and_never_panic() {
    let mut dice = Dice(0x5bc0_5bc0_5bc0_5bc1);
    let rounds = std::env::var("EDITS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(600);
    for _ in 0..rounds {
        let mut text = FILES[dice.roll(FILES.len())].to_owned();
        for _ in 0..=dice.roll(6) {
            dice.edit(&mut text);
        }
        answered(&text);
    }
}

#[test]
fn every_line_may_be_left_out() {
    for file in FILES {
        for leave in 0..file.lines().count() {
            let kept = file.lines().enumerate().filter(|(at, _)| *at != leave);
            let text: String = kept.map(|(_, line)| format!("{line}\n")).collect();
            answered(&text);
        }
    }
}

#[test]
fn what_is_no_text_of_a_file_is_answered() {
    for text in [
        "",
        "\n",
        "\u{feff}",
        "[",
        "]",
        "=",
        "[[",
        "a",
        "a.b.c = 1",
        "'''",
        "\"\"\"\n[x]\n\"\"\"",
    ] {
        answered(text);
    }
    answered(&"[a]\n".repeat(10_000));
    answered(&format!("config-version = {}", "[".repeat(100_000)));
    answered(&format!("a{} = 1", ".a".repeat(100_000)));
    answered(&"x".repeat(2 * 1024 * 1024));
}

#[test]
fn the_small_file_is_sound() {
    let Checked { node, problems } = check(FILES[2]);
    assert!(problems.is_empty() && node.is_some(), "{problems:?}");
}

#[test]
fn line_ends_of_other_systems_and_a_byte_order_mark_change_nothing() {
    for file in FILES {
        let expected = check(file);
        let other = check(&format!("\u{feff}{}", file.replace('\n', "\r\n")));
        assert_eq!(other.node, expected.node);
        let codes = |checked: &Checked| {
            checked
                .problems
                .iter()
                .map(|p| (p.code, p.path.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(codes(&other), codes(&expected));
    }
}
