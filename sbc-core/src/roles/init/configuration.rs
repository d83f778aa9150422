//! The configuration at run time: orders of the console come in, a new revision
//! takes effect without a restart, or goes back by itself when nobody confirms
//! it. The timer is here, so that it outlives every login and every other role.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sbc_config::Node;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::child::Letter;
use super::revisions::{Author, Revisions};
use super::{APPLIANCE, Role, Supervisor, sealed};
use crate::ipc::{ConfigOrder, Ending, ToChild};
use crate::listen;

/// Octets of an answer in one word.
const PAGE: usize = 32 * 1024;

/// What an order came to: an answer, or a code and a sentence.
pub type Answered = Result<Value, (&'static str, String)>;

/// What cannot be put back is tried again after this.
pub const BACK_AGAIN: Duration = Duration::from_secs(5);

/// Problems of a refused configuration that are told; a login tells them all.
const TOLD_MAX: usize = 16;

/// A change that waits until the network is what it asks for.
#[derive(Debug)]
pub enum Pending {
    /// A commit, and the order of the console that is to be answered.
    Put { id: u64, change: Change },
    /// Nobody confirmed, or a commit could not be written: what is live is put in
    /// force again.
    Back { text: String, left: u32 },
}

/// A commit.
#[derive(Debug)]
pub struct Change {
    text: String,
    confirm: Option<u32>,
    author: Author,
    began: Instant,
}

impl Pending {
    /// Returns the configuration it is about.
    pub fn text(&self) -> &str {
        match self {
            Self::Put { change, .. } => &change.text,
            Self::Back { text, .. } => text,
        }
    }
}

/// What belongs to the configuration.
#[derive(Debug, Default)]
pub struct Configuration {
    pub revisions: Revisions,
    /// When the live revision goes back by itself.
    pub back_at: Option<Instant>,
    /// It went back already, and only the network is still to follow.
    going_back: bool,
    /// The text that an order will be about, as far as it came.
    pages: String,
}

/// Returns seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Supervisor {
    /// Takes a part of the text that an order will be about.
    pub fn take_page(&mut self, page: &str) {
        let pages = &mut self.configured.pages;
        if pages.len() + page.len() <= sbc_config::MAX_FILE {
            pages.push_str(page);
        }
    }

    /// Follows an order of the console, and answers it.
    pub fn order(&mut self, id: u64, order: ConfigOrder) {
        let answer = match order {
            ConfigOrder::Put { base, .. } if base != self.configured.revisions.live() => {
                let live = self.configured.revisions.live();
                self.configured.pages.clear();
                Err(("SBC-3013", format!("revision {live} is live, not {base}")))
            }
            ConfigOrder::Live => Ok(self.live()),
            ConfigOrder::Status => Ok(self.status()),
            ConfigOrder::Put {
                confirm_secs,
                author,
                channel,
                comment,
                ..
            } => {
                let change = Change {
                    text: std::mem::take(&mut self.configured.pages),
                    confirm: confirm_secs,
                    author: Author {
                        author,
                        channel,
                        comment,
                    },
                    began: Instant::now(),
                };
                match self.put(id, change) {
                    Some(answered) => answered,
                    // It is answered when the network is done.
                    None => return,
                }
            }
            ConfigOrder::Confirm => self.confirm(),
            ConfigOrder::GoBack(revision) => self.go_back_from(revision),
            ConfigOrder::Revisions => Ok(self.list()),
            ConfigOrder::Machine(ending) => self.end_machine(ending),
            ConfigOrder::Anew => self.anew(),
            ConfigOrder::Clock { offset_nanos, by } => self.correct(offset_nanos, by),
            ConfigOrder::Revision(number) => match self.configured.revisions.text(number) {
                Some(text) => Ok(json!({ "revision": number, "toml": text })),
                None => Err(("SBC-3003", format!("revision {number} is not kept"))),
            },
        };
        self.say(id, answer);
    }

    /// Asks whoever started the node to end the machine.
    fn end_machine(&self, ending: Ending) -> Answered {
        if !self.settings.iter().any(|(name, _)| *name == APPLIANCE) {
            let why = "this machine is not the node's own".to_owned();
            return Err(("SBC-3023", why));
        }
        super::say(ending.word());
        Ok(json!({ "done": ending.word() }))
    }

    fn say(&mut self, id: u64, answer: Answered) {
        let text = match answer {
            Ok(value) => json!({ "ok": value }),
            Err((code, message)) => json!({ "error": { "code": code, "message": message } }),
        };
        self.answer(id, &text.to_string());
    }

    fn answer(&mut self, id: u64, text: &str) {
        let Some(console) = self.running(Role::Console) else {
            return;
        };
        let mut rest = text;
        loop {
            let mut cut = PAGE.min(rest.len());
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (page, more) = rest.split_at(cut);
            console.send(ToChild::Answer {
                id,
                page: page.to_owned(),
                last: more.is_empty(),
            });
            rest = more;
            if rest.is_empty() {
                return;
            }
        }
    }

    fn live(&self) -> Value {
        let mut answer = self.status();
        if let Some(answer) = answer.as_object_mut() {
            let text = self.configured.revisions.live_text();
            answer.insert("toml".to_owned(), json!(text));
        }
        answer
    }

    fn status(&self) -> Value {
        let own = &self.configured;
        let left = own
            .back_at
            .map(|at| at.saturating_duration_since(Instant::now()).as_secs());
        let damaged = own.revisions.damaged();
        json!({ "revision": own.revisions.live(), "back_in_secs": left, "damaged": damaged })
    }

    fn list(&self) -> Value {
        let own = &self.configured.revisions;
        let each = own.all().iter().rev().map(|known| {
            let mut row = json!(known);
            if let Some(row) = row.as_object_mut() {
                row.insert("live".to_owned(), json!(known.revision == own.live()));
            }
            row
        });
        each.collect()
    }

    /// Makes a change live: checked, its network made, its sockets opened, written,
    /// told. Returns nothing while the network is being made.
    fn put(&mut self, id: u64, change: Change) -> Option<Answered> {
        let node = match checked(&change.text) {
            Ok(node) => node,
            Err(why) => return Some(Err(why)),
        };
        let Some(hand) = &self.network else {
            let listeners = self.opened(&node);
            return Some(listeners.and_then(|listeners| self.commit(&change, listeners)));
        };
        if hand.is_busy() {
            return Some(Err(("SBC-3013", "another change is under way".to_owned())));
        }
        let text = change.text.clone();
        let ordered = self.fit(&text, &node, Pending::Put { id, change });
        ordered.err().map(Err)
    }

    /// Writes and tells what is in force already.
    fn commit(&mut self, change: &Change, listeners: super::Listeners) -> Answered {
        let Change {
            text,
            confirm,
            author,
            began,
        } = change;
        let written = self
            .configured
            .revisions
            .add(text, author, now(), confirm.is_none());
        let revision = written.map_err(|error| ("SBC-3016", format!("not written: {error}")))?;
        self.take_effect(text, listeners)?;
        let after = confirm.map(|secs| Duration::from_secs(secs.into()));
        self.configured.back_at = after.map(|after| Instant::now() + after);
        tracing::info!(
            revision,
            author = author.author,
            ?confirm,
            "configuration is live"
        );
        Ok(json!({
            "revision": revision,
            "ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "back_in_secs": confirm,
        }))
    }

    /// The network is what a pending change asks for.
    pub fn done(&mut self, pending: Pending, listeners: super::Listeners) {
        match pending {
            Pending::Put { id, change } => {
                let answer = self.commit(&change, listeners);
                if answer.is_err() {
                    // What is live has another network.
                    self.put_back(self.configured.revisions.live());
                }
                self.say(id, answer);
            }
            Pending::Back { text, left } => self.is_back(&text, left, listeners),
        }
    }

    /// The network could not be made what a pending change asks for.
    pub fn undone(&mut self, pending: &Pending, why: (&'static str, String)) {
        match pending {
            Pending::Put { id, .. } => self.say(*id, Err(why)),
            Pending::Back { .. } => {
                tracing::error!(
                    code = why.0,
                    why = why.1,
                    "cannot go back; it is tried again"
                );
                self.configured.going_back = true;
                self.back_again();
            }
        }
    }

    fn confirm(&mut self) -> Answered {
        let own = &mut self.configured;
        if own.back_at.is_none() {
            return Err(("SBC-3017", "nothing waits for a confirmation".to_owned()));
        }
        let written = own.revisions.confirm();
        written.map_err(|error| ("SBC-3016", format!("not written: {error}")))?;
        own.back_at = None;
        Ok(json!({ "revision": own.revisions.live() }))
    }

    /// Whoever made `revision` live is gone and has not confirmed it.
    fn go_back_from(&mut self, revision: u32) -> Answered {
        let own = &self.configured;
        if own.back_at.is_none() || own.revisions.live() != revision {
            return Err(("SBC-3017", "nothing waits for a confirmation".to_owned()));
        }
        self.go_back();
        Ok(self.status())
    }

    /// Nobody confirmed: the last confirmed revision is live again.
    pub fn go_back(&mut self) {
        let own = &mut self.configured;
        own.back_at = None;
        let left = own.revisions.live();
        let again = std::mem::take(&mut own.going_back);
        if !again && own.revisions.go_back().is_none() {
            return;
        }
        self.put_back(left);
    }

    /// Puts what is live in force; `left` was before.
    fn put_back(&mut self, left: u32) {
        let text = self.configured.revisions.live_text().to_owned();
        let node = checked(&text);
        if self.network.is_some() {
            let pending = Pending::Back {
                text: text.clone(),
                left,
            };
            let ordered = node.and_then(|node| self.fit(&text, &node, pending));
            if let Err(why) = ordered {
                self.undone(&Pending::Back { text, left }, why);
            }
            return;
        }
        match node.and_then(|node| self.opened(&node)) {
            Ok(listeners) => self.is_back(&text, left, listeners),
            Err((code, why)) => tracing::error!(code, why, "cannot go back"),
        }
    }

    fn is_back(&mut self, text: &str, left: u32, listeners: super::Listeners) {
        let revision = self.configured.revisions.live();
        match self.take_effect(text, listeners) {
            Ok(()) => tracing::warn!(revision, left, "nobody confirmed: configuration went back"),
            Err((code, why)) => tracing::error!(revision, code, why, "cannot go back"),
        }
    }

    /// Returns the sockets of `node`: those that are open, and new ones opened.
    /// Sockets keep their places; one that goes leaves its place empty.
    fn opened(&self, node: &Node) -> Result<super::Listeners, (&'static str, String)> {
        let wanted = node.listeners();
        let mut all = self.listeners.clone();
        for (name, socket) in &mut all {
            if !wanted.iter().any(|at| listen::name(*at) == *name) {
                *socket = None;
            }
        }
        for at in wanted {
            let name = listen::name(at);
            let place = all.iter().position(|(known, _)| *known == name);
            let kept = place
                .and_then(|place| all.get(place))
                .and_then(|(_, open)| open.clone());
            let socket = match kept {
                // Whoever may be heard may have changed.
                Some(open) => listen::filter_again(node, at, &open).map(|()| open),
                None => listen::open(node, at).map(Arc::new),
            };
            let socket = socket.map_err(|error| ("SBC-3015", format!("{error:#}")))?;
            match place.and_then(|place| all.get_mut(place)) {
                Some(known) => known.1 = Some(socket),
                None => all.push((name, Some(socket))),
            }
        }
        Ok(all)
    }

    /// Tells every role; each takes what concerns it.
    fn take_effect(
        &mut self,
        text: &str,
        listeners: super::Listeners,
    ) -> Result<(), (&'static str, String)> {
        let file = sealed(text.as_bytes()).map_err(|error| ("SBC-3016", error.to_string()))?;
        self.configuration = Arc::new(file);
        self.listeners = listeners;
        if let Some(signal) = self.running(Role::Signal) {
            self.hand_over_listeners(signal);
        }
        let revision = self.configured.revisions.live();
        for kept in self.children.values() {
            if let Some(running) = &kept.running {
                running.send(Letter {
                    message: ToChild::Configuration { revision },
                    descriptors: vec![Arc::clone(&self.configuration)],
                });
            }
        }
        Ok(())
    }
}

/// Returns the node of a text, or what is wrong with it: the first few things, each
/// with its code and its place.
pub fn checked(text: &str) -> Result<Node, (&'static str, String)> {
    let checked = sbc_config::check(text);
    let wrong = || {
        let errors = checked
            .problems
            .iter()
            .filter(|problem| problem.severity() == sbc_config::Severity::Error);
        let say = |problem: &sbc_config::Problem| {
            let place = match problem.path.as_str() {
                "" => String::new(),
                path => format!(" ({path})"),
            };
            format!("{}: {}{place}", problem.code, problem.message)
        };
        let said: Vec<String> = errors.clone().take(TOLD_MAX).map(say).collect();
        let more = match errors.count().saturating_sub(TOLD_MAX) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        ("SBC-3012", said.join("; ") + &more)
    };
    checked.node.ok_or_else(wrong)
}
