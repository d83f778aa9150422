//! `sbc cli`: commands come in, from a terminal or behind `-c`, their answers go
//! out in 80 columns of ASCII, or as JSON. Each login is a process of its own,
//! and it does one thing after the other.

mod ask;
mod banner;
mod breaks;
pub mod capture;
mod certificate;
mod configure;
mod dashboard;
mod deeds;
pub mod docs;
mod echo;
mod editor;
mod firmware;
mod foreign;
pub mod form;
pub mod grammar;
mod here;
pub mod lines;
pub mod login;
mod network;
mod packets;
mod pager;
mod pipe;
mod plain;
mod session;
mod sieve;
mod table;
mod terminal;
mod wizard;

use std::path::PathBuf;
use std::process::ExitCode;

use ask::Client;
use session::{Outcome, Session};

pub use plain::plain;
pub use table::moment;

/// A command that is not known, or lacks something.
const WRONG: u8 = 2;

const USAGE: &str = "\
usage: sbc cli [--api PATH]               talks with a node
       sbc cli [--api PATH] -c COMMAND    asks it one thing
       sbc cli --markdown                 prints the page of all commands
";

/// Takes the arguments behind `cli`; returns 0 when the node answered, 1 when it
/// refused, 2 when the command is not one.
#[must_use]
pub fn run(args: &[String]) -> ExitCode {
    let mut api = default_api();
    let mut command = None;
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--api" => api = rest.next().map(PathBuf::from),
            "-c" => command = rest.next().cloned(),
            "--markdown" => {
                pager::show(&docs::markdown(), false);
                return ExitCode::SUCCESS;
            }
            _ => return usage(&format!("unknown argument {word:?}")),
        }
    }
    let Some(api) = api else {
        return usage("--api wants a path");
    };
    let client = match Client::open(&api) {
        Ok(client) => client,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(1);
        }
    };
    let mut session = Session::new(client);
    match command {
        Some(line) => once(&mut session, &line),
        None => terminal::talk(&mut session),
    }
}

fn once(session: &mut Session, line: &str) -> ExitCode {
    match session.line(line) {
        Outcome::Said(text) => {
            pager::show(&text, false);
            ExitCode::SUCCESS
        }
        Outcome::Refused(why) => {
            eprintln!("{why}");
            ExitCode::from(1)
        }
        Outcome::Wrong(why) => {
            eprintln!("{why}");
            ExitCode::from(WRONG)
        }
        Outcome::Leave | Outcome::Nothing => ExitCode::SUCCESS,
    }
}

/// Returns where a node listens if nobody said otherwise.
#[must_use]
pub fn default_api() -> Option<PathBuf> {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !rustix::process::geteuid().is_root() => {
            Some(PathBuf::from(folder).join("sbc-api.sock"))
        }
        _ => Some(PathBuf::from("/run/sbc/api.sock")),
    }
}

/// Returns `text` as it may stand on a terminal: control characters written out,
/// whatever a peer or a file put there.
#[must_use]
pub fn clean(text: &str) -> String {
    sbc_call::ladder::printable(text)
}

/// Returns the same for text of many lines.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}

/// Returns a line of a word and what it means, broken at 80 columns.
fn two_columns(word: &str, help: &str) -> String {
    const LEFT: usize = 26;
    let mut out = format!("  {word:<LEFT$}");
    if word.len() > LEFT {
        out = format!("  {word}\n  {:LEFT$}", "");
    }
    let mut column = LEFT + 2;
    for part in clean(help).split(' ') {
        if column + 1 + part.len() > pager::COLUMNS - 1 {
            out.push_str(&format!("\n  {:LEFT$}", ""));
            column = LEFT + 2;
        }
        out.push(' ');
        out.push_str(part);
        column += 1 + part.len();
    }
    out.push('\n');
    out
}

fn usage(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(WRONG)
}
