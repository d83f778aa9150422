//! The program `sbc`: reads what it is to do, and does it.

mod check;
mod diary;
mod ipc;
mod jail;
mod listen;
mod roles;
mod run;

use std::process::ExitCode;

use sbc_core::cli;

const USAGE: &str = "\
usage: sbc run FILE                runs a node
       sbc cli [-c 'show calls']   talks with a node
       sbc login --tty PATH         asks for a name and a password on a line
       sbc check FILE              says all that is wrong with a configuration
       sbc plan FILE               says what it does to the network, and why
       sbc plan --reach FILE       says everything that is left open
       sbc schema                  prints its JSON schema
       sbc explain SBC-nnnn        says what a code means
       sbc version
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match called_as().as_str() {
        "init" if std::process::id() == 1 => return roles::init::appliance::run(),
        "modprobe" => return roles::init::appliance::modprobe(&args),
        _ => {}
    }
    leave_no_core(args.first().map(String::as_str));
    if let Err(error) = jail::ceilings::enter(group_of(&args)) {
        eprintln!("sbc: no ceiling: {error}");
        return ExitCode::FAILURE;
    }
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("", &[][..]),
    };
    match command {
        "run" => {
            diary::begin();
            run::run(rest)
        }
        "role" => {
            diary::begin();
            role(rest)
        }
        "cli" => cli::run(rest),
        "login" => match jail::enter_login() {
            Ok(()) => cli::login::run(rest),
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::from(1)
            }
        },
        "version" | "--version" => {
            println!("sbc {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        command if check::COMMANDS.contains(&command) => check::run(&args),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// No crash of ours writes its memory to a disk; processes that see secrets,
/// passwords and calls give theirs to nobody at all.
fn leave_no_core(command: Option<&str>) {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering a limit is always allowed.
    let _allowed = setrlimit(Resource::Core, none);
    if matches!(command, Some("cli" | "login" | "role" | "run")) {
        let _allowed = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Returns the group that has the process's ceilings.
fn group_of(args: &[String]) -> &str {
    match args.first().map(String::as_str) {
        Some("run") => "node",
        Some("role") => args.get(1).map_or("", String::as_str),
        Some("login") => "login",
        _ => "",
    }
}

/// Returns the name under which the program was called: on the appliance it is
/// the first process, and what the kernel asks for modules.
fn called_as() -> String {
    let name = std::env::args().next().unwrap_or_default();
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A child of `sbc run`; nobody types this.
fn role(rest: &[String]) -> ExitCode {
    match rest.first().map(String::as_str) {
        Some("port") => return roles::init::appliance::port(),
        Some("firmware") => return roles::init::appliance::firmware(),
        _ => {}
    }
    if let Some("charon") = rest.first().map(String::as_str) {
        return roles::init::charon::become_it();
    }
    let role = rest.first().and_then(|word| roles::Role::of(word));
    let Some(role) = role else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match roles::run(role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(role = role.word(), "{error:#}");
            ExitCode::from(1)
        }
    }
}
