//! What the console answers by itself or through `init`: an operation and its
//! arguments come in, JSON or a refusal with its code goes out.

use std::rc::Rc;

use sbc_config::edit::Document;
use sbc_config::{Name, PeerName};
use sbc_core::cli::grammar::{Act, ROWS, Role};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::room::Room;
use super::{audit, captures, certificates, clock, history, later, login};
use crate::ipc::{ConfigOrder, Ending, FromChild};

/// An answer, or a code and a sentence.
pub type Answered = Result<Value, (String, String)>;

/// Octets of the text in one word to `init`.
const PAGE: usize = 32 * 1024;

/// Operations without a command of their own, and who may ask for them.
const OTHERS: [(&str, Role); 25] = [
    ("machine.restart", Role::Admin),
    ("machine.off", Role::Admin),
    ("config.live", Role::Monitor),
    ("config.status", Role::Monitor),
    ("config.revision", Role::Operator),
    ("config.part", Role::Admin),
    ("config.back", Role::Admin),
    ("config.cancel", Role::Admin),
    ("captures.begin", Role::Operator),
    ("captures.place", Role::Operator),
    ("config.put", Role::Admin),
    ("config.lock", Role::Admin),
    ("config.unlock", Role::Admin),
    ("secrets.set", Role::Admin),
    ("backup.make", Role::Admin),
    ("backup.restore", Role::Admin),
    ("secrets.passphrase", Role::Admin),
    ("secrets.unlock", Role::Admin),
    ("certificates.request", Role::Admin),
    ("certificates.renew", Role::Admin),
    ("certificates.import", Role::Admin),
    ("certificates.trust", Role::Admin),
    ("users.password", Role::Admin),
    ("held.list", Role::Monitor),
    ("machine.note", Role::Admin),
];

/// Operations that leave a record.
const AUDITED: [&str; 32] = [
    "machine.restart",
    "machine.off",
    "clock.accept",
    "clock.set",
    "calls.clear",
    "calls.reveal",
    "history.reveal",
    "peers.drain",
    "alarms.acknowledge",
    "config.put",
    "config.confirm",
    "config.back",
    "config.cancel",
    "peers.ask",
    "captures.begin",
    "captures.place",
    "captures.delete",
    "debug.set",
    "debug.clear",
    "secrets.set",
    "secrets.delete",
    "backup.make",
    "backup.restore",
    "secrets.passphrase",
    "secrets.unlock",
    "certificates.request",
    "certificates.renew",
    "certificates.import",
    "certificates.trust",
    "users.password",
    "support.bundle",
    "machine.note",
];

/// Returns who may ask for an operation; nothing if there is none of that name.
pub fn needed(operation: &str) -> Option<Role> {
    let rows = ROWS
        .iter()
        .filter(|row| matches!(row.act, Act::Ask(known, _) if known == operation));
    let other = OTHERS.iter().find(|(known, _)| *known == operation);
    rows.map(|row| row.role)
        .min()
        .or(other.map(|(_, role)| *role))
}

fn no(code: &str, message: impl Into<String>) -> (String, String) {
    (code.to_owned(), message.into())
}

/// Answers one question of a caller.
pub async fn answer(
    room: &Rc<Room>,
    caller: &mut Caller,
    operation: &str,
    arguments: &Map<String, Value>,
) -> Answered {
    match operation {
        "version" => return Ok(json!({ "version": env!("CARGO_PKG_VERSION") })),
        "session" | "login" | "claim" => return caller.enter(room, operation, arguments).await,
        _ => {}
    }
    caller.settle(room);
    let needed = needed(operation);
    let needed = needed.ok_or_else(|| no("SBC-3001", format!("no operation {operation:?}")))?;
    if caller.role.is_none_or(|role| role < needed) {
        return Err(no(
            "SBC-3010",
            format!("this needs the role {}", needed.word()),
        ));
    }
    let answered = act(room, caller, operation, arguments).await;
    if AUDITED.contains(&operation) {
        let what = told(operation, arguments, &answered);
        room.note(&caller.user, &caller.line, &what);
    }
    answered
}

/// Returns what the audit log says of an operation; never a value that is secret.
fn told(operation: &str, arguments: &Map<String, Value>, answered: &Answered) -> String {
    let mut what = operation.to_owned();
    for (name, value) in arguments {
        let hidden = ["value", "password", "passphrase", "toml", "pem", "comment"];
        let hidden = hidden.contains(&name.as_str());
        if name == "number" {
            let number = value.as_str().unwrap_or_default();
            what.push_str(&format!(" number={}", sbc_call::story::masked(number)));
        } else if !hidden && !value.is_null() {
            what.push_str(&format!(" {name}={}", value.to_string().trim_matches('"')));
        }
    }
    match answered {
        Ok(value) => {
            let revision = value.get("revision").and_then(Value::as_u64);
            what.push_str(&revision.map_or_else(String::new, |number| format!(" -> {number}")));
            let diff = value
                .get("diff")
                .and_then(Value::as_str)
                .unwrap_or_default();
            what.push_str(&diff.replace('\n', " "));
        }
        Err((code, _)) => what.push_str(&format!(" refused {code}")),
    }
    // Last, since it may be of any length, and a record may not.
    if let Some(comment) = arguments.get("comment").and_then(Value::as_str) {
        what.push_str(&format!(" comment={comment}"));
    }
    what
}

async fn act(
    room: &Rc<Room>,
    caller: &mut Caller,
    operation: &str,
    arguments: &Map<String, Value>,
) -> Answered {
    let text = |field: &str| {
        arguments
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let number = |field: &str| arguments.get(field).and_then(Value::as_u64);
    let call = || number("call").ok_or_else(|| no("SBC-3002", "which call? a number is needed"));
    let unknown = |call| no("SBC-3003", format!("no call {call} is in the records"));
    match operation {
        "system.uptime" => Ok(room.uptime()),
        "system.show" => Ok(room.system()),
        "system.clock" => Ok(room.clock()),
        "clock.accept" => clock::accept(room).await,
        "clock.set" => clock::set(room, text("date")).await,
        "users.list" => Ok(room.users()),
        "users.password" => password(room, text("user"), text("password")).await,
        "route.show" => route(
            room,
            text("number"),
            arguments.get("peer").and_then(Value::as_str),
        ),
        "history.list" => Ok(history::list(&room.records(), arguments)),
        "history.records" => Ok(history::written(&room.records(), arguments)),
        "history.media" => {
            history::media(&room.records(), call()?).ok_or_else(|| unknown(call().unwrap_or(0)))
        }
        "history.reveal" => {
            history::numbers(&room.records(), call()?).ok_or_else(|| unknown(call().unwrap_or(0)))
        }
        "audit.list" => {
            let last = number("count").and_then(|count| usize::try_from(count).ok());
            Ok(room
                .audit
                .borrow()
                .list(last.unwrap_or(20).min(audit::SHOWN_MAX)))
        }
        // What is asked of the machine is done elsewhere; here it is written down.
        "machine.note" => Ok(json!({ "done": "noted" })),
        "audit.verify" => Ok(room.audit.borrow().verify()),
        "alarms.list" => Ok(room.alarms.borrow().list(super::now())),
        "alarms.history" => Ok(room.alarms.borrow().history()),
        "alarms.acknowledge" => match room.alarms.borrow_mut().acknowledge(text("alarm")) {
            0 => Err(no("SBC-3003", "no such alarm is raised")),
            count => Ok(
                json!({ "done": format!("{count} acknowledged; raised until the cause is gone") }),
            ),
        },
        "limits.list" => room.limits().await,
        "boot.show" => Ok(boot()),
        "machine.restart" => room.order(ConfigOrder::Machine(Ending::Restart)).await,
        "machine.off" => room.order(ConfigOrder::Machine(Ending::PowerOff)).await,
        "captures.begin" => captures::begin(room, arguments).await,
        "captures.place" => captures::place(room, text("name")).map(|path| json!({ "path": path })),
        "captures.list" => captures::list(room),
        "captures.delete" => captures::delete(room, text("name")),
        "log.list" => Ok(room.log.list(arguments)),
        "syslog.list" => Ok(room.syslog.list()),
        "secrets.list" => Ok(room.secrets.list()),
        "secrets.set" => secret(room, text("secret"), text("value")).await,
        "secrets.delete" => forget(room, text("secret")),
        "secrets.passphrase" => super::secrets::passphrase(room, text("passphrase")).await,
        "secrets.unlock" => super::secrets::unlock(room, text("passphrase")).await,
        "backup.make" => super::backups::make(room, text("passphrase")).await,
        "backup.restore" => super::backups::restore(room, caller, text("passphrase")).await,
        "support.contents" => Ok(json!(super::support::CONTENTS)),
        "support.bundle" => super::support::bundle(room).await,
        "config.check" => check(room).await,
        "peers.ask" => ask_peer(room, text("peer")).await,
        _ if operation.starts_with("certificates.") => {
            certificates::answer(room, operation, arguments).await
        }
        _ if operation.starts_with("config.") => config(room, caller, operation, arguments).await,
        "tunnels.list" => {
            let asked = arguments.get("tunnel").and_then(Value::as_str);
            room.netcfg(operation, arguments)
                .await
                .and_then(|all| one_of(all, asked))
        }
        "interfaces.list" | "isolation.list" | "isolation.counters" => {
            room.netcfg(operation, arguments).await
        }
        "bandwidth.list" => {
            let trunk = arguments.get("trunk").and_then(Value::as_str);
            super::network::bandwidth(room, trunk).await
        }
        "calls.show" => room
            .signal(operation, arguments)
            .await
            .map(without_messages),
        "calls.reveal" => room.signal("calls.show", arguments).await,
        _ => room.signal(operation, arguments).await,
    }
}

/// Returns the lines of this boot; none where the machine is not the node's.
fn boot() -> Value {
    let text = std::fs::read_to_string(crate::diary::BOOT).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).collect()
}

fn done(done: Result<(), (&'static str, String)>, word: &str) -> Answered {
    done.map(|()| json!({ "done": word }))
        .map_err(|(code, why)| no(code, why))
}

fn forget(room: &Room, name: &str) -> Answered {
    room.is_left_to_somebody(&room.text.borrow(), Some(name))?;
    done(room.secrets.delete(name), "forgotten")
}

async fn secret(room: &Rc<Room>, name: &str, value: &str) -> Answered {
    if name.starts_with("user/") && !sbc_core::seal::is_hash(value.as_bytes()) {
        let why = "a login has the hash of its password; 'request user password NAME' makes it";
        return Err(no("SBC-3002", why));
    }
    let set = done(room.secrets.set(name, value), "kept")?;
    certificates::secret_set(room, name).await;
    Ok(set)
}

/// Returns the tunnel of that name, or all.
fn one_of(all: Value, name: Option<&str>) -> Answered {
    let Some(name) = name else { return Ok(all) };
    let rows = all.as_array().into_iter().flatten();
    let found: Vec<&Value> = rows.filter(|row| row["name"] == name).collect();
    if found.is_empty() {
        return Err(no("SBC-3003", format!("there is no tunnel {name}")));
    }
    Ok(json!(found))
}

/// Messages hold whole numbers: they are for those who may reveal.
fn without_messages(mut ladder: Value) -> Value {
    let rungs = ladder.get_mut("rungs").and_then(Value::as_array_mut);
    for rung in rungs.into_iter().flatten() {
        if let Some(message) = rung.get_mut("message") {
            *message = json!("");
        }
    }
    ladder
}

/// Asks a peer for its options and waits for what comes of it.
async fn ask_peer(room: &Rc<Room>, name: &str) -> Answered {
    /// Longer than the node itself waits for such an answer.
    const WITHIN: std::time::Duration = std::time::Duration::from_secs(8);
    const TICK: std::time::Duration = std::time::Duration::from_millis(50);
    let mut asked = Map::new();
    asked.insert("peer".to_owned(), json!(name));
    room.signal("peers.ask", &asked).await?;
    let until = std::time::Instant::now() + WITHIN;
    loop {
        tokio::time::sleep(TICK).await;
        let peers = room.signal("peers.list", &Map::new()).await?;
        let rows = peers.as_array().into_iter().flatten();
        let row = rows.into_iter().find(|row| row["name"] == name);
        let row = row.ok_or_else(|| no("SBC-3003", "no such peer"))?;
        if row["asking"] == false || std::time::Instant::now() > until {
            let took = row.get("options_ms").and_then(Value::as_u64);
            return Ok(json!({
                "peer": name,
                "answered": took.is_some() && row["asking"] == false,
                "options_ms": took,
                "state": row["state"],
            }));
        }
    }
}

async fn password(room: &Room, user: &str, password: &str) -> Answered {
    if password.chars().count() < login::PASSWORD_MIN {
        let least = login::PASSWORD_MIN;
        return Err(no(
            "SBC-3002",
            format!("a password has at least {least} characters"),
        ));
    }
    let known = room.users.borrow().get(user).cloned();
    let known = known.ok_or_else(|| no("SBC-3003", "no such user may log in, by the file"))?;
    let hash = room.desk.turn().await.hashed(password).await;
    let hash = hash.ok_or_else(|| no("SBC-3016", "no randomness"))?;
    done(room.secrets.set(&known.secret, &hash), "changed")
}

fn route(room: &Room, number: &str, from: Option<&str>) -> Answered {
    let node = room.node.borrow();
    let asked = |name: &PeerName| from.is_none_or(|from| name.name().as_str() == from);
    let names: Vec<PeerName> = node.peers().map(|peer| peer.name.clone()).collect();
    if from.is_some_and(|from| Name::new(from).is_none()) || !names.iter().any(asked) {
        return Err(no("SBC-3003", "no such peer"));
    }
    let each = names.iter().filter(|name| asked(name)).filter_map(|name| {
        let route = node.routes_for(name, number).next()?;
        let to: Vec<String> = route.to.iter().map(ToString::to_string).collect();
        Some(json!({ "from": name.to_string(), "route": route.name.as_str(), "to": to }))
    });
    Ok(each.collect())
}

async fn check(room: &Rc<Room>) -> Answered {
    let problems = sbc_config::check(&room.text.borrow()).problems;
    let each = problems.iter().map(|problem| {
        let severity = problem.severity().word();
        format!(
            "{severity}[{}]: {} ({})",
            problem.code, problem.message, problem.path
        )
    });
    Ok(json!({ "problems": each.collect::<Vec<_>>() }))
}

/// Returns a whole number that may be absent; anything else in its place is refused, so
/// that a time that was meant is not lost.
fn given(arguments: &Map<String, Value>, field: &str) -> Result<Option<u32>, (String, String)> {
    match arguments.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|value| u32::try_from(value).ok());
            let why = || {
                no(
                    "SBC-3002",
                    format!("{field} is a whole number, not {value}"),
                )
            };
            number.map(Some).ok_or_else(why)
        }
    }
}

async fn config(
    room: &Rc<Room>,
    caller: &mut Caller,
    operation: &str,
    arguments: &Map<String, Value>,
) -> Answered {
    let number = |field: &str| {
        let value = arguments.get(field).and_then(Value::as_u64);
        value.and_then(|value| u32::try_from(value).ok())
    };
    let text = |field: &str| {
        arguments
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match operation {
        "config.live" => {
            let mut answer = room.order(ConfigOrder::Live).await?;
            if let Some(answer) = answer.as_object_mut() {
                let later = room.later.borrow();
                answer.insert("at".to_owned(), json!(later.at()));
                answer.insert("draining".to_owned(), json!(later.peers()));
            }
            Ok(answer)
        }
        "config.status" => room.order(ConfigOrder::Status).await,
        "config.cancel" => later::cancel(room).await,
        "config.confirm" => room.order(ConfigOrder::Confirm).await,
        "config.back" => {
            let live = room.revision.get();
            room.order(ConfigOrder::GoBack(live)).await
        }
        "config.revisions" => room.order(ConfigOrder::Revisions).await,
        "config.revision" => {
            let wanted = number("revision").ok_or_else(|| no("SBC-3002", "which revision?"))?;
            room.order(ConfigOrder::Revision(wanted)).await
        }
        "config.lock" => match room.editor.get() {
            Some(other) if other != caller.id => Err(no("SBC-3011", "somebody else has locked it")),
            _ => {
                room.editor.set(Some(caller.id));
                Ok(json!({ "done": "locked" }))
            }
        },
        "config.unlock" => {
            room.unlock(caller.id);
            Ok(json!({ "done": "unlocked" }))
        }
        "config.part" => {
            if caller.parts.len() + text("text").len() > sbc_config::MAX_FILE {
                caller.parts.clear();
                return Err(no("SBC-3004", "that is more than a configuration may have"));
            }
            caller.parts.push_str(text("text"));
            Ok(json!({ "octets": caller.parts.len() }))
        }
        _ => {
            if room.editor.get().is_some_and(|other| other != caller.id) {
                return Err(no("SBC-3011", "somebody else has locked it"));
            }
            let mut whole = std::mem::take(&mut caller.parts);
            whole.push_str(text("toml"));
            let order = ConfigOrder::Put {
                // Who names none goes on from what is live.
                base: given(arguments, "base")?.unwrap_or(room.revision.get()),
                confirm_secs: given(arguments, "confirm")?,
                author: caller.user.clone(),
                channel: caller.line.clone(),
                comment: text("comment").to_owned(),
            };
            if let Some(until) = later::Until::of(arguments) {
                return later::keep(room, until, whole, order).await;
            }
            let answer = put(room, &whole, order).await?;
            let safe = arguments.get("safe").and_then(Value::as_bool) == Some(true);
            let revision = answer.get("revision").and_then(Value::as_u64);
            caller.safe = revision
                .filter(|_| safe)
                .and_then(|revision| u32::try_from(revision).ok());
            Ok(answer)
        }
    }
}

/// What a login left unconfirmed in `configure safe` goes back when it ends.
pub async fn end_safely(room: &Rc<Room>, caller: &Caller) {
    let Some(revision) = caller.safe else { return };
    // Confirmed, or others went on from it: then there is nothing to take back.
    if room.order(ConfigOrder::GoBack(revision)).await.is_ok() {
        let what = format!("revision {revision} goes back: the login ended unconfirmed");
        room.note(&caller.user, &caller.line, &what);
    }
}

/// Makes `text` live at once, in the name of a caller.
pub async fn replace(room: &Rc<Room>, caller: &Caller, text: &str, comment: &str) -> Answered {
    let order = ConfigOrder::Put {
        base: room.revision.get(),
        confirm_secs: None,
        author: caller.user.clone(),
        channel: caller.line.clone(),
        comment: comment.to_owned(),
    };
    put(room, text, order).await
}

/// Makes `text` live as `order` says.
pub async fn put(room: &Rc<Room>, text: &str, order: ConfigOrder) -> Answered {
    // Pages of two callers must not mix.
    let _turn = room.turn.lock().await;
    room.is_left_to_somebody(text, None)?;
    let before = Document::from_toml(&room.text.borrow());
    let mut rest = text;
    while !rest.is_empty() {
        let mut cut = PAGE.min(rest.len());
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (page, more) = rest.split_at(cut);
        room.tell_init(&FromChild::Page(page.to_owned())).await?;
        rest = more;
    }
    let mut answer = room.order(order).await?;
    if let (Ok(before), Ok(after)) = (before, Document::from_toml(text)) {
        let changes = sbc_config::edit::changes(&before, &after);
        let diff = json!(sbc_config::edit::compared(&changes));
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("diff".to_owned(), diff);
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_tree_needs_a_role_and_no_other_is_known() {
        assert_eq!(needed("calls.list"), Some(Role::Monitor));
        assert_eq!(needed("calls.clear"), Some(Role::Operator));
        assert_eq!(needed("config.put"), Some(Role::Admin));
        assert_eq!(needed("calls.reveal"), Some(Role::Operator));
        assert_eq!(needed("nonsense"), None);
        for operation in AUDITED {
            assert!(
                needed(operation).is_some_and(|role| role > Role::Monitor),
                "{operation}"
            );
        }
    }

    #[test]
    fn no_secret_reaches_the_audit_log() {
        let arguments = json!({"secret": "sip/a", "value": "hush", "password": "hush", "passphrase": "hush", "toml": "hush"});
        let told = told(
            "secrets.set",
            arguments.as_object().unwrap(),
            &Ok(json!({})),
        );
        assert_eq!(told, "secrets.set secret=sip/a");
    }

    #[test]
    fn whole_numbers_in_messages_are_for_those_who_may_reveal() {
        let shown =
            without_messages(json!({"rungs": [{"what": "INVITE", "message": "tel:+49123"}]}));
        assert!(!shown.to_string().contains("+49123"));
    }
}
