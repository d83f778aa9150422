//! Broken files, each with the text of all its problems: `golden/NAME.toml` and
//! `golden/NAME.txt`. `UPDATE_GOLDEN=1` writes the texts anew. A line
//! `#:secrets name=octets …` says what the secret store has.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use sbc_config::{Checked, Code, Severity, check_with, render};

fn directory(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Every broken file: its name and its text.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(directory("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn checked(text: &str) -> Checked {
    let line = text.lines().find_map(|line| line.strip_prefix("#:secrets"));
    let secrets = line.map(|line| {
        let pairs = line
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(name, size)| (name.to_owned(), size.parse().unwrap()))
            .collect()
    });
    let secrets: Option<BTreeMap<String, usize>> = secrets;
    check_with(text, secrets.as_ref())
}

#[test]
fn every_broken_file_tells_all_its_problems_in_the_same_words() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let problems = checked(&text).problems;
        let told = render::text(&format!("{name}.toml"), &text, &problems);
        let path = directory("golden").join(format!("{name}.txt"));
        if update {
            fs::write(&path, &told).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != told {
            wrong.push(format!("--- {name}\n{told}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_GOLDEN=1 writes these anew:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn there_are_at_least_sixty_broken_files_and_none_is_sound() {
    let files = files();
    assert!(files.len() >= 60, "{}", files.len());
    for (name, text) in files {
        let Checked { node, problems } = checked(&text);
        assert!(!problems.is_empty(), "{name} has no problem");
        let errors = problems
            .iter()
            .any(|problem| problem.severity() == Severity::Error);
        assert_eq!(
            node.is_none(),
            errors,
            "{name}: a node exists exactly without errors"
        );
    }
}

#[test]
fn every_code_is_provoked_and_every_provoked_code_is_explained() {
    let mut provoked = BTreeSet::new();
    for (_, text) in files() {
        provoked.extend(checked(&text).problems.iter().map(|problem| problem.code));
    }
    let all: BTreeSet<Code> = Code::all().collect();
    // From 1000 on they are not about files; who says them provokes them.
    let register: BTreeSet<Code> = all
        .iter()
        .copied()
        .filter(|code| code.number() < 1000)
        .collect();
    let silent: Vec<String> = register
        .difference(&provoked)
        .map(ToString::to_string)
        .collect();
    assert!(silent.is_empty(), "no broken file provokes {silent:?}");
    for code in all {
        let text = code.explanation();
        for part in ["What  ", "See   ", "Fix   "] {
            assert!(
                text.lines().any(|line| line.starts_with(part)),
                "{code} lacks {part}"
            );
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{code}"
        );
        assert_eq!(Code::parse(&code.to_string()), Some(code));
    }
}

#[test]
fn every_explanation_belongs_to_a_code() {
    for entry in fs::read_dir(directory("explain")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.strip_suffix(".txt").and_then(Code::parse);
        assert!(code.is_some(), "{name} explains nothing");
    }
}

#[test]
fn every_text_fits_eighty_columns_in_ascii() {
    for (name, text) in files() {
        let told = render::text(&format!("{name}.toml"), &text, &checked(&text).problems);
        for line in told.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            assert!(line.is_ascii() || !text.is_ascii(), "{name}: {line}");
            assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
        }
    }
}

#[test]
fn problems_stand_in_the_order_of_the_file() {
    for (name, text) in files() {
        let problems = checked(&text).problems;
        assert!(
            problems.is_sorted_by_key(|problem| problem.span.start),
            "{name}"
        );
    }
}

#[test]
fn the_json_form_says_the_same() {
    for (name, text) in files() {
        let problems = checked(&text).problems;
        let json: serde_json::Value =
            serde_json::from_str(&render::json(&name, &text, &problems)).unwrap();
        let codes: Vec<&str> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["code"].as_str().unwrap())
            .collect();
        let expected: Vec<String> = problems.iter().map(|p| p.code.to_string()).collect();
        assert_eq!(codes, expected, "{name}");
        for one in json.as_array().unwrap() {
            assert!(
                one["line"].as_u64() >= Some(1) && one["column"].as_u64() >= Some(1),
                "{name}"
            );
        }
    }
}

#[test]
fn a_secret_in_clear_is_never_shown() {
    for (name, text) in files() {
        let problems = checked(&text).problems;
        let told = render::text(&name, &text, &problems) + &render::json(&name, &text, &problems);
        assert!(!told.contains("hunter2"), "{name}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{name}");
    }
}
