//! Problems come in, text for people (ASCII frame, 80 columns) or JSON for
//! programs goes out. Nothing a file holds reaches a terminal as a control
//! character, and secrets are blotted out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::report::{Problem, Severity, Span};

/// The width of a serial console.
const COLUMNS: usize = 80;

/// Returns all problems of `text`, the content of `file`, as people read them.
pub fn text(file: &str, text: &str, problems: &[Problem]) -> String {
    let source = Source::new(text, problems);
    let mut out = String::new();
    for problem in problems {
        out.push_str(&source.render(file, problem));
        out.push_str("\n\n");
    }
    out.push_str(&summary(file, problems));
    out.push('\n');
    out
}

/// Returns the last line: how many of each.
pub fn summary(file: &str, problems: &[Problem]) -> String {
    let errors = problems
        .iter()
        .filter(|p| p.severity() == Severity::Error)
        .count();
    let warnings = problems.len() - errors;
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    let file = printable(file);
    if problems.is_empty() {
        return format!("{file}: no problems");
    }
    format!(
        "{file}: {}, {}",
        count(errors, "error"),
        count(warnings, "warning")
    )
}

/// Returns all problems as a JSON list, one object each: code, severity, path,
/// file, line, column, span, message, label, help, also.
pub fn json(file: &str, text: &str, problems: &[Problem]) -> String {
    let lines = Lines::new(text);
    let all: Vec<Value> = problems
        .iter()
        .map(|problem| {
            let (line, column) = lines.place(problem.span.start);
            let also: Vec<Value> = problem
                .also
                .iter()
                .map(|note| {
                    let (line, column) = lines.place(note.span.start);
                    let span = [note.span.start, note.span.end];
                    json!({ "line": line, "column": column, "span": span, "label": note.label })
                })
                .collect();
            json!({
                "code": problem.code.to_string(),
                "severity": problem.severity().word(),
                "path": problem.path,
                "file": file,
                "line": line,
                "column": column,
                "span": [problem.span.start, problem.span.end],
                "message": problem.message,
                "label": problem.label,
                "help": problem.help,
                "also": also,
            })
        })
        .collect();
    format!("{:#}", Value::Array(all))
}

/// Where lines begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, octet)| *octet == b'\n');
        let starts = core::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// Returns line and column from 1, the column in characters.
    fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let before = self
            .text
            .get(start..at.min(self.text.len()))
            .unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// Returns the octets of the line that holds `at`, its end left out.
    fn line(&self, at: usize) -> Span {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let next = self
            .starts
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        start..next.max(start)
    }
}

/// The text made safe to print; every octet keeps its place.
struct Source {
    text: String,
}

impl Source {
    fn new(text: &str, problems: &[Problem]) -> Self {
        let mut safe = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '\n' => safe.push(letter),
                _ if unsafe_to_print(letter) => safe.extend((0..letter.len_utf8()).map(|_| ' ')),
                _ => safe.push(letter),
            }
        }
        for problem in problems.iter().filter(|problem| problem.conceal) {
            let span = bounded(&safe, &problem.span);
            let blot = "*".repeat(span.len());
            safe.replace_range(span, &blot);
        }
        Self { text: safe }
    }

    fn render(&self, file: &str, problem: &Problem) -> String {
        let lines = Lines::new(&self.text);
        let places = problem
            .also
            .iter()
            .map(|note| &note.span)
            .chain([&problem.span]);
        let places: Vec<Span> = places
            .map(|span| lines.line(bounded(&self.text, span).start))
            .collect();
        let from = places.iter().map(|line| line.start).min().unwrap_or(0);
        let to = places.iter().map(|line| line.end).max().unwrap_or(0);
        let excerpt = self.text.get(from..to).unwrap_or_default();
        let within = |span: &Span| {
            let span = bounded(&self.text, span);
            let line = lines.line(span.start);
            span.start - from..span.end.min(line.end).max(span.start) - from
        };
        let label = |text: &str| (!text.is_empty()).then(|| printable(text));
        let mut snippet = Snippet::source(excerpt)
            .line_start(lines.place(from).0)
            .path(printable(file));
        snippet = snippet.annotation(
            AnnotationKind::Primary
                .span(within(&problem.span))
                .label(label(&problem.label)),
        );
        for note in &problem.also {
            let note = AnnotationKind::Context
                .span(within(&note.span))
                .label(label(&note.label));
            snippet = snippet.annotation(note);
        }
        let level = match problem.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let code = problem.code.to_string();
        let head = format!("{}[{code}]: ", problem.severity().word()).len();
        let title = wrapped(&problem.message, COLUMNS - head);
        let mut group: Group<'_> = level.primary_title(title).id(code).element(snippet);
        if let Some(help) = &problem.help {
            let gutter = lines.place(to).0.to_string().len();
            let head = gutter + "  = help: ".len();
            group = group.element(Level::HELP.message(wrapped(help, COLUMNS - head)));
        }
        let renderer = Renderer::plain()
            .decor_style(DecorStyle::Ascii)
            .term_width(COLUMNS);
        let rendered = renderer.render(&[group]);
        let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// Control characters and those that turn the direction of writing.
fn unsafe_to_print(letter: char) -> bool {
    let turns = matches!(letter, '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if unsafe_to_print(letter) { ' ' } else { letter })
        .collect()
}

/// Breaks a sentence at spaces so that lines hold `width`.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut room = width;
    for word in printable(text).split(' ') {
        let length = word.chars().count();
        if !out.is_empty() {
            if length + 1 > room {
                out.push('\n');
                room = width;
            } else {
                out.push(' ');
                room -= 1;
            }
        }
        out.push_str(word);
        room = room.saturating_sub(length);
    }
    out
}

/// Returns the part of `span` that lies in the text, on whole characters.
fn bounded(text: &str, span: &Span) -> Span {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
