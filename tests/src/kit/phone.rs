//! A telephone of the lab: one process in one namespace, SIP over UDP or TCP,
//! commands on its input, events on its output. It answers calls, places them,
//! holds, hangs up, speaks a tone and says what it hears (RFC 3261, RFC 3264).

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use super::sip::{self, Came, Way, body, header, headers, what};
use super::tone::Ear;

/// How it treats a call that comes in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    Answer,
    Ring,
    Refuse(u16),
}

/// One call.
struct Call {
    number: u32,
    call_id: String,
    ours: String,
    theirs: String,
    target: String,
    cseq: u32,
    version: u32,
    ear: Ear,
    /// We placed it, and this INVITE of ours is open.
    invite: Option<String>,
}

struct Phone {
    at: SocketAddr,
    node: SocketAddr,
    tcp: bool,
    hertz: f64,
    mood: Mood,
    calls: BTreeMap<String, Call>,
    /// The way to the node for requests of our own.
    out: Option<Way>,
    told: Sender<Event>,
    count: u32,
    /// Octets of a header that makes an INVITE longer.
    pad: usize,
}

enum Event {
    Came(Came),
    Said(String),
    Over,
}

/// Runs a telephone: `udp|tcp`, its address, the node's, its tone in hertz.
#[must_use]
pub fn run(arguments: &[&str]) -> ExitCode {
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            ExitCode::from(1)
        }
    }
}

fn start(arguments: &[&str]) -> Result<(), String> {
    let [transport, at, node, hertz] = arguments else {
        return Err("usage: phone udp|tcp ADDRESS NODE HERTZ".into());
    };
    let bad = |what: &str| format!("{what} makes no sense");
    let (told, events) = channel();
    let mut phone = Phone {
        at: at.parse().map_err(|_| bad(at))?,
        node: node.parse().map_err(|_| bad(node))?,
        tcp: *transport == "tcp",
        hertz: hertz.parse().map_err(|_| bad(hertz))?,
        mood: Mood::Answer,
        calls: BTreeMap::new(),
        out: None,
        told: told.clone(),
        count: 0,
        pad: 0,
    };
    phone.listen().map_err(|error| format!("{at}: {error}"))?;
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if told.send(Event::Said(line)).is_err() {
                return;
            }
        }
        let _over = told.send(Event::Over);
    });
    println!("ready");
    for event in events {
        match event {
            Event::Came(came) => phone.came(&came),
            Event::Said(line) => phone.said(&line),
            Event::Over => break,
        }
    }
    Ok(())
}

impl Phone {
    fn messages(&self) -> Sender<Came> {
        let (told, events) = (self.told.clone(), channel::<Came>());
        let (sender, receiver) = events;
        std::thread::spawn(move || {
            for came in receiver {
                if told.send(Event::Came(came)).is_err() {
                    return;
                }
            }
        });
        sender
    }

    fn listen(&mut self) -> std::io::Result<()> {
        if self.tcp {
            return sip::listen_tcp(self.at, self.messages());
        }
        let socket = sip::listen_udp(self.at, self.messages())?;
        self.out = Some(Way::Udp(socket, self.node));
        Ok(())
    }

    /// Returns the way to the node; over TCP a connection is made when there is none.
    fn way(&mut self) -> Option<Way> {
        if self.out.as_ref().is_none_or(Way::is_gone) {
            self.out = sip::connect(self.node, self.messages()).ok();
        }
        self.out.clone()
    }

    fn said(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["call", number] => self.place(number),
            ["bye", call] => self.inside(call, "BYE", None),
            ["hold", call] => self.inside(call, "INVITE", Some("sendonly")),
            ["resume", call] => self.inside(call, "INVITE", Some("sendrecv")),
            ["listen", call] => self.forget(call),
            ["tone", call, hertz] => self.tone(call, hertz),
            ["pad", octets] => self.pad = octets.parse().unwrap_or(0),
            ["mood", "answer"] => self.feel(Mood::Answer),
            ["mood", "ring"] => self.feel(Mood::Ring),
            ["mood", "refuse", code] => self.feel(Mood::Refuse(code.parse().unwrap_or(503))),
            _ => println!("error {line:?} is no command"),
        }
    }

    /// Says so, since a call may be on its way already.
    fn feel(&mut self, mood: Mood) {
        self.mood = mood;
        println!("mood {mood:?}");
    }

    fn place(&mut self, number: &str) {
        self.count += 1;
        let count = self.count;
        let Ok(ear) = Ear::open(self.at.ip(), self.hertz) else {
            println!("error no media port");
            return;
        };
        let call_id = format!("{count}-{}@{}", std::process::id(), self.at.ip());
        let call = Call {
            number: count,
            call_id: call_id.clone(),
            ours: format!("<sip:+4930555100@{}>;tag=p{count}", self.at.ip()),
            theirs: format!("<sip:{number}@{}>", self.node.ip()),
            target: format!("sip:{number}@{}", self.node),
            cseq: 1,
            version: 1,
            ear,
            invite: None,
        };
        println!("placed {count}");
        self.calls.insert(call_id.clone(), call);
        self.send(&call_id, "INVITE", Some("sendrecv"));
    }

    fn inside(&mut self, number: &str, method: &str, direction: Option<&str>) {
        let found = self.find(number);
        if let Some(call_id) = found {
            if let Some(call) = self.calls.get_mut(&call_id) {
                call.cseq += 1;
                call.version += 1;
            }
            self.send(&call_id, method, direction);
        }
    }

    fn find(&self, number: &str) -> Option<String> {
        let number: u32 = number.parse().ok()?;
        let call = self.calls.values().find(|call| call.number == number)?;
        Some(call.call_id.clone())
    }

    fn send(&mut self, call_id: &str, method: &str, direction: Option<&str>) {
        let Some(way) = self.way() else {
            println!("unreachable");
            return;
        };
        let (at, transport) = (self.at, if self.tcp { "TCP" } else { "UDP" });
        let Some(call) = self.calls.get_mut(call_id) else {
            return;
        };
        let sdp = direction.map(|direction| describe(at, call, direction));
        let text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};rport;branch=z9hG4bK{method}{}x{}x{}\r\n\
             Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {call_id}\r\nCSeq: {} {method}\r\n\
             Contact: <sip:phone@{at}{}>\r\n{}{}",
            call.target,
            call.number,
            call.cseq,
            std::process::id(),
            call.ours,
            call.theirs,
            call.cseq,
            if self.tcp { ";transport=tcp" } else { "" },
            padding(if method == "INVITE" { self.pad } else { 0 }),
            ending(sdp.as_deref()),
        );
        if method == "INVITE" {
            call.invite = Some(text.clone());
        }
        way.send(&text);
    }

    fn forget(&self, number: &str) {
        let found = self
            .find(number)
            .and_then(|call_id| self.calls.get(&call_id));
        if let Some(call) = found
            && let Ok(mut heard) = call.ear.heard.lock()
        {
            heard.forget();
            println!("listening {number}");
        }
    }

    fn tone(&self, number: &str, hertz: &str) {
        let found = self
            .find(number)
            .and_then(|call_id| self.calls.get(&call_id));
        let heard = found.and_then(|call| Some(call.ear.heard.lock().ok()?.clone()));
        let Some(heard) = heard else {
            println!("tone {number} gone");
            return;
        };
        println!(
            "tone {number} {:.3} packets {} lost {} gap {} foreign {} injected {}",
            heard.share(hertz.parse().unwrap_or(0.0)),
            heard.packets,
            heard.lost,
            heard.gap_ms,
            heard.foreign,
            heard.injected
        );
    }

    fn came(&mut self, came: &Came) {
        if came.text.starts_with("SIP/2.0") {
            self.answered(&came.text, &came.way);
        } else {
            self.asked(came);
        }
    }

    fn asked(&mut self, came: &Came) {
        let text = &came.text;
        let call_id = header(text, "Call-ID").to_owned();
        match what(text) {
            "OPTIONS" => came.way.send(&reply(text, "200 OK", "", self.at, None)),
            "INVITE" if self.calls.contains_key(&call_id) => self.changed(came, &call_id),
            "INVITE" => self.invited(came, &call_id),
            "BYE" => {
                came.way.send(&reply(text, "200 OK", "", self.at, None));
                if let Some(call) = self.calls.remove(&call_id) {
                    println!("bye {}", call.number);
                }
            }
            "CANCEL" => {
                came.way.send(&reply(text, "200 OK", "", self.at, None));
                if let Some(call) = self.calls.remove(&call_id) {
                    println!("cancelled {}", call.number);
                }
            }
            _ => {}
        }
    }

    fn invited(&mut self, came: &Came, call_id: &str) {
        let text = &came.text;
        self.count += 1;
        let (count, tag) = (self.count, format!("q{}", self.count));
        println!(
            "incoming {count} {}",
            text.lines().next().unwrap_or_default()
        );
        if let Mood::Refuse(code) = self.mood {
            let status = format!("{code} No");
            came.way.send(&reply(text, &status, &tag, self.at, None));
            return;
        }
        let Ok(ear) = Ear::open(self.at.ip(), self.hertz) else {
            return;
        };
        came.way
            .send(&reply(text, "180 Ringing", &tag, self.at, None));
        let contact = header(text, "Contact");
        let mut call = Call {
            number: count,
            call_id: call_id.to_owned(),
            ours: format!("{};tag={tag}", header(text, "To")),
            theirs: header(text, "From").to_owned(),
            target: uri(contact).to_owned(),
            cseq: 0,
            version: 1,
            ear,
            invite: None,
        };
        if self.mood == Mood::Answer {
            let sdp = describe(self.at, &mut call, "sendrecv");
            call.ear.aim(sip::session(body(text)).map(|(far, _)| far));
            came.way
                .send(&reply(text, "200 OK", &tag, self.at, Some(&sdp)));
        }
        self.calls.insert(call_id.to_owned(), call);
    }

    fn changed(&mut self, came: &Came, call_id: &str) {
        let (text, at) = (&came.text, self.at);
        let Some(call) = self.calls.get_mut(call_id) else {
            return;
        };
        let offered = sip::session(body(text));
        let direction = match offered.as_ref().map(|(_, direction)| direction.as_str()) {
            Some("sendonly") => "recvonly",
            Some("recvonly") => "sendonly",
            Some("inactive") => "inactive",
            _ => "sendrecv",
        };
        let heard = offered.as_ref().map_or("none", |(_, direction)| direction);
        println!("changed {} {heard}", call.number);
        let speaks = matches!(direction, "sendrecv" | "sendonly");
        call.ear.aim(offered.filter(|_| speaks).map(|(far, _)| far));
        call.version += 1;
        let sdp = describe(at, call, direction);
        came.way.send(&reply(text, "200 OK", "", at, Some(&sdp)));
    }

    fn answered(&mut self, text: &str, way: &Way) {
        let call_id = header(text, "Call-ID").to_owned();
        let (at, tcp) = (self.at, self.tcp);
        let Some(call) = self.calls.get_mut(&call_id) else {
            return;
        };
        let (code, cseq) = (what(text), header(text, "CSeq"));
        let (number, is_invite) = (call.number, cseq.ends_with("INVITE"));
        if code.starts_with('1') {
            println!("progress {number} {code}");
            return;
        }
        if cseq.ends_with("BYE") {
            self.calls.remove(&call_id);
            println!("ended {number} {code}");
            return;
        }
        if !is_invite {
            return;
        }
        let acknowledged = call
            .invite
            .as_ref()
            .map(|invite| ack(invite, text, at, tcp));
        if let Some(ack) = acknowledged {
            way.send(&ack);
        }
        if code.starts_with('2') {
            call.theirs = header(text, "To").to_owned();
            call.target = uri(header(text, "Contact")).to_owned();
            let session = sip::session(body(text));
            let direction = session.as_ref().map_or("none", |(_, direction)| direction);
            println!("final {number} {code} {direction}");
            let speaks = session.as_ref().is_some_and(|(_, d)| d != "inactive");
            call.ear.aim(session.filter(|_| speaks).map(|(far, _)| far));
        } else {
            println!("final {number} {code} {}", header(text, "Retry-After"));
            if call.cseq == 1 {
                self.calls.remove(&call_id);
            }
        }
    }
}

/// Returns our session description.
fn describe(at: SocketAddr, call: &mut Call, direction: &str) -> String {
    format!(
        "v=0\r\no=- {} {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n",
        call.number,
        call.version,
        ip = at.ip(),
        port = call.ear.port
    )
}

fn padding(octets: usize) -> String {
    if octets == 0 {
        return String::new();
    }
    format!("Subject: {}\r\n", "x".repeat(octets))
}

fn ending(sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ),
        None => "Content-Length: 0\r\n\r\n".to_owned(),
    }
}

/// Returns the answer to a request.
fn reply(request: &str, status: &str, tag: &str, at: SocketAddr, sdp: Option<&str>) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for via in headers(request, "Via") {
        text += &format!("Via: {via}\r\n");
    }
    let to = header(request, "To");
    let to = if tag.is_empty() || to.contains(";tag=") {
        to.to_owned()
    } else {
        format!("{to};tag={tag}")
    };
    let transport = if header(request, "Via").contains("/TCP") {
        ";transport=tcp"
    } else {
        ""
    };
    text += &format!(
        "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:phone@{at}{transport}>\r\n",
        header(request, "From"),
        header(request, "Call-ID"),
        header(request, "CSeq")
    );
    text + &ending(sdp)
}

/// Returns the ACK for a final answer to `invite`.
fn ack(invite: &str, answer: &str, at: SocketAddr, tcp: bool) -> String {
    let success = what(answer).starts_with('2');
    let target = if success {
        uri(header(answer, "Contact")).to_owned()
    } else {
        invite.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let via = if success {
        let transport = if tcp { "TCP" } else { "UDP" };
        let cseq = header(answer, "CSeq").split(' ').next().unwrap_or_default();
        format!(
            "SIP/2.0/{transport} {at};rport;branch=z9hG4bKack{cseq}x{}",
            std::process::id()
        )
    } else {
        header(invite, "Via").to_owned()
    };
    let cseq = header(invite, "CSeq").replace("INVITE", "ACK");
    format!(
        "ACK {target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n",
        header(invite, "From"),
        header(answer, "To"),
        header(invite, "Call-ID"),
    )
}

/// Returns the URI in a name-addr.
fn uri(address: &str) -> &str {
    let inside = address.split_once('<').map_or(address, |(_, rest)| rest);
    inside.split('>').next().unwrap_or_default()
}

/// How long a phone is given to be ready.
pub const READY_WITHIN: Duration = Duration::from_secs(10);
