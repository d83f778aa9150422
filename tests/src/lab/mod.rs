//! The name of an errand comes in, its exit status goes out.

mod again;
pub mod demo;
mod junit;
mod measure;
mod need;
mod report;
mod suites;
mod verify;

use std::process::ExitCode;

use crate::kit::guest::inside::AGENT;

/// What a wrong call, or a machine that lacks something, exits with.
const CANNOT: u8 = 2;

/// Takes the arguments after the program's name, runs the errand they name,
/// and returns 0 when all is well, 1 when something failed, 2 when it could
/// not begin.
pub fn run(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["verify"] => verify::run(),
        ["demo"] => demo::run(),
        ["phone", rest @ ..] => crate::kit::phone::run(rest),
        [AGENT] => match crate::kit::guest::inside::agent() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("guest: {error}");
                ExitCode::FAILURE
            }
        },
        ["flood", rest @ ..] => crate::kit::flood::run(rest),
        ["probe", rest @ ..] => crate::kit::probe::run(rest),
        ["knock", rest @ ..] => crate::kit::knock::run(rest),
        ["lossy", rest @ ..] => crate::kit::lossy::run(rest),
        ["spray", rest @ ..] => crate::kit::spray::run(rest),
        ["slam", rest @ ..] => crate::kit::slam::run(rest),
        ["measure", parts @ ..] => measure::run(parts),
        ["streams", rest @ ..] => measure::streams(rest),
        _ => {
            eprintln!("usage: cargo verify | cargo demo | cargo measure");
            ExitCode::from(CANNOT)
        }
    }
}
