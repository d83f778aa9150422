//! The lines `cargo test` prints come in, counts and failures go out.

use super::junit::{Case, Outcome};
use super::report::Failure;

/// How much of what a crashed suite or a failed build printed is shown.
const TAIL_LINES: usize = 60;

/// Reads along while `cargo test` runs.
#[derive(Debug, Default)]
pub struct Suites {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed, and suites that ended without a result.
    pub failed: usize,
    /// Tests marked as ignored, which nobody should have.
    pub ignored: usize,
    /// What failed, with its output.
    pub failures: Vec<Failure>,
    /// What failed beside others and held alone, with its first output.
    pub unsteady: Vec<Failure>,
    /// Each test that ended.
    pub cases: Vec<Case>,
    /// Names of the test targets that were built to be run.
    built: Vec<String>,
    suite: String,
    running: bool,
    /// Names of the failed tests of the suite that runs.
    names: Vec<String>,
    /// The part of the suite's output that explains its failures.
    explained: Option<String>,
    recent: Vec<String>,
}

/// What a line of the output means to someone who waits.
#[derive(Debug, Eq, PartialEq)]
pub enum Progress {
    /// One more crate is being compiled.
    Crate,
    /// A suite with at least one test has ended.
    Suite { name: String, said: String },
    /// Nothing to tell.
    Quiet,
}

impl Suites {
    /// Takes one line, without its end.
    pub fn line(&mut self, line: &str) -> Progress {
        let trimmed = line.trim_start();
        if trimmed.starts_with("Compiling ") {
            return Progress::Crate;
        }
        if let Some(name) = target_name(trimmed) {
            self.built.push(name);
            return Progress::Quiet;
        }
        if let Some(name) = suite_name(trimmed) {
            self.close_suite();
            self.suite = name;
            return Progress::Quiet;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            return self.result(counts);
        }
        self.recent.push(line.to_owned());
        if line.starts_with("running ") && line.contains(" test") {
            self.running = true;
        } else if let Some((name, outcome)) = case(line) {
            if outcome == Outcome::Failed {
                self.names.push(name.to_owned());
            }
            self.cases.push(Case {
                suite: self.suite.clone(),
                name: name.to_owned(),
                outcome,
            });
        } else if line == "failures:" && self.explained.is_none() {
            self.explained = Some(String::new());
        } else if let Some(explained) = &mut self.explained {
            *explained += line;
            explained.push('\n');
        }
        Progress::Quiet
    }

    /// Returns the names of the test targets that were built to be run, each once.
    pub fn names(&mut self) -> &[String] {
        self.built.sort();
        self.built.dedup();
        &self.built
    }

    /// Returns what to say to someone who waits.
    pub fn at_work(&self, crates: usize) -> String {
        if self.suite.is_empty() {
            format!("at work, {crates} crates built")
        } else {
            format!("at work on {}", self.suite)
        }
    }

    /// Takes how `cargo test` ended, once it has.
    pub fn end(&mut self, succeeded: bool) {
        self.close_suite();
        if !succeeded && self.failed == 0 {
            self.fail_as_a_whole("the tests could not be built or run");
        }
    }

    fn result(&mut self, counts: &str) -> Progress {
        let passed = count_of(counts, " passed");
        let failed = count_of(counts, " failed");
        self.passed += passed;
        self.failed += failed;
        self.ignored += count_of(counts, " ignored");
        self.running = false;
        if failed > 0 {
            let output = without_name_list(self.explained.take().unwrap_or_default());
            let name = format!("{}: {}", self.suite, self.names.join(", "));
            self.failures.push(Failure {
                name,
                output,
                suite: self.suite.clone(),
                tests: std::mem::take(&mut self.names),
            });
        }
        self.names.clear();
        self.explained = None;
        self.recent.clear();
        if passed + failed == 0 {
            return Progress::Quiet;
        }
        let said = match failed {
            0 => format!("{passed} passed"),
            _ => format!("{passed} passed, {failed} FAILED"),
        };
        let name = self.suite.clone();
        Progress::Suite { name, said }
    }

    /// A suite that began and gave no result crashed: that is one failure.
    fn close_suite(&mut self) {
        if self.running {
            let suite = self.suite.clone();
            self.fail_as_a_whole(&format!("{suite}: ended without a result"));
        }
        self.running = false;
        self.names.clear();
        self.explained = None;
    }

    /// Counts one failure with what was printed last.
    pub fn fail_as_a_whole(&mut self, name: &str) {
        self.failed += 1;
        let skipped = self.recent.len().saturating_sub(TAIL_LINES);
        let output = self.recent.split_off(skipped).join("\n");
        self.recent.clear();
        self.failures.push(Failure {
            name: name.to_owned(),
            output,
            ..Failure::default()
        });
    }
}

/// Returns the suite a `Running …` or `Doc-tests …` line announces: the crate,
/// or the name of the test target.
fn suite_name(line: &str) -> Option<String> {
    if let Some(krate) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{krate} examples"));
    }
    let target = line.strip_prefix("Running ")?;
    let program = target.rsplit_once('(')?.1.trim_end_matches(')');
    let file = program.rsplit('/').next()?;
    Some(
        file.rsplit_once('-')
            .map_or(file, |(name, _hash)| name)
            .to_owned(),
    )
}

/// Returns the test target an `Executable …` line of a build announces; programs
/// and libraries with tests inside are none.
fn target_name(line: &str) -> Option<String> {
    let target = line.strip_prefix("Executable ")?;
    let is_target = !target.starts_with("unittests ");
    is_target
        .then(|| suite_name(&format!("Running {target}")))
        .flatten()
}

/// Returns the test a `test … ... ok` line is about, and how it ended.
fn case(line: &str) -> Option<(&str, Outcome)> {
    let (name, ended) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match ended {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        _ => return None,
    };
    Some((name.trim_end_matches(" - should panic"), outcome))
}

/// Returns the number in front of a word, as in `ok. 47 passed; 2 failed; …`.
fn count_of(counts: &str, word: &str) -> usize {
    let before = counts
        .split(word)
        .next()
        .filter(|before| before.len() < counts.len());
    let digits = before.and_then(|before| before.rsplit(' ').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Drops the list of names that follows the output of the failed tests.
fn without_name_list(explained: String) -> String {
    match explained.rsplit_once("\nfailures:\n") {
        Some((output, _)) => output.to_owned(),
        None => explained,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, succeeded: bool) -> (Suites, Vec<Progress>) {
        let mut suites = Suites::default();
        let told = text
            .lines()
            .map(|line| suites.line(line))
            .filter(|told| *told != Progress::Quiet)
            .collect();
        suites.end(succeeded);
        (suites, told)
    }

    #[test]
    fn suites_are_counted_and_named() {
        let text = "   Compiling a v1.0.0\n     Running unittests src/lib.rs (target/debug/deps/sbc_sip-0a1b)\n\nrunning 2 tests\ntest a ... ok\ntest b ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n   Doc-tests sbc_sip\n\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let (suites, told) = read(text, true);
        assert_eq!((suites.passed, suites.failed), (2, 0));
        let name = "sbc_sip".to_owned();
        let said = "2 passed".to_owned();
        assert_eq!(told, [Progress::Crate, Progress::Suite { name, said }]);
    }

    #[test]
    fn the_test_targets_of_a_build_are_named_once_each() {
        let text = "   Compiling a v1.0.0\n    Finished `test` profile in 1s\n  Executable unittests src/lib.rs (target/debug/deps/sbc_sip-0a1b)\n  Executable tests/check.rs (target/debug/deps/check-0a1b)\n  Executable kernel/main.rs (target/debug/deps/kernel-0a1b)\n  Executable tests/kernel.rs (target/debug/deps/kernel-1a1b)\n";
        let (mut suites, _) = read(text, true);
        assert_eq!(suites.names(), ["check", "kernel"]);
        assert_eq!((suites.passed, suites.failed), (0, 0));
    }

    #[test]
    fn a_failure_brings_its_output() {
        let text = "     Running laws/main.rs (target/debug/deps/laws-0a1b)\nrunning 2 tests\ntest a ... ok\ntest b::c ... FAILED\n\nfailures:\n\n---- b::c stdout ----\nthread 'b::c' panicked at x.rs:1:1:\nno\n\n\nfailures:\n    b::c\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.12s\nerror: test failed, to rerun pass `-p x`\n";
        let (suites, _) = read(text, false);
        assert_eq!((suites.passed, suites.failed), (1, 1));
        let [
            Failure {
                name,
                output,
                tests,
                ..
            },
        ] = suites.failures.as_slice()
        else {
            panic!("one failure, not {:?}", suites.failures);
        };
        assert_eq!(name, "laws: b::c");
        assert_eq!(tests, &["b::c"]);
        let ended: Vec<_> = suites
            .cases
            .iter()
            .map(|case| (case.name.as_str(), &case.outcome))
            .collect();
        assert_eq!(ended, [("a", &Outcome::Passed), ("b::c", &Outcome::Failed)]);
        assert_eq!(
            output.trim(),
            "---- b::c stdout ----\nthread 'b::c' panicked at x.rs:1:1:\nno"
        );
    }

    #[test]
    fn a_suite_that_crashes_is_one_failure() {
        let text = "     Running unittests src/lib.rs (target/debug/deps/a-0a1b)\nrunning 9 tests\ntest a ... ok\nerror: test failed, to rerun pass `-p a --lib`\n\nCaused by:\n  process didn't exit successfully (signal: 6, SIGABRT: process abort signal)\n     Running unittests src/lib.rs (target/debug/deps/b-0a1b)\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        let (suites, _) = read(text, false);
        assert_eq!((suites.passed, suites.failed), (1, 1));
        assert!(
            suites
                .failures
                .iter()
                .any(|failure| failure.name == "a: ended without a result"
                    && failure.output.contains("SIGABRT"))
        );
    }

    #[test]
    fn a_build_that_fails_is_one_failure_with_its_errors() {
        let text = "   Compiling a v1.0.0\nerror[E0308]: mismatched types\n --> a.rs:1:1\nerror: could not compile `a` (lib test) due to 1 previous error\n";
        let (suites, _) = read(text, false);
        assert_eq!((suites.passed, suites.failed), (0, 1));
        assert!(
            suites
                .failures
                .iter()
                .any(|failure| failure.output.contains("E0308"))
        );
    }
}
