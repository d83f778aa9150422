//! An ordinary INVITE comes in, the number of allocations it takes goes out.

use std::hint::black_box;

use bytes::BytesMut;
use sbc_sip::message::field::Field;
use sbc_sip::message::method::Method;
use sbc_sip::message::uri::Uri;
use sbc_sip::message::writer::Writer;
use sbc_sip::message::{CSeq, CallId, Contact, ContentType, From, MaxForwards, To, Via};
use sbc_sip::wire::{Frame, Name, Received, StartLine, Stream, datagram};
use sbc_tests::allocations;

const INVITE: &str = "INVITE sip:+15551230042@sbc.example.com;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/TCP itsp.example.net:5060;branch=z9hG4bK776asdhds;rport\r\n\
    Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKnashds8;received=192.0.2.9\r\n\
    Max-Forwards: 70\r\n\
    From: \"Alice\" <sip:+15557650017@itsp.example.net;user=phone>;tag=1928301774\r\n\
    To: <sip:+15551230042@sbc.example.com;user=phone>\r\n\
    Call-ID: a84b4c76e66710@itsp.example.net\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:+15557650017@192.0.2.7:5060;transport=tcp>\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE\r\n\
    Supported: 100rel, timer\r\n\
    Session-Expires: 1800;refresher=uac\r\n\
    P-Asserted-Identity: <sip:+15557650017@itsp.example.net>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 4\r\n\r\nv=0\n";

/// Returns the INVITE in a part of a larger buffer, as a driver reads it.
fn received() -> BytesMut {
    let mut buffer = BytesMut::with_capacity(65_536);
    buffer.extend_from_slice(INVITE.as_bytes());
    buffer.split()
}

fn framed() -> Frame {
    message(datagram(received()).unwrap())
}

fn message(received: Received) -> Frame {
    match received {
        Received::Message(frame) => frame,
        other => panic!("a message, not {other:?}"),
    }
}

#[test]
fn framing_and_indexing_a_datagram_allocates_nothing() {
    let bytes = received();
    let (received, count) = allocations(|| datagram(bytes).unwrap());
    assert_eq!(message(received).lines().count(), 14);
    assert_eq!(count, 0);
}

#[test]
fn framing_and_indexing_on_a_warm_stream_allocates_one_buffer_at_most() {
    let mut stream = Stream::new();
    let mut pass = || {
        stream.push(core::time::Duration::ZERO, INVITE.as_bytes());
        message(stream.take().unwrap().unwrap())
    };
    drop(pass());
    let (frame, count) = allocations(pass);
    assert_eq!(frame.lines().count(), 14);
    assert!(count <= 1, "{count} allocations");
}

/// What the stream holds is its driver's read; finding the messages in it is free.
#[test]
fn taking_pipelined_messages_from_a_stream_allocates_nothing() {
    let mut stream = Stream::new();
    let both = INVITE.repeat(2);
    stream.push(core::time::Duration::ZERO, both.as_bytes());
    let (taken, count) = allocations(|| [stream.take(), stream.take()]);
    for received in taken {
        assert_eq!(message(received.unwrap().unwrap()).lines().count(), 14);
    }
    assert_eq!(count, 0);
}

/// Reads the fields a B2BUA looks at in every request.
fn read(frame: &Frame) -> usize {
    let first = |name| frame.first(name).unwrap();
    let StartLine::Request { uri, .. } = frame.start() else {
        panic!("a request");
    };
    black_box(Uri::parse(uri).unwrap());
    black_box(Via::parse(first(Name::Via)).unwrap());
    black_box(From::parse(first(Name::From)).unwrap());
    black_box(To::parse(first(Name::To)).unwrap());
    black_box(Contact::parse(first(Name::Contact)).unwrap());
    black_box(CSeq::parse(first(Name::CSeq)).unwrap());
    black_box(ContentType::parse(first(Name::ContentType)).unwrap());
    frame.lines().count()
}

#[test]
fn reading_the_headers_of_an_invite_allocates_nothing() {
    let frame = framed();
    let (lines, count) = allocations(|| read(&frame));
    assert_eq!((lines, count), (14, 0));
}

fn write(frame: &Frame, out: &mut Vec<u8>) {
    let first = |name| frame.first(name).unwrap();
    let uri = Uri::parse("sip:+15551230042@10.20.0.5:5068;transport=tcp").unwrap();
    let mut writer = Writer::request(out, Method::Invite, &uri);
    writer
        .field(&Via::parse("SIP/2.0/TCP 10.20.0.1:5060;branch=z9hG4bK1f00").unwrap())
        .field(&MaxForwards(69))
        .field(&From::parse(first(Name::From)).unwrap())
        .field(&To::parse(first(Name::To)).unwrap())
        .field(&CallId("0c4f6a1e9b"))
        .field(&CSeq::parse(first(Name::CSeq)).unwrap());
    let sdp = ContentType::parse("application/sdp").unwrap();
    writer.finish(Some((&sdp, frame.body())));
}

#[test]
fn writing_an_invite_into_a_used_buffer_allocates_nothing() {
    let frame = framed();
    let mut out = Vec::with_capacity(2_048);
    let ((), count) = allocations(|| write(&frame, &mut out));
    assert!(out.starts_with(b"INVITE sip:+15551230042@10.20.0.5:5068;transport=tcp SIP/2.0\r\n"));
    assert_eq!(count, 0);
}

#[test]
fn the_counter_counts() {
    let (kept, count) = allocations(|| (vec![1_u8], Box::new(2_u8)));
    assert_eq!((kept.0.len(), *kept.1, count), (1, 2, 2));
}
