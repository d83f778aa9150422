//! Every `show`: its width, its letters, and the form of its JSON.

use sbc_core::cli::form::{misfits, schema};
use sbc_core::cli::grammar::{Act, Mode, ROWS, Row, Token, lines};

use super::node::Node;

/// Returns every way to type a row, with something in the place of its arguments.
pub fn commands(syntax: &str, call: &str) -> Vec<String> {
    let ways = lines().iter().filter(|line| line.row.syntax == syntax);
    let typed = |token: &Token| match token {
        Token::Word { word, .. } => word.clone(),
        Token::Argument { name, .. } => argument(name, call).to_owned(),
        Token::Rest { .. } => "system hostname".to_owned(),
    };
    ways.map(|way| way.tokens.iter().map(typed).collect::<Vec<_>>().join(" "))
        .collect()
}

fn argument<'a>(name: &str, call: &'a str) -> &'a str {
    let known = [
        ("call", call),
        ("number", "+49691234567"),
        ("trunk", "itsp-a"),
        ("mediation", "med-1"),
        ("name", "one"),
        ("secret", "sip/itsp-a"),
        ("tunnel", "itsp-a"),
        ("peer", "med-1"),
        ("count", "7"),
        ("revision", "1"),
    ];
    let found = known.into_iter().find(|(argument, _)| *argument == name);
    assert!(found.is_some(), "nothing is known to type for {name:?}");
    found.unwrap().1
}

/// What only a node with its machine's network in hand can answer; the fence's tests
/// hold those answers against their forms.
fn is_of_network(act: Act) -> bool {
    let of = ["interfaces.", "isolation.", "tunnels."];
    matches!(act, Act::Ask(operation, _) if of.iter().any(|one| operation.starts_with(one)))
}

#[test]
fn every_show_fits_eighty_columns_in_ascii_and_its_json_fits_its_schema() {
    let net = 15;
    super::peer::server(net, "486 Busy Here");
    let node = Node::start("every-show", net);
    let carrier = super::peer::Carrier::open(net);
    assert_eq!(carrier.calls("one", "+49691234567", b""), 486);
    let soon = std::time::Duration::from_secs(20);
    node.until(soon, |node| node.answer("show cdr").contains("486"));
    let records = node.answer("show cdr | json");
    let records: serde_json::Value = serde_json::from_str(&records).unwrap();
    let call = records[0]["call"].to_string();
    let mut looked = 0;
    for row in ROWS.iter().filter(|row| row.mode == Mode::Operational) {
        if !row.syntax.starts_with("show ") || row.syntax.contains(" export ") {
            continue;
        }
        let ways = commands(row.syntax, &call);
        assert!(!ways.is_empty(), "{}", row.syntax);
        for line in ways {
            looked += usize::from(fits(&node, row, &line));
        }
    }
    assert!(looked >= 25, "only {looked} answers were looked at");
}

const OF_SLOTS: [&str; 2] = ["show boot previous", "show image"];

/// Holds one answer, and its JSON, against what the row says. Returns whether it has
/// a form.
fn fits(node: &Node, row: &Row, line: &str) -> bool {
    if is_of_network(row.act) {
        let output = node.asks(line);
        assert_eq!(output.status.code(), Some(1), "{line}");
        let why = String::from_utf8(output.stderr).unwrap();
        assert!(why.starts_with("SBC-3024: "), "{line}: {why}");
        return false;
    }
    // What only a flashed machine has says so; the tests of the image look at it.
    let elsewhere = matches!(row.act, Act::Later) || OF_SLOTS.contains(&row.syntax);
    let text = node.answer(line);
    for shown in text.lines() {
        assert!(shown.len() <= 80 && shown.is_ascii(), "{line}: {shown}");
        assert!(!shown.chars().any(char::is_control), "{line}: {shown:?}");
    }
    if elsewhere {
        assert!(text.starts_with("SBC-3009: "), "{line}: {text}");
        return false;
    }
    let output = node.asks(&format!("{line} | json"));
    assert!(output.status.success(), "{line}: {text}");
    let value = serde_json::from_slice(&output.stdout);
    assert!(value.is_ok(), "{line} | json: {value:?}");
    let value = value.unwrap();
    let Act::Ask(operation, _) = row.act else {
        return false;
    };
    let odd = misfits(&schema(operation, row.form), &value);
    assert!(odd.is_empty(), "{line}: {odd:?}");
    true
}

#[test]
fn every_show_of_a_candidate_fits_eighty_columns_in_ascii() {
    let node = Node::start("candidate-shows", 64);
    let rows = ROWS.iter().filter(|row| row.mode == Mode::Configuration);
    let shows = rows.filter(|row| row.syntax.starts_with("show"));
    let lines: Vec<String> = shows.flat_map(|row| commands(row.syntax, "1")).collect();
    assert!(lines.len() >= 2, "{lines:?}");
    for line in lines {
        let told = node.follows_each(&format!("configure\n{line}\nexit\n"));
        assert!(
            told.contains("hostname") || told.contains("no changes"),
            "{told}"
        );
        for shown in told.lines() {
            assert!(shown.len() <= 80 && shown.is_ascii(), "{line}: {shown}");
        }
    }
}

#[test]
fn what_has_nothing_behind_it_says_so_by_code() {
    let node = Node::start("nothing-behind", 16);
    for row in ROWS.iter().filter(|row| matches!(row.act, Act::Later)) {
        for line in commands(row.syntax, "1") {
            let output = node.asks(&line);
            assert_eq!(output.status.code(), Some(1), "{line}");
            let why = String::from_utf8(output.stderr).unwrap();
            assert!(
                why.starts_with("SBC-3009: nothing is behind "),
                "{line}: {why}"
            );
        }
    }
}

#[test]
fn pipes_filter_what_is_shown() {
    let node = Node::start("pipes", 17);
    assert_eq!(
        node.answer("show trunks | match ^itsp | count"),
        "1 lines\n"
    );
    assert!(
        node.answer("show limits | except calls")
            .starts_with("LIMIT")
    );
    assert!(node.answer("show version | json").contains("\"version\""));
    assert!(
        node.answer("show version | sort")
            .starts_with("unknown pipe")
    );
    let lines = node.answer("show configuration trunk itsp-a | set");
    assert!(
        lines
            .lines()
            .all(|line| line.starts_with("set trunk itsp-a ")),
        "{lines}"
    );
    let toml = node.answer("show configuration | toml");
    assert!(toml.contains("[trunk.itsp-a]"), "{toml}");
    assert!(node.answer("show configuration | json").starts_with("{\n"));
}

#[test]
fn the_diary_is_kept_shown_and_followed() {
    let net = 52;
    let node = Node::start("diary", net);
    let soon = std::time::Duration::from_secs(20);
    let shown = node.answer("show log last 500");
    for line in ["INFO  started role=", "INFO  ready role="] {
        assert!(shown.contains(line), "{shown}");
    }
    let mut pty = node.terminal();
    pty.waits(0, "lab> ", soon).unwrap();
    pty.types(b"monitor log\r", 11_520).unwrap();
    pty.waits(0, "INFO ", soon).unwrap();
    let from = pty.seen.len();
    node.follows("configure\nset system timezone Europe/Berlin\ncommit\n");
    pty.waits(from, "configuration is live", soon).unwrap();
    let from = pty.seen.len();
    pty.types(b"\x03", 11_520).unwrap();
    pty.waits(from, "lab> ", soon).unwrap();
    // A full one makes room, in the jail of the role that looks after it.
    let path = node.folder.join("state/diary.log");
    let mut diary = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    let line = "2026-11-25T14:06:24.9Z  INFO much ".to_owned() + &"x".repeat(200) + "\n";
    std::io::Write::write_all(&mut diary, line.repeat(40_000).as_bytes()).unwrap();
    let earlier = node.folder.join("state/diary.1.log");
    node.until(soon, |_| {
        std::fs::metadata(&earlier).is_ok_and(|known| known.len() > 8 << 20)
    });
    node.follows("configure\nset system timezone Europe/Paris\ncommit\n");
    node.until(soon, |node| {
        let shown = node.answer("show log last 900");
        shown.contains("configuration is live") && !shown.contains("much")
    });
    // It outlives the node, and is in the bundle without whole numbers.
    let again = Node::again(node.cut());
    let shown = again.answer("show log last 900");
    assert!(shown.contains("configuration is live"), "{shown}");
    let bundle = again.answer("request support bundle");
    assert!(bundle.contains("configuration is live"), "{bundle}");
}
