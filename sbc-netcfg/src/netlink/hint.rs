//! Hints that something changed which rtnetlink's own news leave out: rules of the
//! firewall (nftables) and switches of links (`/proc/sys`, as far as the kernel tells
//! of them). What changed is not looked at: whoever hears a hint reads it all.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::watch::News;

/// `NFNLGRP_NFTABLES`, 7 (`linux/netfilter/nfnetlink.h`), as a bit.
const NFTABLES: u32 = 1 << 6;

/// `RTNLGRP_IPV4_NETCONF` and `RTNLGRP_IPV6_NETCONF`, 24 and 25
/// (`linux/rtnetlink.h`), as bits.
const NETCONF: u32 = 1 << 23 | 1 << 24;

/// A message's first octets; the rest is not looked at.
const HEAD: usize = 64;

/// The kernel's sockets that hints come by.
#[derive(Debug)]
pub(super) struct Hints(Vec<AsyncFd<OwnedFd>>);

impl Hints {
    /// Subscribes. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    #[expect(unsafe_code, reason = "the runtime asks for a promise, see below")]
    pub(super) fn open() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0, that of none.
        let groups = [(Some(netlink::NETFILTER), NFTABLES), (None, NETCONF)];
        let sockets = groups.into_iter().map(|(protocol, groups)| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let kind = SocketType::RAW;
            let socket = rustix::net::socket_with(AddressFamily::NETLINK, kind, flags, protocol)?;
            rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups))?;
            // SAFETY: the socket is owned here, always names the same descriptor, and is
            // closed only when it is dropped, which is after its registration ends.
            unsafe { AsyncFd::register(socket) }.map_err(io::Error::from)
        });
        Ok(Self(sockets.collect::<io::Result<_>>()?))
    }

    /// Passes on a hint for each change, until nobody listens.
    pub(super) async fn pass_on(self, tell: mpsc::Sender<News>) {
        let each = self.0.iter().map(|socket| pass_on(socket, &tell));
        futures_util::future::join_all(each).await;
    }
}

async fn pass_on(socket: &AsyncFd<OwnedFd>, tell: &mpsc::Sender<News>) {
    let mut head = [0_u8; HEAD];
    while let Ok(mut ready) = socket.readable().await {
        match rustix::net::recv(socket.get_ref(), &mut head, RecvFlags::empty()) {
            Err(rustix::io::Errno::AGAIN) => {
                ready.clear_ready();
                continue;
            }
            // More came than the kernel keeps: that is a hint as well.
            Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        // A full queue holds a hint to look already.
        if let Err(mpsc::error::TrySendError::Closed(_)) = tell.try_send(News::Changed) {
            return;
        }
    }
}
