//! What numbers a pattern takes, as a finite automaton: patterns come in, exact
//! answers go out — is it empty, is one within another, do two meet — over the
//! letters a number is made of (RFC 3966 §3).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use crate::pattern::Pattern;

/// What a number is made of.
const LETTERS: &[u8; 13] = b"+0123456789*#";

/// Octets an automaton may take. A pattern of `\d{1,15}` takes eight thousand.
const AUTOMATON: usize = 256 * 1024;

/// Pairs of states looked at before a question is given up. Two patterns over
/// numbers of 15 digits have a few hundred.
const PAIRS: usize = 20_000;

/// The numbers a pattern takes.
#[derive(Clone, Debug)]
pub struct Language {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl Language {
    /// Takes a pattern; nothing if its automaton would be too large.
    pub fn of(pattern: &Pattern) -> Option<Self> {
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(AUTOMATON))
                    .determinize_size_limit(Some(AUTOMATON)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(AUTOMATON)),
            )
            .build(&format!("^(?:{})$", pattern.source()))
            .ok()?;
        let start = dfa
            .start_state_forward(&Input::new("").anchored(Anchored::Yes))
            .ok()?;
        Some(Self { dfa, start })
    }

    /// Returns true if the empty number is taken.
    pub fn has_empty(&self) -> bool {
        self.accepts(self.start)
    }

    /// Returns true if no number is taken; nothing if that cannot be told.
    pub fn is_empty(&self) -> Option<bool> {
        self.search(self, |own, _| own).map(|found| !found)
    }

    /// Returns true if every number taken here is taken by `other` too;
    /// nothing if that cannot be told.
    pub fn within(&self, other: &Self) -> Option<bool> {
        self.search(other, |own, other| own && !other)
            .map(|found| !found)
    }

    /// Returns true if some number is taken by both; nothing if that cannot be
    /// told.
    pub fn meets(&self, other: &Self) -> Option<bool> {
        self.search(other, |own, other| own && other)
    }

    fn accepts(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }

    /// Walks both automata over all numbers until `wanted` holds of a pair.
    fn search(&self, other: &Self, wanted: fn(bool, bool) -> bool) -> Option<bool> {
        let mut seen = BTreeSet::from([(self.start, other.start)]);
        let mut open = Vec::from([(self.start, other.start)]);
        while let Some((own, far)) = open.pop() {
            if wanted(self.accepts(own), other.accepts(far)) {
                return Some(true);
            }
            if self.dfa.is_dead_state(own) {
                continue;
            }
            if seen.len() > PAIRS {
                return None;
            }
            for letter in LETTERS {
                let next = (
                    self.dfa.next_state(own, *letter),
                    other.dfa.next_state(far, *letter),
                );
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(pattern: &str) -> Language {
        Language::of(&Pattern::new(pattern).unwrap()).unwrap()
    }

    /// RFC 3966 §3: `+`, digits, `*` and `#`.
    #[test]
    fn a_pattern_that_takes_no_number_is_empty() {
        assert_eq!(language("[a-z]+").is_empty(), Some(true));
        assert_eq!(language(r"\+49\d+").is_empty(), Some(false));
        assert_eq!(language("").is_empty(), Some(false));
        assert!(language(r"\d*").has_empty());
        assert!(!language(r"\d+").has_empty());
    }

    #[test]
    fn one_pattern_lies_within_another_or_does_not() {
        assert_eq!(
            language(r"\+4969123.*").within(&language(r"\+.*")),
            Some(true)
        );
        assert_eq!(
            language(r"\+.*").within(&language(r"\+4969123.*")),
            Some(false)
        );
        assert_eq!(language("110|112").within(&language(r"11\d")), Some(true));
        assert_eq!(
            language(r"\d{3}").within(&language(r"[0-4]\d\d|[5-9]\d\d")),
            Some(true)
        );
    }

    #[test]
    fn two_patterns_meet_where_a_number_is_in_both() {
        assert_eq!(
            language(r"\+4969\d{4}").meets(&language(r"\+49\d{6}")),
            Some(true)
        );
        assert_eq!(
            language(r"\+4969\d{4}").meets(&language(r"\+4930\d{4}")),
            Some(false)
        );
    }
}
