//! The node and the console login as children of the first process: they are
//! started, watched, reaped and started again; signals come in, the way the
//! machine is to end goes out.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::super::{ALIVE, READY, UNREADY, whole};
use super::data::{self, Configuration};
use super::line::Line;
use super::watchdog::{Health, Watchdog};
use super::{Machine, port, seal, words};
use crate::ipc::Ending;
use crate::jail;
use crate::jail::ceilings::Ends;

/// The login and the seal wait for the node this long: what starts beside it on one
/// slow processor makes it late.
const NODE_FIRST: Duration = Duration::from_secs(8);
/// A node that was asked to stop has this long.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// A child that ended is started again after this pause.
const PAUSE: Duration = Duration::from_secs(1);
/// The node is given up, its fence closed, after so many ends without READY.
const ENDS_MAX: u32 = 5;
const FEED_EVERY: Duration = Duration::from_secs(5);
const PROGRAM: &str = "/usr/sbin/sbc";
/// Where the configuration lies that the node begins with.
const RUNNING: &str = "/run/sbc/config.toml";
/// The line at which people log in.
const LINE: &str = "/dev/ttyS0";
/// Who lets people and programs in, in words.
const DOORS: [&str; 3] = [
    "the console login",
    "the port for programs",
    "who looks after the firmware",
];

/// How the node is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// With the network in its hand and its configuration in force.
    Whole,
    /// With no configuration in force: with the one it has it ends again and again.
    Closed,
    /// Without the network: no rules stand there.
    Apart,
}

/// A filter of system calls ended it.
const FORBIDDEN: &str = "was ended by SIGSYS: it called what its jail does not allow";
/// It is said of a door so often: one that never comes up leaves the line readable.
const TOLD_MAX: u32 = 5;

struct Keeper {
    machine: Machine,
    /// Given from outside; the node takes it up as a revision.
    given: Option<Configuration>,
    manner: Manner,
    node: Option<Child>,
    login: Option<Child>,
    /// The line as the first login finds it.
    line: Option<Line>,
    port: Option<Child>,
    firmware: Option<Child>,
    /// Of each door, whether its jail was read back from the kernel.
    shown: [bool; DOORS.len()],
    /// Of each door, how often its jail ended it.
    ended: [u32; DOORS.len()],
    watchdog: Option<Watchdog>,
    /// When the node was started, or said something last.
    heard: Instant,
    ends: u32,
    /// People may come in, and the kernel is being sealed.
    is_open: bool,
    /// Why the kernel could not be sealed.
    unsealed: mpsc::Sender<io::Error>,
    /// Of each child, how often it was ended at its ceiling.
    ceilings: [Ends; 4],
    /// Why the network could not be made when it was tried last.
    unready: String,
    /// Lines of the node: it says when all its roles are ready.
    said: mpsc::Sender<String>,
}

/// Watches until the node asks for an end, or a signal: SIGINT restarts, SIGUSR2
/// powers off.
pub fn watch(machine: Machine, given: Option<Configuration>, manner: Manner) -> Ending {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime
            .block_on(keep(machine, given, manner))
            .unwrap_or(Ending::Restart),
        Err(_) => Ending::Restart,
    }
}

async fn keep(
    machine: Machine,
    given: Option<Configuration>,
    manner: Manner,
) -> io::Result<Ending> {
    let (said, mut lines) = mpsc::channel(16);
    let (unsealed, mut seal) = mpsc::channel(1);
    let mut keeper = Keeper {
        machine,
        given,
        manner,
        node: None,
        login: None,
        line: Line::keep(Path::new(LINE)),
        port: None,
        firmware: None,
        shown: [false; DOORS.len()],
        ended: [0; DOORS.len()],
        watchdog: Watchdog::start(),
        heard: Instant::now(),
        ends: 0,
        is_open: false,
        unsealed,
        unready: String::new(),
        ceilings: ["node", "login", "port", "firmware"].map(Ends::of),
        said,
    };
    // Ctrl-Alt-Del asks us instead of the kernel.
    let _stays = rustix::system::reboot(rustix::system::RebootCommand::CadOff);
    let mut ended = signal(SignalKind::child())?;
    let mut restart = signal(SignalKind::interrupt())?;
    let mut off = signal(SignalKind::user_defined2())?;
    let mut feed = tokio::time::interval(FEED_EVERY);
    if manner != Manner::Whole {
        keeper.open();
    }
    keeper.start_doors();
    keeper.start_node();
    let opens = tokio::time::sleep(NODE_FIRST);
    tokio::pin!(opens);
    loop {
        tokio::select! {
            _ = restart.recv() => return Ok(Ending::Restart),
            _ = off.recv() => return Ok(Ending::PowerOff),
            _ = ended.recv() => {
                if keeper.reap() {
                    tokio::time::sleep(PAUSE).await;
                    keeper.start_doors();
                    keeper.start_node();
                }
            }
            Some(line) = lines.recv() => {
                if let Some(ending) = keeper.hear(&line) {
                    return Ok(ending);
                }
            }
            _ = feed.tick() => {
                keeper.feed();
                keeper.look_at_jails();
            }
            () = &mut opens, if !keeper.is_open => keeper.open(),
            Some(error) = seal.recv() => {
                if keeper.stays_open(&error) {
                    return Ok(Ending::Restart);
                }
            }
        }
    }
}

impl Keeper {
    /// Lets people in, and has the kernel sealed.
    fn open(&mut self) {
        if std::mem::replace(&mut self.is_open, true) {
            return;
        }
        self.start_doors();
        let unsealed = self.unsealed.clone();
        std::thread::spawn(move || {
            if let Err(error) = seal::close() {
                let _gone = unsealed.blocking_send(error);
            }
        });
    }

    /// The kernel takes modules for ever: no configuration is in force any more.
    /// Returns whether the other slot is next.
    fn stays_open(&mut self, error: &io::Error) -> bool {
        let why = error.to_string();
        self.machine.failed("seal", "SBC-2107", &why);
        if super::gives_up(self.machine.slot, &why) {
            return true;
        }
        if self.manner == Manner::Whole {
            self.manner = Manner::Closed;
            if let Some(node) = &mut self.node {
                let _gone_already = node.kill();
            }
        }
        false
    }

    /// Starts the port for programs, if there is one: it tells how the boot goes. The
    /// login for people waits until it is open.
    fn start_doors(&mut self) {
        let [login, port, firmware] = DOORS;
        if self.port.is_none() && port::device().is_some() {
            let started = Command::new(PROGRAM).args(["role", "port"]).spawn();
            self.port = told(port, started);
        }
        if !self.is_open {
            return;
        }
        if self.login.is_none() {
            // A machine without a serial port says so at each start.
            let _no_line = jail::give_to_logins(Path::new(LINE));
            if let Some(line) = &self.line {
                line.put_back();
            }
            let started = Command::new(PROGRAM)
                .args(["login", "--tty", LINE, "--api", port::API])
                .env(jail::USERS, "each")
                .spawn();
            self.login = told(login, started);
            words::share();
        }
        if self.firmware.is_none() {
            let started = Command::new(PROGRAM).args(["role", "firmware"]).spawn();
            self.firmware = told(firmware, started);
        }
    }

    fn start_node(&mut self) {
        if self.node.is_some() || self.ends >= ENDS_MAX {
            return;
        }
        let given = self.given.as_ref().filter(|_| self.manner == Manner::Whole);
        let text = given.map_or(data::EMPTY, |given| given.text.as_str());
        if let Err(error) = whole::write(Path::new(RUNNING), text.as_bytes()) {
            self.machine
                .failed("configuration", "SBC-2104", &error.to_string());
            return;
        }
        let state = self.machine.state();
        let mut command = Command::new(PROGRAM);
        command.args(["run", RUNNING, "--users", "--api", port::API, "--state"]);
        command.arg(state);
        command.arg("--appliance");
        // What was given from outside is a revision of its own.
        command.args(given.is_none().then_some("--first"));
        command.args((self.manner != Manner::Whole).then_some("--closed"));
        command.args((self.manner != Manner::Apart).then_some("--apply-network"));
        if self.machine.keeps {
            command.args(["--cdr", "/data/cdr/calls.jsonl"]);
            command.args(["--ladders", "/data/ladders"]);
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open("/run/sbc/node.log");
        let log = log.map_or_else(|_| Stdio::null(), Stdio::from);
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        self.node = told("the node", started);
        self.heard = Instant::now();
        let out = self.node.as_mut().and_then(|node| node.stdout.take());
        if let Some(out) = out {
            let said = self.said.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let _nobody_listens = said.blocking_send(line);
                }
            });
        }
    }

    /// Says to the watchdog that all is well, if it is; ends a node that hangs.
    fn feed(&mut self) {
        let silent = match &self.node {
            Some(_) => self.heard.elapsed(),
            None => Duration::ZERO,
        };
        match (Health::of(silent), &mut self.node) {
            (Health::Hangs, Some(node)) => {
                let silent = silent.as_secs();
                words::say(&format!(
                    "the node says nothing for {silent} s: it is ended"
                ));
                let _gone_already = node.kill();
            }
            (Health::Lost, _) => return,
            (Health::Well | Health::Hangs, _) => {}
        }
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.feed();
        }
    }

    /// Takes one line of the node. Returns how it wants the machine to end.
    fn hear(&mut self, line: &str) -> Option<Ending> {
        self.heard = Instant::now();
        if line == ALIVE {
            return None;
        }
        if let Some(why) = line.strip_prefix(UNREADY) {
            if why != self.unready {
                words::say(&format!("no network yet: {why}"));
                why.clone_into(&mut self.unready);
            }
            return None;
        }
        if line == READY {
            self.ends = 0;
            if !self.machine.ready() {
                return Some(Ending::Restart);
            }
            self.open();
        }
        [Ending::Restart, Ending::PowerOff]
            .into_iter()
            .find(|ending| ending.word() == line)
    }

    /// Reaps all that ended, our children and whoever was left to us. Returns
    /// whether one of ours must be started again.
    fn reap(&mut self) -> bool {
        let mut ours = false;
        // Of every process group: a login has one of its own.
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let is = |child: &Option<Child>| {
                child.as_ref().is_some_and(|child| {
                    i64::from(child.id()) == i64::from(pid.as_raw_nonzero().get())
                })
            };
            let doors = [&mut self.login, &mut self.port, &mut self.firmware];
            for ((what, door), ended) in DOORS.into_iter().zip(doors).zip(&mut self.ended) {
                if is(door) {
                    *door = None;
                    ours = true;
                    let forbidden = status.terminating_signal() == Some(Signal::SYS.as_raw());
                    *ended += u32::from(forbidden);
                    if forbidden && *ended <= TOLD_MAX {
                        words::say(&format!("{what} {FORBIDDEN}"));
                    }
                }
            }
            if is(&self.node) {
                self.node = None;
                self.ends += 1;
                ours = true;
                let code = status.exit_status();
                words::say(&format!("the node ended: {}", last_words(code)));
                if self.ends == ENDS_MAX {
                    self.give_up();
                }
            }
        }
        for news in self.ceilings.iter_mut().filter_map(Ends::news) {
            words::say(&news);
        }
        ours
    }

    /// Reads back from the kernel what jail the first process of each door is in, and
    /// notes it among the lines of the boot.
    fn look_at_jails(&mut self) {
        let doors = [&self.login, &self.port, &self.firmware];
        let each = DOORS.into_iter().zip(doors).zip(&mut self.shown);
        for ((what, door), shown) in each.filter(|(_, shown)| !**shown) {
            let jail = door.as_ref().and_then(|door| jail::shown(door.id()));
            if let Some(jail) = jail {
                words::note(&format!("{what} is in its jail: {jail}"));
                *shown = true;
            }
        }
    }

    /// The node ends again and again: it is run without a configuration, so that
    /// another can be committed.
    fn give_up(&mut self) {
        let why = "it ends again and again; the fence stays closed";
        self.machine.failed("node", "SBC-2105", why);
        if self.manner == Manner::Whole {
            self.manner = Manner::Closed;
            self.ends = 0;
        }
    }
}

/// Returns why the node ended: its own last line.
fn last_words(code: Option<i32>) -> String {
    let text = fs::read_to_string("/run/sbc/node.log").unwrap_or_default();
    let last = text.lines().last().unwrap_or_default().to_owned();
    match code {
        Some(code) => format!("status {code}: {last}"),
        None => format!("by a signal: {last}"),
    }
}

fn told(what: &str, started: io::Result<Child>) -> Option<Child> {
    match started {
        Ok(child) => Some(child),
        Err(error) => {
            words::say(&format!("{what} cannot be started: {error}"));
            None
        }
    }
}

/// Asks every process to end, waits, and ends those that did not.
pub fn end_all() {
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in others() {
            let _gone = kill_process(pid, signal);
        }
        let begun = Instant::now();
        while begun.elapsed() < STOPS_WITHIN {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => break,
            }
        }
    }
}

/// Returns all processes but this one and the kernel's own.
fn others() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    // A thread of the kernel has no program.
    let programs = numbers.filter(|pid| {
        *pid != 1 && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
    });
    programs.filter_map(Pid::from_raw).collect()
}
