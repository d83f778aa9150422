//! Sources come in, uses of the world inside pure rooms and `unsafe` outside
//! its places go out.

use crate::assert_kept;
use crate::scan::Source;
use crate::tree::SOURCES;

/// The folders whose language has no clock, socket, file or thread.
const PURE: [&str; 6] = [
    "sbc-core/sip/src/",
    "sbc-core/media/src/",
    "sbc-core/config/src/",
    "sbc-core/call/src/",
    "sbc-core/clock/src/",
    "sbc-netcfg/plan/src/",
];

/// Where `unsafe` may be written: the two hands in the world, and the kit.
const UNSAFE_PLACES: [&str; 3] = ["sbc-core/src/", "sbc-netcfg/src/", "tests/src/"];

fn impurities(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources
        .iter()
        .filter(|source| PURE.iter().any(|room| source.path.starts_with(room)))
    {
        if PURE
            .iter()
            .any(|room| source.path == format!("{room}lib.rs"))
        {
            faults.extend(missing_gates(source));
        }
        for (line, code) in source.product_lines() {
            let flat: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
            let worldly = [
                ("extern crate std", "use core or alloc"),
                ("HashMap", "use BTreeMap"),
                ("HashSet", "use BTreeSet"),
            ];
            for (word, mend) in worldly.into_iter().filter(|(word, _)| flat.contains(word)) {
                faults.push(format!(
                    "{}:{line}: `{word}` in a pure room: {mend}",
                    source.path
                ));
            }
        }
        for at in source.find_word("std") {
            let line = source.line_of(at);
            let path = source.code[at + 3..].trim_start().starts_with("::");
            if path && !source.is_test(line) {
                faults.push(format!(
                    "{}:{line}: a `std::` path in a pure room: use core or alloc",
                    source.path
                ));
            }
        }
    }
    faults
}

/// Returns the gates that do not stand open-eyed at the top of a pure room.
fn missing_gates(source: &Source) -> Vec<String> {
    let first_two: Vec<&str> = source
        .code
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(2)
        .collect();
    ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|gate| !first_two.contains(gate))
        .map(|gate| format!("{}:1: a pure room begins with `{gate}`", source.path))
        .collect()
}

fn unsafe_faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for at in source.find_word("unsafe") {
            let line = source.line_of(at);
            let allowed = UNSAFE_PLACES
                .iter()
                .any(|place| source.path.starts_with(place));
            if !allowed {
                faults.push(format!(
                    "{}:{line}: `unsafe` is only for {}",
                    source.path,
                    UNSAFE_PLACES.join(", ")
                ));
            } else if !is_justified(source, line) {
                faults.push(format!(
                    "{}:{line}: `unsafe` needs a `// SAFETY:` comment right above",
                    source.path
                ));
            }
        }
    }
    faults
}

/// Returns whether the lines right above, or the line itself, say why it is sound.
fn is_justified(source: &Source, line: usize) -> bool {
    let says = |text: &str| text.contains("// SAFETY:") || text.contains("/// # Safety");
    let lines: Vec<&str> = source.text.lines().collect();
    let above = lines[..line - 1].iter().rev().map(|text| text.trim());
    says(lines[line - 1])
        || above
            .take_while(|text| text.starts_with("//") || text.starts_with("#["))
            .any(says)
}

#[test]
fn pure_rooms_have_no_word_for_the_world() {
    assert_kept("purity", &impurities(&SOURCES));
    for room in PURE {
        let door = format!("{room}lib.rs");
        assert!(
            SOURCES.iter().any(|source| source.path == door),
            "{door} is missing"
        );
    }
}

#[test]
fn unsafe_is_rare_justified_and_in_its_place() {
    assert_kept("unsafe", &unsafe_faults(&SOURCES));
}

fn sample(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path.into(), text.into())]
}

#[test]
fn a_room_without_its_gates_is_seen() {
    assert_eq!(
        impurities(&sample(
            "sbc-core/sip/src/lib.rs",
            "//! X.\n#![no_std]\nfn a() {}\n"
        ))
        .len(),
        1
    );
    let good = "//! X.\n#![no_std]\n#![forbid(unsafe_code)]\nextern crate alloc;\n";
    assert!(impurities(&sample("sbc-core/sip/src/lib.rs", good)).is_empty());
}

#[test]
fn a_door_to_the_world_is_seen() {
    let text = "use std::net::IpAddr;\nextern  crate std;\ntype A = HashMap<u8, u8>; // std::\nuse crate::std_like;\n#[cfg(test)]\nextern crate std;\n";
    assert_eq!(impurities(&sample("sbc-core/call/src/x.rs", text)).len(), 3);
    assert!(impurities(&sample("sbc-core/src/x.rs", text)).is_empty());
}

#[test]
fn unsafe_out_of_place_or_without_a_word_is_seen() {
    let bare = "fn a() {\n    unsafe { b() }\n}\n";
    let justified = "fn a() {\n    // SAFETY: b has no conditions.\n    unsafe { b() }\n}\n";
    assert_eq!(
        unsafe_faults(&sample("sbc-core/sip/src/x.rs", justified)).len(),
        1
    );
    assert_eq!(unsafe_faults(&sample("sbc-core/src/x.rs", bare)).len(), 1);
    assert!(unsafe_faults(&sample("sbc-core/src/x.rs", justified)).is_empty());
}
