//! Problems of a file: what is wrong, where, how bad, what would help. A check
//! reports; the report is read in the order of the file.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::codes::Code;

/// Octets of the text, first to one past the last.
pub type Span = Range<usize>;

/// The most errors of one file, and the most warnings. Whoever has more will
/// not read them all; counted apart, so that warnings never hide an error.
pub const MAX_PROBLEMS: usize = 500;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The node would not do what was written.
    Error,
    /// It would, and it may not be what was meant.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing wrong with the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub code: Code,
    pub span: Span,
    /// The key in question: `mediation.med-2.address`.
    pub path: String,
    /// The sentence.
    pub message: String,
    /// What the marked place is, in a word or two.
    pub label: String,
    pub help: Option<String>,
    /// Other places that belong to it.
    pub also: Vec<Note>,
    /// The marked text is a secret and is never shown.
    pub conceal: bool,
}

impl Problem {
    /// Takes the code, the place and the sentence.
    pub fn new(code: Code, span: &Span, message: impl Into<String>) -> Self {
        Self {
            code,
            span: span.clone(),
            path: String::new(),
            message: message.into(),
            label: String::new(),
            help: None,
            also: Vec::new(),
            conceal: false,
        }
    }

    /// Returns the same with a word about the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Returns the same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the same with one more place.
    #[must_use]
    pub fn also(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.also.push(Note {
            span: span.clone(),
            label: label.into(),
        });
        self
    }

    /// Returns whether it is an error or a warning.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Another place of a problem.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    pub span: Span,
    pub label: String,
}

/// Where checks put what they find.
#[derive(Debug, Default)]
pub struct Report {
    problems: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// Takes one more problem; beyond [`MAX_PROBLEMS`] of its kind it is
    /// dropped.
    pub fn add(&mut self, problem: Problem) {
        let count = match problem.severity() {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count < MAX_PROBLEMS {
            *count += 1;
            self.problems.push(problem);
        }
    }

    /// Returns true if a problem makes the file unusable.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Returns all problems in the order of the file, each once.
    pub fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| {
            (a.span.start, a.code, &a.message).cmp(&(b.span.start, b.code, &b.message))
        });
        self.problems.dedup();
        self.problems
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::codes::{NO_GUARD, SYNTAX};

    #[test]
    fn a_flood_of_warnings_hides_no_error() {
        let mut report = Report::default();
        for at in 0..2 * MAX_PROBLEMS {
            report.add(Problem::new(NO_GUARD, &(at..at), format!("{at}")));
        }
        report.add(Problem::new(SYNTAX, &(0..0), "last"));
        assert!(report.has_errors());
        let problems = report.into_problems();
        assert_eq!(problems.len(), MAX_PROBLEMS + 1);
        assert_eq!(problems.first().map(|problem| problem.code), Some(SYNTAX));
    }
}
