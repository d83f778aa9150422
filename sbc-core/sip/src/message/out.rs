//! The only way to bytes: typed parts come in, header text goes out in which no
//! part can end a line, a quoted string or a URI early (RFC 3261 §25.1).

use alloc::vec::Vec;
use core::fmt::Write as _;

use super::chars::{Class, HEX, TOKEN, VALUE};

/// Receives the parts of one header value.
///
/// Each method keeps its part inside the grammar: bytes outside it are escaped
/// where the grammar can escape, else replaced. Nothing writes a control byte.
#[derive(Debug)]
pub struct Out<'b> {
    bytes: &'b mut Vec<u8>,
}

/// The longest decimal number of 64 bits.
const DIGITS: usize = 20;

/// Stands for a byte that has no place in a token.
const REPLACEMENT: u8 = b'_';

impl<'b> Out<'b> {
    /// Returns an output that appends to `bytes`.
    pub const fn new(bytes: &'b mut Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(super) const fn bytes(&mut self) -> &mut Vec<u8> {
        self.bytes
    }

    /// Writes text whose grammar the caller answers for; control bytes other
    /// than a tab become spaces.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if text.bytes().any(is_control) {
            let safe = |byte| if is_control(byte) { b' ' } else { byte };
            self.bytes.extend(text.bytes().map(safe));
        } else {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self
    }

    /// Writes a decimal number.
    pub fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        let mut rest: u64 = number.into();
        let mut digits = [0; DIGITS];
        let mut first = DIGITS;
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (rest % 10).to_le_bytes()[0];
            first = place;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = digits.get(first..).unwrap_or_default();
        self.bytes.extend_from_slice(digits);
        self
    }

    /// Writes a token; a byte that is not of a token becomes `_`.
    pub fn token(&mut self, token: &str) -> &mut Self {
        self.class(token, TOKEN)
    }

    pub(super) fn class(&mut self, text: &str, class: Class) -> &mut Self {
        if class.fills(text) {
            self.bytes.extend_from_slice(text.as_bytes());
        } else {
            let safe = |byte| if class.has(byte) { byte } else { REPLACEMENT };
            self.bytes.extend(text.bytes().map(safe));
        }
        self
    }

    /// Writes plain text as a quoted string.
    pub fn quoted(&mut self, text: &str) -> &mut Self {
        self.bytes.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.bytes.extend_from_slice(&[b'\\', byte]),
                byte if is_control(byte) => self.bytes.push(b' '),
                byte => self.bytes.push(byte),
            }
        }
        self.bytes.push(b'"');
        self
    }

    /// Writes what stood between quotes, escapes and all, as a quoted string.
    pub(super) fn requoted(&mut self, inside: &str) -> &mut Self {
        self.bytes.push(b'"');
        let mut escaped = false;
        for byte in inside.bytes() {
            match byte {
                b'"' if !escaped => self.bytes.extend_from_slice(b"\\\""),
                byte if is_control(byte) => self.bytes.push(b' '),
                byte => self.bytes.push(byte),
            }
            escaped = byte == b'\\' && !escaped;
        }
        if escaped {
            self.bytes.push(b'\\');
        }
        self.bytes.push(b'"');
        self
    }

    /// Writes a parameter value: as it is if it is a token, a host or a whole
    /// quoted string, else in quotes.
    pub fn value(&mut self, value: &str) -> &mut Self {
        match quoted_inside(value) {
            Some(inside) => self.requoted(inside),
            None if VALUE.fills(value) => self.class(value, VALUE),
            None => self.quoted(value),
        }
    }

    /// Writes a URI part that is escaped as written: valid `%HH` stays, every
    /// byte outside `class` is escaped.
    pub(super) fn escaped(&mut self, text: &str, class: Class) -> &mut Self {
        self.escape(text, class, true)
    }

    /// Writes plain text as a URI part: every byte outside `class` is escaped.
    pub(super) fn plain(&mut self, text: &str, class: Class) -> &mut Self {
        self.escape(text, class, false)
    }

    fn escape(&mut self, text: &str, class: Class, keep: bool) -> &mut Self {
        if class.fills(text) {
            self.bytes.extend_from_slice(text.as_bytes());
            return self;
        }
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match (byte, tail) {
                (b'%', [a, b, ..]) if keep && HEX.has(*a) && HEX.has(*b) => self.bytes.push(b'%'),
                _ if class.has(*byte) => self.bytes.push(*byte),
                _ => {
                    self.display(format_args!("%{byte:02X}"));
                }
            }
        }
        self
    }

    /// Writes what is displayed as printable ASCII: numbers and addresses.
    pub(super) fn display(&mut self, value: impl core::fmt::Display) -> &mut Self {
        // Writing to a vector cannot fail.
        let _ = write!(Text(self.bytes), "{value}");
        self
    }
}

struct Text<'b>(&'b mut Vec<u8>);

impl core::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

const fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7F
}

/// Returns what stands between the quotes, if `value` is one quoted string.
pub(super) fn quoted_inside(value: &str) -> Option<&str> {
    let mut cursor = super::scan::Cursor::new(value);
    let inside = cursor.quoted().ok()?;
    cursor.rest().is_empty().then_some(inside)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::super::chars::USER;
    use super::*;

    fn written(write: impl FnOnce(&mut Out<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Out::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    /// RFC 3261 §25.1
    #[test]
    fn no_part_can_end_its_line() {
        let evil = "a\r\nEvil: 1\0";
        let writes: [fn(&mut Out<'_>, &str); 7] = [
            |out, text| {
                out.text(text);
            },
            |out, text| {
                out.token(text);
            },
            |out, text| {
                out.quoted(text);
            },
            |out, text| {
                out.requoted(text);
            },
            |out, text| {
                out.value(text);
            },
            |out, text| {
                out.escaped(text, USER);
            },
            |out, text| {
                out.plain(text, USER);
            },
        ];
        for write in writes {
            let text = written(|out| write(out, evil));
            assert!(!text.bytes().any(is_control), "{text:?}");
        }
    }

    #[test]
    fn a_quoted_string_cannot_be_left() {
        assert_eq!(
            written(|out| {
                out.quoted(r#"a"b\"#);
            }),
            r#""a\"b\\""#
        );
        assert_eq!(
            written(|out| {
                out.requoted(r#"a"b\"#);
            }),
            r#""a\"b\\""#
        );
        assert_eq!(
            written(|out| {
                out.requoted(r#"a\"b\\"#);
            }),
            r#""a\"b\\""#
        );
        assert_eq!(
            written(|out| {
                out.value(r#""a";b="c""#);
            }),
            r#""\"a\";b=\"c\"""#
        );
    }

    #[test]
    fn numbers_of_any_size_are_written_as_they_are_said() {
        for number in [0, 7, 10, 99, 100, 65_535, u64::from(u32::MAX), u64::MAX] {
            let text = written(|out| {
                out.number(number);
            });
            assert_eq!(text, alloc::format!("{number}"));
        }
    }

    #[test]
    fn an_escape_stays_and_a_lone_percent_sign_is_escaped() {
        assert_eq!(
            written(|out| {
                out.escaped("a%40%zz@%4", USER);
            }),
            "a%40%25zz%40%254"
        );
        assert_eq!(
            written(|out| {
                out.plain("a%40é", USER);
            }),
            "a%2540%C3%A9"
        );
    }
}
