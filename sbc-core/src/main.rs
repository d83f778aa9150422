//! The program `sbc`: reads its role, enters its jail, runs it.
//!
//! No role exists in this version; the binary says so and what it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!(
        "sbc {}: a session border controller; no role runs in this version",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::from(2)
}
