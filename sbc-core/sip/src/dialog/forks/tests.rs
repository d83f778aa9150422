//! Forking, held against RFC 3261 §13.2.2.

use alloc::{string::String, vec::Vec};

use super::*;
use crate::message::NameAddr;

fn opening() -> Opening<'static> {
    Opening {
        call_id: "call-1",
        from: NameAddr::parse("<sip:us@node>;tag=us").unwrap(),
        to: NameAddr::parse("<sip:bob@biloxi.com>").unwrap(),
        cseq: 1,
        target: Uri::parse("sip:bob@biloxi.com").unwrap(),
        secure: false,
    }
}

fn respond<'f>(
    forks: &'f mut Forks,
    status: u16,
    tag: Option<&str>,
) -> Result<Option<&'f mut Dialog>, Unforked> {
    let contact = Some(Uri::parse("sip:bob@192.0.2.5").unwrap());
    let reply = Reply {
        status,
        tag,
        contact,
    };
    forks.respond(&opening(), &reply, [])
}

fn tags(forks: &Forks) -> Vec<(String, State)> {
    let of = |dialog: &Dialog| (dialog.remote_tag().unwrap_or("-").into(), dialog.state());
    forks.iter().map(of).collect()
}

/// RFC 3261 §12.1, §13.2.2.1: a 100 makes no dialog, nor does a 1xx without a tag.
#[test]
fn each_tag_makes_a_dialog_of_its_own() {
    let mut forks = Forks::default();
    assert_eq!(respond(&mut forks, 100, Some("x")), Ok(None));
    assert_eq!(respond(&mut forks, 180, None), Ok(None));
    for (status, tag) in [(180, "a"), (183, "b"), (183, "a")] {
        let dialog = respond(&mut forks, status, Some(tag)).unwrap().unwrap();
        assert_eq!(dialog.remote_tag(), Some(tag));
    }
    let expected = [("a".into(), State::Early), ("b".into(), State::Early)];
    assert_eq!(tags(&forks), expected);
    assert_eq!(forks.get_mut(Some("a")).unwrap().next_cseq(0), Some(2));
    assert_eq!(
        forks.get_mut(Some("b")).unwrap().next_cseq(0),
        Some(2),
        "each counts alone"
    );
}

/// RFC 3261 §13.2.2.4: every fork that succeeds is a dialog of its own.
#[test]
fn a_success_confirms_its_fork_and_another_success_another() {
    let mut forks = Forks::default();
    respond(&mut forks, 180, Some("a")).unwrap();
    respond(&mut forks, 180, Some("b")).unwrap();
    respond(&mut forks, 200, Some("b")).unwrap();
    respond(&mut forks, 200, Some("c")).unwrap();
    respond(&mut forks, 200, None).unwrap();
    let winner = forks.take(Some("b")).unwrap();
    assert_eq!(winner.state(), State::Confirmed);
    assert_eq!(forks.take(Some("b")), None);
    let expected = [
        ("a".into(), State::Early),
        ("c".into(), State::Confirmed),
        ("-".into(), State::Confirmed),
    ];
    assert_eq!(tags(&forks), expected);
}

/// RFC 3261 §13.2.2.3
#[test]
fn a_failure_ends_every_early_dialog() {
    let mut forks = Forks::default();
    respond(&mut forks, 180, Some("a")).unwrap();
    respond(&mut forks, 200, Some("b")).unwrap();
    forks.fail();
    assert_eq!(tags(&forks), [("b".into(), State::Confirmed)]);
}

#[test]
fn the_twenty_first_early_dialog_is_refused_but_a_success_finds_room() {
    let mut forks = Forks::default();
    let tag = |n: usize| alloc::format!("t{n}");
    for n in 0..20 {
        assert!(respond(&mut forks, 180, Some(&tag(n))).unwrap().is_some());
    }
    let full = Err(Unforked::TooMany { most: 20 });
    assert_eq!(respond(&mut forks, 180, Some("late")), full);
    assert!(respond(&mut forks, 183, Some("t7")).unwrap().is_some());
    assert!(respond(&mut forks, 200, Some("late")).unwrap().is_some());
    assert_eq!(forks.iter().count(), 20);
    assert!(forks.get_mut(Some("t0")).is_none());
    let mut one = Forks::new(0);
    respond(&mut one, 200, Some("a")).unwrap();
    assert_eq!(
        respond(&mut one, 200, Some("b")),
        Err(Unforked::TooMany { most: 1 })
    );
}
