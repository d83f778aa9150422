//! A serial line comes in, how many BREAKs it had goes out. On the line that the
//! kernel writes its own words to, the first BREAK begins a SysRq and is kept from
//! whoever reads; the driver counts it all the same.

use std::io;
use std::time::Duration;

use rustix::ioctl::{self, Getter};
use rustix::process::{Signal, getpid, kill_process};

use super::editor::Shared;

/// How soon a BREAK is noticed.
const LOOKED_EVERY: Duration = Duration::from_millis(100);

/// `TIOCGICOUNT`: what a serial line counted since it was opened.
const COUNTS: ioctl::Opcode = 0x545d;

/// Modem lines, octets, errors, BREAKs: `struct serial_icounter_struct`.
type Counts = [i32; 20];

/// The place of BREAKs among them.
const BREAKS: usize = 9;

/// Returns how many BREAKs the line of the standard input had; nothing if it is no
/// serial line.
#[expect(unsafe_code, reason = "a line tells its counts by ioctl")]
fn count() -> Option<i32> {
    // SAFETY: TIOCGICOUNT writes one `serial_icounter_struct`, twenty ints, and
    // reads nothing.
    let counts = unsafe { ioctl::ioctl(io::stdin(), Getter::<COUNTS, Counts>::new()) };
    counts.ok()?.get(BREAKS).copied()
}

/// Looks after the BREAKs of this login's line: each wants it locked. Whoever reads a
/// line or waits for an answer is woken, as by Ctrl-C, until the login knows.
pub fn watch(shared: Shared) {
    let Some(mut known) = count() else { return };
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOKED_EVERY);
            match count() {
                Some(counted) if counted != known => {
                    known = counted;
                    shared.broke();
                }
                _ => {}
            }
            if shared.is_broken() {
                let _woken = kill_process(getpid(), Signal::INT);
            }
        }
    });
}
