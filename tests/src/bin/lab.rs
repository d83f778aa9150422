//! Arguments come in, an errand of the lab is run, its exit status goes out:
//! `cargo verify`, `cargo demo` and `cargo measure`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    sbc_tests::lab::run(&arguments)
}
