//! When reports are due, and the clock they are stamped with (RFC 3550 §4, §6.2).

use core::time::Duration;

/// The mean time between two reports: the minimum of RFC 3550 §6.2. With two parties
/// the bandwidth share would allow more, and a Mediation Server waits 30 s at most.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Returns the time to the next report: half to one and a half times `every`, uniform
/// in `random` (RFC 3550 §6.2), so that nodes do not fall into step.
pub fn report_interval(every: Duration, random: u32) -> Duration {
    let whole = every.as_micros() as u64;
    Duration::from_micros(whole / 2 + ((whole * u64::from(random)) >> 32))
}

/// An NTP timestamp: seconds since 1900 and a fraction of 32 bits (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Takes a time since 1970.
    pub fn from_unix(time: Duration) -> Self {
        /// Seventy years, seventeen of them with a leap day.
        const TO_1970: u64 = 2_208_988_800;
        let seconds = time.as_secs().wrapping_add(TO_1970);
        let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    /// Returns the middle 32 bits, in which reports refer to each other: 65536 ths of
    /// a second (RFC 3550 §6.4.1).
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3550 §6.2
    #[test]
    fn reports_come_after_half_to_one_and_a_half_intervals() {
        let after = |random| report_interval(REPORT_INTERVAL, random);
        assert_eq!(after(0), Duration::from_millis(2_500));
        assert_eq!(after(u32::MAX / 2 + 1), REPORT_INTERVAL);
        let longest = after(u32::MAX);
        assert!(longest > Duration::from_millis(7_499) && longest < Duration::from_millis(7_501));
        let rare = Duration::from_secs(20);
        assert_eq!(report_interval(rare, u32::MAX / 2 + 1), rare);
    }

    /// RFC 3550 §4; the example of §6.4.1: 0xb44d_b705:2000_0000 has the middle b705:2000.
    #[test]
    fn ntp_counts_from_1900_in_binary_fractions() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).0, 2_208_988_800 << 32);
        let half = NtpTime::from_unix(Duration::from_millis(500));
        assert_eq!(half.0 & 0xffff_ffff, 0x8000_0000);
        let example = Duration::new(0xb44d_b705 - 2_208_988_800, 125_000_000);
        assert_eq!(NtpTime::from_unix(example).0, 0xb44d_b705_2000_0000);
        assert_eq!(NtpTime::from_unix(example).middle(), 0xb705_2000);
    }
}
