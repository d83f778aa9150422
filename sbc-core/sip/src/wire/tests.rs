//! Datagrams and streams as a peer, kind or unkind, may send them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use bytes::BytesMut;

use super::*;

mod datagrams;
mod streams;

const HEAD: &str = "INVITE sip:+15551230042@sbc.example.com;user=phone SIP/2.0\r\n\
    VIA: SIP/2.0/TCP 192.0.2.1:49160;branch=z9hG4bK776asdhds\r\n\
    Via : SIP/2.0/UDP host.example.com\r\n\
    Max-Forwards: 70\r\n\
    f: \"Bob\" <sip:bob@example.com>\r\n ;tag=1\r\n\
    t:sip:+15551230042@sbc.example.com\r\n\
    i: a84b4c76e66710@example.com\r\n\
    CSEQ: 314159 INVITE\r\n\
    X-Odd:\t \r\n";

/// An INVITE with a body that holds an empty line.
fn invite() -> String {
    format!("{HEAD}Content-Length: 12\r\n\r\nv=0\r\n\r\ns=-\r\n")
}

/// A request whose head has the basics and `extra`, lines with their ends.
fn options(extra: &str) -> String {
    format!(
        "OPTIONS sip:sbc SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\n\
         To: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n{extra}\r\n"
    )
}

#[expect(clippy::result_large_err, reason = "as it is in the code")]
fn receive(bytes: impl AsRef<[u8]>) -> Result<Received, Malformed> {
    datagram(BytesMut::from(bytes.as_ref()))
}

fn message(received: Result<Received, Malformed>) -> Frame {
    match received {
        Ok(Received::Message(frame)) => frame,
        other => panic!("not a message: {other:?}"),
    }
}

fn refused(bytes: impl AsRef<[u8]>) -> Malformed {
    receive(bytes).expect_err("should be refused")
}

/// What a stream gave, in words: the method and body length, or the fault.
fn story(parts: &[&[u8]]) -> Vec<String> {
    let mut stream = Stream::new();
    let mut heard = vec![];
    for part in parts {
        stream.push(Duration::ZERO, part);
        loop {
            match stream.take() {
                Ok(None) => break,
                Ok(Some(Received::Message(frame))) => heard.push(summary(&frame)),
                Ok(Some(other)) => heard.push(format!("{other:?}").to_lowercase()),
                Err(wrong) => {
                    let end = if wrong.fatal() { " and the end" } else { "" };
                    heard.push(format!("{:?} {:?}{end}", wrong.fault(), wrong.answer()));
                }
            }
        }
    }
    heard
}

fn summary(frame: &Frame) -> String {
    match frame.start() {
        StartLine::Request { method, .. } => format!("{method} {}", frame.body().len()),
        StartLine::Response { code, .. } => format!("{code} {}", frame.body().len()),
    }
}
