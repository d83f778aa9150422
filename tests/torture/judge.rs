//! A frame comes in, what a user agent makes of it goes out, in the word of a verdict.

use bytes::BytesMut;
use sbc_sip::message::validate::abilities::Abilities;
use sbc_sip::message::validate::{Request, Response};
use sbc_sip::message::{Contact, ContentType, Echo, Field, Method, Status, Via, Writer, each};
use sbc_sip::wire::{Frame, Name, Received, datagram};

/// A message nothing is wrong with.
pub const PROBE: &[u8] = b"OPTIONS sip:user@example.com SIP/2.0\r\n\
    Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKprobe\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:caller@example.net>;tag=probe\r\n\
    To: <sip:user@example.com>\r\n\
    Call-ID: probe@192.0.2.1\r\n\
    CSeq: 1 OPTIONS\r\n\
    Content-Length: 0\r\n\r\n";

/// The user agent the torture messages are sent to: it knows what RFC 4475 presumes.
const AGENT: Abilities<'static> = Abilities {
    methods: &[
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Info,
        Method::Invite,
        Method::Message,
        Method::Options,
        Method::Prack,
        Method::Register,
        Method::Update,
    ],
    passed_on: &[],
    schemes: &["sip", "sips", "tel"],
    extensions: &["100rel", "timer", "replaces"],
    bodies: &[
        ContentType::SDP,
        ContentType::new("multipart", "mixed"),
        ContentType::new("text", "plain"),
    ],
};

/// Returns `accept`, a status, or `drop`.
pub fn of_frame(frame: &Frame) -> String {
    if !frame.is_request() {
        return Response::read(frame)
            .map_or("drop", |_| "accept")
            .to_owned();
    }
    let status = match Request::read(frame) {
        Err(fault) => fault.status(),
        Ok(request) => match AGENT.check(&request) {
            Ok(()) => return "accept".to_owned(),
            Err(unable) => unable.status(),
        },
    };
    match frame.is_answerable() {
        true => status.to_string(),
        false => "drop".to_owned(),
    }
}

/// Returns the tags that Unsupported would name.
pub fn unsupported(frame: &Frame) -> Vec<&str> {
    use sbc_sip::message::validate::abilities::Unable;
    let request = Request::read(frame).expect("it can be read");
    match AGENT.check(&request) {
        Err(Unable::Extension(unsupported)) => unsupported.tags().collect(),
        other => panic!("{other:?}"),
    }
}

/// What is accepted is written from its typed values and reads the same; what can be
/// answered gets an answer that echoes octet for octet (RFC 3261 §8.2.6.2).
pub fn assert_rewritten(frame: &Frame) {
    if let Some(request) = Request::read(frame)
        .ok()
        .filter(|request| !needs_more(request.method))
    {
        let written = rewritten(&request);
        let again = framed(&written);
        let again =
            Request::read(&again).unwrap_or_else(|fault| panic!("{fault}: {}", again.head()));
        assert_eq!(
            (request.method, request.uri, request.via),
            (again.method, again.uri, again.via)
        );
        assert_eq!((request.call_id, request.cseq), (again.call_id, again.cseq));
        assert_eq!(request.max_forwards, again.max_forwards);
        assert_eq!(request.frame.body(), again.frame.body());
        // A control octet, legal behind a backslash, is written as a space.
        if !frame
            .head()
            .contains(|letter| matches!(letter, '\0'..='\x08' | '\x7F'))
        {
            assert_eq!((request.from, request.to), (again.from, again.to));
            assert_eq!(request.contact, again.contact);
        }
    }
    if frame.is_request() && frame.is_answerable() {
        let mut bytes = Vec::new();
        let mut writer = Writer::response(&mut bytes, Status::BAD_REQUEST, None);
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            for value in frame.all(name) {
                writer.raw_echo(name, Echo::of(value));
            }
        }
        writer.finish(None);
        let answer = framed(&bytes);
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            assert!(
                frame.all(name).eq(answer.all(name)),
                "{} of {}",
                name.canonical(),
                answer.head()
            );
        }
    }
}

fn rewritten(request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::request(&mut bytes, request.method, &request.uri);
    for via in each::<Via<'_>>(request.frame.all(Name::Via)) {
        writer.maybe(via.ok().as_ref());
    }
    writer
        .maybe(request.max_forwards.as_ref())
        .field(&request.from)
        .field(&request.to);
    writer.field(&request.call_id).field(&request.cseq);
    for contact in each::<Contact<'_>>(request.frame.all(Name::Contact)) {
        writer.maybe(contact.ok().as_ref());
    }
    let kind = request
        .frame
        .first(Name::ContentType)
        .map(|value| ContentType::parse(value).expect("it was read"));
    let body = request.frame.body();
    writer.finish(
        kind.as_ref()
            .filter(|_| !body.is_empty())
            .map(|kind| (kind, body)),
    );
    bytes
}

/// Whether a request of that method is nothing without headers that have no type here.
const fn needs_more(method: Method<'_>) -> bool {
    matches!(
        method,
        Method::Notify | Method::Prack | Method::Refer | Method::Subscribe
    )
}

fn framed(bytes: &[u8]) -> Frame {
    match datagram(BytesMut::from(bytes)) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(bytes)),
    }
}
