//! The candidate: verbs of the configuration come in, what changed goes to the
//! node. It is private to the login; what others made live meanwhile is joined
//! at the commit, unless both changed the same.

use std::collections::BTreeMap;

use sbc_config::codes::SECRET_MISSING;
use sbc_config::edit::{Class, Document, changes, class, compared, merge, peers_on};
use sbc_config::{Problem, Severity, check, check_with};
use serde_json::{Value, json};

use super::ask::Unanswered;
use super::session::Session;

/// The longest time a commit waits for its confirmation, in minutes.
pub const CONFIRM_MAX: u64 = 24 * 60;

/// What is edited, and what it began from.
#[derive(Debug)]
pub struct Candidate {
    pub base: Document,
    pub revision: u64,
    pub document: Document,
    /// The path of `edit`.
    pub inside: Vec<String>,
    /// What is committed stays only while this login lives and confirms.
    pub safe: bool,
    /// Nobody else may commit.
    pub exclusive: bool,
    /// What was live before a commit of this candidate that nobody confirmed yet. If it
    /// goes back, what it changed is still a change.
    pub back_to: Option<Document>,
}

/// What the node says is live.
#[derive(Debug)]
pub struct Live {
    pub revision: u64,
    pub document: Document,
    /// Seconds until it goes back by itself.
    pub back_in: Option<u64>,
    /// When a commit that waits becomes live, in seconds since 1970.
    pub at: Option<u64>,
    /// The peers whose calls it waits for.
    pub draining: Vec<String>,
}

/// Returns the live configuration.
///
/// # Errors
/// A sentence for people.
pub fn live(session: &mut Session) -> Result<Live, String> {
    let answer = session.client.ask("config.live", &Value::Null);
    let answer = answer.map_err(|why| why.to_string())?;
    let text = answer
        .get("toml")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok(Live {
        revision: answer.get("revision").and_then(Value::as_u64).unwrap_or(0),
        document: Document::from_toml(text).map_err(|why| why.to_string())?,
        back_in: answer.get("back_in_secs").and_then(Value::as_u64),
        at: answer.get("at").and_then(Value::as_u64),
        draining: peers(&answer),
    })
}

fn peers(answer: &Value) -> Vec<String> {
    let all = answer.get("draining").and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_str);
    all.map(str::to_owned).collect()
}

/// Returns the seconds until the live revision goes back by itself.
pub fn back_in(session: &mut Session) -> Option<u64> {
    let status = session.client.ask("config.status", &Value::Null).ok()?;
    status.get("back_in_secs").and_then(Value::as_u64)
}

/// Begins a candidate from what is live.
///
/// # Errors
/// A sentence for people: somebody has locked it, say.
pub fn begin(session: &mut Session, exclusive: bool, safe: bool) -> Result<(), String> {
    if exclusive {
        lock(session)?;
    }
    let live = live(session)?;
    session.candidate = Some(Candidate {
        base: live.document.clone(),
        revision: live.revision,
        document: live.document,
        inside: Vec::new(),
        safe,
        exclusive,
        back_to: None,
    });
    Ok(())
}

/// Forgets the changes of the candidate: it is what is live now, which may have gone
/// back meanwhile.
///
/// # Errors
/// A sentence for people.
pub fn discard(session: &mut Session) -> Result<String, String> {
    let live = live(session)?;
    if let Some(candidate) = &mut session.candidate {
        if live.revision != candidate.revision {
            candidate.back_to = None;
        }
        candidate.base = live.document.clone();
        candidate.document = live.document;
        candidate.revision = live.revision;
    }
    Ok(String::new())
}

/// Returns the number of the last confirmed revision before the live one: what was
/// tried and went back is none to go back to.
///
/// # Errors
/// A sentence for people.
pub fn before_live(session: &mut Session) -> Result<u64, String> {
    let live = live(session)?.revision;
    let all = session.client.ask("config.revisions", &Value::Null);
    let all = all.map_err(|why| why.to_string())?;
    let rows = all.as_array().into_iter().flatten();
    let confirmed = rows.filter(|row| row["confirmed"] == true);
    let numbers = confirmed.filter_map(|row| row.get("revision")?.as_u64());
    let before = numbers.filter(|number| *number < live).max();
    before.ok_or_else(|| "there is no revision before the live one".to_owned())
}

fn lock(session: &mut Session) -> Result<(), String> {
    let asked = json!({"user": session.user});
    let asked = session.client.ask("config.lock", &asked);
    asked.map(drop).map_err(|why| why.to_string())
}

/// Takes the lock of the candidate again, in a conversation that began anew.
///
/// # Errors
/// A sentence for people: somebody else was sooner. The candidate has no lock then.
pub fn lock_again(session: &mut Session) -> Result<(), String> {
    let wanted = session.candidate.as_ref().is_some_and(|own| own.exclusive);
    let taken = if wanted { lock(session) } else { Ok(()) };
    if let Some(own) = session.candidate.as_mut().filter(|_| taken.is_err()) {
        own.exclusive = false;
    }
    taken
}

impl Candidate {
    /// Returns the words of a line behind those of `edit`.
    pub fn path(&self, rest: &str) -> String {
        let inside: Vec<String> = self.inside.iter().map(|word| quoted(word)).collect();
        format!("{} {rest}", inside.join(" ")).trim().to_owned()
    }

    /// Returns whether something differs from where it began.
    pub fn is_changed(&self) -> bool {
        self.base != self.document
    }
}

fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

/// Returns every problem of the candidate as text, and whether one is an error.
#[must_use]
pub fn problems(document: &Document) -> (String, bool) {
    let text = document.to_toml();
    let found = check(&text).problems;
    let mut out = String::new();
    for problem in &found {
        let severity = problem.severity().word();
        out.push_str(&format!(
            "{severity}[{}]: {}\n",
            problem.code,
            super::clean(&problem.message)
        ));
        let path = problem.path.replace('.', " ");
        out.push_str(&format!("  --> candidate: {}\n", super::clean(&path)));
        if let Some(help) = &problem.help {
            out.push_str(&format!("   = help: {}\n", super::clean(help)));
        }
    }
    let wrong = found
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    (wrapped(&out), wrong)
}

/// Breaks lines at 80 columns.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut column = 0;
        for word in line.split_inclusive(' ') {
            if column > 0 && column + word.trim_end().len() > super::pager::COLUMNS {
                out.truncate(out.trim_end().len());
                out.push_str("\n     ");
                column = 5;
            }
            out.push_str(word);
            column += word.len();
        }
        out.push('\n');
    }
    out
}

/// Returns what the candidate changes, and what that does to calls.
///
/// # Errors
/// When the node does not answer.
pub fn compare(session: &mut Session, against: &Document) -> Result<String, String> {
    let Some(candidate) = &session.candidate else {
        return Ok(String::new());
    };
    let found = changes(against, &candidate.document);
    if found.is_empty() {
        return Ok(if *against == candidate.document {
            "no changes\n".to_owned()
        } else {
            "only comments and order differ\n".to_owned()
        });
    }
    let worst = found.iter().map(|change| class(&change.path())).max();
    let worst = worst.unwrap_or(Class::Value);
    let mut peers = Vec::new();
    for document in [&candidate.document, against] {
        for class in [Class::Peer, Class::Path] {
            for peer in peers_on(document, &found, class) {
                if !peers.contains(&(class, peer.clone())) {
                    peers.push((class, peer));
                }
            }
        }
    }
    let text = compared(&found);
    let calls = calls_on(session, &peers)?;
    Ok(format!("{text}impact: {}.  {calls}\n", worst.word()))
}

fn calls_on(session: &mut Session, peers: &[(Class, (String, String))]) -> Result<String, String> {
    let all = session.client.ask("peers.list", &Value::Null);
    let all = all.map_err(|why| why.to_string())?;
    let active = |kind: &str, name: &str| {
        let rows = all.as_array().into_iter().flatten();
        let row = rows.filter(|row| row["kind"] == kind && row["name"] == name);
        row.filter_map(|row| row.get("active").and_then(Value::as_u64))
            .sum::<u64>()
    };
    let sum = |wanted: Class| {
        let on = peers.iter().filter(|(class, _)| *class == wanted);
        on.map(|(_, (kind, name))| active(kind, name)).sum::<u64>()
    };
    let sockets = peers
        .iter()
        .filter(|(class, _)| *class == Class::Peer)
        .count();
    Ok(format!(
        "{} calls dropped, {sockets} sockets reopened",
        sum(Class::Path)
    ))
}

/// How a commit is to be kept.
#[derive(Debug, Default)]
pub struct Wish {
    /// Minutes until it goes back by itself.
    pub confirm: Option<u64>,
    pub comment: String,
    /// When it is to become live, in seconds since 1970; at once if absent.
    pub at: Option<u64>,
    /// For how many seconds it may wait for calls to end.
    pub drain: Option<u64>,
}

/// How a paste becomes part of the candidate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Load {
    Merge,
    Override,
    /// What `compare` printed.
    Patch,
}

/// Returns the seconds of `90s`, `5m` or `2h`; nothing above a day.
#[must_use]
pub fn seconds_of(text: &str) -> Option<u64> {
    const DAY: u64 = 86_400;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let each = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let secs = number.parse::<u64>().ok()?.checked_mul(each)?;
    (1..=DAY).contains(&secs).then_some(secs)
}

/// Returns the moment that `23:30` (the next one) or `2026-12-24T23:30` means, in
/// seconds since 1970; nothing if it is none or over.
#[must_use]
pub fn moment_of(text: &str, now: u64) -> Option<u64> {
    const DAY: u64 = 86_400;
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (Some(date), time),
        None => (None, text),
    };
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let of_day = hours * 3600 + minutes * 60;
    let at = match date {
        None => {
            let today = now / DAY * DAY + of_day;
            if today > now { today } else { today + DAY }
        }
        Some(date) => {
            // The day whose date reads so; a year ahead is far enough.
            let days = (now / DAY)..=(now / DAY + 366);
            let is = |day: &u64| super::moment(day * DAY).get(..10) == Some(date);
            days.into_iter().find(is)? * DAY + of_day
        }
    };
    (at > now).then_some(at)
}

/// Makes the candidate live.
///
/// # Errors
/// A sentence for people, with every problem or every conflict.
pub fn commit(session: &mut Session, wish: &Wish) -> Result<String, String> {
    // Somebody else may commit between our look and our put; then we look again.
    const ATTEMPTS: usize = 3;
    for _ in 0..ATTEMPTS {
        let now = live(session)?;
        let Some(candidate) = &session.candidate else {
            return Err("there is no candidate".to_owned());
        };
        let joined = if now.revision == candidate.revision {
            candidate.document.clone()
        } else {
            let base = candidate.back_to.as_ref().unwrap_or(&candidate.base);
            merge(base, &candidate.document, &now.document).map_err(|paths| {
                format!(
                    "SBC-3014: revision {} changed the same:\n  {}",
                    now.revision,
                    paths.join("\n  ")
                )
            })?
        };
        if joined == now.document {
            return Ok(format!("no changes; revision {} is live\n", now.revision));
        }
        let (text, wrong) = problems(&joined);
        if wrong {
            return Err(text.trim_end().to_owned());
        }
        let minutes = wish.confirm.or(candidate.safe.then_some(10));
        upload(session, &joined.to_toml())?;
        let safe = session.candidate.as_ref().is_some_and(|own| own.safe);
        let answer = session.client.ask(
            "config.put",
            &json!({
                "base": now.revision,
                "confirm": minutes.map(|minutes| minutes * 60),
                "comment": wish.comment,
                "safe": safe,
                "at": wish.at,
                "drain": wish.drain,
            }),
        );
        let answer = match answer {
            Err(Unanswered::Refused { code, .. }) if code == "SBC-3013" => continue,
            other => other.map_err(|why| why.to_string())?,
        };
        let text = text + &missing_secrets(session, &joined);
        return Ok(text + &live_now(session, &answer, joined, now.document));
    }
    Err("SBC-3013: others commit all the time; try again".to_owned())
}

/// Returns a warning for each secret that is named and that the node does not keep yet:
/// it may come after the commit, and what needs it waits for it.
fn missing_secrets(session: &mut Session, document: &Document) -> String {
    // Whoever may not see names commits nothing either.
    let Ok(all) = session.client.ask("secrets.list", &Value::Null) else {
        return String::new();
    };
    let rows = all.as_array().into_iter().flatten();
    let kept = rows.filter_map(|row| {
        let octets = usize::try_from(row.get("octets")?.as_u64()?).ok()?;
        Some((row.get("name")?.as_str()?.to_owned(), octets))
    });
    let kept: BTreeMap<String, usize> = kept.collect();
    let found = check_with(&document.to_toml(), Some(&kept)).problems;
    let missing = found.iter().filter(|one| one.code == SECRET_MISSING);
    let say = |one: &Problem| {
        let message = super::clean(&one.message);
        format!(
            "warning[{}]: {message}; 'request secret set' keeps it\n",
            one.code
        )
    };
    wrapped(&missing.map(say).collect::<String>())
}

/// Hands over a text in parts that fit into a line.
///
/// # Errors
/// A sentence for people.
pub fn upload(session: &mut Session, text: &str) -> Result<(), String> {
    const PART: usize = 8 * 1024;
    let mut rest = text;
    while !rest.is_empty() {
        let mut cut = PART.min(rest.len());
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (part, more) = rest.split_at(cut);
        let asked = session.client.ask("config.part", &json!({ "text": part }));
        asked.map_err(|why| why.to_string())?;
        rest = more;
    }
    Ok(())
}

/// Goes on from what became live in the place of `before`, and returns what is said.
fn live_now(session: &mut Session, answer: &Value, document: Document, before: Document) -> String {
    let number = |field| answer.get(field).and_then(Value::as_u64);
    if let Some(at) = number("at") {
        let at = super::moment(at);
        let peers = peers(answer);
        if answer.get("draining").is_some() {
            let whom = match peers.as_slice() {
                [] => "it cuts no way of a peer".to_owned(),
                all => format!("no new calls for {}", super::clean(&all.join(", "))),
            };
            return format!(
                "{whom}; it becomes live when no call is left there,\n\
                 at the latest at {at} UTC; 'commit cancel' takes it back\n"
            );
        }
        return format!("it becomes live at {at} UTC; 'commit cancel' takes it back\n");
    }
    let revision = number("revision").unwrap_or(0);
    if let Some(candidate) = &mut session.candidate {
        candidate.base = document.clone();
        candidate.document = document;
        candidate.revision = revision;
        candidate.back_to = match (number("back_in_secs"), candidate.back_to.take()) {
            (None, _) => None,
            (Some(_), None) => Some(before),
            (Some(_), earlier) => earlier,
        };
    }
    let took = number("ms").unwrap_or(0);
    let safe = session.candidate.as_ref().is_some_and(|own| own.safe);
    let back = number("back_in_secs").map_or_else(String::new, |secs| {
        let (minutes, secs) = (secs / 60, secs % 60);
        let sooner = if safe {
            "\nBack when this login ends, or"
        } else {
            "  Back"
        };
        format!("{sooner} in {minutes}:{secs:02} unless you type 'confirm'.")
    });
    format!("revision {revision} is live ({took} ms).{back}\n")
}

/// Takes pasted text into the candidate: `set` lines or TOML.
///
/// # Errors
/// The first line that cannot be followed; nothing is taken then.
pub fn load(candidate: &mut Candidate, text: &str, how: Load) -> Result<(), String> {
    let say = |why: sbc_config::edit::EditError| format!("SBC-3012: {why}");
    if how == Load::Patch {
        return candidate.document.patch(text).map_err(say);
    }
    let over = how == Load::Override;
    let lines = text.lines().map(str::trim);
    let mut first = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let verbs = ["set ", "delete ", "annotate "];
    let spoken = first
        .next()
        .is_some_and(|line| verbs.iter().any(|verb| line.starts_with(verb)));
    let mut next = if over {
        Document::default()
    } else {
        candidate.document.clone()
    };
    if spoken {
        next.follow(text).map_err(say)?;
    } else {
        let read = Document::from_toml(text).map_err(say)?;
        if over {
            next = read;
        } else {
            next.follow(&read.to_set().map_err(say)?).map_err(say)?;
        }
    }
    candidate.document = next;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::moment_of;

    #[test]
    fn a_time_is_the_next_one_or_the_one_of_a_date() {
        // 2026-11-25 14:30:00 UTC.
        let now = 1_795_617_000;
        let said = |text| moment_of(text, now).map(crate::cli::moment);
        assert_eq!(said("23:30").unwrap(), "2026-11-25 23:30:00");
        assert_eq!(said("14:30").unwrap(), "2026-11-26 14:30:00");
        assert_eq!(said("2026-12-24T23:30").unwrap(), "2026-12-24 23:30:00");
        for wrong in [
            "",
            "24:00",
            "12",
            "2026-11-25T14:30",
            "2026-02-30T10:00",
            "2020-01-01T00:00",
        ] {
            assert_eq!(said(wrong), None, "{wrong}");
        }
    }
}
