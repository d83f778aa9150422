//! A whole call through the engine comes in: an INVITE of a provider, a Mediation
//! Server that rings and answers, a BYE (RFC 3261 §13, §15). What it costs goes out,
//! in allocations and in instructions; neither depends on who else uses the machine.

use std::time::Duration;

use bytes::BytesMut;
use sbc_call::{Engine, Input, Outbox, RelayCommand};
use sbc_config::{Socket, Transport as Named};
use sbc_media::stream::{MediaEvent, StreamStats};
use sbc_sip::transaction::{Destination, Transport};
use sbc_sip::wire::{Frame, Received, datagram};
use sbc_tests::{allocations, octets_held};

use crate::growth::{SIZE, instructions};

const NODE: &str = include_str!("../src/lab/measure/node.toml");

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 172.20.31.1\r\ns=-\r\nc=IN IP4 172.20.31.1\r\n\
    t=0 0\r\nm=audio 30000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n";

/// The engine between a provider by UDP and a Mediation Server by TCP.
struct Bench {
    engine: Engine,
    now: Duration,
    out: Outbox,
    spent: u64,
    calls: u32,
}

impl Bench {
    fn new() -> Self {
        let node = sbc_config::check(NODE).node.expect("the file makes sense");
        Self {
            engine: Engine::new(node, [7; 32], 0),
            now: Duration::from_secs(5),
            out: Outbox::default(),
            spent: 0,
            calls: 0,
        }
    }

    /// Hands a message to the engine, framed as its driver frames it. Returns what
    /// the engine sent.
    fn receive(&mut self, carrier: bool, text: &str) -> Vec<String> {
        let mut octets = BytesMut::with_capacity(65_536);
        octets.extend_from_slice(text.as_bytes());
        let octets = octets.split();
        let (from, at) = if carrier {
            ends("172.20.31.1:5060", "172.20.31.2:5060", Transport::Udp, 0)
        } else {
            ends(
                "10.20.120.2:5068",
                "10.20.120.1:5066",
                Transport::Tcp,
                1 << 32,
            )
        };
        let ((), count) = allocations(|| {
            let frame = framed(octets);
            let input = Input::Received { from, at, frame };
            self.engine.handle(self.now, input, &mut self.out);
        });
        self.spent += count;
        self.now += Duration::from_millis(1);
        let text = |transmit: &sbc_call::Transmit| {
            String::from_utf8(transmit.bytes.to_vec()).expect("text")
        };
        let sent = self.out.transmits.iter().map(text).collect();
        let gone = self.out.relay.iter().filter_map(|command| match command {
            RelayCommand::Withdraw(key) => Some(*key),
            RelayCommand::Program(_) => None,
        });
        let gone: Vec<_> = gone.collect();
        let ((), count) = allocations(|| self.out.clear());
        self.spent += count;
        for key in gone {
            let stats = Box::<StreamStats>::default();
            let ((), count) = allocations(|| {
                let input = Input::Media(MediaEvent::Ended { key, stats });
                self.engine.handle(self.now, input, &mut self.out);
            });
            self.spent += count;
            self.out.clear();
        }
        sent
    }

    /// Plays one call; returns how many allocations it took.
    fn call(&mut self) -> u64 {
        let to = self.set_up();
        let sent = self.receive(true, &request(self.calls, "BYE", 2, &to, ""));
        let bye = sent.iter().find(|text| text.starts_with("BYE"));
        let bye = bye.expect("the BYE goes on").clone();
        self.receive(false, &reply(&bye, "200 OK", ""));
        assert_eq!(self.engine.calls().len(), 0);
        self.spent
    }

    /// Sets one call up; returns the To of the caller's dialog.
    fn set_up(&mut self) -> String {
        self.calls += 1;
        self.spent = 0;
        let id = self.calls;
        let to = "<sip:+49691234042@172.20.31.2:5060>";
        let sent = self.receive(true, &request(id, "INVITE", 1, to, SDP));
        let invite = sent.iter().find(|text| text.starts_with("INVITE"));
        let invite = invite.expect("an INVITE goes on").clone();
        self.receive(false, &reply(&invite, "180 Ringing", ""));
        let body = SDP.replace("172.20.31.1", "10.20.120.2");
        let sent = self.receive(false, &reply(&invite, "200 OK", &body));
        let answer = sent.iter().find(|text| text.starts_with("SIP/2.0 200"));
        let to = header(
            answer.unwrap_or_else(|| panic!("an answer goes back, not {sent:?}")),
            "To: ",
        )
        .to_owned();
        assert!(sent.iter().any(|text| text.starts_with("ACK")), "{sent:?}");
        self.receive(true, &request(id, "ACK", 1, &to, ""));
        to
    }

    /// Lets time pass until no transaction is left of what was before.
    fn linger(&mut self) {
        let until = self.now + Duration::from_secs(40);
        while let Some(due) = self.engine.next_wakeup().filter(|due| *due <= until) {
            self.now = due;
            self.engine.handle(self.now, Input::Wakeup, &mut self.out);
            self.out.clear();
        }
        self.now = until;
    }
}

fn request(id: u32, method: &str, cseq: u32, to: &str, body: &str) -> String {
    format!(
        "{method} sip:+49691234042@172.20.31.2:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 172.20.31.1:5060;branch=z9hG4bK{id}x{method}\r\n\
         From: <sip:+4930555100@172.20.31.1:5060>;tag=a{id}\r\nTo: {to}\r\n\
         Call-ID: {id}@172.20.31.1\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:+4930555100@172.20.31.1:5060;transport=UDP>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn framed(octets: BytesMut) -> Frame {
    match datagram(octets) {
        Ok(Received::Message(frame)) => frame,
        other => panic!("a message, not {other:?}"),
    }
}

fn ends(from: &str, at: &str, transport: Transport, connection: u64) -> (Destination, Socket) {
    let remote = from.parse().expect("an address");
    let transport_at = match transport {
        Transport::Udp => Named::Udp,
        _ => Named::Tcp,
    };
    let from = Destination {
        transport,
        remote,
        connection,
    };
    let at = Socket {
        address: at.parse().expect("an address"),
        transport: transport_at,
    };
    (from, at)
}

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.expect("the header")
}

fn reply(request: &str, status: &str, body: &str) -> String {
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=b\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:10.20.120.2:5068;transport=TCP>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        header(request, "Via: "),
        header(request, "From: "),
        header(request, "To: ")
            .split(";tag")
            .next()
            .expect("a value"),
        header(request, "Call-ID: "),
        header(request, "CSeq: "),
        body.len(),
    )
}

/// The bar stands a little above what the call takes.
#[test]
fn a_whole_call_allocates_no_more_than_its_bar() {
    let mut bench = Bench::new();
    for _ in 0..50 {
        bench.call();
    }
    let counts: Vec<u64> = (0..50).map(|_| bench.call()).collect();
    let mean = counts.iter().sum::<u64>() / 50;
    println!(
        "allocations of a whole call: {mean}, {:?}",
        counts.iter().max()
    );
    assert!(mean <= ALLOCATIONS_BAR, "{mean} allocations");
}

const ALLOCATIONS_BAR: u64 = 150;

/// What a call holds once its transactions are gone, as asked of the allocator.
#[test]
fn a_held_call_takes_no_more_memory_than_its_bar() {
    const CALLS: i64 = 200;
    if let Ok(calls) = std::env::var(SIZE) {
        let mut bench = Bench::new();
        (0..calls.parse().unwrap()).for_each(|_| drop(bench.set_up()));
        bench.linger();
        return;
    }
    let mut bench = Bench::new();
    bench.call();
    bench.linger();
    let ((), held) = octets_held(|| {
        (0..CALLS).for_each(|_| drop(bench.set_up()));
        bench.linger();
    });
    assert_eq!(bench.engine.calls().len(), 200);
    let each = held / CALLS;
    println!("octets of a held call: {each}");
    assert!(each <= OCTETS_BAR, "{each} octets");
}

const OCTETS_BAR: i64 = 4096;

/// Counted under valgrind as the difference of two runs, so that only calls count,
/// with the lab's own writing and reading of messages.
#[test]
fn a_whole_call_executes_no_more_instructions_than_its_bar() {
    let test = "a_whole_call_executes_no_more_instructions_than_its_bar";
    if let Ok(calls) = std::env::var(SIZE) {
        let mut bench = Bench::new();
        (0..calls.parse().unwrap()).for_each(|_| {
            bench.call();
        });
        return;
    }
    let count = |calls| instructions(&format!("call::{test}"), calls);
    match (count(100), count(300)) {
        (Ok(few), Ok(many)) => {
            let each = many.saturating_sub(few) / 200;
            println!("instructions of a whole call, as built for tests: {each}");
            assert!(each <= INSTRUCTIONS_BAR, "{each} instructions");
        }
        (Err(why), _) | (_, Err(why)) => sbc_tests::skip(test, &why),
    }
}

const INSTRUCTIONS_BAR: u64 = 2_000_000;
