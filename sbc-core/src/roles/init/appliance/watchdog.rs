//! A hardware watchdog, if the machine has one: it restarts the machine when
//! nobody writes to it.

use std::fs::File;
use std::io::Write;

use rustix::ioctl::{self, Updater, opcode};

const DEVICE: &str = "/dev/watchdog";
/// How long it waits: a boot's longest stage fits twice.
const TIMEOUT_SECS: i32 = 60;

/// A watchdog that is running.
#[derive(Debug)]
pub struct Watchdog(File);

impl Watchdog {
    /// Starts it; without one there is nothing to start.
    #[must_use]
    #[expect(unsafe_code, reason = "a watchdog's time is set by ioctl")]
    pub fn start() -> Option<Self> {
        let file = File::options().write(true).open(DEVICE).ok()?;
        let mut seconds = TIMEOUT_SECS;
        const SET: ioctl::Opcode = opcode::read_write::<i32>(b'W', 6);
        // SAFETY: WDIOC_SETTIMEOUT reads and writes one int.
        let _own_timeout = unsafe { ioctl::ioctl(&file, Updater::<SET, i32>::new(&mut seconds)) };
        Some(Self(file))
    }

    /// Says that all is well.
    pub fn feed(&mut self) {
        let _it_bites = self.0.write_all(b"1");
    }
}
