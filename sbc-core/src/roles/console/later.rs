//! A commit that waits for its time: one at most, in this role's memory. It takes
//! effect only over the revision it was made from.

use std::rc::Rc;

use serde_json::{Value, json};

use super::operations::{Answered, put};
use super::room::Room;
use crate::ipc::ConfigOrder;

/// What waits.
#[derive(Debug, Default)]
pub struct Later(Option<Waiting>);

#[derive(Debug)]
struct Waiting {
    /// Seconds since 1970.
    at: u64,
    text: String,
    order: ConfigOrder,
}

impl Later {
    /// Returns when it becomes live, in seconds since 1970.
    pub fn at(&self) -> Option<u64> {
        self.0.as_ref().map(|waiting| waiting.at)
    }

    /// Forgets it. Returns when it would have become live.
    pub fn cancel(&mut self) -> Option<u64> {
        self.0.take().map(|waiting| waiting.at)
    }

    fn due(&mut self, now: u64) -> Option<Waiting> {
        self.0.take_if(|waiting| waiting.at <= now)
    }
}

/// Keeps a text until `at`; it is checked at once, and again when its time comes.
pub fn keep(room: &Rc<Room>, at: u64, text: String, order: ConfigOrder) -> Answered {
    let no = |code: &str, why: String| (code.to_owned(), why);
    if at <= super::now() {
        return Err(no("SBC-3002", "that moment is over".to_owned()));
    }
    if let Some(earlier) = room.later.borrow().at() {
        let earlier = sbc_core::cli::moment(earlier);
        return Err(no(
            "SBC-3011",
            format!("a commit waits until {earlier} UTC"),
        ));
    }
    if sbc_config::check(&text).node.is_none() {
        return Err(no("SBC-3012", "it makes no sense".to_owned()));
    }
    room.later.borrow_mut().0 = Some(Waiting { at, text, order });
    Ok(json!({ "at": at }))
}

/// Makes live what is due; what cannot be is said in the diary and the audit log.
pub async fn look(room: &Rc<Room>) {
    let due = room.later.borrow_mut().due(super::now());
    let Some(waiting) = due else { return };
    let said = match put(room, &waiting.text, waiting.order).await {
        Ok(answer) => {
            let revision = answer.get("revision").and_then(Value::as_u64);
            let revision = revision.unwrap_or(0);
            format!("the commit that waited is live: revision {revision}")
        }
        Err((code, why)) => format!("the commit that waited is refused: {code}: {why}"),
    };
    tracing::warn!("{said}");
    room.note("node", "-", &said);
}
