//! The text of a Rust file comes in; its bare code, its comments, its strings
//! and which lines are tests go out.
//!
//! This reads only as much of the language as the laws need: where comments,
//! strings and characters begin and end, and which braces match.

mod lex;
mod tests;

pub use lex::Piece;

/// One Rust file, taken apart.
pub struct Source {
    /// Where it lies, from the top of the repository, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
    /// The text, byte for byte as long, with comments and quoted text blanked.
    pub code: String,
    /// Each comment with the line it starts on, markers included.
    pub comments: Vec<Piece>,
    /// Each string with the line it starts on, quotes included.
    pub strings: Vec<Piece>,
    test: Vec<bool>,
}

/// A function, from its `fn` to its closing brace.
#[derive(Debug, Eq, PartialEq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub length: usize,
}

impl Source {
    /// Takes a file apart. Lines count from 1.
    pub fn new(path: String, text: String) -> Self {
        let (code, comments, strings) = lex::split(&text);
        let test = vec![false; text.lines().count() + 1];
        let mut source = Self {
            path,
            text,
            code,
            comments,
            strings,
            test,
        };
        source.mark_tests();
        source
    }

    /// Returns whether a line belongs to a test.
    pub fn is_test(&self, line: usize) -> bool {
        self.test
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(false)
    }

    /// Returns whether the whole file is a test.
    pub fn is_all_test(&self) -> bool {
        (1..=self.text.lines().count()).all(|line| self.is_test(line))
    }

    /// Makes the whole file a test.
    pub fn mark_all_test(&mut self) {
        self.test.fill(true);
    }

    /// Returns the line of a byte of the text.
    pub fn line_of(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
    }

    /// Returns the code of each line that is no test, with its number.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.code.lines())
            .filter(|&(line, _)| !self.is_test(line))
    }

    /// Returns where a word stands alone in the code, as byte offsets.
    pub fn find_word<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let bytes = self.code.as_bytes();
        self.code.match_indices(word).filter_map(move |(at, _)| {
            let before = at.checked_sub(1).and_then(|i| bytes.get(i));
            let after = bytes.get(at + word.len());
            let alone = |b: Option<&u8>| !b.is_some_and(|&b| is_word(b));
            (alone(before) && alone(after)).then_some(at)
        })
    }

    /// Returns the path without `.rs` of each module this file keeps for tests.
    pub fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        self.attributes()
            .filter(|(_, _, attribute)| is_test_attribute(attribute))
            .filter_map(|(_, end, _)| {
                let item = self.code[end..].trim_start();
                let item = item.strip_prefix("pub ").unwrap_or(item);
                let (name, _) = item.strip_prefix("mod ")?.split_once(';')?;
                let plain = name.bytes().all(is_word);
                plain.then(|| format!("{folder}/{name}"))
            })
            .collect()
    }

    /// Returns every function with a body.
    pub fn functions(&self) -> Vec<Function> {
        self.find_word("fn")
            .filter_map(|at| {
                let after = self.code[at + 2..].trim_start();
                let name: String = after
                    .chars()
                    .take_while(|&c| c == '_' || c.is_alphanumeric())
                    .collect();
                let end = self.item_end(at)?;
                let named = !name.is_empty();
                let bodied = self.code.as_bytes()[end] == b'}';
                let line = self.line_of(at);
                (named && bodied).then(|| Function {
                    name,
                    line,
                    length: self.line_of(end) - line + 1,
                })
            })
            .collect()
    }

    /// Returns every attribute: where it starts, where it ends, and what is
    /// between its brackets without spaces.
    pub fn attributes(&self) -> impl Iterator<Item = (usize, usize, String)> + '_ {
        self.code.match_indices('#').filter_map(|(at, _)| {
            let open = at + 1 + usize::from(self.code.as_bytes().get(at + 1) == Some(&b'!'));
            if self.code.as_bytes().get(open) != Some(&b'[') {
                return None;
            }
            let close = matching(self.code.as_bytes(), open)?;
            let inside = self.code[open + 1..close]
                .chars()
                .filter(|c| !c.is_whitespace());
            Some((at, close + 1, inside.collect()))
        })
    }

    fn mark_tests(&mut self) {
        let whole_file = self.code.replace(' ', "").contains("#![cfg(test)]");
        let kept_for_tests =
            self.path.starts_with("tests/") && !self.path.starts_with("tests/src/");
        let kept_for_tests = kept_for_tests || self.path.contains("/tests/");
        if whole_file || kept_for_tests {
            return self.mark_all_test();
        }
        let spans: Vec<(usize, usize)> = self
            .attributes()
            .filter(|(_, _, attribute)| is_test_attribute(attribute))
            .filter_map(|(at, end, _)| {
                let end = self.item_end(end)?;
                Some((self.line_of(at), self.line_of(end)))
            })
            .collect();
        for (first, last) in spans {
            self.test[first - 1..last].fill(true);
        }
    }

    /// Returns where the item that starts at `from` ends: its closing brace or
    /// its semicolon. Attributes in front of it are passed over.
    fn item_end(&self, from: usize) -> Option<usize> {
        let bytes = self.code.as_bytes();
        let mut at = from;
        loop {
            match bytes.get(at)? {
                b'(' | b'[' => at = matching(bytes, at)?,
                b'{' => return matching(bytes, at),
                b';' => return Some(at),
                _ => {}
            }
            at += 1;
        }
    }
}

/// Returns whether a byte can be part of a name.
pub const fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn is_test_attribute(attribute: &str) -> bool {
    attribute == "test" || attribute == "cfg(test)" || attribute.starts_with("cfg(all(test")
}

/// Returns where the bracket at `open` closes.
fn matching(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
