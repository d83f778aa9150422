//! A frame and what must be readable in it come in; what is read otherwise is a panic.

use std::collections::BTreeMap;

use sbc_sip::message::{
    CSeq, CallId, Contact, ContentType, Date, Field, From, MaxForwards, NameAddr, Out, Route, To,
    Uri, Via, each, list, multipart, single,
};
use sbc_sip::wire::{Frame, Name, StartLine};

/// Compares every reading a verdict asks for.
pub fn assert_readable(frame: &Frame, wanted: &BTreeMap<String, Vec<String>>) {
    for (key, wanted) in wanted {
        assert_eq!(&reading(frame, key), wanted, "{key} of {:?}", frame.head());
    }
}

fn reading(frame: &Frame, key: &str) -> Vec<String> {
    let whole = match key.split_once('.') {
        Some(("header", name)) => return header(frame, name),
        Some(("to", part)) => address(
            frame
                .first(Name::To)
                .and_then(|value| To::parse(value).ok())
                .expect("To")
                .0,
            part,
        ),
        Some(("from", part)) => address(
            frame
                .first(Name::From)
                .and_then(|value| From::parse(value).ok())
                .expect("From")
                .0,
            part,
        ),
        Some(("contact", part)) => return contact(frame, part),
        _ => match key {
            "method" | "uri" | "status" | "reason" => start(frame, key),
            "user" | "host" | "port" => address(NameAddr::new(request_uri(frame)), key),
            "call-id" => frame
                .first(Name::CallId)
                .and_then(|value| CallId::parse(value).ok())
                .expect("Call-ID")
                .0
                .to_owned(),
            "cseq" => written(|out| {
                frame
                    .first(Name::CSeq)
                    .and_then(|value| CSeq::parse(value).ok())
                    .expect("CSeq")
                    .emit(out);
            }),
            "max-forwards" => written(|out| {
                frame
                    .first(Name::MaxForwards)
                    .and_then(|value| MaxForwards::parse(value).ok())
                    .expect("it is a number")
                    .emit(out);
            }),
            "body" => frame.body().len().to_string(),
            "date" => frame.first(Name::Date).unwrap_or_default().to_owned(),
            "content-type" => frame
                .first(Name::ContentType)
                .unwrap_or_default()
                .to_owned(),
            "via-count" => vias(frame).len().to_string(),
            "via-received" => top_via(frame)
                .received()
                .expect("received is an address")
                .to_string(),
            "via" => return vias(frame),
            "contact" => return contacts(frame),
            "route" => {
                return each::<Route<'_>>(frame.all(Name::Route))
                    .map(|route| uri(&route.expect("a Route").0.uri))
                    .collect();
            }
            "accept" => {
                return frame
                    .all(Name::Accept)
                    .flat_map(list)
                    .map(str::to_owned)
                    .collect();
            }
            "unsupported" => {
                return crate::judge::unsupported(frame)
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
            }
            "parts" => return parts(frame),
            "unreadable" => return unreadable(frame),
            _ => panic!("no reading is called {key}"),
        },
    };
    vec![whole]
}

fn start(frame: &Frame, part: &str) -> String {
    match (frame.start(), part) {
        (StartLine::Request { method, .. }, "method") => method.to_owned(),
        (StartLine::Request { uri, .. }, "uri") => uri.to_owned(),
        (StartLine::Response { code, .. }, "status") => code.to_string(),
        (StartLine::Response { reason, .. }, "reason") => reason.to_owned(),
        (start, part) => panic!("{start:?} has no {part}"),
    }
}

fn request_uri(frame: &Frame) -> Uri<'_> {
    match frame.start() {
        StartLine::Request { uri, .. } => Uri::parse(uri).expect("a Request-URI"),
        start @ StartLine::Response { .. } => panic!("{start:?} has no URI"),
    }
}

fn address(address: NameAddr<'_>, part: &str) -> String {
    let absent = || "-".to_owned();
    match part {
        "uri" => uri(&address.uri),
        "tag" => address.params.get("tag").map_or_else(absent, str::to_owned),
        "display" => address
            .display
            .map_or_else(absent, |display| display.chars().collect()),
        "user" => String::from_utf8(address.uri.sip().expect("a SIP URI").user_bytes().collect())
            .expect("text"),
        "host" => address
            .uri
            .sip()
            .expect("a SIP URI")
            .host
            .to_string()
            .replace(['[', ']'], ""),
        "port" | "uri-port" => address
            .uri
            .sip()
            .expect("a SIP URI")
            .port
            .map_or_else(absent, |port| port.to_string()),
        _ => panic!("an address has no {part}"),
    }
}

fn header(frame: &Frame, name: &str) -> Vec<String> {
    let named = frame
        .lines()
        .filter(|(known, written, _)| match Name::of(name) {
            Name::Other => written.eq_ignore_ascii_case(name),
            wanted => *known == wanted,
        });
    named.map(|(_, _, value)| value.to_owned()).collect()
}

fn top_via(frame: &Frame) -> Via<'_> {
    each::<Via<'_>>(frame.all(Name::Via))
        .next()
        .expect("a Via")
        .expect("that can be read")
}

fn vias(frame: &Frame) -> Vec<String> {
    let shown = |via: Via<'_>| {
        let port = via.port.map_or_else(String::new, |port| format!(":{port}"));
        format!(
            "{} {}{port} {}",
            via.transport.as_str(),
            via.host,
            via.branch().unwrap_or("-")
        )
    };
    each::<Via<'_>>(frame.all(Name::Via))
        .map(|via| shown(via.expect("a Via")))
        .collect()
}

fn contacts(frame: &Frame) -> Vec<String> {
    let shown = |contact: Contact<'_>| {
        contact
            .address()
            .map_or_else(|| "*".to_owned(), |address| uri(&address.uri))
    };
    each::<Contact<'_>>(frame.all(Name::Contact))
        .map(|contact| shown(contact.expect("a Contact")))
        .collect()
}

fn contact(frame: &Frame, part: &str) -> Vec<String> {
    let first = each::<Contact<'_>>(frame.all(Name::Contact))
        .next()
        .expect("a Contact")
        .expect("that can be read");
    let first = *first.address().expect("an address");
    if part != "params" {
        return vec![address(first, part)];
    }
    let shown = |(name, value): (&str, Option<&str>)| {
        value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"))
    };
    first.params.iter().map(shown).collect()
}

/// The headers of this frame that are there and cannot be read.
fn unreadable(frame: &Frame) -> Vec<String> {
    let readable: [(&str, bool); 6] = [
        ("CSeq", single::<CSeq<'_>>(frame.all(Name::CSeq)).is_ok()),
        (
            "Contact",
            each::<Contact<'_>>(frame.all(Name::Contact)).all(|contact| contact.is_ok()),
        ),
        ("Date", single::<Date>(frame.all(Name::Date)).is_ok()),
        ("From", single::<From<'_>>(frame.all(Name::From)).is_ok()),
        (
            "Route",
            each::<Route<'_>>(frame.all(Name::Route)).all(|route| route.is_ok()),
        ),
        ("To", single::<To<'_>>(frame.all(Name::To)).is_ok()),
    ];
    readable
        .into_iter()
        .filter(|(_, readable)| !readable)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The lengths of the parts of a multipart body.
fn parts(frame: &Frame) -> Vec<String> {
    let kind = frame.first(Name::ContentType).expect("Content-Type");
    let kind = ContentType::parse(kind).expect("a type");
    let parts = multipart::parse(&kind, frame.body()).expect("a multipart body");
    parts
        .iter()
        .map(|part| part.body.len().to_string())
        .collect()
}

fn uri(uri: &Uri<'_>) -> String {
    written(|out| uri.emit(out))
}

fn written(emit: impl FnOnce(&mut Out<'_>)) -> String {
    let mut bytes = Vec::new();
    emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).expect("text stays text")
}
