//! Programs of a few lines stand in for an `nft` that misbehaves: the runner's
//! bounds are tried without a kernel.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Language, Nft, OUTPUT_MAX};
use crate::error::NftError;

/// Another process writes the script: a child that some test starts meanwhile would
/// inherit our open file, and the kernel runs nothing that is open for writing
/// (`ETXTBSY`).
fn script(name: &str, body: &str) -> (PathBuf, Nft) {
    let path = std::env::temp_dir().join(format!("sbc-nft-{}-{name}", std::process::id()));
    let write = "printf '%s' \"$1\" > \"$0\" && chmod 700 \"$0\"";
    let written = std::process::Command::new("sh")
        .args(["-c", write])
        .arg(&path)
        .arg(format!("#!/bin/sh\n{body}\n"))
        .status();
    assert!(written.unwrap().success());
    let nft = Nft::at(path.clone());
    (path, nft)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_refusal_carries_what_was_said_on_standard_error() {
    let (path, nft) = script(
        "refuses",
        "cat > /dev/null; echo 'line 1: no such thing' >&2; exit 1",
    );
    let said = run(nft.load(Language::Text, b"table inet x {}"));
    assert!(matches!(said, Err(NftError::Refused(why)) if why.contains("no such thing")));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn nothing_is_loaded_when_the_check_refuses() {
    let mark = std::env::temp_dir().join(format!("sbc-nft-{}-loaded", std::process::id()));
    let body = format!(
        "cat > /dev/null; case \"$1\" in *c*) exit 1;; *) touch {};; esac",
        mark.display()
    );
    let (path, nft) = script("checks", &body);
    assert!(run(nft.load(Language::Json, b"{}")).is_err());
    assert!(!mark.exists());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_child_that_hangs_is_ended_after_the_time_limit() {
    let (path, nft) = script("hangs", "exec sleep 60");
    let since = Instant::now();
    let said = run(nft.within(Duration::from_millis(300)).list());
    assert!(matches!(said, Err(NftError::Late(_))), "{said:?}");
    assert!(since.elapsed() < Duration::from_secs(30));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn output_over_the_bound_is_an_error_and_not_a_shorter_rule_set() {
    let (path, nft) = script("floods", "exec head -c 17000000 /dev/zero");
    assert!(matches!(
        run(nft.list()),
        Err(NftError::TooMuch(OUTPUT_MAX))
    ));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_no_empty_rule_set() {
    let nft = Nft::at(PathBuf::from("/nowhere/nft"));
    assert!(matches!(run(nft.list()), Err(NftError::NotStarted(_))));
}
