//! The node in its namespace: started with a file, asked through its API, ended
//! by its pid.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::net::Net;

/// A running node.
#[derive(Debug)]
pub struct Node {
    binary: PathBuf,
    folder: PathBuf,
    child: Child,
}

impl Node {
    /// Starts `binary` with the configuration `text`; everything it writes goes
    /// to `folder`. Returns when all of its roles are ready.
    ///
    /// # Errors
    /// What it said instead.
    pub fn start(net: &Net, binary: &Path, folder: &Path, text: &str) -> Result<Self, String> {
        Self::start_with(net, binary, folder, text, (&[], &[]))
    }

    /// The same with variables of its environment, as `NAME=VALUE`, and more words
    /// for `sbc run`.
    ///
    /// # Errors
    /// What it said instead.
    pub fn start_with(
        net: &Net,
        binary: &Path,
        folder: &Path,
        text: &str,
        (variables, words): (&[&str], &[&str]),
    ) -> Result<Self, String> {
        let say = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(folder).map_err(say)?;
        let file = folder.join("node.toml");
        std::fs::write(&file, text).map_err(say)?;
        let log = std::fs::File::create(folder.join("node.log")).map_err(say)?;
        let program = binary.to_str().ok_or("a path that is no text")?;
        let mut command = net.command("node", "env");
        command.args(variables).arg(program);
        command.arg("run").arg(&file);
        command.arg("--api").arg(folder.join("api.sock"));
        command.arg("--cdr").arg(folder.join("cdr.jsonl"));
        command.arg("--ladders").arg(folder).args(words);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(say)?;
        let node = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            child,
        };
        node.until(Duration::from_secs(10), |node| {
            let log = node.log();
            let ready = ["signal", "relay", "console"];
            ready
                .iter()
                .all(|role| log.contains(&format!("ready role=\"{role}\"")))
        })
        .map_err(|_| format!("the node did not start:\n{}", node.log()))?;
        Ok(node)
    }

    /// Waits until `holds`, and returns how long it took.
    ///
    /// # Errors
    /// When it does not within `within`.
    pub fn until(
        &self,
        within: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Duration, String> {
        let since = Instant::now();
        loop {
            if holds(self) {
                return Ok(since.elapsed());
            }
            if since.elapsed() > within {
                return Err(format!("not within {within:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("node.log")).unwrap_or_default()
    }

    /// Returns the records so far, a line each.
    #[must_use]
    pub fn records(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("cdr.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns what the command line answers to `command`.
    #[must_use]
    pub fn ask(&self, command: &str) -> String {
        let output = Command::new(&self.binary)
            .arg("cli")
            .arg("--api")
            .arg(self.folder.join("api.sock"))
            .args(["-c", command])
            .stdin(Stdio::null())
            .output();
        output.map_or_else(
            |error| error.to_string(),
            |output| {
                let text = if output.status.success() {
                    output.stdout
                } else {
                    output.stderr
                };
                String::from_utf8_lossy(&text).into_owned()
            },
        )
    }

    /// Returns the pid of the latest process of `role`, as the log names it.
    #[must_use]
    pub fn pid(&self, role: &str) -> Option<u32> {
        let log = self.log();
        let started = format!("started role=\"{role}\" pid=");
        let line = log.lines().rfind(|line| line.contains(&started))?;
        line.rsplit("pid=").next()?.trim().parse().ok()
    }

    /// Ends the latest process of `role` as the kernel would: without a word.
    /// Returns its pid.
    #[must_use]
    pub fn kill(&self, role: &str) -> Option<u32> {
        let pid = self.pid(role)?;
        send("KILL", pid).then_some(pid)
    }

    /// Returns the supervisor's pid.
    #[must_use]
    pub fn supervisor(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // `ip netns exec` becomes the program, so this is the supervisor's own pid.
        send("TERM", self.child.id());
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Asks one process to end in order.
pub fn terminate(pid: u32) {
    send("TERM", pid);
}

/// Sends a signal to one process. The shell's own `kill` is on every machine, the
/// program of that name is not. Returns whether it went.
pub fn send(signal: &str, pid: u32) -> bool {
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{signal} {pid}"))
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
