//! The matching rules, one by one: RFC 3261 §17.2.3, §9.2, §8.2.2.2.

use alloc::string::String;

use super::*;

const PEER: Peer = Peer(1);

fn secret() -> Secret {
    Secret::new(*b"sixteen bytes ok")
}

fn host(name: &str) -> Host<'_> {
    Host::parse(name).unwrap()
}

fn invite() -> Parts<'static> {
    Parts {
        method: Method::Invite,
        uri: "sip:bob@example.com",
        via: "SIP/2.0/UDP a.example.com;branch=z9hG4bK1",
        branch: Some("z9hG4bK1"),
        sent_by: (host("a.example.com"), None),
        from_tag: Some("f"),
        to_tag: None,
        call_id: "c",
        cseq: 1,
    }
}

/// The same from an element of RFC 2543.
fn old_invite() -> Parts<'static> {
    Parts {
        via: "SIP/2.0/UDP a.example.com;branch=1",
        branch: Some("1"),
        ..invite()
    }
}

fn key(parts: &Parts<'_>) -> Key {
    secret().request(PEER, parts, parts.method).key
}

/// RFC 3261 §17.2.3: branch, sent-by and method, and nothing else.
#[test]
fn a_request_with_the_cookie_is_known_by_branch_sent_by_and_method() {
    let same = Parts {
        uri: "sip:else@example.com",
        via: "v",
        from_tag: Some("x"),
        to_tag: Some("y"),
        call_id: "z",
        cseq: 9,
        ..invite()
    };
    assert_eq!(key(&same), key(&invite()));

    let others = [
        Parts {
            branch: Some("z9hG4bK2"),
            ..invite()
        },
        Parts {
            branch: Some("z9hG4bk1"),
            ..invite()
        },
        Parts {
            sent_by: (host("b.example.com"), None),
            ..invite()
        },
        Parts {
            sent_by: (host("a.example.com"), Some(5060)),
            ..invite()
        },
        Parts {
            sent_by: (host("192.0.2.1"), None),
            ..invite()
        },
        Parts {
            method: Method::Bye,
            ..invite()
        },
        Parts {
            method: Method::Other("invite"),
            ..invite()
        },
    ];
    for other in &others {
        assert_ne!(key(other), key(&invite()), "{other:?}");
    }
}

/// RFC 3261 §17.2.3: "the method of the request matches the one that created
/// the transaction, except for ACK, where the method is INVITE".
#[test]
fn an_ack_is_known_as_its_invite() {
    let ack = Parts {
        method: Method::Ack,
        to_tag: Some("t"),
        ..invite()
    };
    assert_eq!(key(&ack), key(&invite()));
}

/// RFC 3261 §9.2: a CANCEL is a transaction of its own, and finds the INVITE
/// as if it were one.
#[test]
fn a_cancel_finds_its_invite() {
    for first in [invite(), old_invite()] {
        let cancel = Parts {
            method: Method::Cancel,
            ..first
        };
        assert_ne!(key(&cancel), key(&first));
        let target = secret().request(PEER, &cancel, Method::Invite);
        assert_eq!(target.key, key(&first));
    }
}

/// RFC 3261 §19.1.4: host names have no case.
#[test]
fn the_host_of_sent_by_is_the_same_in_any_case() {
    let shouted = Parts {
        sent_by: (host("A.EXAMPLE.COM"), None),
        ..invite()
    };
    assert_eq!(key(&shouted), key(&invite()));
}

#[test]
fn transactions_of_different_peers_never_meet() {
    for parts in [invite(), old_invite()] {
        let theirs = secret().request(Peer(2), &parts, parts.method).key;
        assert_ne!(theirs, key(&parts));
    }
}

/// RFC 3261 §17.2.3: Request-URI, To tag, From tag, Call-ID, CSeq and top Via.
#[test]
fn a_request_without_the_cookie_is_known_by_everything() {
    assert_eq!(key(&old_invite()), key(&old_invite()));
    let others = [
        Parts {
            uri: "sip:else@example.com",
            ..old_invite()
        },
        Parts {
            to_tag: Some(""),
            ..old_invite()
        },
        Parts {
            from_tag: None,
            ..old_invite()
        },
        Parts {
            call_id: "C",
            ..old_invite()
        },
        Parts {
            cseq: 2,
            ..old_invite()
        },
        Parts {
            via: "SIP/2.0/UDP a.example.com;branch=2",
            branch: Some("2"),
            ..old_invite()
        },
        Parts {
            method: Method::Bye,
            ..old_invite()
        },
    ];
    for other in &others {
        assert_ne!(key(other), key(&old_invite()), "{other:?}");
    }
}

/// RFC 3261 §17.2.3: the ACK's To tag is that of the response sent.
#[test]
fn an_ack_without_the_cookie_carries_the_to_tag_of_the_response() {
    let base = secret()
        .request(PEER, &old_invite(), Method::Invite)
        .base
        .unwrap();
    let ack = Parts {
        method: Method::Ack,
        to_tag: Some("ours"),
        ..old_invite()
    };
    assert_eq!(key(&ack), secret().legacy(base, Some("ours")));
    assert_ne!(key(&ack), secret().legacy(base, Some("other")));
    assert_eq!(key(&old_invite()), secret().legacy(base, None));

    // The ACK has the top Via only, and the INVITE may have more on its line.
    let relayed = Parts {
        via: "SIP/2.0/UDP a.example.com;branch=1, SIP/2.0/UDP b",
        ..old_invite()
    };
    assert_eq!(key(&relayed), key(&old_invite()));
}

/// A branch that is the cookie alone names nothing (RFC 4475 §3.2.1 leaves
/// the fallback open), and neither does a missing one.
#[test]
fn the_cookie_alone_is_no_identifier() {
    for branch in [None, Some(""), Some("z9hG4bK"), Some("Z9HG4BK1")] {
        let parts = Parts { branch, ..invite() };
        let found = secret().request(PEER, &parts, Method::Invite);
        assert!(found.base.is_some(), "{branch:?}");
    }
}

/// Fields cannot be shifted into one another.
#[test]
fn a_field_ends_where_it_ends() {
    let shifted = |from_tag, call_id| Parts {
        from_tag: Some(from_tag),
        call_id,
        ..old_invite()
    };
    assert_ne!(key(&shifted("ab", "c")), key(&shifted("a", "bc")));
}

#[test]
fn a_key_is_small_however_long_its_parts_are() {
    let long: String = core::iter::repeat_n('x', 60_000).collect();
    let (a, b) = (
        alloc::format!("{COOKIE}{long}a"),
        alloc::format!("{COOKIE}{long}b"),
    );
    let of = |branch| {
        key(&Parts {
            branch: Some(branch),
            ..invite()
        })
    };
    assert_ne!(of(&a), of(&b));
    assert_eq!(size_of::<Key>(), 16);
}

#[test]
fn without_the_secret_no_key_can_be_computed() {
    let other = Secret::new([0; 16]);
    assert_ne!(
        other.request(PEER, &invite(), Method::Invite).key,
        key(&invite())
    );
    assert_eq!(alloc::format!("{other:?}"), "Secret(…)");
}

/// RFC 3261 §8.2.2.2: From tag, Call-ID and CSeq, and no To tag.
#[test]
fn the_same_request_on_another_path_is_merged() {
    let merged = |parts: &Parts<'_>| secret().merged(PEER, parts);
    let other_path = Parts {
        branch: Some("z9hG4bKother"),
        via: "SIP/2.0/UDP b.example.com;branch=z9hG4bKother",
        sent_by: (host("b.example.com"), None),
        ..invite()
    };
    assert_ne!(key(&other_path), key(&invite()));
    assert_eq!(merged(&other_path), merged(&invite()));

    let next = Parts {
        cseq: 2,
        ..invite()
    };
    assert_ne!(merged(&next), merged(&invite()));
    let in_dialog = Parts {
        to_tag: Some("t"),
        ..invite()
    };
    assert_eq!(merged(&in_dialog), None);
}

/// RFC 3261 §8.2.7: a stateless answer has the same To tag each time; §19.3:
/// at least 32 bits of randomness.
#[test]
fn a_tag_is_the_same_for_each_repetition_and_for_no_other_request() {
    let tag = secret().tag(key(&invite()));
    assert_eq!(tag, secret().tag(key(&invite())));
    assert_ne!(tag, secret().tag(key(&old_invite())));
    assert_eq!(tag.as_str().len(), 16);
    assert!(tag.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
}
