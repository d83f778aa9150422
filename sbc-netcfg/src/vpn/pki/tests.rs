//! Files of certificates, good and bad, at several moments (RFC 5280 §4.1.2.5,
//! RFC 5280 §4.2.1.9, RFC 5280 §4.2.1.6). The two certificates were made with
//! openssl on the day they begin; their keys are gone.

use std::time::Duration;

use super::{Chain, Unusable, apart, date};

const CA: &str = include_str!("ca.pem");
const LEAF: &str = include_str!("leaf.pem");

/// 2030-01-01.
const NOW: Duration = Duration::from_secs(1_893_456_000);

#[test]
fn a_chain_has_its_certificates_in_order_a_name_and_an_end() {
    let text = format!("Bag Attributes\n{LEAF}\n{CA}");
    let chain = Chain::own("pki/node.pem", text.as_bytes(), NOW).unwrap();
    assert_eq!(chain.pem.len(), 2);
    assert_eq!(chain.pem[0].trim(), LEAF.trim());
    assert_eq!(chain.host.as_deref(), Some("sbc.example"));
    assert_eq!(date(chain.until), "2036-11-22");
    let authority = Chain::authority("pki/ca.pem", CA.as_bytes(), NOW).unwrap();
    assert_eq!(authority.pem.len(), 1);
    assert_eq!(authority.host, None);
}

#[test]
fn a_certificate_outside_its_time_is_refused_with_the_day() {
    let at = |days: u64| Duration::from_secs(days * 86_400);
    let late = Chain::own("pki/node.pem", LEAF.as_bytes(), at(25_000)).unwrap_err();
    assert_eq!(late.to_string(), "pki/node.pem ended on 2036-11-22");
    let early = Chain::own("pki/node.pem", LEAF.as_bytes(), at(1)).unwrap_err();
    let told = "pki/node.pem begins on 2026-11-25, and the clock says 1970-01-02";
    assert_eq!(early.to_string(), told);
    assert_eq!((late.code(), early.code()), ("SBC-2201", "SBC-2201"));
    let noon = Duration::from_secs(43_200);
    let told = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    let (one, other) = ("1970-01-02 12:00:00 UTC", "1970-01-02 00:00:00 UTC");
    assert_eq!(apart(at(1) + noon, at(1)), told(one, other));
    assert_eq!(apart(at(2), at(1)), told("1970-01-03", "1970-01-02"));
}

#[test]
fn who_may_not_sign_is_no_authority() {
    let found = Chain::authority("pki/ca.pem", LEAF.as_bytes(), NOW).unwrap_err();
    assert_eq!(found, Unusable::NoAuthority("pki/ca.pem".to_owned()));
    assert_eq!(found.code(), "SBC-2204");
}

#[test]
fn what_is_no_certificate_is_refused_whatever_it_is() {
    let cut = LEAF.replace("-----END", "-----OUT");
    let spoilt = LEAF.replacen("MII", "MIJ", 1);
    let many = LEAF.repeat(9);
    for octets in ["", "hunter2", &cut, &spoilt, &many] {
        let found = Chain::own("pki/node.pem", octets.as_bytes(), NOW).unwrap_err();
        assert_eq!(found.code(), "SBC-2202", "{octets}");
        assert!(!found.to_string().contains("hunter2"));
    }
    assert!(Chain::own("pki/node.pem", &[0xff; 20_000], NOW).is_err());
}
