//! The tree of commands, typed in every way it can be.

use serde_json::json;

use super::super::form;
use super::*;

fn meant(line: &str) -> Meant {
    understand(Mode::Operational, line)
        .unwrap_or_else(|wrong| panic!("{line}: {}", wrong.say(line)))
}

fn wrong(line: &str) -> String {
    understand(Mode::Operational, line).unwrap_err().say(line)
}

#[test]
fn words_may_be_shortened_while_they_are_the_only_ones() {
    assert_eq!(meant("sh vers").row.syntax, "show version");
    assert_eq!(
        meant("sh call 17").arguments,
        *json!({"call": 17}).as_object().unwrap()
    );
    assert_eq!(meant("show calls tr itsp-a").arguments["trunk"], "itsp-a");
    assert_eq!(meant("trunk itsp-a dr").arguments["drain"], true);
    assert!(wrong("s").contains("could be set, show"));
    assert!(wrong("sh c").contains("call, calls"));
    // A whole word is never ambiguous with a longer one.
    assert_eq!(
        meant("show calls").row.syntax,
        "show calls [trunk TRUNK|number NUMBER]"
    );
}

#[test]
fn what_is_missing_or_unknown_is_said_with_what_could_stand_there() {
    assert_eq!(wrong("show call"), "more is needed: <call>, history");
    assert!(wrong("show nonsense").starts_with("unknown 'nonsense'; there is alarms"));
    assert_eq!(wrong("show version now"), "nothing follows before 'now'");
    assert_eq!(
        wrong("show call \u{1b}[2J"),
        "unknown '\\x1b[2J'; there is <call>, history"
    );
    assert_eq!(
        understand(Mode::Operational, "  ").unwrap_err(),
        Wrong::Empty
    );
}

#[test]
fn the_rest_of_a_line_is_taken_as_it_was_typed() {
    let line = "set numbers e164 to-trunk ['\\+49(\\d+) -> 0$1']";
    let meant = understand(Mode::Configuration, line).unwrap();
    assert_eq!(
        meant.arguments["path"],
        "numbers e164 to-trunk ['\\+49(\\d+) -> 0$1']"
    );
    let line = "commit confirmed 5 comment \"CHG 4711\"";
    let meant = understand(Mode::Configuration, line).unwrap();
    assert_eq!(meant.arguments["minutes"], 5);
    assert_eq!(meant.arguments["text"], "\"CHG 4711\"");
}

#[test]
fn completion_offers_the_words_that_fit() {
    assert_eq!(
        completions(Mode::Operational, "show cal"),
        (5, vec!["call".into(), "calls".into()])
    );
    let (start, words) = completions(Mode::Operational, "show call history ");
    assert_eq!((start, words.len()), (18, 4));
    assert_eq!(
        completions(Mode::Operational, "nonsense x").1,
        Vec::<String>::new()
    );
}

#[test]
fn help_says_a_sentence_for_each_word() {
    for mode in [Mode::Operational, Mode::Configuration] {
        for (word, help) in following(mode, "") {
            assert!(!help.is_empty(), "{word}");
        }
    }
    let found = following(Mode::Operational, "show call 17 ");
    assert!(found.iter().any(|(word, _)| word == "<enter>"), "{found:?}");
    assert!(found.iter().any(|(word, _)| word == "media"), "{found:?}");
}

#[test]
fn every_command_has_help_and_can_be_typed_as_it_is_written() {
    for row in ROWS {
        let help = row.help;
        assert!(
            help.len() > 3 && help.len() <= 80 && help.is_ascii(),
            "{}",
            row.syntax
        );
        assert!(!help.ends_with('.'), "{}", row.syntax);
        let ways = lines().iter().filter(|line| std::ptr::eq(line.row, row));
        for way in ways {
            let typed: Vec<String> = way
                .tokens
                .iter()
                .map(|token| match token {
                    Token::Word { word, .. } => word.clone(),
                    Token::Argument {
                        kind: parse::Kind::Count,
                        ..
                    } => "7".into(),
                    Token::Argument { .. } => "x9".into(),
                    Token::Rest { .. } => "x9 y".into(),
                })
                .collect();
            let line = typed.join(" ");
            let meant = understand(row.mode, &line);
            let meant = meant.unwrap_or_else(|wrong| panic!("{line}: {}", wrong.say(&line)));
            assert_eq!(meant.row.syntax, row.syntax, "{line}");
        }
    }
}

#[test]
fn every_operation_has_a_form_and_every_form_is_a_schema() {
    for row in ROWS {
        if let Act::Ask(operation, _) = row.act {
            let schema = form::schema(operation, row.form);
            let written = ["history.records", "support.bundle"].contains(&operation);
            assert!(schema.get("type").is_some() || written, "{}", row.syntax);
        } else {
            assert_eq!(row.form, "", "{}", row.syntax);
        }
    }
}

/// `docs/console.md` is `sbc cli --markdown`, word for word.
#[test]
fn the_page_of_commands_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/console.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == super::super::docs::markdown(),
        "write it again: sbc cli --markdown > docs/console.md"
    );
    for row in ROWS {
        assert!(
            page.contains(&row.syntax.replace('|', "\\|")),
            "{}",
            row.syntax
        );
    }
}

#[test]
fn words_of_other_boxes_lead_to_commands_of_ours() {
    for (theirs, ours) in super::super::foreign::ALIASES {
        let known = [Mode::Operational, Mode::Configuration]
            .into_iter()
            .any(|mode| understand(mode, ours).is_ok());
        assert!(known, "{theirs} leads to {ours}");
    }
}
