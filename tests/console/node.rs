//! A node on addresses of the loopback: a folder comes in, a running node goes
//! out. It listens for nobody but the console of its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sbc_tests::kit::programs::build;

use super::pty::Pty;

/// A configuration whose addresses are those of this machine, each test with a
/// network of its own so that none meets another.
const FILE: &str = include_str!("node.toml");

/// A running node.
pub struct Node {
    pub folder: PathBuf,
    child: Child,
}

/// Returns the file of a test's own network.
pub fn text(net: u8) -> String {
    FILE.replace("NET", &net.to_string())
}

/// Returns the program; the first to ask builds it if nobody has.
pub fn program() -> &'static Path {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT.get_or_init(|| build("sbc-core", "sbc").unwrap())
}

/// The addresses of the loopback are those of the whole machine: another run of
/// these tests has its turn first.
fn alone() {
    static TURN: std::sync::OnceLock<std::fs::File> = std::sync::OnceLock::new();
    TURN.get_or_init(|| {
        const WITHIN: Duration = Duration::from_secs(600);
        let path = std::env::temp_dir().join("sbc-console-tests.lock");
        let file = std::fs::File::create(path).unwrap();
        let since = Instant::now();
        while file.try_lock().is_err() {
            assert!(since.elapsed() < WITHIN, "another run has the addresses");
            std::thread::sleep(Duration::from_millis(200));
        }
        file
    });
}

impl Node {
    /// Starts a node of its own for the test of that name; `net` is the third
    /// octet of its addresses.
    pub fn start(name: &str, net: u8) -> Self {
        Self::with(name, &text(net))
    }

    /// Starts a node of its own with this file.
    pub fn with(name: &str, text: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("node.toml"), text).unwrap();
        Self::again(folder)
    }

    /// Starts a node over what an earlier one left in the folder.
    pub fn again(folder: PathBuf) -> Self {
        Self::again_with(folder, &[])
    }

    /// The same with variables of its environment.
    pub fn again_with(folder: PathBuf, variables: &[(&str, &Path)]) -> Self {
        alone();
        let log = std::fs::File::create(folder.join("node.log")).unwrap();
        let child = Command::new(program())
            .arg("run")
            .arg(folder.join("node.toml"))
            .arg("--api")
            .arg(folder.join("api.sock"))
            .arg("--cdr")
            .arg(folder.join("cdr.jsonl"))
            .arg("--state")
            .arg(folder.join("state"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let node = Self { folder, child };
        node.until(Duration::from_secs(60), |node| {
            ["signal", "relay", "console"]
                .iter()
                .all(|role| node.log().contains(&format!("ready role=\"{role}\"")))
        });
        node
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("node.log")).unwrap_or_default()
    }

    /// Waits until `holds`.
    pub fn until(&self, within: Duration, holds: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !holds(self) {
            assert!(
                since.elapsed() < within,
                "not within {within:?}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn cli(&self) -> Command {
        let mut command = Command::new(program());
        command
            .arg("cli")
            .arg("--api")
            .arg(self.folder.join("api.sock"));
        command
    }

    /// Asks one thing.
    pub fn asks(&self, line: &str) -> Output {
        self.cli()
            .args(["-c", line])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Returns what the node answers, or what it says against it.
    pub fn answer(&self, line: &str) -> String {
        let output = self.asks(line);
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap()
    }

    /// Feeds lines to a console without a terminal, and returns what it says.
    pub fn follows(&self, lines: &str) -> String {
        use std::io::Write;
        let mut child = self
            .cli()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(lines.as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// Says lines to one console without a terminal, each once the answer to the
    /// one before is there, and returns the talk.
    pub fn follows_each(&self, lines: &str) -> String {
        use std::io::{BufRead, BufReader, Write};
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" cli --api \"$1\" 2>&1"]);
        command.arg(program()).arg(self.folder.join("api.sock"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = String::new();
        for line in lines.lines() {
            // A line that is no command is answered, and so marks the end of the
            // answer before it.
            writeln!(input, "{line}\n~").unwrap();
            told.push_str(&format!("> {line}\n"));
            for said in output.by_ref().map_while(Result::ok) {
                if said.starts_with("unknown '~'") {
                    break;
                }
                told.push_str(&said);
                told.push('\n');
            }
        }
        drop(input);
        let _ended = child.wait();
        told
    }

    /// Says lines of JSON to the node's socket, and returns everything it says.
    pub fn asks_api(&self, asked: &[(&str, &str)]) -> String {
        use std::io::{BufRead, BufReader, Write};
        let stream = std::os::unix::net::UnixStream::connect(self.folder.join("api.sock")).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut said = lines.next().unwrap().unwrap();
        for (operation, arguments) in asked {
            let line = format!("{{\"id\":1,\"op\":\"{operation}\",\"args\":{arguments}}}\n");
            (&stream).write_all(line.as_bytes()).unwrap();
            said.push_str(&lines.next().unwrap().unwrap());
            said.push('\n');
        }
        said
    }

    /// Asks for one operation without arguments.
    pub fn ask_api(&self, operation: &str) -> String {
        self.asks_api(&[(operation, "{}")])
    }

    /// Makes the first limit of the file another one, kept only if it is
    /// confirmed within so many seconds.
    pub fn puts(&self, limit: u32, confirm: Option<u32>) -> String {
        let live = self.ask_api("config.live");
        let at = live.find("{\"id\"").unwrap();
        let value: serde_json::Value = serde_json::from_str(live[at..].trim()).unwrap();
        let revision = value["ok"]["revision"].as_u64().unwrap();
        let text = value["ok"]["toml"].as_str().unwrap();
        let key = "max-simultaneous-calls = ";
        let at = text.find(key).unwrap() + key.len();
        let end = at + text[at..].find('\n').unwrap();
        let toml = format!("{}{limit}{}", &text[..at], &text[end..]);
        let asked = serde_json::json!({"toml": toml, "base": revision, "confirm": confirm});
        self.asks_api(&[("config.put", &asked.to_string())])
    }

    /// Opens a login on a terminal, as a getty does.
    pub fn login(&self) -> Pty {
        let mut command = Command::new(program());
        command
            .arg("login")
            .arg("--api")
            .arg(self.folder.join("api.sock"));
        Pty::start(&command).unwrap()
    }

    /// Opens a console on a terminal.
    pub fn terminal(&self) -> Pty {
        Pty::start(&self.cli()).unwrap()
    }

    /// Returns the process of a role.
    pub fn pid_of(&self, role: &str) -> String {
        let log = self.log();
        let line = log
            .lines()
            .rev()
            .find(|line| line.contains(&format!("started role=\"{role}\"")));
        let pid = line
            .and_then(|line| line.rsplit("pid=").next())
            .unwrap_or_default();
        pid.trim().to_owned()
    }

    /// Returns the process of `init`.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Lets a role crash as a broken promise would.
    pub fn crashes(&self, role: &str) -> bool {
        let pid = self.pid_of(role);
        let status = Command::new("sh")
            .args(["-c", &format!("kill -ABRT {pid}")])
            .status();
        status.is_ok_and(|status| status.success())
    }

    /// Ends the node at once, as a power cut does.
    pub fn cut(mut self) -> PathBuf {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        self.folder.clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _gone = Command::new("sh")
            .args(["-c", &format!("kill -TERM {pid}")])
            .status();
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
