//! A line of the diary comes in, a message for collectors goes out: what the line
//! says, and its fields as structured data.

use super::message::{Facility, Message, Severity};

/// Fields of one message; lines of ours have a dozen at most.
const FIELDS_MAX: usize = 32;

/// Returns the message of a line: `TIME LEVEL text name=value name="value"`.
pub fn message(line: &str) -> Message {
    let (time, rest) = line.split_once(' ').unwrap_or(("", line));
    let (level, rest) = rest.trim_start().split_once(' ').unwrap_or(("", rest));
    let known = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level);
    let (time, level, rest) = if known {
        (time, level, rest)
    } else {
        ("", "INFO", line)
    };
    let fields = fields(rest);
    let of_call = fields.iter().any(|(name, _)| name == "trunk");
    Message {
        facility: Facility::Daemon,
        severity: Severity::of_level(level),
        time: time.to_owned(),
        kind: "LOG",
        element: if of_call { "call" } else { "log" },
        fields,
        text: rest.to_owned(),
    }
}

/// Returns `name=value` and `name="value"` of a line. A value without quotes goes on
/// until the next name; one in quotes holds no name.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    while let Some((name, behind)) = next_name(rest) {
        if all.len() >= FIELDS_MAX {
            break;
        }
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted),
            None => bare_value(behind),
        };
        all.push((name.to_owned(), value));
        rest = after;
    }
    all
}

/// Returns the first name at the start of a word, and what stands behind its `=`.
fn next_name(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    loop {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some((name, _)) = word.split_once('=')
            && is_name(name)
        {
            return rest.get(..name.len()).zip(rest.get(name.len() + 1..));
        }
        if after.is_empty() {
            return None;
        }
        rest = after;
    }
}

fn is_name(text: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
    text.bytes()
        .next()
        .is_some_and(|octet| octet.is_ascii_lowercase())
        && text.bytes().all(fits)
}

/// Returns the value in quotes, as it was before it was quoted, and what follows.
fn quoted_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                if !['"', '\\', '\''].contains(&c) {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// Returns the value up to the next name, and what follows.
fn bare_value(text: &str) -> (String, &str) {
    let mut from = 0;
    while let Some(space) = text.get(from..).and_then(|rest| rest.find(' ')) {
        let at = from + space;
        let behind = text.get(at + 1..).unwrap_or_default();
        let word = behind.split(' ').next().unwrap_or_default();
        if word.split_once('=').is_some_and(|(name, _)| is_name(name)) {
            return (text.get(..at).unwrap_or_default().to_owned(), behind);
        }
        from = at + 1;
    }
    (text.trim_end().to_owned(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        message(text).fields
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_line_becomes_its_text_and_its_fields() {
        let line = "2026-11-25T14:06:24.923412Z  INFO ended id=\"7f3a\" trunk=\"itsp-a\" code=486";
        let told = message(line);
        assert_eq!(told.time, "2026-11-25T14:06:24.923412Z");
        assert_eq!(told.severity, Severity::Informational);
        assert_eq!(told.element, "call");
        assert_eq!(told.text, "ended id=\"7f3a\" trunk=\"itsp-a\" code=486");
        let wanted = [
            pair("id", "7f3a"),
            pair("trunk", "itsp-a"),
            pair("code", "486"),
        ];
        assert_eq!(told.fields, wanted);
    }

    #[test]
    fn a_value_without_quotes_goes_on_to_the_next_name() {
        let line = "2026-11-25T14:06:24Z ERROR it failed error=no such file (os error 2) path=/a b";
        let wanted = [
            pair("error", "no such file (os error 2)"),
            pair("path", "/a b"),
        ];
        assert_eq!(pairs(line), wanted);
    }

    #[test]
    fn a_value_in_quotes_holds_no_field() {
        let line = r#"2026-11-25T14:06:24Z  WARN refused why="he said \"x=1\" trunk=no" code=403"#;
        let wanted = [pair("why", "he said \"x=1\" trunk=no"), pair("code", "403")];
        assert_eq!(pairs(line), wanted);
        assert_eq!(
            pairs("2026-11-25T14:06:24Z  WARN a=\"open"),
            [pair("a", "open")]
        );
    }

    #[test]
    fn a_line_of_another_form_is_told_whole() {
        let told = message("thread panicked at src/main.rs");
        assert_eq!(told.text, "thread panicked at src/main.rs");
        assert!(told.time.is_empty() && told.fields.is_empty());
        let many = "a=1 ".repeat(1000);
        assert_eq!(message(&many).fields.len(), FIELDS_MAX);
    }
}
