//! A terminal of our own: keys go in, what the program behind it writes comes
//! out. It answers no question a program asks it, as loggers and terminal
//! servers do not.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A program with a terminal around it.
#[derive(Debug)]
pub struct Pty {
    ours: File,
    child: Child,
    /// Everything it wrote so far.
    pub seen: Vec<u8>,
}

impl Pty {
    /// Starts `command` on a terminal of size 0 by 0, as a serial port is.
    ///
    /// # Errors
    /// When the machine has no more terminals, or the program is not there.
    pub fn start(command: &Command) -> std::io::Result<Self> {
        // A session of its own whose terminal this is: else no key is a signal.
        let mut own = Command::new("setsid");
        own.args(["--ctty", "--wait"]);
        own.arg(command.get_program()).args(command.get_args());
        let mut command = own;
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let name = name.to_str().map_err(std::io::Error::other)?;
        let theirs = File::options()
            .read(true)
            .write(true)
            .open(Path::new(name))?;
        let child = command
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs.try_clone()?))
            .stderr(Stdio::from(theirs))
            .spawn()?;
        Ok(Self {
            ours: File::from(ours),
            child,
            seen: Vec::new(),
        })
    }

    /// Types `keys`, at most `rate` octets a second.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &[u8], rate: u64) -> std::io::Result<()> {
        const PIECE: usize = 64;
        let began = Instant::now();
        let mut sent = 0_u64;
        for piece in keys.chunks(PIECE) {
            self.ours.write_all(piece)?;
            sent += piece.len() as u64;
            self.reads_for(Duration::ZERO);
            let due = Duration::from_millis(sent * 1000 / rate.max(1));
            self.reads_for(due.saturating_sub(began.elapsed()));
        }
        Ok(())
    }

    /// Reads along until `text` was written after the first `from` octets, and
    /// returns how long that took.
    ///
    /// # Errors
    /// What was seen instead.
    pub fn waits(&mut self, from: usize, text: &str, within: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        loop {
            if self.text(from).contains(text) {
                return Ok(began.elapsed());
            }
            let left = within.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(format!("no {text:?} in {}", self.end_of(from)));
            }
            self.reads_for(left.min(Duration::from_millis(20)));
        }
    }

    /// Returns what was written after the first `from` octets.
    #[must_use]
    pub fn text(&self, from: usize) -> String {
        String::from_utf8_lossy(self.seen.get(from..).unwrap_or_default()).into_owned()
    }

    /// Returns the end of what was written after the first `from` octets, and
    /// whether the program still runs.
    fn end_of(&mut self, from: usize) -> String {
        const SHOWN: usize = 1500;
        let text = self.text(from.max(self.seen.len().saturating_sub(SHOWN)));
        format!("{text:?}; it runs: {}", self.runs())
    }

    /// Returns whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Reads as a line of `rate` octets a second brings them, until `text` was
    /// written after the first `from` octets. Returns how long that took.
    ///
    /// # Errors
    /// What was seen instead.
    pub fn waits_at(
        &mut self,
        rate: u64,
        from: usize,
        text: &str,
        within: Duration,
    ) -> Result<Duration, String> {
        const TICK: Duration = Duration::from_millis(10);
        let began = Instant::now();
        let mut page = vec![0; usize::try_from(rate / 100).unwrap_or(1).max(1)];
        while !self.text(from).contains(text) {
            if began.elapsed() > within {
                return Err(format!("no {text:?} in {}", self.end_of(from)));
            }
            let due = Instant::now() + TICK;
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: TICK.subsec_nanos().into(),
            };
            if poll(&mut [PollFd::new(&self.ours, PollFlags::IN)], Some(&wait)) == Ok(1)
                && let Ok(length) = self.ours.read(&mut page)
            {
                self.seen
                    .extend_from_slice(page.get(..length).unwrap_or_default());
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        Ok(began.elapsed())
    }

    /// Types `keys` without reading along.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn presses(&mut self, keys: &[u8]) -> std::io::Result<()> {
        self.ours.write_all(keys)
    }

    fn reads_for(&mut self, time: Duration) {
        let began = Instant::now();
        loop {
            let left = time.saturating_sub(began.elapsed());
            let wait = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(0),
                tv_nsec: left.subsec_nanos().into(),
            };
            let ready = poll(&mut [PollFd::new(&self.ours, PollFlags::IN)], Some(&wait));
            if ready != Ok(1) {
                return;
            }
            let mut page = [0; 4096];
            match self.ours.read(&mut page) {
                Ok(0) | Err(_) => return,
                Ok(length) => self
                    .seen
                    .extend_from_slice(page.get(..length).unwrap_or_default()),
            }
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
