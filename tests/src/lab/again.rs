//! What failed while much else ran comes in; each test of it is run once more, alone,
//! and what held then goes out as unsteady: told with its first output, not hidden,
//! and no failure. A fault that is there fails twice.

use super::junit::Outcome;
use super::report::Failure;
use super::suites::Suites;

/// The suites whose tests wait for processes, sockets and machines by the clock. What
/// is computed fails for a reason of its own, once and for all.
const BY_THE_CLOCK: [&str; 7] = [
    "boot", "console", "fence", "firmware", "kernel", "netns", "relay",
];

/// Tests that are run again; when more fail, it is not the neighbours' fault.
const TESTS_MAX: usize = 3;

/// Runs the failed tests of all lanes again, each by `alone`, which takes the suite
/// and the test and returns whether it held. Those that did are unsteady from here on.
pub fn ask(lanes: &mut [Suites], mut alone: impl FnMut(&str, &str) -> bool) {
    let failures = || lanes.iter().flat_map(|suites| &suites.failures);
    let asked = |failure: &Failure| {
        BY_THE_CLOCK.contains(&failure.suite.as_str()) && !failure.tests.is_empty()
    };
    let count: usize = failures().map(|failure| failure.tests.len()).sum();
    if count > TESTS_MAX || !failures().all(asked) {
        return;
    }
    for suites in lanes {
        let mut held = |failure: &Failure| {
            let mut tests = failure.tests.iter();
            tests.all(|test| alone(&failure.suite, test))
        };
        let all = std::mem::take(&mut suites.failures);
        let (unsteady, failed) = all.into_iter().partition(|failure| held(failure));
        suites.failures = failed;
        for failure in &unsteady {
            let Failure { suite, tests, .. } = failure;
            suites.failed = suites.failed.saturating_sub(tests.len());
            suites.passed += tests.len();
            let cases = suites.cases.iter_mut();
            cases
                .filter(|case| case.suite == *suite && tests.contains(&case.name))
                .for_each(|case| case.outcome = Outcome::Unsteady);
        }
        suites.unsteady.extend(unsteady);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(suite: &str, tests: &[&str]) -> Failure {
        Failure {
            name: format!("{suite}: {}", tests.join(", ")),
            output: "panicked".to_owned(),
            suite: suite.to_owned(),
            tests: tests.iter().map(|&test| test.to_owned()).collect(),
        }
    }

    fn lane(failures: Vec<Failure>) -> Suites {
        let failed = failures.iter().map(|failure| failure.tests.len().max(1));
        let mut suites = Suites::default();
        suites.passed = 10;
        suites.failed = failed.sum();
        suites.failures = failures;
        suites
    }

    #[test]
    fn a_test_that_holds_alone_is_unsteady_and_one_that_fails_again_has_failed() {
        let mut lanes = [
            lane(vec![failure("netns", &["a"])]),
            lane(vec![failure("fence", &["b"])]),
        ];
        let mut asked = Vec::new();
        ask(&mut lanes, |suite, test| {
            asked.push(format!("{suite} {test}"));
            suite == "netns"
        });
        assert_eq!(asked, ["netns a", "fence b"]);
        let [first, second] = lanes;
        assert_eq!((first.passed, first.failed), (11, 0));
        assert_eq!(first.unsteady.len(), 1);
        assert_eq!((second.passed, second.failed), (10, 1));
        assert!(second.unsteady.is_empty() && second.failures.len() == 1);
    }

    #[test]
    fn nothing_is_asked_again_of_what_is_computed_of_a_crash_or_of_many() {
        for failures in [
            vec![failure("netns", &["a"]), failure("flows", &["b"])],
            vec![failure("netns", &[])],
            vec![failure("netns", &["a", "b", "c", "d"])],
        ] {
            let mut lanes = [lane(failures)];
            let before = lanes[0].failed;
            ask(&mut lanes, |_, _| panic!("asked"));
            assert_eq!(lanes[0].failed, before);
        }
    }
}
