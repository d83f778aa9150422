//! The repository comes in; format, lints, laws, tests and fuzz targets are run
//! over it, the guests beside the rest, and `N passed, N failed, N skipped` goes out
//! as the last line.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::report::{Report, progress};
use super::suites::{Progress, Suites};
use super::{CANNOT, again, need};
use crate::SKIPS_VARIABLE;
use crate::kit::programs;

/// The suites whose machines in QEMU compute for minutes, while the others wait for
/// most of their time: they run beside them, and give way to them.
const GUESTS: [&str; 3] = ["boot", "fence", "firmware"];
/// Who gives way so far gets a tenth of a processor that both want.
const GIVE_WAY: &str = "10";
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
    prepared(Command::new(program()), root, arguments)
}

fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn prepared(mut command: Command, root: &Path, arguments: &[&str]) -> Command {
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
    let result = checked(&mut cargo(root, &["fmt", "--all", "--check"]));
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
    let mut built = Suites::default();
    let build = cargo(root, &[&TEST[..], &["--no-run"]].concat());
    match follow(build, "tests", &mut built) {
        Ok(true) => {
            let mut lanes = run_lanes(root, &skips, built.names());
            again::ask(&mut lanes, |suite, test| alone(root, &skips, suite, test));
            lanes.into_iter().for_each(|suites| report.suites(suites));
        }
        Ok(false) => {
            built.end(false);
            report.suites(built);
        }
        Err(error) => report.step("tests", Instant::now(), Err(error.to_string())),
    }
    let reasons = std::fs::read_to_string(&skips).unwrap_or_default();
    let reasons = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("SKIPPED "));
    report.skip_passed(reasons.map(str::to_owned).collect());
    // It exists only when something was skipped.
    let _ = std::fs::remove_file(&skips);
}

const TEST: [&str; 4] = ["test", "--workspace", "--locked", "--no-fail-fast"];

/// Runs the suites of these names: those with guests, and beside them the others one
/// after another, then the examples. Returns what came of each lane.
fn run_lanes(root: &Path, skips: &Path, names: &[String]) -> Vec<Suites> {
    let guests = |name: &&String| GUESTS.contains(&name.as_str());
    let chosen = |names: Vec<&String>| {
        let words = names.into_iter().flat_map(|name| ["--test", name.as_str()]);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let units = ["--lib", "--bins", "--examples"].map(str::to_owned);
    let others = chosen(names.iter().filter(|name| !guests(name)).collect());
    let mut nice = Command::new("nice");
    nice.args(["-n", GIVE_WAY]).arg(program());
    let lane = |command| prepared(command, root, &TEST);
    let beside = chosen(names.iter().filter(guests).collect());
    let beside = Lane::new(lane(nice), skips, beside);
    let beside = std::thread::spawn(move || beside.run("guests"));
    let cargo = || Command::new(program());
    let main = Lane::new(lane(cargo()), skips, [&units[..], &others].concat()).run("tests");
    let examples = Lane::new(lane(cargo()), skips, vec!["--doc".to_owned()]).run("examples");
    let beside = beside.join().unwrap_or_else(|_panicked| {
        let mut suites = Suites::default();
        suites.fail_as_a_whole("guests: nobody knows what became of them");
        suites
    });
    vec![main, examples, beside]
}

/// Runs one test with nothing beside it. Returns whether it held.
fn alone(root: &Path, skips: &Path, suite: &str, test: &str) -> bool {
    progress("once more, alone", test, None);
    let command = prepared(Command::new(program()), root, &TEST);
    let chosen = ["--test", suite, "--", "--exact", test];
    let lane = Lane::new(command, skips, chosen.map(str::to_owned).to_vec());
    let Suites { passed, failed, .. } = lane.run(test);
    (passed, failed) == (1, 0)
}

/// Suites that run one after another.
struct Lane(Command);

impl Lane {
    fn new(mut command: Command, skips: &Path, chosen: Vec<String>) -> Self {
        command.args(chosen).env(SKIPS_VARIABLE, skips);
        let own = std::env::current_exe().ok();
        if let Some(folder) = own.as_deref().and_then(Path::parent) {
            command.env(programs::VARIABLE, folder);
        }
        Self(command)
    }

    fn run(self, name: &str) -> Suites {
        let mut suites = Suites::default();
        match follow(self.0, name, &mut suites) {
            Ok(succeeded) => suites.end(succeeded),
            Err(error) => suites.fail_as_a_whole(&format!("{name}: {error}")),
        }
        suites
    }
}

/// Runs `cargo test` and reads along, and returns whether it succeeded.
fn follow(mut command: Command, lane: &str, suites: &mut Suites) -> std::io::Result<bool> {
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
                progress(lane, &suites.at_work(crates), Some(started));
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
            if crates > 0 {
                progress("test build", &format!("{crates} crates"), Some(started));
            }
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

/// Returns the folder everything is built into.
fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
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
        let succeeded = follow(command, "tests", &mut suites).unwrap();
        suites.end(succeeded);
        assert_eq!((suites.passed, suites.failed), (0, 1));
    }
}
