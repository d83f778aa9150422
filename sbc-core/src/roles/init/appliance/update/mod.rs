//! Questions of the console and of programs come in over a socket only the
//! machine's own user can open; the firmware's slots are shown, a bundle from a
//! volume is looked at and installed. Who may ask was looked at
//! by whoever passes the question on.

mod bundle;
mod install;
mod program;
mod trial;
mod version;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};

use super::disks::{self, Partition};
use super::slot::{self, Known, other};
use super::{data, mounts, reset, words};
use bundle::{Bundle, Key, Refusal};
use install::{Place, switch};
pub use trial::{Trial, bless, give_up, look};
pub use version::Version;

/// Where the questions are asked.
pub const SOCKET: &str = "/run/sbc/firmware";
/// Public keys an update may be signed with.
const KEYS: &str = "/usr/share/sbc/keys";
/// As many keys are looked at: the one in use and its successor.
const KEYS_MAX: usize = 2;
/// The label of a volume that brings an update, and the file on it.
const VOLUME: &str = "SBCUPDATE";
const FILE: &str = "update.sbcfw";
/// Operations after which the machine restarts.
const RESTARTING: [&str; 3] = ["image.activate", "image.rollback", "factory.reset"];
/// Octets of a question.
const LINE_MAX: u64 = 4096;
/// Lines of the boot before that are shown: one of a boot has a dozen.
const LINES_MAX: usize = 200;
/// Conversations at the same time.
const TALKS_MAX: usize = 4;
/// A long errand says that often how far it is: whoever asked gives up on a
/// silent one.
const SAYS_EVERY: Duration = Duration::from_secs(2);
/// Whoever asks and takes no answer is left.
const PATIENCE: Duration = Duration::from_secs(10);

static TALKS: AtomicUsize = AtomicUsize::new(0);
/// Held by the one who writes.
static WRITES: Mutex<()> = Mutex::new(());

/// Serves the socket, in a jail.
///
/// # Errors
/// When the jail stays open, or the socket cannot be opened.
pub fn run() -> anyhow::Result<()> {
    crate::jail::enter_firmware()?;
    let _absent = fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET)?;
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o600))?;
    crate::jail::give_to_logins(Path::new(SOCKET))?;
    loop {
        let (stream, _) = listener.accept()?;
        if TALKS.fetch_add(1, Ordering::Relaxed) >= TALKS_MAX {
            TALKS.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        std::thread::spawn(move || {
            let _gone = talk(&stream);
            TALKS.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn talk(stream: &UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    put(
        stream,
        &json!({"hello": {"api": 1, "version": super::version()}}),
    )?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        Read::take(&mut reader, LINE_MAX).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let asked: Value = serde_json::from_slice(&line).unwrap_or_default();
        let id = asked.get("id").cloned().unwrap_or_default();
        let operation = asked.get("op").and_then(Value::as_str).unwrap_or_default();
        let empty = Map::new();
        let arguments = asked.get("args").and_then(Value::as_object);
        let mut last = Instant::now();
        let mut says = |what: &str| {
            if last.elapsed() > SAYS_EVERY {
                last = Instant::now();
                // Who is gone hears nothing; what was begun is ended all the same.
                let _gone = put(stream, &json!({"event": "image", "says": what}));
            }
        };
        let answer = match answer(operation, arguments.unwrap_or(&empty), &mut says) {
            Ok(ok) => json!({"id": id, "ok": ok}),
            Err(refused) => {
                let (code, message) = (refused.code(), refused.to_string());
                json!({"id": id, "error": {"code": code, "message": message}})
            }
        };
        let told = put(stream, &answer);
        let did = answer.get("ok").is_some();
        if did && RESTARTING.contains(&operation) {
            // The first process restarts the machine, cold.
            let _it_is_there = kill_process(Pid::INIT, Signal::INT);
        }
        told?;
    }
}

fn put(mut stream: &UnixStream, line: &Value) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}

fn answer(
    operation: &str,
    arguments: &Map<String, Value>,
    says: &mut dyn FnMut(&str),
) -> Result<Value, Refusal> {
    match operation {
        "image.list" => list(),
        "image.verify" => from_volume(|mut bundle| {
            let here = here()?;
            here.fits(&bundle)?;
            install::look(&mut bundle, says)?;
            Ok(facts(&bundle))
        }),
        "image.activate" => {
            let typed = arguments.get("version").and_then(Value::as_str);
            activate(typed.unwrap_or_default(), says)
        }
        "image.rollback" => rollback(),
        "factory.reset" => {
            let typed = arguments.get("serial").and_then(Value::as_str);
            forget_all(typed.unwrap_or_default())
        }
        "image.previous" => Ok(json!({ "lines": previous() })),
        _ => Err(Refusal::NoOperation),
    }
}

/// What runs here, and what may follow it.
struct Here {
    partitions: Vec<Partition>,
    letter: char,
    version: Version,
    floor: Version,
    hardware: String,
    slots: [Known; 2],
}

fn here() -> Result<Here, Refusal> {
    let partitions = disks::partitions();
    let told = slot::with_loaders(&partitions, |esp| Ok((slot::known(esp), trial::floor(esp))));
    let (slots, floor) = told.map_err(Refusal::Boot)?;
    let own = super::released("floor").and_then(|text| Version::parse(&text));
    Ok(Here {
        partitions,
        letter: data::slot_letter(),
        version: Version::parse(&super::version()).unwrap_or_default(),
        // What this version asks for holds even before it was ready.
        floor: floor.max(own.unwrap_or_default()),
        hardware: super::released("hardware").unwrap_or_default(),
        slots,
    })
}

impl Here {
    fn fits(&self, bundle: &Bundle<File>) -> Result<(), Refusal> {
        let manifest = &bundle.manifest;
        manifest.fits(&self.hardware, self.floor, self.version)
    }

    fn known(&self, letter: char) -> Option<&Known> {
        self.slots.iter().find(|known| known.letter == letter)
    }

    /// Only a slot that was ready once is left for another.
    fn is_proven(&self) -> Result<(), Refusal> {
        match self.known(self.letter).filter(|known| known.is_good()) {
            Some(_) => Ok(()),
            None => Err(Refusal::Busy(self.letter.to_ascii_uppercase())),
        }
    }
}

fn list() -> Result<Value, Refusal> {
    let here = here()?;
    let rows = here.slots.iter().map(|known| {
        json!({
            "slot": known.letter.to_ascii_uppercase().to_string(),
            "version": known.version.map(|version| version.to_string()),
            "state": known.word(),
            "running": known.letter == here.letter,
        })
    });
    let rows: Vec<Value> = rows.collect();
    let volume = from_volume(|bundle| Ok(facts(&bundle)));
    let volume = match volume {
        Ok(facts) => facts,
        Err(Refusal::Absent(_)) => Value::Null,
        Err(refused) => json!({"code": refused.code(), "message": refused.to_string()}),
    };
    Ok(json!({"slots": rows, "floor": here.floor.to_string(), "volume": volume}))
}

fn facts(bundle: &Bundle<File>) -> Value {
    let manifest = &bundle.manifest;
    let octets: u64 = manifest.parts.iter().map(|part| part.length).sum();
    json!({
        "version": manifest.version.to_string(),
        "floor": manifest.floor.to_string(),
        "hardware": manifest.hardware,
        "key": bundle.key,
        "octets": octets,
    })
}

fn activate(typed: &str, says: &mut dyn FnMut(&str)) -> Result<Value, Refusal> {
    let here = here()?;
    let _held = alone(&here)?;
    here.is_proven()?;
    from_volume(|mut bundle| {
        here.fits(&bundle)?;
        let version = bundle.manifest.version;
        if Version::parse(typed) != Some(version) {
            return Err(Refusal::OtherWord(version));
        }
        let uki = install::look(&mut bundle, says)?;
        let installed = slot::with_loaders(&here.partitions, |esp| {
            let place = Place {
                partitions: &here.partitions,
                esp,
                running: (here.letter, here.version),
                config: data::config_hash(),
            };
            Ok(install::install(&place, &mut bundle, &uki, says))
        });
        installed.map_err(Refusal::Boot)??;
        let slot = other(here.letter).to_ascii_uppercase().to_string();
        let mut told = facts(&bundle);
        if let Some(told) = told.as_object_mut() {
            told.insert("slot".into(), slot.into());
        }
        Ok(told)
    })
}

/// Erases everything but the firmware at the boot that follows.
fn forget_all(typed: &str) -> Result<Value, Refusal> {
    let serial = reset::serial();
    if typed != serial {
        return Err(Refusal::OtherSerial(serial));
    }
    reset::wish(&disks::partitions()).map_err(Refusal::Boot)?;
    Ok(json!({ "serial": serial }))
}

/// Returns the last lines of the boot before this one; none if nothing was kept.
fn previous() -> Vec<String> {
    let octets = fs::read(words::PREVIOUS).unwrap_or_default();
    let text = String::from_utf8_lossy(&octets);
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.len().saturating_sub(LINES_MAX);
    lines
        .iter()
        .skip(shown)
        .map(|line| (*line).to_owned())
        .collect()
}

/// Goes back to what the other slot holds, by a trial like any other.
fn rollback() -> Result<Value, Refusal> {
    let here = here()?;
    let _held = alone(&here)?;
    here.is_proven()?;
    let letter = other(here.letter);
    let known = here.known(letter).filter(|known| known.is_good());
    let version = known.and_then(|known| known.version);
    let upper = letter.to_ascii_uppercase();
    let version = version.ok_or(Refusal::NothingThere(upper))?;
    let floor = here.floor;
    if version < floor {
        return Err(Refusal::Floor { version, floor });
    }
    let trial = Trial {
        slot: letter,
        version,
        floor,
        config: data::config_hash(),
        why: None,
    };
    slot::with_loaders(&here.partitions, |esp| {
        switch(esp, (here.letter, here.version), &trial)
    })
    .map_err(Refusal::Boot)?;
    Ok(json!({"slot": upper.to_string(), "version": version.to_string()}))
}

fn alone(here: &Here) -> Result<std::sync::MutexGuard<'static, ()>, Refusal> {
    match WRITES.try_lock() {
        Ok(held) => Ok(held),
        Err(TryLockError::Poisoned(held)) => Ok(held.into_inner()),
        Err(TryLockError::WouldBlock) => Err(Refusal::Busy(here.letter.to_ascii_uppercase())),
    }
}

/// Opens the bundle of a volume with our label for as long as `errand` takes.
fn from_volume<T>(errand: impl FnOnce(Bundle<File>) -> Result<T, Refusal>) -> Result<T, Refusal> {
    // What a volume needs that was plugged in since the boot, the seal has loaded.
    let node = data::volume(VOLUME).ok_or(Refusal::Absent(VOLUME))?;
    let place = format!("/run/update-{:?}", std::thread::current().id());
    let place = Path::new(&place);
    mounts::to_read(&node, place)?;
    let opened = File::open(place.join(FILE)).map_err(|_| Refusal::Absent(VOLUME));
    let done = opened
        .and_then(|file| Bundle::open(file, &keys()))
        .and_then(errand);
    let _stays = rustix::mount::unmount(place, rustix::mount::UnmountFlags::DETACH);
    done
}

/// Returns the keys of this image, by the names of their files.
fn keys() -> Vec<Key> {
    let entries = fs::read_dir(KEYS).into_iter().flatten().flatten();
    let mut keys: Vec<Key> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path()).ok()?;
            let name = name.strip_suffix(".pub")?.to_owned();
            Some((name, bundle::key(&text)?))
        })
        .collect();
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    keys.truncate(KEYS_MAX);
    keys
}
