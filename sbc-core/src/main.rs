//! The program `sbc`: reads its role, enters its jail, runs it.
//!
//! No role exists in this version; the binary says so and what it is.

mod check;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args
        .first()
        .is_some_and(|command| check::COMMANDS.contains(&command.as_str()))
    {
        return check::run(&args);
    }
    eprintln!(
        "sbc {}: a session border controller; no role runs in this version",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::from(2)
}
