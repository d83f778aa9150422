//! The lab: the engine between personas, on a clock that only the lab moves, on
//! wires that lose what the lab says they lose.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use sbc_call::{Engine, Input, JournalCommand, Outbox, RelayCommand};
use sbc_config::{Node, Socket};
use sbc_media::stream::{MediaEvent, StreamKey, StreamStats};
use sbc_sip::transaction::{Destination, Transport};
use sbc_sip::wire::{Received, datagram};

use crate::persona::{Call, Habit, Millis, Persona};

/// One way across any wire.
const DELAY: Millis = 3;

/// How a persona's place behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wire {
    Whole,
    /// Connections are refused.
    Refused,
    /// Everything disappears.
    Hole,
}

pub struct Lab {
    pub engine: Engine,
    pub now: Millis,
    pub personas: Vec<Persona>,
    pub wires: BTreeMap<&'static str, Wire>,
    /// One of so many datagrams is lost; 0 is none.
    pub loss: u64,
    seed: u64,
    out: Outbox,
    queue: BTreeMap<(Millis, u64), Parcel>,
    serial: u64,
    pub stories: Vec<String>,
    /// What each ended call suffered from.
    pub diagnoses: Vec<String>,
    /// What the relay counts of every stream.
    pub stats: StreamStats,
    pub journal: BTreeMap<u32, Vec<u8>>,
    pub streams: BTreeMap<StreamKey, sbc_media::stream::StreamRow>,
    pub node: Node,
}

enum Parcel {
    ToNode(usize, String),
    ToPersona(usize, String),
}

pub fn node() -> Node {
    static NODE: std::sync::OnceLock<Node> = std::sync::OnceLock::new();
    NODE.get_or_init(|| node_with(&[], "")).clone()
}

/// The node of the lab, with these keys more: a table's line, and what stands in it.
pub fn node_with(keys: &[(&str, &str)], tables: &str) -> Node {
    let mut text = include_str!("node.toml").to_owned() + tables;
    for (table, line) in keys {
        let place = format!("\n{table}\n");
        assert!(text.contains(&place), "no table {table}");
        text = text.replacen(&place, &format!("{place}{line}\n"), 1);
    }
    checked(&text)
}

fn checked(text: &str) -> Node {
    let checked = sbc_config::check(text);
    checked
        .node
        .unwrap_or_else(|| panic!("{:?}", checked.problems))
}

/// Returns what was heard, in a line.
pub fn text(heard: &[String]) -> String {
    heard.join(" ")
}

impl Lab {
    pub fn new() -> Self {
        Self::seeded(1)
    }

    pub fn seeded(seed: u8) -> Self {
        Self::on(node(), seed)
    }

    /// A lab whose node has these keys more.
    pub fn with(keys: &[(&str, &str)]) -> Self {
        Self::on(node_with(keys, ""), 1)
    }

    /// A lab whose node has these keys and tables more.
    pub fn with_tables(keys: &[(&str, &str)], tables: &str) -> Self {
        Self::on(node_with(keys, tables), 1)
    }

    /// A lab whose node has `new` in the place of `old` in its file.
    pub fn instead(old: &str, new: &str) -> Self {
        let text = include_str!("node.toml");
        assert!(text.contains(old), "no {old}");
        Self::on(checked(&text.replacen(old, new, 1)), 1)
    }

    fn on(node: Node, seed: u8) -> Self {
        let mut lab = Self {
            engine: Engine::new(node.clone(), [seed; 32], 0),
            node,
            now: 0,
            personas: vec![
                Persona::new("itsp", "172.20.31.1:5060", "172.20.31.2:5060", false),
                Persona::new("itsp-b", "172.20.32.1:5060", "172.20.32.2:5060", true),
                Persona::new("med-1", "10.20.120.2:5068", "10.20.120.1:5066", true),
                Persona::new("med-2", "10.20.121.2:5068", "10.20.121.1:5066", true),
            ],
            wires: BTreeMap::new(),
            loss: 0,
            seed: u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            out: Outbox::default(),
            queue: BTreeMap::new(),
            serial: 0,
            stories: Vec::new(),
            diagnoses: Vec::new(),
            stats: StreamStats::default(),
            journal: BTreeMap::new(),
            streams: BTreeMap::new(),
        };
        lab.run(2_000);
        lab
    }

    pub fn random(&mut self, bound: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % bound
    }

    pub fn place(&self, name: &str) -> usize {
        self.personas
            .iter()
            .position(|persona| persona.name == name)
            .unwrap()
    }

    pub fn of(&mut self, name: &str) -> &mut Persona {
        let place = self.place(name);
        &mut self.personas[place]
    }

    pub fn habit(&mut self, name: &str, habit: Habit) {
        self.of(name).habit = habit;
    }

    /// Returns a lab where the carrier's call is up, the call, and its name at the first
    /// server.
    pub fn talking(number: &str) -> (Self, String, String) {
        let mut lab = Self::new();
        let call = lab.call("itsp", number);
        lab.run(1_000);
        let (id, _) = lab.last("med-1");
        (lab, call, id)
    }

    /// Returns whether media goes both ways.
    pub fn is_open(&self) -> bool {
        self.streams.values().next().unwrap().is_two_way()
    }

    /// `name` calls `number` with an offer; returns the Call-ID.
    pub fn call(&mut self, name: &str, number: &str) -> String {
        self.call_with(name, number, "", true)
    }

    pub fn call_with(&mut self, name: &str, number: &str, extra: &str, sdp: bool) -> String {
        let now = self.now;
        let id = self.of(name).invite(now, number, extra, sdp);
        self.collect();
        id
    }

    /// As [`Lab::call_with`], with the INVITE as `edit` makes it; its length is put right.
    pub fn call_edited(
        &mut self,
        name: &str,
        number: &str,
        edit: impl FnOnce(String) -> String,
    ) -> String {
        let now = self.now;
        let id = self.of(name).invite(now, number, "", true);
        let text = self.of(name).outbox.pop().unwrap();
        let text = measured(&edit(text));
        self.of(name).calls.get_mut(&id).unwrap().invite = text.clone();
        self.raw(name, &text);
        id
    }

    /// The last message to `name` that starts with `start`.
    pub fn message(&mut self, name: &str, start: &str) -> String {
        let log = &self.of(name).log;
        let found = log.iter().rev().find(|text| text.starts_with(start));
        found
            .unwrap_or_else(|| panic!("{name} heard no {start}"))
            .clone()
    }

    pub fn request(&mut self, name: &str, id: &str, method: &str, direction: Option<&str>) {
        let now = self.now;
        self.of(name).request(now, id, method, "", direction);
        self.collect();
    }

    pub fn cancel(&mut self, name: &str, id: &str) {
        self.cancel_with(name, id, "");
    }

    pub fn cancel_with(&mut self, name: &str, id: &str, extra: &str) {
        let now = self.now;
        self.of(name).cancel(now, id, extra);
        self.collect();
    }

    /// What `name` heard on its call `id`.
    pub fn heard(&mut self, name: &str, id: &str) -> Vec<String> {
        self.of(name)
            .calls
            .get(id)
            .map(|call| call.heard.clone())
            .unwrap_or_default()
    }

    /// The latest call that reached `name`, and its Call-ID.
    pub fn last(&mut self, name: &str) -> (String, Call) {
        let calls = &self.of(name).calls;
        let mut found = calls.iter().filter(|(_, call)| !call.invited.is_empty());
        let (id, call) = found
            .next_back()
            .unwrap_or_else(|| panic!("no call reached {name}"));
        (id.clone(), call.clone())
    }

    pub fn reached(&mut self, name: &str) -> usize {
        self.of(name)
            .calls
            .values()
            .filter(|call| !call.invited.is_empty())
            .count()
    }

    /// Sends one raw message from `name`.
    pub fn raw(&mut self, name: &str, text: &str) {
        let place = self.place(name);
        self.post(Parcel::ToNode(place, text.into()));
    }

    fn post(&mut self, parcel: Parcel) {
        self.serial += 1;
        self.queue.insert((self.now + DELAY, self.serial), parcel);
    }

    /// Puts what personas want to say on their wires.
    pub fn collect(&mut self) {
        for place in 0..self.personas.len() {
            for text in std::mem::take(&mut self.personas[place].outbox) {
                if !self.lost(place) {
                    self.post(Parcel::ToNode(place, text));
                }
            }
        }
    }

    fn lost(&mut self, place: usize) -> bool {
        let persona = &self.personas[place];
        let wire = self.wires.get(persona.name).copied().unwrap_or(Wire::Whole);
        let tcp = persona.tcp;
        wire == Wire::Hole || (!tcp && self.loss > 0 && self.random(self.loss) == 0)
    }

    pub fn input(&mut self, input: Input) {
        let now = Duration::from_millis(self.now);
        let mut out = std::mem::take(&mut self.out);
        self.engine.handle(now, input, &mut out);
        self.deliver(&mut out);
        out.clear();
        self.out = out;
    }

    fn deliver(&mut self, out: &mut Outbox) {
        for story in out.stories.drain(..) {
            self.stories.push(story.to_string());
            let said = sbc_call::diagnosis::of(&story.record);
            self.diagnoses.push(said.unwrap_or_default());
        }
        for command in out.journal.drain(..) {
            match command {
                JournalCommand::Keep { key, record } => drop(self.journal.insert(key, record)),
                JournalCommand::Forget { key } => drop(self.journal.remove(&key)),
            }
        }
        let mut ended = Vec::new();
        for command in out.relay.drain(..) {
            match command {
                RelayCommand::Program(row) => drop(self.streams.insert(row.key, *row)),
                RelayCommand::Withdraw(key) => {
                    self.streams.remove(&key);
                    ended.push(key);
                }
            }
        }
        let mut unreachable = Vec::new();
        for transmit in out.transmits.drain(..) {
            let text = String::from_utf8(transmit.bytes.to_vec()).unwrap();
            let to = transmit.to;
            let found = self
                .personas
                .iter()
                .position(|p| to.remote.ip().to_string() == p.at.split(':').next().unwrap());
            let place = found.unwrap_or_else(|| panic!("a message to a stranger: {to:?}\n{text}"));
            let wire = self
                .wires
                .get(self.personas[place].name)
                .copied()
                .unwrap_or(Wire::Whole);
            if wire == Wire::Refused {
                unreachable.push(to);
            } else if !self.lost(place) {
                self.post(Parcel::ToPersona(place, text));
            }
        }
        for to in unreachable {
            self.input(Input::Unreachable { to });
        }
        for key in ended {
            let stats = Box::new(self.stats.clone());
            self.input(Input::Media(MediaEvent::Ended { key, stats }));
        }
    }

    fn step(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ToPersona(place, text) => {
                let now = self.now;
                self.personas[place].take(now, &text);
            }
            Parcel::ToNode(place, text) => {
                let persona = &self.personas[place];
                let from = Destination {
                    transport: if persona.tcp {
                        Transport::Tcp
                    } else {
                        Transport::Udp
                    },
                    remote: persona.at.parse().unwrap(),
                    connection: if persona.tcp {
                        (1 << 32) + place as u64
                    } else {
                        self.listener(place)
                    },
                };
                let at = self.socket(place);
                match datagram(BytesMut::from(text.as_bytes())) {
                    Ok(Received::Message(frame)) => self.input(Input::Received { from, at, frame }),
                    Ok(_) => {}
                    Err(what) => self.input(Input::Malformed { from, at, what }),
                }
            }
        }
        self.collect();
    }

    fn socket(&self, place: usize) -> Socket {
        let persona = &self.personas[place];
        Socket {
            address: persona.node.parse().unwrap(),
            transport: if persona.tcp {
                sbc_config::Transport::Tcp
            } else {
                sbc_config::Transport::Udp
            },
        }
    }

    fn listener(&self, place: usize) -> u64 {
        let at = self.socket(place);
        self.node
            .listeners()
            .iter()
            .position(|each| *each == at)
            .unwrap() as u64
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, time: Millis) {
        let end = self.now + time;
        while let Some(due) = self.next().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            if let Some(entry) = self
                .queue
                .first_entry()
                .filter(|entry| entry.key().0 <= self.now)
            {
                let parcel = entry.remove();
                self.step(parcel);
                continue;
            }
            let wake = self
                .engine
                .next_wakeup()
                .is_some_and(|due| millis(due) <= self.now);
            if wake {
                self.input(Input::Wakeup);
            }
            let now = self.now;
            for persona in &mut self.personas {
                persona.wake(now);
            }
            self.collect();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Millis> {
        let parcels = self.queue.keys().next().map(|(due, _)| *due);
        let engine = self.engine.next_wakeup().map(millis);
        let personas = self.personas.iter().filter_map(Persona::next).min();
        [parcels, engine, personas].into_iter().flatten().min()
    }

    /// Runs until nothing of any call is left, four minutes at most, and says what is.
    pub fn assert_nothing_left(&mut self) {
        for _ in 0..240 {
            let quiet = self.queue.is_empty() && self.personas.iter().all(Persona::is_quiet);
            let [calls, _, tags, requests, ports] = self.engine.held();
            if quiet && [calls, tags, requests, ports] == [0; 4] {
                break;
            }
            self.run(1_000);
        }
        let [calls, _, tags, requests, ports] = self.engine.held();
        assert_eq!(
            [calls, tags, requests, ports],
            [0; 4],
            "calls, tags, requests, ports; {:?}",
            self.stories
        );
        assert!(self.streams.is_empty(), "streams {:?}", self.streams.keys());
        assert!(self.journal.is_empty(), "records {:?}", self.journal.keys());
        assert!(
            self.engine.peers().iter().all(|peer| peer.active == 0),
            "{:?}",
            self.engine.peers()
        );
    }
}

/// The same message with the length that its body has.
fn measured(text: &str) -> String {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let lines = head
        .split("\r\n")
        .filter(|line| !line.starts_with("Content-Length"));
    let head = lines.collect::<Vec<_>>().join("\r\n");
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn millis(time: Duration) -> Millis {
    // Upwards: a deadline is never reached before its time.
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap()
}
