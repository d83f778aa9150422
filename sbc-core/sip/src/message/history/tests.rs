//! History-Info and Diversion of RFC 7044, RFC 4244, RFC 5806 and RFC 7544 come
//! in; the fields and the converted lists go out.

use alloc::{format, string::String, vec::Vec};

use super::super::field::each;
use super::*;

fn written<'a>(field: &impl Field<'a>) -> String {
    let mut bytes = Vec::new();
    field.emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

fn history(line: &str) -> Vec<HistoryInfo<'_>> {
    each([line].into_iter()).map(Result::unwrap).collect()
}

fn diversions(line: &str) -> Vec<Diversion<'_>> {
    each([line].into_iter()).map(Result::unwrap).collect()
}

fn lines<'a, F: Field<'a>>(fields: &[F]) -> Vec<String> {
    fields.iter().map(written).collect()
}

/// RFC 7044 §5, RFC 4458 §2.1
#[test]
fn an_entry_falls_into_its_parts() {
    let line = "\"B\" <sip:bob@biloxi.example.com;cause=302;user=phone?Reason=SIP%3Bcause%3D486%2CQ.850%3Bcause%3D17&Privacy=history>;index=1.2;mp=1";
    let entry = history(line).remove(0);
    assert_eq!(
        (entry.cause, entry.left),
        (
            Some(302),
            Left {
                sip: Some(486),
                q850: Some(17)
            }
        )
    );
    assert_eq!(entry.index.levels(), [1, 2]);
    assert_eq!(entry.origin, Some(Origin::Mapped(Index::first())));
    assert!(entry.privacy.has(Privacy::HISTORY));
    let text = written(&entry);
    assert_eq!(
        text,
        "\"B\" <sip:bob@biloxi.example.com;user=phone;cause=302?Reason=SIP%3Bcause%3D486%2CQ.850%3Bcause%3D17&Privacy=history>;index=1.2;mp=1"
    );
    assert_eq!(history(&text), [entry]);
}

/// RFC 4244 §4.1: the Reason stands in the URI as it is.
#[test]
fn an_unescaped_reason_is_read() {
    let line = "<sip:UserA@ims.example.com?Reason=SIP; cause=302; text=\"Moved Temporarily\">; index=1; foo=bar, <sip:UserB@example.com>; index=1.1";
    let entries = history(line);
    assert_eq!(entries[0].left.sip, Some(302));
    assert_eq!(
        written(&entries[0]),
        "<sip:UserA@ims.example.com?Reason=SIP%3Bcause%3D302>;index=1"
    );
    assert_eq!(
        lines(&to_diversions(&entries)),
        ["<sip:UserA@ims.example.com>;reason=unconditional;counter=1;privacy=off"]
    );
}

/// RFC 7044 §5
#[test]
fn broken_entries_are_refused() {
    let deep = format!("<sip:a>;index=1{}", ".1".repeat(LEVELS));
    for value in [
        "<sip:a>",
        "<sip:a>;index=",
        "<sip:a>;index=1.",
        "<sip:a>;index=1.x",
        "<sip:a>;index=65536",
        "<sip:a b>;index=1",
        "<sip:a>;index=1;mp=x",
        "<sip:a;index=1",
        &deep,
    ] {
        assert!(HistoryInfo::parse(value).is_err(), "{value}");
    }
}

/// RFC 5806 §4
#[test]
fn a_diversion_falls_into_its_parts() {
    let line = "\"x\" <sip:+19195551004@a.example;user=phone>;reason=\"User-Busy\";counter=2;limit=07;privacy=full;screen=no;x=y, sip:b@c;reason=own-reason";
    let all = diversions(line);
    assert_eq!(all[0].reason, Some(DiversionReason::UserBusy));
    assert_eq!(
        (all[0].count(), all[0].limit, all[1].count()),
        (2, Some(7), 1)
    );
    assert_eq!(
        written(&all[0]),
        "\"x\" <sip:+19195551004@a.example;user=phone>;reason=user-busy;counter=2;limit=7;privacy=full;screen=no"
    );
    assert_eq!(written(&all[1]), "<sip:b@c>;reason=own-reason");
    assert_eq!(
        diversions("<tel:+1>;privacy=odd")[0].privacy,
        Some(DiversionPrivacy::Full)
    );
    for value in [
        "",
        "<sip:a>;counter=100",
        "<sip:a>;counter=x",
        "<sip:a>;reason=\"x",
    ] {
        assert!(Diversion::parse(value).is_err(), "{value}");
    }
}

const DIVERTED: &str = "<sip:user3@a>;reason=unconditional;counter=1;privacy=off, \
    <sip:user2@a>;reason=user-busy;counter=1;privacy=full, \
    <sip:user1@a>;reason=no-answer;counter=1;privacy=off";

const TARGETS: [&str; 4] = [
    "<sip:user1@a?Privacy=none>;index=1",
    "<sip:user2@a;cause=408?Privacy=history>;index=1.1;mp=1",
    "<sip:user3@a;cause=486?Privacy=none>;index=1.1.1;mp=1.1",
    "<sip:last@a;cause=302>;index=1.1.1.1;mp=1.1.1",
];

/// RFC 7544 §4, §5, §6: the newest diversion is first, the newest target last;
/// the reason stands with who forwarded in one, with the new target in the other.
#[test]
fn three_forwardings_go_there_and_back() {
    let target = Uri::parse("sip:last@a").unwrap();
    let entries = to_history(&diversions(DIVERTED), target);
    assert_eq!(lines(&entries), TARGETS);
    assert_eq!(to_diversions(&entries), diversions(DIVERTED));
}

/// RFC 7544 §5, §6
#[test]
fn every_reason_has_its_cause() {
    for (reason, cause, back) in [
        ("unknown", 404, "unknown"),
        ("user-busy", 486, "user-busy"),
        ("no-answer", 408, "no-answer"),
        ("unavailable", 503, "unavailable"),
        ("unconditional", 302, "unconditional"),
        ("deflection", 480, "deflection"),
        ("time-of-day", 404, "unknown"),
        ("do-not-disturb", 404, "unknown"),
        ("follow-me", 404, "unknown"),
        ("out-of-service", 404, "unknown"),
        ("away", 404, "unknown"),
        ("own", 404, "unknown"),
    ] {
        let line = format!("<sip:a@b>;reason={reason}");
        let entries = to_history(&diversions(&line), Uri::parse("sip:c").unwrap());
        assert_eq!(entries[1].cause, Some(cause), "{reason}");
        let back_line = format!("<sip:a@b>;reason={back};counter=1;privacy=off");
        assert_eq!(lines(&to_diversions(&entries)), [back_line]);
    }
    let line = "<sip:a>;index=1, <sip:b;cause=487>;index=1.1, <sip:c;cause=499>;index=1.1.1";
    let reasons: Vec<_> = to_diversions(&history(line))
        .iter()
        .map(|each| each.reason)
        .collect();
    assert_eq!(
        reasons,
        [
            Some(DiversionReason::Unknown),
            Some(DiversionReason::Deflection)
        ]
    );
}

/// RFC 7544 §5: who is only counted gets an entry nobody can call.
#[test]
fn a_counter_stands_for_forwarders_without_a_name() {
    let line = "<sip:last@a>;reason=no-answer;counter=3, <sip:first@a>;reason=user-busy";
    let entries = to_history(&diversions(line), Uri::parse("sip:t").unwrap());
    assert_eq!(
        lines(&entries),
        [
            "<sip:first@a>;index=1",
            "<sip:unknown@unknown.invalid;cause=486>;index=1.1;mp=1",
            "<sip:unknown@unknown.invalid;cause=404>;index=1.1.1;mp=1.1",
            "<sip:last@a;cause=404>;index=1.1.1.1;mp=1.1.1",
            "<sip:t;cause=408>;index=1.1.1.1.1;mp=1.1.1.1",
        ]
    );
    let counts: Vec<_> = to_diversions(&entries)
        .iter()
        .map(Diversion::count)
        .collect();
    assert_eq!(counts, [3, 1]);
}

/// RFC 7044 §5, RFC 7544 §6: only forwarding counts, not every new target.
#[test]
fn routing_is_no_forwarding() {
    let line = "<sip:bob@a>;index=1, <sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D408>;index=1.1;rc=1, \
        <sip:vm@a;cause=408>;index=1.2;mp=1, <sip:vm@192.0.2.6>;index=1.2.1;rc=1.2";
    assert_eq!(
        lines(&to_diversions(&history(line))),
        ["<sip:bob@a>;reason=no-answer;counter=1;privacy=off"]
    );
    assert_eq!(
        to_diversions(&history("<sip:a>;index=1, <sip:b>;index=1.1")),
        []
    );
}

/// RFC 8119 §2
#[test]
fn a_translated_number_is_no_forwarding() {
    let line = "<sip:+1800@a>;index=1, <sip:+1555@a;cause=380>;index=1.1;mp=1";
    assert_eq!(to_diversions(&history(line)), []);
}

#[test]
fn a_number_that_cannot_be_marked_hidden_is_not_shown() {
    let line = "<tel:+15551230042>;reason=no-answer;privacy=full";
    let entries = to_history(&diversions(line), Uri::parse("sip:t").unwrap());
    assert_eq!(
        written(&entries[0]),
        "<sip:unknown@unknown.invalid>;index=1"
    );
}

#[test]
fn a_gap_in_the_indexes_is_counted() {
    let line = "<sip:c;cause=302>;index=1.1.1.1, <sip:a>;index=1";
    let found = to_diversions(&history(line));
    assert_eq!(
        lines(&found),
        ["<sip:a>;reason=unconditional;counter=3;privacy=off"]
    );
}

#[test]
fn a_mediation_server_marks_who_forwarded() {
    let line = "<sip:+15551230042@corp;user=phone>;index=1;ms-retarget-reason=forwarding, <sip:+15559990000@corp;user=phone>;index=1.1";
    assert_eq!(
        lines(&to_diversions(&history(line))),
        ["<sip:+15551230042@corp;user=phone>;reason=unconditional;counter=1;privacy=off"]
    );
    assert_eq!(
        to_diversions(&history("<sip:a>;index=1;ms-retarget-reason=team-call")).len(),
        1
    );
}

#[test]
fn long_chains_keep_their_ends() {
    let list: Vec<String> = (0..40)
        .map(|n| format!("<sip:u{n}@a>;reason=no-answer;counter=9"))
        .collect();
    let line = list.join(",");
    let all = diversions(&line);
    let entries = to_history(&all, Uri::parse("sip:t").unwrap());
    assert_eq!(entries.len(), LEVELS);
    assert_eq!(written(&entries[0]), "<sip:u39@a>;index=1");
    assert_eq!(entries[LEVELS - 2].uri, all[0].uri);
    let back = to_diversions(&entries);
    assert_eq!(back.len(), DIVERSIONS);
    assert_eq!(
        (back[0].uri, back[DIVERSIONS - 1].uri),
        (all[0].uri, all[39].uri)
    );
    assert_eq!(back[DIVERSIONS - 2].count(), 14);
}
