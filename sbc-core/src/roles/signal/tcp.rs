//! SIP over TCP: connections come and go, messages are framed from each and
//! leave on the one that reaches their destination (RFC 3261 §18.1.1, §18.2.2).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use sbc_call::{Input, Transmit};
use sbc_config::Socket;
use sbc_sip::transaction::destination::{Destination, Transport};
use sbc_sip::wire::{Malformed, Received, Stream};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{timeout, timeout_at};

use super::desk::Desk;
use super::writer::Writer;

/// A message that does not become whole within this time ends its connection.
const WHOLE_WITHIN: Duration = Duration::from_secs(30);

/// A connection we open is up within this time, or the target counts as dead.
const CONNECTS_WITHIN: Duration = Duration::from_secs(3);

/// Connections of one address.
const PER_PEER_MAX: usize = 32;

/// Connections that have gone and are remembered: more than a peer can lose while
/// an INVITE rings.
const GONE_MAX: usize = 1024;

/// The answer to a broken message has this long to leave.
const LINGER: Duration = Duration::from_millis(200);

/// Octets taken at once.
const READ: usize = 16 * 1024;

/// Connection numbers start here, so that none is the index of a UDP socket.
const FIRST: u64 = 1 << 32;

/// Every open connection.
#[derive(Debug)]
pub struct Connections {
    open: RefCell<BTreeMap<u64, Open>>,
    /// Which listener peers' connections that have gone belonged to, so that
    /// what is still to be answered leaves from the address they know.
    gone: RefCell<BTreeMap<u64, u64>>,
    /// Connections with messages of this turn.
    fresh: RefCell<Vec<Rc<Writer>>>,
    next: Cell<u64>,
    /// Connections refused because their peer had too many.
    pub refused: Cell<u64>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            open: RefCell::new(BTreeMap::new()),
            gone: RefCell::new(BTreeMap::new()),
            fresh: RefCell::new(Vec::new()),
            next: Cell::new(FIRST),
            refused: Cell::new(0),
        }
    }
}

#[derive(Debug)]
struct Open {
    remote: SocketAddr,
    /// We opened it, from the address of the listener with this number: requests
    /// of ours from there to that address share it.
    ours: Option<u64>,
    writer: Rc<Writer>,
}

impl Connections {
    /// Returns how many are open.
    pub fn count(&self) -> usize {
        self.open.borrow().len()
    }

    /// Remembers a connection that has gone; the oldest is forgotten for it.
    fn remember(&self, id: u64, number: u64) {
        let mut gone = self.gone.borrow_mut();
        if gone.len() >= GONE_MAX {
            gone.pop_first();
        }
        gone.insert(id, number);
    }

    fn add(&self, open: Open) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        self.open.borrow_mut().insert(id, open);
        id
    }

    fn writer_for(&self, to: &Destination) -> Option<(u64, Rc<Writer>)> {
        let open = self.open.borrow();
        if let Some(exact) = open.get(&to.connection) {
            return Some((to.connection, Rc::clone(&exact.writer)));
        }
        let shared = open
            .iter()
            .find(|(_, open)| open.ours == Some(to.connection) && open.remote == to.remote);
        shared.map(|(&id, open)| (id, Rc::clone(&open.writer)))
    }

    /// Writes what this turn has for each connection, as far as it passes.
    pub fn flush(&self) {
        for writer in self.fresh.borrow_mut().drain(..) {
            writer.fresh.set(false);
            writer.write_now();
        }
    }

    fn of_peer(&self, remote: IpAddr) -> usize {
        let open = self.open.borrow();
        open.values()
            .filter(|open| open.remote.ip() == remote)
            .count()
    }
}

/// Sends on the connection the message belongs to, on one of ours that reaches
/// its destination, or on a new one. It leaves with [`Connections::flush`].
pub fn send(desk: &Rc<Desk>, transmit: Transmit) {
    let found = desk.tcp.writer_for(&transmit.to);
    let Some((id, writer)) = found.or_else(|| connect(desk, transmit.to)) else {
        desk.handle(Input::Unreachable { to: transmit.to });
        return;
    };
    if !writer.push(transmit.bytes) {
        close(desk, id);
        desk.handle(Input::Unreachable { to: transmit.to });
    } else if !writer.fresh.replace(true) {
        desk.tcp.fresh.borrow_mut().push(writer);
    }
}

/// Opens a connection from one of our listeners' addresses. A message for a
/// connection of a peer that is gone goes to where its answers are wanted then
/// (RFC 3261 §18.2.2), from the address the peer knows.
fn connect(desk: &Rc<Desk>, to: Destination) -> Option<(u64, Rc<Writer>)> {
    let number = match desk.listener(to.connection) {
        Some(_) => to.connection,
        None => *desk.tcp.gone.borrow().get(&to.connection)?,
    };
    let local = desk.listener(number)?.at.address;
    let remote = to.remote;
    let writer = Rc::new(Writer::default());
    let id = desk.tcp.add(Open {
        remote,
        ours: Some(number),
        writer: Rc::clone(&writer),
    });
    let queue = Rc::clone(&writer);
    let desk = Rc::clone(desk);
    tokio::task::spawn_local(async move {
        let connecting = async {
            let socket = if remote.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            socket.bind(SocketAddr::new(local.ip(), 0))?;
            socket.connect(remote).await
        };
        match timeout(CONNECTS_WITHIN, connecting).await {
            Ok(Ok(stream)) => serve(&desk, id, number, stream, queue).await,
            Ok(Err(_)) | Err(_) => close(&desk, id),
        }
        // Whatever waits for an answer by it will not get one.
        let ours = Destination {
            connection: number,
            ..to
        };
        desk.handle(Input::Unreachable { to: ours });
        // Once for each name: what left anew meanwhile is not lost.
        if to != ours {
            desk.handle(Input::Unreachable { to });
        }
    });
    Some((id, writer))
}

/// Accepts on the listener with this number for ever.
///
/// # Errors
/// When the socket is no listener.
pub async fn accept(desk: Rc<Desk>, number: usize, listener: OwnedFd) -> io::Result<()> {
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => admit(&desk, stream, remote, number),
            // Out of descriptors: let others end before the next try.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn admit(desk: &Rc<Desk>, stream: TcpStream, remote: SocketAddr, number: u64) {
    if desk.tcp.of_peer(remote.ip()) >= PER_PEER_MAX {
        desk.tcp.refused.set(desk.tcp.refused.get() + 1);
        return;
    }
    let writer = Rc::new(Writer::default());
    let id = desk.tcp.add(Open {
        remote,
        ours: None,
        writer: Rc::clone(&writer),
    });
    let desk = Rc::clone(desk);
    tokio::task::spawn_local(async move {
        serve(&desk, id, number, stream, writer).await;
        let to = Destination {
            transport: Transport::Tcp,
            remote,
            connection: id,
        };
        desk.tcp.remember(id, number);
        desk.handle(Input::Unreachable { to });
    });
}

/// Moves bytes both ways until one side ends.
async fn serve(desk: &Rc<Desk>, id: u64, number: u64, stream: TcpStream, writer: Rc<Writer>) {
    // Without it the last segment of a message waits for an acknowledgement.
    let _unset = stream.set_nodelay(true);
    let listener = desk.listener(number).map(|listener| listener.at);
    if let (Ok(remote), Some(at)) = (stream.peer_addr(), listener) {
        let from = Destination {
            transport: Transport::Tcp,
            remote,
            connection: id,
        };
        let (socket, out) = stream.into_split();
        writer.begin(out);
        tokio::select! {
            () = read(desk, from, at, socket, &writer) => {}
            () = writer.write_rest() => {}
        }
    }
    close(desk, id);
}

async fn read(
    desk: &Rc<Desk>,
    from: Destination,
    at: Socket,
    mut socket: OwnedReadHalf,
    writer: &Writer,
) {
    let mut stream = Stream::new();
    let mut buffer = vec![0; READ];
    loop {
        let octets = socket.read(&mut buffer);
        let read = match stream.partial_since() {
            None => octets.await,
            Some(since) => {
                let patience = (since + WHOLE_WITHIN).saturating_sub(desk.now());
                match timeout(patience, octets).await {
                    Ok(read) => read,
                    Err(_) => return,
                }
            }
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                stream.push(desk.now(), buffer.get(..length).unwrap_or_default());
                if !take_all(desk, from, at, &mut stream, writer) {
                    linger(&mut socket).await;
                    return;
                }
            }
        }
    }
}

/// Takes what is whole. Returns false when the stream is lost.
fn take_all(
    desk: &Rc<Desk>,
    from: Destination,
    at: Socket,
    stream: &mut Stream,
    writer: &Writer,
) -> bool {
    loop {
        match stream.take() {
            Ok(None) => return true,
            Ok(Some(Received::Message(frame))) => desk.handle(Input::Received { from, at, frame }),
            Ok(Some(Received::Ping)) => {
                // RFC 5626 §4.4.1: a pong that does not fit is as good as lost.
                let _lost = writer.push(Bytes::from_static(b"\r\n"));
                writer.write_now();
            }
            Ok(Some(Received::Pong | Received::Nothing)) => {}
            Err(what) => {
                let fatal = Malformed::fatal(&what);
                desk.handle(Input::Malformed { from, at, what });
                if fatal {
                    return false;
                }
            }
        }
    }
}

/// Gives the answer to a broken message a moment to leave before the end.
async fn linger(socket: &mut OwnedReadHalf) {
    let until = tokio::time::Instant::now() + LINGER;
    let mut rest = [0; 1024];
    while let Ok(Ok(1..)) = timeout_at(until, socket.read(&mut rest)).await {}
}

fn close(desk: &Rc<Desk>, id: u64) {
    desk.tcp.open.borrow_mut().remove(&id);
}
