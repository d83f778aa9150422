//! A neighbour of the node in virtual time: it answers as it is told, repeats
//! what a datagram may lose, and remembers what it heard (RFC 3261 §17, as an
//! endpoint with nothing in common with the product's).

use std::collections::BTreeMap;

use sbc_tests::kit::sip::{body, header, headers, session, what};

/// Milliseconds of virtual time.
pub type Millis = u64;

const T1: Millis = 500;
const GIVES_UP: Millis = 64 * T1;

/// What it does with an INVITE that comes in.
#[derive(Clone, Debug)]
pub enum Habit {
    /// 180, then 200 after so many milliseconds.
    Answer(Millis),
    /// 200 at once, without 180.
    AnswerAtOnce,
    /// 183 with a session, then 200.
    Early(Millis),
    /// 180 carrying a session, then 200.
    RingWithSession(Millis),
    /// Early dialogs with so many tags, then 200 from the last.
    Forks(usize, Millis),
    /// The same, and 200 from the one at this place.
    ForksThen(usize, usize, Millis),
    /// 100, after so long 183 with a session, after so long again 200.
    TryThenEarly(Millis, Millis),
    /// 180 and nothing else.
    Ring,
    /// 100 and nothing else.
    Try,
    /// Nothing at all.
    Silent,
    /// This status and reason, with these headers.
    Refuse(u16, String),
    /// 183 that must be acknowledged, then 200.
    Reliable(Millis),
}

/// One call as the persona knows it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub ours: String,
    pub theirs: String,
    pub target: String,
    pub cseq: u32,
    pub version: u32,
    /// Methods and codes in the order they came, copies left out.
    pub heard: Vec<String>,
    /// The last session description that came.
    pub session: Option<String>,
    /// The last INVITE of ours, whole.
    pub invite: String,
    /// The last INVITE of theirs, whole.
    pub invited: String,
    pub ended: bool,
    /// Answers by code and CSeq, to tell a copy.
    seen: std::collections::BTreeSet<String>,
    /// Direction of what we said last.
    pub direction: String,
    /// Where we take media when we are called.
    pub port: u32,
    /// What its PRACK of the latest reliable progress says.
    rack: String,
    /// An early description was given.
    early: bool,
    /// The re-INVITE of theirs that got 100 and nothing else.
    pub pending: Option<String>,
}

/// Something that is sent again until it is answered.
#[derive(Clone, Debug)]
struct Repeat {
    text: String,
    next: Millis,
    pause: Millis,
    until: Millis,
}

/// One neighbour.
#[derive(Debug)]
pub struct Persona {
    pub name: &'static str,
    pub at: &'static str,
    pub node: &'static str,
    pub tcp: bool,
    pub habit: Habit,
    /// How it answers a re-INVITE: a status, 0 for a good answer; after 100 it waits
    /// for a CANCEL, or for the test.
    pub changes: u16,
    /// It holds, whatever it is offered.
    pub holds: bool,
    /// The direction of its answer in an ACK.
    pub late: &'static str,
    /// Acknowledges reliable progress as soon as it comes.
    pub pracks: bool,
    /// Headers that each of its answers has.
    pub answers_with: String,
    pub calls: BTreeMap<String, Call>,
    repeats: BTreeMap<String, Repeat>,
    /// Answers given, for copies of their requests.
    given: BTreeMap<String, String>,
    /// What is to be said later: moment, call, text.
    later: Vec<(Millis, String)>,
    pub outbox: Vec<String>,
    count: u32,
    /// Every message that came, for a search.
    pub log: Vec<String>,
    pub options: u32,
    /// Calls that a test answered by hand.
    pub said_200: std::collections::BTreeSet<String>,
}

impl Persona {
    pub fn new(name: &'static str, at: &'static str, node: &'static str, tcp: bool) -> Self {
        Self {
            name,
            at,
            node,
            tcp,
            habit: Habit::Answer(100),
            changes: 0,
            holds: false,
            late: "sendrecv",
            pracks: true,
            answers_with: String::new(),
            calls: BTreeMap::new(),
            repeats: BTreeMap::new(),
            given: BTreeMap::new(),
            later: Vec::new(),
            outbox: Vec::new(),
            count: 0,
            log: Vec::new(),
            options: 0,
            said_200: std::collections::BTreeSet::new(),
        }
    }

    /// Places a call; returns its Call-ID.
    pub fn invite(&mut self, now: Millis, number: &str, extra: &str, sdp: bool) -> String {
        self.count += 1;
        let call_id = format!("{}-{}", self.name, self.count);
        let call = Call {
            ours: format!(
                "\"Caller {}\" <sip:+4930555100@{}>;tag={}t{}",
                self.name,
                self.host(),
                self.name,
                self.count
            ),
            theirs: format!("<sip:{number}@{}>", self.node),
            target: format!("sip:{number}@{}", self.node),
            cseq: 1,
            version: 1,
            direction: "sendrecv".into(),
            ..Call::default()
        };
        self.calls.insert(call_id.clone(), call);
        self.request(now, &call_id, "INVITE", extra, sdp.then_some("sendrecv"));
        call_id
    }

    fn host(&self) -> &'static str {
        self.at.split(':').next().unwrap()
    }

    fn transport(&self) -> &'static str {
        if self.tcp { "TCP" } else { "UDP" }
    }

    /// Sends a request of a call, with the next CSeq unless it is the first.
    pub fn request(
        &mut self,
        now: Millis,
        id: &str,
        method: &str,
        extra: &str,
        direction: Option<&str>,
    ) {
        let port = 40_000 + 2 * self.count;
        let (host, at, transport) = (self.host(), self.at, self.transport());
        let call = self.calls.get_mut(id).unwrap();
        if !call.invite.is_empty() || !call.invited.is_empty() {
            call.cseq += 1;
        }
        let sdp = direction.map(|direction| {
            if direction != call.direction {
                call.version += 1;
            }
            call.direction = direction.into();
            describe(host, port, call.version, direction)
        });
        let branch = format!("z9hG4bK{method}x{}x{id}", call.cseq);
        let text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {at};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {id}\r\nCSeq: {} {method}\r\nContact: <sip:x@{at}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK\r\n{extra}{}",
            call.target,
            call.ours,
            call.theirs,
            call.cseq,
            ending(sdp.as_deref())
        );
        if method == "INVITE" {
            call.invite.clone_from(&text);
        }
        self.send_sure(now, branch, text);
    }

    /// CANCELs the INVITE of a call.
    pub fn cancel(&mut self, now: Millis, id: &str, extra: &str) {
        let invite = self.calls[id].invite.clone();
        let via = header(&invite, "Via").to_owned();
        let text = format!(
            "CANCEL {} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {id}\r\n\
             CSeq: {}\r\n{extra}Content-Length: 0\r\n\r\n",
            invite.split(' ').nth(1).unwrap(),
            header(&invite, "From"),
            header(&invite, "To"),
            header(&invite, "CSeq").replace("INVITE", "CANCEL")
        );
        let branch = branch_of(&text);
        self.send_sure(now, format!("{branch}CANCEL"), text);
    }

    fn send_sure(&mut self, now: Millis, key: String, text: String) {
        self.outbox.push(text.clone());
        if !self.tcp {
            let repeat = Repeat {
                text,
                next: now + T1,
                pause: T1,
                until: now + GIVES_UP,
            };
            self.repeats.insert(key, repeat);
        }
    }

    /// Returns when it next wants to do something.
    pub fn next(&self) -> Option<Millis> {
        let repeats = self.repeats.values().map(|repeat| repeat.next);
        repeats.chain(self.later.iter().map(|(due, _)| *due)).min()
    }

    pub fn wake(&mut self, now: Millis) {
        let due: Vec<String> = self
            .later
            .iter()
            .filter(|(due, _)| *due <= now)
            .map(|(_, id)| id.clone())
            .collect();
        self.later.retain(|(due, _)| *due > now);
        for id in due {
            self.answer_now(now, &id);
        }
        for repeat in self.repeats.values_mut() {
            if repeat.next <= now {
                self.outbox.push(repeat.text.clone());
                repeat.pause = (repeat.pause * 2).min(4000);
                repeat.next = now + repeat.pause;
            }
        }
        self.repeats.retain(|_, repeat| repeat.next < repeat.until);
    }

    fn answer_now(&mut self, now: Millis, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.ended || call.heard.contains(&"CANCEL".to_string()) {
            return;
        }
        let (invited, early) = (
            call.invited.clone(),
            std::mem::replace(&mut call.early, true),
        );
        let host = self.host();
        let call = self.calls.get_mut(id).unwrap();
        call.direction = "sendrecv".into();
        let sdp = describe(host, call.port, call.version, "sendrecv");
        if let (Habit::TryThenEarly(_, after), false) = (&self.habit, early) {
            self.later.push((now + after, id.to_owned()));
            self.provisional(&invited, "183 Session Progress", "", Some(&sdp));
            return;
        }
        self.final_answer(now, &invited, "200 OK", "", Some(&sdp));
    }

    fn final_answer(
        &mut self,
        now: Millis,
        request: &str,
        status: &str,
        extra: &str,
        sdp: Option<&str>,
    ) {
        let text = self.reply(request, status, extra, sdp);
        if what(request) == "INVITE" {
            // Until the ACK, also over TCP (RFC 3261 §13.3.1.4).
            let key = format!(
                "answer {} {}",
                header(request, "Call-ID"),
                header(request, "CSeq")
            );
            let repeat = Repeat {
                text: text.clone(),
                next: now + T1,
                pause: T1,
                until: now + GIVES_UP,
            };
            if !self.tcp || status.starts_with('2') {
                self.repeats.insert(key, repeat);
            }
        }
        self.given.insert(key_of(request), text.clone());
        self.outbox.push(text);
    }

    fn provisional(&mut self, request: &str, status: &str, extra: &str, sdp: Option<&str>) {
        let text = self.reply(request, status, extra, sdp);
        self.given.insert(key_of(request), text.clone());
        self.outbox.push(text);
    }

    fn reply(&self, request: &str, status: &str, extra: &str, sdp: Option<&str>) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in headers(request, "Via") {
            text += &format!("Via: {via}\r\n");
        }
        let to = header(request, "To");
        let tag = self
            .calls
            .get(header(request, "Call-ID"))
            .map(|call| tag_of(&call.ours))
            .unwrap_or_default();
        let to = if to.contains(";tag=") || tag.is_empty() {
            to.to_owned()
        } else {
            format!("{to};tag={tag}")
        };
        // A redirection has the Contacts of others.
        let contact = format!("Contact: <sip:x@{}>\r\n", self.at);
        let contact = Some(contact).filter(|_| !extra.contains("Contact: "));
        text += &format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{}{extra}{}",
            header(request, "From"),
            header(request, "Call-ID"),
            header(request, "CSeq"),
            contact.unwrap_or_default(),
            self.answers_with
        );
        text + &ending(sdp)
    }

    /// Takes a message of the node.
    pub fn take(&mut self, now: Millis, text: &str) {
        self.log.push(text.to_owned());
        if text.starts_with("SIP/2.0") {
            self.answered(now, text);
        } else {
            self.asked(now, text);
        }
    }

    fn asked(&mut self, now: Millis, text: &str) {
        let (id, method) = (header(text, "Call-ID").to_owned(), what(text).to_owned());
        if method == "OPTIONS" {
            self.options += 1;
            let text = self.reply(text, "200 OK", "", None);
            self.outbox.push(text);
            return;
        }
        if method == "ACK" {
            let cseq = header(text, "CSeq").replace("ACK", "INVITE");
            let confirmed = self
                .repeats
                .remove(&format!("answer {id} {cseq}"))
                .is_some();
            if let Some(call) = self.calls.get_mut(&id)
                && (confirmed
                    || call
                        .heard
                        .last()
                        .is_some_and(|last| last == "INVITE" || last == "CANCEL"))
            {
                call.heard.push(method);
            }
            return;
        }
        // A copy gets the copy of its answer.
        if let Some(given) = self.given.get(&key_of(text)) {
            self.outbox.push(given.clone());
            return;
        }
        match method.as_str() {
            "INVITE" if self.calls.contains_key(&id) => self.changed(now, text, &id),
            "INVITE" => self.invited(now, text, &id),
            _ => self.inside(now, text, &id, &method),
        }
    }

    fn inside(&mut self, now: Millis, text: &str, id: &str, method: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            self.final_answer(now, text, "481 Gone", "", None);
            return;
        };
        call.heard.push(method.to_owned());
        if method == "BYE" {
            call.ended = true;
        }
        let invited = call.invited.clone();
        self.final_answer(now, text, "200 OK", "", None);
        if method == "CANCEL" && !self.calls[id].heard.contains(&"ACK".to_string()) {
            self.final_answer(now, &invited, "487 Request Terminated", "", None);
            self.calls.get_mut(id).unwrap().ended = true;
        }
        if method == "CANCEL" {
            self.finish_change(now, id, "487 Request Terminated");
        }
        if method == "UPDATE" || method == "PRACK" {
            return;
        }
        if method == "BYE" {
            self.repeats
                .retain(|key, _| !key.starts_with(&format!("answer {id} ")));
        }
    }

    fn invited(&mut self, now: Millis, text: &str, id: &str) {
        self.count += 1;
        let tag = format!("{}t{}", self.name, self.count);
        let call = Call {
            ours: format!("{};tag={tag}", header(text, "To")),
            theirs: header(text, "From").to_owned(),
            target: uri(header(text, "Contact")).to_owned(),
            version: 1,
            heard: vec!["INVITE".into()],
            session: session(body(text)).map(|(_, direction)| direction),
            invited: text.to_owned(),
            port: 50_000,
            ..Call::default()
        };
        self.calls.insert(id.to_owned(), call);
        let sdp = describe(self.host(), 50_000, 1, "sendrecv");
        match self.habit.clone() {
            Habit::Answer(after) => {
                self.provisional(text, "180 Ringing", "", None);
                self.later.push((now + after, id.to_owned()));
            }
            Habit::AnswerAtOnce => self.answer_now(now, id),
            Habit::Early(after) => {
                self.provisional(text, "183 Session Progress", "", Some(&sdp));
                self.later.push((now + after, id.to_owned()));
            }
            Habit::RingWithSession(after) => {
                self.provisional(text, "180 Ringing", "", Some(&sdp));
                self.later.push((now + after, id.to_owned()));
            }
            Habit::Forks(count, after) => {
                self.fork(text, id, &tag, count);
                self.later.push((now + after, id.to_owned()));
            }
            Habit::ForksThen(count, winner, after) => {
                self.fork(text, id, &tag, count);
                let call = self.calls.get_mut(id).unwrap();
                call.ours = format!("{};tag={tag}f{winner}", header(text, "To"));
                call.port = 50_000 + 2 * u32::try_from(winner).unwrap();
                self.later.push((now + after, id.to_owned()));
            }
            Habit::TryThenEarly(after, _) => {
                self.provisional(text, "100 Trying", "", None);
                self.later.push((now + after, id.to_owned()));
            }
            Habit::Ring => self.provisional(text, "180 Ringing", "", None),
            Habit::Try => self.provisional(text, "100 Trying", "", None),
            Habit::Silent => {}
            Habit::Refuse(code, extra) => {
                self.calls.get_mut(id).unwrap().ended = true;
                self.final_answer(now, text, &format!("{code} No"), &extra, None);
            }
            Habit::Reliable(after) => {
                self.provisional(
                    text,
                    "183 Session Progress",
                    "Require: 100rel\r\nRSeq: 7\r\n",
                    Some(&sdp),
                );
                self.later.push((now + after, id.to_owned()));
            }
        }
    }

    fn fork(&mut self, text: &str, id: &str, tag: &str, count: usize) {
        for fork in 0..count {
            let call = self.calls.get_mut(id).unwrap();
            call.ours = format!("{};tag={tag}f{fork}", header(text, "To"));
            let port = 50_000 + 2 * u32::try_from(fork).unwrap();
            let sdp = describe(self.host(), port, 1, "sendrecv");
            self.provisional(text, "183 Session Progress", "", Some(&sdp));
        }
    }

    fn changed(&mut self, now: Millis, text: &str, id: &str) {
        let changes = self.changes;
        let call = self.calls.get_mut(id).unwrap();
        call.heard.push("INVITE".into());
        let offered = session(body(text)).map(|(_, direction)| direction);
        call.session.clone_from(&offered);
        if changes == 100 {
            call.pending = Some(text.to_owned());
            self.provisional(text, "100 Trying", "", None);
            return;
        }
        if changes != 0 {
            self.final_answer(now, text, &format!("{changes} No"), "", None);
            return;
        }
        self.accept_change(now, text, id);
    }

    /// Answers a re-INVITE of theirs with 200.
    fn accept_change(&mut self, now: Millis, text: &str, id: &str) {
        let (host, holds) = (self.host(), self.holds);
        let call = self.calls.get_mut(id).unwrap();
        let direction = match session(body(text))
            .map(|(_, direction)| direction)
            .as_deref()
        {
            Some("sendonly" | "inactive") if holds => "inactive",
            _ if holds => "sendonly",
            Some("sendonly") => "recvonly",
            Some("recvonly") => "sendonly",
            Some("inactive") => "inactive",
            _ => "sendrecv",
        };
        call.version += 1;
        call.direction = direction.into();
        let sdp = describe(host, 50_000, call.version, direction);
        self.final_answer(now, text, "200 OK", "", Some(&sdp));
    }

    /// Answers the re-INVITE that waits, if one does: 200, or this status.
    pub fn finish_change(&mut self, now: Millis, id: &str, status: &str) {
        let Some(text) = self.calls.get_mut(id).and_then(|call| call.pending.take()) else {
            return;
        };
        if status.starts_with('2') {
            self.accept_change(now, &text, id);
        } else {
            self.final_answer(now, &text, status, "", None);
        }
    }

    fn answered(&mut self, now: Millis, text: &str) {
        let (id, code) = (header(text, "Call-ID").to_owned(), what(text).to_owned());
        let cseq = header(text, "CSeq").to_owned();
        let method = cseq.split(' ').nth(1).unwrap_or_default().to_owned();
        let branch = branch_of(text);
        let key = if method == "CANCEL" {
            format!("{branch}CANCEL")
        } else {
            branch
        };
        let first = self.repeats.remove(&key).is_some() || self.tcp;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let said = if method == "INVITE" {
            code.clone()
        } else {
            format!("{method} {code}")
        };
        let is_copy = !call.seen.insert(format!("{code} {cseq}")) && !first;
        let provisional = code.starts_with('1');
        if !(is_copy || (provisional && call.heard.last() == Some(&said))) {
            call.heard.push(said);
        }
        if let Some((_, direction)) = session(body(text)) {
            call.session = Some(direction);
        }
        if provisional {
            if header(text, "Require").contains("100rel") {
                let rack = format!("RAck: {} {}\r\n", header(text, "RSeq"), cseq);
                call.theirs = header(text, "To").to_owned();
                call.target = uri(header(text, "Contact")).to_owned();
                let offered = session(body(text)).is_some() && !call.invite.contains("m=audio");
                call.rack = rack;
                if self.pracks {
                    self.prack(now, &id, offered.then_some("sendrecv"));
                }
            }
            return;
        }
        if method == "BYE" {
            call.ended = true;
        }
        if method != "INVITE" {
            return;
        }
        if code.starts_with('2') {
            call.theirs = header(text, "To").to_owned();
            call.target = uri(header(text, "Contact")).to_owned();
        } else if call.cseq == 1 {
            call.ended = true;
        }
        let late = !call.invite.contains("m=audio") && code.starts_with('2');
        let sdp = late.then(|| describe(self.at.split(':').next().unwrap(), 40_000, 1, self.late));
        let ack = acknowledge(
            &self.calls[&id].invite,
            text,
            self.at,
            self.transport(),
            sdp.as_deref(),
        );
        self.outbox.push(ack);
    }

    /// Acknowledges the latest reliable progress of its call.
    pub fn prack(&mut self, now: Millis, id: &str, direction: Option<&str>) {
        let rack = self.calls[id].rack.clone();
        if !rack.is_empty() {
            self.request(now, id, "PRACK", &rack, direction);
        }
    }

    /// Answers the INVITE of `id` provisionally, reliably if it has a number.
    pub fn progress(&mut self, id: &str, status: &str, rseq: Option<u32>, described: bool) {
        let invited = self.calls[id].invited.clone();
        let extra = rseq.map(|rseq| format!("Require: 100rel\r\nRSeq: {rseq}\r\n"));
        let sdp = describe(self.host(), 50_000, 1, "sendrecv");
        let sdp = described.then_some(sdp.as_str());
        self.provisional(&invited, status, &extra.unwrap_or_default(), sdp);
    }

    /// Answers the INVITE of `id` with 200.
    pub fn answer(&mut self, now: Millis, id: &str) {
        self.answer_now(now, id);
    }

    /// Whether anything is still to be said.
    pub fn is_quiet(&self) -> bool {
        self.repeats.is_empty() && self.later.is_empty()
    }
}

fn acknowledge(invite: &str, answer: &str, at: &str, transport: &str, sdp: Option<&str>) -> String {
    let success = what(answer).starts_with('2');
    let cseq = header(answer, "CSeq").replace("INVITE", "ACK");
    let (target, via) = if success {
        let via = format!(
            "SIP/2.0/{transport} {at};branch=z9hG4bKack{}{}",
            cseq.replace(' ', ""),
            header(answer, "Call-ID")
        );
        (uri(header(answer, "Contact")).to_owned(), via)
    } else {
        (
            invite.split(' ').nth(1).unwrap().to_owned(),
            header(answer, "Via").to_owned(),
        )
    };
    format!(
        "ACK {target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq}\r\n{}",
        header(answer, "From"),
        header(answer, "To"),
        header(answer, "Call-ID"),
        ending(sdp)
    )
}

pub fn describe(host: &str, port: u32, version: u32, direction: &str) -> String {
    format!(
        "v=0\r\no=- 7 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

fn ending(sdp: Option<&str>) -> String {
    match sdp {
        Some(sdp) => format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ),
        None => "Content-Length: 0\r\n\r\n".into(),
    }
}

fn key_of(request: &str) -> String {
    format!("{} {}", branch_of(request), what(request))
}

fn branch_of(text: &str) -> String {
    let via = header(text, "Via");
    let after = via.split("branch=").nth(1).unwrap_or_default();
    after
        .split([';', ',', ' '])
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn tag_of(address: &str) -> String {
    address.split(";tag=").nth(1).unwrap_or_default().to_owned()
}

fn uri(address: &str) -> &str {
    let inside = address.split_once('<').map_or(address, |(_, rest)| rest);
    inside.split('>').next().unwrap_or_default()
}
