//! One source: a default that the schema prints is the one that holds. Every
//! key is written with its printed default, and the node must stay the same.

use sbc_config::{Node, check, schema};

const SMALL: &str = include_str!("small.toml");

fn node(text: &str) -> Option<Node> {
    check(text).node
}

/// Returns the file with one more key; `None` where its table is not in it.
fn with(row: &schema::Row, value: &str) -> Option<String> {
    let (table, key) = row.path.split_at_checked(row.path.rfind('.')?)?;
    let key = key.trim_start_matches('.');
    let (head, inner) = match table.split_once(".NAME") {
        Some((kind, inner)) => {
            let header = SMALL
                .lines()
                .find(|line| line.starts_with(&format!("[{kind}.")))?;
            (header.to_owned(), inner.trim_start_matches('.').to_owned())
        }
        None if table.ends_with(".N") => ("[[route]]".to_owned(), String::new()),
        None => {
            let (top, inner) = table.split_once('.').unwrap_or((table, ""));
            (format!("[{top}]"), inner.to_owned())
        }
    };
    let path = if inner.is_empty() {
        key.to_owned()
    } else {
        format!("{inner}.{key}")
    };
    let line = format!("{path} = {value}\n");
    match SMALL.find(&format!("{head}\n")) {
        Some(at) => {
            let at = at + head.len() + 1;
            Some(format!("{}{line}{}", &SMALL[..at], &SMALL[at..]))
        }
        None => Some(format!("{SMALL}\n{head}\n{line}")),
    }
}

#[test]
fn a_printed_default_is_the_one_that_holds() {
    let plain = format!("{:?}", node(SMALL).unwrap());
    let mut tried = 0;
    for row in schema::rows() {
        let unsaid = row.default.is_empty() || row.required || row.later.is_some();
        if unsaid || row.path.ends_with(".active") {
            continue;
        }
        let forms = [row.default.clone(), format!("\"{}\"", row.default)];
        let same = forms.iter().filter_map(|value| node(&with(&row, value)?));
        for node in same {
            assert_eq!(format!("{node:?}"), plain, "{} = {}", row.path, row.default);
            tried += 1;
        }
    }
    assert!(tried >= 70, "only {tried} defaults could be written");
}

#[test]
fn every_key_has_a_sentence_and_an_example() {
    for row in schema::rows() {
        assert!(
            row.about.ends_with('.') && row.about.len() > 5,
            "{}",
            row.path
        );
        assert!(row.example.is_some(), "{}", row.path);
    }
}

#[test]
fn the_schema_is_json_and_knows_every_table() {
    let schema: serde_json::Value = serde_json::from_str(&schema::json_schema()).unwrap();
    let trunk = &schema["properties"]["trunk"]["patternProperties"]["^[a-z][a-z0-9-]{0,30}$"];
    assert_eq!(trunk["properties"]["hold-format"]["enum"][1], "sendonly");
    assert_eq!(trunk["additionalProperties"], false);
    assert!(
        trunk["properties"]["address"].is_null(),
        "a key of a mediation server"
    );
    let server = &schema["properties"]["mediation"]["patternProperties"]["^[a-z][a-z0-9-]{0,30}$"];
    assert!(server["properties"]["address"].is_object());
    assert!(
        server["properties"]["drain"]["description"]
            .as_str()
            .unwrap()
            .contains("Default: silent")
    );
    assert_eq!(
        schema["required"],
        serde_json::json!(["config-version", "system"])
    );
}

#[test]
fn a_key_of_a_later_image_says_what_works_today() {
    let rows = schema::rows();
    let row = |path: &str| rows.iter().find(|row| row.path == path).unwrap();
    assert_eq!(
        row("hep.target").later,
        Some("this image sends no HEP; leave the table out")
    );
    assert!(row("trunk.NAME.tls.trust").later.is_some());
    assert!(row("trunk.NAME.registration.mode").later.is_some());
    assert_eq!(row("trunk.NAME.keepalive.every").later, None);
}

/// `UPDATE_GOLDEN=1` writes the page anew.
#[test]
fn the_page_of_all_keys_is_the_one_in_the_manual() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, schema::markdown()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        schema::markdown()
    );
}
