//! The words of a `set` line: text comes in, words with their quotes taken off
//! go out; and values as such words, and back.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

use super::Value;
use crate::file::Shape;

/// One word of a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Bare(String),
    Quoted(String),
    Open,
    Close,
}

impl Word {
    /// Returns what was meant, whatever the quotes.
    pub fn text(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Quoted(text) => text,
            Self::Open => "[",
            Self::Close => "]",
        }
    }
}

/// Splits a line into words; says what is wrong with it otherwise.
pub(super) fn words(line: &str) -> Result<Vec<Word>, String> {
    let mut found = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&c) = chars.peek() {
        let word = match c {
            _ if c.is_whitespace() => {
                chars.next();
                continue;
            }
            '[' => {
                chars.next();
                Word::Open
            }
            ']' => {
                chars.next();
                Word::Close
            }
            '\'' => Word::Quoted(literal(&mut chars)?),
            '"' => Word::Quoted(basic(&mut chars)?),
            _ => bare(&mut chars),
        };
        found.push(word);
    }
    Ok(found)
}

type Letters<'a> = Peekable<Chars<'a>>;

fn bare(chars: &mut Letters<'_>) -> Word {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|c| !c.is_whitespace() && *c != ']') {
        // Between words of a list a comma may stand, as in TOML.
        if c == ',' && chars.peek().is_none_or(|c| c.is_whitespace() || *c == ']') {
            break;
        }
        text.push(c);
    }
    Word::Bare(text)
}

fn literal(chars: &mut Letters<'_>) -> Result<String, String> {
    chars.next();
    let mut text = String::new();
    for c in chars.by_ref() {
        if c == '\'' {
            return closed(chars, text);
        }
        text.push(c);
    }
    Err("a quote is not closed".into())
}

fn basic(chars: &mut Letters<'_>) -> Result<String, String> {
    chars.next();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return closed(chars, text),
            '\\' => text.push(escaped(chars)?),
            _ => text.push(c),
        }
    }
    Err("a quote is not closed".into())
}

fn closed(chars: &mut Letters<'_>, text: String) -> Result<String, String> {
    let _comma = chars.next_if_eq(&',');
    match chars.peek() {
        None | Some(']') => Ok(text),
        Some(c) if c.is_whitespace() => Ok(text),
        Some(_) => Err("something is glued to a closing quote".into()),
    }
}

fn escaped(chars: &mut Letters<'_>) -> Result<char, String> {
    match chars.next() {
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('r') => Ok('\r'),
        Some('\\') => Ok('\\'),
        Some('"') => Ok('"'),
        Some('u') => {
            let digits: String = chars.by_ref().take(4).collect();
            let number = u32::from_str_radix(&digits, 16).ok();
            number
                .and_then(char::from_u32)
                .ok_or_else(|| "\\u takes four hexadecimal digits".into())
        }
        _ => Err("an escape is \\n, \\t, \\r, \\\\, \\\" or \\uXXXX".into()),
    }
}

/// Returns the value that `words` are for a key of that shape.
pub(super) fn value(shape: Option<&Shape>, words: &[Word]) -> Option<Value> {
    match words {
        [Word::Open, inner @ .., Word::Close] => list(shape, inner),
        [one @ (Word::Bare(_) | Word::Quoted(_))] => {
            if let Some(Shape::List(inner)) = shape {
                return Some(Value::List(Vec::from([scalar(Some(inner), one)])));
            }
            let shape = match shape {
                Some(Shape::OneOrMore(inner)) => Some(*inner),
                other => other,
            };
            Some(scalar(shape, one))
        }
        _ => None,
    }
}

fn list(shape: Option<&Shape>, words: &[Word]) -> Option<Value> {
    let inner = match shape {
        Some(Shape::List(inner) | Shape::OneOrMore(inner)) => Some(*inner),
        _ => None,
    };
    let mut items = Vec::new();
    for word in words {
        match word {
            Word::Open | Word::Close => return None,
            one => items.push(scalar(inner, one)),
        }
    }
    Some(Value::List(items))
}

fn scalar(shape: Option<&Shape>, word: &Word) -> Value {
    let text = match word {
        Word::Bare(text) => text,
        other => return Value::Text(other.text().to_string()),
    };
    let number = || text.parse().ok().map(Value::Integer);
    let truth = || text.parse().ok().map(Value::Boolean);
    let fraction = || {
        let parsed = text.parse().ok().filter(|number: &f64| number.is_finite());
        parsed.map(Value::Fraction)
    };
    let value = match shape {
        Some(Shape::Boolean) => truth(),
        Some(Shape::Integer { .. }) => number(),
        Some(Shape::Fraction { .. }) => {
            if text.contains('.') {
                fraction()
            } else {
                number()
            }
        }
        // A time of nothing is the number 0.
        Some(Shape::Text { form: "a time", .. }) if text == "0" => number(),
        None => truth().or_else(number),
        _ => None,
    };
    value.unwrap_or_else(|| Value::Text(text.clone()))
}

/// Returns the value as words that read back to it; nothing if there are none.
pub(super) fn spoken(shape: Option<&Shape>, value: &Value) -> Option<String> {
    let reads_back = |text: &String| {
        let words = words(text).ok();
        words.and_then(|words| self::value(shape, &words)).as_ref() == Some(value)
    };
    match value {
        Value::Boolean(truth) => Some(truth.to_string()).filter(reads_back),
        Value::Integer(number) => Some(number.to_string()).filter(reads_back),
        Value::Fraction(number) => Some(format!("{number:?}")).filter(reads_back),
        Value::Text(text) => {
            let bare = Some(text.clone()).filter(|text| !text.is_empty() && reads_back(text));
            bare.or_else(|| Some(quoted(text)).filter(reads_back))
        }
        Value::List(items) => {
            let inner = match shape {
                Some(Shape::List(inner) | Shape::OneOrMore(inner)) => Some(*inner),
                _ => None,
            };
            let items: Option<Vec<String>> =
                items.iter().map(|item| spoken_item(inner, item)).collect();
            Some(format!("[{}]", items?.join(" "))).filter(reads_back)
        }
    }
}

fn spoken_item(shape: Option<&Shape>, value: &Value) -> Option<String> {
    match value {
        Value::List(_) => None,
        Value::Text(text) => {
            let one = words(text).ok()?;
            let plain = one.len() == 1 && !text.contains([',', '[', ']', '"', '\'']);
            let same = one
                .first()
                .is_some_and(|word| scalar(shape, word) == *value);
            Some(if plain && same {
                text.clone()
            } else {
                quoted(text)
            })
        }
        Value::Fraction(number) => Some(format!("{number:?}")),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Integer(number) => Some(number.to_string()),
    }
}

/// Returns the text in quotes: plain ones if it has neither quote nor control
/// character, else with escapes.
pub(super) fn quoted(text: &str) -> String {
    let simple = !text.chars().any(|c| c.is_control() || c == '\'');
    if simple && text.contains(['\\', '"']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            _ if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
