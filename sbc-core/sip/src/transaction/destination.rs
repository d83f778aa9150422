//! Where a request came from comes in, where its response goes comes out:
//! RFC 3261 §18.2.2, RFC 3581 §4.

use core::net::SocketAddr;

use super::Reliability;

/// The port SIP is spoken on over UDP and TCP, where a Via names none (RFC 3261 §18.2.2).
const PORT: u16 = 5060;

/// The same for TLS.
const TLS_PORT: u16 = 5061;

/// What carries the messages.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// Returns whether a message handed to this transport may be lost (RFC 3261 §17).
    pub const fn reliability(self) -> Reliability {
        match self {
            Self::Udp => Reliability::Unreliable,
            Self::Tcp | Self::Tls => Reliability::Reliable,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => PORT,
            Self::Tls => TLS_PORT,
        }
    }
}

/// Where a message goes to or comes from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Destination {
    pub transport: Transport,
    /// The other end's address.
    pub remote: SocketAddr,
    /// The driver's own name for the local socket or the connection.
    pub connection: u64,
}

/// Which neighbour a message came from. Transactions of different peers never
/// meet, whatever their messages say.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Peer(pub u32);

/// Where a received message comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Source {
    pub peer: Peer,
    pub from: Destination,
}

impl Source {
    /// Returns where the response to a request from here goes. `port` is that
    /// of the top Via's sent-by, `rport` whether that Via asks for the port
    /// the request came from.
    ///
    /// The address is always the one the request came from, and a `maddr` is
    /// not followed: both would let a peer aim our answers at somebody else.
    /// On a connection, the address is where to connect if it has gone.
    pub fn answer(&self, port: Option<u16>, rport: bool) -> Destination {
        let Destination {
            transport, remote, ..
        } = self.from;
        let port = match transport {
            Transport::Udp if rport => remote.port(),
            _ => port.unwrap_or(transport.port()),
        };
        // The rest of an IPv6 address, such as the link it is on, stays.
        let mut remote = remote;
        remote.set_port(port);
        Destination {
            remote,
            ..self.from
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    fn from(transport: Transport) -> Source {
        let from = Destination {
            transport,
            remote: "192.0.2.9:40000".parse().unwrap(),
            connection: 7,
        };
        Source {
            peer: Peer(1),
            from,
        }
    }

    fn answer(transport: Transport, port: Option<u16>, rport: bool) -> (String, u64) {
        let to = from(transport).answer(port, rport);
        (to.remote.to_string(), to.connection)
    }

    /// RFC 3261 §18.2.2: the address of `received`, the port of sent-by.
    #[test]
    fn an_answer_over_udp_goes_to_the_source_address_and_the_port_of_sent_by() {
        assert_eq!(
            answer(Transport::Udp, Some(5070), false),
            ("192.0.2.9:5070".into(), 7)
        );
        assert_eq!(
            answer(Transport::Udp, None, false),
            ("192.0.2.9:5060".into(), 7)
        );
    }

    /// RFC 3581 §4: with `rport`, the port is the one the request came from.
    #[test]
    fn an_answer_over_udp_with_rport_goes_where_the_request_came_from() {
        assert_eq!(
            answer(Transport::Udp, Some(5070), true),
            ("192.0.2.9:40000".into(), 7)
        );
    }

    /// RFC 3261 §18.2.2: on its connection, else to the port of sent-by.
    #[test]
    fn an_answer_on_a_connection_knows_where_to_connect_if_it_has_gone() {
        for rport in [false, true] {
            assert_eq!(
                answer(Transport::Tcp, Some(5068), rport),
                ("192.0.2.9:5068".into(), 7)
            );
        }
        assert_eq!(
            answer(Transport::Tls, None, false),
            ("192.0.2.9:5061".into(), 7)
        );
    }

    /// RFC 3261 §17
    #[test]
    fn only_udp_loses_messages() {
        assert_eq!(Transport::Udp.reliability(), Reliability::Unreliable);
        assert_eq!(Transport::Tcp.reliability(), Reliability::Reliable);
        assert_eq!(Transport::Tls.reliability(), Reliability::Reliable);
    }
}
