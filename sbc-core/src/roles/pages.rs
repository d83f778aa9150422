//! Answers to questions of the console: a text comes in, pages that each fit one
//! packet go out.

use serde_json::json;

use crate::ipc::ToConsole;

/// Octets of an answer in one packet; the rest follows.
const PAGE: usize = 48 * 1024;

/// Octets of an answer: so much may wait for a console that reads slowly. The longest
/// of a full node, its list of calls, has less than half of it.
const ANSWER_MAX: usize = 32 << 20;

/// Returns the pages of the answer to question `id`.
pub fn pages(id: u64, text: &str) -> impl Iterator<Item = ToConsole> + '_ {
    let mut rest = text;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let mut cut = PAGE.min(rest.len());
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (page, after) = rest.split_at(cut);
        rest = after;
        done = rest.is_empty();
        Some(ToConsole::Answer {
            id,
            page: page.to_owned(),
            last: done,
        })
    })
}

/// Returns `text`, or in its place a refusal if it is over what may wait.
pub fn bounded(text: String) -> String {
    if text.len() <= ANSWER_MAX {
        return text;
    }
    let message = format!(
        "the answer has {} octets of {ANSWER_MAX}: ask for less at once",
        text.len()
    );
    json!({ "error": { "code": "SBC-3006", "message": message } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_long_is_refused_whole_and_the_longest_other_one_is_not() {
        let longest = "x".repeat(ANSWER_MAX);
        assert_eq!(bounded(longest.clone()), longest);
        let refused = bounded(longest + "x");
        assert!(refused.contains("\"SBC-3006\""), "{refused}");
        let pages: Vec<_> = pages(7, &refused).collect();
        assert!(matches!(
            pages.as_slice(),
            [ToConsole::Answer {
                id: 7,
                last: true,
                ..
            }]
        ));
    }
}
