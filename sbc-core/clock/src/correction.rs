//! How far a clock may be moved, and by whom: an offset comes in, a correction or a
//! refusal goes out. Small ones are slewed; a step is for the first time only, or for
//! an operator.

use core::time::Duration;

use crate::{EARLIEST, Moment};

/// The first offset of a boot is slewed up to here, and stepped above: slewing half a
/// second takes 17 minutes.
pub const FIRST_SLEWED_MAX: Duration = Duration::from_millis(500);

/// Later ones are slewed up to here: a minute takes 33 hours.
pub const SLEWED_MAX: Duration = Duration::from_secs(60);

/// The widest step without an operator, unless the clock was never set.
pub const STEPPED_MAX: Duration = Duration::from_secs(1000);

/// 2100: beyond it a date of an operator is a mistake in typing.
pub const LATEST: Moment = 4_102_444_800 * crate::SECOND;

/// Whose word an offset is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    Servers,
    Operator,
}

/// What is to be done with the clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Correction {
    /// It runs a little faster or slower until it has gained that much.
    Slew(i64),
    /// It is set that much further.
    Step(i64),
}

/// Why a clock stays as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("a step of more than {} s needs 'request clock accept'", STEPPED_MAX.as_secs())]
    TooFar,
    #[error("the clock was set in this boot; more than {} s need 'request clock accept'", SLEWED_MAX.as_secs())]
    Again,
    #[error("that is before this release was made")]
    Early,
    #[error("that is after 2100")]
    Late,
}

/// What is known of the clock in this boot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Clock {
    /// Servers have set it.
    set: bool,
}

impl Clock {
    /// Takes what a clock that says `now` lacks.
    ///
    /// # Errors
    /// When it must not be moved so far.
    pub fn correct(&mut self, now: Moment, offset: i64, by: By) -> Result<Correction, Refusal> {
        let then = now.saturating_add(offset);
        if then < EARLIEST {
            return Err(Refusal::Early);
        }
        if then > LATEST {
            return Err(Refusal::Late);
        }
        if by == By::Operator {
            return Ok(Correction::Step(offset));
        }
        let far = Duration::from_nanos(offset.unsigned_abs());
        let correction = match self.set {
            true if far <= SLEWED_MAX => Correction::Slew(offset),
            true => return Err(Refusal::Again),
            false if far <= FIRST_SLEWED_MAX => Correction::Slew(offset),
            false if far <= STEPPED_MAX || now < EARLIEST => Correction::Step(offset),
            false => return Err(Refusal::TooFar),
        };
        self.set = true;
        Ok(correction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    const NOW: Moment = EARLIEST + 1_000_000 * SECOND;

    fn first(now: Moment, offset: i64) -> Result<Correction, Refusal> {
        Clock::default().correct(now, offset, By::Servers)
    }

    #[test]
    fn the_first_offset_is_slewed_if_small_stepped_if_not_and_refused_above_1000_s() {
        let half = SECOND / 2;
        assert_eq!(first(NOW, -half), Ok(Correction::Slew(-half)));
        assert_eq!(first(NOW, half + 1), Ok(Correction::Step(half + 1)));
        let most = 1000 * SECOND;
        assert_eq!(first(NOW, -most), Ok(Correction::Step(-most)));
        assert_eq!(first(NOW, most + 1), Err(Refusal::TooFar));
        assert_eq!(first(NOW, -most - 1), Err(Refusal::TooFar));
    }

    #[test]
    fn a_clock_that_was_never_set_is_stepped_however_far() {
        assert_eq!(first(0, NOW), Ok(Correction::Step(NOW)));
        // But nobody leads it to where it cannot be.
        assert_eq!(first(0, 5 * SECOND), Err(Refusal::Early));
        assert_eq!(first(0, LATEST + 1), Err(Refusal::Late));
        assert_eq!(first(NOW, i64::MIN), Err(Refusal::Early));
        assert_eq!(first(NOW, i64::MAX), Err(Refusal::Late));
    }

    #[test]
    fn servers_step_once_in_a_boot_and_slew_ever_after() {
        let mut clock = Clock::default();
        let mut by_servers = |offset| clock.correct(NOW, offset, By::Servers);
        // What was refused counts for nothing.
        assert_eq!(by_servers(2000 * SECOND), Err(Refusal::TooFar));
        assert_eq!(by_servers(9 * SECOND), Ok(Correction::Step(9 * SECOND)));
        assert_eq!(by_servers(9 * SECOND), Ok(Correction::Slew(9 * SECOND)));
        assert_eq!(by_servers(60 * SECOND), Ok(Correction::Slew(60 * SECOND)));
        assert_eq!(by_servers(61 * SECOND), Err(Refusal::Again));
    }

    #[test]
    fn an_operator_steps_as_far_as_a_date_can_be_meant() {
        let mut clock = Clock { set: true };
        let mut by_hand = |offset| clock.correct(NOW, offset, By::Operator);
        let year = 365 * 86_400 * SECOND;
        assert_eq!(by_hand(3 * year), Ok(Correction::Step(3 * year)));
        assert_eq!(by_hand(-3 * year), Err(Refusal::Early));
        assert_eq!(by_hand(200 * year), Err(Refusal::Late));
    }
}
