//! The alarm engine: what the node shows of itself comes in, alarms that are
//! raised and cleared go out (severities of RFC 8632 §4.3).

use std::collections::VecDeque;

use sbc_call::view::{Limit, Peer};
use serde_json::{Value, json};

use crate::ipc::{Network, Standing};

/// Alarms that came and went, the oldest forgotten first.
const HISTORY_MAX: usize = 500;

/// One kind of alarm: its name, how bad, and the one command to look with.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub id: &'static str,
    pub severity: &'static str,
    pub meaning: &'static str,
    pub look: &'static str,
}

/// Every kind that has a source in this image.
pub const KINDS: [Kind; 21] = [
    Kind {
        id: "trunk-down",
        severity: "major",
        meaning: "a provider does not answer OPTIONS; critical if it is the last",
        look: "show trunks",
    },
    Kind {
        id: "mediation-down",
        severity: "major",
        meaning: "a Mediation Server does not answer OPTIONS; critical if it is the last",
        look: "show mediation",
    },
    Kind {
        id: "cac-near",
        severity: "warning",
        meaning: "four fifths of a peer's calls are up",
        look: "show trunks",
    },
    Kind {
        id: "cac-full",
        severity: "major",
        meaning: "a peer carries as many calls as it may",
        look: "show calls",
    },
    Kind {
        id: "config-unconfirmed",
        severity: "warning",
        meaning: "a configuration goes back by itself unless it is confirmed",
        look: "show rollback",
    },
    Kind {
        id: "limit-hit",
        severity: "minor",
        meaning: "a cap of the node was hit in the last minute",
        look: "show limits",
    },
    Kind {
        id: "log-loss",
        severity: "major",
        meaning: "records of the audit log could not be written",
        look: "show audit verify",
    },
    Kind {
        id: "syslog-down",
        severity: "warning",
        meaning: "a collector of the log is not reached; what waits for it is cut one day",
        look: "show syslog",
    },
    Kind {
        id: "clock",
        severity: "major",
        meaning: "the clock was not synchronised by its servers for ten minutes",
        look: "show clock",
    },
    Kind {
        id: "fence-broken",
        severity: "critical",
        meaning: "the network differs from what it must be, and trunks are closed; major while nobody looks at it",
        look: "show isolation",
    },
    Kind {
        id: "tunnel-down",
        severity: "critical",
        meaning: "a tunnel has no security association, and nothing passes it",
        look: "show tunnels",
    },
    Kind {
        id: "cert-expiry",
        severity: "warning",
        meaning: "a certificate of a tunnel ends soon; major in its last week, critical when it has ended",
        look: "show certificates",
    },
    Kind {
        id: "link-down",
        severity: "major",
        meaning: "the cable of an interface is out",
        look: "show interfaces",
    },
    Kind {
        id: "quality",
        severity: "minor",
        meaning: "calls of a peer sound poor over some minutes",
        look: "show call history",
    },
    Kind {
        id: "one-way",
        severity: "major",
        meaning: "a side was not heard on two answered calls within ten minutes",
        look: "show call history",
    },
    Kind {
        id: "emergency-call",
        severity: "notice",
        meaning: "somebody called for help; each call is told for ten minutes",
        look: "show call history",
    },
    Kind {
        id: "secrets-plain",
        severity: "warning",
        meaning: "secrets lie on the disk in clear: nothing seals them",
        look: "show secrets",
    },
    Kind {
        id: "secrets-locked",
        severity: "major",
        meaning: "the key of the secrets is not there: 'request secret unlock'",
        look: "show secrets",
    },
    Kind {
        id: "revisions-damaged",
        severity: "major",
        meaning: "kept configurations are not what they were; the next commit ends it",
        look: "show rollback",
    },
    Kind {
        id: "disk",
        severity: "minor",
        meaning: "the disk of the node fills; major when it is nearly full",
        look: "show system",
    },
    Kind {
        id: "memory",
        severity: "minor",
        meaning: "memory runs out; major when hardly any is left",
        look: "show system",
    },
];

/// One alarm that is raised.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Raised {
    id: &'static str,
    subject: String,
    severity: &'static str,
    since: u64,
    text: String,
    acknowledged: bool,
    /// It was seen in the look that goes on.
    seen: bool,
}

/// Returns that kept configurations are damaged, if they are.
pub fn damaged(all: &[serde_json::Value]) -> Option<Fact> {
    let first = all.first()?.as_str().unwrap_or_default();
    let more = match all.len() {
        1 => String::new(),
        all => format!(", and {} more", all - 1),
    };
    Some(Fact::new("revisions-damaged", "", format!("{first}{more}")))
}

/// What the alarms are made from.
#[derive(Debug, Default)]
pub struct Facts {
    pub peers: Vec<Peer>,
    pub limits: Vec<Limit>,
    pub back_in: Option<u64>,
    pub audit_unwritten: u64,
    /// The machine's network is in the node's hand, and stands so.
    pub in_hand: bool,
    pub network: Network,
    /// A peer counts as down after this many seconds.
    pub down_after: u64,
    /// What others found worth an alarm.
    pub others: Vec<Fact>,
}

/// Something that is worth an alarm as long as it is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact {
    pub id: &'static str,
    pub subject: String,
    pub text: String,
    /// In place of that of its kind.
    pub severity: Option<&'static str>,
}

impl Fact {
    /// Returns a fact as bad as its kind is.
    pub fn new(id: &'static str, subject: &str, text: String) -> Self {
        Self {
            id,
            subject: subject.to_owned(),
            text,
            severity: None,
        }
    }

    /// Returns the same, as bad as `severity` says.
    #[must_use]
    pub fn with_severity(self, severity: &'static str) -> Self {
        Self {
            severity: Some(severity),
            ..self
        }
    }
}

/// All alarms of the node.
#[derive(Debug, Default)]
pub struct Alarms {
    raised: Vec<Raised>,
    history: VecDeque<Value>,
    hits: std::collections::BTreeMap<String, (u64, u64)>,
}

impl Alarms {
    /// Takes what the node shows at `now`, in seconds since 1970. Returns what
    /// was raised and cleared, as sentences.
    pub fn look(&mut self, now: u64, facts: &Facts) -> Vec<String> {
        for alarm in &mut self.raised {
            alarm.seen = false;
        }
        let mut news = Vec::new();
        self.peers(now, facts, &mut news);
        self.limits(now, facts, &mut news);
        if facts.in_hand {
            self.network(now, &facts.network, &mut news);
        }
        if let Some(secs) = facts.back_in {
            let text = format!("it goes back in {secs} s");
            self.raise(now, "config-unconfirmed", "", None, text, &mut news);
        }
        if facts.audit_unwritten > 0 {
            let text = format!("{} records", facts.audit_unwritten);
            self.raise(now, "log-loss", "audit", None, text, &mut news);
        }
        for fact in &facts.others {
            let text = fact.text.clone();
            self.raise(now, fact.id, &fact.subject, fact.severity, text, &mut news);
        }
        let (stay, gone): (Vec<_>, Vec<_>) = self.raised.drain(..).partition(|alarm| alarm.seen);
        self.raised = stay;
        for alarm in gone {
            news.push(format!("alarm cleared: {} {}", alarm.id, alarm.subject));
            self.note(now, &alarm, false);
        }
        news
    }

    fn peers(&mut self, now: u64, facts: &Facts, news: &mut Vec<String>) {
        for peer in &facts.peers {
            let id = if peer.kind == "trunk" {
                "trunk-down"
            } else {
                "mediation-down"
            };
            let others = facts.peers.iter().filter(|other| other.kind == peer.kind);
            let last = others.filter(|other| other.state == "up").count() == 0;
            if peer.state == "down" && peer.since_secs >= facts.down_after {
                let severity = last.then_some("critical");
                let text = format!("no answer to OPTIONS; {} calls are up", peer.active);
                self.raise(now, id, &peer.name, severity, text, news);
            }
            let (active, limit) = (u64::from(peer.active), u64::from(peer.limit));
            // Once raised it stays until seven tenths are left, so that a busy peer does
            // not come and go with each call.
            let reaches = |id: &str, percent: u64| {
                let was = self.is_raised(id, &peer.name);
                active * 100 >= limit * if was { 70 } else { percent }
            };
            let (near, full) = (reaches("cac-near", 80), reaches("cac-full", 100));
            let text = format!("{active} of {limit} calls");
            if full && limit > 0 {
                self.raise(now, "cac-full", &peer.name, None, text.clone(), news);
            }
            if near && limit > 0 {
                self.raise(now, "cac-near", &peer.name, None, text, news);
            }
        }
    }

    fn network(&mut self, now: u64, network: &Network, news: &mut Vec<String>) {
        let text = match network.fence {
            Standing::Whole => None,
            Standing::Unwatched => Some((Some("major"), "nobody looks at it".to_owned())),
            Standing::Absent if network.differs.is_empty() => {
                Some((None, "it was not raised yet".to_owned()))
            }
            Standing::Absent | Standing::Broken => Some((None, network.differs.join("; "))),
        };
        if let Some((severity, text)) = text {
            self.raise(now, "fence-broken", "", severity, text, news);
        }
        for tunnel in network.tunnels.iter().filter(|tunnel| !tunnel.up) {
            let text = tunnel.why.clone();
            self.raise(now, "tunnel-down", &tunnel.name, None, text, news);
        }
        for link in &network.down {
            self.raise(now, "link-down", link, None, "no carrier".to_owned(), news);
        }
    }

    fn limits(&mut self, now: u64, facts: &Facts, news: &mut Vec<String>) {
        const LASTS: u64 = 60;
        for limit in &facts.limits {
            let entry = self
                .hits
                .entry(limit.name.clone())
                .or_insert((limit.hits, 0));
            if limit.hits > entry.0 {
                *entry = (limit.hits, now + LASTS);
            }
            if entry.1 > now {
                let text = format!("hit {} times since the start", limit.hits);
                self.raise(now, "limit-hit", &limit.name.clone(), None, text, news);
            }
        }
    }

    fn is_raised(&self, id: &str, subject: &str) -> bool {
        self.raised
            .iter()
            .any(|alarm| alarm.id == id && alarm.subject == subject)
    }

    fn raise(
        &mut self,
        now: u64,
        id: &'static str,
        subject: &str,
        severity: Option<&'static str>,
        text: String,
        news: &mut Vec<String>,
    ) {
        let kind = KINDS.iter().find(|kind| kind.id == id);
        let severity = severity
            .or(kind.map(|kind| kind.severity))
            .unwrap_or("minor");
        let same = |alarm: &&mut Raised| alarm.id == id && alarm.subject == subject;
        if let Some(known) = self.raised.iter_mut().find(same) {
            (known.seen, known.text, known.severity) = (true, text, severity);
            return;
        }
        news.push(format!("alarm {severity}: {id} {subject}: {text}"));
        let alarm = Raised {
            id,
            subject: subject.to_owned(),
            severity,
            since: now,
            text,
            acknowledged: false,
            seen: true,
        };
        self.note(now, &alarm, true);
        self.raised.push(alarm);
    }

    fn note(&mut self, now: u64, alarm: &Raised, raised: bool) {
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_back();
        }
        self.history.push_front(json!({
            "id": alarm.id,
            "subject": alarm.subject,
            "severity": alarm.severity,
            "time": now,
            "raised": raised,
            "text": alarm.text,
        }));
    }

    /// Returns the alarms that are raised.
    pub fn list(&self, now: u64) -> Value {
        let each = self.raised.iter().map(|alarm| {
            let kind = KINDS.iter().find(|kind| kind.id == alarm.id);
            json!({
                "id": alarm.id,
                "subject": alarm.subject,
                "severity": alarm.severity,
                "since_secs": now.saturating_sub(alarm.since),
                "text": alarm.text,
                "meaning": kind.map_or("", |kind| kind.meaning),
                "look": kind.map_or("", |kind| kind.look),
                "acknowledged": alarm.acknowledged,
            })
        });
        each.collect()
    }

    /// Returns the latest that were raised and cleared, the oldest of them first.
    pub fn latest(&self, count: usize) -> impl Iterator<Item = &Value> {
        self.history.iter().take(count).rev()
    }

    /// Returns what was raised and cleared, the latest first.
    pub fn history(&self) -> Value {
        self.history.iter().cloned().collect()
    }

    /// Acknowledges every alarm of that name; it stays raised. Returns how many.
    pub fn acknowledge(&mut self, id: &str) -> usize {
        let mut count = 0;
        for alarm in self.raised.iter_mut().filter(|alarm| alarm.id == id) {
            alarm.acknowledged = true;
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(kind: &str, name: &str, state: &str, active: u32) -> Peer {
        Peer {
            name: name.to_owned(),
            kind: kind.to_owned(),
            target: String::new(),
            state: state.to_owned(),
            since_secs: 40,
            active,
            limit: 10,
            attempts: 0,
            answered: 0,
            options_ms: None,
            asking: false,
            drained: false,
        }
    }

    fn facts(peers: Vec<Peer>) -> Facts {
        Facts {
            peers,
            down_after: 30,
            ..Facts::default()
        }
    }

    #[test]
    fn a_peer_at_its_limit_is_told_once_however_its_calls_come_and_go() {
        let mut alarms = Alarms::default();
        let mut told = Vec::new();
        for (now, active) in [10, 9, 10, 9, 8, 10, 6, 10].into_iter().enumerate() {
            let look = facts(vec![peer("trunk", "a", "up", active)]);
            told.extend(alarms.look(now as u64, &look));
        }
        let full: Vec<&String> = told
            .iter()
            .filter(|line| line.contains("cac-full"))
            .collect();
        assert_eq!(full.len(), 3, "raised, cleared below 7, raised: {full:?}");
    }

    /// The severities are those of RFC 8632 §4.3.
    #[test]
    fn a_peer_that_is_down_is_major_and_the_last_one_critical() {
        let mut alarms = Alarms::default();
        let two = vec![peer("trunk", "a", "down", 0), peer("trunk", "b", "up", 0)];
        assert_eq!(alarms.look(1, &facts(two)).len(), 1);
        assert_eq!(alarms.list(1)[0]["severity"], "major");
        let none = vec![peer("trunk", "a", "down", 0), peer("trunk", "b", "down", 0)];
        alarms.look(2, &facts(none));
        assert_eq!(alarms.list(2)[0]["severity"], "critical");
        let back = vec![peer("trunk", "a", "up", 0), peer("trunk", "b", "up", 0)];
        let news = alarms.look(3, &facts(back));
        assert_eq!(
            news,
            ["alarm cleared: trunk-down a", "alarm cleared: trunk-down b"]
        );
        assert_eq!(alarms.list(3), json!([]));
        assert_eq!(alarms.history().as_array().unwrap().len(), 4);
    }

    #[test]
    fn a_limit_that_is_near_stays_told_until_it_is_far() {
        let mut alarms = Alarms::default();
        let mut look = |active| {
            alarms.look(1, &facts(vec![peer("trunk", "a", "up", active)]));
            let list = alarms.list(1);
            let ids = list
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap());
            ids.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(look(7), "");
        assert_eq!(look(8), "cac-near");
        assert_eq!(look(7), "cac-near");
        assert_eq!(look(10), "cac-near cac-full");
        assert_eq!(look(6), "");
    }

    #[test]
    fn a_cap_that_is_hit_is_told_for_a_minute() {
        let mut alarms = Alarms::default();
        let mut look = |now, hits| {
            let limit = Limit {
                name: "calls".to_owned(),
                used: 0,
                limit: 1,
                hits,
            };
            let facts = Facts {
                limits: vec![limit],
                ..Facts::default()
            };
            alarms.look(now, &facts);
            alarms.list(now).as_array().unwrap().len()
        };
        assert_eq!(
            (look(1, 5), look(2, 6), look(50, 6), look(63, 6)),
            (0, 1, 1, 0)
        );
    }

    #[test]
    fn a_broken_fence_a_dead_tunnel_and_a_cable_that_is_out_are_raised_until_they_are_well() {
        let mut alarms = Alarms::default();
        let network = Network {
            fence: Standing::Broken,
            differs: vec!["rule: 100".to_owned()],
            down: vec!["voice-a".to_owned()],
            tunnels: vec![crate::ipc::Tunnel {
                name: "itsp-a".to_owned(),
                ..crate::ipc::Tunnel::default()
            }],
        };
        let facts = Facts {
            in_hand: true,
            network,
            ..Facts::default()
        };
        assert_eq!(alarms.look(1, &facts).len(), 3);
        assert_eq!(alarms.list(1)[0]["severity"], "critical");
        assert_eq!(alarms.list(1)[0]["text"], "rule: 100");
        let well = Facts {
            network: Network {
                fence: Standing::Whole,
                ..Network::default()
            },
            ..facts
        };
        assert_eq!(alarms.look(2, &well).len(), 3);
        assert_eq!(alarms.list(2), json!([]));
    }

    #[test]
    fn an_acknowledged_alarm_stays_raised() {
        let mut alarms = Alarms::default();
        alarms.look(1, &facts(vec![peer("trunk", "a", "down", 0)]));
        assert_eq!(alarms.acknowledge("trunk-down"), 1);
        assert_eq!(alarms.acknowledge("nothing"), 0);
        assert_eq!(alarms.list(1)[0]["acknowledged"], true);
    }

    #[test]
    fn every_alarm_has_its_row_in_the_page() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/alarms.md");
        let page = std::fs::read_to_string(path).unwrap();
        for kind in KINDS {
            let row = format!(
                "| `{}` | {} | {} | `{}` |",
                kind.id, kind.severity, kind.meaning, kind.look
            );
            assert!(page.contains(&row), "docs/alarms.md lacks {row}");
        }
        assert_eq!(
            page.matches("\n| `").count(),
            KINDS.len(),
            "docs/alarms.md has too many"
        );
    }
}
