//! The clock of the machine: what it lacks comes in from the console, and it is slewed
//! or stepped, where the machine is the node's. No timer of the node reads it.

use std::io;

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};
use sbc_clock::{By, Correction, Moment, SECOND};
use serde_json::json;

use super::configuration::Answered;
use super::{APPLIANCE, Supervisor};
use crate::ipc::ClockBy;

impl Supervisor {
    /// Corrects the clock by what servers or an operator say that it lacks.
    pub fn correct(&mut self, offset: i64, by: ClockBy) -> Answered {
        let is_ours = self.settings.iter().any(|(name, _)| *name == APPLIANCE);
        let by = match (is_ours, by) {
            (true, ClockBy::Servers) => By::Servers,
            (true, ClockBy::Operator) => By::Operator,
            (false, ClockBy::Servers) => {
                let why = "whoever runs this machine sets its clock";
                return Ok(json!({ "did": "nothing", "why": why }));
            }
            (false, ClockBy::Operator) => {
                let why = "this machine is not the node's own".to_owned();
                return Err(("SBC-3023", why));
            }
        };
        let correction = match (self.clock.correct(now(), offset, by), by) {
            (Ok(correction), _) => correction,
            (Err(refusal), By::Servers) => {
                return Ok(json!({ "did": "refused", "why": refusal.to_string() }));
            }
            (Err(refusal), By::Operator) => return Err(("SBC-3002", refusal.to_string())),
        };
        let (did, done) = match correction {
            Correction::Slew(offset) => ("slewed", slew(offset)),
            Correction::Step(offset) => ("stepped", step(offset)),
        };
        let millis = offset / 1_000_000;
        match done {
            Ok(()) if did == "stepped" => tracing::warn!(millis, ?by, "the clock was stepped"),
            Ok(()) => tracing::debug!(millis, ?by, "the clock is slewed"),
            Err(error) => {
                tracing::error!(%error, millis, "the clock cannot be set");
                return Ok(json!({ "did": "failed", "why": error.to_string() }));
            }
        }
        Ok(json!({ "did": did, "why": "" }))
    }
}

/// Returns the wall clock.
fn now() -> Moment {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec
        .saturating_mul(SECOND)
        .saturating_add(now.tv_nsec)
}

fn step(offset: i64) -> io::Result<()> {
    // What an earlier correction left to do is in the new one.
    slew(0)?;
    let then = now().saturating_add(offset);
    let time = Timespec {
        tv_sec: then.div_euclid(SECOND),
        tv_nsec: then.rem_euclid(SECOND),
    };
    Ok(clock_settime(ClockId::Realtime, time)?)
}

/// `struct timeval`.
#[repr(C)]
struct Span {
    secs: i64,
    micros: i64,
}

#[expect(unsafe_code, reason = "a clock is slewed by adjtime(3)")]
// SAFETY: this is how the C library declares it, which every program of ours is linked
// to; rustix has no word for it.
unsafe extern "C" {
    fn adjtime(delta: *const Span, left: *mut Span) -> i32;
}

/// Lets the clock run faster or slower, by 500 in a million, until it has gained
/// `offset`; what was left of an earlier call is forgotten.
#[expect(unsafe_code, reason = "a clock is slewed by adjtime(3)")]
fn slew(offset: i64) -> io::Result<()> {
    let delta = Span {
        secs: offset / SECOND,
        micros: offset % SECOND / 1000,
    };
    // SAFETY: it reads one `struct timeval`, which lives until it returns, and writes
    // nothing where the second pointer is null.
    match unsafe { adjtime(&raw const delta, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
