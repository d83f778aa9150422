//! Packages come in, those under a licence we do not accept go out.

use crate::assert_kept;
use crate::metadata::{Package, WORKSPACE};
use crate::tree;

/// The same list as in `deny.toml`; a test compares them.
const ALLOWED: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "ISC",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "Unicode-3.0",
];

/// Crates that ship a licence text and no `license` key, read by a person.
const CLARIFIED: [(&str, &str); 2] = [("rsip", "MIT"), ("rsip-derives", "MIT")];

fn unaccepted(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        let clarified = CLARIFIED.iter().find(|(name, _)| *name == package.name);
        let licence = clarified
            .map(|(_, licence)| *licence)
            .or(package.licence.as_deref());
        let Some(licence) = licence else {
            faults.push(format!(
                "{} {} names no licence",
                package.name, package.version
            ));
            continue;
        };
        if !accepts(licence) {
            faults.push(format!(
                "{} {} is under {licence}",
                package.name, package.version
            ));
        }
    }
    faults
}

/// Returns whether an SPDX expression can be met with allowed licences alone.
fn accepts(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let accepted = any_of(&tokens, &mut at);
    accepted && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize) -> bool {
    let mut accepted = all_of(tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        accepted |= all_of(tokens, at);
    }
    accepted
}

fn all_of(tokens: &[&str], at: &mut usize) -> bool {
    let mut accepted = one(tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        accepted &= one(tokens, at);
    }
    accepted
}

fn one(tokens: &[&str], at: &mut usize) -> bool {
    let Some(&token) = tokens.get(*at) else {
        return false;
    };
    *at += 1;
    if token == "(" {
        let accepted = any_of(tokens, at);
        let closed = tokens.get(*at) == Some(&")");
        *at += usize::from(closed);
        return accepted && closed;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return ALLOWED.contains(&format!("{token} WITH {exception}").as_str());
    }
    ALLOWED.contains(&token)
}

#[test]
fn everything_we_build_from_is_under_an_accepted_licence() {
    let faults = unaccepted(&WORKSPACE);
    assert_kept("licences", &faults);
}

#[test]
fn deny_toml_says_the_same() {
    let deny = tree::read("deny.toml");
    let list = deny
        .split("allow = [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    let listed: Vec<&str> = list
        .split(',')
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .collect();
    assert_eq!(listed, ALLOWED);
    for (krate, licence) in CLARIFIED {
        assert!(
            deny.contains(&format!("crate = \"{krate}\"\nexpression = \"{licence}\"")),
            "{krate}"
        );
    }
}

#[test]
fn a_choice_is_enough_and_a_sum_needs_all() {
    assert!(accepts("MIT/Apache-2.0"));
    assert!(accepts("GPL-3.0-only OR MIT"));
    assert!(accepts("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(accepts("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only"));
    for refused in [
        "MPL-2.0",
        "MIT AND LGPL-2.1-only",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "",
        "(MIT",
        "MIT MIT",
    ] {
        assert!(!accepts(refused), "{refused}");
    }
}

#[test]
fn a_copyleft_crate_is_seen_and_so_is_a_silent_one() {
    let package = |name: &str, licence: Option<&str>| Package {
        name: name.into(),
        licence: licence.map(str::to_owned),
        ..Package::default()
    };
    let packages = [
        package("rustables", Some("GPL-3.0-or-later")),
        package("quiet", None),
        package("rsip", None),
    ];
    assert_eq!(unaccepted(&packages).len(), 2);
}
