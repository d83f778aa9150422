//! Patterns over numbers: a regular expression comes in, anchored at both
//! ends and without look-around or back-references, so that matching is linear
//! in the number. Digits are ASCII (RFC 3966 §3).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use regex::bytes::{Captures, Regex, RegexBuilder};

/// The longest pattern. Twenty alternatives of a long number still fit.
pub const MAX_PATTERN: usize = 512;

/// Octets a compiled pattern may take. `\+49\d{1,12}` takes four thousand;
/// a thousand patterns of this size would still fit a small box.
const COMPILED: usize = 64 * 1024;

/// The longest number a pattern is asked about.
pub const MAX_NUMBER: usize = 64;

/// A pattern that must match the whole number.
#[derive(Clone)]
pub struct Pattern {
    source: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Takes the text of a pattern; says what is wrong with it in a sentence.
    pub fn new(source: &str) -> Result<Self, String> {
        if source.len() > MAX_PATTERN {
            return Err(format!("longer than {MAX_PATTERN} characters"));
        }
        let regex = RegexBuilder::new(&format!("^(?:{source})$"))
            .unicode(false)
            .size_limit(COMPILED)
            .build()
            .map_err(|error| first_sentence(&error))?;
        // `a)|(b` would turn the anchors inside out.
        RegexBuilder::new(source)
            .unicode(false)
            .size_limit(COMPILED)
            .build()
            .map_err(|error| first_sentence(&error))?;
        Ok(Self {
            source: source.into(),
            regex,
        })
    }

    /// Returns the pattern as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns true if the whole of `number` matches.
    pub fn matches(&self, number: &str) -> bool {
        number.len() <= MAX_NUMBER && self.regex.is_match(number.as_bytes())
    }

    /// Returns the groups of a match of the whole number.
    pub(crate) fn captures<'n>(&self, number: &'n str) -> Option<Captures<'n>> {
        if number.len() > MAX_NUMBER {
            return None;
        }
        self.regex.captures(number.as_bytes())
    }

    /// Returns how many groups the pattern has, the whole match not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }
}

/// Returns the line of a regex error that names the fault.
fn first_sentence(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("takes more than {COMPILED} octets compiled"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_string()
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3966 §3: digits are ASCII.
    #[test]
    fn a_pattern_matches_the_whole_number_or_nothing() {
        let pattern = Pattern::new(r"\+49\d{3}").unwrap();
        assert!(pattern.matches("+49123"));
        assert!(!pattern.matches("+491234"));
        assert!(!pattern.matches("0+49123"));
        assert!(!pattern.matches("+49١٢٣"));
        let either = Pattern::new("110|112").unwrap();
        assert!(either.matches("112") && !either.matches("1120"));
    }

    #[test]
    fn a_pattern_that_is_none_says_why() {
        assert_eq!(Pattern::new("(").unwrap_err(), "unclosed group");
        assert_eq!(Pattern::new("a)|(b").unwrap_err(), "unopened group");
        assert!(
            Pattern::new(r"(\d)\1")
                .unwrap_err()
                .contains("backreferences")
        );
        assert!(Pattern::new(r"\d{1,1000000}").is_err());
        assert!(Pattern::new(&"1".repeat(MAX_PATTERN + 1)).is_err());
    }
}
