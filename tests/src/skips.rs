//! A test that cannot run here comes in, a line for the final report goes out.

use std::fs::OpenOptions;
use std::io::Write;

/// The environment variable that names the file skips are written to. A
/// passing test's output is hidden, so a file is the way out.
pub const SKIPS_VARIABLE: &str = "SBC_SKIPS";

/// Takes the name of a test that cannot run on this machine and why, and
/// reports it as skipped. The test returns right after.
pub fn skip(test: &str, reason: &str) {
    let line = line(test, reason);
    eprint!("{line}");
    let Some(path) = std::env::var_os(SKIPS_VARIABLE) else {
        return;
    };
    let opened = OpenOptions::new().create(true).append(true).open(path);
    // One write of one line: appends of tests that run at once do not mix.
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        eprintln!("the skip could not be recorded: {error}");
    }
}

/// Returns whether the long tests are wanted (`SBC_TESTS=full`); reports `test` as
/// skipped if not.
#[must_use]
pub fn is_full(test: &str) -> bool {
    let full = std::env::var_os("SBC_TESTS").is_some_and(|value| value == "full");
    if !full {
        skip(test, "takes minutes; SBC_TESTS=full runs it");
    }
    full
}

fn line(test: &str, reason: &str) -> String {
    let flat = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("SKIPPED {test}: {flat}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_reason_of_several_lines_is_reported_on_one() {
        assert_eq!(
            super::line("a::b", "no\n  network"),
            "SKIPPED a::b: no network\n"
        );
    }
}
