//! The rows of the tree come in, every line that can be typed goes out as
//! tokens: options taken and left, choices written out.

use std::fmt;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::{ROWS, Row};

/// One way to type a command.
#[derive(Debug)]
pub struct Line {
    pub row: &'static Row,
    pub tokens: Vec<Token>,
}

impl Line {
    /// Returns whether the word before `depth` takes all that follows.
    #[must_use]
    pub fn takes_rest(&self, depth: usize) -> bool {
        let last = self.tokens.last();
        depth >= self.tokens.len() && matches!(last, Some(Token::Rest { .. }))
    }
}

/// What one word of a line can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Token {
    /// A word of the tree; `flag` ones, which may be left out, are told to the
    /// operation.
    Word { word: String, flag: bool },
    /// A value by name.
    Argument { name: String, kind: Kind },
    /// Everything to the end of the line.
    Rest { name: String },
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word { word, .. } => out.write_str(word),
            Self::Argument { name, .. } => write!(out, "<{name}>"),
            Self::Rest { name } => write!(out, "<{name} ...>"),
        }
    }
}

impl Token {
    /// Notes what was typed here.
    pub fn note(&self, arguments: &mut Map<String, Value>, word: &str, rest: &str) {
        let (name, value) = match self {
            Self::Word { word, flag: true } => (word, Value::Bool(true)),
            Self::Word { .. } => return,
            Self::Argument { name, kind } => (name, kind.value(word)),
            Self::Rest { name } => (name, Value::from(rest)),
        };
        arguments.insert(name.clone(), value);
    }
}

/// What an argument takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A whole number.
    Count,
    Text,
}

/// Arguments that are whole numbers.
const COUNTS: [&str; 7] = [
    "CALL", "COUNT", "MINUTES", "REVISION", "SECONDS", "SIZE", "OTHER",
];

impl Kind {
    fn of(name: &str) -> Self {
        if COUNTS.contains(&name) {
            Self::Count
        } else {
            Self::Text
        }
    }

    /// Returns whether `word` can be this.
    #[must_use]
    pub fn accepts(self, word: &str) -> bool {
        match self {
            Self::Count => word.parse::<u32>().is_ok(),
            Self::Text => word.len() <= 256,
        }
    }

    fn value(self, word: &str) -> Value {
        match self {
            Self::Count => word.parse::<u32>().map_or(Value::Null, Value::from),
            Self::Text => Value::from(word),
        }
    }
}

/// Returns every line of the tree.
pub fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        let each = ROWS.iter().flat_map(|row| {
            let (ways, _) = sequence(row.syntax, false);
            ways.into_iter().map(move |tokens| Line { row, tokens })
        });
        each.collect()
    })
}

type Ways = Vec<Vec<Token>>;

/// Reads elements until the syntax ends, or a bracket or bar that closes it.
fn sequence(text: &str, group: bool) -> (Ways, &str) {
    let mut ways: Ways = vec![Vec::new()];
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let after = rest.get(1..).unwrap_or_default();
        let (next, left) = match c {
            ']' | ')' | '|' => break,
            '[' => {
                let (mut inner, left) = choice(after);
                inner.push(Vec::new());
                (inner, left)
            }
            '(' => choice(after),
            _ => {
                let ends = |c: char| c.is_whitespace() || "[]()|".contains(c);
                let (word, left) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                (vec![vec![token(word, group)]], left)
            }
        };
        ways = joined(&ways, &next);
        rest = left.trim_start();
    }
    (ways, rest)
}

/// Reads `a|b` and the bracket that closes it.
fn choice(text: &str) -> (Ways, &str) {
    let mut all = Vec::new();
    let mut rest = text;
    loop {
        let (ways, left) = sequence(rest, true);
        all.extend(ways);
        let mut chars = left.chars();
        let closed = chars.next() != Some('|');
        rest = chars.as_str();
        if closed {
            return (all, rest);
        }
    }
}

fn joined(ways: &Ways, next: &Ways) -> Ways {
    let each = ways.iter().flat_map(|way| {
        next.iter().map(move |more| {
            let mut longer = way.clone();
            longer.extend(more.iter().cloned());
            longer
        })
    });
    each.collect()
}

fn token(word: &str, group: bool) -> Token {
    let bare = word.trim_end_matches("...");
    let name = bare.to_lowercase();
    let named = bare.starts_with(|c: char| c.is_ascii_uppercase());
    match (named, bare.len() < word.len()) {
        (true, true) => Token::Rest { name },
        (true, false) => Token::Argument {
            kind: Kind::of(bare),
            name,
        },
        _ => Token::Word {
            word: word.to_owned(),
            flag: group,
        },
    }
}
