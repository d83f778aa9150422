//! Keys, requests and certificates that arrive (RFC 2986 §4, RFC 4514 §3,
//! RFC 5480 §2.1.1.1, RFC 4055 §3.1, RFC 4945 §5.1.3, RFC 7468 §2, RFC 1035 §2.3.4,
//! RFC 5280 §4.1, RFC 5280 §4.1.1.3, RFC 5280 §4.1.2, RFC 5280 §4.2.1.3,
//! RFC 5280 §4.2.1.6, RFC 5280 §4.2.1.12, RFC 5280 §6.1); openssl judges them in the
//! tests of the console.

use std::time::Duration;

use super::{Key, NoRequest, Wish, authorities, own, public_of, read};

const CA: &str = include_str!("../vpn/pki/ca.pem");
const LEAF: &str = include_str!("../vpn/pki/leaf.pem");

/// 2030-01-01.
const NOW: Duration = Duration::from_secs(1_893_456_000);

fn wish(subject: &str, names: &[&str]) -> Wish {
    Wish {
        subject: subject.to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn a_key_is_read_again_and_never_printed() {
    let (_, secret) = Key::generate().unwrap();
    let text = std::str::from_utf8(secret.reveal()).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(Key::read(secret.reveal()).is_ok());
    assert_eq!(public_of(secret.reveal()).unwrap().len(), 65);
    let (key, _) = Key::generate().unwrap();
    assert!(!format!("{key:?} {secret:?}").contains(text.lines().nth(1).unwrap()));
    assert!(Key::read(LEAF.as_bytes()).is_err() && public_of(b"hunter2").is_none());
}

#[test]
fn a_request_needs_a_subject_and_names_that_could_be_ones() {
    let (key, _) = Key::generate().unwrap();
    let made = wish(
        "CN=sbc.example, O=Lab\\, Inc.",
        &["sbc.example", "2001:db8::1"],
    );
    let made = made.request(&key).unwrap();
    assert!(made.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    let long = "x".repeat(300);
    for subject in [
        "",
        "sbc",
        "CN=",
        "NO=x",
        "CN=a\nb",
        "C=\u{fc}",
        long.as_str(),
    ] {
        let why = wish(subject, &[]).request(&key).unwrap_err();
        assert!(matches!(why, NoRequest::BadSubject(_)), "{subject}");
    }
    let long = format!("{}.example", "x".repeat(64));
    for name in [
        "",
        "a b",
        "*.example",
        "-a.example",
        "10.0.0.256",
        long.as_str(),
    ] {
        let why = wish("CN=a", &[name]).request(&key).unwrap_err();
        assert!(matches!(why, NoRequest::BadName(_)), "{name}");
    }
    let why = wish("CN=a", &["a"; 17]).request(&key).unwrap_err();
    assert_eq!(why, NoRequest::TooMany);
}

#[test]
fn a_chain_is_taken_by_its_key_and_in_its_order_alone() {
    let key = read(LEAF.as_bytes()).remove(0).public;
    let pasted = format!("Subject: us\n{LEAF}\n{CA}").replace('\n', "  \n");
    let arrived = own(&pasted, &[vec![1], key.clone()], NOW).unwrap();
    assert_eq!((arrived.key, arrived.all.len()), (1, 2));
    assert_eq!(arrived.pem, format!("{LEAF}{CA}"));
    let codes = |text: &str, keys: &[Vec<u8>], now| -> Vec<&str> {
        let faults = own(text, keys, now).unwrap_err();
        faults.iter().map(|fault| fault.code).collect()
    };
    assert_eq!(codes(LEAF, &[], NOW), ["SBC-2203"]);
    let turned = format!("{CA}{LEAF}");
    assert!(codes(&turned, std::slice::from_ref(&key), NOW).contains(&"SBC-2209"));
    let late = Duration::from_secs(25_000 * 86_400);
    assert_eq!(codes(LEAF, &[vec![1]], late), ["SBC-2201", "SBC-2203"]);
}

#[test]
fn an_authority_must_be_one() {
    assert_eq!(authorities(CA, NOW).unwrap().all.len(), 1);
    let faults = authorities(&format!("{CA}{LEAF}"), NOW).unwrap_err();
    assert_eq!((faults.len(), faults[0].code), (1, "SBC-2204"));
}
