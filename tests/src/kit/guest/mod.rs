//! Guests of the lab: Debian's kernel in QEMU, with a root filesystem of our own
//! making in which the lab's program is process 1. What a test wants of a guest
//! it asks over a port; the guest has no network but the cables it is given.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! # use std::path::Path;
//! use sbc_tests::kit::guest::{Guest, Tools};
//! let lab = Path::new("target/debug/lab"); // a test says env!("CARGO_BIN_EXE_lab")
//! let Some(tools) = Tools::for_test("the_test_s_own_name", lab)? else {
//!     return Ok(()); // it was skipped, with a reason
//! };
//! let mut guest = Guest::plan(&tools, "node", Path::new("where/logs/go"))?.boot()?;
//! guest.load(&["8021q"])?;
//! guest.ok("ip link add link eth0 name eth0.20 type vlan id 20")?;
//! let _links = guest.ok("ip -j link")?;
//! # Ok(()) }
//! ```
//!
//! Programs of the host run in a guest as they are (its libraries are newer),
//! so a test hands over the node it built, or itself.

pub mod inside;
pub mod machine;
mod modules;
pub mod wire;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use machine::{Machine, Plan};
use wire::Frame;

use super::programs::{builder, errand};

/// How long a guest may take to its first word on a machine that has much to do.
const BOOT: Duration = Duration::from_secs(180);
/// How long an answer may take beyond the time a program was given.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a program runs when nothing else is said.
const PROGRAM: Duration = Duration::from_secs(60);
/// How long a guest lives when nothing else is said.
const LIFE: Duration = Duration::from_secs(900);

/// What guests are made with.
#[derive(Clone, Debug)]
pub struct Tools {
    builder: PathBuf,
    kernel: PathBuf,
    initrd: PathBuf,
    lab: PathBuf,
}

impl Tools {
    /// Builds the builder and the guests' root filesystem if they are not there.
    /// `lab` is the lab's own program. Returns nothing after having reported
    /// `test` as skipped, when the machine cannot have what is needed.
    ///
    /// # Errors
    /// When something is broken that should not be.
    pub fn for_test(test: &str, lab: &Path) -> Result<Option<Self>, String> {
        match Self::make(lab)? {
            Ok(tools) => Ok(Some(tools)),
            Err(reason) => {
                crate::skip(test, &reason);
                Ok(None)
            }
        }
    }

    /// The same; what the machine lacks comes as the inner error.
    ///
    /// # Errors
    /// When something is broken that should not be.
    pub fn make(lab: &Path) -> Result<Result<Self, String>, String> {
        let found = Command::new(machine::QEMU)
            .arg("--version")
            .stdin(Stdio::null())
            .output();
        if found.is_err() {
            return Ok(Err(format!("{} is not installed", machine::QEMU)));
        }
        let builder = builder()?;
        let text = match errand(&builder, &["lab"])? {
            Ok(text) => text,
            Err(lacking) => return Ok(Err(lacking)),
        };
        let path = |key: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            found
                .map(PathBuf::from)
                .ok_or(format!("the builder names no {key}"))
        };
        Ok(Ok(Self {
            kernel: path("kernel")?,
            initrd: path("initrd")?,
            lab: lab.to_owned(),
            builder,
        }))
    }

    /// Returns the program that builds images, for its other errands.
    #[must_use]
    pub fn builder(&self) -> &Path {
        &self.builder
    }
}

/// A guest to be.
#[derive(Debug)]
pub struct Planned {
    plan: Plan,
    name: String,
    folder: PathBuf,
    tools: Tools,
    files: Vec<(String, PathBuf)>,
    words: String,
    life: Duration,
}

impl Planned {
    /// Gives the guest the next network card, `eth0` first, with its cable in a
    /// socket of the switch. Returns its hardware address.
    pub fn card(&mut self, socket: &Path) -> [u8; 6] {
        self.plan.nic("virtio-net-pci", socket)
    }

    /// Lays a file of this machine, executable, into the guest's root.
    pub fn file(&mut self, path: &str, from: &Path) {
        self.files.push((path.to_owned(), from.to_owned()));
    }

    /// Adds words to the kernel's command line.
    pub fn kernel_words(&mut self, words: &str) {
        self.words = format!("{} {words}", self.words);
    }

    /// Gives the guest another time to live than a quarter of an hour.
    pub fn lives(&mut self, life: Duration) {
        self.life = life;
    }

    /// Boots the guest and waits for its first word.
    ///
    /// # Errors
    /// What the console wrote last.
    pub fn boot(mut self) -> Result<Guest, String> {
        let since = Instant::now();
        let initrd = self.initrd()?;
        let port = self.plan.port(inside::PORT);
        let words = format!(
            "console=ttyS0,115200 loglevel=4 panic=-1 rdinit=/init net.ifnames=0{}",
            self.words
        );
        self.plan
            .words(["-kernel".as_ref(), self.tools.kernel.as_os_str()]);
        self.plan.words(["-initrd".as_ref(), initrd.as_os_str()]);
        self.plan.words(["-append", &words]);
        let machine = self.plan.start(self.life)?;
        let port = machine::connect(&port)?;
        let say = |error: std::io::Error| error.to_string();
        port.set_read_timeout(Some(BOOT)).map_err(say)?;
        let mut guest = Guest {
            machine,
            port,
            name: self.name,
            kernel: String::new(),
            took: Duration::ZERO,
        };
        let ready = guest.answer()?;
        if ready.kind != wire::READY {
            return Err(format!("{}: its first word is {ready:?}", guest.name));
        }
        guest.kernel = ready.text(0);
        guest.took = since.elapsed();
        Ok(guest)
    }

    /// Puts a second archive behind the common one.
    fn initrd(&self) -> Result<PathBuf, String> {
        let whole = self.folder.join(format!("{}.initrd", self.name));
        let more = whole.with_extension("cpio");
        let mut command = Command::new(&self.tools.builder);
        command.arg("cpio").arg(&more);
        command.arg(format!("init={}", self.tools.lab.display()));
        for (path, from) in &self.files {
            command.arg(format!("{path}={}", from.display()));
        }
        let output = command.stdin(Stdio::null()).output();
        let output = output.map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let say = |error: std::io::Error| format!("{}: {error}", whole.display());
        std::fs::copy(&self.tools.initrd, &whole).map_err(say)?;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&whole)
            .map_err(say)?;
        let mut more_file = std::fs::File::open(&more).map_err(say)?;
        std::io::copy(&mut more_file, &mut file).map_err(say)?;
        std::fs::remove_file(&more).map_err(say)?;
        Ok(whole)
    }
}

/// A guest that was booted. Dropping it ends it.
#[derive(Debug)]
pub struct Guest {
    machine: Machine,
    port: UnixStream,
    name: String,
    kernel: String,
    took: Duration,
}

/// How a program in a guest ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// The exit status in digits, `signal N`, or `late` when it was ended.
    pub how: String,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Ended {
    /// Returns whether the program ended well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.how == "0"
    }
}

impl Guest {
    /// Plans a guest of 512 MB; logs go to `folder`, named after `name`.
    ///
    /// # Errors
    /// When QEMU is not there.
    pub fn plan(tools: &Tools, name: &str, folder: &Path) -> Result<Planned, String> {
        Ok(Planned {
            plan: Plan::new(name, folder, 512)?,
            name: name.to_owned(),
            folder: folder.to_owned(),
            tools: tools.clone(),
            files: Vec::new(),
            words: String::new(),
            life: LIFE,
        })
    }

    /// Returns the machine: its console, its monitor, its power.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Returns the kernel's version.
    #[must_use]
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Returns how long it took from power-on to the first word.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// Loads modules by name, with what they depend on.
    ///
    /// # Errors
    /// When there is none of a name or the kernel refuses it.
    pub fn load(&mut self, names: &[&str]) -> Result<(), String> {
        self.ask(&Frame::new(wire::LOAD, names)).map(drop)
    }

    /// Runs a program to its end, for a minute at most.
    ///
    /// # Errors
    /// When it cannot be started, or the guest is gone.
    pub fn run(&mut self, words: &[&str]) -> Result<Ended, String> {
        self.run_for(PROGRAM, "", words)
    }

    /// Runs a program that reads `input` to its end, for `limit` at most.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn run_for(
        &mut self,
        limit: Duration,
        input: &str,
        words: &[&str],
    ) -> Result<Ended, String> {
        let millis = limit.as_millis().to_string();
        let fields = [millis.as_str(), input]
            .into_iter()
            .chain(words.iter().copied());
        self.listen_for(limit + ANSWER)?;
        let done = self.ask(&Frame::new(wire::RUN, fields));
        self.listen_for(ANSWER)?;
        let done = done?;
        Ok(Ended {
            how: done.text(0),
            output: done.text(1),
            errors: done.text(2),
        })
    }

    /// Runs a line of words parted by spaces (no shell); returns what it wrote.
    ///
    /// # Errors
    /// When it did not end well, with all it said.
    pub fn ok(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ended = self.run(&words)?;
        self.well(line, ended)
    }

    /// Runs a script with the lab's shell; returns what it wrote.
    ///
    /// # Errors
    /// As [`Guest::ok`].
    pub fn shell(&mut self, script: &str) -> Result<String, String> {
        let ended = self.run(&["sh", "-ec", script])?;
        self.well(script, ended)
    }

    fn well(&self, what: &str, ended: Ended) -> Result<String, String> {
        if ended.is_well() {
            return Ok(ended.output);
        }
        Err(format!(
            "{}: {what}: {}\n{}{}",
            self.name, ended.how, ended.output, ended.errors
        ))
    }

    /// Starts a program that goes on; its words go to `/var/log/LOG`. Returns its
    /// pid.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&mut self, log: &str, words: &[&str]) -> Result<u32, String> {
        let fields = [log].into_iter().chain(words.iter().copied());
        let done = self.ask(&Frame::new(wire::SPAWN, fields))?;
        u32::try_from(done.number(0)).map_err(|error| error.to_string())
    }

    /// Waits for a started program; returns how it ended, or nothing when it did
    /// not within `limit`.
    ///
    /// # Errors
    /// When it was not started here.
    pub fn wait(&mut self, pid: u32, limit: Duration) -> Result<Option<String>, String> {
        let fields = [pid.to_string(), limit.as_millis().to_string()];
        self.listen_for(limit + ANSWER)?;
        let done = self.ask(&Frame::new(wire::WAIT, fields));
        self.listen_for(ANSWER)?;
        let done = done?;
        Ok(done.fields.first().map(|_| done.text(0)))
    }

    /// Sends a signal to one process.
    ///
    /// # Errors
    /// When there is none.
    pub fn signal(&mut self, pid: u32, number: u8) -> Result<(), String> {
        let fields = [pid.to_string(), number.to_string()];
        self.ask(&Frame::new(wire::SIGNAL, fields)).map(drop)
    }

    /// Writes a file, with folders above it.
    ///
    /// # Errors
    /// What the guest said.
    pub fn put(&mut self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) -> Result<(), String> {
        let mode = format!("{mode:o}");
        let fields = [path.as_bytes(), mode.as_bytes(), bytes.as_ref()];
        self.ask(&Frame::new(wire::PUT, fields)).map(drop)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What the guest said.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, String> {
        let done = self.ask(&Frame::new(wire::GET, [path]))?;
        Ok(done.fields.into_iter().next().unwrap_or_default())
    }

    /// Runs a line again and again until what it wrote satisfies `holds`.
    ///
    /// # Errors
    /// What it wrote last, when that is not within `within`.
    pub fn until(
        &mut self,
        within: Duration,
        line: &str,
        holds: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        let since = Instant::now();
        let words: Vec<&str> = line.split_whitespace().collect();
        loop {
            let ended = self.run(&words)?;
            if ended.is_well() && holds(&ended.output) {
                return Ok(ended.output);
            }
            if since.elapsed() > within {
                return Err(format!(
                    "{}: {line}: not within {within:?}: {ended:?}",
                    self.name
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn listen_for(&self, limit: Duration) -> Result<(), String> {
        let set = self.port.set_read_timeout(Some(limit));
        set.map_err(|error| error.to_string())
    }

    fn ask(&mut self, request: &Frame) -> Result<Frame, String> {
        let written = request.write(&mut self.port);
        written.map_err(|error| self.gone(&error))?;
        let answer = self.answer()?;
        if answer.kind == wire::DONE {
            return Ok(answer);
        }
        Err(format!("{}: {}", self.name, answer.text(0)))
    }

    fn answer(&mut self) -> Result<Frame, String> {
        Frame::read(&mut self.port).map_err(|error| self.gone(&error))
    }

    fn gone(&self, error: &std::io::Error) -> String {
        let console = self.machine.console();
        let lines: Vec<&str> = console.lines().rev().take(20).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        let name = &self.name;
        format!(
            "{name} does not answer: {error}\nits console:\n{}",
            last.join("\n")
        )
    }
}
