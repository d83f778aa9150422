//! Requests and responses with one thing changed, and the verdict that follows.

use alloc::string::{String, ToString};
use alloc::{format, vec::Vec};

use bytes::BytesMut;

use super::abilities::{Abilities, Unable};
use super::*;
use crate::message::Why;
use crate::wire::{Received, datagram};

const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\n\
    Via: SIP/2.0/TCP a.example.com;branch=z9hG4bK1, SIP/2.0/UDP b\r\n\
    Max-Forwards: 70\r\n\
    From: Alice <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob@example.com>\r\n\
    Call-ID: 1@a\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:alice@a.example.com>\r\n\
    Content-Type: application/sdp\r\n\r\nv=0\r\n";

const RESPONSE: &str = "SIP/2.0 200 Fine\r\n\
    Via: SIP/2.0/TCP a.example.com;branch=z9hG4bK1\r\n\
    From: Alice <sip:alice@example.com>;tag=1\r\n\
    To: <sip:bob@example.com>;tag=2\r\n\
    Call-ID: 1@a\r\n\
    CSeq: 1 INVITE\r\n\r\n";

fn frame(bytes: impl AsRef<[u8]>) -> Frame {
    match datagram(BytesMut::from(bytes.as_ref())) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("no frame: {other:?}"),
    }
}

/// The INVITE with `old` replaced, which must be there.
fn changed(old: &str, new: &str) -> String {
    assert!(INVITE.contains(old), "{old}");
    INVITE.replacen(old, new, 1)
}

fn fault(bytes: impl AsRef<[u8]>) -> Option<Fault> {
    Request::read(&frame(bytes)).err()
}

fn line(line: &str) -> String {
    changed("Call-ID", &format!("{line}\r\nCall-ID"))
}

/// Another method, with what it does not need left out.
fn as_method(method: &str) -> String {
    INVITE
        .replace("INVITE", method)
        .replace("Contact: <sip:alice@a.example.com>\r\n", "")
}

/// RFC 3261 §8.1.1, RFC 3261 §8.2
#[test]
fn the_essentials_of_a_request_are_read() {
    let frame = frame(INVITE);
    let request = Request::read(&frame).unwrap();
    assert_eq!(request.method, Method::Invite);
    assert_eq!(request.uri.sip().unwrap().user, Some("bob"));
    assert_eq!(request.via.branch(), Some("z9hG4bK1"));
    assert_eq!((request.from.tag(), request.to.tag()), (Some("1"), None));
    assert_eq!(request.call_id, CallId("1@a"));
    assert_eq!(
        request.cseq,
        CSeq {
            number: 1,
            method: Method::Invite
        }
    );
    assert_eq!(request.max_forwards, Some(MaxForwards(70)));
    assert!(request.contact.is_some() && !request.is_old() && frame.is_answerable());
}

/// RFC 3261 §8.1.1, §8.1.1.8, §20.15; RFC 4475 §3.3.1 (insuf)
#[test]
fn what_every_request_must_have_is_missed() {
    for (header, name) in [
        (
            "Via: SIP/2.0/TCP a.example.com;branch=z9hG4bK1, SIP/2.0/UDP b",
            Name::Via,
        ),
        ("From: Alice <sip:alice@example.com>;tag=1", Name::From),
        ("To: <sip:bob@example.com>", Name::To),
        ("Call-ID: 1@a", Name::CallId),
        ("CSeq: 1 INVITE", Name::CSeq),
        ("Contact: <sip:alice@a.example.com>", Name::Contact),
        ("Content-Type: application/sdp", Name::ContentType),
    ] {
        let bytes = changed(&format!("{header}\r\n"), "");
        assert_eq!(fault(&bytes), Some(Fault::Missing(name)), "{header}");
        assert_eq!(Fault::Missing(name).status(), Status::BAD_REQUEST);
    }
}

/// RFC 3261 §7.3.1; RFC 4475 §3.3.8 (multi01)
#[test]
fn what_must_not_repeat_is_refused_twice_and_the_rest_is_not() {
    for (again, name) in [
        ("CSeq: 59 INVITE", Name::CSeq),
        ("i: 1@b", Name::CallId),
        ("t: <sip:other@example.com>", Name::To),
        ("From: <sip:caller@example.com>;tag=2", Name::From),
        ("max-forwards: 5", Name::MaxForwards),
        ("c: text/plain", Name::ContentType),
        ("Contact: <sip:alice@b>", Name::Contact),
    ] {
        assert_eq!(fault(line(again)), Some(Fault::Repeated(name)), "{again}");
    }
    let harmless = line("User-Agent: a\r\nUser-Agent: b\r\nSubject: x\r\nSubject: y");
    assert_eq!(fault(harmless), None);
}

/// RFC 3261 §8.1.1.5; RFC 4475 §3.1.2.17, §3.1.2.18 (mismatch01, mismatch02)
#[test]
fn the_method_of_cseq_is_that_of_the_request() {
    for method in ["OPTIONS", "invite", "INVITED"] {
        let bytes = changed("CSeq: 1 INVITE", &format!("CSeq: 1 {method}"));
        assert_eq!(fault(bytes), Some(Fault::MethodMismatch));
    }
    let bytes = changed("INVITE sip", "NEWMETHOD sip");
    assert_eq!(fault(bytes), Some(Fault::MethodMismatch));
}

/// RFC 3261 §8.1.1.5, §20.22; RFC 4475 §3.1.2.4 (scalar02)
#[test]
fn numbers_beyond_their_range_are_refused() {
    let cseq = changed("CSeq: 1", "CSeq: 36893488147419103232");
    assert_eq!(fault(cseq), Some(Fault::Bad(Why::Range.of(Name::CSeq))));
    let cseq = changed("CSeq: 1", "CSeq: 2147483648");
    assert_eq!(fault(cseq), Some(Fault::Bad(Why::Range.of(Name::CSeq))));
    let hops = changed("Max-Forwards: 70", "Max-Forwards: 300");
    assert_eq!(
        fault(hops),
        Some(Fault::Bad(Why::Range.of(Name::MaxForwards)))
    );
}

/// RFC 4475 §3.1.2.4: an expiry out of range may be taken for the default;
/// RFC 4475 §3.1.2.12 (baddate): a Date nobody needs is no reason to refuse.
#[test]
fn what_nobody_relies_on_is_not_judged() {
    let lines = "Expires: 1000000000000000000000\r\nDate: Fri, 01 Jan 2010 16:00:00 EST";
    assert_eq!(fault(line(lines)), None);
}

/// RFC 4475 §3.1.2.1 (badinv01), §3.1.2.6 (quotbal), §3.1.2.13 (regbadct),
/// §3.1.2.14 (badaspec), §3.1.2.15 (baddn)
#[test]
fn addresses_outside_the_grammar_are_refused() {
    let refused = |old: &str, new: &str, name: Name| match fault(changed(old, new)) {
        Some(Fault::Bad(bad)) => assert_eq!(bad.name, name, "{new}"),
        other => panic!("{new}: {other:?}"),
    };
    let (via, contact) = (
        "a.example.com;branch=z9hG4bK1, SIP/2.0/UDP b",
        "<sip:alice@a.example.com>",
    );
    refused(via, "192.0.2.15;;,;,,", Name::Via);
    refused(contact, "\"Joe\" <sip:joe@example.org>;;;;", Name::Contact);
    refused(
        "<sip:bob@example.com>",
        "\"Mr. J. User <sip:j.user@example.com>",
        Name::To,
    );
    refused(
        contact,
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        Name::Contact,
    );
    refused(
        "<sip:bob@example.com>",
        "\"W, T\" < sip:t.watson@example.org >",
        Name::To,
    );
    refused("Alice <", "Bell, Alexander <", Name::From);
    refused("1@a", "1 @a", Name::CallId);
    refused("application/sdp", "application", Name::ContentType);
    refused(
        "Call-ID",
        "Record-Route: sip:x y\r\nCall-ID",
        Name::RecordRoute,
    );
    // RFC 3261 §20.34
    refused("Call-ID", "Route: nowhere\r\nCall-ID", Name::Route);
}

/// RFC 3261 §19.1.1, RFC 4475 §3.1.2.11 (escruri)
#[test]
fn a_request_uri_has_no_headers() {
    let bytes = changed(
        "bob@example.com SIP",
        "bob@example.com?Route=%3Csip:x%3E SIP",
    );
    assert_eq!(fault(bytes), Some(Fault::UriHeaders));
    let bytes = changed("sip:bob@example.com SIP", "sip:[2001:db8::1 SIP");
    assert!(matches!(fault(bytes), Some(Fault::Uri(_))));
    let bytes = changed("sip:bob@example.com SIP", "bob SIP");
    assert_eq!(fault(bytes), Some(Fault::Uri(BadUri::Scheme)));
}

/// RFC 3261 §8.1.1.7, §17.2.3; RFC 4475 §3.2.1 (badbranch)
#[test]
fn a_branch_is_more_than_its_cookie() {
    assert_eq!(fault(changed("z9hG4bK1", "z9hG4bK")), Some(Fault::Branch));
    assert_eq!(fault(changed("z9hG4bK1", "Z9HG4BK")), Some(Fault::Branch));
}

/// RFC 3261 §16.3, §17.2.3; RFC 4475 §3.4.1 (inv2543)
#[test]
fn an_old_element_needs_no_branch_contact_or_max_forwards() {
    for branch in ["", ";branch=1"] {
        let bytes = changed(";branch=z9hG4bK1", branch)
            .replace("Contact: <sip:alice@a.example.com>\r\n", "")
            .replace("Max-Forwards: 70\r\n", "")
            .replace(";tag=1", "");
        let frame = frame(bytes);
        let request = Request::read(&frame).unwrap();
        assert!(request.is_old() && request.max_forwards.is_none());
        assert_eq!(request.from.tag(), None);
    }
}

/// RFC 3261 §12.2, §12.2.1.1; RFC 3311 §5.1
#[test]
fn within_a_dialog_a_contact_may_be_left_out() {
    let inside = |text: String| text.replace("To: <sip:bob@example.com>", "To: <sip:b@c>;tag=9");
    assert_eq!(fault(inside(as_method("INVITE"))), None);
    assert_eq!(fault(inside(as_method("UPDATE"))), None);
    let update = inside(INVITE.replace("INVITE", "UPDATE"));
    let foreign = update.replace("<sip:alice@a.example.com>", "<tel:+1555>");
    assert_eq!(fault(foreign), Some(Fault::ContactScheme));
}

/// RFC 3261 §8.1.1.8, §12.1, §12.1.1
#[test]
fn what_opens_a_dialog_has_one_sip_contact() {
    let contact = |value: &str| fault(changed("<sip:alice@a.example.com>", value));
    assert_eq!(contact("<sips:alice@a>"), None);
    assert_eq!(contact("<tel:+1555>"), Some(Fault::ContactScheme));
    assert_eq!(contact("*"), Some(Fault::Star));
    assert_eq!(
        contact("<sip:a>, <sip:b>"),
        Some(Fault::Repeated(Name::Contact))
    );
    assert_eq!(contact(""), Some(Fault::Missing(Name::Contact)));
    let register = changed("<sip:alice@a.example.com>", "*").replace("INVITE", "REGISTER");
    assert_eq!(fault(register), None);
    // RFC 3261 §25.1: the star stands alone.
    for beside in ["*, <sip:a>", "<sip:a>, *", "*, *"] {
        let register = changed("<sip:alice@a.example.com>", beside).replace("INVITE", "REGISTER");
        assert_eq!(fault(register), Some(Fault::Star), "{beside}");
    }
    assert_eq!(fault(as_method("BYE")), None);
}

/// RFC 3262 §7.1, RFC 3515 §2.4.2, §2.4.4, RFC 6665 §4.4.1, §8.2.1, §8.2.3
#[test]
fn single_methods_need_headers_of_their_own() {
    let with_contact = |method: &str| INVITE.replace("INVITE", method);
    assert_eq!(fault(as_method("PRACK")), Some(Fault::Missing(Name::RAck)));
    assert_eq!(
        fault(with_contact("REFER")),
        Some(Fault::Missing(Name::ReferTo))
    );
    assert_eq!(
        fault(as_method("REFER")),
        Some(Fault::Missing(Name::Contact))
    );
    assert_eq!(
        fault(with_contact("SUBSCRIBE")),
        Some(Fault::Missing(Name::Event))
    );
    assert_eq!(
        fault(as_method("NOTIFY")),
        Some(Fault::Missing(Name::Event))
    );
    let rack = as_method("PRACK").replace("Call-ID", "RAck: 1 1 INVITE\r\nCall-ID");
    assert_eq!(fault(rack), None);
}

#[test]
fn octets_that_are_not_utf_8_spoil_only_what_identifies() {
    let spoilt = |old: &str, name| {
        let mut bytes = INVITE.as_bytes().to_vec();
        let at = INVITE.find(old).unwrap();
        bytes[at] = 0xE9;
        assert_eq!(fault(bytes), name, "{old}");
    };
    spoilt("1@a\r\n", Some(Fault::NotUtf8(Name::CallId)));
    spoilt("z9hG4bK1", Some(Fault::NotUtf8(Name::Via)));
    spoilt("1 INVITE", Some(Fault::NotUtf8(Name::CSeq)));
    let mut bytes = line("Subject: caf_").into_bytes();
    let at = bytes.iter().position(|&octet| octet == b'_').unwrap();
    bytes[at] = 0xE9;
    assert_eq!(fault(bytes), None);
}

/// RFC 3261 §8.1.3.3; RFC 4475 §3.1.2.5 (scalarlg), §3.3.10 (bcast is the transaction's)
#[test]
fn a_response_is_read_or_dropped() {
    let good = frame(RESPONSE);
    let response = Response::read(&good).unwrap();
    assert_eq!((response.status, response.reason), (Status::OK, "Fine"));
    assert_eq!(response.to.tag(), Some("2"));
    assert!(!good.is_answerable());
    let dropped = |old: &str, new: &str| {
        assert!(RESPONSE.contains(old));
        Response::read(&frame(RESPONSE.replacen(old, new, 1))).unwrap_err()
    };
    assert_eq!(
        dropped("CSeq: 1", "CSeq: 9292394834772304023312"),
        Fault::Bad(Why::Range.of(Name::CSeq))
    );
    assert_eq!(
        dropped("From", "Via: SIP/2.0/TCP b\r\nFrom"),
        Fault::Repeated(Name::Via)
    );
    assert_eq!(
        dropped("z9hG4bK1", "z9hG4bK1, SIP/2.0/TCP b"),
        Fault::Repeated(Name::Via)
    );
    assert_eq!(
        dropped("Call-ID: 1@a\r\n", ""),
        Fault::Missing(Name::CallId)
    );
}

#[test]
fn a_request_is_no_response() {
    assert_eq!(fault(RESPONSE), Some(Fault::OtherKind));
    assert_eq!(Response::read(&frame(INVITE)).err(), Some(Fault::OtherKind));
}

#[test]
fn a_fault_is_one_sentence() {
    for (fault, sentence) in [
        (Fault::Missing(Name::CallId), "Call-ID is missing"),
        (
            Fault::Bad(Why::Range.of(Name::CSeq)),
            "CSeq is malformed: a number is out of range",
        ),
        (Fault::Repeated(Name::To), "To occurs more than once"),
    ] {
        assert_eq!(fault.to_string(), sentence);
    }
}

const ABILITIES: Abilities<'static> = Abilities {
    methods: &[
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Bye,
        Method::Options,
    ],
    passed_on: &[Method::Invite],
    schemes: &["sip", "sips", "tel"],
    extensions: &["100rel", "timer"],
    bodies: &[ContentType::SDP, ContentType::new("multipart", "mixed")],
};

/// What `ABILITIES` cannot do of a request: the status and the header for the answer.
fn unable(bytes: impl AsRef<[u8]>) -> Option<(u16, Option<Name>)> {
    let frame = frame(bytes);
    let request = Request::read(&frame).unwrap();
    let unable = ABILITIES.check(&request).err()?;
    Some((unable.status().code(), unable.header()))
}

/// RFC 3261 §8.2.1, §21.5.2; RFC 4475 §3.1.1.2 (intmeth), §3.1.1.5 (esc02)
#[test]
fn a_method_is_405_if_it_is_not_listed_and_501_if_it_is_unknown() {
    assert_eq!(unable(INVITE), None);
    for (method, status) in [("MESSAGE", 405), ("RE%47IST%45R", 501), ("invite", 501)] {
        assert_eq!(
            unable(as_method(method)),
            Some((status, Some(Name::Allow))),
            "{method}"
        );
    }
}

/// RFC 3261 §8.2.2, §8.2.2.1; RFC 4475 §3.3.2 (unkscm), §3.3.3 (novelsc)
#[test]
fn an_unknown_scheme_is_416() {
    for uri in [
        "nobodyKnowsThisScheme:totallyopaquecontent",
        "soap.beep://192.0.2.103:3002",
    ] {
        let bytes = changed("sip:bob@example.com SIP", &format!("{uri} SIP"));
        assert_eq!(unable(bytes), Some((416, None)));
    }
    assert_eq!(
        unable(changed("sip:bob@example.com SIP", "TEL:+15551230042 SIP")),
        None
    );
}

/// RFC 3261 §8.2.2.3; RFC 4475 §3.3.5 (bext01)
#[test]
fn an_unknown_extension_is_420_with_each_tag() {
    let require = "Require: nothingSupportsThis, 100REL\r\nRequire: norThis";
    let frame = frame(line(require));
    let request = Request::read(&frame).unwrap();
    let Err(unable) = ABILITIES.check(&request) else {
        panic!("is supported")
    };
    assert_eq!(
        (unable.status().code(), unable.header()),
        (420, Some(Name::Unsupported))
    );
    let Unable::Extension(unsupported) = unable else {
        panic!("{unable:?}")
    };
    assert_eq!(
        unsupported.tags().collect::<Vec<_>>(),
        ["nothingSupportsThis", "norThis"]
    );
}

/// RFC 3261 §8.2.2.3
#[test]
fn ack_and_cancel_are_spared_require() {
    let require = line("Require: nothingSupportsThis");
    assert_eq!(unable(require.replace("INVITE", "CANCEL")), None);
    assert_eq!(unable(require.replace("INVITE", "ACK")), None);
    assert_eq!(unable(line("Require: 100rel, Timer")), None);
}

/// RFC 3261 §16.3; RFC 4475 §3.3.11 (zeromf)
#[test]
fn a_request_without_hops_left_is_483_only_if_it_would_go_on() {
    let spent = changed("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!(unable(&spent), Some((483, None)));
    assert_eq!(unable(spent.replace("INVITE", "OPTIONS")), None);
    let within_a_dialog = spent.replace("To: <sip:bob@example.com>", "To: <sip:b@c>;tag=9");
    assert_eq!(unable(within_a_dialog), None);
}

/// RFC 3261 §8.2.3, §20.11; RFC 4475 §3.3.6 (invut)
#[test]
fn an_unknown_body_is_415_with_accept_unless_it_is_optional() {
    let unknown = changed("application/sdp", "application/unknownformat");
    assert_eq!(unable(&unknown), Some((415, Some(Name::Accept))));
    let optional = "Content-Disposition: x;handling=OPTIONAL\r\nCall-ID";
    assert_eq!(unable(unknown.replacen("Call-ID", optional, 1)), None);
    let required = "Content-Disposition: x;handling=required\r\nCall-ID";
    assert_eq!(
        unable(unknown.replacen("Call-ID", required, 1)),
        Some((415, Some(Name::Accept)))
    );
    assert_eq!(
        unable(line("Content-Encoding: gzip")),
        Some((415, Some(Name::AcceptEncoding)))
    );
    assert_eq!(unable(line("Content-Encoding: identity")), None);
    assert_eq!(
        unable(changed("application/sdp", "Multipart/Mixed;boundary=a")),
        None
    );
    assert_eq!(unable(unknown.replace("v=0\r\n", "")), None);
}

/// RFC 3261 §20.1; RFC 4475 §3.3.15 (sdp01)
#[test]
fn an_accept_without_sdp_is_406() {
    for accept in [
        "text/nobodyKnowsThis",
        "",
        "application/sdp;q=0.0",
        "*/*;q=0",
    ] {
        assert_eq!(
            unable(line(&format!("Accept: {accept}"))),
            Some((406, None)),
            "{accept}"
        );
    }
    for accept in ["text/plain, application/SDP", "application/*;q=0.1", "*/*"] {
        assert_eq!(unable(line(&format!("Accept: {accept}"))), None, "{accept}");
    }
    assert_eq!(
        unable(line("Accept: text/plain").replace("INVITE", "OPTIONS")),
        None
    );
}
