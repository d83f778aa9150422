//! `sbc login --tty PATH`: what a getty starts on a line. A name and a password
//! come in, a console with that user's role goes out; a node without an owner
//! asks for its first password. The process ends with the login, and whoever
//! started it starts the next.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::{Client, Unanswered};
use super::grammar::Role;
use super::pager::INTERRUPTED;
use super::session::Session;
use super::terminal;

/// Wrong names and passwords after which the line is hung up on.
const TRIES: u32 = 10;

/// The node may still be starting: it is asked for so long.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ASKED_EVERY: Duration = Duration::from_millis(100);

const USAGE: &str = "usage: sbc login [--tty PATH] [--api PATH]\n";

/// Takes the arguments behind `login`; returns when the login has ended.
#[must_use]
pub fn run(args: &[String]) -> ExitCode {
    let mut api = super::default_api();
    let mut tty = None;
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        match (word.as_str(), rest.next()) {
            ("--api", Some(path)) => api = Some(PathBuf::from(path)),
            ("--tty", Some(path)) => tty = Some(PathBuf::from(path)),
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(super::WRONG);
            }
        }
    }
    if let Some(path) = &tty
        && let Err(error) = take_over(path)
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::from(1);
    }
    if !io::stdin().is_terminal() {
        eprintln!("a login wants a terminal: --tty PATH");
        return ExitCode::from(1);
    }
    let line = tty
        .as_ref()
        .and_then(|path| path.file_name())
        .and_then(|name| name.to_str());
    let Some(client) = api.and_then(|api| reach(&api)) else {
        println!("the node does not answer");
        return ExitCode::from(1);
    };
    let mut session = Session::new(client);
    line.unwrap_or("tty").clone_into(&mut session.channel);
    let kept = terminal::Kept::set_up();
    match enter(&mut session) {
        Ok(true) => {
            terminal::watch_over(&mut session, &kept);
            set_up(&mut session);
            terminal::talk(&mut session)
        }
        Ok(false) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::from(1)
        }
    }
}

/// A node without neighbours asks its owner for them.
fn set_up(session: &mut Session) {
    if session.role < Role::Admin || !super::wizard::is_wanted(session) {
        return;
    }
    println!("this node has no provider and no Mediation Server yet");
    match super::wizard::run(session) {
        Ok(said) => print!("{said}"),
        Err(why) => println!("{why}"),
    }
}

/// Makes `path` the terminal of this process, in a session of its own.
fn take_over(path: &PathBuf) -> io::Result<()> {
    // Whoever started us as the leader of a session did this already.
    let _leads = rustix::process::setsid();
    let tty = File::options().read(true).write(true).open(path)?;
    // A line that is somebody else's terminal can be read all the same.
    let _other = rustix::process::ioctl_tiocsctty(&tty);
    rustix::stdio::dup2_stdin(&tty)?;
    rustix::stdio::dup2_stdout(&tty)?;
    rustix::stdio::dup2_stderr(&tty)?;
    Ok(())
}

fn reach(api: &std::path::Path) -> Option<Client> {
    let since = Instant::now();
    loop {
        match Client::open(api) {
            Ok(client) => return Some(client),
            Err(_) if since.elapsed() > STARTS_WITHIN => return None,
            Err(_) => std::thread::sleep(ASKED_EVERY),
        }
    }
}

/// Asks for a name and a password until they fit. Returns false when the line
/// gave up.
fn enter(session: &mut Session) -> Result<bool, Unanswered> {
    let told = session.client.begin_login(&session.channel)?;
    let secs = told.get("idle_secs").and_then(Value::as_u64).unwrap_or(600);
    session.idle = Some(Duration::from_secs(secs));
    let node = session.client.hello.get("node").and_then(Value::as_str);
    let node = super::clean(node.unwrap_or("sbc"));
    if told.get("claimed").and_then(Value::as_bool) == Some(false) {
        return claim(session, &node);
    }
    for _ in 0..TRIES {
        let Some(user) = terminal::ask(&format!("{node} login: "))? else {
            return Ok(false);
        };
        if user.is_empty() {
            continue;
        }
        let Some(password) = terminal::secret("Password: ")? else {
            return Ok(false);
        };
        // Ctrl-C asks for the name again; it is no wrong password.
        if password.is_empty() {
            continue;
        }
        match come_in(session, &user, &password) {
            Ok(who) => {
                admit(session, &who);
                return Ok(true);
            }
            Err(Unanswered::Refused { code, message }) => println!("{code}: {message}"),
            Err(gone) => return Err(gone),
        }
    }
    Ok(false)
}

/// Shows the node a name and a password. Somebody may have waited for hours before
/// they were typed: a conversation that ended meanwhile is begun anew.
fn come_in(session: &mut Session, user: &str, password: &str) -> Result<Value, Unanswered> {
    let asked = json!({ "user": user, "password": password });
    match session.client.ask("login", &asked) {
        Err(Unanswered::Gone(_)) => {
            reach_again(&mut session.client)?;
            session.client.ask("login", &asked)
        }
        other => other,
    }
}

/// Opens the conversation anew, as soon as somebody is there.
fn reach_again(client: &mut Client) -> Result<(), Unanswered> {
    let since = Instant::now();
    loop {
        match client.again() {
            Err(_) if INTERRUPTED.load(Ordering::Relaxed) => return Err(Unanswered::Cancelled),
            Err(Unanswered::Gone(_)) if since.elapsed() < STARTS_WITHIN => {
                std::thread::sleep(ASKED_EVERY);
            }
            other => return other,
        }
    }
}

/// Goes on after the node's console has ended and was started anew: the
/// candidate stays, and its lock is taken again. Who came in by a password is asked
/// for it. Returns false when the login ends.
pub fn rejoin(session: &mut Session) -> bool {
    println!("the console of the node began anew");
    // A key that gave up on a question gives up on no other.
    INTERRUPTED.store(false, Ordering::Relaxed);
    if let Err(why) = reach_again(&mut session.client) {
        println!("{why}");
        return false;
    }
    if session.client.is_login() && !unlock(session) {
        return false;
    }
    if let Err(why) = super::configure::lock_again(session) {
        println!("{why}; your candidate stays, without its lock");
    }
    true
}

/// Lets the first one who comes set the password of `admin`.
fn claim(session: &mut Session, node: &str) -> Result<bool, Unanswered> {
    println!("{node} has no owner.  Set the password of 'admin'; until then it asks again.");
    for _ in 0..TRIES {
        let Some(first) = terminal::secret("New password: ")? else {
            return Ok(false);
        };
        if first.is_empty() {
            continue;
        }
        if terminal::secret("Again: ")?.as_deref() != Some(first.as_str()) {
            println!("the two differ");
            continue;
        }
        match session.client.ask("claim", &json!({ "password": first })) {
            Ok(who) => {
                admit(session, &who);
                println!("'configure' sets the node up, 'menu' shows what else there is");
                return Ok(true);
            }
            Err(Unanswered::Refused { code, message }) => println!("{code}: {message}"),
            Err(gone) => return Err(gone),
        }
    }
    Ok(false)
}

fn admit(session: &mut Session, who: &Value) {
    let text = |field| who.get(field).and_then(Value::as_str).unwrap_or_default();
    session.user = super::clean(text("user"));
    session.role = Role::of(text("role")).unwrap_or(Role::Monitor);
    let number = |field| who.get(field).and_then(Value::as_u64);
    let failures = number("failures").unwrap_or(0);
    let last = number("last_time").map_or_else(
        || "first login here".to_owned(),
        |secs| {
            let line = super::clean(text("last_line"));
            format!("last login {} {line}", super::moment(secs))
        },
    );
    println!("{last}; {failures} failed since.");
}

/// Asks for the password again until it is right: the line was locked. Returns
/// false when it gave up.
pub fn unlock(session: &mut Session) -> bool {
    println!("locked by {}", session.user);
    for _ in 0..TRIES {
        let Ok(Some(password)) = terminal::secret("Password: ") else {
            return false;
        };
        if password.is_empty() {
            continue;
        }
        // What woke the login for the lock cancels no question.
        INTERRUPTED.store(false, Ordering::SeqCst);
        let user = session.user.clone();
        match come_in(session, &user, &password) {
            Ok(_) => return true,
            Err(why) => println!("{why}"),
        }
    }
    false
}
