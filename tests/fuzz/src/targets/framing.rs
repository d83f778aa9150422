//! Framing: any octets come in; every frame out is bounded, free of line ends and the
//! same however the octets were cut (RFC 3261 §7, §18.3).

use core::time::Duration;

use bytes::BytesMut;
use sbc_sip::wire::{self, Fault, Frame, Malformed, Received, Stream, limits};

/// One datagram. A frame's head, framed again, is the same frame.
pub fn datagram(octets: &[u8]) {
    match wire::datagram(BytesMut::from(octets)) {
        Ok(Received::Message(frame)) => {
            check(&frame);
            let again = [frame.head().as_bytes(), frame.body()].concat();
            let Ok(Received::Message(again)) = wire::datagram(BytesMut::from(&*again)) else {
                panic!("a frame is not framed again: {frame:?}");
            };
            assert_eq!(shown(&frame), shown(&again));
        }
        Ok(_) => {}
        Err(malformed) => {
            assert!(!malformed.fatal(), "no datagram loses another");
            check_malformed(&malformed);
        }
    }
}

/// One connection: whole reads and reads of a few octets tell the same story.
pub fn stream(octets: &[u8]) {
    let whole = story(octets, limits::READ_AHEAD);
    let segment = octets.len() % 61 + 1;
    assert_eq!(whole, story(octets, segment), "cut into {segment} octets");
}

fn story(octets: &[u8], segment: usize) -> Vec<String> {
    let mut stream = Stream::new();
    let mut story = Vec::new();
    for part in octets.chunks(segment) {
        stream.push(Duration::ZERO, part);
        loop {
            assert!(stream.held() <= limits::MESSAGE + limits::READ_AHEAD);
            match stream.take() {
                Ok(None) => break,
                Ok(Some(Received::Message(frame))) => {
                    check(&frame);
                    story.push(shown(&frame));
                }
                Ok(Some(other)) => story.push(format!("{other:?}")),
                Err(malformed) => {
                    check_malformed(&malformed);
                    assert_eq!(malformed.fatal(), stream.is_lost());
                    story.push(told(&malformed));
                }
            }
        }
    }
    // A ping cut in two is first taken for a pong.
    while let Some(cut) = story.windows(2).position(|two| two == ["Pong", "Ping"]) {
        story.remove(cut);
    }
    story
}

fn check_malformed(malformed: &Malformed) {
    let status = malformed.answer();
    assert!(
        status.is_none_or(|status| matches!(status, 400 | 505 | 513)),
        "{status:?}"
    );
    if let Some(frame) = malformed.frame() {
        assert!(frame.head().len() <= limits::HEAD);
        assert!(frame.lines().count() <= limits::HEADERS);
    }
}

fn check(frame: &Frame) {
    assert!(frame.octets() <= limits::MESSAGE);
    assert!(frame.head().len() <= limits::HEAD);
    assert!(frame.lines().count() <= limits::HEADERS);
    for (known, written, value) in frame.lines() {
        assert!(!written.is_empty() && written.is_ascii());
        assert_eq!(known, wire::Name::of(written));
        assert!(!value.contains(['\r', '\n']), "{value:?}");
    }
}

fn shown(frame: &Frame) -> String {
    let lines: Vec<_> = frame.lines().collect();
    format!("{:?} {lines:?} {:?}", frame.start(), frame.body())
}

/// What is the same however the octets were cut: of a head that grew too long, how far
/// it was read is not.
fn told(malformed: &Malformed) -> String {
    match malformed.fault() {
        Fault::HeadTooLong => "too long".to_owned(),
        fault => format!(
            "{fault:?} at {} {:?}",
            malformed.offset(),
            malformed.frame().map(shown)
        ),
    }
}
