//! Text comes in, a screen at a time goes out. Ctrl-C drops what is pending.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex};

/// Lines of a terminal that does not tell its size.
pub const LINES: usize = 24;
/// Columns of a terminal that does not tell its size.
pub const COLUMNS: usize = 80;

/// Octets written between two looks at the keyboard.
const CHUNK: usize = 256;

/// Set by Ctrl-C while a command runs.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// When a key was last pressed anywhere but at the prompt, which keeps its own count.
static PRESSED: Mutex<Option<Instant>> = Mutex::new(None);

/// Notes that somebody is there.
pub fn pressed() {
    *PRESSED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Returns how long ago that was.
#[must_use]
pub fn idle() -> Option<Duration> {
    let pressed = *PRESSED.lock().unwrap_or_else(PoisonError::into_inner);
    pressed.map(|at| at.elapsed())
}

/// Returns columns and lines of the terminal; 80 by 24 if it says nothing.
#[must_use]
pub fn size() -> (usize, usize) {
    let told = termios::tcgetwinsize(io::stdout()).ok();
    let told = told.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or((COLUMNS, LINES), |size| {
        (usize::from(size.ws_col), usize::from(size.ws_row))
    })
}

/// Writes `text`; stops at each screen if `paging` and somebody is there.
pub fn show(text: &str, paging: bool) {
    let stops = paging && io::stdin().is_terminal() && io::stdout().is_terminal();
    if !stops {
        write_all(text);
        return;
    }
    let (_, lines) = size();
    let screen = lines.saturating_sub(1).max(1);
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let mut shown = 0;
    let mut next = screen;
    while shown < all.len() {
        let page = all.get(shown..(shown + next).min(all.len()));
        if !write_all(&page.unwrap_or_default().concat()) {
            return;
        }
        shown += next;
        if shown >= all.len() {
            return;
        }
        match more(shown * 100 / all.len()) {
            Key::Screen => next = screen,
            Key::Line => next = 1,
            Key::Quit => return,
        }
    }
}

enum Key {
    Screen,
    Line,
    Quit,
}

fn more(percent: usize) -> Key {
    let Ok(before) = termios::tcgetattr(io::stdin()) else {
        return Key::Quit;
    };
    // Ctrl-C is a key here, so that it is heard while nobody writes.
    let mut raw = before.clone();
    raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    raw.special_codes[SpecialCodeIndex::VMIN] = 1;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    let _told = termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw);
    print!("--More-- ({percent}%)");
    let _closed = io::stdout().flush();
    let mut byte = [0];
    let read = wait_for_key().and_then(|()| rustix::io::read(io::stdin(), &mut byte));
    // Takes the question away again, without asking the terminal anything.
    print!("\r{:18}\r", "");
    let _closed = io::stdout().flush();
    let _told = termios::tcsetattr(io::stdin(), OptionalActions::Now, &before);
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Key::Quit;
    }
    match (read, byte) {
        (Ok(1), [b' ' | b'f']) => Key::Screen,
        (Ok(1), [b'\r' | b'\n' | b'j']) => Key::Line,
        _ => Key::Quit,
    }
}

/// Waits until there is a key to read; fails when the login is wanted elsewhere.
fn wait_for_key() -> rustix::io::Result<()> {
    const TICK: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    let stdin = io::stdin();
    while !INTERRUPTED.load(Ordering::Relaxed) {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&TICK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            ready => {
                pressed();
                return ready.map(drop);
            }
        }
    }
    Err(rustix::io::Errno::INTR)
}

/// Writes everything, or drops the rest at Ctrl-C. Returns whether all went out.
fn write_all(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut out = io::stdout().lock();
    while !rest.is_empty() {
        if INTERRUPTED.load(Ordering::Relaxed) {
            // What waits in the line's buffer is dropped as well.
            let _none = termios::tcflush(&out, termios::QueueSelector::OFlush);
            return false;
        }
        let (now, later) = rest.split_at(rest.len().min(CHUNK));
        // Whoever reads may stop reading, as `head` does.
        if out.write_all(now).is_err() || out.flush().is_err() {
            return false;
        }
        rest = later;
    }
    true
}
