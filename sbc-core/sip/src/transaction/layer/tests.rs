//! The layer in virtual time: each test says what it gives, and reads what follows as text.

mod bounds;
mod clients;
mod pipe;
mod schedules;
mod servers;
mod storm;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BytesMut;

use super::super::destination::{Peer, Source, Transport};
use super::super::made;
use super::*;
use crate::message::validate::Request;
use crate::wire::{self, Received, StartLine};

/// A layer, the time, and what it said that was not read yet.
pub struct Side {
    pub layer: Layer,
    pub now: u64,
    pub transport: Transport,
    pub peer: Peer,
    out: Vec<Output>,
}

impl Side {
    pub fn new(transport: Transport) -> Self {
        Self::with(transport, Limits::default())
    }

    pub fn with(transport: Transport, limits: Limits) -> Self {
        Self {
            layer: Layer::new(Secret::new([7; 16]), Timings::DEFAULT, limits),
            now: 0,
            transport,
            peer: Peer(1),
            out: Vec::new(),
        }
    }

    pub fn far(&self) -> Destination {
        Destination {
            transport: self.transport,
            remote: "192.0.2.9:5060".parse().unwrap(),
            connection: 3,
        }
    }

    pub fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        let now = Duration::from_millis(self.now);
        self.layer.handle(now, input, &mut self.out);
        core::mem::take(&mut self.out)
    }

    /// Gives the layer a message from the network.
    pub fn receive(&mut self, text: &str) -> Vec<Output> {
        self.receive_urgent(text, false)
    }

    pub fn receive_urgent(&mut self, text: &str, urgent: bool) -> Vec<Output> {
        let frame = frame(text.as_bytes());
        if !frame.is_request() {
            let response = Response::read(&frame).unwrap();
            return self.input(Input::Response(&response));
        }
        let request = Request::read(&frame).unwrap();
        let source = Source {
            peer: self.peer,
            from: self.far(),
        };
        let request = Arrived {
            request: &request,
            source,
        };
        self.input(Input::Request { request, urgent })
    }

    /// Gives the layer a request of the TU.
    pub fn send(&mut self, method: Method<'_>, branch: u128) -> Vec<Output> {
        let branch = Branch::new(branch);
        let text = request(method.as_str(), &branch.text(), None);
        let to = self.far();
        self.input(Input::Send(Outgoing {
            branch,
            method,
            bytes: Bytes::from(text),
            to,
        }))
    }

    /// Gives the layer a response of the TU to the request in `text`.
    pub fn respond(&mut self, server: ServerId, code: u16, text: &str) -> Vec<Output> {
        let bytes = Bytes::from(response(code, text));
        self.input(Input::Respond {
            server,
            status: Status::new(code).unwrap(),
            bytes,
        })
    }

    /// Lets time pass up to `until`, and returns what happens on the way.
    pub fn run(&mut self, until: u64) -> Vec<String> {
        let mut log = Vec::new();
        while let Some(at) = self.layer.next_wakeup() {
            let at = u64::try_from(at.as_millis()).unwrap();
            if at > until {
                break;
            }
            self.now = at;
            for output in self.input(Input::Wakeup) {
                log.push(format!("{at} {}", say(&output)));
            }
        }
        self.now = until;
        log
    }

    pub fn counters(&self) -> Counters {
        *self.layer.counters()
    }

    /// No transaction, key, timer or count is left.
    pub fn assert_nothing_left(&self) {
        assert!(self.layer.is_empty(), "{:?}", self.layer);
        assert_eq!(self.layer.next_wakeup(), None);
        assert_eq!(self.layer.shared.queue.len(), 0);
        assert!(self.layer.clients.is_clear(), "{:?}", self.layer.clients);
        assert!(self.layer.servers.is_clear(), "{:?}", self.layer.servers);
    }
}

pub fn frame(bytes: &[u8]) -> wire::Frame {
    match wire::datagram(BytesMut::from(bytes)) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

/// A request with that branch, in a dialog if it has a To tag.
pub fn request(method: &str, branch: &str, to_tag: Option<&str>) -> String {
    let tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    format!(
        "{method} sip:bob@192.0.2.9 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch={branch}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=from-{branch}\r\n\
         To: <sip:bob@example.com>{tag}\r\n\
         Call-ID: call\r\n\
         CSeq: 7 {method}\r\n\
         Contact: <sip:alice@192.0.2.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A response of the other end to the request in `text`.
pub fn response(code: u16, text: &str) -> String {
    let source = Source {
        peer: Peer(1),
        from: Destination {
            transport: Transport::Udp,
            remote: "192.0.2.9:5060".parse().unwrap(),
            connection: 3,
        },
    };
    let status = Status::new(code).unwrap();
    let frame = frame(text.as_bytes());
    let tag = (code != 100).then_some("theirs");
    let bytes = made::answer(&frame, &source, status, tag, None);
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// One output in words.
pub fn say(output: &Output) -> String {
    match output {
        Output::Transmit { bytes, .. } => match frame(bytes).start() {
            StartLine::Request { method, .. } => format!("> {method}"),
            StartLine::Response { code, .. } => format!("> {code}"),
        },
        Output::Request(_) => "request".to_string(),
        Output::Ack(Some(_)) => "ack".to_string(),
        Output::Ack(None) => "ack of no transaction".to_string(),
        Output::Cancelled(_) => "cancelled".to_string(),
        Output::Response(_) => "response".to_string(),
        Output::TimedOut(_) => "timed out".to_string(),
        Output::TransportError(_) => "transport error".to_string(),
        Output::Refused(_) => "refused".to_string(),
    }
}

pub fn every_request(outputs: &[Output]) -> Vec<ServerId> {
    let id = |output: &Output| match output {
        Output::Request(id) => Some(*id),
        _ => None,
    };
    outputs.iter().filter_map(id).collect()
}

pub fn words(outputs: &[Output]) -> Vec<String> {
    outputs.iter().map(say).collect()
}

/// The text of the first message among the outputs.
pub fn sent(outputs: &[Output]) -> String {
    let bytes = outputs.iter().find_map(|output| match output {
        Output::Transmit { bytes, .. } => Some(bytes.to_vec()),
        _ => None,
    });
    String::from_utf8(bytes.expect("something was sent")).unwrap()
}

/// The transaction of the request the outputs pass on.
pub fn server(outputs: &[Output]) -> ServerId {
    let server = outputs.iter().find_map(|output| match output {
        Output::Request(server) => Some(*server),
        _ => None,
    });
    server.expect("a request was passed on")
}
