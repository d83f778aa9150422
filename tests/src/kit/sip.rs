//! The little SIP a telephone of the lab needs: text comes in, the few things it
//! looks at go out (RFC 3261). It is simple on purpose and shares nothing with
//! the product.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

/// A message as it came, and where answers to it go.
#[derive(Clone, Debug)]
pub struct Came {
    pub text: String,
    pub way: Way,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Way {
    Udp(Arc<UdpSocket>, SocketAddr),
    /// A connection, and whether it has ended.
    Tcp(Arc<Mutex<TcpStream>>, Arc<AtomicBool>),
}

impl Way {
    /// Returns whether this was a connection that has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Tcp(_, gone) if gone.load(Ordering::Relaxed))
    }

    /// Sends a message; one that cannot leave is lost, as on any network.
    pub fn send(&self, text: &str) {
        match self {
            Self::Udp(socket, to) => drop(socket.send_to(text.as_bytes(), to)),
            Self::Tcp(stream, _) => {
                if let Ok(mut stream) = stream.lock() {
                    let _lost = stream.write_all(text.as_bytes());
                }
            }
        }
    }
}

/// Returns the value of the first header `name`, whole.
#[must_use]
pub fn header<'a>(text: &'a str, name: &str) -> &'a str {
    headers(text, name).next().unwrap_or_default()
}

/// Returns the values of every header `name`.
pub fn headers<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.split("\r\n").filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then_some(value.trim())
    })
}

/// Returns the body.
#[must_use]
pub fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// Returns the method of a request, or the status of an answer as text.
#[must_use]
pub fn what(text: &str) -> &str {
    let mut words = text.split(' ');
    match words.next() {
        Some("SIP/2.0") => words.next().unwrap_or_default(),
        Some(method) => method,
        None => "",
    }
}

/// Returns where an SDP body wants media, and its direction.
#[must_use]
pub fn session(body: &str) -> Option<(SocketAddr, String)> {
    let value = |prefix: &str| body.lines().find_map(|line| line.strip_prefix(prefix));
    let address: IpAddr = value("c=IN IP4 ")?.trim().parse().ok()?;
    let port = value("m=audio ")?.split(' ').next()?.parse().ok()?;
    let directions = ["sendrecv", "sendonly", "recvonly", "inactive"];
    let direction = directions
        .into_iter()
        .find(|word| body.lines().any(|line| line.trim() == format!("a={word}")));
    let direction = direction.unwrap_or("sendrecv").to_owned();
    Some((SocketAddr::new(address, port), direction))
}

/// Listens on UDP; everything that comes goes to `told`.
///
/// # Errors
/// When the address is taken.
pub fn listen_udp(at: SocketAddr, told: Sender<Came>) -> std::io::Result<Arc<UdpSocket>> {
    let socket = Arc::new(UdpSocket::bind(at)?);
    let ours = Arc::clone(&socket);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while let Ok((length, from)) = ours.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            let way = Way::Udp(Arc::clone(&ours), from);
            let came = Came {
                text: text.into_owned(),
                way,
            };
            if told.send(came).is_err() {
                return;
            }
        }
    });
    Ok(socket)
}

/// Listens on TCP; every message of every connection goes to `told`.
///
/// # Errors
/// When the address is taken.
pub fn listen_tcp(at: SocketAddr, told: Sender<Came>) -> std::io::Result<()> {
    let listener = TcpListener::bind(at)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            let Ok(writer) = stream.try_clone() else {
                continue;
            };
            // Without it, the second of two answers waits for an acknowledgement.
            let _unset = stream.set_nodelay(true);
            let way = Way::Tcp(Arc::new(Mutex::new(writer)), Arc::default());
            std::thread::spawn(move || read_tcp(stream, &way, &told));
        }
    });
    Ok(())
}

/// Connects to `to`; every message that comes back goes to `told`.
///
/// # Errors
/// When nobody is there.
pub fn connect(to: SocketAddr, told: Sender<Came>) -> std::io::Result<Way> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let way = Way::Tcp(Arc::new(Mutex::new(stream.try_clone()?)), Arc::default());
    let ours = way.clone();
    std::thread::spawn(move || read_tcp(stream, &ours, &told));
    Ok(way)
}

fn read_tcp(mut stream: TcpStream, way: &Way, told: &Sender<Came>) {
    read_messages(&mut stream, way, told);
    if let Way::Tcp(_, gone) = way {
        gone.store(true, Ordering::Relaxed);
    }
}

fn read_messages(stream: &mut TcpStream, way: &Way, told: &Sender<Came>) {
    let (mut held, mut buffer) = (Vec::new(), [0; 16_384]);
    while let Ok(length) = stream.read(&mut buffer) {
        if length == 0 {
            return;
        }
        held.extend_from_slice(buffer.get(..length).unwrap_or_default());
        while let Some(text) = whole(&mut held) {
            let way = way.clone();
            if told.send(Came { text, way }).is_err() {
                return;
            }
        }
    }
}

/// Takes the first whole message out of `held`.
fn whole(held: &mut Vec<u8>) -> Option<String> {
    let blank = held.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(held.get(..blank)?).into_owned();
    let body: usize = header(&head, "Content-Length").parse().unwrap_or(0);
    if held.len() < blank + body {
        return None;
    }
    let message: Vec<u8> = held.drain(..blank + body).collect();
    Some(String::from_utf8_lossy(&message).into_owned())
}
