//! Sources come in; files and functions that grew too long, and doors without
//! a sentence, go out.

use crate::assert_kept;
use crate::scan::{Function, Source};
use crate::tree::SOURCES;

/// A reader keeps about ten screens in mind; beyond that a second file hides inside.
const FILE_LINES: usize = 600;
/// What needs more than two screens is a table or a state machine in disguise.
const FUNCTION_LINES: usize = 100;
/// How many of the longest functions the report names.
const REPORTED: usize = 10;

fn long_files(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !source.is_all_test())
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES)
        .map(|(source, lines)| format!("{}: {lines} lines, {FILE_LINES} at most: move its tests to tests.rs, or find the second file inside", source.path))
        .collect()
}

fn long_functions(sources: &[Source]) -> Vec<String> {
    functions_by_length(sources)
        .into_iter()
        .filter(|(_, function)| function.length > FUNCTION_LINES)
        .map(|(path, function)| {
            format!(
                "{path}:{}: `{}` has {} lines, {FUNCTION_LINES} at most",
                function.line, function.name, function.length
            )
        })
        .collect()
}

fn functions_by_length(sources: &[Source]) -> Vec<(&str, Function)> {
    let mut all: Vec<(&str, Function)> = sources
        .iter()
        .flat_map(|source| {
            source
                .functions()
                .into_iter()
                .map(|function| (source.path.as_str(), function))
        })
        .collect();
    all.sort_by_key(|(_, function)| std::cmp::Reverse(function.length));
    all
}

fn unintroduced(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| {
            format!(
                "{}:1: begin with a `//!` line: what comes in, what goes out",
                source.path
            )
        })
        .collect()
}

fn undocumented(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let text: Vec<&str> = source.text.lines().collect();
        for (line, code) in source.product_lines() {
            // A name a macro is given brings its sentence along from there.
            let named = !code.contains('$');
            if named && is_public_item(code) && !has_doc(&text[..line - 1]) {
                faults.push(format!(
                    "{}:{line}: `{}` needs a `///` sentence",
                    source.path,
                    code.trim()
                ));
            }
        }
    }
    faults
}

fn is_public_item(code: &str) -> bool {
    let Some(rest) = code.trim_start().strip_prefix("pub ") else {
        return false;
    };
    let mut words = rest.split(|c: char| !c.is_alphanumeric() && c != '_');
    let kind =
        words.find(|word| !matches!(*word, "const" | "unsafe" | "async" | "extern" | "C" | ""));
    let kinds = [
        "fn", "struct", "enum", "union", "trait", "type", "static", "macro",
    ];
    let constant = rest.starts_with("const ");
    constant || kind.is_some_and(|kind| kinds.contains(&kind))
}

/// Returns whether the lines above an item end in its documentation.
/// Attributes between the two are passed over, also those of several lines.
fn has_doc(above: &[&str]) -> bool {
    let mut open = 0_usize;
    for line in above.iter().rev().map(|line| line.trim()) {
        let closes = line.matches(']').count();
        let opens = line.matches('[').count();
        if open > 0 || (line.ends_with(']') && !line.starts_with("//")) {
            open = (open + closes).saturating_sub(opens);
            if line.contains("$(#[") || line.starts_with("#[doc") {
                return true;
            }
            continue;
        }
        return line.starts_with("///") || line.ends_with("*/");
    }
    false
}

#[test]
fn no_file_hides_a_second_one() {
    assert_kept("file length", &long_files(&SOURCES));
}

#[test]
fn no_function_needs_scrolling() {
    let report: Vec<String> = functions_by_length(&SOURCES)
        .into_iter()
        .take(REPORTED)
        .map(|(path, function)| {
            format!(
                "{:>4} lines  {path}:{} {}",
                function.length, function.line, function.name
            )
        })
        .collect();
    println!("the longest functions:\n{}", report.join("\n"));
    assert_kept("function length", &long_functions(&SOURCES));
}

#[test]
fn every_file_introduces_itself() {
    assert_kept("first lines", &unintroduced(&SOURCES));
}

#[test]
fn every_door_has_a_sentence() {
    assert_kept("public items", &undocumented(&SOURCES));
}

fn sample(text: String) -> Vec<Source> {
    vec![Source::new("sbc-core/sip/src/x.rs".into(), text)]
}

#[test]
fn a_long_file_is_seen_unless_it_is_a_test() {
    let long = "fn a() {}\n".repeat(FILE_LINES + 1);
    assert_eq!(long_files(&sample(long.clone())).len(), 1);
    assert!(long_files(&sample("fn a() {}\n".repeat(FILE_LINES))).is_empty());
    assert!(long_files(&sample(format!("#![cfg(test)]\n{long}"))).is_empty());
}

#[test]
fn a_long_function_is_seen() {
    let body = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
    assert_eq!(long_functions(&sample(body(FUNCTION_LINES + 1))).len(), 1);
    assert!(long_functions(&sample(body(FUNCTION_LINES))).is_empty());
}

#[test]
fn a_file_without_a_first_line_is_seen() {
    assert_eq!(unintroduced(&sample("use x;\n".into())).len(), 1);
}

#[test]
fn a_door_without_a_sentence_is_seen() {
    let bad = "pub fn a() {}\npub(crate) fn b() {}\n#[derive(Debug)]\npub struct C;\npub use d::E;\npub const fn f() {}\n";
    assert_eq!(undocumented(&sample(bad.into())).len(), 3);
    let good = "/// A.\npub fn a() {}\n/// C.\n#[derive(\n    Debug,\n)]\n#[must_use]\npub struct C;\n#[cfg(test)]\nmod tests {\n    pub fn d() {}\n}\n";
    assert!(undocumented(&sample(good.into())).is_empty());
}
