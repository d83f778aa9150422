//! Hold and resume by re-INVITEs without an offer (RFC 3261 §14.2, RFC 6337 §5.3).

use crate::lab::Lab;

const DID: &str = "+49691231042";

/// A call that is up: the lab, and both sides with their Call-IDs, `name` first.
fn talking(name: &'static str) -> (Lab, [(&'static str, String); 2]) {
    let (lab, call, id) = Lab::talking(DID);
    let mut sides = [("itsp", call), ("med-1", id)];
    if name == "med-1" {
        sides.reverse();
    }
    (lab, sides)
}

/// The side asks with this direction, or without an offer.
fn asks(lab: &mut Lab, side: &(&'static str, String), direction: Option<&str>) {
    lab.request(side.0, &side.1, "INVITE", direction);
    lab.run(1_000);
    assert_eq!(lab.heard(side.0, &side.1).last().unwrap(), "200");
}

/// The direction that the side was told last.
fn told(lab: &mut Lab, side: &(&'static str, String)) -> String {
    let call = &lab.of(side.0).calls[&side.1];
    call.session.clone().unwrap_or_default()
}

fn hang_up(mut lab: Lab, side: &(&'static str, String)) {
    lab.request(side.0, &side.1, "BYE", None);
    lab.assert_nothing_left();
}

#[test]
fn a_side_that_held_resumes_without_an_offer_and_the_other_hears_of_it() {
    for name in ["itsp", "med-1"] {
        for hold in ["inactive", "sendonly"] {
            let (mut lab, [near, far]) = talking(name);
            asks(&mut lab, &near, Some(hold));
            assert!(!lab.is_open());
            asks(&mut lab, &near, None);
            assert_eq!(told(&mut lab, &near), "sendrecv", "{name} {hold}");
            assert_eq!(told(&mut lab, &far), "sendrecv", "{name} {hold}");
            assert!(lab.is_open(), "{name} {hold}");
            hang_up(lab, &near);
        }
    }
}

#[test]
fn a_side_holds_and_resumes_by_its_answers_alone() {
    let (mut lab, [near, far]) = talking("itsp");
    for _ in 0..2 {
        lab.of("itsp").late = "sendonly";
        asks(&mut lab, &near, None);
        assert_eq!(told(&mut lab, &near), "sendrecv");
        assert_eq!(told(&mut lab, &far), "inactive");
        assert!(!lab.is_open());
        lab.of("itsp").late = "sendrecv";
        asks(&mut lab, &near, None);
        assert_eq!(told(&mut lab, &near), "sendrecv");
        assert_eq!(told(&mut lab, &far), "sendrecv");
        assert!(lab.is_open());
    }
    hang_up(lab, &far);
}

/// Who asks while the other side holds is offered what that lets it, and the other side
/// hears nothing.
#[test]
fn a_side_that_is_held_is_offered_the_hold() {
    let (mut lab, [near, far]) = talking("itsp");
    asks(&mut lab, &far, Some("inactive"));
    assert_eq!(told(&mut lab, &near), "sendonly");
    let before = lab.heard(far.0, &far.1);
    lab.of("itsp").late = "recvonly";
    asks(&mut lab, &near, None);
    assert_eq!(told(&mut lab, &near), "sendonly");
    assert_eq!(lab.heard(far.0, &far.1), before);
    asks(&mut lab, &far, None);
    assert_eq!(told(&mut lab, &near), "sendrecv");
    assert!(lab.is_open());
    hang_up(lab, &far);
}

/// Both hold; who resumes first is not open before the other one is.
#[test]
fn sides_that_both_hold_resume_one_after_the_other_without_offers() {
    for name in ["itsp", "med-1"] {
        let (mut lab, [near, far]) = talking(name);
        asks(&mut lab, &near, Some("sendonly"));
        lab.of(near.0).holds = true;
        asks(&mut lab, &far, Some("sendonly"));
        lab.of(far.0).holds = true;
        lab.of(near.0).holds = false;
        lab.of(near.0).late = "recvonly";
        asks(&mut lab, &near, None);
        assert!(!lab.is_open(), "{name}");
        lab.of(near.0).late = "sendrecv";
        lab.of(far.0).holds = false;
        asks(&mut lab, &far, None);
        for side in [&near, &far] {
            assert_eq!(told(&mut lab, side), "sendrecv", "{name}");
        }
        assert!(lab.is_open(), "{name}");
        hang_up(lab, &near);
    }
}

/// RFC 3264 §8: nothing changed, so the version stays, and nobody else is asked.
#[test]
fn a_refresh_without_an_offer_is_answered_with_the_session_as_it_is() {
    let (mut lab, [near, far]) = talking("itsp");
    let first = lab.message("itsp", "SIP/2.0 200");
    let before = lab.heard(far.0, &far.1);
    asks(&mut lab, &near, None);
    let second = lab.message("itsp", "SIP/2.0 200");
    let body = |text: &str| text.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&first), body(&second));
    assert_eq!(lab.heard(far.0, &far.1), before);
    hang_up(lab, &near);
}

/// RFC 3261 §14.1: the other side was asking for something itself.
#[test]
fn a_resume_without_an_offer_reaches_a_side_that_said_491() {
    let (mut lab, [near, far]) = talking("itsp");
    asks(&mut lab, &near, Some("sendonly"));
    lab.of("med-1").changes = 491;
    asks(&mut lab, &near, None);
    lab.of("med-1").changes = 0;
    lab.run(5_000);
    assert_eq!(told(&mut lab, &far), "sendrecv");
    assert!(lab.is_open());
    hang_up(lab, &near);
}

/// Both ask at once: the other side is asked when its own request is done.
#[test]
fn a_resume_without_an_offer_waits_for_what_the_other_side_asks() {
    let (mut lab, [near, far]) = talking("itsp");
    asks(&mut lab, &near, Some("sendonly"));
    for ms in 0..20 {
        lab.request(near.0, &near.1, "INVITE", None);
        lab.run(ms);
        lab.request(far.0, &far.1, "INVITE", None);
        lab.run(6_000);
        assert_eq!(told(&mut lab, &far), "sendrecv", "{ms}");
        assert!(lab.is_open(), "{ms}");
        asks(&mut lab, &near, Some("sendonly"));
        assert!(!lab.is_open(), "{ms}");
    }
    hang_up(lab, &near);
}

#[test]
fn a_resume_that_the_other_side_refuses_leaves_the_call_up() {
    let (mut lab, [near, far]) = talking("itsp");
    asks(&mut lab, &near, Some("sendonly"));
    lab.of("med-1").changes = 488;
    asks(&mut lab, &near, None);
    assert!(!lab.is_open());
    lab.of("med-1").changes = 0;
    asks(&mut lab, &near, Some("sendonly"));
    asks(&mut lab, &near, Some("sendrecv"));
    assert_eq!(told(&mut lab, &far), "sendrecv");
    assert!(lab.is_open());
    hang_up(lab, &near);
}
