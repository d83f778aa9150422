//! The ladders of the latest calls: messages as they pass come in, what the
//! console shows goes out. Bounded in octets; the oldest call goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use sbc_call::ladder::{Ladder, Rung};
use sbc_call::story::Story;
use sbc_call::{Instant, Step};
use sbc_sip::wire::{Frame, Received, StartLine, datagram};

/// Octets of all ladders: the messages of some thousand calls.
const OCTETS_MAX: usize = 8 * 1024 * 1024;

/// Each rung counts this much besides its message.
const RUNG: usize = 160;

/// The ladders by call, the oldest first.
#[derive(Debug, Default)]
pub struct Ladders {
    calls: BTreeMap<u32, Kept>,
    octets: usize,
    /// Calls whose ladder made room for newer ones.
    pub evicted: u64,
}

#[derive(Debug, Default)]
struct Kept {
    ladder: Ladder,
    began: Instant,
    octets: usize,
}

impl Ladders {
    /// Adds a message of a call.
    pub fn add(&mut self, now: Instant, step: &Step) {
        let read;
        let frame = match &step.frame {
            Some(frame) => frame,
            None => {
                let Ok(Received::Message(frame)) = datagram(step.bytes.as_ref().into()) else {
                    return;
                };
                read = frame;
                &read
            }
        };
        let kept = self.calls.entry(step.call).or_insert_with(|| Kept {
            began: now,
            ..Kept::default()
        });
        kept.ladder.call = step.call;
        let rung = rung(frame, step, now.saturating_sub(kept.began));
        let octets = RUNG + rung.message.len();
        let before = kept.ladder.rungs.len();
        kept.ladder.push(rung);
        if kept.ladder.rungs.len() > before {
            kept.octets += octets;
            self.octets += octets;
        }
        self.make_room(step.call);
    }

    /// Notes how a call ended, and who took part.
    pub fn end(&mut self, story: &Story) {
        let Some(kept) = self.calls.get_mut(&story.record.call) else {
            return;
        };
        let record = &story.record;
        kept.ladder.id.clone_from(&record.id);
        kept.ladder.end = story.to_string();
        let trunk = (&record.trunk, &record.mediation);
        let inward = record.direction == "in";
        let (a, b) = if inward { trunk } else { (trunk.1, trunk.0) };
        let [left, right] = &mut kept.ladder.peers;
        for (party, name, transport) in [
            (left, a, &record.transport_a),
            (right, b, &record.transport_b),
        ] {
            party.name.clone_from(name);
            if party.place.is_empty() {
                party.place.clone_from(transport);
            }
        }
    }

    /// Names the call and its peers, for a ladder of a call that lasts.
    pub fn describe(&mut self, call: u32, id: &str, peers: [sbc_call::ladder::Party; 2]) {
        if let Some(kept) = self.calls.get_mut(&call) {
            kept.ladder.id = id.to_owned();
            kept.ladder.peers = peers;
        }
    }

    /// Returns the ladder of a call, if it is still kept.
    pub fn get(&self, call: u32) -> Option<&Ladder> {
        self.calls.get(&call).map(|kept| &kept.ladder)
    }

    fn make_room(&mut self, newest: u32) {
        while self.octets > OCTETS_MAX {
            let oldest = self.calls.keys().find(|&&call| call != newest).copied();
            let Some(kept) = oldest.and_then(|oldest| self.calls.remove(&oldest)) else {
                return;
            };
            self.octets = self.octets.saturating_sub(kept.octets);
            self.evicted += 1;
        }
    }
}

fn rung(frame: &Frame, step: &Step, at: Duration) -> Rung {
    let (what, note) = match frame.start() {
        StartLine::Request { method, .. } => (method.to_owned(), String::new()),
        StartLine::Response { code, reason } => (code.to_string(), reason.to_owned()),
    };
    let mut message = frame.head().to_owned();
    message.push_str(&String::from_utf8_lossy(frame.body()));
    Rung {
        at,
        side: step.side,
        ours: step.ours,
        what,
        sdp: !frame.body().is_empty(),
        note,
        message,
    }
}
