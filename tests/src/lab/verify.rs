//! The repository comes in; format, lints, laws, tests and fuzz targets are
//! run over it, and `N passed, N failed, N skipped` goes out as the last line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::report::{Report, progress};
use super::suites::{Progress, Suites};
use super::{CANNOT, fuzz, need};
use crate::SKIPS_VARIABLE;

/// How long each fuzz target runs: long enough to replay its corpus and try
/// some ten thousand mutations, short enough to be part of every check.
const FUZZ_SECS: u32 = 5;
/// How long the build may be silent before a line says it is alive.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How much of a failed step's output is shown.
const SHOWN_LINES: usize = 120;

/// Runs every check, and returns 0 when all passed, 1 when one failed, 2 when
/// the machine lacks something.
pub fn run() -> ExitCode {
    let started = Instant::now();
    match need::provide() {
        Ok(said) => progress("prerequisites", &said, Some(started)),
        Err(line) => {
            progress("prerequisites", "missing", Some(started));
            println!("{line}");
            return ExitCode::from(CANNOT);
        }
    }
    let root = root();
    let mut report = Report::default();
    format(&root, &mut report);
    lint(&root, &mut report);
    test(&root, &mut report);
    fuzz_all(&root, &mut report);
    match write_junit(&root, &report) {
        Ok(path) => progress("all", &path, Some(started)),
        Err(error) => progress("all", &format!("no JUnit file: {error}"), Some(started)),
    }
    let mut out = std::io::stdout();
    let printed = out
        .write_all(report.closing().as_bytes())
        .and_then(|()| out.flush());
    ExitCode::from(u8::from(!report.is_good() || printed.is_err()))
}

/// Writes the JUnit file, and returns where it lies.
fn write_junit(root: &Path, report: &Report) -> std::io::Result<String> {
    let folder = target_folder(root);
    let path = folder.join("verify.xml");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&path, report.junit())?;
    Ok(path
        .strip_prefix(root)
        .unwrap_or(&path)
        .display()
        .to_string())
}

/// Returns the top folder of the repository: above this package's.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let above = package.and_then(|package| package.parent().map(Path::to_path_buf));
    above.unwrap_or_else(|| PathBuf::from("."))
}

/// Returns `cargo` as it runs us, with output a program can read.
fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(root)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "never")
        .stdin(Stdio::null());
    command
}

fn format(root: &Path, report: &mut Report) {
    let started = Instant::now();
    let mut result = checked(&mut cargo(root, &["fmt", "--all", "--check"]));
    if has_fuzz(root) {
        let fuzz = ["fmt", "--check", "--manifest-path", FUZZ_MANIFEST];
        result = result.and_then(|_| checked(&mut cargo(root, &fuzz)));
    }
    report.step("format", started, result.map(|_| "ok".into()));
}

fn lint(root: &Path, report: &mut Report) {
    let started = Instant::now();
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    let result = checked(&mut cargo(root, &clippy));
    report.step("clippy", started, result.map(|_| "ok".into()));
}

/// Runs a command to its end, and returns what it printed: all that went to
/// its standard output, or, when it failed, the end of everything.
fn checked(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let all = [output.stdout, output.stderr].concat();
    Err(last_lines(&String::from_utf8_lossy(&all)))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(SHOWN_LINES);
    lines.split_at(skipped).1.join("\n")
}

fn test(root: &Path, report: &mut Report) {
    let skips = std::env::temp_dir().join(format!("sbc-skips-{}", std::process::id()));
    let mut command = cargo(root, &["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env(SKIPS_VARIABLE, &skips);
    let mut suites = Suites::default();
    let started = Instant::now();
    match follow(command, &mut suites) {
        Ok(succeeded) => suites.end(succeeded),
        Err(error) => report.step("tests", started, Err(error.to_string())),
    }
    report.suites(suites);
    let reasons = std::fs::read_to_string(&skips).unwrap_or_default();
    let reasons = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("SKIPPED "));
    report.skip_passed(reasons.map(str::to_owned).collect());
    // It exists only when something was skipped.
    let _ = std::fs::remove_file(&skips);
}

/// Runs `cargo test` and reads along, and returns whether it succeeded.
fn follow(mut command: Command, suites: &mut Suites) -> std::io::Result<bool> {
    let (output, input) = std::io::pipe()?;
    let mut child = command.stdout(input.try_clone()?).stderr(input).spawn()?;
    // The command still holds the writing end; without this there is no end of file.
    drop(command);
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || read_lines(output, &sender));
    let mut crates = 0_usize;
    let mut started = Instant::now();
    loop {
        let line = match lines.recv_timeout(HEARTBEAT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                progress(
                    "tests",
                    &format!("at work, {crates} crates built"),
                    Some(started),
                );
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match suites.line(&line) {
            Progress::Crate => crates += 1,
            Progress::Suite { name, said } => {
                progress(&name, &said, Some(started));
                started = Instant::now();
            }
            Progress::Quiet => {}
        }
        if line.trim_start().starts_with("Finished ") {
            progress("test build", &format!("{crates} crates"), Some(started));
            started = Instant::now();
        }
    }
    // The reader has ended, or we would not be here.
    let _ = reader.join();
    Ok(child.wait()?.success())
}

/// Sends each line of what a child prints, until it has no more to say.
fn read_lines(output: impl Read, sender: &mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output
        .read_until(b'\n', &mut line)
        .is_ok_and(|length| length > 0)
    {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if sender.send(text).is_err() {
            return;
        }
        line.clear();
    }
}

const FUZZ_MANIFEST: &str = "tests/fuzz/Cargo.toml";

fn has_fuzz(root: &Path) -> bool {
    root.join(FUZZ_MANIFEST).exists()
}

/// Runs each fuzz target for a moment, from its corpus.
fn fuzz_all(root: &Path, report: &mut Report) {
    let manifest = std::fs::read_to_string(root.join(FUZZ_MANIFEST)).unwrap_or_default();
    let targets = fuzz::targets(&manifest);
    if targets.is_empty() {
        return;
    }
    let started = Instant::now();
    let build = [
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--bins",
        "--manifest-path",
        FUZZ_MANIFEST,
    ];
    let mut command = cargo(root, &build);
    if let Err(output) = checked(share_target(root, &mut command)) {
        return report.step("fuzz build", started, Err(output));
    }
    progress(
        "fuzz build",
        &format!("{} targets", targets.len()),
        Some(started),
    );
    for target in targets {
        let started = Instant::now();
        let result = fuzz_one(root, &target);
        report.step(&format!("fuzz {target}"), started, result);
    }
}

fn fuzz_one(root: &Path, target: &str) -> Result<String, String> {
    let seconds = FUZZ_SECS.to_string();
    let run = [
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--manifest-path",
        FUZZ_MANIFEST,
        "--bin",
        target,
    ];
    let mut command = cargo(root, &run);
    command.args(["--", "--seconds", &seconds]);
    let said = checked(share_target(root, &mut command))?;
    Ok(fuzz::runs(&said).unwrap_or_else(|| "ok".into()))
}

/// Returns the folder everything is built into.
fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Makes a package with a manifest of its own build into the common folder.
fn share_target<'a>(root: &Path, command: &'a mut Command) -> &'a mut Command {
    command.env("CARGO_TARGET_DIR", target_folder(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_shows_what_it_printed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        assert_eq!(checked(&mut command), Err("out\nerr".to_owned()));
    }

    #[test]
    fn lines_of_a_child_arrive_whole_even_the_last() {
        let (sender, lines) = mpsc::channel();
        read_lines(&b"a\r\nb\n\xffc"[..], &sender);
        drop(sender);
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["a", "b", "\u{fffd}c"]);
    }

    #[test]
    fn a_child_that_only_fails_is_a_failure() {
        let mut suites = Suites::default();
        let mut command = Command::new("sh");
        command.args(["-c", "echo nothing works >&2; exit 1"]);
        let succeeded = follow(command, &mut suites).unwrap();
        suites.end(succeeded);
        assert_eq!((suites.passed, suites.failed), (0, 1));
    }
}
