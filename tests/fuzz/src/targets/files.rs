//! An operator's file: any text comes in; a node exists exactly when no problem
//! is an error, and what is printed holds no control character.

use sbc_config::{Checked, Severity, check, render};

/// A configuration file.
pub fn config(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let Checked { node, problems } = check(&text);
    let errors = problems
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    assert_eq!(
        node.is_none(),
        errors,
        "a node exists exactly without errors"
    );
    let told = render::text("fuzz.toml", &text, &problems);
    let foreign = |letter: char| letter.is_control() && letter != '\n';
    assert!(!told.contains(foreign), "a control character got through");
    assert!(problems.is_sorted_by_key(|problem| problem.span.start));
}
