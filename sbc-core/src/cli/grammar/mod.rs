//! The command tree as data: a line comes in, the one command it means with its
//! arguments goes out, or what could stand there instead. Completion, help and
//! the documentation are read from the same rows.

mod absent;
mod edits;
mod forms;
mod parse;
mod table;
mod words;

use std::fmt;

use serde_json::{Map, Value};

use super::here::Here;

pub use edits::ROWS;
pub use parse::{Line, Token, lines};
pub use words::{Typed, split};

/// What a login may do; each may all that those before it may.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    Monitor,
    Operator,
    Admin,
}

impl Role {
    /// Returns the word of the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Returns the role of a word, if it is one.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Monitor, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.word() == word)
    }
}

/// Behind which prompt a command works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// `>`
    Operational,
    /// `#`
    Configuration,
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Act {
    /// Asks the node for an operation and shows the answer.
    Ask(&'static str, fn(&Value) -> String),
    /// Is done by the console itself.
    Here(Here),
    /// Nothing is behind it in this image; it says so by code.
    Later,
}

impl fmt::Debug for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(operation, _) => write!(out, "Ask({operation})"),
            Self::Here(here) => write!(out, "Here({here:?})"),
            Self::Later => out.write_str("Later"),
        }
    }
}

/// One row of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub mode: Mode,
    pub role: Role,
    /// Words, `ARGUMENT`, `ARGUMENT...` for the rest, `[optional]`, `(a|b)`.
    pub syntax: &'static str,
    pub help: &'static str,
    pub act: Act,
    /// The form of the answer, in the notation of [`super::form`]; empty if it
    /// has no JSON.
    pub form: &'static str,
}

/// A command that was understood.
#[derive(Debug)]
pub struct Meant {
    pub row: &'static Row,
    pub arguments: Map<String, Value>,
}

/// Why a line is no command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// Nothing was typed.
    Empty,
    /// The word at this place of the line could be several.
    Ambiguous { at: usize, choices: Vec<String> },
    /// No command has this word at this place.
    Unknown { at: usize, expected: Vec<String> },
    /// More is needed.
    Incomplete { expected: Vec<String> },
}

impl Wrong {
    /// Returns the sentence for people.
    #[must_use]
    pub fn say(&self, line: &str) -> String {
        let word = |at: usize| {
            let rest = line.get(at..).unwrap_or_default();
            super::clean(rest.split_whitespace().next().unwrap_or_default())
        };
        match self {
            Self::Empty => String::new(),
            Self::Ambiguous { at, choices } => {
                format!("'{}' could be {}", word(*at), choices.join(", "))
            }
            Self::Unknown { at, expected } if expected.is_empty() => {
                format!("nothing follows before '{}'", word(*at))
            }
            Self::Unknown { at, expected } => {
                format!("unknown '{}'; there is {}", word(*at), few(expected))
            }
            Self::Incomplete { expected } => format!("more is needed: {}", few(expected)),
        }
    }
}

fn few(all: &[String]) -> String {
    const MOST: usize = 8;
    let mut text = all
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > MOST {
        text.push_str(", ...");
    }
    text
}

/// Returns the command that `line` means in `mode`.
///
/// # Errors
/// [`Wrong`] with what could stand there.
pub fn understand(mode: Mode, line: &str) -> Result<Meant, Wrong> {
    let words = split(line);
    if words.is_empty() {
        return Err(Wrong::Empty);
    }
    let mut walk = Walk::new(mode);
    for word in &words {
        walk.step(word, line)?;
    }
    walk.end()
}

/// Returns what can follow `line`: words and arguments with their help.
#[must_use]
pub fn following(mode: Mode, line: &str) -> Vec<(String, String)> {
    let (walk, part) = walked(mode, line);
    let Some(walk) = walk else {
        return Vec::new();
    };
    let mut found = walk.expected_with_help();
    found.retain(|(word, _)| word.starts_with(part) || !word.starts_with(char::is_lowercase));
    found
}

/// Returns the words that complete the last word of `line`, and where it starts.
#[must_use]
pub fn completions(mode: Mode, line: &str) -> (usize, Vec<String>) {
    let (walk, part) = walked(mode, line);
    let start = line.len() - part.len();
    let words = walk.map(|walk| walk.expected_with_help());
    let words = words.unwrap_or_default().into_iter().map(|(word, _)| word);
    let fits = |word: &String| word.starts_with(char::is_lowercase) && word.starts_with(part);
    (start, words.filter(fits).collect())
}

/// Walks over all whole words; the one under the cursor is returned as it is.
fn walked(mode: Mode, line: &str) -> (Option<Walk>, &str) {
    let words = split(line);
    let (whole, part) = match words.split_last() {
        Some((last, whole)) if !line.ends_with(char::is_whitespace) => {
            (whole, line.get(last.at..).unwrap_or_default())
        }
        _ => (words.as_slice(), ""),
    };
    let mut walk = Walk::new(mode);
    let fine = whole.iter().all(|word| walk.step(word, line).is_ok());
    (fine.then_some(walk), part)
}

/// All lines of the tree that fit the words so far.
struct Walk {
    alive: Vec<(&'static Line, Map<String, Value>)>,
    depth: usize,
}

impl Walk {
    fn new(mode: Mode) -> Self {
        let all = lines().iter().filter(|line| line.row.mode == mode);
        Self {
            alive: all.map(|line| (line, Map::new())).collect(),
            depth: 0,
        }
    }

    /// Takes one more word: whole words first, then the one word it shortens,
    /// then arguments.
    fn step(&mut self, typed: &Typed, line: &str) -> Result<(), Wrong> {
        let depth = self.depth;
        // The rest of a line was taken already.
        if self.alive.iter().any(|(line, _)| line.takes_rest(depth)) {
            self.alive.retain(|(line, _)| line.takes_rest(depth));
            return Ok(());
        }
        let word = typed.text.as_str();
        let is_word =
            |fits: &dyn Fn(&str) -> bool| self.words().into_iter().any(|known| fits(&known));
        let chosen: Option<String> = if typed.quoted {
            None
        } else if is_word(&|known| known == word) {
            Some(word.to_owned())
        } else {
            let short: Vec<String> = self.words();
            let short: Vec<String> = short.into_iter().filter(|k| k.starts_with(word)).collect();
            match short.as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                _ if self.accepts(word) => None,
                _ => {
                    let (at, mut choices) = (typed.at, short);
                    choices.sort();
                    return Err(Wrong::Ambiguous { at, choices });
                }
            }
        };
        let rest = line.get(typed.at..).unwrap_or_default().trim();
        let before = std::mem::take(&mut self.alive);
        let expected = expected_of(&before, depth);
        for (known, mut arguments) in before {
            let Some(token) = known.tokens.get(depth) else {
                continue;
            };
            let fits = match (&chosen, token) {
                (Some(chosen), Token::Word { word, .. }) => word == chosen,
                (None, Token::Argument { kind, .. }) => kind.accepts(word),
                (None, Token::Rest { .. }) => true,
                _ => false,
            };
            if fits {
                token.note(&mut arguments, word, rest);
                self.alive.push((known, arguments));
            }
        }
        self.depth += 1;
        if self.alive.is_empty() {
            return Err(Wrong::Unknown {
                at: typed.at,
                expected,
            });
        }
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (line, _) in &self.alive {
            if let Some(Token::Word { word, .. }) = line.tokens.get(self.depth)
                && !words.contains(word)
            {
                words.push(word.clone());
            }
        }
        words
    }

    fn accepts(&self, word: &str) -> bool {
        self.alive
            .iter()
            .any(|(line, _)| match line.tokens.get(self.depth) {
                Some(Token::Argument { kind, .. }) => kind.accepts(word),
                Some(Token::Rest { .. }) => true,
                _ => false,
            })
    }

    fn end(self) -> Result<Meant, Wrong> {
        let depth = self.depth;
        let expected = expected_of(&self.alive, depth);
        let done = |line: &Line| line.tokens.len() == depth || line.takes_rest(depth);
        let mut found = self.alive.into_iter().filter(|(line, _)| done(line));
        match found.next() {
            Some((line, arguments)) => Ok(Meant {
                row: line.row,
                arguments,
            }),
            None => Err(Wrong::Incomplete { expected }),
        }
    }

    /// Returns what can stand here; `<enter>` if the command is whole.
    fn expected_with_help(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for (line, _) in &self.alive {
            let word = match line.tokens.get(self.depth) {
                Some(token) => token.to_string(),
                None => "<enter>".to_owned(),
            };
            if found.iter().any(|(known, _)| *known == word) {
                continue;
            }
            let same = self.alive.iter().filter(|(other, _)| {
                let token = other.tokens.get(self.depth);
                token.is_some_and(|token| token.to_string() == word)
            });
            let mut rows: Vec<&str> = same.map(|(line, _)| line.row.help).collect();
            rows.dedup();
            let group = words::group(self.depth, &word);
            let help = match (group, rows.as_slice()) {
                (Some(group), _) => group.to_owned(),
                (None, [] | [_]) => line.row.help.to_owned(),
                (None, [first, ..]) => format!("{first}, and more"),
            };
            found.push((word, help));
        }
        found.sort();
        found
    }
}

fn expected_of(alive: &[(&'static Line, Map<String, Value>)], depth: usize) -> Vec<String> {
    let mut words: Vec<String> = alive
        .iter()
        .filter_map(|(line, _)| line.tokens.get(depth))
        .map(ToString::to_string)
        .collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests;
