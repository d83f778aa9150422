//! Calls that are looked at closely: orders of operators and messages come in, lines
//! of the diary go out, each with what a message says of itself. An order ends by
//! itself, by its time or by its lines. No line holds a number.

use std::collections::BTreeMap;
use std::time::Duration;

use sbc_call::view::Ends;
use sbc_call::{Instant, Side, Step};
use sbc_sip::wire::{Received, StartLine, datagram};
use serde_json::{Value, json};

/// Orders at the same time: a few people, each with a call or two.
pub const ORDERS_MAX: usize = 8;

/// Lines of one order: the messages of some hundred calls, and of two megabytes at
/// most in a diary of eight.
const LINES_MAX: u32 = 4000;

/// Calls whose order is known; more are not looked at.
const CALLS_MAX: usize = 1024;

/// How long an order lasts if nobody says.
pub const LASTS: Duration = Duration::from_secs(15 * 60);
/// And at most: a day.
pub const LASTS_MAX: Duration = Duration::from_secs(24 * 3600);

/// Octets of a header's value, and of a description, in a line.
const VALUE_MAX: usize = 120;
const BODY_MAX: usize = 300;

/// What lines of orders are marked by, so that the diary takes them at any level.
pub const TARGET: &str = crate::diary::DEBUGGED;

/// Headers that say why, and hold no number.
const HEADERS: [&str; 7] = [
    "CSeq",
    "Reason",
    "Warning",
    "Retry-After",
    "Require",
    "Supported",
    "Session-Expires",
];

/// Which calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    Call(u32),
    /// Of either end; a `+` in front does not matter.
    Number(String),
    Peer(String),
}

impl Whom {
    fn fits(&self, call: u32, ends: Option<&Ends>) -> bool {
        let bare = |number: &str| number.trim_start_matches('+').to_owned();
        match (self, ends) {
            (Self::Call(wanted), _) => *wanted == call,
            (Self::Number(wanted), Some(ends)) => {
                let wanted = bare(wanted);
                wanted == bare(&ends.caller) || wanted == bare(&ends.called)
            }
            (Self::Peer(wanted), Some(ends)) => ends.peers.contains(wanted),
            (_, None) => false,
        }
    }

    /// Returns it for people: a number is masked.
    fn say(&self) -> String {
        match self {
            Self::Call(call) => format!("call {call}"),
            Self::Number(number) => format!("number {}", sbc_call::story::masked(number)),
            Self::Peer(peer) => format!("peer {peer}"),
        }
    }
}

#[derive(Debug)]
struct Order {
    whom: Whom,
    until: Instant,
    lines: u32,
}

/// All orders, and the calls they are known to be about.
#[derive(Debug, Default)]
pub struct Debugged {
    orders: Vec<Order>,
    /// Whether a call is looked at.
    calls: BTreeMap<u32, bool>,
}

impl Debugged {
    /// Takes an order. Returns false where there are enough.
    pub fn order(&mut self, now: Instant, whom: Whom, lasts: Duration) -> bool {
        self.forget(now);
        self.orders.retain(|order| order.whom != whom);
        if self.orders.len() >= ORDERS_MAX {
            return false;
        }
        tracing::info!(of = whom.say(), secs = lasts.as_secs(), "debug begins");
        let until = now + lasts.min(LASTS_MAX);
        self.orders.push(Order {
            whom,
            until,
            lines: 0,
        });
        // A call that no order was about may be what this one is about.
        self.calls.clear();
        true
    }

    /// Ends all orders. Returns how many there were.
    pub fn clear(&mut self) -> usize {
        self.calls.clear();
        for order in &self.orders {
            tracing::info!(of = order.whom.say(), lines = order.lines, "debug ends");
        }
        std::mem::take(&mut self.orders).len()
    }

    /// Returns the orders that last.
    pub fn list(&mut self, now: Instant) -> Value {
        self.forget(now);
        let each = self.orders.iter().map(|order| {
            let left = order.until.saturating_sub(now).as_secs();
            json!({ "of": order.whom.say(), "ends_secs": left, "lines": order.lines })
        });
        each.collect()
    }

    /// Takes a message; `ends` says between whom its call is.
    pub fn step(&mut self, now: Instant, step: &Step, ends: impl FnOnce() -> Option<Ends>) {
        if !self.orders.is_empty() {
            self.forget(now);
        }
        if self.orders.is_empty() {
            return;
        }
        let call = step.call;
        let (is_known, ends) = match self.calls.get(&call) {
            Some(false) => return,
            Some(true) => (true, ends()),
            None => (false, ends()),
        };
        let mut fits = self.orders.iter_mut();
        let order = fits.find(|order| order.whom.fits(call, ends.as_ref()));
        let state = ends.as_ref().map_or("", |ends| ends.state.as_str());
        match order {
            Some(order) => {
                order.lines += 1;
                write(step, state);
            }
            // A call that is over already was known to be meant.
            None if is_known && ends.is_none() => write(step, state),
            None => {}
        }
        let is_meant = is_known
            || self
                .orders
                .iter()
                .any(|one| one.whom.fits(call, ends.as_ref()));
        if ends.is_some() && self.calls.len() < CALLS_MAX {
            self.calls.insert(call, is_meant);
        }
    }

    /// Takes the end of a call: nothing is kept of it.
    pub fn end(&mut self, call: u32) {
        self.calls.remove(&call);
    }

    fn forget(&mut self, now: Instant) {
        let before = self.orders.len();
        self.orders.retain(|order| {
            let lasts = order.until > now && order.lines < LINES_MAX;
            if !lasts {
                tracing::info!(of = order.whom.say(), lines = order.lines, "debug ends");
            }
            lasts
        });
        if self.orders.len() < before {
            self.calls.clear();
        }
    }
}

fn write(step: &Step, state: &str) {
    let text: Vec<u8> = match &step.frame {
        Some(frame) => [frame.head().as_bytes(), frame.body()].concat(),
        None => step.bytes.to_vec(),
    };
    let Ok(Received::Message(frame)) = datagram(text.as_slice().into()) else {
        return;
    };
    let (what, reason) = match frame.start() {
        StartLine::Request { method, .. } => (method.to_owned(), String::new()),
        StartLine::Response { code, reason } => (code.to_string(), short(reason, VALUE_MAX)),
    };
    tracing::debug!(
        target: TARGET,
        call = step.call,
        side = if step.side == Side::A { "a" } else { "b" },
        way = if step.ours { "out" } else { "in" },
        what,
        reason,
        state,
        octets = text.len(),
        headers = headers(frame.head()),
        body = described(frame.body()),
        "message"
    );
}

/// Returns the headers that say why, in one line.
fn headers(head: &str) -> String {
    let found = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let known = HEADERS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name.trim()))?;
        Some(format!("{known}: {}", short(value.trim(), VALUE_MAX)))
    });
    found.collect::<Vec<_>>().join("; ")
}

/// Returns what a session description says of media (RFC 4566 §5).
fn described(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let wanted = ["c=", "m=", "a=send", "a=recv", "a=inactive"];
    let lines = text
        .lines()
        .filter(|line| wanted.iter().any(|one| line.starts_with(one)));
    short(&lines.collect::<Vec<_>>().join("; "), BODY_MAX)
}

/// Returns `text` clean and cut.
fn short(text: &str, most: usize) -> String {
    let mut clean = sbc_call::ladder::printable(text);
    if clean.len() > most {
        clean.truncate(most);
        clean.push('~');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(call: u32) -> Step {
        let text = "INVITE sip:+4969@x SIP/2.0\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause=16\r\n\
                    From: <sip:+4930@y>\r\nContent-Length: 0\r\n\r\n";
        Step {
            call,
            side: Side::A,
            ours: true,
            frame: None,
            bytes: text.into(),
        }
    }

    fn ends(caller: &str, peer: &str) -> Option<Ends> {
        Some(Ends {
            caller: caller.to_owned(),
            called: "+49691".to_owned(),
            peers: [peer.to_owned(), "med-1".to_owned()],
            state: "ringing".to_owned(),
        })
    }

    fn lines(debugged: &mut Debugged, now: Instant) -> Vec<u64> {
        let listed = debugged.list(now);
        let rows = listed.as_array().unwrap().iter();
        rows.map(|row| row["lines"].as_u64().unwrap()).collect()
    }

    const NOW: Instant = Duration::from_secs(5);

    #[test]
    fn a_call_is_looked_at_by_its_handle_its_numbers_or_its_peers() {
        for (whom, fits) in [
            (Whom::Call(7), true),
            (Whom::Call(8), false),
            (Whom::Number("49301".to_owned()), true),
            (Whom::Number("+49691".to_owned()), true),
            (Whom::Number("4930".to_owned()), false),
            (Whom::Peer("itsp-a".to_owned()), true),
            (Whom::Peer("itsp".to_owned()), false),
        ] {
            let mut debugged = Debugged::default();
            assert!(debugged.order(NOW, whom.clone(), LASTS));
            debugged.step(NOW, &step(7), || ends("+49301", "itsp-a"));
            assert_eq!(lines(&mut debugged, NOW), [u64::from(fits)], "{whom:?}");
        }
    }

    #[test]
    fn an_order_ends_by_its_time_and_by_its_lines() {
        let mut debugged = Debugged::default();
        let peer = || Whom::Peer("itsp-a".to_owned());
        assert!(debugged.order(NOW, peer(), Duration::from_secs(60)));
        debugged.step(NOW + Duration::from_secs(61), &step(7), || {
            ends("", "itsp-a")
        });
        assert!(debugged.orders.is_empty() && debugged.calls.is_empty());
        assert!(debugged.order(NOW, peer(), LASTS_MAX * 2));
        let day = LASTS_MAX.as_secs();
        assert_eq!(debugged.list(NOW)[0]["ends_secs"], day);
        for _ in 0..=LINES_MAX {
            debugged.step(NOW, &step(7), || ends("", "itsp-a"));
        }
        assert!(debugged.orders.is_empty());
    }

    #[test]
    fn there_are_a_few_orders_and_nothing_of_a_call_stays_behind_it() {
        let mut debugged = Debugged::default();
        for call in 0..9 {
            let taken = debugged.order(NOW, Whom::Call(call), LASTS);
            assert_eq!(taken, call < 8);
        }
        // The same again is no other.
        assert!(debugged.order(NOW, Whom::Call(3), LASTS));
        for call in 0..3000 {
            debugged.step(NOW, &step(call), || ends("", "itsp-a"));
        }
        assert!(debugged.calls.len() <= CALLS_MAX);
        (0..3000).for_each(|call| debugged.end(call));
        assert!(debugged.calls.is_empty());
        assert_eq!(debugged.clear(), 8);
    }

    /// RFC 4566 §5.
    #[test]
    fn a_line_says_why_and_holds_no_number() {
        let told = headers(
            "INVITE sip:+4969@x SIP/2.0\r\nreason: Q.850;cause=16\r\nFrom: <sip:+4930@y>\r\n",
        );
        assert_eq!(told, "Reason: Q.850;cause=16");
        let body = b"v=0\r\no=+4969 1 1 IN IP4 x\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n";
        assert_eq!(
            described(body),
            "c=IN IP4 192.0.2.1; m=audio 4000 RTP/AVP 8; a=sendonly"
        );
        assert_eq!(short(&"x\u{1b}".repeat(99), 10).len(), 11);
    }
}
