//! The transaction layer: octets are read as a script of arrivals, sends, answers and
//! moments; it stays within its bounds, never wakes in the past, and once nobody asks
//! anything more, nothing is left (RFC 3261 §17, RFC 6026).

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use sbc_sip::message::{Method, Request, Response, Status};
use sbc_sip::transaction::{
    Arrived, Branch, Destination, Input, Layer, Limits, Outgoing, Output, Peer, Secret, ServerId,
    Source, Timings, Transaction, Transport, made,
};
use sbc_sip::wire::{Frame, Received, datagram};

const LIMITS: Limits = Limits {
    transactions: 8,
    per_peer: 6,
    reserve: 2,
    retry_after_secs: 5,
};
const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK"];
const CODES: [u16; 8] = [100, 180, 200, 299, 302, 486, 503, 603];
/// Longer than any transaction lives once its TU is silent.
const STEPS: usize = 4_000;

struct Script {
    layer: Layer,
    now: Duration,
    out: Vec<Output>,
    /// Server transactions, with the frame that each came in.
    servers: Vec<(ServerId, Frame)>,
    clients: Vec<(Branch, &'static str)>,
    sent: u128,
}

/// Three octets are one step.
pub fn transaction(octets: &[u8]) {
    let mut script = Script {
        layer: Layer::new(Secret::new([7; 16]), Timings::DEFAULT, LIMITS),
        now: Duration::ZERO,
        out: Vec::new(),
        servers: Vec::new(),
        clients: Vec::new(),
        sent: 0,
    };
    for step in octets.chunks_exact(3).take(512) {
        script.step([step[0], step[1], step[2]]);
    }
    script.fall_silent();
}

impl Script {
    fn step(&mut self, [kind, what, which]: [u8; 3]) {
        let (what, which) = (usize::from(what), usize::from(which));
        match kind % 10 {
            0 | 1 => self.request(METHODS[what % METHODS.len()], which),
            2 => self.response(CODES[what % CODES.len()], which),
            3 => self.send(METHODS[what % METHODS.len()], which),
            4 | 5 => self.respond(CODES[what % CODES.len()], which),
            6 => {
                if let Some((client, _)) = self.client(which) {
                    self.input(Input::Cancel {
                        client,
                        reason: None,
                    });
                }
            }
            7 => {
                let transaction = match (what % 3, self.client(which)) {
                    (0, Some((client, _))) => Transaction::Client(client),
                    (1, Some((client, _))) => Transaction::Cancel(client),
                    _ => match self.servers.get(which % self.servers.len().max(1)) {
                        Some((server, _)) => Transaction::Server(*server),
                        None => return,
                    },
                };
                match what % 2 {
                    0 => self.input(Input::Unsent(transaction)),
                    _ => self.input(Input::Forget(transaction)),
                }
            }
            8 => self.input(Input::Unreachable(far(which))),
            _ => {
                self.now += Duration::from_millis(what as u64 * which as u64);
                self.input(Input::Wakeup);
            }
        }
    }

    fn client(&self, which: usize) -> Option<(Branch, &'static str)> {
        self.clients.get(which % self.clients.len().max(1)).copied()
    }

    fn request(&mut self, method: &str, which: usize) {
        let tag = if which & 8 == 0 { "" } else { ";tag=t" };
        let branch = if which & 16 == 0 {
            format!("z9hG4bK{}", which % 4)
        } else {
            "old".to_owned()
        };
        let frame = frame(&format!(
            "{method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\n\
             From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>{tag}\r\nCall-ID: c{}\r\n\
             CSeq: {} {method}\r\nContact: <sip:a@192.0.2.9>\r\nRAck: 1 1 INVITE\r\nMax-Forwards: 70\r\n\r\n",
            which % 2,
            which % 3 + 1,
        ));
        let request = Request::read(&frame).expect("it is a request");
        let source = Source {
            peer: Peer((which as u32) >> 6),
            from: far(which),
        };
        self.input_from(
            Input::Request {
                request: Arrived {
                    request: &request,
                    source,
                },
                urgent: which & 32 != 0,
            },
            Some(&frame),
        );
    }

    fn response(&mut self, code: u16, which: usize) {
        let Some((branch, method)) = self.client(which) else {
            return;
        };
        let frame = frame(&format!(
            "SIP/2.0 {code} x\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={}\r\nFrom: <sip:a@example.com>;tag=f\r\n\
             To: <sip:b@example.com>;tag=t{}\r\nCall-ID: c\r\nCSeq: 1 {}\r\n\r\n",
            branch.text(),
            which % 2,
            if which & 128 == 0 { method } else { "CANCEL" },
        ));
        let response = Response::read(&frame).expect("it is a response");
        self.input(Input::Response(&response));
    }

    fn send(&mut self, method: &'static str, which: usize) {
        if method == "ACK" || method == "CANCEL" {
            return;
        }
        self.sent += 1;
        let branch = Branch::new(if which & 64 == 0 { self.sent } else { 1 });
        let text = format!(
            "{method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n",
            branch.text(),
        );
        self.clients.push((branch, method));
        let method = Method::parse(method).expect("a method");
        self.input(Input::Send(Outgoing {
            branch,
            method,
            bytes: Bytes::from(text),
            to: far(which),
        }));
    }

    fn respond(&mut self, code: u16, which: usize) {
        let Some((server, frame)) = self.servers.get(which % self.servers.len().max(1)).cloned()
        else {
            return;
        };
        let status = Status::new(code).expect("a status");
        let source = Source {
            peer: Peer(0),
            from: far(which),
        };
        let bytes = made::answer(&frame, &source, status, Some("t"), None);
        self.input(Input::Respond {
            server,
            status,
            bytes,
        });
    }

    fn input(&mut self, input: Input<'_>) {
        self.input_from(input, None);
    }

    fn input_from(&mut self, input: Input<'_>, frame: Option<&Frame>) {
        self.layer.handle(self.now, input, &mut self.out);
        assert!(
            self.layer.len() <= 2 * LIMITS.transactions,
            "{} are alive",
            self.layer.len()
        );
        assert!(
            self.out.len() <= 64,
            "{} outputs of one input",
            self.out.len()
        );
        assert!(
            self.layer.next_wakeup().is_none_or(|at| at > self.now),
            "a moment that has passed is due again"
        );
        for output in self.out.drain(..) {
            match output {
                Output::Transmit { bytes, .. } => drop(self::frame_of(&bytes)),
                Output::Request(server) => {
                    self.servers
                        .push((server, frame.expect("it came with a request").clone()));
                }
                _ => {}
            }
        }
    }

    /// Every request is answered, and time passes: nothing is left.
    fn fall_silent(&mut self) {
        for which in 0..self.servers.len() {
            self.respond(500, which);
        }
        for (client, _) in core::mem::take(&mut self.clients) {
            self.input(Input::Forget(Transaction::Client(client)));
        }
        for _ in 0..STEPS {
            let Some(at) = self.layer.next_wakeup() else {
                break;
            };
            self.now = at;
            self.input(Input::Wakeup);
        }
        assert_eq!(
            self.layer.next_wakeup(),
            None,
            "something never ends: {:?}",
            self.layer
        );
        assert!(self.layer.is_empty(), "{:?}", self.layer);
    }
}

fn far(which: usize) -> Destination {
    let transport = if which & 1 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    Destination {
        transport,
        remote: "192.0.2.9:5060".parse().expect("an address"),
        connection: (which % 3) as u64,
    }
}

fn frame(text: &str) -> Frame {
    frame_of(text.as_bytes())
}

fn frame_of(octets: &[u8]) -> Frame {
    match datagram(BytesMut::from(octets)) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}: {}", octets.escape_ascii()),
    }
}
