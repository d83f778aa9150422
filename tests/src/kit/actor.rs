//! A program of the lab in its own namespace: commands go out as lines, events
//! come back as lines, and it ends with whoever started it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A running program.
#[derive(Debug)]
pub struct Actor {
    pub name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Actor {
    /// Starts `command` under a name for messages.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        let out = child.stdout.take().ok_or("no output")?;
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            seen: Vec::new(),
        })
    }

    /// Returns its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says one line.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn say(&mut self, line: &str) -> Result<(), String> {
        let input = self.child.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{line}").map_err(|error| format!("{}: {error}", self.name))
    }

    /// Waits for a line that starts with `start`; returns the whole line.
    ///
    /// # Errors
    /// What was heard meanwhile.
    pub fn hear(&mut self, start: &str, within: Duration) -> Result<String, String> {
        let until = Instant::now() + within;
        loop {
            if let Some(at) = self.seen.iter().position(|line| line.starts_with(start)) {
                return Ok(self.seen.remove(at));
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "{} said no {start:?} within {within:?}; it said {:?}",
                        self.name, self.seen
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("{} ended; it said {:?}", self.name, self.seen));
                }
            }
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// As [`Actor::hear`].
    pub fn ask(&mut self, line: &str, start: &str) -> Result<String, String> {
        self.say(line)?;
        self.hear(start, Duration::from_secs(10))
    }

    /// Forgets what was heard and not asked for.
    pub fn forget(&mut self) {
        self.seen.extend(self.lines.try_iter());
        self.seen.clear();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Its input ends, and so does it; a program that does not is ended.
        drop(self.child.stdin.take());
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
