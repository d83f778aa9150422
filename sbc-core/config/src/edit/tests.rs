//! A document edited, spelt in three ways, compared and joined.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

const EXAMPLE: &str = include_str!("../../tests/example.toml");

fn example() -> Document {
    Document::from_toml(EXAMPLE).unwrap()
}

#[test]
fn the_example_goes_through_all_three_spellings_and_back() {
    let document = example();
    assert_eq!(
        Document::from_toml(&document.to_toml()).as_ref(),
        Ok(&document)
    );
    assert_eq!(
        Document::from_json(&document.to_json()).as_ref(),
        Ok(&document)
    );
    let lines = document.to_set().unwrap();
    assert_eq!(
        Document::from_set(&lines).as_ref(),
        Ok(&document),
        "{lines}"
    );
}

#[test]
fn what_is_written_says_to_the_check_what_was_read() {
    let today = include_str!("../../tests/example-today.toml");
    let written = Document::from_toml(today).unwrap().to_toml();
    let (before, after) = (crate::check(today), crate::check(&written));
    assert!(before.node.is_some());
    assert_eq!(before.node, after.node);
}

#[test]
fn comments_stay_where_they_belong() {
    let text = "# head\n#:schema x\nconfig-version = 1 # one\n\n# node\n[system] # here\n# why\nhostname = \"a\"\n\n# first\n[trunk.a]\n# deep\nidentity.from = \"did\"\nidentity.pai = \"did\" # too\n\n# r\n[[route]] # s\nname = \"x\"\n# end\n";
    let document = Document::from_toml(text).unwrap();
    assert_eq!(document.to_toml(), text);
    let lines = document.to_set().unwrap();
    for said in [
        "annotate config-version \"head\\n#:schema x\"",
        "annotate config-version after \"one\"",
        "annotate system after \"here\"",
        "annotate trunk a \"first\"",
        "annotate trunk a identity from \"deep\"",
        "annotate route x after \"s\"",
        "annotate \"end\"",
    ] {
        assert!(lines.lines().any(|line| line == said), "{said} in\n{lines}");
    }
    assert_eq!(Document::from_set(&lines).unwrap(), document);
    assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
}

fn edited(lines: &str) -> Result<Document, EditError> {
    let mut document = example();
    document.follow(lines).map(|()| document)
}

#[test]
fn set_takes_words_of_the_schema_without_quotes() {
    let document = edited(
        "set trunk itsp-b codecs [PCMA PCMU]\nset trunk itsp-b identity from pilot\nset numbers e164 to-trunk ['\\+49(\\d+) -> 0$1']\nset trunk itsp-a max-simultaneous-calls 60\nset trunk itsp-a retry-after 0\n",
    );
    let toml = document.unwrap().to_toml();
    for line in [
        "codecs = [\"PCMA\", \"PCMU\"]",
        "max-simultaneous-calls = 60",
        "to-trunk = ['\\+49(\\d+) -> 0$1']",
        "retry-after = 0",
    ] {
        assert!(toml.lines().any(|known| known == line), "{line} in\n{toml}");
    }
}

#[test]
fn a_line_that_makes_no_sense_says_why() {
    let why = |line: &str| edited(line).unwrap_err().to_string();
    assert!(why("set trnk a").contains("did you mean \"trunk\"?"));
    assert!(why("set trunk itsp-a codex PCMA").contains("did you mean \"codecs\"?"));
    assert!(why("set trunk itsp-a max-simultaneous-calls").contains("takes a value"));
    assert!(why("set trunk itsp-a identity did").contains("unknown key"));
    assert!(why("delete trunk nobody").contains("there is no trunk nobody"));
    assert!(why("show trunk").contains("no command of a configuration"));
    assert!(why("set system hostname \"x").contains("not closed"));
}

#[test]
fn delete_takes_what_it_left_empty_along() {
    let mut document = example();
    document.delete("trunk itsp-c credentials realm").unwrap();
    document.delete("trunk itsp-c credentials user").unwrap();
    document
        .delete("trunk itsp-c credentials password")
        .unwrap();
    assert!(!document.to_toml().contains("credentials"));
    document.delete("trunk itsp-c").unwrap();
    document.delete("trunk itsp-b").unwrap();
    document.delete("trunk itsp-a").unwrap();
    assert!(!document.to_set().unwrap().contains("set trunk"));
}

#[test]
fn a_renamed_table_is_renamed_where_it_is_used() {
    let mut document = example();
    document.rename("trunk", "itsp-a", "north").unwrap();
    document.rename("interface", "voice-a", "floor-1").unwrap();
    let toml = document.to_toml();
    // The tunnel of the same name keeps its own.
    assert!(toml.contains("[trunk.north]") && toml.contains("tunnel:itsp-a"));
    assert!(toml.contains("trunk:north") && toml.contains("trunks = [\"itsp-b\", \"north\"]"));
    assert!(toml.contains("interface = \"floor-1\"") && !toml.contains("voice-a"));
    assert!(document.rename("trunk", "north", "itsp-b").is_err());
    assert!(document.rename("trunk", "nobody", "x").is_err());
}

#[test]
fn routes_are_moved_made_and_copied() {
    let mut document = example();
    document.insert_route("inbound", true, "outbound").unwrap();
    document.insert_route("mobile", true, "outbound").unwrap();
    document.copy("route", "mobile", "fixed").unwrap();
    assert_eq!(
        document.names("route"),
        ["inbound", "mobile", "fixed", "outbound"]
    );
    assert!(document.insert_route("x", true, "nowhere").is_err());
}

#[test]
fn a_table_is_set_aside_and_used_again() {
    let mut document = example();
    document.activate("trunk itsp-c", false).unwrap();
    assert!(
        document
            .to_set()
            .unwrap()
            .contains("set trunk itsp-c active false\n")
    );
    document.activate("trunk itsp-c", true).unwrap();
    assert_eq!(document, example());
    assert!(document.activate("system", false).is_err());
}

#[test]
fn a_part_of_the_document_is_shown_alone() {
    let part = example().part("trunk itsp-a").unwrap();
    let lines = part.to_set().unwrap();
    assert!(lines.lines().all(|line| line.contains("itsp-a")), "{lines}");
    assert!(example().part("trunk nobody").is_err());
    assert!(
        example()
            .part("route inbound match")
            .unwrap()
            .to_toml()
            .contains("match")
    );
}

#[test]
fn the_difference_is_shown_by_table() {
    let document =
        edited("set trunk itsp-a max-simultaneous-calls 53\nset system timezone UTC\n").unwrap();
    let found = changes(&example(), &document);
    assert_eq!(
        compared(&found),
        "[system]\n- timezone = \"Europe/Berlin\"\n+ timezone = \"UTC\"\n[trunk.itsp-a]\n- max-simultaneous-calls = 50\n+ max-simultaneous-calls = 53\n"
    );
    let classes: Vec<Class> = found.iter().map(|change| class(&change.path())).collect();
    assert_eq!(classes, [Class::Node, Class::Value]);
}

#[test]
fn a_change_of_the_way_names_the_peers_on_it() {
    let document = edited("set interface internet gateway 203.0.113.14\n").unwrap();
    let found = changes(&example(), &document);
    assert_eq!(
        peers_on(&document, &found, Class::Path),
        [("trunk".to_string(), "itsp-a".to_string())]
    );
    let document = edited("set mediation med-1 address 10.20.120.3\n").unwrap();
    let found = changes(&example(), &document);
    assert_eq!(
        peers_on(&document, &found, Class::Peer),
        [("mediation".to_string(), "med-1".to_string())]
    );
}

#[test]
fn changes_of_two_people_meet_only_where_they_touch_the_same() {
    let mine = edited("set trunk itsp-a max-simultaneous-calls 53\n").unwrap();
    let live = edited("set trunk itsp-b max-simultaneous-calls 99\ndelete trunk itsp-c\n").unwrap();
    let merged = merge(&example(), &mine, &live).unwrap();
    let lines = merged.to_set().unwrap();
    assert!(lines.contains("set trunk itsp-a max-simultaneous-calls 53\n"));
    assert!(lines.contains("set trunk itsp-b max-simultaneous-calls 99\n"));
    assert!(!lines.contains("trunk itsp-c"));
    let other = edited("set trunk itsp-a max-simultaneous-calls 54\n").unwrap();
    assert_eq!(
        merge(&example(), &mine, &other),
        Err(Vec::from([String::from(
            "trunk itsp-a max-simultaneous-calls"
        )]))
    );
    // The same change made twice is one change.
    assert!(merge(&example(), &mine, &mine).is_ok());
}

#[test]
fn every_key_of_the_schema_has_a_line_and_a_class() {
    for row in crate::schema::rows() {
        let path = row
            .path
            .replace(".NAME", " x")
            .replace(".N", " x")
            .replace('.', " ");
        let words: Vec<&str> = path.split(' ').collect();
        let _class: Class = class(&words);
        let Some(example) = &row.example else {
            continue;
        };
        let mut document = Document::default();
        let quoted = format!("set {path} {example}");
        document
            .follow(&quoted)
            .unwrap_or_else(|why| panic!("{quoted}: {why}"));
        if path.ends_with(" x name") {
            continue;
        }
        let lines = document
            .to_set()
            .unwrap_or_else(|why| panic!("{quoted}: {why}"));
        assert_eq!(
            Document::from_set(&lines).unwrap(),
            document,
            "{quoted}\n{lines}"
        );
        let toml = document.to_toml();
        assert_eq!(
            Document::from_toml(&toml).unwrap(),
            document,
            "{quoted}\n{toml}"
        );
        assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
    }
}

#[test]
fn what_is_compared_is_a_patch_that_makes_the_one_the_other() {
    let before = "config-version = 1\n\n[system]\nhostname = \"a\"\n\n[trunk.x]\nremote = [\"192.0.2.1:5060/tcp\"]\nidentity.from = \"pilot\"\n\n[[route]]\nname = \"one\"\nto = [\"trunk:x\"]\n\n[[route]]\nname = \"two\"\nto = [\"trunk:x\"]\n";
    let edits = "set system timezone Europe/Berlin\nset trunk x identity from did\ndelete trunk x remote\nset trunk y\nset trunk y codecs [PCMA PCMU]\nset route two match '\\+49(\\d+) = 7'\nset route three to trunk:y\ndelete route one\n";
    let old = Document::from_toml(before).unwrap();
    let mut new = old.clone();
    new.follow(edits).unwrap();
    let text = compared(&changes(&old, &new));
    let mut patched = old.clone();
    patched.patch(&text).unwrap();
    assert_eq!(patched.to_toml(), new.to_toml(), "{text}");
    let again = patched.patch(&text).unwrap_err();
    assert!(matches!(again, EditError::Unmet { .. }), "{again}");
    for wrong in [
        "nonsense",
        "+ hostname",
        "[system]\n+ hostname",
        "[system]\n+ codex = 1",
        "[system]\n- hostname = \"a\"\n+ hostname = \"b\"\n+ hostname = \"c\"",
        "[system]\n+ dns = [[",
        "[system]\n+ dns = 1\nevil = 2",
        "[system]\n+ system = {}",
    ] {
        let mut other = old.clone();
        assert!(other.patch(wrong).is_err(), "{wrong}");
        assert_eq!(other, old);
    }
}
