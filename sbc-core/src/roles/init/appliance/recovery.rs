//! A key on the serial console before the configuration is read comes in; what a
//! person without a password may do goes out: erase everything, with the machine's
//! serial number typed, or go on. Nobody is waited for who pressed no key.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

const CONSOLE: &str = "/dev/console";
/// Whoever pressed the key has this long to type, then the boot goes on.
const TYPES_WITHIN: Duration = Duration::from_secs(60);
/// Letters of an answer.
const ANSWER_MAX: usize = 64;

/// A console whose keys are heard as they are pressed.
#[derive(Debug)]
pub struct Keys {
    console: File,
    before: Termios,
}

impl Keys {
    /// Begins to listen; without a console there is nothing to hear.
    #[must_use]
    pub fn listen() -> Option<Self> {
        let mut options = File::options();
        let options = options.read(true).write(true);
        let plain = rustix::fs::OFlags::NOCTTY;
        let console = options
            .custom_flags(plain.bits().cast_signed())
            .open(CONSOLE)
            .ok()?;
        let before = tcgetattr(&console).ok()?;
        let mut single = before.clone();
        single
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&console, OptionalActions::Now, &single).ok()?;
        Some(Self { console, before })
    }

    /// Returns whether `r` was pressed since.
    pub fn has_r(&mut self) -> bool {
        let mut pressed = [0; 256];
        let length = match self.is_pressed(Duration::ZERO) {
            Ok(true) => self.console.read(&mut pressed).unwrap_or_default(),
            Ok(false) | Err(_) => 0,
        };
        let pressed = pressed.get(..length).unwrap_or_default();
        pressed.iter().any(|key| key.eq_ignore_ascii_case(&b'r'))
    }

    /// Asks for the serial number; returns whether it was typed.
    ///
    /// # Errors
    /// When the console is gone.
    pub fn wants_reset(&mut self, serial: &str) -> io::Result<bool> {
        let lead = "\nrecovery: all links are down.  To erase configuration, secrets, records\n\
                    and logs, and keep the firmware, type the serial number of this machine,\n";
        let question = format!("{lead}{serial}.  Enter alone boots on: ");
        self.console.write_all(question.as_bytes())?;
        let answer = self.line()?;
        let wanted = answer == serial;
        let told = if wanted {
            "\nerasing\n"
        } else {
            "\nnothing was erased\n"
        };
        self.console.write_all(told.as_bytes())?;
        Ok(wanted)
    }

    /// Returns whether a key is pressed within this time.
    fn is_pressed(&self, within: Duration) -> io::Result<bool> {
        let time = Timespec {
            tv_sec: i64::try_from(within.as_secs()).unwrap_or_default(),
            tv_nsec: i64::from(within.subsec_nanos()),
        };
        let mut one = [PollFd::new(&self.console, PollFlags::IN)];
        Ok(poll(&mut one, Some(&time))? > 0)
    }

    /// Reads what is typed until its end, and shows it.
    fn line(&mut self) -> io::Result<String> {
        let until = Instant::now() + TYPES_WITHIN;
        let mut answer = String::new();
        while answer.len() < ANSWER_MAX {
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return Ok(String::new());
            };
            let mut key = [0];
            if !self.is_pressed(left)? || self.console.read(&mut key)? == 0 {
                return Ok(String::new());
            }
            let [key] = key;
            match key {
                b'\r' | b'\n' => break,
                8 | 0x7f => drop(answer.pop()),
                _ if key.is_ascii_graphic() => {
                    answer.push(char::from(key));
                    self.console.write_all(&[key])?;
                }
                _ => {}
            }
        }
        Ok(answer)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _as_it_was = tcsetattr(&self.console, OptionalActions::Now, &self.before);
    }
}
