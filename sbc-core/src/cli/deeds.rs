//! What the console does by itself: each deed takes its arguments and says what
//! came of it.

use sbc_config::edit::{Document, EditError};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::certificate;
use super::configure::{self, CONFIRM_MAX, Candidate, Load, Wish};
use super::echo::COUNT;
use super::editor::help_for;
use super::firmware;
use super::grammar::{Mode, ROWS};
use super::here::Here;
use super::packets;
use super::pipe::{PIPES, Pipe};
use super::session::{Outcome, Session};
use super::terminal;

/// Octets that are taken from a paste.
const PASTE_MAX: u64 = sbc_config::MAX_FILE as u64;

const MENU: &str = "\
 1 show trunks        are the providers there
 2 show mediation     are the Mediation Servers there
 3 show calls         who talks
 4 show call history  who talked, and what went wrong
 5 show call N        the ladder of call N
 6 show alarms        what is wrong
 7 show configuration what the node was told
 8 configure          tell it something else
 9 help               how this console works
";

const HELP: &str = "\
Any word may be shortened while it is the only one.  Tab completes, '?' shows
what can follow.  '| match RE' and its kin filter what is shown:
";

type Words = Map<String, Value>;

/// Does one deed.
pub fn here(session: &mut Session, here: Here, words: &Words, pipes: &[Pipe]) -> Outcome {
    let done = match here {
        Here::Exit => return leave(session),
        Here::Leave => return go_out(session),
        Here::Lock => {
            session.locked = true;
            return Outcome::Nothing;
        }
        Here::Monitor(command) => return terminal::monitor(session, command),
        Here::MonitorLog => return terminal::monitor_log(session),
        Here::Dashboard => return super::dashboard::run(session),
        Here::Configure => configure::begin(session, flag(words, "exclusive"), flag(words, "safe"))
            .map(|()| String::new()),
        Here::ShowLive => show_live(session, words, pipes),
        Here::ShowRevision => revision(session, number(words, "revision").unwrap_or(0))
            .and_then(|document| spelt(&document, pipes)),
        Here::Image => firmware::list(json_wanted(pipes)),
        Here::ImageChange if flag(words, "verify") => firmware::verify(session),
        Here::ImageChange if flag(words, "rollback") => firmware::rollback(session),
        Here::ImageChange => firmware::activate(session, text(words, "version")),
        Here::FactoryReset => firmware::reset(session, text(words, "serial")),
        Here::BootPrevious => firmware::previous(json_wanted(pipes)),
        Here::Backup => backup(session),
        Here::Restore => restore(session),
        Here::Ping => {
            super::echo::ping(text(words, "host"), number(words, "count").unwrap_or(COUNT))
        }
        Here::CaptureStart => capture_start(session, words),
        Here::CaptureShow => capture_show(session, words),
        Here::Traceroute => super::echo::traceroute(text(words, "host")),
        Here::Setup => super::wizard::run(session),
        Here::Reboot => end_machine(session, "machine.restart", "reboot"),
        Here::Shutdown => end_machine(session, "machine.off", "shutdown"),
        Here::SecretSet => secret(session, words),
        Here::SecretPassphrase => passphrase(session),
        Here::SecretUnlock => unlock(session),
        Here::CertificateRequest(operation) => certificate::request(session, operation, words),
        Here::CertificateImport(operation) => certificate::import(session, operation, words),
        Here::UserPassword => password(session, words),
        Here::SetPaging => {
            session.paging = flag(words, "on");
            Ok(String::new())
        }
        Here::SetWidth => terminal::set_width(number(words, "size")),
        Here::Resize => terminal::probe(),
        Here::History => Ok(session
            .history
            .iter()
            .map(|line| format!("{line}\n"))
            .collect()),
        Here::Menu => Ok(MENU.to_owned()),
        Here::Help => Ok(help(session.mode(), text(words, "topic"))),
        Here::Explain => explain(text(words, "code")),
        Here::CommitCancel => cancel(session),
        Here::Commit | Here::CommitConfirmed | Here::CommitAt | Here::CommitDrain => {
            commit(session, here, words)
        }
        Here::Confirm => confirm(session),
        Here::Status => status(session),
        Here::Discard => configure::discard(session),
        Here::Compare => compare(session, words),
        Here::Rollback => rollback(session, words),
        other => match &mut session.candidate {
            Some(candidate) => edit(candidate, other, words, pipes),
            None => Ok(String::new()),
        },
    };
    match done {
        Ok(text) if text.is_empty() => Outcome::Nothing,
        Ok(text) => Outcome::Said(text),
        Err(why) => Outcome::Refused(why),
    }
}

fn json_wanted(pipes: &[Pipe]) -> bool {
    pipes.iter().any(|pipe| matches!(pipe, Pipe::Json))
}

fn flag(words: &Words, name: &str) -> bool {
    words.contains_key(name)
}

fn text<'w>(words: &'w Words, name: &str) -> &'w str {
    words.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(words: &Words, name: &str) -> Option<u64> {
    words.get(name).and_then(Value::as_u64)
}

fn leave(session: &mut Session) -> Outcome {
    session.candidate = None;
    Outcome::Leave
}

/// Leaves the table of `edit`, else the configuration; unsaved changes ask for a
/// word.
fn go_out(session: &mut Session) -> Outcome {
    let Some(candidate) = &mut session.candidate else {
        return Outcome::Leave;
    };
    if candidate.inside.pop().is_some() {
        candidate.inside.clear();
        return Outcome::Nothing;
    }
    if candidate.is_changed() && session.interactive {
        return Outcome::Refused("there are changes: 'commit' or 'discard' first".to_owned());
    }
    let _unlocked = session.client.ask("config.unlock", &Value::Null);
    session.candidate = None;
    Outcome::Nothing
}

fn spelt(document: &Document, pipes: &[Pipe]) -> Result<String, String> {
    for pipe in pipes {
        match pipe {
            Pipe::Json => return Ok(document.to_json()),
            Pipe::Set => return document.to_set().map_err(|why| why.to_string()),
            _ => {}
        }
    }
    Ok(document.to_toml())
}

fn part(document: &Document, path: &str) -> Result<Document, String> {
    if path.is_empty() {
        return Ok(document.clone());
    }
    document.part(path).map_err(|why| why.to_string())
}

fn show_live(session: &mut Session, words: &Words, pipes: &[Pipe]) -> Result<String, String> {
    let live = configure::live(session)?;
    spelt(&part(&live.document, text(words, "path"))?, pipes)
}

fn edit(
    candidate: &mut Candidate,
    here: Here,
    words: &Words,
    pipes: &[Pipe],
) -> Result<String, String> {
    let path = candidate.path(text(words, "path"));
    let document = &mut candidate.document;
    let (kind, name, other) = (
        text(words, "kind"),
        text(words, "name"),
        text(words, "othername"),
    );
    let done: Result<(), EditError> = match here {
        Here::Set => document.set(&path),
        Here::Delete => document.delete(&path),
        Here::Rename => document.rename(kind, name, other),
        // Paths of a copy begin at the top: it leads from one table into another.
        Here::Copy => document.copy_to(text(words, "path")),
        Here::Insert => document.insert_route(name, flag(words, "before"), other),
        Here::Annotate => document.annotate(&path),
        Here::Activate => document.activate(&path, true),
        Here::Deactivate => document.activate(&path, false),
        Here::Edit => {
            let typed = super::grammar::split(&path);
            // A table that is not there yet is made when something is set in it.
            candidate.inside = typed.into_iter().map(|word| word.text).collect();
            Ok(())
        }
        Here::Up => {
            candidate.inside.pop();
            Ok(())
        }
        Here::Top => {
            candidate.inside.clear();
            Ok(())
        }
        Here::ShowCandidate => return spelt(&part(document, &path)?, pipes),
        Here::Validate => {
            let (text, wrong) = configure::problems(document);
            return match (wrong, text.is_empty()) {
                (true, _) => Err(text.trim_end().to_owned()),
                (false, true) => Ok("no problems\n".to_owned()),
                (false, false) => Ok(text),
            };
        }
        Here::Load if flag(words, "override") => return load(candidate, Load::Override),
        Here::Load => return load(candidate, Load::Merge),
        Here::LoadPatch => return load(candidate, Load::Patch),
        _ => Ok(()),
    };
    done.map(|()| String::new())
        .map_err(|why| format!("SBC-3012: {why}"))
}

/// Reads until Ctrl-D without an echo, then says how much came and its hash.
fn load(candidate: &mut Candidate, how: Load) -> Result<String, String> {
    let what = match how {
        Load::Patch => "what 'compare' printed",
        Load::Merge | Load::Override => "set lines or TOML",
    };
    let text = terminal::paste(what, PASTE_MAX).map_err(|error| error.to_string())?;
    configure::load(candidate, &text, how)?;
    let hash = Sha256::digest(text.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{} octets, SHA-256 {hash}\n", text.len()))
}

fn commit(session: &mut Session, here: Here, words: &Words) -> Result<String, String> {
    let confirm = match here {
        Here::CommitConfirmed => Some(number(words, "minutes").unwrap_or(10)),
        _ => None,
    };
    if confirm.is_some_and(|minutes| minutes == 0 || minutes > CONFIRM_MAX) {
        return Err(format!(
            "a commit is confirmed within 1 to {CONFIRM_MAX} minutes"
        ));
    }
    let comment = text(words, "text").trim_matches(['"', '\'']).to_owned();
    let at = match here {
        Here::CommitAt => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = now.map_or(0, |since| since.as_secs());
            let at = configure::moment_of(text(words, "time"), now);
            Some(at.ok_or("a time is 23:30, or 2026-12-24T23:30, in UTC and not yet over")?)
        }
        _ => None,
    };
    let drain = match here {
        Here::CommitDrain => {
            let secs = configure::seconds_of(text(words, "time"));
            Some(secs.ok_or("a time to wait is 90s, 5m or 2h, at most 24h")?)
        }
        _ => None,
    };
    let wish = Wish {
        confirm,
        comment,
        at,
        drain,
    };
    configure::commit(session, &wish)
}

fn cancel(session: &mut Session) -> Result<String, String> {
    let answer = session.client.ask("config.cancel", &Value::Null);
    let answer = answer.map_err(|why| why.to_string())?;
    let at = answer.get("at").and_then(Value::as_u64).unwrap_or(0);
    Ok(format!(
        "the commit of {} UTC is taken back\n",
        super::moment(at)
    ))
}

fn confirm(session: &mut Session) -> Result<String, String> {
    let answer = session.client.ask("config.confirm", &Value::Null);
    let answer = answer.map_err(|why| why.to_string())?;
    let revision = answer.get("revision").and_then(Value::as_u64).unwrap_or(0);
    if let Some(candidate) = &mut session.candidate {
        candidate.back_to = None;
    }
    Ok(format!("revision {revision} kept; boot uses it.\n"))
}

fn status(session: &mut Session) -> Result<String, String> {
    let live = configure::live(session)?;
    let back = match live.back_in {
        Some(secs) => format!("goes back in {secs} s unless confirmed"),
        None => "confirmed".to_owned(),
    };
    let drains = live.draining.iter().map(|peer| super::clean(peer));
    let drains: Vec<String> = drains.collect();
    let waits = live.at.map_or_else(String::new, |at| {
        let whom = match drains.as_slice() {
            [] => String::new(),
            all => format!("for calls of {}, ", all.join(", ")),
        };
        format!("a commit waits {whom}until {} UTC\n", super::moment(at))
    });
    let own = session.candidate.as_ref().map_or(String::new(), |own| {
        let changed = if own.is_changed() {
            "changed"
        } else {
            "unchanged"
        };
        format!("candidate: from revision {}, {changed}\n", own.revision)
    });
    Ok(format!(
        "live: revision {}, {back}\n{waits}{own}",
        live.revision
    ))
}

fn revision(session: &mut Session, revision: u64) -> Result<Document, String> {
    let answer = session
        .client
        .ask("config.revision", &json!({ "revision": revision }));
    let answer = answer.map_err(|why| why.to_string())?;
    let text = answer
        .get("toml")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Document::from_toml(text).map_err(|why| why.to_string())
}

fn compare(session: &mut Session, words: &Words) -> Result<String, String> {
    let against = match number(words, "revision") {
        Some(number) => revision(session, number)?,
        None => configure::live(session)?.document,
    };
    configure::compare(session, &against)
}

/// Without a number: the last confirmed revision before the live one.
fn rollback(session: &mut Session, words: &Words) -> Result<String, String> {
    let wanted = match number(words, "revision") {
        Some(number) => number,
        None => configure::before_live(session)?,
    };
    let document = revision(session, wanted)?;
    if let Some(candidate) = &mut session.candidate {
        candidate.document = document;
    }
    Ok(format!(
        "the candidate is revision {wanted}; 'compare', then 'commit'\n"
    ))
}

fn typed(question: &str) -> Result<String, String> {
    let typed = terminal::secret(question).map_err(|error| error.to_string())?;
    typed.ok_or_else(|| "nothing was typed".to_owned())
}

fn secret(session: &mut Session, words: &Words) -> Result<String, String> {
    let name = text(words, "secret");
    let value = typed("Value: ")?;
    let ask = json!({ "secret": name, "value": value });
    let asked = session.client.ask("secrets.set", &ask);
    asked.map_err(|why| why.to_string())?;
    Ok(format!("secret {} is kept\n", super::clean(name)))
}

/// Everything the node was told, as text to keep elsewhere.
fn backup(session: &mut Session) -> Result<String, String> {
    let typed = typed_twice("Passphrase of the backup: ")?;
    let asked = session
        .client
        .ask("backup.make", &json!({ "passphrase": typed }));
    let made = asked.map_err(|why| why.to_string())?;
    let text = made.get("text").and_then(Value::as_str);
    Ok(text.unwrap_or_default().to_owned())
}

fn restore(session: &mut Session) -> Result<String, String> {
    let passphrase = typed("Passphrase of the backup: ")?;
    let pasted = terminal::paste("a backup", PASTE_MAX).map_err(|error| error.to_string())?;
    // A character that was lost is told before anything is sent.
    super::lines::file_of(&pasted)?;
    configure::upload(session, &pasted)?;
    let ask = json!({ "passphrase": passphrase });
    let asked = session.client.ask("backup.restore", &ask);
    let done = asked.map_err(|why| why.to_string())?;
    let count = |field| done.get(field).and_then(Value::as_u64).unwrap_or(0);
    let diff = done.get("diff").and_then(Value::as_str).unwrap_or_default();
    Ok(format!(
        "{diff}revision {} is live; {} secrets and {} files of certificates are in place\n",
        count("revision"),
        count("secrets"),
        count("certificates"),
    ))
}

/// Asks twice for what nobody sees.
fn typed_twice(question: &str) -> Result<String, String> {
    let first = typed(question)?;
    if typed("Again: ")? != first {
        return Err("the two differ; nothing was changed".to_owned());
    }
    Ok(first)
}

fn passphrase(session: &mut Session) -> Result<String, String> {
    let typed = typed_twice("New passphrase: ")?;
    let ask = json!({ "passphrase": typed });
    let asked = session.client.ask("secrets.passphrase", &ask);
    asked.map_err(|why| why.to_string())?;
    Ok("the secrets are sealed\n".to_owned())
}

fn unlock(session: &mut Session) -> Result<String, String> {
    let ask = json!({ "passphrase": typed("Passphrase: ")? });
    let asked = session.client.ask("secrets.unlock", &ask);
    asked.map_err(|why| why.to_string())?;
    Ok("the secrets are open\n".to_owned())
}

fn password(session: &mut Session, words: &Words) -> Result<String, String> {
    let user = text(words, "user");
    let first = typed_twice("New password: ")?;
    let asked = session.client.ask(
        "users.password",
        &json!({ "user": user, "password": first }),
    );
    asked.map_err(|why| why.to_string())?;
    Ok(format!("{} has a new password\n", super::clean(user)))
}

/// Has whoever sits there type a word before calls end.
///
/// # Errors
/// Another word was typed.
pub fn agreed(session: &Session, word: &str) -> Result<(), String> {
    if !session.interactive {
        return Ok(());
    }
    let asked = terminal::ask(&format!("Calls that are up end.  Type the word '{word}': "));
    let typed = asked.map_err(|error| error.to_string())?;
    match typed.as_deref().map(str::trim) {
        Some(typed) if typed == word => Ok(()),
        _ => Err("that is another word; nothing was done".to_owned()),
    }
}

/// Ends the machine, once the word for it was typed.
fn end_machine(session: &mut Session, operation: &str, word: &str) -> Result<String, String> {
    agreed(session, word)?;
    let asked = session.client.ask(operation, &Value::Null);
    asked.map_err(|why| why.to_string())?;
    Ok("the machine ends\n".to_owned())
}

/// Records packets here, where somebody waits for it; the node says of whom.
fn capture_start(session: &mut Session, words: &Words) -> Result<String, String> {
    let seconds = number(words, "seconds").unwrap_or(packets::SECONDS);
    let seconds = seconds.clamp(1, packets::SECONDS_MAX);
    let begun = session.client.ask("captures.begin", &json!(words));
    let begun = begun.map_err(|why| why.to_string())?;
    let path = begun
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let addresses = begun.get("addresses").and_then(Value::as_array);
    let texts = addresses.into_iter().flatten().filter_map(Value::as_str);
    let addresses: Vec<std::net::IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    let mut shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let link = begun.get("link").and_then(Value::as_str);
    let heard = match link {
        Some(link) => packets::Heard::Link(link.to_owned()),
        None => packets::Heard::Addresses(addresses),
    };
    shown.extend(link.map(|link| format!("all on {link}")));
    println!(
        "{}",
        super::clean(&format!(
            "capturing {} for {seconds} s, ^C ends it",
            shown.join(" ")
        ))
    );
    let time = std::time::Duration::from_secs(seconds);
    let caught = packets::record(std::path::Path::new(path), &heard, time);
    let caught = caught.map_err(|error| format!("SBC-3016: no capture: {error}"))?;
    let mut more = String::new();
    if caught.full {
        more.push_str("; the file is full");
    }
    if caught.lost > 0 {
        more.push_str(&format!(
            "; {} came too fast and are not in it",
            caught.lost
        ));
    }
    // Said here: whoever pressed Ctrl-C wants the sum all the same.
    println!(
        "{} packets, {} octets{more}; 'capture show {}'",
        caught.packets,
        caught.octets,
        super::clean(text(words, "name"))
    );
    Ok(String::new())
}

fn capture_show(session: &mut Session, words: &Words) -> Result<String, String> {
    let name = text(words, "name");
    let found = session
        .client
        .ask("captures.place", &json!({ "name": name }));
    let found = found.map_err(|why| why.to_string())?;
    let path = found
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let file = std::fs::read(path).map_err(|_| "SBC-3003: there is no such capture".to_owned())?;
    Ok(super::capture::as_text(&format!("{name}.pcapng"), &file))
}

fn explain(text: &str) -> Result<String, String> {
    let code = sbc_config::Code::parse(text);
    let code = code.ok_or_else(|| format!("there is no code {}", super::clean(text)))?;
    Ok(format!("{code}  {}\n{}", code.title(), code.explanation()))
}

fn help(mode: Mode, topic: &str) -> String {
    let topic = topic.trim();
    let mut out = String::new();
    if topic.is_empty() {
        out.push_str(HELP);
        for (syntax, help) in PIPES {
            out.push_str(&super::two_columns(&format!("| {syntax}"), help));
        }
        out.push('\n');
        for (word, help) in help_for(mode, "", "") {
            out.push_str(&super::two_columns(&word, &help));
        }
        return out;
    }
    let rows = ROWS
        .iter()
        .filter(|row| row.mode == mode && row.syntax.starts_with(topic));
    for row in rows {
        out.push_str(&format!("{}\n", row.syntax));
        out.push_str(&super::two_columns(
            "",
            &format!("{} ({})", row.help, row.role.word()),
        ));
    }
    if out.is_empty() {
        out = format!("no command begins with '{}'\n", super::clean(topic));
    }
    out
}
