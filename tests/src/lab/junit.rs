//! Checks with their outcomes come in, a JUnit file for a CI server goes out.

use std::fmt::Write;

/// One check: a step, a test, or something that could not run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Case {
    /// The step, or the crate or test target it belongs to.
    pub suite: String,
    /// Its name within the suite.
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// It did not while others ran beside it, and held alone.
    Unsteady,
    /// It could not run, for this reason.
    Skipped(String),
}

/// Returns the cases as one JUnit test suite.
pub fn document(cases: &[Case]) -> String {
    let count =
        |wanted: fn(&Outcome) -> bool| cases.iter().filter(|case| wanted(&case.outcome)).count();
    let failed = count(|outcome| *outcome == Outcome::Failed);
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"verify\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
        cases.len()
    );
    for Case {
        suite,
        name,
        outcome,
    } in cases
    {
        let inside = match outcome {
            Outcome::Passed => String::new(),
            Outcome::Failed => "<failure/>".into(),
            // As other tools call it that repeat a test.
            Outcome::Unsteady => "<flakyFailure/>".into(),
            Outcome::Skipped(reason) => format!("<skipped message=\"{}\"/>", escaped(reason)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<testcase classname=\"{}\" name=\"{}\">{inside}</testcase>",
            escaped(suite),
            escaped(name)
        );
    }
    text + "</testsuite>\n"
}

/// XML 1.0 has no way to write most control characters, so they become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_an_element_with_its_outcome() {
        let case = |name: &str, outcome| Case {
            suite: "sbc_sip".into(),
            name: name.into(),
            outcome,
        };
        let cases = [
            case("a::b", Outcome::Passed),
            case("c", Outcome::Failed),
            case("d", Outcome::Skipped("no \"root\" & <no>\u{7}".into())),
        ];
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuite name=\"verify\" tests=\"3\" failures=\"1\" skipped=\"1\">\n\
            <testcase classname=\"sbc_sip\" name=\"a::b\"></testcase>\n\
            <testcase classname=\"sbc_sip\" name=\"c\"><failure/></testcase>\n\
            <testcase classname=\"sbc_sip\" name=\"d\"><skipped message=\"no &quot;root&quot; &amp; &lt;no&gt;?\"/></testcase>\n\
            </testsuite>\n";
        assert_eq!(document(&cases), expected);
    }
}
