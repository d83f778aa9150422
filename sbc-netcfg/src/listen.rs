//! Listening sockets: opened by whoever holds the fence, for those who must not
//! open any. The socket handed over is the proof.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use sbc_plan::Fence;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted; a pool of Mediation Servers that all
/// reconnect at once fits.
const BACKLOG: i32 = 128;

/// A burst of datagrams that waits for the signal role: 50 ms of 1,000 calls a
/// second with 14 messages each.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// What a socket is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Tcp,
    Udp,
}

/// Opens a listening socket at `address`. `prepare` may put a filter on it before
/// it is bound: nothing is heard that it does not let through.
///
/// # Errors
/// What the kernel said.
pub fn open_listener(
    address: SocketAddr,
    kind: Kind,
    _fence: &Fence,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    open(address, kind, prepare)
}

fn open(
    address: SocketAddr,
    kind: Kind,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    let (shape, protocol) = match kind {
        Kind::Tcp => (Type::STREAM, Protocol::TCP),
        Kind::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, shape.cloexec().nonblocking(), Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    prepare(&socket)?;
    match kind {
        Kind::Tcp => {
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
        }
        Kind::Udp => {
            // The kernel caps it at net.core.rmem_max without an error.
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
            socket.bind(&address.into())?;
        }
    }
    Ok(socket.into())
}
