//! RTP and RTCP as values: packets become views and counters, counters become
//! reports and a quality estimate (RFC 3550, RFC 4733, ITU-T G.107).

mod header;
mod mos;
mod reception;
mod schedule;

pub mod events;
pub mod rtcp;

pub use header::{Header, Malformed, is_rtcp, set_number};
pub use mos::{Conditions, mos};
pub use reception::{Arrival, Interval, Reception};
pub use schedule::{NtpTime, REPORT_INTERVAL, report_interval};

/// Ticks of the RTP clock per second: that of all telephone audio (RFC 3551 §4.5.14).
pub const CLOCK: u32 = 8_000;

/// Returns a moment in ticks of the RTP clock, wrapping as timestamps do.
pub fn ticks(moment: crate::Instant) -> u32 {
    const NANOS: u32 = 1_000_000_000 / CLOCK;
    let whole = moment.as_secs().wrapping_mul(u64::from(CLOCK));
    // Timestamps count modulo 2^32 (RFC 3550 §5.1).
    (whole as u32).wrapping_add(moment.subsec_nanos() / NANOS)
}
