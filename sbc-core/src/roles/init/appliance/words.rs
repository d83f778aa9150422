//! What the node says while it boots: lines with the time since the kernel
//! started, and one last line that programs read.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Where the last word on this boot lies, for programs: one object of JSON.
pub const STATE: &str = "/run/sbc/state";

/// Where they are kept for the boot after this one.
pub const KEPT: &str = "/data/log/boot.log";
/// Where those of the boot before lie.
pub const PREVIOUS: &str = "/data/log/boot.previous";
/// Lines go to the data partition as well.
static KEEPS: AtomicBool = AtomicBool::new(false);
static LAST: Mutex<String> = Mutex::new(String::new());

/// Returns the seconds since the kernel started.
#[must_use]
pub fn seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Somebody is asked something on the console: what is said begins a line of its
/// own from here on.
static ASKS: AtomicBool = AtomicBool::new(false);

/// Takes that a login has the console as well.
pub fn share() {
    ASKS.store(true, Ordering::Relaxed);
}

/// Keeps the lines of this boot on the data partition, beside those of the boot
/// before: whoever comes after a boot that failed reads there why.
pub fn keep_log() {
    let _first_boot = fs::rename(KEPT, PREVIOUS);
    let text = fs::read(crate::diary::BOOT).unwrap_or_default();
    if super::super::whole::write(Path::new(KEPT), &text).is_ok() {
        KEEPS.store(true, Ordering::Relaxed);
    }
}

/// Returns whether they are.
#[must_use]
pub fn keeps() -> bool {
    KEEPS.load(Ordering::Relaxed)
}

/// Returns what was said last.
#[must_use]
pub fn last() -> String {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Says one stage of the boot.
pub fn say(what: &str) {
    what.clone_into(&mut LAST.lock().unwrap_or_else(PoisonError::into_inner));
    put(&format!("[{:6.2}] {what}\n", seconds()));
}

/// Writes one line among those of the boot, for whoever asks for them: it is no
/// stage, and nobody's screen is disturbed.
pub fn note(what: &str) {
    let line = format!("[{:6.2}] {what}\n", seconds());
    let log = fs::File::options().append(true).open(crate::diary::BOOT);
    if let Ok(mut file) = log {
        let _full = file.write_all(line.as_bytes());
    }
}

/// Says, once per boot, that the node is ready. Fields are only ever appended.
pub fn ready(version: &str, slot: char, config: &str, calls: &str) {
    let boot = seconds();
    put(&ready_line(version, slot, boot, config, calls));
    keep(&json!({
        "event": "ready",
        "version": version,
        "slot": slot.to_ascii_uppercase().to_string(),
        "boot": (boot * 10.0).round() / 10.0,
        "config": config,
        "calls": calls,
        "memory_kib": memory_used().unwrap_or_default(),
    }));
}

/// Returns how many KiB of the memory are in use and cannot be given back.
fn memory_used() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let mut lines = text.lines();
        let rest = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    field("MemTotal")?.checked_sub(field("MemAvailable")?)
}

fn ready_line(version: &str, slot: char, boot: f64, config: &str, calls: &str) -> String {
    let slot = slot.to_ascii_uppercase();
    format!(
        "SBC-READY version={version} slot={slot} boot={boot:.1}s config={config} calls={calls}\n"
    )
}

/// Says that a stage failed and the node stays as it is: its links down or its
/// fence closed.
pub fn failed(stage: &str, code: &str, why: &str) {
    say(&format!("{stage}: {why}"));
    put(&format!("SBC-FAILED stage={stage} code={code}\n"));
    keep(&json!({ "event": "failed", "stage": stage, "code": code }));
}

/// Keeps the last word for whoever asks later; the first stage has no place.
fn keep(state: &Value) {
    let _no_place = super::super::whole::write(STATE.as_ref(), state.to_string().as_bytes());
}

/// Writes to the serial console and to the screen, if there is one.
fn put(line: &str) {
    let begun = if ASKS.load(Ordering::Relaxed) {
        "\n"
    } else {
        ""
    };
    let line = &format!("{begun}{line}");
    for console in ["/dev/console", "/dev/tty0"] {
        if let Ok(mut file) = fs::File::options().write(true).open(console) {
            // A console that is not there hears nothing.
            let _unheard = file.write_all(line.as_bytes());
        }
    }
    let kept = Some(KEPT).filter(|_| KEEPS.load(Ordering::Relaxed));
    for place in [Some(crate::diary::BOOT), kept].into_iter().flatten() {
        let log = fs::File::options().create(true).append(true).open(place);
        if let Ok(mut file) = log {
            let _full = file.write_all(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_ready_line_has_its_fields_in_their_order() {
        assert_eq!(
            super::ready_line("0.1.0", 'a', 1.84, "42:1f0c9a3e", "accepting"),
            "SBC-READY version=0.1.0 slot=A boot=1.8s config=42:1f0c9a3e calls=accepting\n"
        );
    }
}
