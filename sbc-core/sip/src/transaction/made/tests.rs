//! What is made here, byte for byte: RFC 3261 §8.2.6, §18.2.1, §17.1.1.3; RFC 3581 §4.

use alloc::format;
use alloc::string::String;

use super::super::destination::{Destination, Peer, Transport};
use super::*;

fn source(remote: &str) -> Source {
    Source {
        peer: Peer(1),
        from: Destination {
            transport: Transport::Udp,
            remote: remote.parse().unwrap(),
            connection: 1,
        },
    }
}

fn frame(text: &str) -> Frame {
    match wire::datagram(BytesMut::from(text.as_bytes())) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn request(vias: &str, to: &str) -> Frame {
    frame(&format!(
        "INVITE sip:bob@biloxi.com SIP/2.0\r\n{vias}\
         From: \"A\" <sip:a@b> ; tag = 1\r\n{to}\
         Call-ID: x\r\nCSeq: 007 INVITE\r\nTimestamp: 54\r\n\
         Record-Route: <sip:p;lr>\r\nContent-Length: 0\r\n\r\n"
    ))
}

/// The top Via of an answer to a request with this Via, from 192.0.2.1:9988.
fn stamped(via: &str) -> String {
    let frame = request(&format!("Via: {via}\r\n"), "To: <sip:b@c>\r\n");
    let answer = answer(&frame, &source("192.0.2.1:9988"), Status::OK, None, None);
    let line = text(&answer).lines().nth(1).map(String::from);
    line.unwrap()
}

/// RFC 3261 §8.2.6.2: each header as it came, and a tag for the To.
#[test]
fn an_answer_returns_what_the_request_had() {
    let vias = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1 , SIP/2.0/TCP  b;x=\"y,z\"\r\n\
                v: SIP/2.0/UDP c;branch=2\r\n";
    let frame = request(vias, "t: Bob <sip:b@c>\r\n");
    let answer = answer(
        &frame,
        &source("192.0.2.1:5060"),
        Status::SERVICE_UNAVAILABLE,
        Some("t1"),
        Some(RetryAfter {
            secs: 30,
            duration_secs: None,
        }),
    );
    assert_eq!(
        text(&answer),
        "SIP/2.0 503 Service Unavailable\r\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
         Via: SIP/2.0/TCP  b;x=\"y,z\"\r\n\
         Via: SIP/2.0/UDP c;branch=2\r\n\
         From: \"A\" <sip:a@b> ; tag = 1\r\n\
         To: Bob <sip:b@c>;tag=t1\r\n\
         Call-ID: x\r\n\
         CSeq: 007 INVITE\r\n\
         Retry-After: 30\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

/// RFC 3261 §8.2.6.1 (Timestamp in a 100) and §8.2.6.2 (a To tag stays).
#[test]
fn a_trying_returns_the_timestamp_and_adds_no_tag() {
    let frame = request(
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n",
        "To: <sip:b@c>\r\n",
    );
    let trying = answer(
        &frame,
        &source("192.0.2.1:5060"),
        Status::TRYING,
        None,
        None,
    );
    assert!(text(&trying).contains("\r\nTo: <sip:b@c>\r\n"));
    assert!(text(&trying).contains("\r\nTimestamp: 54\r\n"));

    let frame = request(
        "Via: SIP/2.0/UDP 192.0.2.1\r\n",
        "To: <sip:b@c>;tag=old\r\n",
    );
    let ok = answer(
        &frame,
        &source("192.0.2.1:5060"),
        Status::OK,
        Some("new"),
        None,
    );
    assert!(text(&ok).contains("\r\nTo: <sip:b@c>;tag=old\r\n"));
    assert!(!text(&ok).contains("Timestamp"));
}

/// RFC 3261 §18.2.1: `received` where sent-by is not the source address.
#[test]
fn the_top_via_says_where_the_request_came_from() {
    assert_eq!(
        stamped("SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bK1"),
        "Via: SIP/2.0/UDP bobspc.biloxi.com:5060;branch=z9hG4bK1;received=192.0.2.1"
    );
    assert_eq!(
        stamped("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"
    );
    // What the peer claims about itself is not believed.
    assert_eq!(
        stamped("SIP/2.0/UDP 10.0.0.1;received=198.51.100.1;branch=z9hG4bK1"),
        "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1"
    );
}

/// RFC 3581 §4: the port in `rport`, and `received` with it in any case.
#[test]
fn the_top_via_says_which_port_it_came_from_if_asked() {
    assert_eq!(
        stamped("SIP/2.0/UDP 192.0.2.1:4540;rport;branch=z9hG4bKkjshdyff"),
        "Via: SIP/2.0/UDP 192.0.2.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=192.0.2.1"
    );
}

/// RFC 5118 §4.5: an IPv6 address in `received` has no brackets.
#[test]
fn an_ipv6_source_is_written_without_brackets() {
    let frame = request(
        "Via: SIP/2.0/UDP [2001:db8::9]:6050;rport\r\n",
        "To: <sip:b@c>\r\n",
    );
    let answer = answer(&frame, &source("[2001:db8::8]:9"), Status::OK, None, None);
    assert_eq!(
        text(&answer).lines().nth(1),
        Some("Via: SIP/2.0/UDP [2001:db8::9]:6050;rport=9;received=2001:db8::8")
    );
}

/// RFC 3261 §17.1.1.3: Request-URI, From, Call-ID, top Via and Routes of the
/// INVITE, To of the response, the number of the CSeq; §9.1: To of the INVITE.
#[test]
fn an_ack_and_a_cancel_follow_their_invite() {
    let invite = Bytes::from_static(
        b"INVITE sips:bob@[2001:db8::1]:5061;transport=tls SIP/2.0\r\n\
          Via: SIP/2.0/TLS a;branch=z9hG4bK1\r\n\
          Route: <sip:p1;lr>, <sip:p2;lr>\r\nRoute: <sip:p3>\r\n\
          From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 9 INVITE\r\n\
          Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0",
    );
    let rest = |method: &str, to: &str| {
        format!(
            "{method} sips:bob@[2001:db8::1]:5061;transport=tls SIP/2.0\r\n\
             Via: SIP/2.0/TLS a;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
             Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nRoute: <sip:p3>\r\n\
             From: <sip:a@b>;tag=1\r\nTo: {to}\r\nCall-ID: x\r\nCSeq: 9 {method}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    };
    let ack = ack(&invite, "Bob <sip:b@c>;tag=2").unwrap();
    assert_eq!(text(&ack), rest("ACK", "Bob <sip:b@c>;tag=2"));
    let plain = cancel(&invite, None).unwrap();
    assert_eq!(text(&plain), rest("CANCEL", "<sip:b@c>"));
}

/// RFC 3326 §1: why the call is given up.
#[test]
fn a_cancel_carries_its_reason() {
    let invite = Bytes::from_static(
        b"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n\
          To: <sip:b>\r\nCall-ID: x\r\nCSeq: 9 INVITE\r\nContent-Length: 0\r\n\r\n",
    );
    let cancel = cancel(&invite, Some(&Reason::sip(Status::OK))).unwrap();
    assert!(
        text(&cancel).contains("\r\nReason: SIP;cause=200\r\n"),
        "{}",
        text(&cancel)
    );
}

#[test]
fn nothing_follows_from_what_is_no_request() {
    for bytes in [
        "",
        "\r\n\r\n",
        "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(cancel(&Bytes::from(bytes), None), None);
    }
}

/// RFC 3261 §8.2.6.2 as far as it goes: a request that lacks what it must have
/// is still answered.
#[test]
fn a_broken_request_is_answered_from_what_it_has() {
    let broken = frame(
        "OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=\"\r\n\
         To: <sip:b\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    );
    let source = source("192.0.2.1:5060");
    let answer = answer(&broken, &source, Status::BAD_REQUEST, Some("t"), None);
    assert_eq!(
        text(&answer),
        "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP a;branch=\"\r\n\
         To: <sip:b\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
}
