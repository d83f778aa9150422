//! The port for programs: lines of JSON come in over a virtio serial port, and
//! answers of the node's own socket go out, so that whoever boots the image in
//! a machine of theirs needs to read no screen.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::{data, update, words};
use crate::jail;

/// The port's name, as the machine's owner gives it.
const NAME: &str = "org.sbc.api.0";
/// Where the node answers while it runs.
pub const API: &str = "/run/sbc/console/api";
/// Operations that are about the machine: they are answered without a node, too.
const MACHINE: [&str; 2] = ["image.", "factory."];
/// Octets of a line, at most, as on the node's socket.
const LINE_MAX: usize = 64 * 1024;
/// How often it is looked whether somebody listens, and whether the boot is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The node's socket, and whoever listens, have this long for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the device of the port, if this machine has it.
#[must_use]
pub fn device() -> Option<PathBuf> {
    let entries = fs::read_dir("/sys/class/virtio-ports").ok()?;
    let ours = |path: &Path| {
        fs::read_to_string(path.join("name")).is_ok_and(|name| name.trim_end() == NAME)
    };
    let found = entries.flatten().find(|entry| ours(&entry.path()))?;
    Some(Path::new("/dev").join(found.file_name()))
}

/// Serves whoever is at the far end, one after the other, in a jail that is entered
/// before an octet of theirs is read.
///
/// # Errors
/// When the port is gone, or the jail stays open.
pub fn run() -> anyhow::Result<()> {
    let device = device().context("there is none")?;
    let port = File::options()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(device)?;
    jail::enter_port()?;
    loop {
        if ready(&port, None, Duration::ZERO)?
            .0
            .contains(PollFlags::HUP)
        {
            std::thread::sleep(LOOK_EVERY);
            continue;
        }
        // Whoever went away in the middle of a line is followed by another.
        let _gone = Talk::new(&port).serve();
    }
}

/// One listener's time at the port.
struct Talk<'a> {
    port: &'a File,
    api: Option<UnixStream>,
    /// What came without the end of its line yet.
    begun: Vec<u8>,
    /// The last word on this boot that was passed on.
    told: String,
}

impl<'a> Talk<'a> {
    fn new(port: &'a File) -> Self {
        Self {
            port,
            api: None,
            begun: Vec::new(),
            told: String::new(),
        }
    }

    fn serve(mut self) -> io::Result<()> {
        self.say(hello(&super::version(), &state()).to_string().as_bytes())?;
        loop {
            self.tell()?;
            let (port, api) = ready(self.port, self.api.as_ref(), LOOK_EVERY)?;
            if port.contains(PollFlags::HUP) {
                return Ok(());
            }
            if port.contains(PollFlags::IN) {
                self.hear()?;
            }
            if api.intersects(PollFlags::IN | PollFlags::HUP) {
                self.pass_on()?;
            }
        }
    }

    /// Passes the last word on this boot on when it is a new one.
    fn tell(&mut self) -> io::Result<()> {
        let state = fs::read_to_string(words::STATE).unwrap_or_default();
        if state.is_empty() || state == self.told {
            return Ok(());
        }
        self.say(state.as_bytes())?;
        self.told = state;
        Ok(())
    }

    /// Takes what came in over the port, and asks the node each whole line.
    fn hear(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        let length = match self.port.read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            other => other?,
        };
        self.begun.extend(piece.iter().take(length));
        while let Some(end) = self.begun.iter().position(|octet| *octet == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            self.ask(&line)?;
        }
        if self.begun.len() > LINE_MAX {
            self.begun.clear();
            let told = refused(&[], "SBC-3004", "a line is over 64 KiB or has no end");
            self.say(told.to_string().as_bytes())?;
        }
        Ok(())
    }

    fn ask(&mut self, line: &[u8]) -> io::Result<()> {
        let asked: Value = serde_json::from_slice(line).unwrap_or_default();
        let operation = asked.get("op").and_then(Value::as_str).unwrap_or_default();
        if MACHINE.iter().any(|start| operation.starts_with(start)) {
            return self.ask_machine(line, &asked);
        }
        if self.api.is_none() {
            self.api = entered().ok();
        }
        let asked = self.api.as_mut().map(|api| api.write_all(line));
        if let Some(Ok(())) = asked {
            return Ok(());
        }
        self.api = None;
        let told = refused(line, "SBC-2106", "no node is running");
        self.say(told.to_string().as_bytes())
    }

    /// Asks whoever looks after the firmware. The node says whether the far end
    /// may, and writes it down; without a node, a machine nobody owns obeys.
    fn ask_machine(&mut self, line: &[u8], asked: &Value) -> io::Result<()> {
        if self.api.is_none() {
            self.api = entered().ok();
        }
        let operation = asked.get("op").cloned().unwrap_or_default();
        let noted = match &mut self.api {
            Some(api) => noted(api, self.port, &operation),
            None if data::is_claimed(Path::new(data::STATE)) => {
                Err(refused(&[], "SBC-2106", "no node is running"))
            }
            None => Ok(()),
        };
        if let Err(mut told) = noted {
            if let Some(told) = told.as_object_mut() {
                told.insert("id".into(), asked.get("id").cloned().unwrap_or_default());
            }
            return self.say(told.to_string().as_bytes());
        }
        let mut firmware = match UnixStream::connect(update::SOCKET) {
            Ok(firmware) => firmware,
            Err(error) => {
                let told = refused(line, "SBC-2106", &format!("nobody looks after it: {error}"));
                return self.say(told.to_string().as_bytes());
            }
        };
        firmware.set_read_timeout(Some(PATIENCE))?;
        firmware.write_all(line)?;
        let mut answers = BufReader::new(firmware);
        loop {
            let mut answer = String::new();
            let mut limited = (&mut answers).take(LINE_MAX as u64);
            if limited.read_line(&mut answer)? == 0 {
                let told = refused(line, "SBC-2106", "what looks after it ended; ask again");
                return self.say(told.to_string().as_bytes());
            }
            let read: Value = serde_json::from_str(&answer).unwrap_or_default();
            // Its own hello is none of the far end's.
            if read.get("hello").is_none() {
                self.say(answer.trim_end().as_bytes())?;
            }
            if read.get("id").is_some() {
                return Ok(());
            }
        }
    }

    /// Passes on what the node answers; its end is no end of ours.
    fn pass_on(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        let read = self.api.as_mut().map(|api| api.read(&mut piece));
        match read {
            Some(Ok(length)) if length > 0 => {
                put(self.port, piece.get(..length).unwrap_or_default())
            }
            _ => {
                self.api = None;
                Ok(())
            }
        }
    }

    fn say(&self, line: &[u8]) -> io::Result<()> {
        put(self.port, &[line, b"\n"].concat())
    }
}

/// Writes all, however slowly it is taken.
fn put(mut port: &File, mut octets: &[u8]) -> io::Result<()> {
    while !octets.is_empty() {
        match port.write(octets) {
            Ok(length) => octets = octets.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut one = [PollFd::new(port, PollFlags::OUT)];
                poll(&mut one, Some(&time(PATIENCE)))?;
                let [one] = one;
                if !one.revents().contains(PollFlags::OUT) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the node's socket with the rights the far end has: all of them as
/// long as nobody owns the node, none before a login afterwards.
fn entered() -> io::Result<UnixStream> {
    let args = json!({"line": "virtio", "free": true});
    let question = json!({"id": 0, "op": "session", "args": args});
    let mut api = UnixStream::connect(API)?;
    api.set_read_timeout(Some(PATIENCE))?;
    api.set_write_timeout(Some(PATIENCE))?;
    line_of(&api)?;
    api.write_all(format!("{question}\n").as_bytes())?;
    line_of(&api)?;
    Ok(api)
}

/// Reads one line; nothing is said behind it before it is asked for.
fn line_of(api: &UnixStream) -> io::Result<Value> {
    let mut line = Vec::new();
    let mut limited = BufReader::new(api).take(LINE_MAX as u64);
    limited.read_until(b'\n', &mut line)?;
    serde_json::from_slice(&line).map_err(io::Error::other)
}

/// Returns a number for a question of ours. The far end chooses numbers, too: one that
/// it cannot guess keeps it from having the answer to its question taken for ours.
fn number() -> io::Result<String> {
    let mut octets = [0_u8; 16];
    rustix::rand::getrandom(&mut octets, rustix::rand::GetRandomFlags::empty())?;
    let digits = octets.iter().map(|octet| format!("{octet:02x}"));
    Ok(digits.collect())
}

/// Lets the node write down what is asked of the machine; returns its refusal. What it
/// answers to earlier questions of the far end is passed on.
fn noted(api: &mut UnixStream, port: &File, operation: &Value) -> Result<(), Value> {
    let away = |error: io::Error| refused(&[], "SBC-2106", &format!("the node: {error}"));
    let ours = number().map_err(away)?;
    let question = json!({"id": ours, "op": "machine.note", "args": {"what": operation}});
    api.write_all(format!("{question}\n").as_bytes())
        .map_err(away)?;
    loop {
        // Octet by octet: what follows belongs to another question.
        let mut line = Vec::new();
        let mut one = [0];
        while line.len() < LINE_MAX && one != *b"\n" {
            api.read_exact(&mut one).map_err(away)?;
            line.extend(one);
        }
        let answer: Value = serde_json::from_slice(&line).unwrap_or_default();
        if answer.get("id").and_then(Value::as_str) == Some(ours.as_str()) {
            return match answer.get("ok") {
                Some(_) => Ok(()),
                None => Err(answer),
            };
        }
        put(port, &line).map_err(away)?;
    }
}

fn hello(version: &str, state: &str) -> Value {
    json!({"hello": {"api": 1, "version": version, "node": Value::Null, "state": state}})
}

/// Returns `booting`, `ready` or `failed`.
fn state() -> String {
    let text = fs::read_to_string(words::STATE).unwrap_or_default();
    let read: Value = serde_json::from_str(&text).unwrap_or_default();
    let event = read.get("event").and_then(Value::as_str);
    event.unwrap_or("booting").to_owned()
}

fn refused(line: &[u8], code: &str, message: &str) -> Value {
    let asked: Value = serde_json::from_slice(line).unwrap_or_default();
    let id = asked.get("id").cloned().unwrap_or_default();
    json!({"id": id, "error": {"code": code, "message": message}})
}

/// Waits for either of the two; returns what each is ready for.
fn ready(
    port: &File,
    api: Option<&UnixStream>,
    within: Duration,
) -> io::Result<(PollFlags, PollFlags)> {
    let mut all = vec![PollFd::new(port, PollFlags::IN)];
    all.extend(api.map(|api| PollFd::new(api, PollFlags::IN)));
    poll(&mut all, Some(&time(within)))?;
    let at = |at: usize| all.get(at).map_or(PollFlags::empty(), PollFd::revents);
    Ok((at(0), at(1)))
}

fn time(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(span.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_nobody_can_answer_keeps_its_number() {
        let told = refused(br#"{"id": 7, "op": "calls.list"}"#, "SBC-2106", "no node");
        assert_eq!(
            told,
            json!({"id": 7, "error": {"code": "SBC-2106", "message": "no node"}})
        );
        assert_eq!(refused(b"noise", "SBC-2106", "x")["id"], Value::Null);
    }

    #[test]
    fn no_answer_to_a_question_of_the_far_end_is_taken_for_the_nodes_word() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let path = std::env::temp_dir().join(format!("sbc-noted-{}", std::process::id()));
        let port = File::create(&path).unwrap();
        let node = std::thread::spawn(move || {
            let asked = line_of(&theirs).unwrap();
            // What the far end asked before under a name it chose.
            let earlier = json!({"id": "machine", "ok": {"version": "0.1.0"}});
            let refusal = json!({"id": asked["id"], "error": {"code": "SBC-3010"}});
            writeln!(&theirs, "{earlier}\n{refusal}").unwrap();
        });
        let told = noted(&mut ours, &port, &json!("factory.reset"));
        node.join().unwrap();
        assert_eq!(told.unwrap_err()["error"]["code"], "SBC-3010");
        let passed_on = fs::read_to_string(&path).unwrap();
        assert!(passed_on.contains("0.1.0") && !passed_on.contains("SBC-3010"));
        fs::remove_file(path).unwrap();
        assert_ne!(number().unwrap(), number().unwrap());
    }

    #[test]
    fn the_first_word_says_what_the_boot_has_come_to() {
        let hello = hello("0.1.0", "booting");
        assert_eq!(hello["hello"]["api"], 1);
        assert_eq!(hello["hello"]["state"], "booting");
    }
}
