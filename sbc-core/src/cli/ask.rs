//! One question to a node: an operation goes out as a line of JSON, its answer
//! comes back.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

/// The node answers within this time, or it hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Asks the node at `api`.
///
/// # Errors
/// A sentence for people: nobody is there, or the node refuses and says why.
pub fn ask(api: &Path, operation: &str, arguments: &Value) -> Result<Value, String> {
    let say = |error: std::io::Error| {
        format!(
            "no node answers at {}: {error}\nis 'sbc run' up? --api names another place",
            api.display()
        )
    };
    let stream = UnixStream::connect(api).map_err(say)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(say)?;
    let question = json!({"id": 1, "op": operation, "args": arguments});
    (&stream)
        .write_all(format!("{question}\n").as_bytes())
        .map_err(say)?;
    let mut lines = BufReader::new(&stream).lines();
    // The first line is the greeting.
    lines.next();
    let line = lines
        .next()
        .ok_or_else(|| "the node ended the conversation".to_owned())?
        .map_err(say)?;
    let answer: Value =
        serde_json::from_str(&line).map_err(|error| format!("the answer is no JSON: {error}"))?;
    if let Some(ok) = answer.get("ok") {
        return Ok(ok.clone());
    }
    let text = |field| {
        let error = answer.get("error");
        let value = error.and_then(|error| error.get(field));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    Err(format!("{}: {}", text("code"), text("message")))
}
