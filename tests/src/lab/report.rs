//! Results come in as steps end; progress lines go out at once, and the
//! reasons and the count at the end.

use std::io::Write;
use std::time::Instant;

use super::junit::{self, Case, Outcome};
use super::suites::Suites;

/// What has been counted so far, and what to say about it at the end.
#[derive(Debug, Default)]
pub struct Report {
    passed: usize,
    failed: usize,
    skips: Vec<String>,
    failures: Vec<Failure>,
    unsteady: Vec<Failure>,
    cases: Vec<Case>,
}

/// Something that failed, and what it printed.
#[derive(Debug, Default)]
pub struct Failure {
    /// The step or the tests.
    pub name: String,
    /// What it printed, as it printed it.
    pub output: String,
    /// The suite, if tests failed one by one.
    pub suite: String,
    /// Those tests.
    pub tests: Vec<String>,
}

impl Report {
    /// Counts a step that is one check, with its progress line.
    pub fn step(&mut self, name: &str, started: Instant, result: Result<String, String>) {
        let outcome = if result.is_ok() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.cases.push(case("verify", name, outcome));
        match result {
            Ok(said) => {
                self.passed += 1;
                progress(name, &said, Some(started));
            }
            Err(output) => {
                progress(name, "FAILED", Some(started));
                let name = name.to_owned();
                let failure = Failure {
                    name,
                    output,
                    ..Failure::default()
                };
                self.fail(1, vec![failure]);
            }
        }
    }

    /// Counts what `cargo test` ran.
    pub fn suites(&mut self, suites: Suites) {
        self.passed += suites.passed;
        self.fail(suites.failed, suites.failures);
        self.unsteady.extend(suites.unsteady);
        self.cases.extend(suites.cases);
        for _ in 0..suites.ignored {
            self.skip("a test: marked #[ignore]".into());
        }
    }

    /// Takes tests that reported themselves as skipped, as `name: why`, off
    /// those that passed.
    pub fn skip_passed(&mut self, reasons: Vec<String>) {
        self.passed = self.passed.saturating_sub(reasons.len());
        reasons.into_iter().for_each(|reason| self.skip(reason));
    }

    fn fail(&mut self, count: usize, failures: Vec<Failure>) {
        self.failed += count;
        self.failures.extend(failures);
    }

    fn skip(&mut self, reason: String) {
        let (name, why) = reason.split_once(": ").unwrap_or((&reason, ""));
        self.cases
            .push(case("skipped", name, Outcome::Skipped(why.to_owned())));
        self.skips.push(reason);
    }

    /// Returns all checks as a JUnit file.
    pub fn junit(&self) -> String {
        junit::document(&self.cases)
    }

    /// Returns whether nothing failed.
    pub fn is_good(&self) -> bool {
        self.failed == 0
    }

    /// Returns failures, reasons, and the count as the one last line.
    pub fn closing(&self) -> String {
        let mut text = String::new();
        for Failure { name, output, .. } in self.failures.iter().chain(&self.unsteady) {
            text += &format!("\n---- {name}\n{}\n", output.trim_end());
        }
        for Failure { name, .. } in &self.failures {
            text += &format!("failed: {name}\n");
        }
        for Failure { name, .. } in &self.unsteady {
            text += &format!("unsteady: {name}: failed beside others, held alone\n");
        }
        for reason in &self.skips {
            text += &format!("skipped: {reason}\n");
        }
        let (passed, failed, skipped) = (self.passed, self.failed, self.skips.len());
        text + &format!("{passed} passed, {failed} failed, {skipped} skipped\n")
    }
}

fn case(suite: &str, name: &str, outcome: Outcome) -> Case {
    Case {
        suite: suite.to_owned(),
        name: name.to_owned(),
        outcome,
    }
}

/// Prints one line about a step: its name, what it says, and the seconds it took.
pub fn progress(name: &str, said: &str, started: Option<Instant>) {
    let took = started.map_or_else(String::new, |at| {
        format!("{:>7.1} s", at.elapsed().as_secs_f32())
    });
    // Whoever closed our output has read enough; the exit status still tells.
    let _ = writeln!(std::io::stdout(), " {name:<26} {said:<34}{took}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(passed: usize, failed: usize) -> Suites {
        let mut suites = Suites::default();
        suites.passed = passed;
        suites.failed = failed;
        suites
    }

    #[test]
    fn the_last_line_is_the_count_and_nothing_else() {
        let mut report = Report::default();
        let mut suites = suites(12, 2);
        let output = "panicked".into();
        let name = "a::b".into();
        suites.failures.push(Failure {
            name,
            output,
            ..Failure::default()
        });
        report.suites(suites);
        report.skip("netns: no root".into());
        let expected = "\n---- a::b\npanicked\nfailed: a::b\nskipped: netns: no root\n12 passed, 2 failed, 1 skipped\n";
        assert_eq!(report.closing(), expected);
        assert!(!report.is_good());
    }

    #[test]
    fn a_test_that_held_alone_is_told_with_its_first_output() {
        let mut report = Report::default();
        let mut suites = suites(5, 0);
        suites.unsteady.push(Failure {
            name: "netns: a".into(),
            output: "panicked".into(),
            ..Failure::default()
        });
        report.suites(suites);
        let expected = "\n---- netns: a\npanicked\nunsteady: netns: a: failed beside others, held alone\n5 passed, 0 failed, 0 skipped\n";
        assert_eq!(report.closing(), expected);
        assert!(report.is_good());
    }

    #[test]
    fn a_test_that_skipped_itself_has_not_passed() {
        let mut report = Report::default();
        report.suites(suites(3, 0));
        report.skip_passed(vec!["x: no valgrind".into()]);
        assert_eq!(
            report.closing(),
            "skipped: x: no valgrind\n2 passed, 0 failed, 1 skipped\n"
        );
        assert!(
            report
                .junit()
                .contains("name=\"x\"><skipped message=\"no valgrind\"/>")
        );
    }
}
