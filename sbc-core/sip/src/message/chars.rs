//! Character classes: a byte comes in, the classes of RFC 3261 §25.1 it is in
//! go out.

/// A set of bytes named by the grammar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Class(u16);

pub(crate) const DIGIT: Class = Class(1);
pub(crate) const HEX: Class = Class(1 << 1);
/// `token`
pub(crate) const TOKEN: Class = Class(1 << 2);
/// `word`, as in Call-ID
pub(crate) const WORD: Class = Class(1 << 3);
/// `token`, and what `host` adds to it: a parameter value outside quotes
pub(crate) const VALUE: Class = Class(1 << 4);
/// `unreserved / user-unreserved`
pub(crate) const USER: Class = Class(1 << 5);
/// `password` without `escaped`
pub(crate) const PASSWORD: Class = Class(1 << 6);
/// `paramchar` without `escaped`
pub(crate) const PARAM: Class = Class(1 << 7);
/// `hvalue` without `escaped`
pub(crate) const HEADER: Class = Class(1 << 8);
/// Letters of a host name. The grammar has no underscore, living hosts do.
pub(crate) const HOST: Class = Class(1 << 9);
/// `uric` without `escaped`, with the brackets and `#` of RFC 3986
pub(crate) const URIC: Class = Class(1 << 10);
/// `phonedigit-hex` of RFC 3966 §3, visual separators included
pub(crate) const PHONE: Class = Class(1 << 11);
/// `reserved`: bytes whose escaped form means something else
pub(crate) const RESERVED: Class = Class(1 << 12);
/// Letters of a URI scheme
pub(crate) const SCHEME: Class = Class(1 << 13);

impl Class {
    /// Returns whether `byte` is in this class.
    #[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
    pub(crate) const fn has(self, byte: u8) -> bool {
        TABLE[byte as usize] & self.0 != 0
    }

    /// Returns whether `text` is one or more bytes of this class.
    pub(crate) fn fills(self, text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| self.has(byte))
    }

    /// Returns whether `text` is only bytes of this class and `%HH` escapes.
    pub(crate) fn fills_escaped(self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        loop {
            rest = match rest {
                [] => return true,
                [b'%', high, low, tail @ ..] if HEX.has(*high) && HEX.has(*low) => tail,
                [byte, tail @ ..] if self.has(*byte) => tail,
                _ => return false,
            };
        }
    }
}

/// Each byte beyond the letters and digits, and the classes it is in.
const MARKS: &[(&[u8], &[Class])] = &[
    (b"-.!*_'~", &[TOKEN, WORD, VALUE]),
    (b"%+`", &[TOKEN, WORD, VALUE]),
    (b"()<>:\\\"/[]?{}", &[WORD]),
    (b"[]:", &[VALUE]),
    (b"-_.!~*'()", &[USER, PASSWORD, PARAM, HEADER, URIC]),
    (b"&=+$,;?/", &[USER]),
    (b"&=+$,", &[PASSWORD]),
    (b"[]/:&+$", &[PARAM]),
    (b"[]/?:+$", &[HEADER]),
    (b"-._", &[HOST]),
    (b";/?:@&=+$,[]#", &[URIC]),
    (b"*#-.()", &[PHONE]),
    (b";/?:@&=+$,", &[RESERVED]),
    (b"+-.", &[SCHEME]),
];

const LETTERS: u16 = TOKEN.0
    | WORD.0
    | VALUE.0
    | USER.0
    | PASSWORD.0
    | PARAM.0
    | HEADER.0
    | HOST.0
    | URIC.0
    | SCHEME.0;

static TABLE: [u16; 256] = table();

#[expect(
    clippy::indexing_slicing,
    reason = "computed while compiling: a slip is a build error"
)]
const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        let at = byte as usize;
        if byte.is_ascii_alphanumeric() {
            table[at] |= LETTERS;
        }
        if byte.is_ascii_digit() {
            table[at] |= DIGIT.0;
        }
        if byte.is_ascii_hexdigit() {
            table[at] |= HEX.0 | PHONE.0;
        }
        byte += 1;
    }
    let mut row = 0;
    while row < MARKS.len() {
        let (bytes, classes) = MARKS[row];
        let mut at = 0;
        while at < bytes.len() {
            let mut class = 0;
            while class < classes.len() {
                table[bytes[at] as usize] |= classes[class].0;
                class += 1;
            }
            at += 1;
        }
        row += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: Class) -> alloc::string::String {
        (0..=255_u8)
            .filter(|byte| class.has(*byte) && !byte.is_ascii_alphanumeric())
            .map(char::from)
            .collect()
    }

    /// RFC 3261 §25.1
    #[test]
    fn each_class_has_the_marks_the_grammar_gives_it() {
        assert_eq!(members(TOKEN), "!%'*+-._`~");
        assert_eq!(members(WORD), "!\"%'()*+-./:<>?[\\]_`{}~");
        assert_eq!(members(USER), "!$&'()*+,-./;=?_~");
        assert_eq!(members(PASSWORD), "!$&'()*+,-.=_~");
        assert_eq!(members(PARAM), "!$&'()*+-./:[]_~");
        assert_eq!(members(HEADER), "!$'()*+-./:?[]_~");
        assert_eq!(members(RESERVED), "$&+,/:;=?@");
        assert_eq!(members(DIGIT), "");
    }

    /// RFC 3986 §2.1
    #[test]
    fn an_escape_is_a_percent_sign_and_two_hexadecimal_digits() {
        assert!(USER.fills_escaped("a%40b%00"));
        for text in ["%", "%4", "%4g", "a%zz", "a b", "a@b"] {
            assert!(!USER.fills_escaped(text), "{text}");
        }
    }
}
