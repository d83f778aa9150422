//! Number rules, `'\+49(\d+) -> 0$1'`: a number comes in, and the first rule
//! that matches the whole of it makes the number that goes out.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::country::Country;
use crate::pattern::Pattern;

/// The longest result of a rule; RFC 3966 sets no limit, our wire does.
const MAX_RESULT: usize = 64;

/// How one peer writes numbers, both ways.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Numbers {
    pub country: Option<Country>,
    /// From E.164 to what the peer wants.
    pub to_trunk: NumberRules,
    /// From what the peer sends to E.164.
    pub from_trunk: NumberRules,
}

impl Numbers {
    /// Returns `number` (E.164) as this peer wants it.
    pub fn outward(&self, number: &str) -> String {
        self.to_trunk
            .apply(number)
            .unwrap_or_else(|| number.to_string())
    }

    /// Returns a number of this peer as E.164.
    pub fn inward(&self, number: &str) -> String {
        self.from_trunk
            .apply(number)
            .unwrap_or_else(|| number.to_string())
    }
}

/// Rules in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NumberRules(pub(crate) Vec<NumberRule>);

impl NumberRules {
    /// Returns what the first matching rule makes of `number`, or nothing if
    /// none matches: then the number stays as it is.
    pub fn apply(&self, number: &str) -> Option<String> {
        self.0.iter().find_map(|rule| rule.apply(number))
    }

    /// Returns true if there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One rule: a pattern, and a text with `$1` … `$9` for its groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberRule {
    pub(crate) pattern: Pattern,
    result: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Group(usize),
}

impl NumberRule {
    /// Takes `PATTERN -> RESULT`; says in a sentence why it is no rule.
    pub fn new(text: &str) -> Result<Self, String> {
        let (pattern, result) = text
            .split_once("->")
            .ok_or("a rule is written 'PATTERN -> RESULT'")?;
        let pattern = Pattern::new(pattern.trim())?;
        let result = parts(result.trim(), pattern.groups())?;
        Ok(Self { pattern, result })
    }

    /// Returns the result if the whole of `number` matches and the result is
    /// not longer than a number can be.
    pub fn apply(&self, number: &str) -> Option<String> {
        let groups = self.pattern.captures(number)?;
        let mut out = String::new();
        for part in &self.result {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(at) => {
                    let group = groups.get(*at).map_or(&[][..], |group| group.as_bytes());
                    out.push_str(core::str::from_utf8(group).unwrap_or_default());
                }
            }
        }
        (out.len() <= MAX_RESULT).then_some(out)
    }
}

/// Cuts a result into text and groups; `groups` is how many there are.
fn parts(result: &str, groups: usize) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut pieces = result.split('$');
    let first = pieces.next().unwrap_or_default();
    push_text(&mut parts, first)?;
    for piece in pieces {
        let digit = piece.chars().next().and_then(|c| c.to_digit(10));
        let group = digit.ok_or("'$' is followed by the number of a group")? as usize;
        if group > groups {
            return Err(format!("${group}: the pattern has {groups} groups"));
        }
        parts.push(Part::Group(group));
        push_text(&mut parts, piece.get(1..).unwrap_or_default())?;
    }
    Ok(parts)
}

fn push_text(parts: &mut Vec<Part>, text: &str) -> Result<(), String> {
    let dialled = text
        .bytes()
        .all(|o| o.is_ascii_alphanumeric() || b"+*#-.;=".contains(&o));
    if !dialled {
        return Err(format!(
            "'{}' cannot be part of a number",
            text.escape_default()
        ));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn rules(lines: &[&str]) -> NumberRules {
        NumberRules(
            lines
                .iter()
                .map(|line| NumberRule::new(line).unwrap())
                .collect(),
        )
    }

    #[test]
    fn the_first_rule_that_matches_the_whole_number_wins() {
        let to = rules(&[r"\+49(\d+) -> 0$1", r"\+(\d+) -> 00$1"]);
        assert_eq!(to.apply("+4930555100").as_deref(), Some("030555100"));
        assert_eq!(to.apply("+33144556677").as_deref(), Some("0033144556677"));
        assert_eq!(to.apply("112"), None);
    }

    #[test]
    fn numbers_without_rules_pass_unchanged() {
        let numbers = Numbers::default();
        assert_eq!(numbers.outward("+4930"), "+4930");
        assert_eq!(numbers.inward("+4930"), "+4930");
    }

    #[test]
    fn a_rule_that_is_none_says_why() {
        let sentences = [
            ("0", "a rule is written 'PATTERN -> RESULT'"),
            ("( -> 1", "unclosed group"),
            (r"(\d) -> $2", "$2: the pattern has 1 groups"),
            (r"(\d) -> $x", "'$' is followed by the number of a group"),
            (r"(\d) -> a b", "'a b' cannot be part of a number"),
        ];
        for (rule, why) in sentences {
            assert_eq!(NumberRule::new(rule).unwrap_err(), why, "{rule}");
        }
    }

    #[test]
    fn a_result_that_grows_beyond_a_number_is_none() {
        let grows = NumberRule::new(&format!("(.*) -> {}", "$1".repeat(9))).unwrap();
        assert_eq!(grows.apply("123456789"), None);
        assert_eq!(grows.apply("12"), Some("12".repeat(9)));
        assert_eq!(parts("", 0), Ok(vec![]));
    }
}
