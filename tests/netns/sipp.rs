//! SIPp, a test tool of other people, in a namespace: a scenario comes in, how
//! many calls it says succeeded and failed goes out.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::stage::{PATIENCE, Stage};
use sbc_tests::kit::node::send;

/// One running SIPp.
pub struct Sipp {
    name: String,
    child: Child,
    folder: PathBuf,
}

/// How its calls went so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    pub succeeded: u64,
    pub failed: u64,
}

impl Sipp {
    /// Starts one that answers calls at `at` (`udp` or `tcp`), with `more` words.
    pub fn answers(stage: &Stage, place: &str, (at, tcp): (&str, bool), more: &[&str]) -> Self {
        Self::answers_with(stage, place, (at, tcp), at, more)
    }

    /// The same behind a wire: `face` is how the node sees it.
    pub fn answers_with(
        stage: &Stage,
        place: &str,
        (at, tcp): (&str, bool),
        face: &str,
        more: &[&str],
    ) -> Self {
        let scenario = super::scenarios::callee(face, tcp);
        let sipp = Self::start(stage, place, "callee", &scenario, (at, tcp), more);
        let since = Instant::now();
        while !listens(sipp.child.id(), at, tcp) {
            assert!(since.elapsed() < PATIENCE, "{} does not listen", sipp.name);
            std::thread::sleep(Duration::from_millis(10));
        }
        sipp
    }

    /// Starts one with a scenario of its own.
    pub fn start(
        stage: &Stage,
        place: &str,
        name: &str,
        scenario: &str,
        (at, tcp): (&str, bool),
        more: &[&str],
    ) -> Self {
        let name = format!("{place}-{name}");
        let folder = stage.folder.join(&name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("scenario.xml"), scenario).expect("a scenario");
        let (address, port) = at.rsplit_once(':').expect("an address and a port");
        let out = std::fs::File::create(folder.join("screen")).expect("a file");
        let mut command = stage.net.command(place, "sipp");
        command.args([
            "-sf",
            "scenario.xml",
            "-i",
            address,
            "-mi",
            address,
            "-p",
            port,
        ]);
        command.args(["-t", if tcp { "t1" } else { "u1" }, "-nostdin", "-fd", "1"]);
        command.args(["-trace_stat", "-stf", "stat.csv", "-deadcall_wait", "0"]);
        command.args([
            "-trace_err",
            "-error_file",
            "errors",
            "-buff_size",
            "4000000",
        ]);
        command.args(["-l", "5000"]);
        command.args(more).current_dir(&folder);
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp");
        Self {
            name,
            child,
            folder,
        }
    }

    /// Waits until it has placed all its calls; returns how they went.
    pub fn finish(&mut self, within: Duration) -> Outcome {
        let since = Instant::now();
        while self.child.try_wait().expect("sipp").is_none() {
            assert!(
                since.elapsed() < within,
                "{} is not done: {:?}\n{}",
                self.name,
                self.so_far(),
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.so_far()
    }

    /// Returns how its calls went so far; what it says once a second.
    pub fn so_far(&self) -> Outcome {
        let text = std::fs::read_to_string(self.folder.join("stat.csv")).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            let at = names.iter().position(|each| *each == name)?;
            last.get(at)?.trim().parse().ok()
        };
        Outcome {
            succeeded: value("SuccessfulCall(C)").unwrap_or(0),
            failed: value("FailedCall(C)").unwrap_or(0),
        }
    }

    /// Returns the head of what it complained of.
    pub fn errors(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("errors")).unwrap_or_default();
        text.lines().take(60).collect::<Vec<_>>().join("\n")
    }

    /// Returns where it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        send("KILL", self.child.id());
        let _gone = self.child.wait();
    }
}

/// Returns whether the process listens at `at`, in its own namespace.
fn listens(pid: u32, at: &str, tcp: bool) -> bool {
    let table = if tcp { "tcp" } else { "udp" };
    let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let port: u16 = at
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let (port, state) = (format!(":{port:04X}"), if tcp { "0A" } else { "07" });
    text.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, _, found) = (words.next(), words.next(), words.next());
        local.is_some_and(|local| local.ends_with(&port)) && found == Some(state)
    })
}
