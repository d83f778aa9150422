//! Calls that the called side sends elsewhere.

use sbc_tests::kit::sip::header;

use crate::lab::Lab;
use crate::persona::{Habit, Persona};

const DID: &str = "+49691231042";
const OUT: &str = "+4930555200";
/// Where the personas are.
const ITSP: &str = "172.20.31.1:5060";
const ITSP_B: &str = "172.20.32.1:5060;transport=tcp";

/// The numbers that INVITEs to `persona` had, in order.
fn called(persona: &Persona) -> Vec<String> {
    let invites = persona.log.iter().filter(|text| text.starts_with("INVITE"));
    let user = |text: &String| text[11..].split('@').next().unwrap().to_owned();
    invites.map(user).collect()
}

/// A call out, which `name` sends elsewhere by these Contacts.
fn redirected(mut lab: Lab, name: &str, contacts: &str) -> (Lab, String) {
    lab.habit(name, Habit::Refuse(302, format!("{contacts}\r\n")));
    let call = lab.call("med-1", OUT);
    lab.run(1_000);
    (lab, call)
}

fn hang_up(mut lab: Lab, call: &str) {
    assert_eq!(lab.heard("med-1", call).last().unwrap(), "200");
    lab.request("med-1", call, "BYE", None);
    lab.assert_nothing_left();
}

/// RFC 3261 §8.1.3.4, §21.3.3: the URI of the Contact is what is called.
#[test]
fn a_redirection_to_another_peer_is_called_with_the_number_it_names() {
    let contact = format!("Contact: <sip:+4969999@{ITSP_B}>");
    let (mut lab, call) = redirected(Lab::new(), "itsp", &contact);
    let invite = lab.message("itsp-b", "INVITE");
    assert_eq!(called(lab.of("itsp-b")), ["+4969999"]);
    assert!(header(&invite, "To").starts_with("<sip:+4969999@"));
    hang_up(lab, &call);
}

#[test]
fn a_redirection_to_another_number_of_the_same_peer_is_followed() {
    let contact = format!("Contact: <sip:+4969999@{ITSP}>");
    let mut lab = Lab::new();
    lab.habit("itsp", Habit::Refuse(302, format!("{contact}\r\n")));
    let call = lab.call("med-1", OUT);
    lab.run(8);
    lab.habit("itsp", Habit::AnswerAtOnce);
    lab.run(1_000);
    assert_eq!(called(lab.of("itsp")), [OUT, "+4969999"]);
    hang_up(lab, &call);
}

/// A peer that names what was called already has said no.
#[test]
fn a_redirection_that_goes_in_a_circle_ends() {
    let contact = format!("Contact: <sip:{OUT}@{ITSP}>, <sip:{ITSP}>");
    let (mut lab, call) = redirected(Lab::new(), "itsp", &contact);
    assert_eq!(called(lab.of("itsp")), [OUT]);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "480");
    lab.assert_nothing_left();
    let contact = format!("Contact: <sip:+4969999@{ITSP}>");
    let (mut lab, call) = redirected(Lab::new(), "itsp", &contact);
    assert_eq!(called(lab.of("itsp")), [OUT, "+4969999"]);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "480");
    lab.assert_nothing_left();
}

/// A peer that names a new number each time is followed five times.
#[test]
fn a_redirection_without_end_ends() {
    let mut lab = Lab::new();
    let call = lab.call("med-1", OUT);
    for number in 0..20 {
        let contact = format!("Contact: <sip:+49699{number}@{ITSP}>\r\n");
        lab.habit("itsp", Habit::Refuse(302, contact));
        lab.run(6);
    }
    lab.run(1_000);
    assert_eq!(called(lab.of("itsp")).len(), 1 + 5);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "480");
    lab.assert_nothing_left();
}

/// RFC 3261 §8.1.3.4: the greatest q first; none is the greatest.
#[test]
fn a_redirection_to_many_is_followed_in_the_order_of_preference() {
    let contacts = format!(
        "Contact: <sip:+491@{ITSP_B}>;q=0.2, <sip:+492@{ITSP_B}>;q=0.75\r\n\
         Contact: <sip:+493@{ITSP_B}>;q=0, <sip:+494@{ITSP_B}>, <sip:+492@{ITSP_B}>"
    );
    let mut lab = Lab::new();
    lab.habit("itsp-b", Habit::Refuse(503, String::new()));
    let (mut lab, call) = redirected(lab, "itsp", &contacts);
    assert_eq!(called(lab.of("itsp-b")), ["+494", "+492", "+491", "+493"]);
    assert_eq!(lab.heard("med-1", &call).last().unwrap(), "503");
    lab.assert_nothing_left();
}

#[test]
fn the_number_of_a_redirection_is_written_as_the_new_peer_wants_it() {
    let tables = "\n[numbers.a]\nfrom-trunk = ['0(\\d+) -> +49$1']\n\
        \n[numbers.b]\nto-trunk = ['\\+49(\\d+) -> 0049$1']\n";
    let keys = [
        ("[trunk.itsp]", "numbers = \"a\""),
        ("[trunk.itsp-b]", "numbers = \"b\""),
    ];
    let lab = Lab::with_tables(&keys, tables);
    let (mut lab, call) = redirected(lab, "itsp", &format!("Contact: <sip:069999@{ITSP_B}>"));
    assert_eq!(called(lab.of("itsp-b")), ["004969999"]);
    hang_up(lab, &call);
}

/// A Contact without a user says where, not whom.
#[test]
fn a_redirection_without_a_number_keeps_the_one_that_was_called() {
    let (mut lab, call) = redirected(Lab::new(), "itsp", &format!("Contact: <sip:{ITSP_B}>"));
    assert_eq!(called(lab.of("itsp-b")), [OUT]);
    hang_up(lab, &call);
}

#[test]
fn a_redirection_of_a_peer_that_may_not_redirect_is_480() {
    let mut lab = Lab::with(&[("[mediation.med-1]", "redirect = \"refuse\"")]);
    lab.habit(
        "med-1",
        Habit::Refuse(302, "Contact: <sip:+491@10.20.121.2:5068>\r\n".into()),
    );
    let call = lab.call("itsp", DID);
    lab.run(1_000);
    assert_eq!(lab.heard("itsp", &call).last().unwrap(), "480");
    assert_eq!(lab.reached("med-2"), 0);
    lab.assert_nothing_left();
}

/// The first trunk for help names a number that it does not answer itself: the other
/// trunk is called with what was dialled.
#[test]
fn a_call_for_help_that_is_redirected_in_vain_is_offered_to_the_other_trunk() {
    let tables =
        "\n[numbers.b]\nto-trunk = ['(\\d+) -> +49$1']\nfrom-trunk = ['0(\\d+) -> +49$1']\n";
    let mut lab = Lab::with_tables(&[("[trunk.itsp-b]", "numbers = \"b\"")], tables);
    let contact = format!("Contact: <sip:0691110@{ITSP_B}>\r\n");
    lab.habit("itsp-b", Habit::Refuse(302, contact));
    let call = lab.call("med-1", "112");
    lab.run(1_000);
    assert_eq!(called(lab.of("itsp-b")), ["112", "0691110"]);
    assert_eq!(called(lab.of("itsp")), ["112"]);
    hang_up(lab, &call);
}
