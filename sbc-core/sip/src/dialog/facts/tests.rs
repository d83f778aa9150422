//! From the bytes of a message to the dialog it makes (RFC 3261 §12.1).

use alloc::{format, string::String, vec::Vec};

use bytes::BytesMut;

use super::super::state::Dialog;
use super::*;
use crate::{
    message::{Method, Out, Via},
    wire::{Received, datagram},
};

fn frame(text: &str) -> Frame {
    let bytes = BytesMut::from(text.replace('\n', "\r\n").as_bytes());
    match datagram(bytes) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

fn written(uri: Uri<'_>) -> String {
    let mut bytes = Vec::new();
    uri.emit(&mut Out::new(&mut bytes));
    String::from_utf8(bytes).unwrap()
}

const INVITE: &str = "\
INVITE sips:+15551230042@node.example;user=phone SIP/2.0
VIA: SIP/2.0/TLS 10.0.0.151:50123;branch=z9hG4bK1
MAX-FORWARDS: 70
FROM: <sip:+14255550123@contoso.com;user=phone>;epid=8A6F;tag=f1
TO: <sip:+15551230042@node.example;user=phone>
CALL-ID: 2c1a6a1c
CSEQ: 77 INVITE
RECORD-ROUTE: <sip:p2.contoso.com;lr>;x=y,
 \"Edge, 1\" <sip:p1.contoso.com:5061;transport=tls;lr>
CONTACT: <sip:med1.contoso.com:5067;transport=Tls;ms-opaque=1f2e>
CONTENT-LENGTH: 0

";

/// RFC 3261 §12.1.1, and §8.1.1.6, §12.2.1.1 for the request that goes back.
#[test]
fn a_received_invite_makes_a_dialog_whose_requests_find_their_way_back() {
    let frame = frame(INVITE);
    let request = Request::read(&frame).unwrap();
    let opening = Opening::received(&request).unwrap();
    assert!(opening.secure);
    let routes = record_route(&frame).unwrap();
    let dialog = Dialog::as_uas(&opening, "ours", routes).unwrap();
    let mut bytes = Vec::new();
    let via = Via::parse("SIP/2.0/TLS node.example;branch=z9hG4bKx").unwrap();
    dialog
        .request(&mut bytes, Method::Bye, 5, &via)
        .finish(None);
    assert_eq!(
        String::from_utf8(bytes).unwrap().replace('\r', ""),
        "BYE sip:med1.contoso.com:5067;transport=Tls;ms-opaque=1f2e SIP/2.0
Via: SIP/2.0/TLS node.example;branch=z9hG4bKx
Max-Forwards: 70
Route: <sip:p2.contoso.com;lr>
Route: <sip:p1.contoso.com:5061;transport=tls;lr>
From: <sip:+15551230042@node.example;user=phone>;tag=ours
To: <sip:+14255550123@contoso.com;user=phone>;tag=f1
Call-ID: 2c1a6a1c
CSeq: 5 BYE
Content-Length: 0

"
    );
}

/// RFC 3261 §12.1.2
#[test]
fn a_received_response_gives_its_tag_contact_and_routes() {
    let text = "\
SIP/2.0 183 Session Progress
Via: SIP/2.0/TCP node;branch=z9hG4bK2
From: <sip:a@node>;tag=us
To: <sip:b@carrier>;tag=them
Call-ID: c
CSeq: 1 INVITE
m: <sip:b@192.0.2.9:5060>
Content-Length: 0

";
    let whole = frame(text);
    let reply = Reply::received(&Response::read(&whole).unwrap());
    assert_eq!((reply.status, reply.tag), (183, Some("them")));
    assert_eq!(
        reply.contact.map(written).as_deref(),
        Some("sip:b@192.0.2.9:5060")
    );
    assert!(!reply.is_success());
    assert_eq!(record_route(&whole).unwrap(), []);
    let bare = frame(
        &text
            .replace("m: <sip:b@192.0.2.9:5060>\n", "")
            .replace(";tag=them", ""),
    );
    let reply = Reply::received(&Response::read(&bare).unwrap());
    assert_eq!((reply.tag, reply.contact), (None, None));
}

#[test]
fn a_request_without_contact_makes_no_dialog_and_a_broken_route_no_route_set() {
    let options = INVITE.replace("INVITE", "OPTIONS").replace(
        "CONTACT: <sip:med1.contoso.com:5067;transport=Tls;ms-opaque=1f2e>\n",
        "",
    );
    let whole = frame(&options);
    assert!(Opening::received(&Request::read(&whole).unwrap()).is_none());
    let broken = frame(&INVITE.replace("<sip:p2.contoso.com;lr>", "<sip:p2.contoso.com;lr"));
    assert!(record_route(&broken).is_err());
    let many = format!("RECORD-ROUTE: {}<sip:p;lr>", "<sip:p;lr>, ".repeat(40));
    let many = frame(&INVITE.replace("RECORD-ROUTE:", &format!("{many}\nRECORD-ROUTE:")));
    assert_eq!(record_route(&many).unwrap().len(), 17);
}
