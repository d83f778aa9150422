//! `SPECIFICATION.md` comes in, promises without a living test go out.
//!
//! A promise is a row of a table whose last column names its tests:
//! `| what holds | `test_name`, `another` |`.

use std::collections::BTreeSet;

use crate::assert_kept;
use crate::scan::Source;
use crate::tree::{self, SOURCES};

fn unkept(specification: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, row) in (1..).zip(specification.lines()) {
        if !row.starts_with('|') || row.starts_with("|---") || row.starts_with("| Promise") {
            continue;
        }
        let last = row
            .trim_end_matches(['|', ' '])
            .rsplit('|')
            .next()
            .unwrap_or_default();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            faults.push(format!(
                "SPECIFICATION.md:{line}: this promise names no test"
            ));
        }
        for name in named.iter().filter(|name| !tests.contains(**name)) {
            faults.push(format!(
                "SPECIFICATION.md:{line}: there is no test `{name}`"
            ));
        }
    }
    faults
}

/// Returns the name of every test function.
fn tests(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        for (_, end, attribute) in source.attributes() {
            if attribute != "test" {
                continue;
            }
            let item = source.code[end..]
                .split_once("fn ")
                .map_or("", |(_, rest)| rest);
            names.insert(
                item.chars()
                    .take_while(|&c| c == '_' || c.is_alphanumeric())
                    .collect(),
            );
        }
    }
    names
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let specification = tree::read("SPECIFICATION.md");
    assert_kept("promises", &unkept(&specification, &tests(&SOURCES)));
    assert!(
        specification.contains("| Promise"),
        "SPECIFICATION.md has no table of promises"
    );
}

#[test]
fn a_promise_without_a_living_test_is_seen() {
    let source = Source::new(
        "a/src/b.rs".into(),
        "#[test]\nfn it_holds() {}\nfn it_helps() {}\n".into(),
    );
    let tests = tests(&[source]);
    let table =
        |last: &str| format!("| Promise | Kept by |\n|---|---|\n| Something holds. | {last} |\n");
    assert!(unkept(&table("`it_holds`"), &tests).is_empty());
    assert_eq!(unkept(&table("soon"), &tests).len(), 1);
    assert_eq!(unkept(&table("`it_holds`, `it_helps`"), &tests).len(), 1);
}
