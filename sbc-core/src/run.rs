//! `sbc run FILE`: a configuration comes in; a node runs until it is stopped.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::jail;
use crate::roles::{console, init, signal};

const USAGE: &str = "\
usage: sbc run FILE [--api SOCKET] [--cdr FILE] [--ladders FOLDER]
               [--state FOLDER] [--apply-network] [--users]
               [--appliance] [--first] [--closed]

Runs the node that FILE describes. The addresses it names must be there: the
machine's own network is not touched, unless --apply-network gives all of it to
the node: what FILE does not ask for is removed from it. --api is where 'sbc cli' asks, --cdr gets
a line of JSON for each call, --ladders a drawing of each. --state keeps what
outlives the node: revisions of the configuration, secrets, the audit log.
--users runs each role as a user of its own; only root can. --appliance gives the
machine to the node: that it is to start again is said on standard output. --first
looks at FILE only while no revision is kept; --closed puts it in force all the same.
";

/// Takes the arguments behind `run`; returns 0 after an orderly stop, 1 when the
/// node cannot start, 2 for wrong usage.
pub fn run(args: &[String]) -> ExitCode {
    let mut file = None;
    let mut settings = Vec::new();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        let variable = match word.as_str() {
            "--apply-network" => {
                settings.push((init::NETWORK, PathBuf::from("apply")));
                continue;
            }
            "--appliance" => {
                settings.push((init::APPLIANCE, PathBuf::from("own")));
                continue;
            }
            "--first" => {
                settings.push((init::FIRST, PathBuf::from("yes")));
                continue;
            }
            "--closed" => {
                settings.push((init::CLOSED, PathBuf::from("yes")));
                continue;
            }
            "--api" => console::API,
            "--cdr" => signal::RECORDS,
            "--ladders" => signal::LADDERS,
            "--state" => init::STATE,
            "--users" => {
                settings.push((jail::USERS, PathBuf::from("each")));
                continue;
            }
            _ if file.is_none() && !word.starts_with("--") => {
                file = Some(word);
                continue;
            }
            _ => return usage(),
        };
        let Some(value) = rest.next() else {
            return usage();
        };
        // The last word of a kind holds.
        settings.retain(|(name, _)| *name != variable);
        settings.push((variable, PathBuf::from(value)));
    }
    let Some(file) = file else {
        return usage();
    };
    start(file, settings)
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

fn start(file: &str, mut settings: Vec<(&'static str, PathBuf)>) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(1);
        }
    };
    let checked = sbc_config::check(&text);
    let Some(node) = checked.node else {
        eprint!(
            "{}",
            sbc_config::render::text(file, &text, &checked.problems)
        );
        return ExitCode::from(1);
    };
    if !settings.iter().any(|(name, _)| *name == console::API)
        && let Some(api) = sbc_core::cli::default_api()
    {
        settings.push((console::API, api));
    }
    for (_, path) in &settings {
        if let Some(folder) = path.parent() {
            // A folder that cannot be made is said by whoever needs it.
            let _said_later = std::fs::create_dir_all(folder);
        }
    }
    if let Some((_, state)) = settings.iter().find(|(name, _)| *name == init::STATE) {
        crate::diary::keep(state);
    }
    let place = |name: &str| {
        let found = settings.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, path)| path.clone())
    };
    if let Err(error) = jail::prepare(place) {
        eprintln!("sbc: folders of the roles: {error}");
        return ExitCode::from(1);
    }
    match init::run(&text, &node, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sbc: {error:#}");
            ExitCode::from(1)
        }
    }
}
