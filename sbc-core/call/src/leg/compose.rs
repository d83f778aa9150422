//! Messages of ours: typed values come in, bytes go out. Nothing of another
//! side's message can be in them but what a caller of these functions typed
//! (RFC 3261 §8.1.1, §8.2.6, RFC 7092 §3.2).

use alloc::vec::Vec;
use core::net::SocketAddr;

use sbc_config::Peer;
use sbc_config::peer::Prack;
use sbc_sip::message::session::{MinSe, SessionExpires};
use sbc_sip::message::tokens::{Allow, Supported, Tokens};
use sbc_sip::message::{
    CSeq, CallId, Contact, ContentType, From, MaxForwards, Method, NameAddr, Param, Params, Route,
    SipUri, To, Transport as ViaTransport, Uri, UriParams, Via, Writer,
};
use sbc_sip::transaction::destination::Transport;

/// What a request has room for without growing: an INVITE with its session
/// description.
pub const USUAL: usize = 1536;

/// The methods this node understands on any leg.
pub const METHODS: [&str; 7] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE",
];

/// Where our side of a leg is: the socket its peer knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Local {
    pub address: SocketAddr,
    pub transport: Transport,
}

/// The part of a request that says which dialog it is of.
#[derive(Debug)]
pub struct Head<'a> {
    pub uri: Uri<'a>,
    pub routes: &'a [Uri<'a>],
    pub from: NameAddr<'a>,
    pub to: NameAddr<'a>,
    pub call_id: &'a str,
    pub cseq: u32,
    pub max_forwards: u8,
    pub branch: &'a str,
}

/// Returns the Contact of ours on this leg: an address and nothing of the call.
#[must_use]
pub fn contact_uri<'a>(local: Local) -> SipUri<'a> {
    const TCP: UriParams<'static> = UriParams::of(&[("transport", Some("tcp"))]);
    const TLS: UriParams<'static> = UriParams::of(&[("transport", Some("tls"))]);
    let params = match local.transport {
        Transport::Udp => UriParams::NONE,
        Transport::Tcp => TCP,
        Transport::Tls => TLS,
    };
    SipUri {
        port: Some(local.address.port()),
        params,
        ..SipUri::new(local.address.ip().into())
    }
}

/// Starts a request in `bytes`: everything that each request has.
pub fn start<'b>(
    bytes: &'b mut Vec<u8>,
    local: Local,
    method: Method<'_>,
    head: &Head<'_>,
) -> Writer<'b> {
    let both: [Param<'_>; 2] = [("branch", Some(head.branch)), ("rport", None)];
    let one: [Param<'_>; 1] = [("branch", Some(head.branch))];
    // RFC 3581 §3 is for datagrams; a connection needs no port to answer to.
    let params = match local.transport {
        Transport::Udp => Params::of(&both),
        Transport::Tcp | Transport::Tls => Params::of(&one),
    };
    let mut writer = Writer::request(bytes, method, &head.uri);
    writer
        .field(&Via {
            transport: via_transport(local.transport),
            host: local.address.ip().into(),
            port: Some(local.address.port()),
            params,
        })
        .field(&MaxForwards(head.max_forwards));
    for route in head.routes {
        writer.field(&Route(NameAddr::new(*route)));
    }
    writer
        .field(&From(head.from))
        .field(&To(head.to))
        .field(&CallId(head.call_id))
        .field(&CSeq {
            number: head.cseq,
            method,
        });
    writer
}

/// Writes our Contact.
pub fn contact(writer: &mut Writer<'_>, local: Local) {
    let uri = Uri::Sip(contact_uri(local));
    writer.field(&Contact::Address(NameAddr::new(uri)));
}

/// Writes what we understand on the leg of `peer`.
pub fn abilities(writer: &mut Writer<'_>, peer: &Peer) {
    writer.field(&Allow(Tokens::of(&METHODS)));
    let tags: &[&str] = match peer.prack {
        Prack::Off => &["timer"],
        Prack::Supported | Prack::Required => &["timer", "100rel"],
    };
    writer.field(&Supported(Tokens::of(tags)));
}

/// Writes Session-Expires, and Min-SE if there is one (RFC 4028 §4, §5).
pub fn session_expires(writer: &mut Writer<'_>, expires: &SessionExpires, least: Option<MinSe>) {
    writer.field(expires).maybe(least.as_ref());
}

/// Ends a message, with a session description if there is one.
pub fn finish(writer: Writer<'_>, sdp: Option<&str>) {
    match sdp {
        Some(sdp) => writer.finish(Some((&ContentType::SDP, sdp.as_bytes()))),
        None => writer.finish(None),
    }
}

const fn via_transport(transport: Transport) -> ViaTransport<'static> {
    match transport {
        Transport::Udp => ViaTransport::Udp,
        Transport::Tcp => ViaTransport::Tcp,
        Transport::Tls => ViaTransport::Tls,
    }
}

/// Writes what the other side must support.
pub fn require(writer: &mut Writer<'_>, tags: &[&str]) {
    writer.field(&sbc_sip::message::tokens::Require(Tokens::of(tags)));
}
