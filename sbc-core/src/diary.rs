//! Lines of the diary come in, standard error and the diary's file get them: at
//! once, or together a moment later where a role asks for that. WARN and above
//! never wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::Level;
use tracing::Metadata;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Octets that may wait; more are written at once.
const HELD_MAX: usize = 64 * 1024;

/// The name of the diary among what the node keeps.
pub const FILE: &str = "diary.log";

/// Where the appliance keeps the lines of its boot until the next.
pub const BOOT: &str = "/run/sbc/boot.log";

/// What lines of calls that are looked at closely are marked by.
pub const DEBUGGED: &str = "debugged";

/// The open file, if the node keeps state.
static KEPT: OnceLock<File> = OnceLock::new();

static HELD: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static HOLDS: AtomicBool = AtomicBool::new(false);

/// Writes to the file in `folder` as well. It is opened while the process may do
/// that; a file that cannot be opened is said once.
pub fn keep(folder: &Path) {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _there = std::fs::create_dir_all(folder);
    match options.open(folder.join(FILE)) {
        Ok(file) => drop(KEPT.set(file)),
        Err(error) => tracing::error!(%error, "the diary is not kept"),
    }
}

/// Begins the diary of this process; `SBC_LOG` says what it holds.
pub fn begin() {
    let level = std::env::var("SBC_LOG").unwrap_or_default();
    let level = level.parse().unwrap_or(Level::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Diary)
        .with_ansi(false)
        .with_target(false);
    // What somebody asked to see of a call is taken at any level.
    let wanted = filter_fn(move |line| *line.level() <= level || line.target() == DEBUGGED);
    let wanted = wanted.with_max_level_hint(level.max(Level::DEBUG));
    tracing_subscriber::registry()
        .with(lines.with_filter(wanted))
        .init();
    if let Some(folder) = std::env::var_os(crate::roles::init::STATE) {
        keep(Path::new(&folder));
    }
}

/// From here on INFO and below wait for [`flush`], whose caller has to be quick
/// about it; what waits is written before a panic is told.
pub fn hold() {
    HOLDS.store(true, Ordering::Relaxed);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        flush();
        usual(panic);
    }));
}

/// Writes what waits.
pub fn flush() {
    // A thread that panicked while it held lines has left whole lines.
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    write_out(&mut held);
}

fn write_out(held: &mut Vec<u8>) {
    if !held.is_empty() {
        // Nobody could be told that nobody reads.
        let _unread = io::stderr().write_all(held);
        if let Some(mut file) = KEPT.get() {
            // One write for whole lines, so that those of two roles do not mix.
            let _full = file.write_all(held);
        }
        held.clear();
    }
}

/// Makes a pen for each line.
struct Diary;

/// Writes one line.
struct Pen {
    at_once: bool,
}

impl<'a> MakeWriter<'a> for Diary {
    type Writer = Pen;

    fn make_writer(&'a self) -> Pen {
        Pen { at_once: true }
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Pen {
        let holds = HOLDS.load(Ordering::Relaxed);
        Pen {
            at_once: !holds || *line.level() <= Level::WARN,
        }
    }
}

impl Write for Pen {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.extend_from_slice(octets);
        if self.at_once || held.len() > HELD_MAX {
            write_out(&mut held);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
