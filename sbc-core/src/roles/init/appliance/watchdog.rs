//! A hardware watchdog, if the machine has one: it restarts the machine when
//! nobody writes to it. It is written to as long as the node is well, or about to be
//! started again.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use rustix::ioctl::{self, Updater, opcode};

const DEVICE: &str = "/dev/watchdog";
/// How long it waits: a boot's longest stage fits twice.
const TIMEOUT_SECS: i32 = 60;

/// A node says every five seconds that it is alive; one that was silent for so long
/// hangs.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// One that is still there so long after cannot be ended either.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// What a node's silence means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Health {
    /// Nothing.
    Well,
    /// It must be ended, to be started again.
    Hangs,
    /// Nobody can end it: the machine must start again.
    Lost,
}

impl Health {
    /// Returns what it means that a node has said nothing for so long.
    #[must_use]
    pub fn of(silent: Duration) -> Self {
        if silent < HANGS_AFTER {
            Self::Well
        } else if silent < LOST_AFTER {
            Self::Hangs
        } else {
            Self::Lost
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_node_is_ended_first_and_then_the_machine() {
        let of = |seconds| Health::of(Duration::from_secs(seconds));
        assert_eq!([of(0), of(29)], [Health::Well; 2]);
        assert_eq!([of(30), of(59)], [Health::Hangs; 2]);
        assert_eq!(of(60), Health::Lost);
    }
}
