//! A typed line comes in, its words with their places go out; and the sentence
//! for each first word of the tree.

/// One word as it was typed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Typed {
    /// The word without its quotes.
    pub text: String,
    /// Where it starts in the line, in octets.
    pub at: usize,
    pub quoted: bool,
}

/// Splits a line at white space. `"…"` and `'…'` hold words together; a quote
/// that never closes holds the rest.
#[must_use]
pub fn split(line: &str) -> Vec<Typed> {
    let mut words: Vec<Typed> = Vec::new();
    let mut open: Option<Typed> = None;
    let mut quote: Option<char> = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(mark), _) if c == mark => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                let word = open.get_or_insert_with(|| Typed {
                    text: String::new(),
                    at,
                    quoted: false,
                });
                word.quoted = true;
            }
            (None, _) if c.is_whitespace() => words.extend(open.take()),
            _ => {
                let word = open.get_or_insert_with(|| Typed {
                    text: String::new(),
                    at,
                    quoted: false,
                });
                word.text.push(c);
            }
        }
    }
    words.extend(open);
    words
}

/// What the first words of the tree are about.
const GROUPS: [(&str, &str); 14] = [
    ("show", "look at calls, peers, counters, the node, the file"),
    ("monitor", "look at something again and again"),
    (
        "request",
        "ask the node for something that is not said lightly",
    ),
    ("test", "try something out without a caller"),
    ("capture", "record packets"),
    ("clear", "end calls, zero counters, acknowledge alarms"),
    ("trunk", "take a provider out of use, and back"),
    ("mediation", "take a Mediation Server out of use, and back"),
    (
        "set",
        "change how this console behaves, or a key of the file",
    ),
    ("load", "take many lines at once"),
    ("commit", "make the candidate live"),
    ("insert", "put a route before or after another"),
    ("configure", "edit the configuration"),
    ("rollback", "bring an earlier revision into the candidate"),
];

/// Returns the sentence of a first word.
pub fn group(depth: usize, word: &str) -> Option<&'static str> {
    let row = GROUPS.iter().find(|(known, _)| *known == word);
    row.filter(|_| depth == 0).map(|(_, help)| *help)
}
