//! An address goes in, a UDP socket that never waits comes out; and the bell that
//! wakes a thread.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::{set_ip_tos, set_ipv6_tclass, set_ipv6_v6only};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

/// Opens the ports of rows: by binding, or by finding a socket that was handed in.
pub trait OpenPort {
    /// Returns a UDP socket at `local` that does not block.
    fn open(&mut self, local: SocketAddr) -> io::Result<OwnedFd>;
}

/// Binds each port when it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Bind;

impl OpenPort for Bind {
    fn open(&mut self, local: SocketAddr) -> io::Result<OwnedFd> {
        let family = if local.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
        if local.is_ipv6() {
            set_ipv6_v6only(&socket, true)?;
        }
        bind(&socket, &local)?;
        Ok(socket)
    }
}

/// Sets the second byte of the IP header of what the socket sends.
pub(super) fn mark(socket: &OwnedFd, address: IpAddr, tos: u8) -> io::Result<()> {
    match address {
        IpAddr::V4(_) => set_ip_tos(socket, tos)?,
        IpAddr::V6(_) => set_ipv6_tclass(socket, tos.into())?,
    }
    Ok(())
}

/// Takes one datagram. Returns who sent it and its length, which exceeds the buffer's
/// if it was cut; `None` when there is none, or none with a source.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
    let (_, length, source) = recvfrom(socket, buffer, RecvFlags::TRUNC).ok()?;
    let source = SocketAddr::try_from(source?).ok()?;
    Some((source, length))
}

/// Sends one datagram. Returns whether the kernel took it.
pub(super) fn send(socket: &OwnedFd, packet: &[u8], to: SocketAddr) -> bool {
    sendto(socket, packet, SendFlags::DONTWAIT, &to).is_ok()
}

/// Makes an event descriptor readable.
pub(super) fn ring(bell: &impl AsFd) {
    // It fails only if it rings already.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// Makes an event descriptor unreadable.
pub(super) fn drain(bell: &impl AsFd) {
    let mut count = [0; 8];
    // It fails only if it does not ring.
    let _ = rustix::io::read(bell, &mut count);
}
