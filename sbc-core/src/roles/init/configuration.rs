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
use super::{Role, Supervisor, sealed};
use crate::ipc::{ConfigOrder, ToChild};
use crate::listen;

/// Octets of an answer in one word.
const PAGE: usize = 32 * 1024;

/// What an order came to: an answer, or a code and a sentence.
pub type Answered = Result<Value, (&'static str, String)>;

/// What belongs to the configuration.
#[derive(Debug, Default)]
pub struct Configuration {
    pub revisions: Revisions,
    /// When the live revision goes back by itself.
    pub back_at: Option<Instant>,
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
            ConfigOrder::Live => Ok(self.live()),
            ConfigOrder::Status => Ok(self.status()),
            ConfigOrder::Put {
                base,
                confirm_secs,
                author,
                channel,
                comment,
            } => {
                let text = std::mem::take(&mut self.configured.pages);
                let author = Author {
                    author,
                    channel,
                    comment,
                };
                self.put(&text, base, confirm_secs, &author)
            }
            ConfigOrder::Confirm => self.confirm(),
            ConfigOrder::GoBack(revision) => self.go_back_from(revision),
            ConfigOrder::Revisions => Ok(self.list()),
            ConfigOrder::Revision(number) => match self.configured.revisions.text(number) {
                Some(text) => Ok(json!({ "revision": number, "toml": text })),
                None => Err(("SBC-3003", format!("revision {number} is not kept"))),
            },
        };
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
        json!({ "revision": own.revisions.live(), "back_in_secs": left })
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

    /// Makes `text` live: checked, its sockets opened, written, told.
    fn put(&mut self, text: &str, base: u32, confirm: Option<u32>, author: &Author) -> Answered {
        let began = Instant::now();
        let live = self.configured.revisions.live();
        if base != live {
            return Err(("SBC-3013", format!("revision {live} is live, not {base}")));
        }
        let node = checked(text)?;
        let listeners = self.opened(&node)?;
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
        let Some(revision) = own.revisions.go_back() else {
            return;
        };
        let text = own.revisions.live_text().to_owned();
        let done = checked(&text)
            .and_then(|node| self.opened(&node))
            .and_then(|listeners| self.take_effect(&text, listeners));
        match done {
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
        let file = sealed(text).map_err(|error| ("SBC-3016", error.to_string()))?;
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

fn checked(text: &str) -> Result<Node, (&'static str, String)> {
    let checked = sbc_config::check(text);
    let first = || {
        let mut problems = checked.problems.iter();
        let worst = problems.find(|problem| problem.severity() == sbc_config::Severity::Error);
        let say = |problem: &sbc_config::Problem| format!("{}: {}", problem.code, problem.message);
        ("SBC-3012", worst.map_or_else(String::new, say))
    };
    checked.node.ok_or_else(first)
}
