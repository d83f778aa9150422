//! A conversation with a node: an operation goes out as a line of JSON, its
//! answer comes back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pager::INTERRUPTED;

/// An answer that did not come in this time does not come: a commit may take a
/// minute, and a role that hangs is ended by `init` long before.
const ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// The node reads what it is asked within this time.
const READS_WITHIN: Duration = Duration::from_secs(10);

/// How long nobody looks whether Ctrl-C was pressed.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// An open conversation.
#[derive(Debug)]
pub struct Client {
    api: PathBuf,
    stream: BufReader<UnixStream>,
    /// Of a login: its line, which the node is told first.
    line: Option<String>,
    /// The other end was found gone.
    gone: bool,
    /// What the node said of itself.
    pub hello: Value,
    next: u64,
    /// A line that has not come whole.
    part: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unanswered {
    #[error("no node answers: {0}; is 'sbc run' up? --api names another place")]
    Gone(String),
    #[error("given up on")]
    Cancelled,
    #[error("{code}: {message}")]
    Refused { code: String, message: String },
}

impl From<std::io::Error> for Unanswered {
    fn from(error: std::io::Error) -> Self {
        Self::Gone(error.to_string())
    }
}

impl Client {
    /// Opens a conversation with the node at `api`.
    ///
    /// # Errors
    /// When nobody is there.
    pub fn open(api: &Path) -> Result<Self, Unanswered> {
        let stream = UnixStream::connect(api)?;
        stream.set_read_timeout(Some(LOOKS_EVERY))?;
        stream.set_write_timeout(Some(READS_WITHIN))?;
        let mut client = Self {
            api: api.to_owned(),
            stream: BufReader::new(stream),
            line: None,
            gone: false,
            hello: Value::Null,
            next: 1,
            part: Vec::new(),
        };
        let hello = client.line()?;
        client.hello = hello.get("hello").cloned().unwrap_or_default();
        Ok(client)
    }

    /// Makes this the conversation of a login at `line`: it may do nothing until
    /// somebody has logged in. Returns what the node says of itself.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn begin_login(&mut self, line: &str) -> Result<Value, Unanswered> {
        self.line = Some(line.to_owned());
        self.ask("session", &json!({ "line": line }))
    }

    /// Returns whether this conversation wants a name and a password.
    #[must_use]
    pub fn is_login(&self) -> bool {
        self.line.is_some()
    }

    /// Begins the conversation anew, because the other end is gone. That of a login
    /// may do nothing again.
    ///
    /// # Errors
    /// When nobody is there.
    pub fn again(&mut self) -> Result<(), Unanswered> {
        // What is opened may do everything, so that a login must stay one: its line is
        // kept until there is another conversation to tell it to.
        let line = self.line.clone();
        *self = Self::open(&self.api)?;
        if let Some(line) = line {
            self.begin_login(&line)?;
        }
        Ok(())
    }

    /// Returns whether the other end is gone: then whatever is asked is not answered.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        use rustix::net::{RecvFlags, recv};
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.gone || recv(self.stream.get_ref(), &mut [0; 1], look).is_ok_and(|(read, _)| read == 0)
    }

    /// Asks for one operation.
    ///
    /// # Errors
    /// When nobody answers, or the node refuses and says why.
    pub fn ask(&mut self, operation: &str, arguments: &Value) -> Result<Value, Unanswered> {
        let answer = self.answer(operation, arguments);
        self.gone |= matches!(answer, Err(Unanswered::Gone(_)));
        answer
    }

    fn answer(&mut self, operation: &str, arguments: &Value) -> Result<Value, Unanswered> {
        let id = self.next;
        self.next += 1;
        let question = json!({"id": id, "op": operation, "args": arguments});
        self.stream
            .get_mut()
            .write_all(format!("{question}\n").as_bytes())?;
        loop {
            let answer = self.line()?;
            // An answer to a question that was given up on is passed over.
            if answer.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if let Some(ok) = answer.get("ok") {
                return Ok(ok.clone());
            }
            let error = answer.get("error");
            let text = |field| {
                let value = error.and_then(|error| error.get(field));
                super::clean(value.and_then(Value::as_str).unwrap_or_default())
            };
            return Err(Unanswered::Refused {
                code: text("code"),
                message: text("message"),
            });
        }
    }

    /// Waits for one whole line; Ctrl-C gives up on it.
    fn line(&mut self) -> Result<Value, Unanswered> {
        let until = Instant::now() + ANSWERS_WITHIN;
        loop {
            match self.stream.read_until(b'\n', &mut self.part) {
                Ok(0) => return Err(Unanswered::Gone("it ended the conversation".to_owned())),
                Ok(_) if self.part.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.part);
                    let read = serde_json::from_slice(&line);
                    return read.map_err(|error| Unanswered::Gone(error.to_string()));
                }
                Ok(_) => {}
                Err(error) if is_pause(&error) && Instant::now() < until => {
                    if INTERRUPTED.load(Ordering::Relaxed) {
                        return Err(Unanswered::Cancelled);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn is_pause(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
