//! Whole messages: texts of the grammar become typed values, a message of ours, and typed
//! values again, however the stream that brought it was cut.

use core::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use sbc_sip::message::{
    CSeq, CallId, Contact, ContentType, Field, From, MaxForwards, Method, Request, Route, To, Uri,
    Via, Writer, each,
};
use sbc_sip::wire::{Frame, Name, Received, Stream, datagram};

use crate::grammar::{Taste, Texts, request};

/// Returns the request of these texts, written from typed values only.
pub fn written(texts: &Texts) -> Vec<u8> {
    let method = Method::parse(&texts.method).unwrap();
    let mut bytes = Vec::new();
    let mut writer = Writer::request(&mut bytes, method, &Uri::parse(&texts.uri).unwrap());
    for via in &texts.vias {
        writer.field(&Via::parse(via).unwrap());
    }
    writer
        .field(&MaxForwards(texts.max_forwards))
        .field(&From::parse(&texts.from).unwrap())
        .field(&To::parse(&texts.to).unwrap())
        .field(&CallId::parse(&texts.call_id).unwrap())
        .field(&CSeq {
            number: texts.cseq,
            method,
        });
    for route in &texts.routes {
        writer.field(&Route::parse(route).unwrap());
    }
    writer.field(&Contact::parse(&texts.contact).unwrap());
    let kind = ContentType::new("application", "octet-stream");
    writer.finish(Some((&kind, &texts.body)));
    bytes
}

pub fn framed(bytes: &[u8]) -> Frame {
    match datagram(BytesMut::from(bytes)) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    }
}

fn assert_read(frame: &Frame, texts: &Texts) {
    let request = Request::read(frame).unwrap_or_else(|fault| panic!("{fault}: {}", frame.head()));
    assert_eq!(request.method.as_str(), texts.method);
    assert_eq!(request.uri, Uri::parse(&texts.uri).unwrap());
    assert_eq!(request.from, From::parse(&texts.from).unwrap());
    assert_eq!(request.to, To::parse(&texts.to).unwrap());
    assert_eq!(request.call_id, CallId(&texts.call_id));
    assert_eq!(
        (request.cseq.number, request.cseq.method.as_str()),
        (texts.cseq, &*texts.method)
    );
    assert_eq!(request.max_forwards, Some(MaxForwards(texts.max_forwards)));
    let vias: Vec<_> = each::<Via<'_>>(frame.all(Name::Via))
        .map(Result::unwrap)
        .collect();
    let wanted: Vec<_> = texts
        .vias
        .iter()
        .map(|via| Via::parse(via).unwrap())
        .collect();
    assert_eq!(vias, wanted);
    let routes: Vec<_> = each::<Route<'_>>(frame.all(Name::Route))
        .map(Result::unwrap)
        .collect();
    let wanted: Vec<_> = texts
        .routes
        .iter()
        .map(|route| Route::parse(route).unwrap())
        .collect();
    assert_eq!(routes, wanted);
    assert_eq!(
        request.contact,
        Some(Contact::parse(&texts.contact).unwrap())
    );
    assert_eq!(frame.body(), texts.body);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_024) })]

    /// RFC 3261 §7.1, §7.3, §7.4
    #[test]
    fn a_request_is_read_as_it_was_written(texts in request(Taste::Wild)) {
        assert_read(&framed(&written(&texts)), &texts);
    }

    /// RFC 3261 §18.3
    #[test]
    fn a_stream_of_requests_is_the_same_requests_however_it_is_cut(
        all in proptest::collection::vec(request(Taste::Tame), 1..5),
        cuts in proptest::collection::vec(1_usize..400, 1..20),
    ) {
        let octets: Vec<u8> = all.iter().flat_map(written).collect();
        let mut stream = Stream::new();
        let mut frames = Vec::new();
        let mut rest = &octets[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, tail) = rest.split_at((*cut).min(rest.len()));
            stream.push(Duration::ZERO, part);
            rest = tail;
            while let Some(received) = stream.take().unwrap() {
                match received {
                    Received::Message(frame) => frames.push(frame),
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(frames.len(), all.len());
        for (frame, texts) in frames.iter().zip(&all) {
            assert_read(frame, texts);
        }
    }
}
