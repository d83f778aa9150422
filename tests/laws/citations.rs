//! Sources come in; RFC sections that code cites and no test does go out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::assert_kept;
use crate::scan::{Piece, Source};
use crate::tree::{self, SOURCES};

/// A document and, where one is named, a section of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Citation {
    rfc: u32,
    section: Option<String>,
}

impl Citation {
    /// A test that cites a section covers it, and the ones it is part of; any
    /// citation of an RFC covers the RFC as such.
    fn covers(&self, cited: &Self) -> bool {
        let (Some(wanted), Some(given)) = (&cited.section, &self.section) else {
            return self.rfc == cited.rfc && cited.section.is_none();
        };
        let part = given.strip_prefix(wanted.as_str());
        self.rfc == cited.rfc && part.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl std::fmt::Display for Citation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.section {
            Some(section) => write!(f, "RFC {} §{section}", self.rfc),
            None => write!(f, "RFC {}", self.rfc),
        }
    }
}

/// Running text, and the line each part of it came from.
struct Prose {
    text: String,
    starts: Vec<(usize, usize)>,
}

impl Prose {
    fn line_of(&self, at: usize) -> usize {
        let after = self.starts.partition_point(|(start, _)| *start <= at);
        self.starts[after - 1].1
    }
}

/// Returns a file's comments and strings; comment lines that follow each other
/// are one text, so that a citation may break across them.
fn prose(source: &Source) -> Vec<Prose> {
    let mut all: Vec<Prose> = Vec::new();
    let mut expected = 0;
    for Piece { line, text } in &source.comments {
        for (line, text) in (*line..).zip(text.lines()) {
            let text = text.trim().trim_start_matches(['/', '!', '*']).trim();
            if line != expected || all.is_empty() {
                all.push(Prose {
                    text: String::new(),
                    starts: Vec::new(),
                });
            }
            let last = all.last_mut().unwrap();
            last.starts.push((last.text.len(), line));
            last.text.push_str(text);
            last.text.push(' ');
            expected = line + 1;
        }
    }
    all.extend(source.strings.iter().map(|Piece { line, text }| Prose {
        text: text.replace('\n', " "),
        starts: vec![(0, *line)],
    }));
    all
}

/// Returns every citation in a text with where it starts, and every mention of
/// an RFC that is not written in the one form.
fn citations(text: &str) -> (Vec<(usize, Citation)>, Vec<usize>) {
    let mut found = Vec::new();
    let mut malformed = Vec::new();
    for (at, _) in text.match_indices("RFC") {
        let after = &text[at + 3..];
        let spaced = after.trim_start_matches([' ', '\u{a0}', '-']);
        let digits: String = spaced.chars().take_while(char::is_ascii_digit).collect();
        let in_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let Ok(rfc) = digits.parse::<u32>() else {
            continue;
        };
        if in_word || digits.len() < 3 {
            continue;
        }
        let rest = &spaced[digits.len()..];
        let sections = sections(rest);
        let worded = separator(rest).to_ascii_lowercase().starts_with("section");
        if spaced.len() == after.len() || after.starts_with('-') || worded {
            malformed.push(at);
        }
        if sections.is_empty() {
            found.push((at, Citation { rfc, section: None }));
        }
        found.extend(sections.into_iter().map(|section| {
            let section = Some(section);
            (at, Citation { rfc, section })
        }));
    }
    (found, malformed)
}

/// Returns the sections listed right after an RFC's number, as in ` §8.2, §16.3`.
fn sections(mut rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(section) = separator(rest).strip_prefix('§') {
        let section = section.trim_start_matches(['§', ' ', '\u{a0}']);
        let length = section
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(section.len());
        let name = section[..length].trim_end_matches('.');
        if name.is_empty() {
            break;
        }
        found.push(name.to_owned());
        rest = &section[name.len()..];
    }
    found
}

/// Steps over what may stand between an RFC, a section, and the next section.
fn separator(mut rest: &str) -> &str {
    loop {
        let punctuation = [' ', '\u{a0}', ',', '/', '&', '(', '–', '-'];
        let mut next = rest.trim_start_matches(punctuation);
        for word in ["and ", "or ", "to ", "with "] {
            next = next.strip_prefix(word).unwrap_or(next);
        }
        if next.len() == rest.len() {
            return next;
        }
        rest = next;
    }
}

/// The laws' own samples prove nothing about the product.
fn is_evidence(path: &str) -> bool {
    path.starts_with("tests/") && !path.starts_with("tests/laws/")
}

/// Returns whether a file does anything. One that only opens doors may say
/// which documents its rooms implement; the rooms have to prove it.
fn does_something(source: &Source) -> bool {
    let words = ["fn", "struct", "enum", "const", "static", "macro_rules"];
    words
        .iter()
        .any(|word| source.find_word(word).next().is_some())
}

/// Returns what the code cites and no test does, one line for each section.
fn uncovered(sources: &[Source], data: &[(String, String)]) -> Vec<String> {
    let mut wanted: BTreeMap<Citation, Vec<String>> = BTreeMap::new();
    let mut proven: BTreeSet<Citation> = BTreeSet::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("tests/laws/"))
    {
        for prose in prose(source) {
            for (at, citation) in citations(&prose.text).0 {
                let line = prose.line_of(at);
                if source.is_test(line) {
                    proven.insert(citation);
                } else if does_something(source) {
                    wanted
                        .entry(citation)
                        .or_default()
                        .push(format!("{}:{line}", source.path));
                }
            }
        }
    }
    for (_, text) in data.iter().filter(|(path, _)| is_evidence(path)) {
        proven.extend(citations(text).0.into_iter().map(|(_, citation)| citation));
    }
    wanted
        .iter()
        .filter(|(cited, _)| !proven.iter().any(|given| given.covers(cited)))
        .map(|(cited, places)| {
            let more = places.len().saturating_sub(1);
            let also = if more == 0 {
                String::new()
            } else {
                format!(" (and {more} more)")
            };
            format!("{}{also}: no test cites {cited}", places[0])
        })
        .collect()
}

fn ill_formed(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("tests/laws/"))
    {
        for prose in prose(source) {
            for at in citations(&prose.text).1 {
                let shown: String = prose.text[at..].chars().take(24).collect();
                faults.push(format!(
                    "{}:{}: `{shown}…` must be written as `RFC 3261 §17.1.1.2`",
                    source.path,
                    prose.line_of(at)
                ));
            }
        }
    }
    faults
}

#[test]
fn every_rfc_section_the_code_cites_is_cited_by_a_test() {
    let data: Vec<(String, String)> = tree::files()
        .into_iter()
        .filter(|path| {
            is_evidence(path)
                && [".verdict", ".toml", ".json"]
                    .iter()
                    .any(|end| path.ends_with(end))
        })
        .map(|path| {
            let text = tree::read(&path);
            (path, text)
        })
        .collect();
    let law = "every RFC section cited in code is cited by a test. Write the citation, in this form, into the \
               comment above the test that proves it (or in its file's first lines); if nothing proves it, write that test";
    assert_kept(law, &uncovered(&SOURCES, &data));
}

#[test]
fn citations_have_one_form_so_one_search_finds_them() {
    assert_kept("the form of citations", &ill_formed(&SOURCES));
}

fn sample(text: &str) -> Vec<Source> {
    vec![Source::new("sbc-core/sip/src/x.rs".into(), text.into())]
}

fn listed(text: &str) -> Vec<String> {
    citations(text)
        .0
        .iter()
        .map(|(_, citation)| citation.to_string())
        .collect()
}

#[test]
fn citations_are_read_alone_in_lists_and_bare() {
    assert_eq!(
        listed("as RFC 3261 §17.1.1.2, Figure 5."),
        ["RFC 3261 §17.1.1.2"]
    );
    assert_eq!(
        listed("(RFC 3261 §8.2, §16.3 and §8.2.2.1; RFC 3581)"),
        [
            "RFC 3261 §8.2",
            "RFC 3261 §16.3",
            "RFC 3261 §8.2.2.1",
            "RFC 3581"
        ]
    );
    assert_eq!(
        listed("RFC 7616's, RFC 3261 §B.1–§B.2."),
        ["RFC 7616", "RFC 3261 §B.1", "RFC 3261 §B.2"]
    );
}

#[test]
fn a_section_no_test_cites_is_seen_with_its_place() {
    let bad = sample("//! X.\n/// Waits, as RFC 3261\n/// §17.1.1.2 says.\nfn a() {}\n");
    assert_eq!(
        uncovered(&bad, &[]),
        ["sbc-core/sip/src/x.rs:2: no test cites RFC 3261 §17.1.1.2"]
    );
}

#[test]
fn a_file_of_doors_may_name_what_lies_behind_them() {
    let doors = sample("//! RFC 3261 §17\npub mod a;\n");
    assert!(uncovered(&doors, &[]).is_empty());
}

#[test]
fn a_test_covers_its_section_and_the_ones_around_it() {
    let code =
        "// RFC 3261 §17.1\n// RFC 3261\n#[cfg(test)]\nmod tests {\n    // RFC 3261 §17.1.1.2\n}\n";
    assert!(uncovered(&sample(code), &[]).is_empty());
    let near =
        "// RFC 3261 §17.1\nfn a() {}\n#[cfg(test)]\nmod tests {\n    // RFC 3261 §17.10\n}\n";
    assert_eq!(uncovered(&sample(near), &[]).len(), 1);
    let around =
        "// RFC 3261 §17.1.1\nfn a() {}\n#[cfg(test)]\nmod tests {\n    // RFC 3261 §17.1\n}\n";
    assert_eq!(uncovered(&sample(around), &[]).len(), 1);
}

#[test]
fn a_verdict_file_covers_what_it_cites_and_the_laws_do_not() {
    let code = sample("// RFC 4475 §3.1.1.1\nfn a() {}\n");
    let verdict = |path: &str| [(path.to_owned(), "why = \"RFC 4475 §3.1.1.1\"".to_owned())];
    assert!(uncovered(&code, &verdict("tests/torture/wsinv.toml")).is_empty());
    assert_eq!(uncovered(&code, &verdict("tests/laws/x.toml")).len(), 1);
}

#[test]
fn a_citation_in_another_form_is_seen() {
    for bad in [
        "// RFC3261 §8\n",
        "// RFC-3261\n",
        "// RFC 3261 section 8\n",
        "// RFC 3261, Section 8\n",
    ] {
        assert_eq!(ill_formed(&sample(bad)).len(), 1, "{bad}");
    }
    assert!(ill_formed(&sample("// RFC 3261 §8 has sections; an RFC is\n")).is_empty());
}
