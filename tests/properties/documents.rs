//! Configurations made of any keys of the schema, with comments anywhere: three
//! spellings of one value.

use proptest::prelude::*;
use sbc_config::edit::{Document, changes, merge};
use sbc_config::schema::{Row, rows};

/// One key with an example as a `set` line, and comments above and behind it.
fn lines(row: &Row, name: &str, above: &str, after: &str) -> Option<String> {
    let example = row.example.as_ref()?;
    if row.path.ends_with(".N.name") {
        return None;
    }
    let path = row.path.replace(".NAME", &format!(" {name}"));
    let path = path.replace(".N", &format!(" {name}")).replace('.', " ");
    let mut text = format!("set {path} {example}\n");
    let said = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    if !above.is_empty() {
        text.push_str(&format!("annotate {path} \"{}\"\n", said(above)));
    }
    if !after.is_empty() {
        text.push_str(&format!("annotate {path} after \"{}\"\n", said(after)));
    }
    Some(text)
}

prop_compose! {
    fn key()(at in any::<prop::sample::Index>(), name in "[a-c]", above in "[ -~]{0,12}", after in "[ -~]{0,12}") -> String {
        let rows = rows();
        lines(at.get(&rows), &name, above.trim(), after.trim()).unwrap_or_default()
    }
}

fn document() -> impl Strategy<Value = Document> {
    prop::collection::vec(key(), 0..40).prop_map(|all| {
        let text = all.concat();
        Document::from_set(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    })
}

proptest! {
    #[test]
    fn every_spelling_of_a_configuration_says_the_same(document in document()) {
        let toml = document.to_toml();
        prop_assert_eq!(&Document::from_toml(&toml).unwrap(), &document, "{}", toml);
        let json = document.to_json();
        prop_assert_eq!(&Document::from_json(&json).unwrap(), &document, "{}", json);
        let set = document.to_set().unwrap();
        prop_assert_eq!(&Document::from_set(&set).unwrap(), &document, "{}", set);
    }

    #[test]
    fn what_did_not_change_is_no_change_and_joins_with_anything(one in document(), other in document()) {
        prop_assert!(changes(&one, &one).is_empty());
        prop_assert_eq!(merge(&one, &one, &other).map(|joined| changes(&joined, &other).len()), Ok(0));
        prop_assert_eq!(merge(&one, &other, &one), Ok(other));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "(set |delete |annotate )?[ -~\n]{0,80}") {
        let mut document = Document::default();
        let _any = document.follow(&text);
        let _any = Document::from_toml(&text);
        let _any = Document::from_json(&text);
    }
}
