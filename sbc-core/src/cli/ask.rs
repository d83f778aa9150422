//! A conversation with a node: an operation goes out as a line of JSON, its
//! answer comes back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// The node answers within this time, or it hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// An open conversation.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    /// What the node said of itself.
    pub hello: Value,
    next: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unanswered {
    #[error("no node answers: {0}; is 'sbc run' up? --api names another place")]
    Gone(String),
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
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
        let mut client = Self {
            stream: BufReader::new(stream),
            hello: Value::Null,
            next: 1,
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

    fn line(&mut self) -> Result<Value, Unanswered> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(Unanswered::Gone("it ended the conversation".to_owned()));
        }
        serde_json::from_str(&line).map_err(|error| Unanswered::Gone(error.to_string()))
    }
}
