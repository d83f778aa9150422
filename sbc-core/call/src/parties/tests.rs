//! Identities of one side come in, what the other side is told is compared.

use sbc_config::{Name, Peer, PeerName};
use sbc_sip::message::{NameAddr, Uri};

use super::{Caller, number};

const FILE: &str = include_str!("../tests/node.toml");

fn peer(name: &str, keys: &str) -> Peer {
    let text = FILE.replace(
        "max-simultaneous-calls = 3",
        &alloc::format!("max-simultaneous-calls = 3\n{keys}"),
    );
    let checked = sbc_config::check(&text);
    let node = checked
        .node
        .unwrap_or_else(|| panic!("{:?}", checked.problems));
    let name = Name::new(name).unwrap();
    let trunk = node.peer(&PeerName::Trunk(name.clone()));
    trunk
        .or_else(|| node.peer(&PeerName::Mediation(name)))
        .unwrap()
        .clone()
}

fn caller(from: &str, asserted: Option<&str>, privacy: bool) -> Caller {
    let from = NameAddr::parse(from).unwrap();
    let asserted = asserted.map(|text| NameAddr::parse(text).unwrap());
    Caller::new(&peer("med-1", ""), &from, asserted.as_ref(), privacy)
}

/// RFC 3966 §5.1.1: visual separators say nothing.
#[test]
fn separators_and_user_parameters_are_left_out_of_a_number() {
    let of = |text| number(&Uri::parse(text).unwrap());
    assert_eq!(of("tel:+1-201-555-0123").as_deref(), Some("+12015550123"));
    assert_eq!(
        of("sip:+49(69)123.42@a.example").as_deref(),
        Some("+496912342")
    );
    assert_eq!(
        of("sip:0208;phone-context=Site@a.example").as_deref(),
        Some("0208")
    );
    assert_eq!(of("sip:alice@a.example").as_deref(), Some("alice"));
    assert_eq!(of("sip:a.example"), None);
    assert_eq!(of("urn:service:sos"), None);
    assert_eq!(
        of(&alloc::format!("sip:{}@a.example", "1".repeat(65))),
        None
    );
}

/// RFC 3323 §4.1.1.3: nobody's From; RFC 3325 §9.1: who vouches is another matter.
#[test]
fn an_anonymous_caller_stays_anonymous() {
    let hidden = caller(
        "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
        Some("<sip:+49691231042@corp.example>"),
        false,
    );
    let told = hidden.told(&peer("itsp", ""), None);
    assert_eq!((told.from, told.display), (None, None));
    assert_eq!(told.pai.as_deref(), Some("+49691231042"));
    assert!(told.private);
    let outside = hidden.told(&peer("itsp", "identity.trusted = false"), None);
    assert_eq!((outside.from, outside.pai), (None, None));
    let asked = caller("<sip:+49691231042@corp.example>", None, true);
    assert_eq!(asked.told(&peer("itsp", ""), None).from, None);
}

/// RFC 3323 §4.1, RFC 3325 §9.1.
#[test]
fn a_peer_that_is_not_trusted_asserts_nothing() {
    let from = NameAddr::parse("<sip:+4930555100@carrier.example>").unwrap();
    let asserted = NameAddr::parse("<sip:+4930555199@carrier.example>").unwrap();
    let trusted = Caller::new(&peer("itsp", ""), &from, Some(&asserted), false);
    assert_eq!(trusted.asserted.as_deref(), Some("+4930555199"));
    let other = peer("itsp", "identity.trusted = false");
    let untrusted = Caller::new(&other, &from, Some(&asserted), false);
    assert_eq!(untrusted.asserted, None);
}

/// A carrier refuses callers that are not its customer's: the own number vouches.
#[test]
fn a_forwarded_outside_caller_is_vouched_for_by_the_own_number() {
    let outside = caller("\"Eve\" <sip:+4930555100@corp.example>", None, false);
    let told = outside.told(&peer("itsp", ""), Some("+49691231042"));
    assert_eq!(told.from.as_deref(), Some("+4930555100"));
    assert_eq!(told.pai.as_deref(), Some("+49691231042"));
    let unknown = outside.told(&peer("itsp", ""), Some("+33144556677"));
    assert_eq!(unknown.pai.as_deref(), Some("+49691234000"));
}

#[test]
fn the_pilot_stands_for_everybody_where_the_file_says_so() {
    let inside = caller("<sip:+49691231042@corp.example>", None, false);
    let told = inside.told(&peer("itsp", "identity.from = \"pilot\""), None);
    assert_eq!(told.from.as_deref(), Some("+49691234000"));
}
