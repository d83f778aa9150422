//! `sbc cli -c COMMAND`: a command comes in, its answer goes out in 80 columns
//! of ASCII, or as JSON.

mod ask;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

/// A command that is not known, or lacks something.
const WRONG: u8 = 2;

/// How one command is asked and shown.
struct Command {
    /// Words, with `*` for an argument.
    words: &'static [&'static str],
    help: &'static str,
    operation: &'static str,
    arguments: fn(&[&str]) -> Option<Value>,
    show: fn(&Value) -> String,
}

const COMMANDS: &[Command] = &[
    Command {
        words: &["show", "calls"],
        help: "calls that are up",
        operation: "calls.list",
        arguments: nothing,
        show: table::calls,
    },
    Command {
        words: &["show", "call", "*"],
        help: "the ladder of a call",
        operation: "calls.show",
        arguments: call,
        show: table::ladder,
    },
    Command {
        words: &["show", "call", "*", "ladder"],
        help: "the same",
        operation: "calls.show",
        arguments: call,
        show: table::ladder,
    },
    Command {
        words: &["show", "call", "*", "messages"],
        help: "every message of a call",
        operation: "calls.show",
        arguments: call,
        show: table::messages,
    },
    Command {
        words: &["show", "call", "*", "export", "text"],
        help: "the ladder as text",
        operation: "calls.show",
        arguments: call,
        show: table::ladder,
    },
    Command {
        words: &["show", "call", "*", "export", "svg"],
        help: "the ladder as an image",
        operation: "calls.show",
        arguments: call,
        show: table::image,
    },
    Command {
        words: &["show", "call", "*", "export", "json"],
        help: "the ladder with all messages",
        operation: "calls.show",
        arguments: call,
        show: table::raw,
    },
    Command {
        words: &["show", "trunks"],
        help: "providers: state, calls, OPTIONS",
        operation: "peers.list",
        arguments: nothing,
        show: table::trunks,
    },
    Command {
        words: &["show", "mediation"],
        help: "Mediation Servers: state, calls, OPTIONS",
        operation: "peers.list",
        arguments: nothing,
        show: table::mediation,
    },
    Command {
        words: &["show", "limits"],
        help: "every cap, what is used of it, how often it was hit",
        operation: "limits.list",
        arguments: nothing,
        show: table::limits,
    },
    Command {
        words: &["show", "counters"],
        help: "what was counted since the start",
        operation: "counters.list",
        arguments: nothing,
        show: table::counters,
    },
    Command {
        words: &["show", "held"],
        help: "calls, transactions, tags, requests and ports in use",
        operation: "held.list",
        arguments: nothing,
        show: table::raw,
    },
    Command {
        words: &["show", "version"],
        help: "the version that runs",
        operation: "version",
        arguments: nothing,
        show: table::version,
    },
    Command {
        words: &["clear", "call", "*"],
        help: "end a call on both sides",
        operation: "calls.clear",
        arguments: call,
        show: table::raw,
    },
    Command {
        words: &["trunk", "*", "drain"],
        help: "no new calls for a provider",
        operation: "peers.drain",
        arguments: drain_trunk,
        show: table::raw,
    },
    Command {
        words: &["trunk", "*", "resume"],
        help: "calls for a provider again",
        operation: "peers.drain",
        arguments: resume_trunk,
        show: table::raw,
    },
    Command {
        words: &["mediation", "*", "drain"],
        help: "no new calls for a Mediation Server",
        operation: "peers.drain",
        arguments: drain_mediation,
        show: table::raw,
    },
    Command {
        words: &["mediation", "*", "resume"],
        help: "calls for a Mediation Server again",
        operation: "peers.drain",
        arguments: resume_mediation,
        show: table::raw,
    },
];

fn nothing(_: &[&str]) -> Option<Value> {
    Some(Value::Null)
}

fn call(words: &[&str]) -> Option<Value> {
    let key: u32 = words.get(2)?.parse().ok()?;
    Some(json!({ "call": key }))
}

fn peer(words: &[&str], on: bool) -> Option<Value> {
    Some(json!({"kind": words.first()?, "name": words.get(1)?, "on": on}))
}

fn drain_trunk(words: &[&str]) -> Option<Value> {
    peer(words, true)
}

fn resume_trunk(words: &[&str]) -> Option<Value> {
    peer(words, false)
}

fn drain_mediation(words: &[&str]) -> Option<Value> {
    peer(words, true)
}

fn resume_mediation(words: &[&str]) -> Option<Value> {
    peer(words, false)
}

/// Takes the arguments behind `cli`; returns 0 when the node answered, 1 when it
/// refused, 2 when the command is not one.
pub fn run(args: &[String]) -> ExitCode {
    let mut api = default_api();
    let mut command = None;
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--api" => api = rest.next().map(PathBuf::from),
            "-c" => command = rest.next().cloned(),
            _ => return usage(&format!("unknown argument {word:?}")),
        }
    }
    let (Some(api), Some(command)) = (api, command) else {
        return usage("a command is needed: -c 'show calls'");
    };
    answer(&api, &command)
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

fn answer(api: &std::path::Path, line: &str) -> ExitCode {
    let (text, pipe) = match line.split_once('|') {
        Some((text, pipe)) => (text, Some(pipe.trim())),
        None => (line, None),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(command) = COMMANDS.iter().find(|command| fits(command.words, &words)) else {
        return usage(&format!("unknown command {:?}", text.trim()));
    };
    let Some(arguments) = (command.arguments)(&words) else {
        return usage("a call is named by its number");
    };
    let show = match pipe {
        None => command.show,
        Some("json") => table::raw,
        Some(other) => return usage(&format!("unknown pipe {other:?}; there is json")),
    };
    match ask::ask(api, command.operation, &arguments) {
        Ok(value) => {
            let text = show(&value);
            // Whoever reads may stop reading, as `head` does.
            let _closed = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(1)
        }
    }
}

fn fits(pattern: &[&str], words: &[&str]) -> bool {
    let same = |(pattern, word): (&&str, &&str)| *pattern == "*" || pattern == word;
    pattern.len() == words.len() && pattern.iter().zip(words).all(same)
}

fn usage(why: &str) -> ExitCode {
    eprintln!("{why}\nusage: sbc cli [--api PATH] -c COMMAND, where COMMAND is one of");
    for command in COMMANDS {
        eprintln!("  {:<28} {}", command.words.join(" "), command.help);
    }
    ExitCode::from(WRONG)
}
