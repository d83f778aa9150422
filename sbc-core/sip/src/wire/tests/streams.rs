//! One connection's octets, however they are cut.

use super::*;

#[test]
fn an_invite_split_at_every_octet_is_the_same_frame() {
    let bytes = invite().into_bytes();
    let datagram = message(receive(&bytes));
    let lines: Vec<_> = datagram.lines().collect();
    for cut in 0..=bytes.len() {
        let mut stream = Stream::new();
        stream.push(Duration::ZERO, &bytes[..cut]);
        let early = stream.take().unwrap();
        assert_eq!(early.is_some(), cut == bytes.len());
        stream.push(Duration::ZERO, &bytes[cut..]);
        let Some(Received::Message(frame)) = early.or(stream.take().unwrap()) else {
            panic!("nothing when cut at {cut}");
        };
        assert_eq!(frame.head(), datagram.head());
        assert_eq!(frame.lines().collect::<Vec<_>>(), lines);
        assert_eq!(frame.body(), datagram.body());
        assert_eq!(stream.held(), 0);
    }
}

#[test]
fn one_octet_at_a_time_says_the_same() {
    let bytes = format!("{0}{0}\r\n\r\n{1}{0}", invite(), options("l: 0\r\n"));
    let octets: Vec<_> = bytes.as_bytes().chunks(1).collect();
    let expected = [
        "INVITE 12",
        "INVITE 12",
        "pong",
        "ping",
        "OPTIONS 0",
        "INVITE 12",
    ];
    assert_eq!(story(&octets), expected);
}

#[test]
fn pipelined_messages_come_one_by_one() {
    let bytes = format!("{}{}{}", invite(), options("l: 2\r\n") + "ab", invite());
    assert_eq!(
        story(&[bytes.as_bytes()]),
        ["INVITE 12", "OPTIONS 2", "INVITE 12"]
    );
}

/// RFC 5626 §3.5.1, §4.4.1; RFC 3261 §7.5.
#[test]
fn each_double_crlf_is_one_ping_however_it_is_cut() {
    assert_eq!(story(&[b"\r\n\r\n"]), ["ping"]);
    assert_eq!(story(&[b"\r\n\r\n\r\n\r\n"]), ["ping", "ping"]);
    assert_eq!(story(&[b"\r\n"]), ["pong"]);
    for parts in [
        &[&b"\r"[..], b"\n\r\n"],
        &[b"\r\n\r", b"\n"],
        &[b"\r\n", b"\r\n"],
    ] {
        let pings = story(parts).iter().filter(|heard| *heard == "ping").count();
        assert_eq!(pings, 1, "{parts:?}");
    }
    assert_eq!(
        story(&[b"\r\n", invite().as_bytes()]),
        ["pong", "INVITE 12"]
    );
    assert_eq!(
        story(&[b"\r\n", invite().as_bytes(), b"\r\n"]),
        ["pong", "INVITE 12", "pong"]
    );
}

/// RFC 3261 §18.3: on a stream Content-Length is what ends a message.
#[test]
fn without_a_sure_length_the_stream_ends_with_an_answer() {
    let more = invite();
    for (lines, heard) in [
        ("", "ContentLengthMissing Some(400) and the end"),
        ("l: -1\r\n", "ContentLengthSyntax Some(400) and the end"),
        ("l: 5 \t5\r\n", "ContentLengthSyntax Some(400) and the end"),
        (
            "l: 13\r\nl: 5\r\n",
            "ContentLengthRepeated Some(400) and the end",
        ),
        (
            "l: 2147483648\r\n",
            "MessageTooLong { octets: 2147483789 } Some(513) and the end",
        ),
        (
            "l: 65535\r\n",
            "MessageTooLong { octets: 65671 } Some(513) and the end",
        ),
        (
            "l: 0\r\nOdd: a\nb: c\r\n",
            "LoneLineFeed Some(400) and the end",
        ),
        (
            "l: 0\r\nOdd: a\rb\r\n",
            "LoneCarriageReturn Some(400) and the end",
        ),
    ] {
        let bytes = options(lines) + &more;
        assert_eq!(story(&[bytes.as_bytes()]), [heard], "{lines}");
    }
}

#[test]
fn with_a_sure_length_the_stream_goes_on_behind_a_refused_message() {
    let many = format!("{}Content-Length: 4\r\n", "Odd: y\r\n".repeat(4_000));
    for (lines, heard) in [
        ("l: 4\r\nno colon\r\n", "HeaderName Some(400)"),
        ("l: 4\r\nOdd: \0\r\n", "Control(0) Some(400)"),
        ("l: 4\r\nl: 04\r\n", "ContentLengthRepeated Some(400)"),
        (&many, "TooManyHeaders { count: 4006 } Some(513)"),
    ] {
        let bytes = options(lines) + "body" + &invite();
        let expected = [heard, "INVITE 12"];
        assert_eq!(story(&[bytes.as_bytes()]), expected);
        let octets: Vec<_> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(story(&octets), expected);
    }
}

#[test]
fn a_refused_body_is_dropped_as_it_comes() {
    let mut stream = Stream::new();
    stream.push(
        Duration::ZERO,
        (options("l: 30000\r\nbad\r\n") + "abc").as_bytes(),
    );
    assert!(stream.take().is_err());
    for second in 1..10 {
        stream.push(Duration::from_secs(second), &[b'\n'; 3_333]);
        assert!(stream.take().unwrap().is_none());
        assert_eq!(stream.held(), 0);
    }
    assert!(stream.partial_since().is_none());
}

#[test]
fn a_megabyte_of_head_is_refused_at_the_limit() {
    let mut stream = Stream::new();
    let endless = options("").trim_end().to_string() + "\r\nOdd: ";
    stream.push(Duration::ZERO, endless.as_bytes());
    let mut pushed = endless.len();
    let wrong = loop {
        match stream.take() {
            Ok(received) => assert!(received.is_none()),
            Err(wrong) => break wrong,
        }
        stream.push(Duration::ZERO, &[b'y'; 1_000]);
        pushed += 1_000;
    };
    assert!(pushed <= limits::HEAD + 1_000);
    assert_eq!(
        (wrong.fault(), wrong.answer()),
        (Fault::HeadTooLong, Some(513))
    );
    assert!(wrong.fatal() && stream.is_lost());
    stream.push(Duration::ZERO, &[b'y'; 1_000]);
    assert_eq!(stream.held(), 0);
    assert!(stream.take().unwrap().is_none());
}

#[test]
fn sixty_four_kibibytes_of_folding_are_refused_and_less_is_read() {
    let folded =
        |octets: usize| options(&format!("l: 0\r\nOdd: a{}\r\n", "\r\n ".repeat(octets / 3)));
    assert_eq!(
        story(&[folded(65_536).as_bytes()]),
        ["HeadTooLong Some(513) and the end"]
    );
    let octets = folded(45_000);
    let cut: Vec<_> = octets.as_bytes().chunks(1).collect();
    assert_eq!(story(&cut), ["OPTIONS 0"]);
}

#[test]
fn what_is_not_sip_ends_the_stream_at_its_first_octet() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"\x00",
        b"\n",
        b"\r\r\n",
        b" INVITE",
        b"{}",
    ] {
        assert_eq!(story(&[bytes]), ["NotSip None and the end"], "{bytes:?}");
    }
    let http = b"GET / HTTP/1.1\r\nHost: sbc\r\n\r\n";
    assert_eq!(story(&[http]), ["RequestLine None and the end"]);
    let unix = options("l: 0\r\n").replace("\r\n", "\n");
    assert_eq!(
        story(&[unix.as_bytes()]),
        ["LoneLineFeed Some(400) and the end"]
    );
}

#[test]
fn a_push_beyond_the_room_ends_the_stream_after_what_was_whole() {
    let many = invite().repeat(1_000);
    let whole = (limits::MESSAGE + limits::READ_AHEAD) / invite().len();
    let heard = story(&[many.as_bytes()]);
    assert_eq!(heard.len(), whole + 1);
    assert_eq!(heard.last().unwrap(), "NotTaken None and the end");
}

#[test]
fn a_message_of_the_full_size_fits() {
    let around = limits::MESSAGE - options("l: 65000\r\n").len();
    let bytes = options(&format!("l: {around}\r\n")) + &"y".repeat(around);
    assert_eq!(bytes.len(), limits::MESSAGE);
    assert_eq!(story(&[bytes.as_bytes()]), [format!("OPTIONS {around}")]);
}

#[test]
fn a_partial_message_remembers_since_when() {
    let bytes = invite().into_bytes();
    let mut stream = Stream::new();
    assert_eq!(stream.partial_since(), None);
    stream.push(Duration::from_secs(1), &bytes[..5]);
    assert!(stream.take().unwrap().is_none());
    stream.push(Duration::from_secs(2), &bytes[5..]);
    stream.push(Duration::from_secs(3), &bytes[..5]);
    assert_eq!(stream.partial_since(), Some(Duration::from_secs(1)));
    assert!(stream.take().unwrap().is_some());
    assert!(stream.take().unwrap().is_none());
    assert_eq!(stream.partial_since(), Some(Duration::from_secs(3)));
    stream.push(Duration::from_secs(4), &bytes[5..]);
    assert!(stream.take().unwrap().is_some());
    assert_eq!(stream.partial_since(), None);
}

#[test]
fn a_response_is_never_answered_whatever_is_wrong() {
    for line in [
        "SIP/2.0 4294967301 better not",
        "SIP/7.0 200 OK",
        "SIP/2.0 200",
    ] {
        let bytes = options("l: 0\r\n").replace("OPTIONS sip:sbc SIP/2.0", line) + &invite();
        let heard = story(&[bytes.as_bytes()]);
        assert!(heard[0].ends_with(" None"), "{heard:?}");
        assert_eq!(heard[1], "INVITE 12");
    }
}
