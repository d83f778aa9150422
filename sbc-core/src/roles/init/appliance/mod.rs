//! The first process of the appliance: a verified root comes in; mounts, a
//! closed fence, modules, data and the node's own processes go out, and it
//! watches them until the machine stops. It reads nothing from a network.

mod children;
mod data;
mod disks;
mod fence;
mod modules;
mod mounts;
mod port;
mod serial;
mod slot;
mod stage1;
mod verity;
mod watchdog;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::process::ExitCode;

use rustix::system::{RebootCommand, reboot};

use children::Ending;
use data::Configuration;
use modules::Modules;

/// Where the image says what it is.
const RELEASE: &str = "/usr/share/sbc/release";
/// Modules that nothing asks for before rules can be loaded.
const RULES: [&str; 4] = ["nf_tables", "nft_ct", "nft_limit", "nft_log"];
/// The kernel's settings that hold from the first moment: no dumps, no
/// forwarding, no addresses of its own on links nobody configured.
const SETTINGS: [(&str, &str); 12] = [
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

/// Serves one login on the serial console.
pub fn login() -> ExitCode {
    match serial::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_console_gone) => ExitCode::FAILURE,
    }
}

/// Serves the port for programs.
pub fn port() -> ExitCode {
    match port::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_port_gone) => ExitCode::FAILURE,
    }
}

/// Ends all, writes what is not written, and tells the kernel.
fn stop(ending: Ending) -> ExitCode {
    children::end_all();
    rustix::fs::sync();
    for place in ["/data", "/run/esp"] {
        let _not_mounted = rustix::mount::unmount(place, rustix::mount::UnmountFlags::empty());
    }
    let command = match ending {
        Ending::Restart => RebootCommand::Restart,
        Ending::PowerOff => RebootCommand::PowerOff,
    };
    let _refused = reboot(command);
    ExitCode::FAILURE
}

/// What of the release is said.
fn version() -> String {
    let text = fs::read_to_string(RELEASE).unwrap_or_default();
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix("version="));
    found.unwrap_or("unknown").to_owned()
}

/// All that is known once the machine is up.
#[derive(Debug)]
pub struct Machine {
    version: String,
    slot: char,
    /// Whether the data partition is there.
    keeps: bool,
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
    };
    let slot = machine.slot.to_ascii_uppercase();
    words::say(&format!(
        "sbc {} slot {slot}, image verified",
        machine.version
    ));
    let modules = match Modules::read() {
        Ok(modules) => modules,
        Err(error) => {
            words::failed("modules", "SBC-2102", &error.to_string());
            return Ending::Restart;
        }
    };
    if let Err(error) = close(&modules) {
        words::failed("fence", "SBC-2103", &error.to_string());
        // Links stay down; the console is all that is left.
        return children::watch(machine, None, false);
    }
    open(&modules, machine)
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
fn open(modules: &Modules, mut machine: Machine) -> Ending {
    modules.load_for_devices(&mut BTreeSet::new());
    words::say(&format!("network cards {}", fence::links_there()));
    for name in ["ext4", "vfat", "nls_ascii", "nls_cp437", "nls_utf8"] {
        let _said_when_mounted = modules.load(name);
    }
    match data::open(&disks::partitions()) {
        Ok(()) => machine.keeps = true,
        Err(error) => words::say(&format!("data: {error}; nothing is kept")),
    }
    let claimed = serial::is_claimed();
    match data::configuration(claimed) {
        Ok(Some(configuration)) => configured(configuration, machine),
        Ok(None) => {
            words::say("no configuration: log in on the serial console");
            ready(&machine, "none", "none");
            children::watch(machine, None, true)
        }
        Err(error) => {
            words::failed("configuration", "SBC-2104", &error.to_string());
            children::watch(machine, None, false)
        }
    }
}

fn configured(configuration: Configuration, machine: Machine) -> Ending {
    let checked = sbc_config::check(&configuration.text);
    let problems = checked.problems.len();
    words::say(&format!(
        "revision {} ({}) from {}, {problems} problems",
        configuration.revision,
        data::short_hash(&configuration.text),
        configuration.source
    ));
    if checked.node.is_none() {
        words::failed(
            "configuration",
            "SBC-2104",
            "it cannot be used; `sbc check` says why",
        );
        return children::watch(machine, None, false);
    }
    children::watch(machine, Some(configuration), false)
}

/// Says that the node is ready, and tells the boot loaders that its slot is good.
fn ready(machine: &Machine, config: &str, calls: &str) {
    words::ready(&machine.version, machine.slot, config, calls);
    if let Err(error) = slot::mark(&disks::partitions(), machine.slot, slot::Mark::Good) {
        words::say(&format!("the slot cannot be marked as good: {error}"));
    }
}
