//! Bits of Rust come in, and the scanner must take them apart rightly.

use super::{Function, Source};

fn source(text: &str) -> Source {
    Source::new("sbc-core/x/src/y.rs".into(), text.into())
}

#[test]
fn comments_strings_and_characters_leave_the_code() {
    let found = source(
        "a(\"x // y\", '\"', r#\"q\" unsafe\"#, b\"z\\\"\"); // unsafe\n/* b /* c */ d */ e<'f>()",
    );
    let code: String = found.code.split_whitespace().collect();
    assert_eq!(code, "a(,,,);e<'f>()");
    let comments: Vec<&str> = found.comments.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(comments, ["// unsafe", "/* b /* c */ d */"]);
    let strings: Vec<&str> = found.strings.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(strings, ["\"x // y\"", "r#\"q\" unsafe\"#", "b\"z\\\"\""]);
}

#[test]
fn escaped_quotes_and_raw_names_are_no_traps() {
    let found = source("let r#fn = '\\''; let b = '\\u{7f}'; var\"s\"; x('é', 'a') 'l: loop {}");
    let code: String = found.code.split_whitespace().collect();
    assert_eq!(code, "letr#fn=;letb=;var;x(,)'l:loop{}");
}

#[test]
fn lines_count_from_one_through_long_strings() {
    let found = source("let a = \"1\n2\n3\";\n// four\n");
    assert_eq!(found.comments[0].line, 4);
}

#[test]
fn test_items_are_known_to_their_last_line() {
    let found = source("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
    let tests: Vec<bool> = (1..=6).map(|line| found.is_test(line)).collect();
    assert_eq!(tests, [false, true, true, true, true, false]);
}

#[test]
fn a_brace_in_a_string_does_not_end_a_test() {
    let found = source(
        "#[cfg(test)]\nmod tests {\n    const A: &str = \"}\";\n    fn b() {}\n}\nfn c() {}\n",
    );
    assert!(found.is_test(4));
    assert!(!found.is_test(6));
}

#[test]
fn a_test_attribute_takes_only_its_own_item() {
    let found = source(
        "#[cfg(test)]\nuse x::y;\nfn a() {}\n#[test]\n#[should_panic]\nfn b() {\n}\nfn c() {}\n",
    );
    let tests: Vec<bool> = (1..=8).map(|line| found.is_test(line)).collect();
    assert_eq!(tests, [true, true, false, true, true, true, true, false]);
}

#[test]
fn functions_are_measured_from_their_name_to_their_brace() {
    let found = source(
        "trait T { fn none(&self); }\nfn a<T>(x: [u8; 2]) -> fn(u8)\nwhere\n    T: Copy,\n{\n}\n",
    );
    let only = Function {
        name: "a".into(),
        line: 2,
        length: 5,
    };
    assert_eq!(found.functions(), [only]);
}

#[test]
fn words_are_found_only_when_they_stand_alone() {
    let found = source("unsafe_code unsafe { not_unsafe }");
    assert_eq!(found.find_word("unsafe").collect::<Vec<_>>(), [12]);
}
