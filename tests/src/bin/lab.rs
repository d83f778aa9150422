//! Arguments come in, an errand of the lab is run, its exit status goes out:
//! `cargo verify`, `cargo demo` and `cargo measure`. In the lab's guests the same
//! program is process 1.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let arguments: Vec<String> = words.collect();
    if let Some(code) = sbc_tests::kit::guest::inside::role(&called, &arguments) {
        return code;
    }
    sbc_tests::lab::run(&arguments)
}
