//! The builder as a shell sees it, up to where it needs a network.
#![expect(clippy::unwrap_used, reason = "a test may say what it means")]

use std::process::{Command, Output};

fn builder(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sbc-image"));
    command.args(words).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn who_asks_for_what_there_is_not_is_told_what_there_is() {
    for words in [&[][..], &["flash"], &["build", "--fast"], &["verify"]] {
        let output = builder(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(errors(&output).contains("sbc-image build"), "{words:?}");
    }
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let output = builder(&["verify", "no/such.img"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("no/such.img"),
        "{}",
        errors(&output)
    );
}
