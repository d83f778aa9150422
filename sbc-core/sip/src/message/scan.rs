//! A cursor over one header value: text comes in, the lexical pieces of
//! RFC 3261 §25.1 go out as slices. Every byte is passed once.

use super::chars::{Class, TOKEN};
use super::field::Why;

/// Walks over a value from left to right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Returns what has not been passed yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns the text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Passes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Passes linear white space; returns whether there was any. A frame's head has
    /// no line ends in it, the headers of a body part may be folded.
    pub(crate) fn space(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.at > start
    }

    /// Passes a separator with white space on both sides, such as `SEMI`.
    pub(crate) fn separator(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.eat(byte);
        if found {
            self.space();
        }
        found
    }

    /// Passes the longest run of `class`, which may be empty.
    pub(crate) fn run(&mut self, class: Class) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| class.has(byte)) {
            self.at += 1;
        }
        self.since(start)
    }

    /// Passes everything before the next `end`, or to the end of the text.
    pub(crate) fn until(&mut self, end: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| !end(byte)) {
            self.at += 1;
        }
        self.since(start)
    }

    /// Passes one token.
    pub(crate) fn token(&mut self) -> Result<&'a str, Why> {
        match self.run(TOKEN) {
            "" => Err(Why::Token),
            token => Ok(token),
        }
    }

    /// Passes `1*DIGIT` no greater than `most`; leading zeros are allowed.
    pub(crate) fn number(&mut self, most: u64) -> Result<u64, Why> {
        let digits = self.run(super::chars::DIGIT);
        if digits.is_empty() {
            return Err(Why::Number);
        }
        number(digits, most).ok_or(Why::Range)
    }

    /// Passes a quoted string; returns what stands between the quotes.
    pub(crate) fn quoted(&mut self) -> Result<&'a str, Why> {
        if !self.eat(b'"') {
            return Err(Why::Quote);
        }
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let inside = self.since(start);
                    self.at += 1;
                    return Ok(inside);
                }
                Some(b'\\') => self.pass_pair()?,
                Some(byte) if byte >= b' ' && byte != 0x7F || byte == b'\t' => self.at += 1,
                _ => return Err(Why::Quote),
            }
        }
    }

    /// Passes one character, whatever it is.
    pub(crate) fn pass_char(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    fn pass_pair(&mut self) -> Result<(), Why> {
        self.at += 1;
        match self.peek() {
            Some(byte) if byte.is_ascii() && byte != b'\r' && byte != b'\n' => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Why::Quote),
        }
    }

    /// Returns `Ok` if only white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Why> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Why::Trailing),
        }
    }
}

/// Returns the value of decimal `digits`, if it is no greater than `most`.
pub(crate) fn number(digits: &str, most: u64) -> Option<u64> {
    let mut value = 0_u64;
    for digit in digits.bytes() {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        if value > most {
            return None;
        }
    }
    (!digits.is_empty()).then_some(value)
}

/// Returns the text without linear white space at its ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §25.1
    #[test]
    fn a_quoted_string_ends_at_the_first_quote_that_is_not_escaped() {
        let mut cursor = Cursor::new(r#""a \" \\" rest"#);
        assert_eq!(cursor.quoted(), Ok(r#"a \" \\"#));
        assert_eq!(cursor.rest(), " rest");
    }

    #[test]
    fn a_quoted_string_that_does_not_end_is_refused() {
        for text in ["\"", "\"abc", "\"abc\\", "\"abc\\\"", "\"a\u{1}b\"", "abc"] {
            assert_eq!(Cursor::new(text).quoted(), Err(Why::Quote), "{text}");
        }
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(number("0009", 255), Some(9));
        assert_eq!(number("255", 255), Some(255));
        for digits in ["", "256", "99999999999999999999999999", "+1", "-1", "1 "] {
            assert_eq!(number(digits, 255), None, "{digits}");
        }
    }
}
