//! Answers to questions of the console: a text comes in, pages that each fit one
//! packet go out.

use crate::ipc::ToConsole;

/// Octets of an answer in one packet; the rest follows.
const PAGE: usize = 48 * 1024;

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
