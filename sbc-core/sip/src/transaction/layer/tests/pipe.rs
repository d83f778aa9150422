//! Two layers and a pipe that loses packets: every pattern of losses ends with
//! nothing left on either side (RFC 3261 §17, RFC 6026, §13.3.1.4).

use super::*;

/// How many packets the pattern decides on; the rest arrive.
const PATTERN: u32 = 11;

/// With this many losses at most, every story comes to its proper end: an INVITE
/// is sent seven times, and what follows it more often. With more it may time out.
const BEARABLE: u32 = 5;

/// When the callee's TU stops ringing, in milliseconds.
const RINGS: u64 = 60_000;

/// How long a packet travels, in milliseconds.
const TRAVEL: u64 = 20;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Story {
    Answered,
    Busy,
    Cancelled,
    Ended,
}

/// A caller, a callee, and what is on its way between them.
struct Pipe {
    story: Story,
    caller: Side,
    callee: Side,
    /// When, to the callee or not, what.
    flying: Vec<(u64, bool, String)>,
    losses: u32,
    sent: u32,
    /// What the caller's TU heard last.
    heard: Option<String>,
    requests: usize,
    server: Option<(ServerId, String)>,
    /// When the callee's TU sends its 2xx again, and the pause it then makes.
    again: Option<(u64, u64)>,
    answered: u64,
    confirmed: bool,
    ringing: bool,
}

impl Pipe {
    fn new(story: Story, transport: Transport, losses: u32) -> Self {
        Self {
            story,
            caller: Side::new(transport),
            callee: Side::new(transport),
            flying: Vec::new(),
            losses,
            sent: 0,
            heard: None,
            requests: 0,
            server: None,
            again: None,
            answered: 0,
            confirmed: false,
            ringing: false,
        }
    }

    /// Plays the story until both sides have nothing more to do.
    fn play(mut self) -> Self {
        let method = match self.story {
            Story::Ended => Method::Bye,
            _ => Method::Invite,
        };
        let outputs = self.caller.send(method, 1);
        self.caller_does(&outputs);
        if self.story == Story::Cancelled {
            let outputs = self.caller.input(Input::Cancel {
                client: Branch::new(1),
                reason: None,
            });
            self.caller_does(&outputs);
        }
        while let Some(now) = self.next() {
            assert!(
                now < 200_000,
                "{:?} {:b} never ends",
                self.story,
                self.losses
            );
            self.at(now);
        }
        self
    }

    fn next(&self) -> Option<u64> {
        let wakeup = |side: &Side| {
            let at = side.layer.next_wakeup()?;
            u64::try_from(at.as_millis()).ok()
        };
        let flying = self.flying.iter().map(|(at, ..)| *at).min();
        let again = self.again.map(|(at, _)| at);
        let rings = self.ringing.then_some(RINGS);
        [
            flying,
            again,
            rings,
            wakeup(&self.caller),
            wakeup(&self.callee),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn at(&mut self, now: u64) {
        self.caller.now = now;
        self.callee.now = now;
        let (due, later) = self.flying.drain(..).partition(|(at, ..)| *at <= now);
        self.flying = later;
        let due: Vec<_> = due;
        for (_, to_callee, text) in due {
            if to_callee {
                let outputs = self.callee.receive(&text);
                self.callee_does(outputs, &text);
            } else {
                let outputs = self.caller.receive(&text);
                self.hear(&outputs, &text);
                self.caller_does(&outputs);
            }
        }
        self.repeat_success(now);
        if self.ringing && now >= RINGS {
            self.ringing = false;
            self.callee_answers(480);
        }
        let outputs = self.caller.input(Input::Wakeup);
        self.caller_does(&outputs);
        let outputs = self.callee.input(Input::Wakeup);
        self.callee_does(outputs, "");
    }

    /// RFC 3261 §13.3.1.4: the TU repeats the 2xx until the ACK, for 64*T1.
    fn repeat_success(&mut self, now: u64) {
        let Some((at, pause)) = self.again else {
            return;
        };
        if at > now {
            return;
        }
        let goes_on = now < self.answered + 32_000;
        self.again = goes_on.then_some((now + pause, (pause * 2).min(4000)));
        self.callee_answers(200);
    }

    fn callee_answers(&mut self, code: u16) {
        if let Some((id, text)) = self.server.clone() {
            let outputs = self.callee.respond(id, code, &text);
            self.callee_does(outputs, "");
        }
    }

    fn caller_does(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Transmit { .. } => self.fly(true, sent(core::slice::from_ref(output))),
                Output::TimedOut(_) => self.heard = Some("timed out".into()),
                Output::Response(_) => {}
                other => panic!("the caller did not expect {other:?}"),
            }
        }
    }

    /// The caller's TU hears a response, and acknowledges a 2xx each time.
    fn hear(&mut self, outputs: &[Output], text: &str) {
        if !outputs
            .iter()
            .any(|output| matches!(output, Output::Response(_)))
        {
            return;
        }
        let code = text.split(' ').nth(1).unwrap().to_string();
        if code == "200" && self.story != Story::Ended {
            self.fly(true, request("ACK", "z9hG4bKack", Some("theirs")));
        }
        if code.as_str() >= "200" {
            self.heard = Some(code);
        }
    }

    fn callee_does(&mut self, outputs: Vec<Output>, text: &str) {
        for output in outputs {
            match output {
                Output::Transmit { .. } => self.fly(false, sent(&[output])),
                Output::Request(id) => {
                    self.requests += 1;
                    self.server = Some((id, text.to_string()));
                    self.answer();
                }
                Output::Cancelled(_) => {
                    self.ringing = false;
                    self.callee_answers(487);
                }
                Output::Ack(_) => {
                    self.confirmed = true;
                    self.again = None;
                }
                Output::TimedOut(_) => {}
                other => panic!("the callee did not expect {other:?}"),
            }
        }
    }

    fn answer(&mut self) {
        let codes: &[u16] = match self.story {
            Story::Answered => &[180, 200],
            Story::Busy => &[180, 486],
            Story::Cancelled => &[180],
            Story::Ended => &[200],
        };
        for code in codes {
            self.callee_answers(*code);
        }
        self.ringing = self.story == Story::Cancelled;
        if self.story == Story::Answered {
            self.answered = self.callee.now;
            self.again = Some((self.answered + 500, 1000));
        }
    }

    /// Lets a message fly, or loses it.
    fn fly(&mut self, to_callee: bool, text: String) {
        let lost = self.sent < PATTERN && self.losses >> self.sent & 1 == 1;
        self.sent += 1;
        if !lost {
            let at = self.caller.now.max(self.callee.now) + TRAVEL;
            self.flying.push((at, to_callee, text));
        }
    }

    /// Both sides are empty, and agree as far as a lossy pipe lets them.
    fn check(&self) {
        let story = format!("{:?} with losses {:b}", self.story, self.losses);
        self.caller.assert_nothing_left();
        self.callee.assert_nothing_left();
        assert!(self.requests <= 1, "{story}: one request, once");
        let heard = self.heard.as_deref().unwrap();
        let wanted = match self.story {
            Story::Answered | Story::Ended => "200",
            Story::Busy => "486",
            Story::Cancelled => "487",
        };
        let bearable = self.losses.count_ones() <= BEARABLE;
        assert!(
            heard == wanted || !bearable && heard == "timed out",
            "{story}: {heard}"
        );
        assert!(
            self.confirmed || self.story != Story::Answered || !bearable,
            "{story}"
        );
    }
}

fn every_pattern(story: Story) {
    for losses in 0..1 << PATTERN {
        Pipe::new(story, Transport::Udp, losses).play().check();
    }
}

/// RFC 6026 §7.1
#[test]
fn an_answered_call_survives_every_pattern_of_losses() {
    every_pattern(Story::Answered);
}

/// RFC 3261 §17.1.1.3
#[test]
fn a_busy_call_survives_every_pattern_of_losses() {
    every_pattern(Story::Busy);
}

/// RFC 3261 §9
#[test]
fn a_cancelled_call_survives_every_pattern_of_losses() {
    every_pattern(Story::Cancelled);
}

/// RFC 3261 §17.1.2
#[test]
fn an_ended_call_survives_every_pattern_of_losses() {
    every_pattern(Story::Ended);
}

#[test]
fn on_a_connection_everything_is_said_once() {
    for (story, messages) in [
        (Story::Answered, 4),
        (Story::Busy, 4),
        (Story::Cancelled, 6),
        (Story::Ended, 2),
    ] {
        let pipe = Pipe::new(story, Transport::Tcp, 0).play();
        pipe.check();
        assert_eq!(pipe.sent, messages, "{story:?}");
    }
}
