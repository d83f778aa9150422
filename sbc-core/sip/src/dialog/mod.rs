//! Dialogs and what lives inside them: facts of requests and responses come in,
//! verdicts and the parts of the next message go out (RFC 3261 §12 to §15).
//!
//! Everything here is a value with a clock passed in: nothing sends, nothing
//! sleeps. The caller asks each value for its `next_wakeup` and comes back.

pub mod backoff;
pub mod exchange;
pub mod facts;
pub mod forks;
pub mod life;
pub mod reliable;
pub mod session_timer;
pub mod state;
#[cfg(test)]
mod table;
pub mod two_xx;

pub use facts::{Opening, Reply, Unfit, record_route};
pub use forks::Forks;
pub use state::{Dialog, Place, Role, Verdict, place};
