//! The register of codes and the sources come in; codes that nobody explains, and
//! explained ones that nobody says, go out.

use std::collections::BTreeSet;

use sbc_config::Code;

use crate::assert_kept;
use crate::scan::Source;
use crate::tree::SOURCES;

/// Where the register and the checks of a configuration lie: they name codes by
/// constants, and the golden files provoke each of them.
const REGISTER: &str = "sbc-core/config/";
/// Codes from here on are said by the node itself.
const NODE: u16 = 2000;

/// Returns the codes a text names, with their lines.
fn named(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        for (at, _) in words.match_indices("SBC-") {
            let code = words.get(at..at + 8).unwrap_or_default();
            let digits = code.get(4..).unwrap_or_default();
            if digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
                found.push((line, code.to_owned()));
            }
        }
    }
    found
}

/// Returns the codes the product's own code has in its strings, tests aside.
fn said(sources: &[Source]) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for source in sources {
        let ours = source.path.starts_with("sbc-core/src/")
            || source.path.starts_with("sbc-netcfg/")
            || source.path.starts_with("sbc-core/call/src/");
        for piece in source.strings.iter().filter(|_| ours) {
            if source.is_test(piece.line) {
                continue;
            }
            for (_, code) in named(&piece.text) {
                said.push((format!("{}:{}", source.path, piece.line), code));
            }
        }
    }
    said
}

fn unexplained(said: &[(String, String)]) -> Vec<String> {
    let unknown = said.iter().filter(|(_, code)| Code::parse(code).is_none());
    unknown
        .map(|(place, code)| format!("{place}: {code} is not in {REGISTER}src/codes.rs"))
        .collect()
}

fn unsaid(said: &[(String, String)], register: impl Iterator<Item = Code>) -> Vec<String> {
    let said: BTreeSet<&str> = said.iter().map(|(_, code)| code.as_str()).collect();
    register
        .filter(|code| code.number() >= NODE && !said.contains(code.to_string().as_str()))
        .map(|code| format!("{code} is explained, and nothing says it"))
        .collect()
}

#[test]
fn every_code_the_node_says_is_explained_and_every_explained_one_is_said() {
    let said = said(&SOURCES);
    let mut faults = unexplained(&said);
    faults.extend(unsaid(&said, Code::all()));
    assert_kept("codes", &faults);
}

#[test]
fn a_code_that_only_one_side_knows_is_a_fault() {
    let text = "//! A.\nfn f() { say(\"SBC-9999\"); say(\"SBC-2103: no\"); }\n\
                #[cfg(test)]\nmod tests { const X: &str = \"SBC-9998\"; }\n";
    let source = Source::new("sbc-core/src/a.rs".into(), text.into());
    let said = said(&[source]);
    assert_eq!(unexplained(&said).len(), 1, "{said:?}");
    let register = [2103, 2104].into_iter().filter_map(Code::new);
    assert_eq!(
        unsaid(&said, register),
        ["SBC-2104 is explained, and nothing says it"]
    );
}
