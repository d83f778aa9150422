//! The ladder of a call: its messages and media events come in, in order, and
//! one value goes out that four writers know: text, SVG, JSON, capture file.

mod svg;
mod text;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Side;

/// A ladder has at most this many rungs; a day-long call with refreshes on both
/// legs fits. Later rungs are counted, not kept.
pub const RUNGS_MAX: usize = 512;

/// Everything that was said in one call.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ladder {
    /// The call's handle, and its id in logs and records.
    pub call: u32,
    pub id: String,
    /// The peer on each side, and where it is.
    pub peers: [Party; 2],
    pub rungs: Vec<Rung>,
    /// Rungs over the bound.
    pub more: u32,
    /// How it ended, in one sentence; empty while it lasts.
    pub end: String,
    /// What it suffered from, in one sentence; empty if it is well.
    #[serde(default)]
    pub diagnosis: String,
}

/// A peer at the head of a ladder.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Party {
    pub name: String,
    pub place: String,
}

/// One step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rung {
    /// Since the first rung.
    pub at: Duration,
    pub side: Side,
    /// The node said it; else the peer did.
    pub ours: bool,
    /// `INVITE`, `183`, `rtp`: what stands on the arrow.
    pub what: String,
    /// The message carries an SDP body.
    pub sdp: bool,
    pub note: String,
    /// The message as it was on the wire, for JSON and capture files.
    #[serde(default)]
    pub message: String,
}

impl Ladder {
    /// Adds a step, or counts it when the ladder is full.
    pub fn push(&mut self, rung: Rung) {
        if self.rungs.len() < RUNGS_MAX {
            self.rungs.push(rung);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Returns the ladder in 80 columns of ASCII.
    #[must_use]
    pub fn text(&self) -> String {
        text::write(self)
    }

    /// Returns the ladder as an SVG image without scripts.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(self)
    }
}

/// Returns `text` with every byte that could steer a terminal written as
/// `\x1b`, and everything beyond ASCII as `?`.
#[must_use]
pub fn printable(text: &str) -> String {
    use core::fmt::Write as _;
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => clean.push(c),
            '\0'..='\u{9f}' => {
                let _infallible = write!(clean, "\\x{:02x}", u32::from(c));
            }
            _ => clean.push('?'),
        }
    }
    clean
}

#[cfg(test)]
mod tests;
