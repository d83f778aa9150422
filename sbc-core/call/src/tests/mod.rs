//! Whole calls by hand: raw messages come in, what the engine sends is read
//! back. The stories with personas are in the lab; here each step is spelled out.

mod calls;
mod configured;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use bytes::BytesMut;
use sbc_config::{Node, Socket, Transport as Named};
use sbc_media::stream::{MediaEvent, StreamStats};
use sbc_sip::transaction::destination::{Destination, Transport};
use sbc_sip::wire::{Frame, Name, Received, StartLine, datagram};

use crate::{Engine, Input, Outbox, RelayCommand};

pub const ITSP: &str = "172.20.31.1:5060";
pub const MED_1: &str = "10.20.120.2:5068";
pub const MED_2: &str = "10.20.121.2:5068";

/// An engine, its clock, and what it sent that nobody has looked at yet.
pub struct Bench {
    pub engine: Engine,
    pub now: Duration,
    pub sent: Vec<(Destination, Frame)>,
    pub out: Outbox,
    pub stories: Vec<String>,
    /// The latest record for the journal.
    pub kept: Option<(u32, Vec<u8>)>,
}

fn node() -> Node {
    let checked = sbc_config::check(include_str!("node.toml"));
    checked.node.expect("the fixture makes sense")
}

pub fn frame(text: &str) -> Frame {
    match datagram(BytesMut::from(text.as_bytes())) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("no message: {other:?}\n{text}"),
    }
}

pub fn start(frame: &Frame) -> String {
    match frame.start() {
        StartLine::Request { method, .. } => method.to_string(),
        StartLine::Response { code, .. } => code.to_string(),
    }
}

pub fn sdp(address: &str, port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

impl Bench {
    pub fn new() -> Self {
        let mut bench = Self {
            engine: Engine::new(node(), [7; 32], 0),
            now: Duration::ZERO,
            sent: Vec::new(),
            out: Outbox::default(),
            stories: Vec::new(),
            kept: None,
        };
        bench.run(Duration::from_secs(2));
        for (to, asked) in core::mem::take(&mut bench.sent) {
            let answer = reply(&asked, "200 OK", "", "");
            bench.receive_from(to, &answer);
        }
        bench.sent.clear();
        bench
    }

    pub fn input(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.out);
        self.drain();
    }

    fn drain(&mut self) {
        let out = core::mem::take(&mut self.out);
        for story in &out.stories {
            self.stories.push(story.to_string());
        }
        for transmit in out.transmits {
            let text = core::str::from_utf8(&transmit.bytes).unwrap();
            self.sent.push((transmit.to, frame(text)));
        }
        for command in out.journal {
            if let crate::JournalCommand::Keep { key, record } = command {
                self.kept = Some((key, record));
            }
        }
        for command in out.relay {
            if let RelayCommand::Withdraw(key) = command {
                let stats = alloc::boxed::Box::<StreamStats>::default();
                self.input(Input::Media(MediaEvent::Ended { key, stats }));
            }
        }
    }

    /// Lets time pass, with every wake-up at its moment.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.input(Input::Wakeup);
        }
        self.now = end;
    }

    /// A message of the peer at `from` arrives at our socket towards it.
    pub fn receive(&mut self, from: &str, text: &str) {
        let (transport, connection) = if from == ITSP {
            (Transport::Udp, self.index(from))
        } else {
            (Transport::Tcp, 1 << 32)
        };
        let from = Destination {
            transport,
            remote: from.parse().unwrap(),
            connection,
        };
        self.receive_from(from, text);
    }

    fn receive_from(&mut self, from: Destination, text: &str) {
        let at = at(from);
        self.input(Input::Received {
            from,
            at,
            frame: frame(text),
        });
    }

    fn index(&self, from: &str) -> u64 {
        let at = at(Destination {
            transport: Transport::Udp,
            remote: from.parse().unwrap(),
            connection: 0,
        });
        let node = node();
        node.listeners()
            .iter()
            .position(|each| *each == at)
            .unwrap() as u64
    }

    /// Takes the next message the engine sent, which is `what` to `to`.
    pub fn sent(&mut self, to: &str, what: &str) -> Frame {
        assert!(
            !self.sent.is_empty(),
            "nothing was sent, {what} was expected"
        );
        let (there, frame) = self.sent.remove(0);
        assert_eq!(
            (there.remote.to_string().as_str(), start(&frame).as_str()),
            (to, what),
            "{}",
            frame.head()
        );
        frame
    }

    pub fn refuse_connections(&mut self, to: &str) {
        let there: SocketAddr = to.parse().unwrap();
        let place = self.sent.iter().position(|(to, _)| to.remote == there);
        let (to, _) = self.sent.remove(place.unwrap());
        self.input(Input::Unreachable { to });
    }

    /// No call, transaction, tag, request or port is left once everything that
    /// lingers has gone.
    pub fn assert_nothing_left(&mut self) {
        for _ in 0..40 {
            self.run(Duration::from_secs(1));
            for (to, asked) in core::mem::take(&mut self.sent) {
                if start(&asked) == "OPTIONS" {
                    let answer = reply(&asked, "200 OK", "", "");
                    self.receive_from(to, &answer);
                }
            }
        }
        let held = self.engine.held();
        assert_eq!([held[0], held[2], held[3], held[4]], [0; 4]);
    }
}

/// Our socket that the peer at the other end of `from` knows.
fn at(from: Destination) -> Socket {
    let peer = node();
    let transport = match from.transport {
        Transport::Udp => Named::Udp,
        _ => Named::Tcp,
    };
    let found = peer.peers().find(|peer| peer.may_signal(from.remote.ip()));
    let found = found.expect("a peer of the fixture");
    let listen = found.listen.iter().find(|at| at.transport == transport);
    *listen.expect("a listener")
}

/// Returns the answer of a peer to a request of ours.
pub fn reply(request: &Frame, status: &str, tag: &str, body: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for (name, written, value) in request.lines() {
        match name {
            Name::To if !tag.is_empty() && !value.contains(";tag=") => {
                text += &format!("{written}: {value};tag={tag}\r\n");
            }
            Name::Via | Name::From | Name::To | Name::CallId | Name::CSeq => {
                text += &format!("{written}: {value}\r\n");
            }
            _ => {}
        }
    }
    if !tag.is_empty() {
        let host = if text.contains("TCP") {
            "10.20.120.2:5068;transport=tcp"
        } else {
            "172.20.31.1"
        };
        text += &format!("Contact: <sip:x@{host}>\r\n");
    }
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Returns a request inside the dialog of an INVITE of ours, by its callee.
pub fn inside(invite: &Frame, method: &str, cseq: u32, tag: &str, extra: &str) -> String {
    let value = |name| invite.first(name).unwrap().to_string();
    let via = value(Name::Via);
    let transport = via.split(' ').next().unwrap();
    format!(
        "{method} sip:node SIP/2.0\r\nVia: {transport} peer:5068;branch=z9hG4bK{method}{cseq}{tag}\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Max-Forwards: 70\r\nContact: <sip:x@10.20.120.2:5068;transport=tcp>\r\n{extra}",
        value(Name::To),
        value(Name::From),
        value(Name::CallId),
    )
}
