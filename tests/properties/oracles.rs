//! Two parsers of other people: a message we wrote comes in, and they see the tree we see.

use bytes::Bytes;
use proptest::prelude::*;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use sbc_sip::message::{Contact, Host, NameAddr, Request, Route, Uri, Via, each};
use sbc_sip::wire::{Frame, Name};
use sipx_sip::headers as sipx;

use crate::grammar::{Taste, request};
use crate::wholes::{framed, written};

/// A message as lines, each a place in it and what stands there.
type Tree = Vec<String>;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

mod ours {
    use super::*;

    pub fn tree(frame: &Frame) -> Tree {
        let request = Request::read(frame).unwrap();
        let mut tree = vec![
            format!("method {}", request.method),
            format!("uri {}", uri(&request.uri)),
        ];
        tree.extend(each::<Via<'_>>(frame.all(Name::Via)).map(|value| via(&value.unwrap())));
        tree.push(format!("from {}", address(&request.from.0)));
        tree.push(format!("to {}", address(&request.to.0)));
        tree.push(format!("call-id {}", request.call_id.0));
        tree.push(format!(
            "cseq {} {}",
            request.cseq.number, request.cseq.method
        ));
        tree.push(format!("max-forwards {}", request.max_forwards.unwrap().0));
        tree.extend(
            each::<Route<'_>>(frame.all(Name::Route))
                .map(|route| format!("route {}", address(&route.unwrap().0))),
        );
        let contacts = each::<Contact<'_>>(frame.all(Name::Contact));
        tree.extend(
            contacts
                .map(|contact| format!("contact {}", address(contact.unwrap().address().unwrap()))),
        );
        tree.push(format!("body {:?}", frame.body()));
        tree
    }

    pub fn via(via: &Via<'_>) -> String {
        let params: Vec<_> = via
            .params
            .iter()
            .map(|(name, _)| (name.to_ascii_lowercase(), plain(via.params.text(name))))
            .collect();
        format!(
            "via {} {} {:?} {params:?}",
            via.transport.as_str(),
            via.host,
            via.port
        )
    }

    fn plain(value: Option<impl Iterator<Item = char>>) -> Option<String> {
        value.map(Iterator::collect)
    }

    fn address(address: &NameAddr<'_>) -> String {
        let display: Option<String> = address.display.map(|display| display.chars().collect());
        let params: Vec<_> = address
            .params
            .iter()
            .map(|(name, _)| (name.to_ascii_lowercase(), plain(address.params.text(name))))
            .collect();
        format!("{display:?} {} {params:?}", uri(&address.uri))
    }

    pub fn uri(uri: &Uri<'_>) -> String {
        let sip = uri.sip().unwrap();
        let user: Option<Vec<u8>> = sip.user.map(|_| sip.user_bytes().collect());
        let params: Vec<_> = sip.params.iter().collect();
        let host = host(&sip.host);
        format!(
            "{} {:?} {:?} {host} {:?} {params:?}",
            uri.scheme(),
            user.map(|user| text(&user)),
            sip.password,
            sip.port
        )
    }

    pub fn host(host: &Host<'_>) -> String {
        host.to_string()
    }
}

mod theirs {
    use super::*;

    pub fn tree(bytes: &[u8]) -> Tree {
        let message =
            sipx_sip::parse_datagram(Bytes::copy_from_slice(bytes), &sipx_sip::Limits::datagram())
                .unwrap();
        let sipx_sip::Message::Request(request) = message else {
            panic!("a request")
        };
        let headers = &request.headers;
        let mut tree = vec![
            format!("method {}", request.method),
            format!("uri {}", uri(&request.uri)),
        ];
        tree.extend(
            headers
                .typed_all::<sipx::Via>()
                .map(|value| via(&value.unwrap())),
        );
        tree.push(format!(
            "from {}",
            address(&headers.typed::<sipx::From>().unwrap().unwrap())
        ));
        tree.push(format!(
            "to {}",
            address(&headers.typed::<sipx::To>().unwrap().unwrap())
        ));
        tree.push(format!(
            "call-id {}",
            text(&headers.typed::<sipx::CallId>().unwrap().unwrap().0)
        ));
        let cseq = headers.typed::<sipx::CSeq>().unwrap().unwrap();
        tree.push(format!("cseq {} {}", cseq.sequence, cseq.method));
        tree.push(format!(
            "max-forwards {}",
            headers.typed::<sipx::MaxForwards>().unwrap().unwrap().0
        ));
        tree.extend(
            headers
                .typed_all::<sipx::Route>()
                .map(|route| format!("route {}", address(&route.unwrap()))),
        );
        tree.extend(
            headers
                .typed_all::<sipx::Contact>()
                .map(|contact| format!("contact {}", address(&contact.unwrap()))),
        );
        tree.push(format!("body {:?}", &request.body()[..]));
        tree
    }

    fn via(via: &sipx::Via) -> String {
        format!(
            "via {} {} {:?} {:?}",
            text(&via.transport),
            via.host,
            via.port,
            params(&via.params)
        )
    }

    fn params(params: &[sipx::HeaderParam]) -> Vec<(String, Option<String>)> {
        params
            .iter()
            .map(|param| {
                (
                    text(&param.name).to_ascii_lowercase(),
                    param.value.as_deref().map(text),
                )
            })
            .collect()
    }

    fn address(address: &sipx::Address) -> String {
        format!(
            "{:?} {} {:?}",
            address.display_name.as_deref().map(text),
            uri(&address.uri),
            params(&address.params)
        )
    }

    fn uri(uri: &sipx_sip::Uri) -> String {
        let params = uri.params().into_iter().flat_map(sipx_sip::Params::iter);
        let params: Vec<_> = params
            .map(|param| (text(param.name()), param.value().map(text)))
            .collect();
        format!(
            "{} {:?} {:?} {} {:?} {params:?}",
            text(uri.scheme().as_bytes()),
            uri.decoded_user().map(|user| text(&user)),
            uri.password().map(text),
            uri.host().unwrap(),
            uri.port(),
        )
    }
}

/// rsipstack reads what living peers send: it finds brackets and semicolons without
/// regard to quotes and has no place for a parameter twice escaped. It gets tame texts, and
/// is asked for what routes a message: user, host, port, tags, branch.
mod rsipstack_sees {
    use super::*;

    pub fn tree(bytes: &[u8]) -> Tree {
        let message = rsipstack::sip::SipMessage::try_from(bytes).unwrap();
        let rsipstack::sip::SipMessage::Request(request) = message else {
            panic!("a request")
        };
        let via = request.top_via_header().unwrap().typed().unwrap();
        let from = request.from_header().unwrap().typed().unwrap();
        let to = request.to_header().unwrap().typed().unwrap();
        let cseq = request.cseq_header().unwrap().typed().unwrap();
        vec![
            format!("method {}", request.method()),
            format!("uri {}", uri(request.uri())),
            format!(
                "via {} {} {}",
                via.transport,
                via.uri.host_with_port,
                via.branch().unwrap().value()
            ),
            format!(
                "from {} {:?}",
                uri(&from.uri),
                from.tag().map(|tag| tag.value().to_owned())
            ),
            format!(
                "to {} {:?}",
                uri(&to.uri),
                to.tag().map(|tag| tag.value().to_owned())
            ),
            format!("call-id {}", request.call_id_header().unwrap().value()),
            format!("cseq {} {}", cseq.seq, cseq.method),
            format!("body {:?}", request.body()),
        ]
    }

    fn uri(uri: &rsipstack::sip::Uri) -> String {
        format!(
            "{} {:?} {}",
            uri.scheme.as_ref().unwrap(),
            uri.user(),
            uri.host_with_port
        )
    }
}

/// The same few places as we see them.
fn routed(frame: &Frame) -> Tree {
    let request = Request::read(frame).unwrap();
    let place = |host: &Host<'_>, port: Option<u16>| {
        port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
    };
    let uri = |uri: &Uri<'_>| {
        let sip = uri.sip().unwrap();
        format!(
            "{} {:?} {}",
            uri.scheme(),
            sip.user,
            place(&sip.host, sip.port)
        )
    };
    vec![
        format!("method {}", request.method),
        format!("uri {}", uri(&request.uri)),
        format!(
            "via {} {} {}",
            request.via.transport.as_str(),
            place(&request.via.host, request.via.port),
            request.via.branch().unwrap()
        ),
        format!("from {} {:?}", uri(&request.from.0.uri), request.from.tag()),
        format!("to {} {:?}", uri(&request.to.0.uri), request.to.tag()),
        format!("call-id {}", request.call_id.0),
        format!("cseq {} {}", request.cseq.number, request.cseq.method),
        format!("body {:?}", frame.body()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_024) })]

    /// RFC 3261 §25.1
    #[test]
    fn sipx_reads_what_we_write_to_the_same_tree(texts in request(Taste::Wild)) {
        let bytes = written(&texts);
        assert_eq!(ours::tree(&framed(&bytes)), theirs::tree(&bytes), "{}", bytes.escape_ascii());
    }

    /// RFC 3261 §25.1
    #[test]
    fn rsipstack_routes_what_we_write_as_we_would(texts in request(Taste::Tame)) {
        let bytes = written(&texts);
        assert_eq!(routed(&framed(&bytes)), rsipstack_sees::tree(&bytes), "{}", bytes.escape_ascii());
    }
}
