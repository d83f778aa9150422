//! What a peer asks inside a call and we cannot do: it hears why, with the header that
//! says what we can, and the call goes on.

use sbc_tests::kit::sip::header;

use crate::lab::Lab;

const DID: &str = "+49691231042";

/// A call that is up.
fn up() -> (Lab, String) {
    let mut lab = Lab::new();
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "200");
    (lab, call)
}

/// What the caller hears when it sends `method` with these headers in its call.
fn asked(lab: &mut Lab, call: &str, method: &str, extra: &str, sdp: Option<&str>) -> String {
    let now = lab.now;
    lab.of("itsp").request(now, call, method, extra, sdp);
    lab.collect();
    lab.run(500);
    lab.message("itsp", "SIP/2.0")
}

/// The call can still be changed, and ends as any other.
fn goes_on(mut lab: Lab, call: &str) {
    lab.request("itsp", call, "INVITE", Some("sendonly"));
    lab.run(500);
    assert_eq!(lab.heard("itsp", call).last().unwrap(), "200");
    let (_, there) = lab.last("med-1");
    assert_eq!(there.heard, ["INVITE", "ACK", "INVITE", "ACK"]);
    lab.request("itsp", call, "BYE", None);
    lab.run(500);
    assert_eq!(lab.heard("itsp", call).last().unwrap(), "BYE 200");
    lab.assert_nothing_left();
}

/// RFC 3261 §8.2.1: 405 says what is allowed.
#[test]
fn methods_of_other_services_inside_a_call_are_405_with_allow() {
    let (mut lab, call) = up();
    for (method, extra) in [
        ("REFER", "Refer-To: <sip:a@b.example>\r\n"),
        ("INFO", ""),
        ("MESSAGE", ""),
        ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n"),
        ("SUBSCRIBE", "Event: dialog\r\n"),
    ] {
        let answer = asked(&mut lab, &call, method, extra, None);
        assert!(
            answer.starts_with("SIP/2.0 405 "),
            "{method} heard {answer}"
        );
        let allowed = header(&answer, "Allow");
        assert!(allowed.contains("INVITE") && !allowed.contains(method));
    }
    goes_on(lab, &call);
}

#[test]
fn an_unknown_method_inside_a_call_is_501() {
    let (mut lab, call) = up();
    let answer = asked(&mut lab, &call, "DANCE", "", None);
    assert!(answer.starts_with("SIP/2.0 501 "), "{answer}");
    goes_on(lab, &call);
}

/// RFC 3261 §8.2.2.3: 420 lists what is not supported.
#[test]
fn an_unknown_extension_that_is_required_inside_a_call_is_420() {
    let (mut lab, call) = up();
    let required = "Require: timer, foo\r\nRequire: bar\r\n";
    for (method, sdp) in [
        ("INVITE", Some("sendonly")),
        ("UPDATE", Some("sendonly")),
        ("BYE", None),
    ] {
        let answer = asked(&mut lab, &call, method, required, sdp);
        assert!(
            answer.starts_with("SIP/2.0 420 "),
            "{method} heard {answer}"
        );
        assert_eq!(header(&answer, "Unsupported"), "foo, bar");
    }
    goes_on(lab, &call);
}

/// Sends a re-INVITE whose body is of this type; returns the answer.
fn with_body(lab: &mut Lab, call: &str, kind: &str) -> String {
    let now = lab.now;
    lab.of("itsp").request(now, call, "INVITE", "", None);
    let text = lab.of("itsp").outbox.pop().unwrap();
    let length = format!("Content-Type: {kind}\r\nContent-Length: 5");
    let text = text.replace("Content-Length: 0", &length) + "hello";
    lab.of("itsp").calls.get_mut(call).unwrap().invite = text.clone();
    lab.raw("itsp", &text);
    lab.run(400);
    lab.message("itsp", "SIP/2.0")
}

/// RFC 3261 §8.2.3: 415 says which types are taken, and which encodings.
#[test]
fn a_body_of_another_type_inside_a_call_is_415() {
    let (mut lab, call) = up();
    let answer = with_body(&mut lab, &call, "application/isup");
    assert!(answer.starts_with("SIP/2.0 415 "), "{answer}");
    assert_eq!(header(&answer, "Accept"), "application/sdp");
    let answer = with_body(&mut lab, &call, "application/sdp\r\nContent-Encoding: gzip");
    assert!(answer.starts_with("SIP/2.0 415 "), "{answer}");
    assert_eq!(header(&answer, "Accept-Encoding"), "identity");
    goes_on(lab, &call);
}

/// Some exchanges say more in a BYE than anybody asked for.
#[test]
fn a_bye_with_a_body_of_another_type_ends_the_call() {
    let (mut lab, call) = up();
    let extra = "Content-Type: application/isup\r\n";
    let now = lab.now;
    lab.of("itsp").request(now, &call, "BYE", extra, None);
    let text = lab.of("itsp").outbox.pop().unwrap();
    let text = text.replace("Content-Length: 0", "Content-Length: 5") + "hello";
    lab.raw("itsp", &text);
    lab.run(500);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "BYE 200");
    lab.assert_nothing_left();
}
