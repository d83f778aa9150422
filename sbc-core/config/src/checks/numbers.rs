//! Number tables and the numbers of trunks, compared exactly.

use alloc::format;
use alloc::vec::Vec;

use crate::checks::{Check, pairs};
use crate::codes::{DEAD_PATTERN, DEAD_RULE, NUMBER_TEST, SHARED_NUMBER};
use crate::draft::Draft;
use crate::file::Spanned;
use crate::file::tables::NumbersFile;
use crate::file::values::NumberTest;
use crate::language::Language;
use crate::pattern::Pattern;
use crate::report::{Problem, Report, Span};
use crate::rules::NumberRule;

/// The checks of numbers.
pub const CHECKS: &[Check] = &[number_test, dead_rule, dead_pattern, shared_number];

/// Lists longer than this are compared up to here: each pair costs a walk
/// through two automata.
pub const COMPARED: usize = 256;

fn number_test(draft: &Draft<'_>, report: &mut Report) {
    for numbers in draft.numbers.active() {
        for test in numbers.table.tests.value().into_iter().flatten() {
            let problem = fails(&numbers.table, test);
            problem.into_iter().for_each(|problem| report.add(problem));
        }
    }
}

fn fails(numbers: &NumbersFile, test: &Spanned<NumberTest>) -> Option<Problem> {
    let rules = if test.value.outward {
        &numbers.to_trunk
    } else {
        &numbers.from_trunk
    };
    let rules = rules.or(Vec::new())?;
    let number = test.value.number.reveal();
    let hit = rules
        .iter()
        .find_map(|rule| Some((rule, rule.value.apply(number)?)));
    let result = hit.as_ref().map_or(number, |(_, result)| result.as_str());
    if result == test.value.expected.reveal() {
        return None;
    }
    // The line of the file is shown anyway; masked, this would explain nothing.
    let expected = test.value.expected.reveal();
    let message = format!("{number} becomes {result}, not {expected}");
    let problem = Problem::new(NUMBER_TEST, &test.span, message).label("does not hold");
    Some(match hit {
        Some((rule, _)) => problem.also(&rule.span, "the rule that matched"),
        None => problem.help("no rule matches, so the number passes unchanged"),
    })
}

fn dead_rule(draft: &Draft<'_>, report: &mut Report) {
    for numbers in draft.numbers.active() {
        for rules in [&numbers.table.to_trunk, &numbers.table.from_trunk] {
            dead_in(rules.value().map_or(&[][..], Vec::as_slice), report);
        }
    }
}

fn dead_in(rules: &[Spanned<NumberRule>], report: &mut Report) {
    let mut earlier: Vec<(Language, &Span)> = Vec::new();
    for rule in rules.iter().take(COMPARED) {
        let Some(language) = Language::of(&rule.value.pattern) else {
            continue;
        };
        let covering = earlier
            .iter()
            .find(|(other, _)| language.within(other) == Some(true));
        if language.is_empty() == Some(true) {
            report.add(empty(&rule.span));
        } else if let Some((_, span)) = covering {
            let problem = Problem::new(DEAD_RULE, &rule.span, "this rule is never reached");
            report.add(
                problem
                    .label("never reached")
                    .also(span, "takes all its numbers"),
            );
        }
        earlier.push((language, &rule.span));
    }
}

fn empty(span: &Span) -> Problem {
    let problem = Problem::new(DEAD_PATTERN, span, "this pattern matches no number");
    problem.help("a number is made of +, digits, * and #; a literal plus is written \\+")
}

/// Own numbers and the patterns of routes.
fn dead_pattern(draft: &Draft<'_>, report: &mut Report) {
    let own = draft
        .active_trunks()
        .flat_map(|trunk| trunk.file.own_numbers.value().into_iter().flatten());
    let routes = draft.routes().filter_map(|route| route.value.number.get());
    for pattern in own.chain(routes) {
        let Some(language) = Language::of(&pattern.value) else {
            continue;
        };
        if language.is_empty() == Some(true) {
            report.add(empty(&pattern.span));
        } else if language.has_empty() {
            let problem = Problem::new(
                DEAD_PATTERN,
                &pattern.span,
                "this pattern matches the empty number",
            );
            report
                .add(problem.help("write + for one or more where * stands, or a digit before it"));
        }
    }
}

fn shared_number(draft: &Draft<'_>, report: &mut Report) {
    let mut own: Vec<(usize, Language, &Spanned<Pattern>)> = Vec::new();
    for (at, trunk) in draft.active_trunks().enumerate() {
        for pattern in trunk.file.own_numbers.value().into_iter().flatten() {
            if let Some(language) = Language::of(&pattern.value).filter(|_| own.len() < COMPARED) {
                own.push((at, language, pattern));
            }
        }
    }
    for (one, two) in pairs(&own.iter().collect::<Vec<_>>()) {
        // A pattern of a profile is the same text in both.
        if one.0 != two.0 && one.1.meets(&two.1) == Some(true) {
            let problem = Problem::new(
                SHARED_NUMBER,
                &two.2.span,
                "these numbers belong to two trunks",
            );
            let problem = problem.label("also here");
            report.add(
                problem
                    .also(&one.2.span, "and here")
                    .help("narrow one of the two patterns"),
            );
        }
    }
}
