//! The clock of the node (SNTP, RFC 4330): servers of the file are asked in rounds,
//! and what they agree on goes to `init`, which alone may set the clock.

mod ask;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sbc_clock::correction::FIRST_SLEWED_MAX;
use sbc_clock::{Choice, Poll, Sample, calendar, choose, poll};
use sbc_config::Node;
use sbc_config::node::TimeServer;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::alarms::Fact;
use super::operations::Answered;
use super::room::Room;
use crate::ipc::{ClockBy, ConfigOrder};
use ask::{Asked, ask};

/// A clock that is not set for so long is an alarm.
const UNSET_AFTER: Duration = Duration::from_secs(600);

/// The first round comes within this, so that nodes that start together do not ask
/// together.
const STARTS_WITHIN: Duration = Duration::from_secs(1);

/// Nobody is asked twice within this, whatever an operator does (RFC 4330 §10).
const APART: Duration = Duration::from_secs(15);

/// What is known of the clock and its servers.
#[derive(Debug)]
pub struct Keeper {
    state: RefCell<State>,
    bell: Notify,
    /// The next round is to come at once.
    hurry: Cell<bool>,
}

#[derive(Debug)]
struct State {
    servers: Vec<Server>,
    is_set: bool,
    since: Instant,
    why: String,
    /// What the servers of the latest round agreed on.
    offset: Option<i64>,
}

/// One server, and how it went with it.
#[derive(Debug)]
struct Server {
    at: TimeServer,
    word: &'static str,
    why: String,
    sample: Option<Sample>,
    /// Whether it answered, the latest in the lowest bit (RFC 5905 §9.2).
    reach: u8,
    asked: Option<Instant>,
    heard: Option<Instant>,
    kisses: u32,
    left_alone: Option<Instant>,
    /// Datagrams that were no answer to a question of ours.
    strays: u64,
}

impl Server {
    const fn new(at: TimeServer) -> Self {
        Self {
            at,
            word: "unknown",
            why: String::new(),
            sample: None,
            reach: 0,
            asked: None,
            heard: None,
            kisses: 0,
            left_alone: None,
            strays: 0,
        }
    }

    fn may_be_asked(&self, now: Instant) -> bool {
        let rested = self
            .asked
            .is_none_or(|asked| now.duration_since(asked) >= APART);
        rested && self.left_alone.is_none_or(|until| until <= now)
    }

    /// Notes what came of a question.
    fn note(&mut self, now: Instant, (said, strays): Asked) {
        self.strays += strays;
        self.reach = (self.reach << 1) | u8::from(said.is_ok());
        match said {
            Ok(sample) => {
                (self.sample, self.heard) = (Some(sample), Some(now));
                (self.word, self.kisses) = ("heard", 0);
                self.why.clear();
            }
            Err(silent) => {
                self.sample = None;
                self.why = silent.to_string();
                self.word = "silent";
                if let Some(kiss) = silent.kiss() {
                    self.kisses = self.kisses.saturating_add(1);
                    self.left_alone = Some(now + poll::left_alone(kiss, self.kisses));
                    self.word = "refuses";
                    let server = self.at.address;
                    tracing::warn!(%server, kiss = kiss.word(), "a time server wants to be left alone");
                }
            }
        }
    }

    fn shown(&self) -> Value {
        let of = |field: fn(&Sample) -> i64| self.sample.as_ref().map(|one| field(one) / 1000);
        json!({
            "server": self.at.address.to_string(),
            "state": self.word,
            "stratum": self.sample.map(|sample| sample.stratum),
            "offset_us": of(|one| one.offset),
            "delay_us": of(|one| one.delay),
            "distance_us": of(|one| one.distance),
            "reach": format!("{:03o}", self.reach),
            "heard_secs": self.heard.map(|heard| heard.elapsed().as_secs()),
            "strays": self.strays,
            "why": self.why,
        })
    }
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            state: RefCell::new(State {
                servers: Vec::new(),
                is_set: false,
                since: Instant::now(),
                why: "no server was asked yet".to_owned(),
                offset: None,
            }),
            bell: Notify::new(),
            hurry: Cell::new(false),
        }
    }
}

impl Keeper {
    /// The file may name other servers.
    pub fn look_again(&self) {
        self.bell.notify_one();
    }

    /// Takes the servers of a configuration; one that stays keeps what is known of it.
    /// Returns whether they are others than before.
    fn take(&self, node: &Node) -> bool {
        let mut state = self.state.borrow_mut();
        let same = state
            .servers
            .iter()
            .map(|server| &server.at)
            .eq(&node.system.ntp);
        if same {
            return false;
        }
        let mut before = std::mem::take(&mut state.servers);
        for server in &node.system.ntp {
            let known = before.iter().position(|known| known.at == *server);
            let known = known.map(|at| before.swap_remove(at));
            state
                .servers
                .push(known.unwrap_or_else(|| Server::new(*server)));
        }
        true
    }

    /// Asks everybody who may be asked; returns what they agree on.
    async fn round(&self) -> Option<(Choice, Vec<IpAddr>)> {
        let mut questions = JoinSet::new();
        let now = Instant::now();
        for (at, server) in self.state.borrow_mut().servers.iter_mut().enumerate() {
            server.sample = None;
            if server.may_be_asked(now) {
                server.asked = Some(now);
                let place = server.at;
                questions.spawn_local(async move { (at, ask(place).await) });
            }
        }
        while let Some(answered) = questions.join_next().await {
            if let Ok((at, asked)) = answered
                && let Some(server) = self.state.borrow_mut().servers.get_mut(at)
            {
                server.note(Instant::now(), asked);
            }
        }
        self.chosen()
    }

    fn chosen(&self) -> Option<(Choice, Vec<IpAddr>)> {
        let mut state = self.state.borrow_mut();
        let servers = &mut state.servers;
        let heard: Vec<&mut Server> = servers
            .iter_mut()
            .filter(|one| one.sample.is_some())
            .collect();
        let samples: Vec<Sample> = heard.iter().filter_map(|one| one.sample).collect();
        let choice = choose(&samples);
        let mut agree = Vec::new();
        for (at, server) in heard.into_iter().enumerate() {
            let is_in = choice
                .as_ref()
                .is_some_and(|choice| choice.agree.contains(&at));
            server.word = if is_in { "agrees" } else { "differs" };
            agree.extend(is_in.then_some(server.at.address));
        }
        if choice.is_none() {
            let why = match samples.is_empty() {
                true => "no server answers",
                false => "the servers do not agree",
            };
            state.is(false, why.to_owned());
            state.offset = None;
        }
        choice.map(|choice| (choice, agree))
    }

    /// Returns what `show clock` tells beside the time.
    pub fn shown(&self) -> Value {
        let state = self.state.borrow();
        let word = match (state.servers.is_empty(), state.is_set) {
            (true, _) => "runs by itself",
            (false, true) => "synchronised",
            (false, false) => "unsynchronised",
        };
        let servers: Vec<Value> = state.servers.iter().map(Server::shown).collect();
        json!({
            "state": word,
            "since_secs": state.since.elapsed().as_secs(),
            "offset_us": state.offset.map(|offset| offset / 1000),
            "why": if state.servers.is_empty() { "" } else { &state.why },
            "servers": servers,
        })
    }

    /// Returns what of it is worth an alarm.
    pub fn facts(&self) -> Vec<Fact> {
        let state = self.state.borrow();
        let unset = !state.is_set && !state.servers.is_empty();
        let long = state.since.elapsed() >= UNSET_AFTER;
        let fact = (unset && long).then(|| Fact::new("clock", "", state.why.clone()));
        fact.into_iter().collect()
    }
}

impl State {
    fn is(&mut self, is_set: bool, why: String) {
        if self.is_set != is_set {
            self.since = Instant::now();
            match is_set {
                true => tracing::info!("the clock is synchronised"),
                false => tracing::warn!(why, "the clock is not synchronised"),
            }
        }
        (self.is_set, self.why) = (is_set, why);
    }
}

/// Asks the servers for as long as the task lives.
pub async fn keep(room: Rc<Room>) {
    let random = || (ask::random().unwrap_or(0) >> 32) as u32;
    let keeper = &room.time;
    let mut poll = Poll::default();
    tokio::time::sleep(STARTS_WITHIN.mul_f64(f64::from(random()) / f64::from(u32::MAX))).await;
    loop {
        keeper.take(&room.node.borrow());
        let choice = keeper.round().await;
        let well = match choice {
            Some((choice, agree)) => correct(&room, &choice, &agree).await,
            None => false,
        };
        let next = tokio::time::Instant::now() + poll.after(well, random());
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                () = keeper.bell.notified() => {
                    if keeper.take(&room.node.borrow()) || keeper.hurry.take() {
                        poll = Poll::default();
                        break;
                    }
                }
            }
        }
    }
}

/// Tells `init` what the clock lacks; returns whether it is set.
async fn correct(room: &Room, choice: &Choice, agree: &[IpAddr]) -> bool {
    let answered = room.order(order(choice.offset, ClockBy::Servers)).await;
    let (did, why) = match &answered {
        Ok(value) => {
            let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
            (text("did").to_owned(), text("why").to_owned())
        }
        Err((_, why)) => (String::new(), why.clone()),
    };
    let near = Duration::from_nanos(choice.offset.unsigned_abs()) <= FIRST_SLEWED_MAX;
    let is_set = match did.as_str() {
        "slewed" | "stepped" => true,
        // Somebody else sets it; it may be right.
        "nothing" => near,
        _ => false,
    };
    if did == "stepped" {
        let servers: Vec<String> = agree.iter().map(ToString::to_string).collect();
        let (seconds, servers) = (seconds(choice.offset), servers.join(", "));
        room.note(
            "node",
            "-",
            &format!("the clock was stepped by {seconds} s, as {servers} say"),
        );
    }
    let mut state = room.time.state.borrow_mut();
    state.offset = Some(choice.offset);
    let away = seconds(choice.offset);
    let why = match (is_set, why.is_empty()) {
        (true, _) => why,
        (false, true) => format!("the servers are {away} s away"),
        (false, false) => format!("the servers are {away} s away: {why}"),
    };
    state.is(is_set, why);
    is_set
}

/// Milliseconds are enough for people.
fn seconds(offset: i64) -> String {
    let sign = if offset < 0 { "-" } else { "" };
    let millis = offset.unsigned_abs() / 1_000_000;
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

const fn order(offset_nanos: i64, by: ClockBy) -> ConfigOrder {
    ConfigOrder::Clock { offset_nanos, by }
}

/// Sets the clock to what the servers of the latest round agree on, however far.
pub async fn accept(room: &Room) -> Answered {
    let state = (
        room.time.state.borrow().is_set,
        room.time.state.borrow().offset,
    );
    let (false, Some(offset)) = state else {
        let why = "no offset of servers waits for a word of yours: 'show clock' tells";
        return Err(("SBC-3003".to_owned(), why.to_owned()));
    };
    by_hand(room, offset).await
}

/// Sets the clock to a date of an operator.
pub async fn set(room: &Room, date: &str) -> Answered {
    let Some(then) = calendar::moment(date) else {
        let why = "a date is written 2026-11-26T17:30 or 2026-11-26T17:30:15, in UTC";
        return Err(("SBC-3002".to_owned(), why.to_owned()));
    };
    by_hand(room, then.saturating_sub(ask::now())).await
}

async fn by_hand(room: &Room, offset: i64) -> Answered {
    let answered = room.order(order(offset, ClockBy::Operator)).await?;
    let keeper = &room.time;
    keeper.state.borrow_mut().offset = None;
    // Servers are asked what they say of it.
    keeper.hurry.set(true);
    keeper.bell.notify_one();
    Ok(answered)
}

#[cfg(test)]
mod tests;
