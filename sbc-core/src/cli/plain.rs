//! A text of JSON comes in, the same in ASCII goes out: what a peer said may hold
//! characters that steer a terminal (0x7f to 0x9f) or turn a line around, and JSON
//! lets them stand (RFC 8259 §7).

use core::fmt::Write as _;

/// Returns `json` with all that is not printable ASCII inside its strings written as
/// `\uXXXX`.
#[must_use]
pub fn plain(json: String) -> String {
    let odd = |c: char| !c.is_ascii() || c == '\x7f';
    if !json.contains(odd) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if odd(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    /// RFC 8259 §7.
    #[test]
    fn json_in_ascii_says_the_same() {
        let value = serde_json::json!({"a\u{9b}": "\x7f\u{e9}\u{202e}\u{1f600}\x1b[2J\"\\"});
        let text = plain(value.to_string());
        assert!(text.chars().all(|c| (' '..='~').contains(&c)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
        assert_eq!(plain("{\"a\":1}\n".into()), "{\"a\":1}\n");
    }
}
