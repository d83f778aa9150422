//! The first stage: the initial memory disk comes in; the verified root of one
//! slot goes out, and takes over. A slot with a wrong block is marked, and the
//! other one is booted.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::disks;
use super::modules::Modules;
use super::slot;
use super::verity::{self, Slot};
use super::{mounts, update, words};
use crate::jail::ceilings;

/// Modules nothing asks for.
const NEEDED: [&str; 3] = ["dm_mod", "dm_verity", "erofs"];
/// What `erofs` has the kernel ask for, by two more processes, if it is not there yet.
const ASKED_FOR: &str = "crc32c_generic";
/// Slow disks and USB sticks have this long to appear.
const DISKS_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The environment variable by which the next stage knows its slot.
pub const SLOT: &str = "SBC_SLOT";

/// Runs the first stage. It returns only when there is nothing to boot, and has
/// then said why.
pub fn run() {
    if let Err(error) = boot() {
        words::failed("image", "SBC-2101", &error.to_string());
    }
}

fn boot() -> io::Result<()> {
    mounts::first()?;
    fs::write("/proc/sys/kernel/sysrq", "0")?;
    let modules = Modules::read()?;
    let _built_in_or_asked_for = modules.load(ASKED_FOR);
    for name in NEEDED {
        modules.load(name)?;
    }
    let line = fs::read_to_string("/proc/cmdline")?;
    let root_hash = field(&line, "sbc.root").and_then(from_hex);
    let root_hash =
        root_hash.ok_or_else(|| io::Error::other("no sbc.root= on the command line"))?;
    let hint = field(&line, "sbc.slot").and_then(|word| word.chars().next());
    let slots = await_slots(&modules, &root_hash, hint);
    let Some(slot) = slots.first() else {
        let why = "no slot on any disk has the root of this command line";
        words::failed("image", "SBC-2101", why);
        files(&modules);
        let root = field(&line, "sbc.root").unwrap_or_default();
        let meant = hint.map_or_else(|| slot::of_root(&disks::partitions(), root), Ok);
        match meant {
            Ok(letter) => leave(letter, "its hash tree is damaged"),
            Err(error) => words::say(&format!("no slot can be marked: {error}")),
        }
        return Ok(());
    };
    match verity::open(slot, &root_hash) {
        Ok(device) => Err(go(&device, slot.letter)),
        Err(error) => {
            let why = format!("it is damaged: {error}");
            let letter = slot.letter.to_ascii_uppercase();
            words::failed("image", "SBC-2101", &format!("slot {letter}: {why}"));
            files(&modules);
            leave(slot.letter, &why);
            Ok(())
        }
    }
}

/// Loads what the boot partition is mounted with.
fn files(modules: &Modules) {
    for name in ["vfat", "nls_ascii", "nls_cp437", "nls_utf8"] {
        let _built_in_or_told_below = modules.load(name);
    }
}

/// Marks a broken slot, and leaves word for the other one, which is next.
fn leave(letter: char, why: &str) {
    let upper = letter.to_ascii_uppercase();
    match update::give_up(&disks::partitions(), letter, why) {
        Ok(()) => words::say(&format!("slot {upper} is marked, the other one is next")),
        Err(error) => words::say(&format!("slot {upper} cannot be marked: {error}")),
    }
}

fn go(device: &std::path::Path, letter: char) -> io::Error {
    if let Err(error) = mounts::into_root(device) {
        return error;
    }
    Command::new("/usr/sbin/init")
        .env(SLOT, letter.to_string())
        // All that is started from there on inherits it.
        .env(ceilings::GROUPS, ceilings::PLACE)
        .exec()
}

/// Loads what devices ask for until a slot is there.
fn await_slots(modules: &Modules, root_hash: &[u8], hint: Option<char>) -> Vec<Slot> {
    let mut seen = BTreeSet::new();
    let since = Instant::now();
    // A look takes longer than the pause behind it: the time is measured, not counted.
    while since.elapsed() < DISKS_WITHIN {
        modules.load_for_devices(&mut seen);
        let slots = verity::slots(&disks::partitions(), root_hash, hint);
        if !slots.is_empty() {
            return slots;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Vec::new()
}

/// Returns the value of a word of the command line.
pub fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (text.len() == 64).then(|| pairs.map(octet).collect())?
}

/// Returns whether this is the first stage.
#[must_use]
pub fn is_here() -> bool {
    // Only the root has this file; the memory disk of the first stage does not.
    !PathBuf::from("/usr/share/sbc/release").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_root_and_slot() {
        let line = "console=ttyS0 sbc.root=00ff sbc.slot=b\n";
        assert_eq!(field(line, "sbc.root"), Some("00ff"));
        assert_eq!(field(line, "sbc.slot"), Some("b"));
        assert_eq!(field(line, "sbc"), None);
        assert_eq!(from_hex(&"0f".repeat(32)), Some(vec![15; 32]));
        assert_eq!(from_hex("0f"), None);
        assert_eq!(from_hex(&"0x".repeat(32)), None);
    }
}
