//! What crosses from one side to the other beyond the call itself: forwardings,
//! identities, causes, listed headers, session names, locations; and what does not.

use sbc_tests::kit::sip::{body, header, headers};

use crate::lab::Lab;
use crate::persona::Habit;

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";
const FOREIGN: &str = "+33144556677";

/// Adds headers in front of the length.
fn adding(extra: &'static str) -> impl FnOnce(String) -> String {
    move |text| text.replacen("Allow: ", &format!("{extra}Allow: "), 1)
}

fn hang_up(mut lab: Lab, name: &str, call: &str) {
    lab.request(name, call, "BYE", None);
    lab.assert_nothing_left();
}

/// Flow 12 of the manual: History-Info in, Diversion and the DID as identity out
/// (RFC 7544 §5, RFC 3325 §9.1).
#[test]
fn flow_12_a_forwarded_outside_caller_leaves_with_diversion_and_the_did_as_identity() {
    let mut lab = Lab::new();
    let call = lab.call_edited("med-1", OUT, |text| {
        adding(
            "History-Info: <sip:+49691231042@10.20.120.2;user=phone>;index=1;ms-retarget-reason=forwarding\r\n\
             History-Info: <sip:+4930555200@10.20.120.1>;index=1.1\r\n",
        )(text.replace("sip:+4930555100@", &format!("sip:{FOREIGN}@")))
    });
    lab.run(1_000);
    let invite = lab.message("itsp", "INVITE");
    assert_eq!(
        header(&invite, "Diversion"),
        "<sip:+49691231042@172.20.31.2;user=phone>;reason=unconditional;counter=1;privacy=off"
    );
    assert!(header(&invite, "From").contains(FOREIGN));
    assert!(header(&invite, "P-Asserted-Identity").contains("sip:+49691231042@172.20.31.2"));
    for secret in ["10.20.", "ms-", "History-Info"] {
        assert!(!invite.contains(secret), "{secret} in\n{invite}");
    }
    hang_up(lab, "med-1", &call);
}

/// RFC 7544 §4: Diversion becomes History-Info, oldest first, with causes.
#[test]
fn a_diversion_of_the_carrier_is_history_for_the_server_in_order() {
    let mut lab = Lab::new();
    let call = lab.call_edited(
        "itsp",
        DID,
        adding(
            "Diversion: <sip:+49691231099@172.20.31.1>;reason=no-answer;counter=1\r\n\
             Diversion: <sip:+49691231088@172.20.31.1>;reason=user-busy;counter=1\r\n",
        ),
    );
    lab.run(1_000);
    let invite = lab.message("med-1", "INVITE");
    let told: Vec<&str> = headers(&invite, "History-Info").collect();
    assert_eq!(
        told,
        [
            "<sip:+49691231088@10.20.120.1;user=phone>;index=1",
            "<sip:+49691231099@10.20.120.1;user=phone;cause=486>;index=1.1;mp=1",
            "<sip:+49691231042@10.20.120.2:5068;user=phone;cause=408>;index=1.1.1;mp=1.1",
        ]
    );
    assert!(!invite.contains("172.20.") && !invite.contains("Diversion"));
    hang_up(lab, "itsp", &call);
}

/// RFC 7544 §5, §6: each reason has its cause, there and back.
#[test]
fn each_reason_of_a_forwarding_crosses_as_its_cause_and_back() {
    for (reason, cause) in [
        ("unconditional", 302),
        ("user-busy", 486),
        ("no-answer", 408),
        ("deflection", 480),
        ("unavailable", 503),
        ("unknown", 404),
    ] {
        let mut lab = Lab::new();
        let line = format!("Diversion: <sip:{FOREIGN}@h>;reason={reason}\r\nAllow: ");
        let call = lab.call_edited("itsp", DID, |text| text.replacen("Allow: ", &line, 1));
        lab.run(1_000);
        let invite = lab.message("med-1", "INVITE");
        let last = headers(&invite, "History-Info").last().unwrap().to_owned();
        assert!(
            last.contains(&format!(";cause={cause}>")),
            "{reason}: {last}"
        );
        hang_up(lab, "itsp", &call);

        let mut lab = Lab::new();
        let line = format!(
            "History-Info: <sip:{DID}@h>;index=1,<sip:{OUT}@h;cause={cause}>;index=1.1;mp=1\r\nAllow: "
        );
        let call = lab.call_edited("med-1", OUT, |text| text.replacen("Allow: ", &line, 1));
        lab.run(1_000);
        let invite = lab.message("itsp", "INVITE");
        let told = header(&invite, "Diversion").to_owned();
        assert!(
            told.contains(&format!("reason={reason};")),
            "{cause}: {told}"
        );
        hang_up(lab, "med-1", &call);
    }
}

#[test]
fn of_two_tellers_the_one_that_tells_of_a_forwarding_counts() {
    let mut lab = Lab::new();
    let call = lab.call_edited(
        "med-1",
        OUT,
        adding(
            "History-Info: <sip:+4930555200@h>;index=1\r\n\
             Diversion: <sip:unknown@unknown.invalid>;reason=user-busy, <sip:+49691231042@h>;reason=no-answer\r\n",
        ),
    );
    lab.run(1_000);
    let invite = lab.message("itsp", "INVITE");
    let told: Vec<&str> = headers(&invite, "Diversion").collect();
    assert_eq!(
        told,
        [
            "<sip:unknown@unknown.invalid>;reason=user-busy",
            "<sip:+49691231042@172.20.31.2;user=phone>;reason=no-answer"
        ]
    );
    hang_up(lab, "med-1", &call);
}

#[test]
fn a_call_forwarded_more_than_twenty_times_is_a_loop() {
    for (counter, heard) in [(20, "200"), (21, "482")] {
        let mut lab = Lab::new();
        let line =
            format!("Diversion: <sip:{FOREIGN}@h>;reason=unknown;counter={counter}\r\nAllow: ");
        let call = lab.call_edited("itsp", DID, |text| text.replacen("Allow: ", &line, 1));
        lab.run(1_000);
        assert_eq!(lab.heard("itsp", &call).last().unwrap(), heard);
        if counter == 20 {
            lab.request("itsp", &call, "BYE", None);
        }
        lab.assert_nothing_left();
    }
}

#[test]
fn a_peer_that_wants_both_forms_gets_both_and_one_that_wants_none_gets_none() {
    for (history, forms) in [("both", [1, 2]), ("off", [0, 0]), ("history-info", [0, 2])] {
        let line = format!("history = \"{history}\"");
        let mut lab = Lab::with(&[("[trunk.itsp]", &line)]);
        let call = lab.call_edited(
            "med-1",
            OUT,
            adding("History-Info: <sip:+49691231042@h>;index=1, <sip:+4930555200@h;cause=302>;index=1.1;mp=1\r\n"),
        );
        lab.run(1_000);
        let invite = lab.message("itsp", "INVITE");
        let found = ["Diversion", "History-Info"].map(|name| headers(&invite, name).count());
        assert_eq!(found, forms, "{history}");
        hang_up(lab, "med-1", &call);
    }
}

/// RFC 7044 §10.1, RFC 5806: who wanted to be hidden is, from those who are not trusted.
#[test]
fn a_forwarder_who_hides_is_not_named_to_a_peer_that_is_not_trusted() {
    for (trusted, named) in [("true", true), ("false", false)] {
        let line = format!("identity.trusted = {trusted}");
        let mut lab = Lab::with(&[("[trunk.itsp]", &line)]);
        let call = lab.call_edited(
            "med-1",
            OUT,
            adding(
                "History-Info: <sip:+49691231042@h?Privacy=history>;index=1, <sip:+4930555200@h;cause=302>;index=1.1;mp=1\r\n",
            ),
        );
        lab.run(1_000);
        let invite = lab.message("itsp", "INVITE");
        let told = header(&invite, "Diversion").to_owned();
        assert_eq!(told.contains("+49691231042"), named, "{told}");
        assert!(told.contains("privacy=full"), "{told}");
        hang_up(lab, "med-1", &call);
    }
}

/// Flow 13 of the manual (RFC 3323 §4.1, RFC 3325 §9.3): anonymous is never undone,
/// the asserted identity goes to the trusted alone, both ways.
#[test]
fn flow_13_an_anonymous_caller_stays_so_both_ways_and_only_the_trusted_are_told() {
    let hidden = |text: String| {
        let from = header(&text, "From").to_owned();
        let tag = from.split(";tag=").nth(1).unwrap().to_owned();
        let anonymous = format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={tag}");
        adding("P-Asserted-Identity: <sip:+49691231077@h>\r\nPrivacy: id\r\n")(
            text.replace(&from, &anonymous),
        )
    };
    for (caller, number, callee, table) in [
        ("med-1", OUT, "itsp", "[trunk.itsp]"),
        ("itsp", DID, "med-1", "[mediation.med-1]"),
    ] {
        for trusted in [true, false] {
            let line = format!("identity.trusted = {trusted}");
            let mut lab = Lab::with(&[(table, &line)]);
            let call = lab.call_edited(caller, number, hidden);
            lab.run(1_000);
            let invite = lab.message(callee, "INVITE");
            assert!(header(&invite, "From").contains("sip:anonymous@anonymous.invalid"));
            assert_eq!(header(&invite, "Privacy"), "id");
            let told = header(&invite, "P-Asserted-Identity").contains("+49691231077");
            assert_eq!(told, trusted, "{caller}: {invite}");
            assert!(trusted || !invite.contains("31077"), "{invite}");
            let (id, _) = (call.clone(), lab.last(callee));
            lab.of(caller).calls.get_mut(&id).unwrap().ours =
                header(&lab.message(caller, "SIP/2.0 200"), "From").to_owned();
            hang_up(lab, caller, &call);
        }
    }
}

/// RFC 3325 §8: what a peer that is not trusted asserts is worth nothing.
#[test]
fn what_an_untrusted_peer_asserts_does_not_cross() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "identity.trusted = false")]);
    let call = lab.call_edited(
        "itsp",
        DID,
        adding("P-Asserted-Identity: <sip:+4966600000@h>\r\nP-Preferred-Identity: <sip:+4966600000@h>\r\n"),
    );
    lab.run(1_000);
    assert!(!lab.message("med-1", "INVITE").contains("66600000"));
    hang_up(lab, "itsp", &call);
}

/// Headers cross by list alone: those that either peer's list names, in the INVITE
/// and in its answers.
#[test]
fn listed_headers_cross_both_ways_and_no_other_does() {
    let mut lab = Lab::with(&[("[trunk.itsp]", "headers.pass = [\"X-Carrier-Id\"]")]);
    let call = lab.call_edited(
        "itsp",
        DID,
        adding("x-carrier-id: 42\r\nX-Other: 43\r\nX-Carrier-Id: 44\r\nSubject: 45\r\n"),
    );
    lab.run(1_000);
    let invite = lab.message("med-1", "INVITE");
    let crossed: Vec<&str> = headers(&invite, "X-Carrier-Id").collect();
    assert_eq!(crossed, ["42", "44"]);
    assert!(!invite.contains("X-Other") && !invite.contains("Subject"));
    hang_up(lab, "itsp", &call);

    let mut lab = Lab::with(&[("[trunk.itsp]", "headers.pass = [\"X-Carrier-Id\"]")]);
    lab.of("itsp").answers_with = "X-Carrier-Id: 7\r\nX-Other: 8\r\n".into();
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    for start in ["SIP/2.0 180", "SIP/2.0 200"] {
        let answer = lab.message("med-1", start);
        assert_eq!(header(&answer, "X-Carrier-Id"), "7", "{answer}");
        assert!(!answer.contains("X-Other"));
    }
    hang_up(lab, "med-1", &call);
}

/// RFC 8224 §4: a signature crosses byte for byte where both borders pass it.
#[test]
fn a_signed_identity_crosses_only_where_both_sides_pass_it() {
    const SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.e30.sv7x-CG_7A;info=<https://cert.example/a.pem>;alg=ES256;ppt=shaken";
    let pass = "identity-header = \"pass\"";
    for (keys, crosses) in [
        (vec![], false),
        (vec![("[trunk.itsp]", pass)], false),
        (
            vec![("[trunk.itsp]", pass), ("[mediation.med-1]", pass)],
            true,
        ),
        (
            vec![
                ("[trunk.itsp]", pass),
                ("[trunk.itsp]", "identity.trusted = false"),
                ("[mediation.med-1]", pass),
            ],
            false,
        ),
    ] {
        let mut lab = Lab::with(&keys);
        let line = format!("Identity: {SIGNED}\r\nAllow: ");
        let call = lab.call_edited("itsp", DID, |text| text.replacen("Allow: ", &line, 1));
        lab.run(1_000);
        let invite = lab.message("med-1", "INVITE");
        let told = headers(&invite, "Identity").next();
        assert_eq!(told, crosses.then_some(SIGNED), "{keys:?}");
        hang_up(lab, "itsp", &call);
    }
}

/// RFC 3326 §2, RFC 6432: a cause crosses in BYE, in CANCEL and in a refusal.
#[test]
fn causes_cross_both_ways_in_requests_and_responses() {
    for (who, other) in [("itsp", "med-1"), ("med-1", "itsp")] {
        let mut lab = Lab::new();
        let call = lab.call("itsp", DID);
        lab.run(1_000);
        let id = if who == "itsp" {
            call
        } else {
            lab.last("med-1").0
        };
        let now = lab.now;
        let said = "Reason: Q.850;cause=38;text=\"10.20.120.2\", SIP;cause=480\r\n";
        lab.of(who).request(now, &id, "BYE", said, None);
        lab.collect();
        lab.run(500);
        let bye = lab.message(other, "BYE");
        let told: Vec<&str> = headers(&bye, "Reason").collect();
        assert_eq!(told, ["Q.850;cause=38", "SIP;cause=480"], "{bye}");
        lab.assert_nothing_left();
    }

    let mut lab = Lab::new();
    lab.habit("med-1", Habit::Ring);
    let call = lab.call("itsp", DID);
    lab.run(500);
    lab.cancel_with(
        "itsp",
        &call,
        "Reason: SIP;cause=200;text=\"elsewhere\"\r\n",
    );
    lab.run(500);
    assert_eq!(
        header(&lab.message("med-1", "CANCEL"), "Reason"),
        "SIP;cause=200"
    );
    lab.assert_nothing_left();

    let mut lab = Lab::new();
    lab.habit(
        "itsp",
        Habit::Refuse(404, "Reason: Q.850;cause=22\r\n".into()),
    );
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "404");
    let refusal = lab.message("med-1", "SIP/2.0 404");
    assert_eq!(header(&refusal, "Reason"), "Q.850;cause=22");
    lab.assert_nothing_left();
}

#[test]
fn a_peer_that_wants_no_causes_gets_none() {
    let mut lab = Lab::with(&[("[mediation.med-1]", "headers.reason = false")]);
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    let (id, _) = lab.last("itsp");
    let now = lab.now;
    lab.of("itsp")
        .request(now, &id, "BYE", "Reason: Q.850;cause=38\r\n", None);
    lab.collect();
    lab.run(500);
    assert_eq!(header(&lab.message("med-1", "BYE"), "Reason"), "");
    let refused = lab.call("med-1", "999");
    lab.run(500);
    assert_eq!(lab.heard("med-1", &refused), ["404"]);
    assert_eq!(header(&lab.message("med-1", "SIP/2.0 404"), "Reason"), "");
    let _ = call;
    lab.assert_nothing_left();
}

/// RFC 3261 §19.1.1, §19.1.6.
#[test]
fn numbers_are_phone_users_at_the_domain_that_the_file_names() {
    let keys = [
        ("[trunk.itsp]", "headers.domain = \"corp.example\""),
        ("[mediation.med-1]", "headers.user-phone = false"),
    ];
    let mut lab = Lab::with(&keys);
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    let invite = lab.message("itsp", "INVITE");
    assert!(invite.starts_with("INVITE sip:+4930555200@corp.example;user=phone SIP/2.0"));
    for name in ["From", "To", "P-Asserted-Identity"] {
        assert!(
            header(&invite, name).contains("@corp.example;user=phone>"),
            "{invite}"
        );
    }
    hang_up(lab, "med-1", &call);
    let mut lab = Lab::with(&keys);
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    let invite = lab.message("med-1", "INVITE");
    assert!(invite.starts_with("INVITE sip:+49691231042@10.20.120.2:5068 SIP/2.0"));
    assert!(!invite.contains("user=phone"));
    hang_up(lab, "itsp", &call);
}

/// RFC 7989 §5, §7: both ends' names are in every message of the call.
#[test]
fn the_names_of_a_session_are_the_same_from_end_to_end() {
    const A: &str = "ab30317f1a784dc48ff824d0d3715d86";
    const B: &str = "47755a9de7794ba387653f2099600ef2";
    let mut lab = Lab::new();
    lab.of("med-1").answers_with = format!("Session-ID: {B};remote={A}\r\n");
    let line = format!("Session-ID: {A};remote=00000000000000000000000000000000\r\nAllow: ");
    let _ends_by_the_other =
        lab.call_edited("itsp", DID, |text| text.replacen("Allow: ", &line, 1));
    lab.run(1_000);
    lab.of("itsp").answers_with = format!("Session-ID: {A};remote={B}\r\n");
    let invite = lab.message("med-1", "INVITE");
    let nil = "0".repeat(32);
    assert_eq!(header(&invite, "Session-ID"), format!("{A};remote={nil}"));
    assert_eq!(
        header(&lab.message("itsp", "SIP/2.0 200"), "Session-ID"),
        format!("{B};remote={A}")
    );
    assert_eq!(
        header(&lab.message("med-1", "ACK"), "Session-ID"),
        format!("{A};remote={B}")
    );
    let (id, _) = lab.last("med-1");
    lab.request("med-1", &id, "BYE", None);
    lab.run(500);
    assert_eq!(
        header(&lab.message("itsp", "BYE"), "Session-ID"),
        format!("{B};remote={A}")
    );
    assert_eq!(
        header(&lab.message("med-1", "SIP/2.0 200"), "Session-ID"),
        format!("{A};remote={B}")
    );
    lab.assert_nothing_left();
}

const LOCATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence \
    xmlns=\"urn:ietf:params:xml:ns:pidf\">\n --part-0000 \u{e9}\t</presence>\r\n\r\n";

fn with_location(text: &str) -> String {
    let sdp = body(text).to_owned();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    let head = head.replace("application/sdp", "multipart/mixed;boundary=\"b 7\"");
    let head = head.replacen(
        "Allow: ",
        "Geolocation: <cid:target123@corp.example>, <https://lis.corp.example/7>\r\n\
         Geolocation: <cid:gone@corp.example>\r\nGeolocation-Routing: yes\r\nPriority: emergency\r\nAllow: ",
        1,
    );
    format!(
        "{head}\r\n\r\n--b 7\r\nContent-Type: application/pidf+xml\r\nContent-ID: <target123@corp.example>\r\n\
         Content-Disposition: by-reference;handling=optional\r\n\r\n{LOCATION}\r\n--b 7\r\n\
         Content-Type: application/sdp\r\n\r\n{sdp}\r\n--b 7\r\nContent-Type: text/plain\r\n\r\ninside\r\n--b 7--\r\n"
    )
}

/// Flow 14 of the manual (RFC 6442 §4.1, RFC 4119, RFC 5621 §3.1, RFC 2046 §5.1.1): the call for
/// help is admitted at a full trunk, its location is byte for byte what it was, and
/// every trunk is tried.
#[test]
fn flow_14_a_call_for_help_carries_its_location_to_every_trunk_although_all_are_full() {
    let mut lab = Lab::new();
    lab.habit("itsp-b", Habit::Answer(50));
    let filled: Vec<String> = (0..4)
        .map(|_| {
            let call = lab.call("itsp-b", "+49401231042");
            lab.run(500);
            call
        })
        .collect();
    lab.habit("itsp-b", Habit::Refuse(486, String::new()));
    let call = lab.call_edited("med-1", "112", |text| with_location(&text));
    lab.run(3_000);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "200");
    for name in ["itsp-b", "itsp"] {
        let invite = lab.message(name, "INVITE");
        let kind = header(&invite, "Content-Type").to_owned();
        assert!(kind.starts_with("multipart/mixed;boundary="), "{kind}");
        assert!(!kind.contains("b 7"));
        let part = format!(
            "Content-Type: application/pidf+xml\r\nContent-ID: <target123@corp.example>\r\n\
             Content-Disposition: by-reference;handling=optional\r\n\r\n{LOCATION}\r\n--"
        );
        assert!(invite.contains(&part), "{invite}");
        assert!(!invite.contains("inside"), "{invite}");
        let told: Vec<&str> = headers(&invite, "Geolocation").collect();
        assert_eq!(
            told,
            [
                "<cid:target123@corp.example>",
                "<https://lis.corp.example/7>"
            ]
        );
        assert_eq!(header(&invite, "Geolocation-Routing"), "yes");
        assert_eq!(header(&invite, "Priority"), "emergency");
    }
    lab.request("med-1", &call, "BYE", None);
    for call in filled {
        if !lab.of("itsp-b").calls[&call].ended {
            lab.request("itsp-b", &call, "BYE", None);
        }
        lab.run(10);
    }
    lab.assert_nothing_left();
}

#[test]
fn a_location_is_kept_from_a_trunk_that_strips_it_and_from_every_other_call() {
    for (number, trunk) in [("112", "itsp-b"), (OUT, "itsp")] {
        let mut lab = Lab::with(&[("[trunk.itsp-b]", "emergency-location = \"strip\"")]);
        let call = lab.call_edited("med-1", number, |text| with_location(&text));
        lab.run(1_000);
        let invite = lab.message(trunk, "INVITE");
        assert_eq!(header(&invite, "Content-Type"), "application/sdp");
        assert!(
            !invite.contains("Geolocation") && !invite.contains("pidf"),
            "{invite}"
        );
        assert_eq!(
            header(&invite, "Priority") == "emergency",
            number == "112",
            "{invite}"
        );
        hang_up(lab, "med-1", &call);
    }
}

#[test]
fn a_caller_for_help_without_a_number_of_ours_is_called_back_at_the_number_of_the_file() {
    let mut lab = Lab::with(&[("[emergency]", "callback = \"+49691234000\"")]);
    let call = lab.call("med-1", "112");
    lab.run(1_000);
    let invite = lab.message("itsp-b", "INVITE");
    for name in ["From", "P-Asserted-Identity"] {
        assert!(
            header(&invite, name).contains("sip:+49691234000@"),
            "{invite}"
        );
    }
    hang_up(lab, "med-1", &call);
}

#[test]
fn a_site_that_is_full_takes_no_further_call_but_one_for_help() {
    let keys = [
        ("[mediation.med-1]", "site = \"fra\""),
        ("[mediation.med-2]", "site = \"fra\""),
    ];
    let mut lab = Lab::with_tables(&keys, "\n[site.fra]\nmax-simultaneous-calls = 2\n");
    let calls: Vec<String> = (0..2)
        .map(|_| {
            let call = lab.call("itsp", DID);
            lab.run(500);
            call
        })
        .collect();
    let third = lab.call("itsp", DID);
    lab.run(500);
    assert_eq!(lab.heard("itsp", &third).last().unwrap(), "503");
    let out = lab.call("med-2", OUT);
    lab.run(500);
    assert_eq!(lab.heard("med-2", &out).last().unwrap(), "503");
    let help = lab.call("med-2", "112");
    lab.run(500);
    assert_eq!(lab.heard("med-2", &help).last().unwrap(), "200");
    lab.request("med-2", &help, "BYE", None);
    for call in calls {
        lab.request("itsp", &call, "BYE", None);
    }
    lab.assert_nothing_left();
}
