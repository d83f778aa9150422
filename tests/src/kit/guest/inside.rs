//! The lab's program as process 1 of a guest: it mounts, loads modules for the
//! devices it finds, and does what it is asked over a virtio port. Under the
//! name `modprobe` it answers the kernel.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::modules::Table;
use super::wire::{self, Frame};
use crate::kit::sys;

/// The name of the port requests come over.
pub const PORT: &str = "sbc.lab";
const PATH: &str = "/usr/sbin:/usr/bin:/usr/lib/ipsec";
/// How the second process of a guest is started.
pub const AGENT: &str = "guest-agent";

/// Returns what this program is to do inside a guest, if it is inside one.
#[must_use]
pub fn role(called: &str, words: &[String]) -> Option<ExitCode> {
    if called.ends_with("/modprobe") {
        return Some(modprobe(words));
    }
    if std::process::id() != 1 {
        return None;
    }
    if let Err(error) = init() {
        eprintln!("guest: {error}");
    }
    sys::restart();
    Some(ExitCode::FAILURE)
}

fn init() -> Result<(), String> {
    for (kind, target) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
        ("tmpfs", "/tmp"),
    ] {
        sys::mount_kind(kind, target).map_err(|error| format!("{target}: {error}"))?;
    }
    symlink("/init", "/usr/sbin/modprobe").map_err(|error| format!("modprobe: {error}"))?;
    let mut agent = Command::new("/init");
    agent.arg(AGENT).env_clear().env("PATH", PATH);
    let agent = agent.spawn().map_err(|error| error.to_string())?;
    // Everybody's children end here; the guest ends with the agent.
    while Path::new(&format!("/proc/{}/exe", agent.id())).exists() {
        if !sys::reap() {
            break;
        }
    }
    Err("the agent ended".into())
}

fn modprobe(words: &[String]) -> ExitCode {
    let Some(wanted) = words.iter().rfind(|word| !word.starts_with('-')) else {
        return ExitCode::FAILURE;
    };
    let loaded = Table::read().and_then(|table| table.load(wanted));
    ExitCode::from(u8::from(loaded.is_err()))
}

/// Does what is asked until the port closes.
///
/// # Errors
/// What went wrong before anything could be asked.
pub fn agent() -> Result<(), String> {
    let table = Table::read()?;
    for alias in aliases_of("/sys/bus/virtio/devices") {
        // A device nobody has a module for is not used.
        let _unused = table.load(&alias);
    }
    let mut port = open_port()?;
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime = uptime.split(' ').next().unwrap_or_default();
    Frame::new(wire::READY, [version.trim(), uptime])
        .write(&mut port)
        .map_err(|error| error.to_string())?;
    let mut agent = Agent {
        table,
        children: BTreeMap::new(),
    };
    loop {
        let request = Frame::read(&mut Patient(&port)).map_err(|error| error.to_string())?;
        let answer = match agent.answer(&request) {
            Ok(fields) => Frame::new(wire::DONE, fields),
            Err(error) => Frame::new(wire::FAILED, [error]),
        };
        answer.write(&mut port).map_err(|error| error.to_string())?;
    }
}

fn aliases_of(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let aliases =
        entries.filter_map(|entry| fs::read_to_string(entry.path().join("modalias")).ok());
    aliases.map(|alias| alias.trim().to_owned()).collect()
}

/// Opens the port by its name; the kernel may still be making it.
fn open_port() -> Result<File, String> {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let ports = fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten();
        for port in ports.flatten() {
            let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
            let device = Path::new("/dev").join(port.file_name());
            if name.trim() == PORT {
                let opened = OpenOptions::new().read(true).write(true).open(&device);
                return opened.map_err(|error| format!("{}: {error}", device.display()));
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("no port is called {PORT}"))
}

/// A port reads as ended while nobody holds its far end: the reader waits.
struct Patient<'a>(&'a File);

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match self.0.read(buffer)? {
                0 if !buffer.is_empty() => std::thread::sleep(Duration::from_millis(10)),
                count => return Ok(count),
            }
        }
    }
}

struct Agent {
    table: Table,
    children: BTreeMap<u64, Child>,
}

impl Agent {
    fn answer(&mut self, request: &Frame) -> Result<Vec<Vec<u8>>, String> {
        let say = |error: std::io::Error| format!("{}: {error}", request.text(0));
        let none = Vec::new();
        match request.kind {
            wire::RUN => run(request),
            wire::SPAWN => self.spawn(request),
            wire::WAIT => self.wait(request),
            wire::SIGNAL => {
                let pid = u32::try_from(request.number(0)).unwrap_or_default();
                let number = i32::try_from(request.number(1)).unwrap_or_default();
                sys::signal(pid, number).map_err(say).map(|()| none)
            }
            wire::PUT => put(request).map_err(say).map(|()| none),
            wire::GET => fs::read(request.text(0))
                .map_err(say)
                .map(|bytes| vec![bytes]),
            wire::LOAD => {
                for place in 0..request.fields.len() {
                    self.table.load(&request.text(place))?;
                }
                Ok(none)
            }
            wire::END => {
                sys::restart();
                Ok(none)
            }
            other => Err(format!("no request is of kind {other}")),
        }
    }

    fn spawn(&mut self, request: &Frame) -> Result<Vec<Vec<u8>>, String> {
        let path = Path::new("/var/log").join(request.text(0));
        let log = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = command(request, 1)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = child.map_err(|error| format!("{}: {error}", request.text(1)))?;
        let pid = u64::from(child.id());
        self.children.insert(pid, child);
        Ok(vec![pid.to_string().into_bytes()])
    }

    fn wait(&mut self, request: &Frame) -> Result<Vec<Vec<u8>>, String> {
        let pid = request.number(0);
        let child = self.children.get_mut(&pid).ok_or("no such child")?;
        let ended = wait(child, request.number(1)).map_err(|error| error.to_string())?;
        let Some(ended) = ended else {
            return Ok(Vec::new());
        };
        self.children.remove(&pid);
        Ok(vec![how(ended).into_bytes()])
    }
}

fn command(request: &Frame, from: usize) -> Result<Command, String> {
    let words: Vec<String> = (from..request.fields.len())
        .map(|place| request.text(place))
        .collect();
    let (program, words) = words.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    command.args(words);
    Ok(command)
}

fn run(request: &Frame) -> Result<Vec<Vec<u8>>, String> {
    let mut child = command(request, 2)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", request.text(2)))?;
    let output = child.stdout.take().map(gather);
    let errors = child.stderr.take().map(gather);
    if let (Some(mut input), Some(bytes)) = (child.stdin.take(), request.fields.get(1)) {
        // A program that does not read its input may be right.
        let _unread = input.write_all(bytes);
    }
    let ended = wait(&mut child, request.number(0)).map_err(|error| error.to_string())?;
    let how = match ended {
        Some(status) => how(status),
        None => {
            let _gone = child.kill();
            let _gone = child.wait();
            "late".into()
        }
    };
    let text = |reader: Option<Gatherer>| reader.and_then(|it| it.join().ok()).unwrap_or_default();
    Ok(vec![how.into_bytes(), text(output), text(errors)])
}

type Gatherer = std::thread::JoinHandle<Vec<u8>>;

fn gather(mut from: impl Read + Send + 'static) -> Gatherer {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _cut = from.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, millis: u64) -> std::io::Result<Option<ExitStatus>> {
    let until = Instant::now() + Duration::from_millis(millis);
    loop {
        match child.try_wait()? {
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            ended => return Ok(ended),
        }
    }
}

/// Returns an exit status in digits, or the signal's number behind a word.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".into(),
    }
}

fn put(request: &Frame) -> std::io::Result<()> {
    let path = request.text(0);
    if let Some(folder) = Path::new(&path).parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = u32::from_str_radix(&request.text(1), 8).unwrap_or(0o644);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let bytes = request.fields.get(2).map(Vec::as_slice);
    options.open(path)?.write_all(bytes.unwrap_or_default())
}
