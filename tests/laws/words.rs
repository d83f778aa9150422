//! All tracked files come in; words that do not belong in them go out.

use crate::assert_kept;
use crate::scan::Source;
use crate::tree::{self, SOURCES};

/// Folders of one person's machine, split so that this file does not name them.
const PRIVATE: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];
/// Where crates may come from. Any other source is somebody's mirror.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn private_places(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        for place in PRIVATE.iter().filter(|place| mentions(words, place)) {
            faults.push(format!(
                "{path}:{line}: names a folder of one machine: {place}"
            ));
        }
        let foreign_source = path.ends_with("Cargo.lock")
            && words.starts_with("source = ")
            && !words.contains(REGISTRY);
        let cargo_setting = path.ends_with(".toml")
            && ["[source.", "[registries", "replace-with"]
                .iter()
                .any(|word| words.starts_with(word));
        if foreign_source || cargo_setting {
            faults.push(format!("{path}:{line}: names a registry of its own"));
        }
    }
    faults
}

/// Returns whether a line holds an absolute path that starts with `place`; the
/// tail of a longer path, as in a URL, is none.
fn mentions(line: &str, place: &str) -> bool {
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c)))
}

fn unfinished(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.starts_with("tests/laws/"))
    {
        for at in source
            .find_word("todo")
            .filter(|at| source.code[at + 4..].starts_with('!'))
        {
            faults.push(format!(
                "{}:{}: `todo!`: finish it",
                source.path,
                source.line_of(at)
            ));
        }
        for (at, _, attribute) in source.attributes() {
            if attribute.starts_with("ignore") {
                faults.push(format!("{}:{}: an ignored test: mend it, drop it, or call `sbc_tests::skip` with the reason", source.path, source.line_of(at)));
            }
            let line = source.line_of(at);
            if attribute.starts_with("allow(") && !source.is_test(line) {
                faults.push(format!(
                    "{}:{line}: say `#[expect(…, reason = \"…\")]`: it tells when it is not needed",
                    source.path
                ));
            }
        }
        for comment in source.comments.iter().filter(|comment| {
            ["FIXME", "TODO"]
                .iter()
                .any(|word| comment.text.contains(word))
        }) {
            faults.push(format!(
                "{}:{}: a note to self: do it, or write it under Open in ARCHITECTURE.md",
                source.path, comment.line
            ));
        }
    }
    faults
}

#[test]
fn no_file_names_a_machine_or_a_mirror() {
    let mut faults = Vec::new();
    for path in tree::files() {
        faults.extend(private_places(&path, &tree::read(&path)));
    }
    assert_kept("private places", &faults);
}

#[test]
fn nothing_is_left_unfinished_or_ignored() {
    assert_kept("unfinished work", &unfinished(&SOURCES));
}

#[test]
fn a_private_place_is_seen_and_a_url_is_not() {
    let home = concat!("see /ho", "me/someone/x");
    assert_eq!(private_places("a.md", home).len(), 1);
    assert!(private_places("a.md", concat!("https://example.com/ho", "me/x")).is_empty());
    assert_eq!(
        private_places(
            "Cargo.lock",
            "source = \"registry+https://mirror.example/\""
        )
        .len(),
        1
    );
    assert_eq!(
        private_places(".cargo/config.toml", "[source.crates-io]").len(),
        1
    );
}

#[test]
fn unfinished_work_is_seen() {
    let text = "fn a() { todo!() }\n#[ignore]\n#[test]\nfn b() {}\n// FIXME: c\n#[allow(dead_code)]\nfn d() {}\n";
    let bad = Source::new("sbc-core/sip/src/x.rs".into(), text.into());
    assert_eq!(unfinished(&[bad]).len(), 4);
}
