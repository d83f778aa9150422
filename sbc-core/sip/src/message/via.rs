//! Via: one hop's entry comes in, transport, sent-by and parameters go out
//! (RFC 3261 §20.42; RFC 3581; IPv6 as in RFC 5118 §4.5).

use core::net::IpAddr;

use super::field::{BadField, Field, Why};
use super::host::{Host, loose_ip, port};
use super::out::Out;
use super::params::Params;
use super::scan::{Cursor, number};
use crate::wire::Name;

/// What every branch of an RFC 3261 element starts with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// The transport a hop was reached by. Tokens are compared without case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport<'a> {
    Sctp,
    Tcp,
    Tls,
    TlsSctp,
    Udp,
    Ws,
    Wss,
    /// Any other token.
    Other(&'a str),
}

const TRANSPORTS: [(&str, Transport<'static>); 7] = [
    ("UDP", Transport::Udp),
    ("TCP", Transport::Tcp),
    ("TLS", Transport::Tls),
    ("SCTP", Transport::Sctp),
    ("TLS-SCTP", Transport::TlsSctp),
    ("WS", Transport::Ws),
    ("WSS", Transport::Wss),
];

impl<'a> Transport<'a> {
    /// Returns the transport `token` names.
    pub fn of(token: &'a str) -> Self {
        let row = TRANSPORTS
            .iter()
            .find(|row| row.0.eq_ignore_ascii_case(token));
        row.map_or(Self::Other(token), |row| row.1)
    }

    /// Returns the transport as written in a Via.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::TlsSctp => "TLS-SCTP",
            Self::Udp => "UDP",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(token) => token,
        }
    }

    /// Returns whether the transport delivers or says that it could not; an
    /// unknown one does not promise that.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp | Self::Other(_))
    }
}

/// One element of Via.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Via<'a> {
    pub transport: Transport<'a>,
    pub host: Host<'a>,
    pub port: Option<u16>,
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Returns the branch.
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch")
    }

    /// Returns whether the branch is unique, as RFC 3261 §8.1.1.7 wants it.
    pub fn has_cookie(&self) -> bool {
        let head = self
            .branch()
            .and_then(|branch| branch.get(..MAGIC_COOKIE.len()));
        head.is_some_and(|head| head.eq_ignore_ascii_case(MAGIC_COOKIE))
    }

    /// Returns the address the request came from, as the next hop saw it.
    pub fn received(&self) -> Option<IpAddr> {
        loose_ip(self.params.get("received")?)
    }

    /// Returns whether the sender wants the answer at the port it sent from.
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Returns the port the request came from, once a hop has filled it in.
    pub fn rport(&self) -> Option<u16> {
        port(self.params.get("rport")?).ok()
    }

    /// Returns the multicast address, or the address to answer to instead.
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.get("maddr")
    }

    /// Returns the time to live of a multicast packet.
    pub fn ttl(&self) -> Option<u8> {
        u8::try_from(number(self.params.get("ttl")?, u8::MAX.into())?).ok()
    }
}

impl<'a> Field<'a> for Via<'a> {
    const NAME: Name = Name::Via;

    fn parse(value: &'a str) -> Result<Self, BadField> {
        parse(value).map_err(|why| why.of(Self::NAME))
    }

    fn emit(&self, out: &mut Out<'_>) {
        out.text("SIP/2.0/")
            .token(self.transport.as_str())
            .text(" ");
        self.host.emit(out);
        if let Some(port) = self.port {
            out.text(":").number(port);
        }
        self.params.emit(out);
    }
}

fn parse(value: &str) -> Result<Via<'_>, Why> {
    let mut cursor = Cursor::new(value);
    cursor.space();
    let name = cursor.token()?;
    let slash = cursor.separator(b'/');
    let version = cursor.token()?;
    if !slash || !name.eq_ignore_ascii_case("SIP") || version != "2.0" {
        return Err(Why::Protocol);
    }
    if !cursor.separator(b'/') {
        return Err(Why::Protocol);
    }
    let transport = Transport::of(cursor.token()?);
    if !cursor.space() {
        return Err(Why::Host);
    }
    let (host, port) = sent_by(&mut cursor)?;
    let params = Params::parse(&mut cursor)?;
    Ok(Via {
        transport,
        host,
        port,
        params,
    })
}

/// Passes `host [ COLON port ]`, where white space may stand around the colon.
fn sent_by<'a>(cursor: &mut Cursor<'a>) -> Result<(Host<'a>, Option<u16>), Why> {
    let end = |byte| matches!(byte, b':' | b';' | b' ' | b'\t');
    let start = cursor.at();
    if cursor.peek() == Some(b'[') {
        cursor.until(|byte| byte == b']');
        cursor.eat(b']');
    } else {
        cursor.until(end);
    }
    let host = Host::parse(cursor.since(start))?;
    if !cursor.separator(b':') {
        return Ok((host, None));
    }
    Ok((host, Some(port(cursor.until(end))?)))
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::super::field::each;
    use super::*;

    fn via(value: &str) -> Via<'_> {
        Via::parse(value).unwrap_or_else(|bad| panic!("{value}: {bad}"))
    }

    /// RFC 3261 §8.1.1.7, §20.42
    #[test]
    fn a_via_falls_into_its_parts() {
        let via = via(
            "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1",
        );
        assert_eq!(
            (via.transport, via.host, via.port),
            (Transport::Udp, Host::Name("first.example.com"), Some(4_000))
        );
        assert_eq!(
            (via.ttl(), via.maddr(), via.branch()),
            (Some(16), Some("224.2.0.1"), Some("z9hG4bKa7c6a8dlze.1"))
        );
        assert!(via.has_cookie());
    }

    /// RFC 4475 §3.1.1.1 (wsinv)
    #[test]
    fn white_space_may_stand_around_every_separator() {
        let line = "SIP / 2.0 / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8  , \
                    SIP  /    2.0   / UDP  192.168.255.111   ; branch= z9hG4bK30239";
        let hops: Vec<_> = each::<Via<'_>>([line].into_iter())
            .map(Result::unwrap)
            .collect();
        assert_eq!(hops[0].transport, Transport::Tcp);
        assert_eq!(hops[0].branch(), Some("z9hG4bK9ikj8"));
        assert_eq!(hops[1].host.ip(), Some(IpAddr::from([192, 168, 255, 111])));
        assert_eq!(via("sip/2.0/UDP a : 5060 ;x").port, Some(5_060));
    }

    /// RFC 4475 §3.1.1.10 (transports)
    #[test]
    fn any_transport_is_read() {
        for (token, wanted) in [
            ("UNKNOWN", Transport::Other("UNKNOWN")),
            ("tls", Transport::Tls),
            ("SCTP", Transport::Sctp),
        ] {
            assert_eq!(Transport::of(token), wanted);
        }
        assert!(Transport::Tls.is_reliable() && !Transport::Udp.is_reliable());
        assert_eq!(
            via("SIP/2.0/UNKNOWN t.example.com").transport,
            Transport::Other("UNKNOWN")
        );
    }

    /// RFC 3581 §3, §4
    #[test]
    fn rport_is_asked_for_empty_and_answered_with_a_port() {
        let asked = via("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff");
        assert!(asked.wants_rport() && asked.rport().is_none());
        let answered = via("SIP/2.0/UDP 10.1.1.1:4540;received=192.0.2.1;rport=9988");
        assert_eq!(
            (answered.rport(), answered.received()),
            (Some(9_988), Some(IpAddr::from([192, 0, 2, 1])))
        );
    }

    /// RFC 5118 §4.5: with and without the brackets.
    #[test]
    fn received_is_read_with_and_without_brackets() {
        for value in [
            "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
            "SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
        ] {
            assert_eq!(
                via(value).received(),
                "2001:db8::9:255".parse().ok(),
                "{value}"
            );
        }
    }

    #[test]
    fn broken_vias_are_refused() {
        for value in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP;branch=1",
            "SIP/2.0 a",
            "SIP/3.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP a:70000",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP 2001:db8::1;branch=1",
            "SIP/2.0/UDP a;branch=1;branch=2",
            "SIP/2.0/UDP[::1]",
        ] {
            assert!(Via::parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn what_is_read_is_written_and_read_again() {
        let value = "SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bK1;rport;received=\"[::1]\"";
        let mut bytes = Vec::new();
        via(value).emit(&mut Out::new(&mut bytes));
        assert_eq!(String::from_utf8(bytes).unwrap(), value);
    }
}
