//! A dialog: messages on a stream make one and live in it; whatever they said, each
//! request we make of it is valid and names the dialog (RFC 3261 §12).

use core::time::Duration;

use bytes::BytesMut;
use sbc_sip::dialog::{Dialog, Opening, Reply, record_route};
use sbc_sip::message::{Field, Method, NameAddr, Request, Response, Uri, Via};
use sbc_sip::wire::{Frame, Received, Stream, datagram};

/// The first message makes the dialog, the others happen in it.
pub fn dialog(octets: &[u8]) {
    let mut stream = Stream::new();
    for part in octets.chunks(4_096).take(32) {
        stream.push(Duration::ZERO, part);
    }
    let mut dialog = None;
    for _ in 0..64 {
        match stream.take() {
            Ok(Some(Received::Message(frame))) => match &mut dialog {
                None => dialog = opened(&frame),
                Some(dialog) => lived(dialog, &frame),
            },
            Ok(None) => break,
            _ if stream.is_lost() => break,
            _ => {}
        }
        if let Some(dialog) = &mut dialog {
            check(dialog);
        }
    }
}

fn opened(frame: &Frame) -> Option<Dialog> {
    let routes = record_route(frame).ok()?;
    if frame.is_request() {
        let request = Request::read(frame).ok()?;
        return Dialog::as_uas(&Opening::received(&request)?, "ours", routes).ok();
    }
    let response = Response::read(frame).ok()?;
    let from = NameAddr::parse("<sip:sbc@example.com>;tag=ours").expect("an address");
    let opening = Opening {
        call_id: response.call_id.0,
        from,
        to: NameAddr::new(response.to.0.uri),
        cseq: response.cseq.number,
        target: Uri::parse("sip:b@example.com").expect("a URI"),
        secure: false,
    };
    Dialog::as_uac(&opening, &Reply::received(&response), routes).ok()
}

fn lived(dialog: &mut Dialog, frame: &Frame) {
    if let Ok(request) = Request::read(frame) {
        let _ = dialog.receive(request.method, request.cseq.number);
        if let Some(address) = request
            .contact
            .as_ref()
            .and_then(|contact| contact.address())
        {
            let _ = dialog.refresh(request.method, address.uri);
        }
    } else if let (Ok(response), Ok(routes)) = (Response::read(frame), record_route(frame)) {
        let reply = Reply::received(&response);
        if reply.is_success() {
            let _ = dialog.succeed(&reply, routes);
        }
    }
}

fn check(dialog: &mut Dialog) {
    let Some(cseq) = dialog.next_cseq(7) else {
        return;
    };
    let via = Via::parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours").expect("a Via");
    let mut bytes = Vec::new();
    dialog
        .request(&mut bytes, Method::Bye, cseq, &via)
        .finish(None);
    let frame = match datagram(BytesMut::from(&*bytes)) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    };
    let request = Request::read(&frame).unwrap_or_else(|fault| panic!("{fault}: {}", frame.head()));
    assert_eq!(request.from.tag(), Some("ours"), "{}", frame.head());
    assert_eq!(request.to.tag(), dialog.remote_tag(), "{}", frame.head());
    assert_eq!(request.call_id.0, dialog.call_id());
    assert_eq!(request.cseq.number, cseq);
    assert!(dialog.matches(request.call_id.0, request.from.tag(), request.to.tag()));
}
