//! Pieces, broken pieces and what is left standing.

use super::*;

fn read_all(text: &str) -> (Table, Vec<Problem>) {
    let mut report = Report::default();
    let root = read(text, &mut report);
    (root, report.into_problems())
}

fn table<'t>(root: &'t Table, path: &[&str]) -> &'t Table {
    path.iter()
        .fold(root, |table, key| match &table.get(key).unwrap().value {
            Value::Table(inner) => inner,
            other => panic!("{key} is {}", other.kind()),
        })
}

#[test]
fn one_slip_costs_one_message_and_its_own_table_only() {
    let text = "a = 1\n[x.one]\nkey = [1, 2\nb = 2\nc = 3\n[x.two]\nkey = 2\n";
    let (root, problems) = read_all(text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(table(&root, &["x", "one"]).broken);
    assert!(!table(&root, &["x", "two"]).broken);
    assert!(matches!(
        table(&root, &["x", "two"]).get("key").unwrap().value,
        Value::Integer(Some(2))
    ));
    assert!(matches!(
        root.get("a").unwrap().value,
        Value::Integer(Some(1))
    ));
}

#[test]
fn a_header_without_its_bracket_still_names_its_table() {
    let (root, problems) = read_all("[x.one\nkey = 1\n[[list]\nkey = 1\n");
    assert_eq!(problems.len(), 2);
    assert!(table(&root, &["x", "one"]).broken);
    let Value::List(items) = &root.get("list").unwrap().value else {
        panic!("a list")
    };
    assert_eq!(items.len(), 1);
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = "[x.one]\nkey = \"v\"\n";
    let (root, _) = read_all(text);
    let entry = &table(&root, &["x", "one"]).entries[0];
    assert_eq!(
        (
            &text[entry.key_span.clone()],
            &text[entry.item.span.clone()]
        ),
        ("key", "\"v\"")
    );
    assert_eq!(path_of(&root, &entry.item.span), "x.one.key");
    assert_eq!(
        &text[table(&root, &["x"]).get("one").unwrap().span.clone()],
        "[x.one]"
    );
}

#[test]
fn a_table_or_key_written_twice_is_told_once() {
    for text in [
        "[x.one]\n[x.two]\n[x.one]\n",
        "[x]\na = 1\n[y]\n[x]\nb = 1\n",
        "[x]\na.b = 1\n[x.a]\nb = 2\n",
    ] {
        let (_, problems) = read_all(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!(problems[0].code, DUPLICATE);
    }
}

#[test]
fn tables_may_come_in_any_order() {
    let (root, problems) =
        read_all("[x.one.sub]\na = 1\n[x.one]\nb = 1\n[x]\n[[r]]\nn = 1\n[[r]]\nn = 2\n");
    assert_eq!(problems, []);
    assert_eq!(table(&root, &["x", "one"]).entries.len(), 2);
    let Value::List(items) = &root.get("r").unwrap().value else {
        panic!("a list")
    };
    assert_eq!(items.len(), 2);
}

#[test]
fn a_text_over_several_lines_is_refused() {
    let (_, problems) = read_all("a = \"\"\"one\ntwo\"\"\"\n");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("several lines"));
}

#[test]
fn deep_nesting_is_refused_without_deep_recursion() {
    let deep = alloc::format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(!read_all(&deep).1.is_empty());
    let dotted = alloc::format!("{} = 1", ["a"; 5000].join("."));
    assert!(!read_all(&dotted).1.is_empty());
    let header = alloc::format!("[{}]\nb = 1", ["a"; 5000].join("."));
    assert!(!read_all(&header).1.is_empty());
}
