//! The ladders of the latest calls: messages as they pass come in, what the
//! console shows goes out. Messages are kept as they were and read when somebody
//! looks. Bounded in octets; the oldest call goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use sbc_call::ladder::{Ladder, Party, RUNGS_MAX, Rung};
use sbc_call::story::{Record, Story};
use sbc_call::{Instant, Side, Step};
use sbc_sip::wire::{Received, StartLine, datagram};

/// Octets of all ladders: the messages of some thousand calls.
const OCTETS_MAX: usize = 8 * 1024 * 1024;

/// What the allocator adds to each text.
const CHUNK: usize = 16;

/// Each call counts this much besides its messages and texts: itself, its place in
/// the map, and what the allocator adds to each of its texts.
const CALL: usize = size_of::<Kept>() + 192;

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
    began: Instant,
    said: Vec<Said>,
    more: u32,
    octets: usize,
    id: String,
    peers: [Party; 2],
    end: String,
    diagnosis: String,
}

impl Kept {
    /// Octets of its messages, and of the room there is for more of them.
    fn messages(&self) -> usize {
        let texts = self.said.iter().map(|said| CHUNK + said.text.len());
        self.said.capacity() * size_of::<Said>() + texts.sum::<usize>()
    }

    /// Octets of its texts.
    fn texts(&self) -> usize {
        let parties = self.peers.iter();
        let parties: usize = parties
            .map(|party| party.name.len() + party.place.len())
            .sum();
        self.id.len() + self.end.len() + self.diagnosis.len() + parties
    }
}

/// One message of a call.
#[derive(Debug)]
struct Said {
    at: Duration,
    side: Side,
    ours: bool,
    text: Box<[u8]>,
}

impl Ladders {
    /// Adds a message of a call.
    pub fn add(&mut self, now: Instant, step: &Step) {
        let all = &mut self.octets;
        let kept = self.calls.entry(step.call).or_insert_with(|| {
            *all += CALL;
            Kept {
                began: now,
                octets: CALL,
                ..Kept::default()
            }
        });
        if kept.said.len() >= RUNGS_MAX {
            kept.more = kept.more.saturating_add(1);
            return;
        }
        // A copy, since a message holds the whole buffer it was read into, or all
        // the room it was written with.
        let text: Box<[u8]> = match &step.frame {
            Some(frame) => [frame.head().as_bytes(), frame.body()].concat().into(),
            None => Box::from(step.bytes.as_ref()),
        };
        let (mut octets, room) = (CHUNK + text.len(), kept.said.capacity());
        kept.said.push(Said {
            at: now.saturating_sub(kept.began),
            side: step.side,
            ours: step.ours,
            text,
        });
        octets += (kept.said.capacity() - room) * size_of::<Said>();
        kept.octets += octets;
        self.octets += octets;
        self.make_room(step.call);
    }

    /// Notes how a call ended, and who took part.
    pub fn end(&mut self, story: &Story) {
        let record = &story.record;
        let Some(kept) = self.calls.get_mut(&record.call) else {
            return;
        };
        kept.id.clone_from(&record.id);
        kept.end = story.to_string();
        let diagnosis = sbc_call::diagnosis::of(record).unwrap_or_default();
        kept.diagnosis = diagnosis.replace(" N ", &format!(" {} ", record.call));
        let [left, right] = &mut kept.peers;
        for (party, (name, transport)) in [left, right].into_iter().zip(parties(record)) {
            party.name.clone_from(name);
            if party.place.is_empty() {
                party.place.clone_from(transport);
            }
        }
        self.weigh(record.call);
    }

    /// Names the call and its peers, for a ladder of a call that lasts.
    pub fn describe(&mut self, call: u32, id: &str, peers: [Party; 2], diagnosis: String) {
        if let Some(kept) = self.calls.get_mut(&call) {
            kept.id = id.to_owned();
            kept.peers = peers;
            kept.diagnosis = diagnosis;
        }
        self.weigh(call);
    }

    /// Counts the texts of a call, which have changed.
    fn weigh(&mut self, call: u32) {
        let Some(kept) = self.calls.get_mut(&call) else {
            return;
        };
        let octets = CALL + kept.messages() + kept.texts();
        self.octets = self.octets.saturating_sub(kept.octets) + octets;
        kept.octets = octets;
        self.make_room(call);
    }

    /// Returns the ladder of a call, if it is still kept.
    pub fn get(&self, call: u32) -> Option<Ladder> {
        let kept = self.calls.get(&call)?;
        Some(Ladder {
            call,
            id: kept.id.clone(),
            peers: kept.peers.clone(),
            rungs: kept.said.iter().filter_map(rung).collect(),
            more: kept.more,
            end: kept.end.clone(),
            diagnosis: kept.diagnosis.clone(),
        })
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

/// Returns name and transport of both sides, the caller's first.
fn parties(record: &Record) -> [(&String, &String); 2] {
    let (a, b) = match record.direction.as_str() {
        "in" => (&record.trunk, &record.mediation),
        _ => (&record.mediation, &record.trunk),
    };
    [(a, &record.transport_a), (b, &record.transport_b)]
}

fn rung(said: &Said) -> Option<Rung> {
    let Ok(Received::Message(frame)) = datagram((&*said.text).into()) else {
        return None;
    };
    let (what, note) = match frame.start() {
        StartLine::Request { method, .. } => (method.to_owned(), String::new()),
        StartLine::Response { code, reason } => (code.to_string(), reason.to_owned()),
    };
    Some(Rung {
        at: said.at,
        side: said.side,
        ours: said.ours,
        what,
        sdp: !frame.body().is_empty(),
        note,
        message: String::from_utf8_lossy(&said.text).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ladders_of_short_calls_take_no_more_than_those_of_long_ones() {
        let mut ladders = Ladders::default();
        for call in 0..200_000 {
            let bytes = "BYE sip:a@b SIP/2.0\r\n\r\n".into();
            let (side, ours, frame) = (Side::A, true, None);
            let step = Step {
                call,
                side,
                ours,
                frame,
                bytes,
            };
            ladders.add(Instant::default(), &step);
        }
        // What the allocator is asked for at least: the calls and their messages.
        let each = size_of::<Kept>() + size_of::<Said>() + 24;
        let taken = ladders.calls.len() * each;
        assert!(ladders.evicted > 0);
        assert!(taken <= OCTETS_MAX, "{taken}");
        let counted: usize = ladders.calls.values().map(|kept| kept.octets).sum();
        assert_eq!(counted, ladders.octets);
    }

    #[test]
    fn the_texts_of_a_call_count_and_count_once() {
        let mut ladders = Ladders::default();
        let bytes: bytes::Bytes = "BYE sip:a@b SIP/2.0\r\n\r\n".into();
        let (call, side, ours, frame) = (7, Side::A, true, None);
        let step = Step {
            call,
            side,
            ours,
            frame,
            bytes,
        };
        ladders.add(Instant::default(), &step);
        let before = ladders.octets;
        for _ in 0..3 {
            let peers = [Party::default(), Party::default()];
            ladders.describe(call, "twelve chars", peers, "eight ch".into());
        }
        assert_eq!(ladders.octets, before + 20);
    }
}
