//! The names of a session's ends: those of one side's messages come in, those of our
//! messages to that side go out (RFC 7989 §5, §7). The node has no name of its own: it
//! passes those on that the ends gave themselves.

use sbc_sip::message::{Field, SessionId, Writer, single};
use sbc_sip::wire::Frame;
use serde::{Deserialize, Serialize};

/// What the two ends call a session; 0 is the null value of an end that gave no name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Session {
    /// The end on this leg's side.
    pub near: u128,
    /// The end behind the node.
    pub far: u128,
}

impl Session {
    /// Takes the name that a message of the peer gives its end. Returns whether it is
    /// news.
    pub fn hear(&mut self, frame: &Frame) -> bool {
        let Ok(Some(id)) = single::<SessionId>(frame.all(SessionId::NAME)) else {
            return false;
        };
        let news = id.local != 0 && id.local != self.near;
        if news {
            self.near = id.local;
        }
        news
    }

    /// Writes both names, if there is any.
    pub fn write(self, writer: &mut Writer<'_>) {
        if self != Self::default() {
            writer.field(&SessionId {
                local: self.far,
                remote: Some(self.near),
            });
        }
    }
}
