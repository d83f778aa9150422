//! Dialogs, held against RFC 3261 §12 to §14.

use alloc::{format, string::String, vec, vec::Vec};

use super::*;
use crate::message::Out;

const ALICE: &str = "\"Alice\" <sip:alice@atlanta.com>;tag=a1";
const BOB: &str = "<sip:bob@biloxi.com>";

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).unwrap()
}

fn uris<'a>(texts: &[&'a str]) -> Vec<Uri<'a>> {
    texts.iter().map(|text| uri(text)).collect()
}

fn written(uri: Uri<'_>) -> String {
    let mut bytes = Vec::new();
    uri.emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

fn opening() -> Opening<'static> {
    Opening {
        call_id: "call-1",
        from: NameAddr::parse(ALICE).unwrap(),
        to: NameAddr::parse(BOB).unwrap(),
        cseq: 314_159,
        target: uri("sip:bob@192.0.2.4"),
        secure: false,
    }
}

fn reply(status: u16) -> Reply<'static> {
    Reply {
        status,
        tag: Some("b1"),
        contact: Some(uri("sip:bob@192.0.2.5:5080")),
    }
}

fn uac(routes: &[&str]) -> Dialog {
    Dialog::as_uac(&opening(), &reply(200), uris(routes)).unwrap()
}

fn uas(routes: &[&str]) -> Dialog {
    Dialog::as_uas(&opening(), "b1", uris(routes)).unwrap()
}

fn confirmed_uas() -> Dialog {
    let mut dialog = uas(&[]);
    dialog.apply(Event::Success);
    dialog.exchange(exchange::Event::Confirmed);
    dialog
}

fn routes(dialog: &Dialog) -> Vec<String> {
    dialog.routes().map(written).collect()
}

/// RFC 3261 §12.1.2
#[test]
fn a_uac_takes_tags_target_and_the_reversed_route_set_from_the_response() {
    let dialog = uac(&["sip:p1.example;lr", "sip:p2.example;lr;x=Y"]);
    assert_eq!(
        (dialog.role(), dialog.state()),
        (Role::Uac, State::Confirmed)
    );
    assert_eq!((dialog.call_id(), dialog.local_tag()), ("call-1", "a1"));
    assert_eq!(dialog.remote_tag(), Some("b1"));
    assert_eq!(
        routes(&dialog),
        ["sip:p2.example;lr;x=Y", "sip:p1.example;lr"]
    );
    assert_eq!(written(dialog.request_uri()), "sip:bob@192.0.2.5:5080");
    assert_eq!(written(dialog.next_hop()), "sip:p2.example;lr;x=Y");
    assert_eq!(
        (dialog.local_cseq(), dialog.remote_cseq()),
        (Some(314_159), None)
    );
    assert!(dialog.local().params.is_empty(), "the tag is kept apart");
    assert!(dialog.local().display.is_some());
    assert_eq!(written(dialog.remote().uri), "sip:bob@biloxi.com");
    assert!(!dialog.is_secure());
}

/// RFC 3261 §12.1.1
#[test]
fn a_uas_takes_the_route_set_in_order_and_starts_early() {
    let mut dialog = uas(&["sip:p1.example;lr", "sip:p2.example;lr"]);
    assert_eq!((dialog.role(), dialog.state()), (Role::Uas, State::Early));
    assert_eq!(
        (dialog.local_tag(), dialog.remote_tag()),
        ("b1", Some("a1"))
    );
    assert_eq!(routes(&dialog), ["sip:p1.example;lr", "sip:p2.example;lr"]);
    assert_eq!(written(dialog.target()), "sip:bob@192.0.2.4");
    assert_eq!(
        (dialog.local_cseq(), dialog.remote_cseq()),
        (None, Some(314_159))
    );
    assert_eq!(dialog.apply(Event::Success), []);
    assert_eq!(dialog.state(), State::Confirmed);
}

/// RFC 3261 §8.1.2 and §12.2.1.1, the example of the strict router.
#[test]
fn a_strict_router_moves_to_the_request_uri_and_the_target_to_the_end() {
    let dialog = uas(&["sip:proxy1", "sip:proxy2", "sip:proxy3;lr", "sip:proxy4"]);
    assert_eq!(written(dialog.request_uri()), "sip:proxy1");
    let expected = [
        "sip:proxy2",
        "sip:proxy3;lr",
        "sip:proxy4",
        "sip:bob@192.0.2.4",
    ];
    assert_eq!(routes(&dialog), expected);
    assert_eq!(written(dialog.next_hop()), "sip:proxy1");
    let alone = uas(&["sip:proxy1"]);
    assert_eq!(written(alone.request_uri()), "sip:proxy1");
    assert_eq!(routes(&alone), ["sip:bob@192.0.2.4"]);
    let direct = uas(&[]);
    assert_eq!(written(direct.next_hop()), "sip:bob@192.0.2.4");
    assert_eq!(routes(&direct), [""; 0]);
}

/// RFC 3261 §19.1.1, Table 1: what no Request-URI may have.
#[test]
fn headers_and_the_method_of_a_contact_are_dropped() {
    let contact = uri("sip:bob@192.0.2.5;transport=Tls;Method=REFER;ob?Replaces=x");
    let reply = Reply {
        contact: Some(contact),
        ..reply(200)
    };
    let dialog = Dialog::as_uac(&opening(), &reply, uris(&["sip:p;method=BYE?a=b"])).unwrap();
    assert_eq!(routes(&dialog), ["sip:bob@192.0.2.5;transport=Tls;ob"]);
    assert_eq!(written(dialog.request_uri()), "sip:p");
}

/// RFC 3261 §12.1.1 and §12.1.2: peers older than tags.
#[test]
fn a_missing_tag_is_the_null_tag_and_equals_only_itself() {
    let dialog = Dialog::as_uac(
        &opening(),
        &Reply {
            tag: None,
            ..reply(200)
        },
        [],
    )
    .unwrap();
    assert_eq!(dialog.remote_tag(), None);
    assert!(dialog.matches("call-1", Some("a1"), None));
    assert!(!dialog.matches("call-1", Some("a1"), Some("b1")));
    assert!(!dialog.matches("call-1", None, None));
    let old = Opening {
        from: NameAddr::parse("<sip:alice@atlanta.com>").unwrap(),
        ..opening()
    };
    assert_eq!(Dialog::as_uas(&old, "b1", []).unwrap().remote_tag(), None);
    assert_eq!(
        Dialog::as_uac(&old, &reply(200), []),
        Err(Unfit::NoLocalTag)
    );
}

/// RFC 3261 §12.2.2
#[test]
fn a_request_belongs_to_the_dialog_of_its_three_parts_or_gets_481() {
    let dialog = uac(&[]);
    assert!(dialog.matches("call-1", Some("a1"), Some("b1")));
    for (call_id, to, from) in [
        ("call-2", Some("a1"), Some("b1")),
        ("call-1", Some("b1"), Some("a1")),
        ("call-1", Some("A1"), Some("b1")),
        ("call-1", Some("a1"), Some("b2")),
        ("call-1", Some("a1"), None),
        ("call-1", None, Some("b1")),
    ] {
        assert!(
            !dialog.matches(call_id, to, from),
            "{call_id} {to:?} {from:?}"
        );
    }
    for (method, has_to_tag, found, expected) in [
        (Method::Invite, false, false, Place::Outside),
        (Method::Invite, true, false, Place::Unknown),
        (Method::Bye, true, false, Place::Unknown),
        (Method::Bye, true, true, Place::Inside),
        (Method::Ack, true, true, Place::Inside),
        (Method::Ack, true, false, Place::Stray),
        (Method::Ack, false, false, Place::Stray),
    ] {
        assert_eq!(place(method, has_to_tag, found), expected, "{method}");
    }
}

/// RFC 3261 §12.2.2: lower is refused, gaps are legal.
#[test]
fn received_requests_keep_their_order() {
    let mut dialog = confirmed_uas();
    for (method, cseq, verdict) in [
        (Method::Info, 314_158, Verdict::OutOfOrder),
        (Method::Info, 314_159, Verdict::OutOfOrder),
        (Method::Ack, 314_159, Verdict::Proceed),
        (Method::Info, 314_160, Verdict::Proceed),
        (Method::Options, 314_170, Verdict::Proceed),
        (Method::Info, 314_161, Verdict::OutOfOrder),
        (Method::Cancel, 314_159, Verdict::Proceed),
        (Method::Bye, 314_171, Verdict::Proceed),
    ] {
        assert_eq!(dialog.receive(method, cseq), verdict, "{method} {cseq}");
    }
    assert_eq!(dialog.remote_cseq(), Some(314_171));
    let mut caller = uac(&[]);
    assert_eq!(
        caller.receive(Method::Bye, 0),
        Verdict::Proceed,
        "the first may be any"
    );
}

/// RFC 3261 §12.2.1.1, §8.1.1.5
#[test]
fn our_requests_count_up_by_one_and_end_before_the_limit() {
    let mut dialog = uac(&[]);
    assert_eq!(dialog.next_cseq(9), Some(314_160));
    assert_eq!(dialog.next_cseq(9), Some(314_161));
    let mut callee = uas(&[]);
    assert_eq!(callee.next_cseq(u32::MAX), Some(1 + u32::MAX % 0x3fff_ffff));
    assert_eq!(uas(&[]).next_cseq(0), Some(1));
    let last = Opening {
        cseq: 0x7fff_fffe,
        ..opening()
    };
    let mut dialog = Dialog::as_uac(&last, &reply(200), []).unwrap();
    assert_eq!(dialog.next_cseq(0), Some(0x7fff_ffff));
    assert_eq!(dialog.next_cseq(0), None);
}

/// RFC 3261 §13.2.2.4
#[test]
fn a_2xx_recomputes_target_and_routes_of_an_early_dialog_once() {
    let mut dialog = Dialog::as_uac(&opening(), &reply(180), uris(&["sip:p1;lr"])).unwrap();
    assert_eq!(dialog.state(), State::Early);
    let moved = Reply {
        contact: Some(uri("sip:bob@192.0.2.9")),
        ..reply(200)
    };
    dialog
        .succeed(&moved, uris(&["sip:p1;lr", "sip:p2;lr"]))
        .unwrap();
    assert_eq!(routes(&dialog), ["sip:p2;lr", "sip:p1;lr"]);
    assert_eq!(written(dialog.target()), "sip:bob@192.0.2.9");
    assert_eq!(dialog.state(), State::Confirmed);
    dialog.succeed(&reply(200), uris(&["sip:p3;lr"])).unwrap();
    assert_eq!(
        routes(&dialog),
        ["sip:p2;lr", "sip:p1;lr"],
        "a re-INVITE keeps the routes"
    );
    assert_eq!(written(dialog.target()), "sip:bob@192.0.2.5:5080");
    let silent = Reply {
        contact: None,
        ..reply(200)
    };
    dialog.succeed(&silent, []).unwrap();
    assert_eq!(written(dialog.target()), "sip:bob@192.0.2.5:5080");
}

/// RFC 3261 §12.2.1.2 and §12.2.2, RFC 6141 §4
#[test]
fn only_target_refresh_requests_move_the_target() {
    let mut dialog = uac(&["sip:p1;lr"]);
    for method in [
        Method::Subscribe,
        Method::Notify,
        Method::Info,
        Method::Bye,
        Method::Options,
    ] {
        dialog.refresh(method, uri("sip:elsewhere")).unwrap();
        assert_eq!(
            written(dialog.target()),
            "sip:bob@192.0.2.5:5080",
            "{method}"
        );
    }
    for (method, target) in [(Method::Invite, "sip:x"), (Method::Update, "sip:y")] {
        dialog.refresh(method, uri(target)).unwrap();
        assert_eq!(written(dialog.target()), target);
        assert_eq!(routes(&dialog), ["sip:p1;lr"]);
    }
    assert_eq!(
        dialog.refresh(Method::Update, uri("tel:+1")),
        Err(Unfit::Scheme)
    );
    assert_eq!(written(dialog.target()), "sip:y");
}

/// RFC 3261 §14.1 and §14.2
#[test]
fn one_invite_at_a_time() {
    let mut dialog = confirmed_uas();
    assert_eq!(dialog.receive(Method::Invite, 400_000), Verdict::Proceed);
    assert_eq!(dialog.receive(Method::Invite, 400_001), Verdict::Busy);
    assert!(!dialog.may_invite());
    assert_eq!(dialog.receive(Method::Update, 400_002), Verdict::Proceed);
    dialog.exchange(exchange::Event::Done);
    assert!(dialog.may_invite());
    assert_eq!(dialog.receive(Method::Invite, 400_003), Verdict::Glare);
    dialog.exchange(exchange::Event::Done);
    assert_eq!(dialog.receive(Method::Invite, 400_004), Verdict::Proceed);
}

#[test]
fn the_first_invite_is_open_until_answered_and_confirmed() {
    let mut callee = uas(&[]);
    assert!(!callee.may_invite());
    assert_eq!(callee.receive(Method::Invite, 400_000), Verdict::Busy);
    callee.apply(Event::Success);
    assert!(!callee.may_invite(), "the ACK is missing");
    callee.exchange(exchange::Event::Confirmed);
    assert!(callee.may_invite());
    let mut caller = Dialog::as_uac(&opening(), &reply(183), []).unwrap();
    assert!(!caller.may_invite());
    assert_eq!(caller.receive(Method::Invite, 1), Verdict::Glare);
    caller.succeed(&reply(200), []).unwrap();
    assert!(caller.may_invite());
    caller.succeed(&reply(200), []).unwrap();
    assert!(
        !caller.may_invite(),
        "a copy of the first 2xx closes no later INVITE"
    );
}

/// RFC 5407 §3.2: a re-INVITE that crosses our BYE hears 481, a BYE 200.
#[test]
fn a_dialog_that_is_ending_takes_only_a_bye() {
    let mut dialog = confirmed_uas();
    dialog.apply(Event::ByeSent);
    assert_eq!(dialog.receive(Method::Invite, 400_000), Verdict::Gone);
    assert_eq!(dialog.receive(Method::Info, 400_001), Verdict::Gone);
    assert_eq!(dialog.receive(Method::Bye, 400_002), Verdict::Proceed);
    assert_eq!(dialog.apply(Event::ByeReceived), [Action::AnswerBye]);
    assert_eq!(dialog.apply(Event::ByeDone), [Action::Release]);
    assert_eq!(dialog.state(), State::Terminated);
    assert!(!dialog.may_invite());
}

#[test]
fn a_dialog_is_bounded() {
    let many = vec!["sip:p;lr"; 17];
    assert_eq!(
        Dialog::as_uas(&opening(), "b", uris(&many)),
        Err(Unfit::TooManyRoutes)
    );
    assert!(Dialog::as_uas(&opening(), "b", uris(&many[1..])).is_ok());
    let long = format!("sip:{}@p;lr", "x".repeat(1_000));
    let wide = vec![long.as_str(); 5];
    let refused = Dialog::as_uas(&opening(), "b", uris(&wide));
    assert!(
        matches!(refused, Err(Unfit::TooLong { octets: 5_000.. })),
        "{refused:?}"
    );
    for bad in ["tel:+15551230042", "mailto:bob@biloxi.com"] {
        assert_eq!(
            Dialog::as_uas(&opening(), "b", uris(&[bad])),
            Err(Unfit::Scheme)
        );
        let contact = Reply {
            contact: Some(uri(bad)),
            ..reply(200)
        };
        assert_eq!(Dialog::as_uac(&opening(), &contact, []), Err(Unfit::Scheme));
    }
}

/// A leg towards a mediation server, and one over two proxies of a provider.
#[test]
fn the_journal_keeps_a_dialog_in_a_few_hundred_octets() {
    let request = Opening {
        call_id: "2c1a6a1c-5f7e-4f3d-9a54-6f1f0f0a7b11",
        from: NameAddr::parse(
            "\"Contoso Switchboard\" <sip:+14255550123@contoso.com;user=phone>;epid=8A6F;tag=b2f3c4d5e6",
        )
        .unwrap(),
        to: NameAddr::parse("<sip:+15551230042@198.51.100.7;user=phone>").unwrap(),
        target: uri("sip:med1.contoso.com:5067;transport=Tls;ms-opaque=1f2e3d4c5b6a7988"),
        ..opening()
    };
    let routes = [
        "sip:edge1.carrier-c.example:5060;transport=tcp;lr;ftag=b2f3c4d5e6",
        "sip:10.20.30.40:5060;lr;did=a1b.c2d3e4f5",
    ];
    let mut dialog = Dialog::as_uas(&request, "our-tag-0123456789", uris(&routes)).unwrap();
    dialog.apply(Event::Success);
    dialog.exchange(exchange::Event::Confirmed);
    let bytes = postcard::to_allocvec(&dialog).unwrap();
    assert!(bytes.len() <= 420, "{}", bytes.len());
    let read: Dialog = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read, dialog);
    assert_eq!(written(read.target()), written(request.target));
}

#[test]
fn a_journal_with_an_unreadable_address_is_refused() {
    let bytes = postcard::to_allocvec(&uac(&[])).unwrap();
    let at = bytes.windows(4).position(|four| four == b"sip:").unwrap();
    let mut spoilt = bytes.clone();
    spoilt[at + 3] = b'"';
    assert!(postcard::from_bytes::<Dialog>(&bytes).is_ok());
    assert!(postcard::from_bytes::<Dialog>(&spoilt).is_err());
}
