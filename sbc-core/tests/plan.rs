//! `sbc plan` as a shell sees it: the plan of the example is a text that was
//! looked at. `UPDATE_GOLDEN=1` writes it anew.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn sbc(words: &[&str], file: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbc"));
    command.arg("plan").args(words).arg(place(file));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const EXAMPLE: &str = "config/tests/example-today.toml";

/// Compares with the text beside this file.
fn golden(words: &[&str], name: &str) {
    let output = sbc(words, EXAMPLE);
    assert_eq!(output.status.code(), Some(0));
    let path = place("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(place("tests/golden")).unwrap();
        fs::write(&path, said(&output)).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said(&output), wanted, "UPDATE_GOLDEN=1 writes {name} anew");
}

#[test]
fn the_plan_of_the_example_is_this_text() {
    golden(&[], "plan.txt");
}

#[test]
fn what_the_example_leaves_open_is_this_matrix() {
    golden(&["--reach"], "reach.txt");
}

#[test]
fn the_json_form_has_every_step_and_every_rule() {
    let output = sbc(&["--json"], EXAMPLE);
    let whole: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = said(&sbc(&[], EXAMPLE));
    let steps = whole["steps"].as_array().unwrap();
    for step in steps {
        assert!(text.contains(step.as_str().unwrap()), "{step}");
    }
    let rules = whole["rules"].as_array().unwrap();
    assert!(rules.len() > 200, "{}", rules.len());
    for rule in rules {
        assert!(text.contains(rule["rule"].as_str().unwrap()), "{rule}");
        assert!(text.contains(rule["enforces"].as_str().unwrap()), "{rule}");
    }
    let open = sbc(&["--json", "--reach"], EXAMPLE);
    let open: serde_json::Value = serde_json::from_slice(&open.stdout).unwrap();
    assert_eq!(open["forwards"], false);
    assert_eq!(open["breaches"].as_array().unwrap().len(), 0);
}

#[test]
fn a_file_with_errors_has_no_plan_but_its_errors() {
    let output = sbc(&[], "config/golden/0301-clear-internet.toml");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with("error[SBC-0301]"),
        "{}",
        said(&output)
    );
    let wrong = sbc(&["--wibble"], EXAMPLE);
    assert_eq!(wrong.status.code(), Some(64));
}
