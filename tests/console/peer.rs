//! A provider and a Mediation Server of a few lines: an INVITE goes out as it is
//! given, its answers come in; whoever is called refuses with the words it is
//! given.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::{Duration, Instant};

/// Headers of a request that its answer repeats.
const COPIED: [&str; 5] = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];

/// Listens as the Mediation Server of network `net` and answers each INVITE with
/// `refusal`, OPTIONS with 200, for as long as the test runs.
pub fn server(net: u8, refusal: &'static str) {
    let listener = TcpListener::bind(format!("127.41.{net}.2:5068")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answers(stream, refusal));
        }
    });
}

/// Returns an answer to a request.
fn answer_to(head: &str, status: &str) -> String {
    let copied = head
        .lines()
        .filter(|line| COPIED.iter().any(|name| line.starts_with(name)));
    let copied: String = copied.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n")
}

fn answers(mut stream: std::net::TcpStream, refusal: &str) {
    let mut seen = Vec::new();
    let mut page = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut page) {
        seen.extend_from_slice(&page[..length]);
        while let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).into_owned();
            let body = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: ")?.trim().parse().ok())
                .unwrap_or(0);
            if seen.len() < end + 4 + body {
                break;
            }
            seen.drain(..end + 4 + body);
            let status = match head.split(' ').next() {
                Some("INVITE") => refusal,
                Some("OPTIONS") => "200 OK",
                _ => continue,
            };
            let _gone = stream.write_all(answer_to(&head, status).as_bytes());
        }
    }
}

/// The provider of network `net`; until it calls itself, it answers OPTIONS.
pub struct Carrier {
    socket: UdpSocket,
    net: u8,
}

impl Carrier {
    pub fn open(net: u8) -> Self {
        let socket = UdpSocket::bind(format!("127.40.{net}.1:5060")).unwrap();
        let tick = Some(Duration::from_millis(100));
        socket.set_read_timeout(tick).unwrap();
        Self { socket, net }
    }

    /// Calls a number with these header lines more, and returns the final status.
    pub fn calls(&self, id: &str, number: &str, extra: &[u8]) -> u16 {
        self.calls_within(Duration::from_secs(20), id, number, extra)
    }

    /// The same, and waits for so long.
    pub fn calls_within(&self, limit: Duration, id: &str, number: &str, extra: &[u8]) -> u16 {
        let net = self.net;
        let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
        let head = format!(
            "INVITE sip:{number}@127.40.{net}.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.40.{net}.1:5060;branch=z9hG4bK{id}\r\nFrom: <sip:+4930555100@127.40.{net}.1>;tag={id}\r\nTo: <sip:{number}@127.40.{net}.2>\r\nCall-ID: {id}@lab\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:127.40.{net}.1>\r\nContent-Type: application/sdp\r\n"
        );
        let mut message = head.clone().into_bytes();
        message.extend_from_slice(extra);
        message.extend_from_slice(format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()).as_bytes());
        self.send(&message);
        let until = Instant::now() + limit;
        let mut page = [0; 4096];
        while Instant::now() < until {
            let Ok(length) = self.socket.recv(&mut page) else {
                continue;
            };
            let text = String::from_utf8_lossy(&page[..length]).into_owned();
            let code = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
            let Some(code @ 200..) = code.and_then(|code| code.parse().ok()) else {
                continue;
            };
            if !text.contains(&format!("Call-ID: {id}@lab")) {
                continue;
            }
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
            let ack = format!(
                "ACK sip:{number}@127.40.{net}.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.40.{net}.1:5060;branch=z9hG4bK{id}\r\nFrom: <sip:+4930555100@127.40.{net}.1>;tag={id}\r\n{to}\r\nCall-ID: {id}@lab\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            );
            self.send(ack.as_bytes());
            return code;
        }
        0
    }

    /// Answers OPTIONS until one came, and returns whether it did.
    pub fn answers_options(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let mut page = [0; 4096];
        while Instant::now() < until {
            let Ok((length, from)) = self.socket.recv_from(&mut page) else {
                continue;
            };
            let text = String::from_utf8_lossy(&page[..length]).into_owned();
            if !text.starts_with("OPTIONS") {
                continue;
            }
            let answer = answer_to(&text, "200 OK");
            self.socket.send_to(answer.as_bytes(), from).unwrap();
            return true;
        }
        false
    }

    fn send(&self, message: &[u8]) {
        let to = format!("127.40.{}.2:5060", self.net);
        self.socket.send_to(message, to).unwrap();
    }
}
