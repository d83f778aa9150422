//! The first process of the appliance: a verified root comes in; mounts, a
//! closed fence, modules, data and the node's own processes go out, and it
//! watches them until the machine stops. It reads nothing from a network.

mod children;
mod data;
mod disks;
mod esp;
mod fence;
mod given;
mod grow;
mod line;
mod modules;
mod mounts;
mod port;
mod recovery;
mod reset;
mod seal;
mod slot;
mod stage1;
mod update;
mod verity;
mod watchdog;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

use children::Manner;
use data::Configuration;
pub use data::STATE;
use modules::Modules;
use recovery::Keys;
use update::Trial;

use crate::ipc::Ending;

/// Where the image says what it is.
pub const RELEASE: &str = "/usr/share/sbc/release";
/// Modules of filesystems: nothing asks for them before something is mounted.
const FILES: [&str; 5] = ["ext4", "vfat", "nls_ascii", "nls_cp437", "nls_utf8"];
/// What rules are made of.
const RULES: [&str; 4] = ["nf_tables", "nft_ct", "nft_limit", "nft_log"];
/// A slot on trial has this long, from the start of its kernel, to be ready: a
/// boot on the slowest box takes a third of it.
const TRIAL: Duration = Duration::from_secs(90);
/// An orderly end has this long, before the machine is ended without one.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// READY was said.
static IS_READY: AtomicBool = AtomicBool::new(false);
/// READY or FAILED was said: the last word on this boot.
static IS_SETTLED: AtomicBool = AtomicBool::new(false);
/// It was said because time was over.
static IS_LATE: AtomicBool = AtomicBool::new(false);
/// The kernel's settings that hold from the first moment: no dumps, no
/// forwarding, no addresses of its own on links nobody configured.
const SETTINGS: [(&str, &str); 13] = [
    ("kernel/sysrq", "0"),
    ("kernel/core_pattern", ""),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/yama/ptrace_scope", "3"),
    ("kernel/panic_on_oops", "1"),
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv6/conf/all/forwarding", "0"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv6/conf/default/addr_gen_mode", "1"),
    // No device of a tunnel that nobody configured comes along with a module.
    ("net/core/fb_tunnels_only_for_init_net", "2"),
];

/// Runs as the first process of the first stage or of the root. It comes back
/// only when nothing is left but to restart.
pub fn run() -> ExitCode {
    let ending = if stage1::is_here() {
        stage1::run();
        Ending::Restart
    } else {
        start()
    };
    stop(ending)
}

/// Loads the modules the kernel asks for.
pub fn modprobe(words: &[String]) -> ExitCode {
    if modules::modprobe(words) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Serves the port for programs.
pub fn port() -> ExitCode {
    match port::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(gone) => {
            eprintln!("the port for programs: {gone:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves questions about the firmware.
pub fn firmware() -> ExitCode {
    match update::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(no_socket) => {
            eprintln!("who looks after the firmware: {no_socket:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ends all, writes what is not written, and tells the kernel.
fn stop(ending: Ending) -> ExitCode {
    children::end_all();
    rustix::fs::sync();
    let _not_mounted = rustix::mount::unmount("/data", rustix::mount::UnmountFlags::empty());
    let command = match ending {
        Ending::Restart => RebootCommand::Restart,
        Ending::PowerOff => RebootCommand::PowerOff,
    };
    let _refused = reboot(command);
    ExitCode::FAILURE
}

/// What of the release is said.
fn version() -> String {
    released("version").unwrap_or_else(|| "unknown".to_owned())
}

/// Returns what the image says of itself.
fn released(key: &str) -> Option<String> {
    let text = fs::read_to_string(RELEASE).ok()?;
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.map(str::to_owned)
}

/// All that is known once the machine is up.
#[derive(Debug)]
pub struct Machine {
    version: String,
    slot: char,
    /// Whether the data partition is there.
    keeps: bool,
    /// This slot has one boot to become ready.
    trial: Option<Trial>,
}

impl Machine {
    /// Returns the folder of what outlives the node's processes, and this boot if
    /// there is a data partition.
    fn state(&self) -> &'static Path {
        Path::new(if self.keeps {
            data::STATE
        } else {
            "/run/sbc/kept"
        })
    }

    fn failed(&mut self, stage: &str, code: &str, why: &str) {
        words::failed(stage, code, why);
        IS_SETTLED.store(true, Ordering::SeqCst);
    }

    /// Says, once, that the node is ready, and tells the boot loaders that its slot
    /// is good. Returns whether it is: a slot on trial must have come to what ran
    /// before.
    fn ready(&mut self) -> bool {
        if IS_SETTLED.swap(true, Ordering::SeqCst) {
            if IS_LATE.swap(false, Ordering::SeqCst) {
                words::say("the node is ready after all");
            }
            return true;
        }
        let kept = data::kept(self.state());
        let name = kept
            .as_ref()
            .map_or_else(|| "none".into(), Configuration::name);
        let calls = kept.is_some_and(|kept| kept.takes_calls());
        let calls = if calls { "accepting" } else { "none" };
        let trial = self.trial.as_ref();
        if let Some(why) = trial.and_then(|trial| lacks(self, trial, &name)) {
            words::failed("trial", "SBC-2118", &why);
            return !gives_up(self.slot, &why);
        }
        IS_READY.store(true, Ordering::SeqCst);
        // Before it is said: who hears it may switch the machine off.
        if let Err(error) = update::bless(&disks::partitions(), self.slot) {
            words::say(&format!("the slot cannot be marked as good: {error}"));
        }
        words::ready(&self.version, self.slot, &name, calls);
        true
    }
}

fn start() -> Ending {
    if let Err(error) = mounts::second() {
        words::failed("mounts", "SBC-2102", &error.to_string());
        return Ending::Restart;
    }
    for (key, value) in SETTINGS {
        let _not_of_this_kernel = fs::write(format!("/proc/sys/{key}"), value);
    }
    let machine = Machine {
        version: version(),
        slot: data::slot_letter(),
        keeps: false,
        trial: None,
    };
    let keys = Keys::listen();
    let slot = machine.slot.to_ascii_uppercase();
    words::say(&format!(
        "sbc {} slot {slot}, image verified, key r = recovery",
        machine.version
    ));
    if slot::is_secure() {
        words::say("Secure Boot is on");
    }
    let modules = match Modules::read() {
        Ok(modules) => modules,
        Err(error) => {
            words::failed("modules", "SBC-2102", &error.to_string());
            return Ending::Restart;
        }
    };
    let letter = machine.slot;
    std::thread::spawn(move || guard(letter));
    for name in FILES {
        let _said_when_mounted = modules.load(name);
    }
    if let Err(error) = close(&modules) {
        drop(keys);
        // Links stay down; the console is all that is left.
        let why = error.to_string();
        return stay(machine, "fence", "SBC-2103", &why, Manner::Apart);
    }
    open(&modules, machine, keys)
}

/// Says what failed. A slot on trial is left at once, any other waits for whoever
/// comes to its console.
fn stay(mut machine: Machine, stage: &str, code: &str, why: &str, manner: Manner) -> Ending {
    machine.failed(stage, code, why);
    if gives_up(machine.slot, &format!("stage {stage}: {why}")) {
        return Ending::Restart;
    }
    children::watch(machine, None, manner)
}

/// Gives the slot up if it is on trial; returns whether it is.
fn gives_up(letter: char, why: &str) -> bool {
    let partitions = disks::partitions();
    if !matches!(update::look(&partitions, letter), Ok((Some(_), _))) {
        return false;
    }
    words::failed("trial", "SBC-2118", "the other slot is next");
    if !words::keeps() && data::open(&partitions).is_ok() {
        words::keep_log();
    }
    if let Err(error) = update::give_up(&partitions, letter, why) {
        words::say(&format!("the loaders cannot be told: {error}"));
    }
    true
}

/// Waits until a trial's time is over. If it was not ready, the machine is ended;
/// without a trial it stays, and what it waits for is said.
fn guard(letter: char) {
    let left = TRIAL.as_secs_f64() - words::seconds();
    std::thread::sleep(Duration::from_secs_f64(left.max(0.0)));
    if IS_READY.load(Ordering::SeqCst) {
        return;
    }
    let why = format!("no READY in {} s; {}", TRIAL.as_secs(), words::last());
    if gives_up(letter, &why) {
        let _ignored_before_it_listens =
            rustix::process::kill_process(rustix::process::Pid::INIT, rustix::process::Signal::INT);
        std::thread::sleep(ENDS_WITHIN);
        rustix::fs::sync();
        let _refused = reboot(RebootCommand::Restart);
    }
    if !IS_SETTLED.swap(true, Ordering::SeqCst) {
        IS_LATE.store(true, Ordering::SeqCst);
        words::failed("node", "SBC-2108", &why);
    }
}

/// Looks what became of the last update.
fn trial(letter: char) -> Option<Trial> {
    let upper = letter.to_ascii_uppercase();
    match update::look(&disks::partitions(), letter) {
        Ok((trial, said)) => {
            if let Some(said) = said {
                words::say(&said);
            }
            if trial.is_some() {
                let within = TRIAL.as_secs();
                words::say(&format!(
                    "slot {upper} is on trial: READY within {within} s"
                ));
            }
            trial
        }
        Err(error) => {
            words::say(&format!("the boot partition: {error}"));
            None
        }
    }
}

/// Closes the fence before any driver of a network card is loaded.
fn close(modules: &Modules) -> io::Result<()> {
    for name in RULES {
        modules.load(name)?;
    }
    fence::close()?;
    let up = fence::links_up();
    words::say(&format!("fence: drop all, read back, {up} links up"));
    Ok(())
}

/// Finds the devices, the data and the configuration, and runs the node.
fn open(modules: &Modules, mut machine: Machine, keys: Option<Keys>) -> Ending {
    modules.load_for_devices(&mut BTreeSet::new());
    words::say(&format!("network cards {}", fence::links_there()));
    esp::in_order(&disks::partitions());
    machine.trial = trial(machine.slot);
    machine.keeps = keeps(keys);
    if let Err(error) = seal::begin() {
        let why = error.to_string();
        return stay(machine, "seal", "SBC-2107", &why, Manner::Closed);
    }
    let kept = data::kept(machine.state());
    let given = if data::is_claimed(machine.state()) {
        Ok(None)
    } else {
        data::given()
    };
    match given {
        Ok(Some(given)) if usable(&given) => children::watch(machine, Some(given), Manner::Whole),
        Ok(given) => {
            if kept.is_none() && given.is_none() {
                words::say("no configuration: log in on the serial console");
            }
            // What was given cannot be used: what is kept holds.
            let holds = kept.is_none_or(|kept| usable(&kept));
            if given.is_some() || !holds {
                let why = "it cannot be used";
                return stay(machine, "configuration", "SBC-2104", why, Manner::Whole);
            }
            children::watch(machine, None, Manner::Whole)
        }
        Err(error) => {
            let why = error.to_string();
            stay(machine, "configuration", "SBC-2104", &why, Manner::Whole)
        }
    }
}

/// Says what a configuration is, and returns whether it can be used.
fn usable(configuration: &Configuration) -> bool {
    let checked = sbc_config::check(&configuration.text);
    let problems = checked.problems.len();
    words::say(&format!(
        "revision {} ({}) from {}, {problems} problems",
        configuration.revision,
        data::short_hash(&configuration.text),
        configuration.source
    ));
    checked.node.is_some()
}

/// Brings the data partition up: as large as its disk lets it be, emptied if
/// somebody wished so, with a name for this machine. Returns whether it is there.
fn keeps(keys: Option<Keys>) -> bool {
    let partitions = disks::partitions();
    match grow::partition(&partitions) {
        Ok(Some(mib)) => words::say(&format!("data: the disk leaves {mib} MiB to it")),
        Ok(None) => {}
        Err(error) => words::say(&format!("data: it does not grow: {error}")),
    }
    let opened = data::open(&partitions).and_then(|()| {
        if let Some(mut keys) = keys
            && keys.has_r()
            && keys.wants_reset(&reset::serial())?
        {
            reset::wish(&partitions)?;
        }
        if let Some(gone) = reset::fulfil(&partitions, Path::new("/data"))? {
            words::say(&format!("factory reset: {gone} files are gone"));
            data::folders()?;
        }
        Ok(())
    });
    if let Err(error) = opened {
        words::say(&format!("data: {error}; nothing is kept"));
        return false;
    }
    words::keep_log();
    if let Err(error) = grow::filesystem(&partitions, Path::new("/data")) {
        words::say(&format!("data: its filesystem does not grow: {error}"));
    }
    if let Err(error) = reset::name_machine() {
        words::say(&format!("data: this machine has no name: {error}"));
    }
    true
}

/// Returns what a slot on trial lacks of what the one before had.
fn lacks(machine: &Machine, trial: &Trial, config: &str) -> Option<String> {
    if !machine.keeps {
        return Some("the data partition cannot be used".to_owned());
    }
    let hash = config.rsplit(':').next().unwrap_or_default();
    (hash != trial.config).then(|| format!("it runs configuration {hash}, not {}", trial.config))
}
