//! A conversation with a node: an operation goes out as a line of JSON, its
//! answer comes back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pager::INTERRUPTED;

/// The node answers within this time, or it hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// How long nobody looks whether Ctrl-C was pressed.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// An open conversation.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
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
        stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
        let mut client = Self {
            stream: BufReader::new(stream),
            hello: Value::Null,
            next: 1,
            part: Vec::new(),
        };
        let hello = client.line()?;
        client.hello = hello.get("hello").cloned().unwrap_or_default();
        Ok(client)
    }

    /// Asks for one operation.
    ///
    /// # Errors
    /// When nobody answers, or the node refuses and says why.
    pub fn ask(&mut self, operation: &str, arguments: &Value) -> Result<Value, Unanswered> {
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
