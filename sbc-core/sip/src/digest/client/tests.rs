//! Digest: the vectors of the RFCs, then what may never happen.

use alloc::{format, string::ToString};

use super::super::{Algorithm, BadCredentials};
use super::*;
use crate::{
    message::{Method, Uri},
    wire::Name,
};

const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

/// A peer and a leg, as the caller names them.
type Bound = (&'static str, u8);
const TRUNK: Bound = ("198.51.100.7", 1);

fn only(line: &str) -> Challenge {
    let mut found = read(line);
    assert_eq!(found.len(), 1, "{line}");
    found.remove(0).unwrap()
}

fn client() -> Client<Bound> {
    Client::new(
        Credentials::new("carrier.example", "4940", "pw").unwrap(),
        TRUNK,
    )
}

fn asks(algorithm: &str, nonce: &str, more: &str) -> String {
    format!(
        "Digest realm=\"carrier.example\", nonce=\"{nonce}\", qop=\"auth\", algorithm={algorithm}{more}"
    )
}

fn challenge(client: &mut Client<Bound>, attempt: &mut Attempt, line: &str) -> Result<(), Refused> {
    client.challenged(attempt, &TRUNK, Side::Server, [line])
}

fn send(client: &mut Client<Bound>, attempt: &mut Attempt) -> Vec<Answer> {
    client.authorize(
        attempt,
        &TRUNK,
        "INVITE",
        "sip:+15551230042@carrier.example",
        0x0a4f_113b,
    )
}

fn vector(algorithm: &str) -> String {
    let line = format!(
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
         nonce=\"{NONCE}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    );
    let credentials =
        Credentials::new("http-auth@example.org", "Mufasa", "Circle of Life").unwrap();
    Proof {
        credentials: &credentials,
        challenge: &only(&line),
        method: "GET",
        uri: "/dir/index.html",
        count: 1,
        cnonce: CNONCE,
    }
    .value()
}

/// RFC 7616 §3.4.1 and §3.9.1, the MD5 answer.
#[test]
fn the_md5_example_of_rfc_7616_comes_out() {
    assert_eq!(
        vector("MD5"),
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
         response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, nc=00000001, \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    );
}

/// RFC 7616 §3.9.1, the SHA-256 answer; RFC 8760 §2.1.
#[test]
fn the_sha_256_example_of_rfc_7616_comes_out() {
    let value = vector("SHA-256");
    let response = "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
    assert!(value.contains(response), "{value}");
    assert!(value.contains("algorithm=SHA-256,"), "{value}");
}

/// RFC 7616 §3.4.2 and §3.4.3: no RFC prints these; the values were computed
/// with another implementation of the hashes.
#[test]
fn session_keys_and_sha_512_256_agree_with_another_implementation() {
    for (algorithm, response) in [
        ("MD5-sess", "e783283f46242139c486a698fec7211d"),
        (
            "SHA-256-sess",
            "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
        ),
        (
            "SHA-512-256",
            "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
        ),
        (
            "SHA-512-256-sess",
            "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e",
        ),
    ] {
        let value = vector(algorithm);
        assert!(
            value.contains(&format!("response=\"{response}\"")),
            "{algorithm}: {value}"
        );
        assert!(
            value.contains(&format!("algorithm={algorithm},")),
            "{value}"
        );
    }
}

/// RFC 2617 §3.5, and §3.2.2.1 for a challenge without qop.
#[test]
fn the_example_of_rfc_2617_comes_out_with_and_without_qop() {
    let credentials = Credentials::new("testrealm@host.com", "Mufasa", "Circle Of Life").unwrap();
    let common =
        "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let value = |line: &str| {
        Proof {
            credentials: &credentials,
            challenge: &only(line),
            method: "GET",
            uri: "/dir/index.html",
            count: 1,
            cnonce: "0a4f113b",
        }
        .value()
    };
    let with = value(&format!("{common}, qop=\"auth,auth-int\""));
    assert!(
        with.contains("response=\"6629fae49393a05397450978507c4ef1\""),
        "{with}"
    );
    assert_eq!(
        value(common),
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
         response=\"670fd8c2df070c60b045671b8b24ff02\""
    );
}

/// RFC 8760 §2.4: several challenges; the strongest wins wherever it stands.
#[test]
fn the_strongest_challenge_is_answered_whatever_the_order() {
    let (md5, sha) = (asks("MD5", "weak", ""), asks("SHA-256", "strong", ""));
    let unknown = asks("SHA3-999", "odd", "");
    for lines in [
        [&md5, &sha, &unknown],
        [&sha, &unknown, &md5],
        [&unknown, &md5, &sha],
    ] {
        let (mut client, mut attempt) = (client(), Attempt::default());
        let lines = lines.map(String::as_str);
        client
            .challenged(&mut attempt, &TRUNK, Side::Proxy, lines)
            .unwrap();
        let answers = send(&mut client, &mut attempt);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].side, Side::Proxy);
        assert!(answers[0].value.contains("nonce=\"strong\""), "{answers:?}");
    }
}

/// RFC 3261 §25.1 allows any scheme; RFC 4475 §3.3.7 sends an unknown one.
#[test]
fn unknown_schemes_are_passed_over_and_a_list_on_one_line_is_read() {
    let line = "NoOneKnowsThisScheme opaque-data=here, NTLM dG9rZW4=, \
                Digest realm=\"a, b\", nonce=\"n\" , qop = \"auth-int , auth\", Basic realm=\"x\"";
    let found = read(line);
    assert_eq!(found[0], Err(Unusable::Scheme));
    assert_eq!(found[1], Err(Unusable::Scheme));
    let digest = found[2].as_ref().unwrap();
    assert_eq!((&*digest.realm, digest.qop), ("a, b", Qop::Auth));
    assert_eq!(found[3], Err(Unusable::Scheme));
    let (mut client, mut attempt) = (client(), Attempt::default());
    let refused = challenge(
        &mut client,
        &mut attempt,
        "NoOneKnowsThisScheme opaque-data=here",
    );
    assert_eq!(refused, Err(Refused::Unusable(Unusable::Scheme)));
    assert_eq!(send(&mut client, &mut attempt), []);
}

/// RFC 7616 §3.3, RFC 3261 §22.4.
#[test]
fn each_unusable_challenge_says_why() {
    let usual = "realm=\"r\", nonce=\"n\"";
    for (line, reason) in [
        ("Digest realm=\"r\"".to_string(), Unusable::Malformed),
        ("Digest nonce=\"n\"".to_string(), Unusable::Malformed),
        ("Digest".to_string(), Unusable::Malformed),
        ("realm=\"r\", nonce=\"n\"".to_string(), Unusable::Malformed),
        (format!("Digest {usual}, realm=\"s\""), Unusable::Malformed),
        (
            format!("Digest {usual}, opaque=\"unterminated"),
            Unusable::Malformed,
        ),
        (
            format!("Digest {usual}, opaque=\"a\"b\""),
            Unusable::Malformed,
        ),
        (
            format!("Digest {usual}, opaque=\"a\\\0b\""),
            Unusable::Malformed,
        ),
        (
            format!("Digest {usual}, opaque=\"{}\"", "x".repeat(1_025)),
            Unusable::Malformed,
        ),
        (
            format!("Digest {usual}, algorithm=SHA-1"),
            Unusable::Algorithm,
        ),
        (format!("Digest {usual}, qop=\"auth-int\""), Unusable::Qop),
        (format!("Digest {usual}, qop=\"\""), Unusable::Qop),
        (
            format!("Digest {usual}, algorithm=MD5-sess"),
            Unusable::SessionWithoutQop,
        ),
    ] {
        assert_eq!(read(&line), [Err(reason)], "{line}");
    }
    assert_eq!(
        read(&"Digest realm=\"r\", nonce=\"n\", ".repeat(40)).len(),
        16
    );
    assert_eq!(read(""), []);
}

#[test]
fn names_and_tokens_are_read_in_any_case_and_values_keep_theirs() {
    let found = only("dIGEST REALM=\"R\",NONCE=\"N\",Algorithm=\"sha-256\",QOP=AUTH,Stale=TRUE");
    assert_eq!((&*found.realm, &*found.nonce), ("R", "N"));
    assert_eq!(Some(found.algorithm), Algorithm::of("SHA-256"));
    assert!(found.stale && found.algorithm_named);
    assert_eq!(found.qop, Qop::Auth);
}

/// Seen where `qop` should be quoted: the rest of the challenge still counts.
#[test]
fn a_qop_list_without_quotes_is_read() {
    let found = only("Digest realm=\"r\", nonce=\"n\", qop=auth,auth-int, algorithm=SHA-256");
    assert_eq!(found.qop, Qop::Auth);
    assert_eq!(Some(found.algorithm), Algorithm::of("SHA-256"));
}

/// Every octet of a line replaced in turn: an answer or a reason, no panic.
#[test]
fn a_spoilt_challenge_is_read_or_refused() {
    let line = format!(
        "NTLM abc=, {}",
        asks("SHA-256", "n", ", stale=true, opaque=\"\\\"\"")
    );
    let mut refused = 0;
    for at in 0..line.len() {
        for spoilt in ["\"", "\\", ",", "=", " ", "", "é"] {
            let text = [&line[..at], spoilt, &line[at + 1..]].concat();
            let found = read(&text);
            assert!(found.len() <= 16);
            refused += usize::from(found.iter().all(Result::is_err));
        }
    }
    assert!(refused > line.len(), "{refused}");
}

/// RFC 3261 §25.1, quoted-pair: unescaped to be hashed, escaped to be written.
#[test]
fn quotes_and_backslashes_survive_both_ways() {
    let line = r#"Digest realm="r", nonce="n", opaque="\\\"\x""#;
    let credentials = Credentials::new("r", r#"a"b\c"#, "p").unwrap();
    let value = Proof {
        credentials: &credentials,
        challenge: &only(line),
        method: "INVITE",
        uri: "sip:x@y",
        count: 1,
        cnonce: "",
    }
    .value();
    assert_eq!(
        value,
        r#"Digest username="a\"b\\c", realm="r", nonce="n", uri="sip:x@y", response="f999ce78fc06ddc7c3f467faa9e7d071", opaque="\\\"x""#
    );
}

/// RFC 3261 §22.1: the credentials of one realm are shown to no other.
#[test]
fn another_realm_peer_or_leg_gets_no_answer() {
    let (mut client, mut attempt) = (client(), Attempt::default());
    let other = "Digest realm=\"carrier.example.evil\", nonce=\"n\"";
    assert_eq!(
        challenge(&mut client, &mut attempt, other),
        Err(Refused::OtherRealm)
    );
    let ours = asks("MD5", "n", "");
    for from in [("203.0.113.9", 1), ("198.51.100.7", 2)] {
        let refused = client.challenged(&mut attempt, &from, Side::Proxy, [ours.as_str()]);
        assert_eq!(refused, Err(Refused::OtherPeer));
        assert_eq!(client.authorize(&mut attempt, &from, "BYE", "sip:x", 1), []);
    }
    assert_eq!(send(&mut client, &mut attempt), []);
    challenge(&mut client, &mut attempt, &ours).unwrap();
    assert_eq!(
        client.authorize(&mut attempt, &("203.0.113.9", 1), "BYE", "sip:x", 1),
        []
    );
    assert_eq!(send(&mut client, &mut attempt).len(), 1);
}

/// RFC 3261 §22.1: rejected credentials are not tried again.
#[test]
fn a_second_challenge_is_a_rejection_unless_stale_brings_a_new_nonce() {
    for (second, verdict) in [
        (asks("MD5", "one", ""), Err(Refused::Rejected)),
        (asks("MD5", "one", ", stale=true"), Err(Refused::Rejected)),
        (asks("MD5", "two", ""), Err(Refused::Rejected)),
        (asks("MD5", "two", ", stale=false"), Err(Refused::Rejected)),
        (asks("MD5", "two", ", stale=TRUE"), Ok(())),
    ] {
        let (mut client, mut attempt) = (client(), Attempt::default());
        challenge(&mut client, &mut attempt, &asks("MD5", "one", "")).unwrap();
        assert!(
            send(&mut client, &mut attempt)[0]
                .value
                .contains("nonce=\"one\"")
        );
        assert_eq!(
            challenge(&mut client, &mut attempt, &second),
            verdict,
            "{second}"
        );
        let next = send(&mut client, &mut attempt);
        assert_eq!(next.len(), usize::from(verdict.is_ok()), "{second}");
    }
}

#[test]
fn a_kept_nonce_may_have_expired_without_a_word() {
    let (mut client, mut first) = (client(), Attempt::default());
    challenge(&mut client, &mut first, &asks("MD5", "one", "")).unwrap();
    send(&mut client, &mut first);
    let mut second = Attempt::default();
    assert!(
        send(&mut client, &mut second)[0]
            .value
            .contains("nc=00000002")
    );
    challenge(&mut client, &mut second, &asks("MD5", "two", "")).unwrap();
    let answer = &send(&mut client, &mut second)[0].value;
    assert!(
        answer.contains("nonce=\"two\"") && answer.contains("nc=00000001"),
        "{answer}"
    );
    let again = challenge(&mut client, &mut second, &asks("MD5", "three", ""));
    assert_eq!(again, Err(Refused::Rejected));
}

#[test]
fn endless_stale_challenges_end_after_four_rounds() {
    let (mut client, mut attempt) = (client(), Attempt::default());
    for round in 0..4 {
        let line = asks("MD5", &format!("nonce-{round}"), ", stale=true");
        challenge(&mut client, &mut attempt, &line).unwrap();
        assert_eq!(send(&mut client, &mut attempt).len(), 1);
    }
    let last = challenge(
        &mut client,
        &mut attempt,
        &asks("MD5", "last", ", stale=true"),
    );
    assert_eq!(last, Err(Refused::TooManyRounds));
}

#[test]
fn a_retry_is_never_weaker_than_what_was_answered() {
    let (mut client, mut attempt) = (client(), Attempt::default());
    challenge(&mut client, &mut attempt, &asks("SHA-256", "one", "")).unwrap();
    send(&mut client, &mut attempt);
    let weaker = challenge(
        &mut client,
        &mut attempt,
        &asks("MD5", "two", ", stale=true"),
    );
    assert_eq!(
        weaker,
        Err(Refused::Downgrade {
            answered: Hash::Sha256,
            asked: Hash::Md5
        })
    );
    assert_eq!(send(&mut client, &mut attempt), []);
}

/// RFC 7616 §3.4: `nc` is eight hexadecimal digits and counts requests.
#[test]
fn the_nonce_count_is_hexadecimal_and_starts_again_with_a_new_nonce() {
    let mut client = client();
    challenge(
        &mut client,
        &mut Attempt::default(),
        &asks("MD5", "one", ""),
    )
    .unwrap();
    let last = (0..16)
        .map(|_| send(&mut client, &mut Attempt::default()))
        .last()
        .unwrap();
    assert!(last[0].value.contains("nc=00000010"), "{last:?}");
    client.kept[0].count = u32::MAX;
    assert_eq!(send(&mut client, &mut Attempt::default()), []);
}

/// RFC 7616 §3.4.2: a session key is made once and kept with its nonce.
#[test]
fn a_session_algorithm_keeps_its_client_nonce() {
    let mut client = client();
    challenge(
        &mut client,
        &mut Attempt::default(),
        &asks("SHA-256-sess", "one", ""),
    )
    .unwrap();
    for random in [1, 2] {
        let attempt = &mut Attempt::default();
        let answers = client.authorize(attempt, &TRUNK, "BYE", "sip:x", random);
        assert!(
            answers[0].value.contains("cnonce=\"0000000000000001\""),
            "{answers:?}"
        );
    }
}

/// RFC 3261 §22.2 and §22.3: a server and a proxy may both ask.
#[test]
fn proxy_and_server_are_answered_side_by_side() {
    let (mut client, mut attempt) = (client(), Attempt::default());
    let (proxy, server) = (asks("MD5", "p", ""), asks("SHA-256", "s", ""));
    client
        .challenged(&mut attempt, &TRUNK, Side::Proxy, [proxy.as_str()])
        .unwrap();
    send(&mut client, &mut attempt);
    challenge(&mut client, &mut attempt, &server).unwrap();
    let sides: Vec<_> = send(&mut client, &mut attempt)
        .iter()
        .map(|answer| answer.side)
        .collect();
    assert_eq!(sides, [Side::Proxy, Side::Server]);
    assert_eq!(Side::of(401), Some(Side::Server));
    assert_eq!(Side::of(407), Some(Side::Proxy));
    assert_eq!(Side::of(403), None);
    assert_eq!(Side::Proxy.header(), Name::ProxyAuthenticate);
    assert_eq!(Side::Server.header(), Name::WwwAuthenticate);
}

#[test]
fn a_password_is_never_printed_and_odd_credentials_are_refused() {
    let secret = "correct horse";
    let credentials = Credentials::new("r", "u", secret).unwrap();
    assert!(!format!("{credentials:?}").contains(secret));
    let printed = format!("{:?}", Client::new(credentials, TRUNK));
    assert!(
        printed.contains("198.51.100.7") && !printed.contains(secret),
        "{printed}"
    );
    for (realm, user, password, refusal) in [
        ("", "u", "p", BadCredentials::Empty { part: "realm" }),
        ("r", "", "p", BadCredentials::Empty { part: "user" }),
        ("r", "u\r\n", "p", BadCredentials::Control { part: "user" }),
        ("r", "u", "\0", BadCredentials::Control { part: "password" }),
    ] {
        assert_eq!(Credentials::new(realm, user, password), Err(refusal));
    }
    let long = "x".repeat(257);
    let refusal = BadCredentials::TooLong {
        part: "user",
        octets: 257,
    };
    assert_eq!(Credentials::new("r", &long, "p"), Err(refusal));
}

/// RFC 3261 §20.7 and §20.28: what is answered is what goes out.
#[test]
fn answers_are_written_as_they_were_computed() {
    let odd = Credentials::new("carrier.example", "a \"b\\c, é", "pw").unwrap();
    let mut client = Client::new(odd, TRUNK);
    let mut attempt = Attempt::default();
    let more = r#", opaque="x, \"y\" =;""#;
    for side in [Side::Server, Side::Proxy] {
        let line = asks("SHA-256", "a/+==", more);
        client
            .challenged(&mut attempt, &TRUNK, side, [line.as_str()])
            .unwrap();
    }
    let answers = send(&mut client, &mut attempt);
    let mut bytes = Vec::new();
    let uri = Uri::parse("sip:a@b").unwrap();
    let mut writer = Writer::request(&mut bytes, Method::Invite, &uri);
    for answer in &answers {
        answer.write(&mut writer).unwrap();
    }
    writer.finish(None);
    let text = String::from_utf8(bytes).unwrap();
    for (name, answer) in [
        ("Authorization", &answers[0]),
        ("Proxy-Authorization", &answers[1]),
    ] {
        let line = format!("\r\n{name}: {}\r\n", answer.value);
        assert!(text.contains(&line), "{line}{text}");
    }
}
