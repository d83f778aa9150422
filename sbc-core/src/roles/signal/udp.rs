//! SIP over UDP: datagrams come in from listed sources and go to the engine,
//! answers leave by the socket they came to (RFC 3261 §18.2.1, RFC 3581 §4).

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::BytesMut;
use sbc_call::Input;
use sbc_config::Socket;
use sbc_sip::transaction::destination::{Destination, Transport};
use sbc_sip::wire::{self, Received};
use tokio::net::UdpSocket;

use super::desk::Desk;

/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// Room for many datagrams, so that one allocation serves them all.
const ROOM: usize = 4 * DATAGRAM;

/// Datagrams of one socket before the others get their turn.
const TURN: usize = 64;

/// One socket of the node.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    /// Datagrams the kernel had no room for; the transaction repeats them.
    pub unsent: Cell<u64>,
}

impl Udp {
    /// Takes a bound socket.
    ///
    /// # Errors
    /// When it is no UDP socket.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let socket = std::net::UdpSocket::from(socket);
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        Ok(Self {
            socket,
            unsent: Cell::new(0),
        })
    }

    /// Sends one datagram. Returns false when the network said that it cannot
    /// arrive; a full buffer is no such word.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        match self.socket.try_send_to(bytes, to) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent.set(self.unsent.get() + 1);
                true
            }
            Err(_) => false,
        }
    }
}

/// Reads the socket of number `index` for ever.
pub async fn read(desk: Rc<Desk>, index: usize, at: Socket, udp: Rc<Udp>) {
    let mut buffer = BytesMut::zeroed(ROOM);
    'turns: loop {
        if udp.socket.readable().await.is_err() {
            return;
        }
        let mut left = TURN;
        while left > 0 {
            left -= 1;
            match udp.socket.try_recv_from(&mut buffer) {
                Ok((length, remote)) => {
                    // The message keeps its part of the room; the rest is read into next.
                    let octets = buffer.split_to(length);
                    take(&desk, index, at, remote, octets);
                    if buffer.len() < DATAGRAM {
                        buffer = BytesMut::zeroed(ROOM);
                    }
                }
                // Nobody waits for a turn that was not used up.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue 'turns,
                // An ICMP error of an earlier datagram; its transaction times out.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

fn take(desk: &Rc<Desk>, index: usize, at: Socket, remote: SocketAddr, octets: BytesMut) {
    let from = Destination {
        transport: Transport::Udp,
        remote,
        connection: index as u64,
    };
    match wire::datagram(octets) {
        Ok(Received::Message(frame)) => desk.handle(Input::Received { from, at, frame }),
        Ok(Received::Ping | Received::Pong | Received::Nothing) => {}
        Err(what) => desk.handle(Input::Malformed { from, at, what }),
    }
}
