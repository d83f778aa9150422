//! Session timers between a peer and its leg (RFC 4028).

use sbc_tests::kit::sip::header;

use crate::lab::Lab;

const DID: &str = "+49691231042";
const TOO_OFTEN: &str = "Supported: timer\r\nSession-Expires: 60\r\n";

/// RFC 4028 §6, §9: 422 with what may be asked for, and the call that asks for it is one.
#[test]
fn a_call_that_is_to_be_refreshed_every_minute_is_422_with_the_least_interval() {
    let mut lab = Lab::new();
    let call = lab.call_with("itsp", DID, TOO_OFTEN, true);
    lab.run(500);
    assert_eq!(lab.heard("itsp", &call), ["422"]);
    assert_eq!(header(&lab.message("itsp", "SIP/2.0 422"), "Min-SE"), "90");
    assert_eq!(lab.reached("med-1"), 0);
    let again = "Supported: timer\r\nSession-Expires: 90\r\nMin-SE: 90\r\n";
    let call = lab.call_with("itsp", DID, again, true);
    lab.run(500);
    let answer = lab.message("itsp", "SIP/2.0 200");
    assert!(header(&answer, "Session-Expires").starts_with("90;"));
    lab.request("itsp", &call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 4028 §6: who names no timer could make nothing of a 422; a call for help does
/// not wait for another.
#[test]
fn a_call_that_could_not_be_put_again_in_time_is_not_422() {
    for (name, number, extra) in [
        ("itsp", DID, "Session-Expires: 60\r\n"),
        ("med-1", "112", TOO_OFTEN),
    ] {
        let mut lab = Lab::new();
        let call = lab.call_with(name, number, extra, true);
        lab.run(500);
        assert_eq!(lab.heard(name, &call).last().unwrap(), "200");
        lab.request(name, &call, "BYE", None);
        lab.assert_nothing_left();
    }
}

/// A call whose called side answers every re-INVITE with `status`, and its answers with
/// these headers; returns what that side heard in two hours.
fn refreshed(status: u16, answers_with: &str) -> Vec<String> {
    let mut lab = Lab::new();
    lab.of("med-1").answers_with = answers_with.into();
    lab.of("med-1").changes = status;
    let call = lab.call("itsp", DID);
    lab.run(2 * 3_600_000);
    let heard = lab.last("med-1").1.heard;
    if !lab.of("itsp").calls[&call].ended {
        lab.request("itsp", &call, "BYE", None);
    }
    lab.assert_nothing_left();
    heard
}

/// RFC 4028 §10.
#[test]
fn a_peer_that_agreed_to_no_timer_may_refuse_refreshes() {
    for status in [403, 488, 491, 500, 503] {
        let heard = refreshed(status, "");
        assert!(!heard.contains(&"BYE".to_string()), "{status}: {heard:?}");
        let refreshes = heard.iter().filter(|what| *what == "INVITE").count() - 1;
        assert!((7..=9).contains(&refreshes), "{status}: {heard:?}");
    }
}

/// RFC 4028 §10.
#[test]
fn a_peer_that_lost_the_call_is_hung_up_on() {
    for status in [408, 481] {
        let heard = refreshed(status, "");
        assert_eq!(heard.iter().filter(|what| *what == "INVITE").count(), 2);
    }
}

#[test]
fn a_peer_that_agreed_to_a_timer_and_refuses_refreshes_is_hung_up_on() {
    let heard = refreshed(
        488,
        "Require: timer\r\nSession-Expires: 1800;refresher=uac\r\n",
    );
    assert_eq!(heard.last().unwrap(), "BYE");
}
