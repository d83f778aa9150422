//! One datagram, one verdict.

use super::*;

/// RFC 3261 §7, RFC 3261 §7.3.1, RFC 3261 §7.3.3, RFC 3261 §20.
#[test]
fn a_message_is_indexed_line_by_line() {
    let frame = message(receive(invite()));
    assert_eq!(
        frame.start(),
        StartLine::Request {
            method: "INVITE",
            uri: "sip:+15551230042@sbc.example.com;user=phone"
        }
    );
    let lines: Vec<_> = frame.lines().collect();
    assert_eq!(
        lines,
        [
            (
                Name::Via,
                "VIA",
                "SIP/2.0/TCP 192.0.2.1:49160;branch=z9hG4bK776asdhds"
            ),
            (Name::Via, "Via", "SIP/2.0/UDP host.example.com"),
            (Name::MaxForwards, "Max-Forwards", "70"),
            (Name::From, "f", "\"Bob\" <sip:bob@example.com>   ;tag=1"),
            (Name::To, "t", "sip:+15551230042@sbc.example.com"),
            (Name::CallId, "i", "a84b4c76e66710@example.com"),
            (Name::CSeq, "CSEQ", "314159 INVITE"),
            (Name::Other, "X-Odd", ""),
            (Name::ContentLength, "Content-Length", "12"),
        ]
    );
    assert_eq!(frame.body(), b"v=0\r\n\r\ns=-\r\n");
    assert_eq!(frame.octets(), invite().len());
    assert!(frame.is_request());
}

#[test]
fn lines_are_found_by_name() {
    let frame = message(receive(invite()));
    assert_eq!(frame.count(Name::Via), 2);
    assert_eq!(
        frame.all(Name::Via).last(),
        Some("SIP/2.0/UDP host.example.com")
    );
    assert_eq!(frame.first(Name::Route), None);
    assert_eq!(frame.other("x-oDD").collect::<Vec<_>>(), [""]);
    assert_eq!(frame.other("via").count(), 0);
}

/// RFC 3261 §18.3.
#[test]
fn octets_beyond_content_length_are_dropped() {
    let frame = message(receive(options("l: 3\r\n") + "abcdef"));
    assert_eq!(frame.body(), b"abc");
}

/// RFC 3261 §18.3.
#[test]
fn without_content_length_the_body_ends_with_the_datagram() {
    let frame = message(receive(options("") + "abcdef"));
    assert_eq!(frame.body(), b"abcdef");
}

/// RFC 3261 §18.3; RFC 4475 §3.1.2.2 (clerr).
#[test]
fn a_body_shorter_than_content_length_is_answered_400() {
    let wrong = refused(options("Content-Length: 9999\r\n") + "abc");
    assert_eq!(
        wrong.fault(),
        Fault::BodyTooShort {
            announced: 9999,
            present: 3
        }
    );
    assert_eq!((wrong.answer(), wrong.fatal()), (Some(400), false));
    let text = "the body has 3 bytes and Content-Length says 9999, at byte 148: 400";
    assert_eq!(wrong.to_string(), text);
    let kept: Vec<_> = wrong
        .frame()
        .unwrap()
        .lines()
        .map(|(name, ..)| name)
        .collect();
    assert_eq!(
        kept[..5],
        [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq]
    );
}

/// RFC 3261 §18.3, RFC 3261 §20.14; RFC 4475 §3.1.2.3 (ncl), §3.3.9 (mcl01).
#[test]
fn content_length_is_one_number() {
    for (lines, fault) in [
        ("Content-Length: -999\r\n", Fault::ContentLengthSyntax),
        ("Content-Length: 0x1\r\n", Fault::ContentLengthSyntax),
        ("Content-Length:\r\n", Fault::ContentLengthSyntax),
        ("Content-Length: 1 1\r\n", Fault::ContentLengthSyntax),
        ("Content-Length: 1;a\r\n", Fault::ContentLengthSyntax),
        (
            "Content-Length: 1\r\nl: 2\r\n",
            Fault::ContentLengthRepeated,
        ),
        (
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            Fault::ContentLengthRepeated,
        ),
    ] {
        let wrong = refused(options(lines) + "abc");
        assert_eq!(
            (wrong.fault(), wrong.answer()),
            (fault, Some(400)),
            "{lines}"
        );
    }
}

#[test]
fn a_content_length_beyond_all_numbers_is_only_too_long() {
    let wrong = refused(options("Content-Length: 99999999999999999999999\r\n"));
    assert_eq!(
        wrong.fault(),
        Fault::BodyTooShort {
            announced: u64::MAX,
            present: 0
        }
    );
}

/// RFC 4475 §3.1.2.16 (badvers); RFC 3261 §21.5.6.
#[test]
fn another_version_is_answered_505() {
    let wrong = refused(options("").replace("sbc SIP/2.0", "sbc SIP/7.0"));
    assert_eq!((wrong.fault(), wrong.answer()), (Fault::Version, Some(505)));
}

/// RFC 3261 §21.4.1, RFC 3261 §16.3.
#[test]
fn a_bad_request_line_is_answered_400() {
    for line in [
        "OPTIONS  sip:sbc  SIP/2.0",
        "OPTIONS sip:s bc SIP/2.0",
        "OPTIONS <sip:s> SIP/2.0",
    ] {
        let wrong = refused(options("").replace("OPTIONS sip:sbc SIP/2.0", line));
        assert_eq!(wrong.answer(), Some(400), "{line}");
    }
}

/// RFC 3261 §17.1.3: no answer finds its way without Via and CSeq; RFC 3261 §8.2.6.2;
/// RFC 4475 §3.3.1 (insuf) for the others.
#[test]
fn an_answer_needs_via_and_cseq_only() {
    let bad = options("no colon\r\n");
    for (missing, answer) in [
        ("Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\n", None),
        ("CSeq: 1 OPTIONS\r\n", None),
        ("From: <sip:a>;tag=1\r\n", Some(400)),
        ("To: <sip:b>\r\n", Some(400)),
        ("Call-ID: 1\r\n", Some(400)),
    ] {
        assert_eq!(
            refused(bad.replace(missing, "")).answer(),
            answer,
            "{missing}"
        );
    }
}

#[test]
fn responses_and_acks_are_never_answered() {
    let bad = options("no colon\r\n");
    assert_eq!(refused(&bad).answer(), Some(400));
    assert_eq!(
        refused(bad.replace("OPTIONS sip:sbc", "ACK sip:sbc")).answer(),
        None
    );
    assert_eq!(
        refused(bad.replace("OPTIONS sip:sbc SIP/2.0", "SIP/2.0 200 OK")).answer(),
        None
    );
    assert_eq!(
        refused(bad.replace("OPTIONS sip:sbc", "SIP/2.0 99")).answer(),
        None
    );
    assert_eq!(
        refused(bad.replace("OPTIONS sip:sbc", "OPTI(NS sip:sbc")).answer(),
        None
    );
}

/// RFC 3261 §25.1: LWS is SP, HTAB and folds; nothing else below 0x20 stands free.
#[test]
fn control_octets_are_refused_where_they_stand() {
    for octet in (0..0x20).chain([0x7F]).filter(|octet| *octet != b'\t') {
        let mut bytes = options("Odd: a_b\r\n").into_bytes();
        let at = bytes.iter().position(|&octet| octet == b'_').unwrap();
        bytes[at] = octet;
        let wrong = refused(bytes);
        let fault = match octet {
            b'\r' => Fault::LoneCarriageReturn,
            b'\n' => Fault::LoneLineFeed,
            _ => Fault::Control(octet),
        };
        assert_eq!(
            (wrong.fault(), wrong.offset(), wrong.answer()),
            (fault, at, Some(400))
        );
    }
    assert_eq!(
        message(receive(options("Odd: a\tb\r\n")))
            .other("odd")
            .next(),
        Some("a\tb")
    );
}

/// RFC 3261 §8.2.6.2: an answer repeats these octet for octet.
#[test]
fn a_control_octet_an_answer_would_repeat_gets_no_answer() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let start = format!("\r\n{name}: ");
        let spoilt = options("").replacen(&start, &format!("{start}\0"), 1);
        let wrong = refused(spoilt);
        assert_eq!(
            (wrong.fault(), wrong.answer()),
            (Fault::Control(0), None),
            "{name}"
        );
    }
}

/// RFC 4475 §3.1.1.2 (intmeth): quoted pairs may hold NUL, BEL and DEL.
#[test]
fn control_octets_may_stand_in_quoted_pairs() {
    let frame = message(receive(options(
        "Reply-To: \"a\\\0b\\\x07\\\x7f\" <sip:a>\r\n",
    )));
    assert_eq!(
        frame.first(Name::ReplyTo),
        Some("\"a\\\0b\\\x07\\\x7f\" <sip:a>")
    );
    for outside in [
        "Odd: \\\0\r\n",
        "Odd: \"a\" \\\0\r\n",
        "Odd: \"a\\\\\0\"\r\n",
        "Odd: \"\\\r\"\r\n",
    ] {
        assert_eq!(refused(options(outside)).answer(), Some(400), "{outside:?}");
    }
}

#[test]
fn lone_line_ends_are_refused() {
    let wrong = refused(options("").replace("\r\n", "\n"));
    assert_eq!((wrong.fault(), wrong.offset()), (Fault::LoneLineFeed, 23));
    let wrong = refused(options("Odd: a\r\r\n"));
    assert_eq!(wrong.fault(), Fault::LoneCarriageReturn);
    let wrong = refused(options("Odd: a\n b\r\n"));
    assert_eq!(wrong.fault(), Fault::LoneLineFeed);
}

/// RFC 3261 §7.3.1.
#[test]
fn a_header_line_is_a_token_and_a_colon() {
    for line in [
        "Odd\r\n",
        ": a\r\n",
        " : a\r\n",
        "Odd Y: a\r\n",
        "Odd(: a\r\n",
        "\u{e4}: a\r\n",
    ] {
        let extra = format!("Subject: before\r\n{line}");
        let taken_as_fold = line.starts_with(' ');
        assert_eq!(receive(options(&extra)).is_ok(), taken_as_fold, "{line}");
    }
    let frame = message(receive(options("Odd \t :\t a : b \t\r\n")));
    assert_eq!(frame.lines().last(), Some((Name::Other, "Odd", "a : b")));
}

/// RFC 3261 §7.3.1: only header lines may be folded.
#[test]
fn a_folded_start_line_is_refused() {
    let wrong = refused(options("").replacen("\r\nVia", "\r\n Via", 1));
    assert_eq!(wrong.fault(), Fault::RequestLine);
    let wrong = refused("SIP/2.0 200 OK\r\n sure\r\nVia: a\r\n\r\n");
    assert_eq!(wrong.fault(), Fault::HeaderName);
}

/// RFC 3261 §7.3.1.
#[test]
fn folds_become_spaces_of_the_same_length() {
    let frame = message(receive(options("Odd:\r\n \t\r\n a\r\n\tb\r\n \r\n")));
    assert_eq!(frame.other("Odd").next(), Some("a  \tb"));
    assert!(!frame.head().replace("\r\n", "").contains(['\r', '\n']));
}

#[test]
fn octets_that_are_not_utf_8_become_question_marks() {
    let mut bytes = options("Subject: caf_ \u{e9}t\u{e9}\r\n").into_bytes();
    let at = bytes.iter().position(|&octet| octet == b'_').unwrap();
    bytes[at] = 0xE9;
    let frame = message(receive(bytes));
    assert_eq!(frame.first(Name::Subject), Some("caf? \u{e9}t\u{e9}"));
    assert_eq!(frame.repaired(), 1);
    assert!(frame.is_repaired(Name::Subject) && !frame.is_repaired(Name::Via));
}

#[test]
fn the_body_is_left_as_it_is() {
    let mut bytes = options("Content-Length: 4\r\n").into_bytes();
    bytes.extend(*b"\x00\xFF\r\n");
    assert_eq!(message(receive(bytes)).body(), b"\x00\xFF\r\n");
}

#[test]
fn ninety_six_header_lines_are_enough() {
    let lines = |count: usize| "Odd: y\r\n".repeat(count - 5);
    assert_eq!(message(receive(options(&lines(96)))).lines().count(), 96);
    let wrong = refused(options(&lines(97)));
    assert_eq!(wrong.fault(), Fault::TooManyHeaders { count: 97 });
    assert_eq!(
        (wrong.answer(), wrong.frame().unwrap().lines().count()),
        (Some(513), 96)
    );
    assert_eq!(wrong.offset(), options(&lines(96)).len() - 2);
}

/// RFC 3261 §21.5.7: 513 when a message exceeds what the node can take; RFC 3261 §18.1.1.
#[test]
fn a_head_beyond_the_limit_is_answered_from_what_fits() {
    let long = |octets: usize| options(&format!("Odd: {}\r\n", "y".repeat(octets)));
    let around = limits::HEAD - options("Odd: \r\n").len();
    assert!(receive(long(around)).is_ok());
    assert_eq!(refused(long(around + 1)).answer(), Some(513));
    let wrong = refused(long(around + 3));
    assert_eq!(
        (wrong.fault(), wrong.answer()),
        (Fault::HeadTooLong, Some(513))
    );
    assert_eq!(wrong.frame().unwrap().lines().count(), 5);
    let wrong = refused("y".repeat(65_000));
    assert_eq!((wrong.fault(), wrong.answer()), (Fault::HeadTooLong, None));
    let wrong = refused(options("") + &"y".repeat(limits::MESSAGE));
    assert_eq!(wrong.answer(), Some(513));
}

/// RFC 4475 §3.1.2.15 (baddn), where the closing line is lost.
#[test]
fn a_head_without_its_empty_line_is_answered_400() {
    let wrong = refused(options("").trim_end());
    assert_eq!(
        (wrong.fault(), wrong.answer()),
        (Fault::Unterminated, Some(400))
    );
    assert_eq!(wrong.frame().unwrap().first(Name::CSeq), Some("1 OPTIONS"));
}

/// RFC 3261 §7.5.
#[test]
fn line_ends_before_a_message_are_skipped() {
    let frame = message(receive(format!("\r\n\r\n\r\n{}", invite())));
    assert_eq!(summary(&frame), "INVITE 12");
}

/// RFC 5626 §3.5.1, §4.4.1.
#[test]
fn keep_alives_are_told_apart() {
    for (bytes, expected) in [
        (&b"\r\n\r\n"[..], "Ok(Ping)"),
        (b"\r\n", "Ok(Pong)"),
        (b"", "Ok(Nothing)"),
        (b"\0\0\0\0", "Ok(Nothing)"),
        (b"\r\n\r\n\r\n", "Ok(Nothing)"),
    ] {
        assert_eq!(format!("{:?}", receive(bytes)), expected);
    }
}

#[test]
fn what_is_not_sip_gets_no_answer() {
    let stun = b"\x00\x01\x00\x08\x21\x12\xA4\x42abcdefghijkl\x00\x03\x00\x04\0\0\0\0";
    let rtp = b"\x80\x00\x12\x34\x00\x00\x00\xA0\xDE\xAD\xBE\xEF";
    let http = b"GET / HTTP/1.1\r\nHost: sbc\r\n\r\n";
    let word = b"hello";
    for bytes in [&stun[..], rtp, http, word, b"{}", b" \r\n\r\n", b"\xFF"] {
        let wrong = refused(bytes);
        assert_eq!((wrong.answer(), wrong.fatal()), (None, false), "{bytes:?}");
    }
}

#[test]
fn a_clone_shares_the_octets() {
    let frame = message(receive(invite()));
    let copy = frame.clone();
    assert_eq!(copy.head().as_ptr(), frame.head().as_ptr());
    assert_eq!(copy.body_bytes().as_ptr(), frame.body().as_ptr());
}
