//! The commands that need no node: arguments come in, text and an exit status
//! go out. `sbc check FILE` says everything that is wrong with a
//! configuration, `sbc plan FILE` what its node does to the network, `sbc
//! schema` prints its JSON schema, `sbc explain CODE` what a code means.

mod plan;
mod secrets;

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use sbc_config::{Checked, Code, Severity, check_with, render, schema};

/// What `sbc check` takes, for whoever mistyped it.
const USAGE: &str = "\
usage: sbc check FILE [--offline] [--json] [--strict] [--secrets DIR]
       sbc schema [--markdown]
       sbc explain [SBC-nnnn | --markdown]

FILE may be - for standard input. --offline asks nothing but the file.
--secrets DIR looks names of secrets up in DIR, one file each.
Exit: 0 good, 1 errors, 2 warnings with --strict, 64 wrong usage.
";

/// Problems of the file.
const ERRORS: u8 = 1;
/// Warnings only, where they were asked to count.
const WARNINGS: u8 = 2;
/// BSD `sysexits`: the command was used wrongly.
const WRONG_USAGE: u8 = 64;

/// The names of these commands.
pub const COMMANDS: [&str; 4] = ["check", "explain", "plan", "schema"];

/// Takes the arguments behind the program's name, the command first; returns
/// the exit status.
pub fn run(args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check", rest @ ..] => Asked::of(rest).map_or_else(usage, |asked| check(&asked)),
        ["plan", rest @ ..] => plan::run(rest),
        ["schema"] => answer(&(schema::json_schema() + "\n"), 0),
        ["schema", "--markdown"] => answer(&schema::markdown(), 0),
        ["explain"] => answer(&register(), 0),
        ["explain", "--markdown"] => answer(&markdown(), 0),
        ["explain", code] => explain(code),
        _ => usage(),
    }
}

/// What `sbc check` was asked.
#[derive(Debug, Default)]
struct Asked<'a> {
    file: &'a str,
    offline: bool,
    json: bool,
    strict: bool,
    secrets: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(words: &[&'a str]) -> Option<Self> {
        let mut asked = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--offline" => asked.offline = true,
                "--json" => asked.json = true,
                "--strict" => asked.strict = true,
                "--secrets" => asked.secrets = Some(words.next()?),
                file if asked.file.is_empty() && (file == "-" || !file.starts_with('-')) => {
                    asked.file = file;
                }
                _ => return None,
            }
        }
        (!asked.file.is_empty()).then_some(asked)
    }
}

fn check(asked: &Asked<'_>) -> ExitCode {
    let text = match read(asked.file) {
        Ok(text) => text,
        Err(error) => return complain(&format!("cannot read {}: {error}", asked.file)),
    };
    let store = match asked
        .secrets
        .filter(|_| !asked.offline)
        .map(secrets::lengths)
        .transpose()
    {
        Ok(store) => store,
        Err(error) => return complain(&format!("cannot read the secret store: {error}")),
    };
    let Checked { problems, .. } = check_with(&text, store.as_ref());
    let told = if asked.json {
        render::json(asked.file, &text, &problems) + "\n"
    } else {
        render::text(asked.file, &text, &problems)
    };
    let errors = problems
        .iter()
        .any(|problem| problem.severity() == Severity::Error);
    let status = match (errors, problems.is_empty()) {
        (true, _) => ERRORS,
        (false, false) if asked.strict => WARNINGS,
        (false, _) => 0,
    };
    answer(&told, status)
}

/// Reads the file, and one octet more than any file may have: the check says
/// so in its own words.
fn read(file: &str) -> io::Result<String> {
    let most = sbc_config::MAX_FILE as u64 + 1;
    let mut octets = Vec::new();
    if file == "-" {
        io::stdin().lock().take(most).read_to_end(&mut octets)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut octets)?;
    }
    String::from_utf8(octets).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error
            .as_bytes()
            .iter()
            .take(at)
            .filter(|octet| **octet == b'\n')
            .count()
            + 1;
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("line {line} is not UTF-8"),
        )
    })
}

fn explain(text: &str) -> ExitCode {
    let Some(code) = Code::parse(text) else {
        return complain(&format!("there is no code {}", text.escape_debug()));
    };
    let severity = code.severity().word();
    answer(
        &format!(
            "{code}  {} ({severity})\n\n{}",
            code.title(),
            code.explanation()
        ),
        0,
    )
}

/// Returns every code with its title, one a line.
fn register() -> String {
    Code::all()
        .map(|code| format!("{code}  {:<7}  {}\n", code.severity().word(), code.title()))
        .collect()
}

/// Returns `docs/codes.md`: every code with all that `explain` says of it.
fn markdown() -> String {
    let mut out = String::from(
        "# Codes\n\nWritten by `sbc explain --markdown`; the register is its source. 0xxx and the like: the\nconfiguration. 1xxx: why a call ended. 2xxx: boot. 3xxx: console and API. A code is never used\nagain for anything else. At the console: `explain 1004`.\n",
    );
    for code in Code::all() {
        let severity = code.severity().word();
        out.push_str(&format!(
            "\n## {code}: {} ({severity})\n\n```\n{}```\n",
            code.title(),
            code.explanation()
        ));
    }
    out
}

fn usage() -> ExitCode {
    let _ = io::stderr().lock().write_all(USAGE.as_bytes());
    ExitCode::from(WRONG_USAGE)
}

fn complain(sentence: &str) -> ExitCode {
    let _ = writeln!(io::stderr().lock(), "sbc: {sentence}");
    ExitCode::from(ERRORS)
}

/// Prints `text`; whoever stopped reading it has seen enough.
fn answer(text: &str, status: u8) -> ExitCode {
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::from(status)
}
