//! Listening sockets: the node's listeners come in, open sockets that hear only
//! listed sources go out (RFC 3261 §18.2.1; unlisted sources meet silence).

mod filter;

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::Context;
use sbc_config::peer::Socket as Address;
use sbc_config::{Node, Transport};
use socket2::{Domain, Protocol, Socket, Type};

use crate::ipc::ListenerName;

/// Connections that wait to be accepted; a pool of Mediation Servers that all
/// reconnect at once fits.
const BACKLOG: i32 = 128;

/// A burst of datagrams that waits for the signal role: 50 ms of 1,000 calls a
/// second with 14 messages each.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Opens every listener of `node`.
///
/// # Errors
/// Names the socket that could not be opened.
pub fn open_all(node: &Node) -> anyhow::Result<Vec<(ListenerName, Arc<OwnedFd>)>> {
    let mut open = Vec::new();
    for address in node.listeners() {
        let socket = self::open(node, address)?;
        open.push((name(address), Arc::new(socket)));
    }
    Ok(open)
}

/// Returns the socket as words between roles name it.
pub fn name(address: Address) -> ListenerName {
    ListenerName {
        address: address.address,
        tcp: address.transport == Transport::Tcp,
        open: true,
    }
}

/// Opens one listener of `node`.
///
/// # Errors
/// Names the socket that could not be opened.
pub fn open(node: &Node, address: Address) -> anyhow::Result<OwnedFd> {
    let socket = open_one(node, address).with_context(|| format!("cannot listen on {address}"))?;
    Ok(OwnedFd::from(socket))
}

/// Lets an open listener hear whom `node` lists, and nobody else.
///
/// # Errors
/// When the kernel does not take the filter.
pub fn filter_again(node: &Node, address: Address, socket: &OwnedFd) -> anyhow::Result<()> {
    let program = program(node, address)?;
    let socket = socket2::SockRef::from(socket);
    socket
        .attach_filter(&program)
        .context("no filter on a listener")
}

/// Returns the filter of a listener: only whom `node` lists there is heard.
///
/// # Errors
/// When more networks are listed than the kernel takes.
pub fn program(node: &Node, address: Address) -> anyhow::Result<Vec<socket2::SockFilter>> {
    filter::program(&listed(node, address)).context("too many listed networks")
}

fn open_one(node: &Node, address: Address) -> anyhow::Result<Socket> {
    let tcp = address.transport == Transport::Tcp;
    let (kind, protocol) = if tcp {
        (Type::STREAM, Protocol::TCP)
    } else {
        (Type::DGRAM, Protocol::UDP)
    };
    let domain = Domain::for_address(address.address);
    let socket = Socket::new(domain, kind.cloexec().nonblocking(), Some(protocol))?;
    if address.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.attach_filter(&program(node, address)?)?;
    if tcp {
        socket.set_reuse_address(true)?;
        socket.bind(&address.address.into())?;
        socket.listen(BACKLOG)?;
    } else {
        // The kernel caps it at net.core.rmem_max without an error.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(&address.address.into())?;
    }
    Ok(socket)
}

/// Returns the networks that may be heard on `address`.
fn listed(node: &Node, address: Address) -> Vec<(IpAddr, u8)> {
    let here = node.peers().filter(|peer| peer.listen.contains(&address));
    let mut listed: Vec<_> = here
        .flat_map(|peer| peer.allow.iter())
        .map(|network| (network.address(), network.length()))
        .collect();
    listed.sort_unstable();
    listed.dedup();
    listed
}
