//! The log for collectors (RFC 5424): lines of the diary, records of the audit log
//! and alarms come in, messages over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425)
//! go out.

mod line;
mod message;
mod post;
mod tls;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use sbc_config::Node;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::alarms::Fact;
use super::audit::Record;
use super::log::Log;
use super::support::without_numbers;
use message::{Facility, Message, Severity};
use post::{Octets, Post};

/// A collector that is away for so long is an alarm.
const AWAY_AFTER: Duration = Duration::from_secs(30);

/// All collectors.
#[derive(Debug, Default)]
pub struct Syslog {
    posts: RefCell<Vec<Line>>,
    host: RefCell<String>,
    /// Where the diary goes on.
    from: Cell<u64>,
}

/// A post and its task.
#[derive(Debug)]
struct Line {
    post: Rc<Post>,
    task: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Syslog {
    /// Takes the collectors of a configuration. One that stays as it was keeps its
    /// queue and its connection.
    pub fn take(&self, node: &Node, log: &Log) {
        self.host.replace(node.system.hostname.clone());
        let mut posts = self.posts.borrow_mut();
        let mut before = std::mem::take(&mut *posts);
        for (name, collector) in &node.log.collectors {
            let same =
                |line: &Line| line.post.name == name.as_str() && line.post.collector == *collector;
            let line = match before.iter().position(same) {
                Some(at) => before.swap_remove(at),
                None => {
                    let post = Post::new(name.as_str(), collector.clone(), log.0.clone());
                    let host = node.system.hostname.clone();
                    let told = move |count| cut(&host, count);
                    let task = tokio::task::spawn_local(post::carry(Rc::clone(&post), told));
                    Line {
                        post,
                        task: task.abort_handle(),
                    }
                }
            };
            posts.push(line);
        }
    }

    /// Begins at the end of the diary: what is in it was written before this role.
    pub fn begin(&self, log: &Log) {
        self.from.set(log.end());
    }

    /// Passes on what came to the diary since the last time.
    pub fn follow(&self, log: &Log) {
        let Some((next, skipped, lines)) = log.since(self.from.get()) else {
            return;
        };
        self.from.set(next);
        if self.posts.borrow().is_empty() {
            return;
        }
        for text in lines.lines() {
            // An alarm has a message of its own.
            if !text.contains(super::ALARM_LINE) {
                self.put(&line::message(text));
            }
        }
        if skipped > 0 {
            let posts = self.posts.borrow();
            posts.iter().for_each(|line| line.post.lose(1));
        }
    }

    /// Passes on a record of the audit log, numbers of telephones masked.
    pub fn audited(&self, record: &Record) {
        let field = |name: &str, value: &str| (name.to_owned(), without_numbers(value));
        self.put(&Message {
            facility: Facility::Audit,
            severity: Severity::Notice,
            time: moment(record.time),
            kind: "AUDIT",
            element: "audit",
            fields: vec![
                ("number".to_owned(), record.number.to_string()),
                field("who", &record.who),
                field("line", &record.line),
                // Whoever has these can tell a log that was written anew.
                ("hash".to_owned(), record.hash.clone()),
            ],
            text: without_numbers(&record.what),
        });
    }

    /// Passes on an alarm that was raised or cleared, as `show alarms history` has it.
    pub fn alarmed(&self, alarm: &Value) {
        let text = |field: &str| alarm.get(field).and_then(Value::as_str).unwrap_or("");
        let raised = alarm.get("raised").and_then(Value::as_bool) == Some(true);
        let state = if raised { "raised" } else { "cleared" };
        let severity = if raised {
            Severity::of_alarm(text("severity"))
        } else {
            Severity::Notice
        };
        let fields = [
            ("id", text("id")),
            ("subject", text("subject")),
            ("severity", text("severity")),
            ("state", state),
        ];
        self.put(&Message {
            facility: Facility::Alert,
            severity,
            time: moment(alarm.get("time").and_then(Value::as_u64).unwrap_or(0)),
            kind: "ALARM",
            element: "alarm",
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            text: format!(
                "{} {} {state}: {}",
                text("id"),
                text("subject"),
                text("text")
            ),
        });
    }

    fn put(&self, message: &Message) {
        let posts = self.posts.borrow();
        if posts.is_empty() {
            return;
        }
        let octets: Octets = Rc::from(message.octets(&self.host.borrow()));
        posts.iter().for_each(|line| line.post.put(&octets));
    }

    /// Returns `show syslog`.
    pub fn list(&self) -> Value {
        let posts = self.posts.borrow();
        let each = posts.iter().map(|line| {
            let (post, state) = (&line.post, line.post.state());
            json!({
                "name": post.name,
                "target": post.collector.target.to_string(),
                "transport": post.collector.by.word(),
                "state": if state.up { "up" } else { "down" },
                "since_secs": state.since.elapsed().as_secs(),
                "sent": post.sent.get(),
                "waiting": post.waiting(),
                "cut": post.cut.get(),
                "why": state.why,
            })
        });
        each.collect()
    }

    /// Returns what of it is worth an alarm.
    pub fn facts(&self) -> Vec<Fact> {
        let posts = self.posts.borrow();
        let away = posts.iter().filter(|line| {
            let state = line.post.state();
            !state.up && state.since.elapsed() >= AWAY_AFTER
        });
        let each = away.map(|line| {
            let (post, why) = (&line.post, line.post.state().why);
            let (waiting, cut) = (post.waiting(), post.cut.get());
            let text = format!("{why}; {waiting} messages wait, {cut} were cut");
            Fact::new("syslog-down", &post.name, text)
        });
        each.collect()
    }
}

/// Seconds since 1970 as RFC 5424 §6.2.3 writes a time.
fn moment(secs: u64) -> String {
    sbc_core::cli::moment(secs).replace(' ', "T") + "Z"
}

/// What a collector is told of messages it did not get.
fn cut(host: &str, count: u64) -> Octets {
    let message = Message {
        facility: Facility::Daemon,
        severity: Severity::Warning,
        time: moment(super::now()),
        kind: "LOG",
        element: "log",
        fields: vec![("cut".to_owned(), count.to_string())],
        text: format!("{count} messages for this collector were cut before this one"),
    };
    Rc::from(message.octets(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5424 §6.2.3.
    #[test]
    fn a_moment_is_written_as_the_rfc_says() {
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_collector_hears_how_much_it_missed() {
        let told = String::from_utf8(cut("sbc", 7).to_vec()).unwrap();
        assert!(
            told.contains(" LOG [log@32473 cut=\"7\"] 7 messages"),
            "{told}"
        );
    }
}
