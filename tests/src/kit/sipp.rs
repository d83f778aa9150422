//! SIPp, a test tool of other people, in a namespace: a scenario comes in, how
//! many calls it says succeeded and failed goes out.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::net::Net;
use super::node::send;

/// How long one may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where each SIPp runs, and what of: namespaces, and a folder for what they write.
#[derive(Clone, Copy, Debug)]
pub struct Hall<'a> {
    pub net: &'a Net,
    pub folder: &'a Path,
}

/// One running SIPp.
#[derive(Debug)]
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
    ///
    /// # Errors
    /// That it cannot be started, or does not listen in time.
    pub fn answers(
        hall: Hall<'_>,
        place: &str,
        (at, tcp): (&str, bool),
        more: &[&str],
    ) -> Result<Self, String> {
        Self::answers_with(hall, place, (at, tcp), at, more)
    }

    /// The same behind a wire: `face` is how the node sees it.
    ///
    /// # Errors
    /// As above.
    pub fn answers_with(
        hall: Hall<'_>,
        place: &str,
        (at, tcp): (&str, bool),
        face: &str,
        more: &[&str],
    ) -> Result<Self, String> {
        let scenario = super::scenarios::callee(face, tcp);
        let sipp = Self::start(hall, place, "callee", &scenario, (at, tcp), more)?;
        let since = Instant::now();
        while !listens(sipp.child.id(), at, tcp) {
            if since.elapsed() > PATIENCE {
                return Err(format!("{} does not listen", sipp.name));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(sipp)
    }

    /// Starts one with a scenario of its own.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn start(
        hall: Hall<'_>,
        place: &str,
        name: &str,
        scenario: &str,
        (at, tcp): (&str, bool),
        more: &[&str],
    ) -> Result<Self, String> {
        let name = format!("{place}-{name}");
        let said = |why: std::io::Error| format!("{name}: {why}");
        let folder = hall.folder.join(&name);
        std::fs::create_dir_all(&folder).map_err(said)?;
        std::fs::write(folder.join("scenario.xml"), scenario).map_err(said)?;
        let (address, port) = at.rsplit_once(':').ok_or("no address and port")?;
        let out = std::fs::File::create(folder.join("screen")).map_err(said)?;
        let wire = if tcp { "t1" } else { "u1" };
        let mut command = hall.net.command(place, "sipp");
        command.args(["-sf", "scenario.xml", "-i", address, "-mi", address]);
        command.args(["-p", port, "-t", wire, "-nostdin", "-fd", "1"]);
        command.args(["-trace_stat", "-stf", "stat.csv", "-deadcall_wait", "0"]);
        command.args(["-trace_err", "-error_file", "errors", "-l", "5000"]);
        command.args(["-buff_size", "4000000"]);
        command.args(more).current_dir(&folder);
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null());
        let child = command.spawn().map_err(said)?;
        Ok(Self {
            name,
            child,
            folder,
        })
    }

    /// Waits until it has placed all its calls; returns how they went.
    ///
    /// # Errors
    /// That it was not done in time, with what it complained of.
    pub fn finish(&mut self, within: Duration) -> Result<Outcome, String> {
        let since = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if since.elapsed() > within {
                let (so_far, errors) = (self.so_far(), self.errors());
                return Err(format!("{} is not done: {so_far:?}\n{errors}", self.name));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self.so_far())
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
