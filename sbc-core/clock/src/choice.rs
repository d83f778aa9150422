//! From answers of several servers to one offset (RFC 5905 §11.2): those that agree
//! are found, and their middle counts, near servers more than far ones.

use alloc::vec::Vec;
use core::time::Duration;

use crate::packet::Unfit;
use crate::{Answer, Moment};

/// No server is nearer than this: what a kernel and a switch cost (RFC 5905 §7.2:
/// MINDIST).
const DISTANCE_MIN: i64 = 10_000_000;

/// What one server says of our clock. All numbers are nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample {
    /// What our clock lacks.
    pub offset: i64,
    /// How long the way there and back took.
    pub delay: i64,
    /// How far the true offset may lie from this one.
    pub distance: i64,
    pub stratum: u8,
}

impl Sample {
    /// Takes an answer to a question of `asked` by our clock, which took `waited` by a
    /// clock that nobody sets (RFC 4330 §5).
    ///
    /// # Errors
    /// When the server's times do not fit in ours.
    pub fn of(answer: &Answer, asked: Moment, waited: Duration) -> Result<Self, Unfit> {
        let (received, transmitted) = answer.times(asked);
        let waited = i64::try_from(waited.as_nanos()).unwrap_or(i64::MAX);
        let held = transmitted.saturating_sub(received);
        // Its clock may run a little faster than ours.
        if held < 0 || held > waited.saturating_add(DISTANCE_MIN) {
            return Err(Unfit::Times);
        }
        let there = i128::from(received) - i128::from(asked);
        let back = i128::from(transmitted) - i128::from(asked) - i128::from(waited);
        let offset = i64::try_from((there + back) / 2).map_err(|_| Unfit::Times)?;
        let delay = waited.saturating_sub(held).max(0);
        let root = i64::try_from(answer.root_distance.as_nanos()).unwrap_or(i64::MAX);
        Ok(Self {
            offset,
            delay,
            distance: root.saturating_add(delay / 2).max(DISTANCE_MIN),
            stratum: answer.stratum,
        })
    }

    const fn contains(&self, offset: i64) -> bool {
        self.offset.saturating_sub(self.distance) <= offset
            && offset <= self.offset.saturating_add(self.distance)
    }
}

/// What was chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    pub offset: i64,
    /// Which of the samples agree.
    pub agree: Vec<usize>,
}

/// Returns the middle of those samples that agree, if they are more than half of all.
/// A near server weighs more than a far one.
#[must_use]
pub fn choose(samples: &[Sample]) -> Option<Choice> {
    let agree = agreement(samples)?;
    let mut sorted: Vec<&Sample> = agree.iter().filter_map(|at| samples.get(*at)).collect();
    sorted.sort_by_key(|sample| sample.offset);
    let whole: i64 = sorted.iter().map(|sample| weight(sample)).sum();
    let mut passed = 0;
    let middle = sorted.iter().find(|sample| {
        passed += weight(sample);
        passed * 2 >= whole
    })?;
    Some(Choice {
        offset: middle.offset,
        agree,
    })
}

/// A million for the nearest there can be.
fn weight(sample: &Sample) -> i64 {
    (DISTANCE_MIN * 1_000_000 / sample.distance.max(DISTANCE_MIN)).max(1)
}

/// Returns which samples could all be right at once, if that is more than half.
fn agreement(samples: &[Sample]) -> Option<Vec<usize>> {
    let edges = samples
        .iter()
        .map(|sample| sample.offset.saturating_sub(sample.distance));
    let groups = edges.map(|edge| {
        let all = samples.iter().enumerate();
        let inside = all.filter(|(_, sample)| sample.contains(edge));
        inside.map(|(at, _)| at).collect::<Vec<usize>>()
    });
    let most = groups.max_by_key(Vec::len)?;
    (most.len() * 2 > samples.len()).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    const MS: i64 = 1_000_000;

    fn sample(offset: i64, distance: i64) -> Sample {
        Sample {
            offset: offset * MS,
            delay: 0,
            distance: distance * MS,
            stratum: 2,
        }
    }

    fn chosen(samples: &[(i64, i64)]) -> Option<(i64, Vec<usize>)> {
        let samples: Vec<Sample> = samples.iter().map(|(at, off)| sample(*at, *off)).collect();
        choose(&samples).map(|choice| (choice.offset / MS, choice.agree))
    }

    /// RFC 5905 §11.2.1: one of three that lies is outvoted, wherever it stands.
    #[test]
    fn one_false_ticker_of_three_does_not_move_the_clock() {
        for lie in [-3_600_000, -500, 500, 3_600_000] {
            for at in 0..3 {
                let mut all = alloc::vec![(7, 20), (9, 20)];
                all.insert(at, (lie, 20));
                let (offset, agree) = chosen(&all).unwrap();
                assert!((7..=9).contains(&offset), "{lie} at {at}: {offset}");
                assert!(!agree.contains(&at), "{lie} at {at}");
            }
        }
    }

    #[test]
    fn two_that_disagree_are_none_and_one_alone_is_believed() {
        assert_eq!(chosen(&[(0, 10), (100, 10)]), None);
        assert_eq!(chosen(&[(0, 10), (100, 10), (200, 10)]), None);
        assert_eq!(chosen(&[(5, 10)]), Some((5, alloc::vec![0])));
        assert_eq!(chosen(&[]), None);
    }

    /// One that calls itself far away agrees with everybody, and moves nobody (the
    /// least distance: RFC 5905 §7.2).
    #[test]
    fn a_near_server_weighs_more_than_far_ones() {
        assert_eq!(chosen(&[(1000, 1400), (3, 10)]).unwrap().0, 3);
        assert_eq!(chosen(&[(-900, 1400), (3, 10), (900, 1400)]).unwrap().0, 3);
        assert_eq!(chosen(&[(1, 20), (2, 20), (3, 20)]).unwrap().0, 2);
    }

    fn answer(received: i64, transmitted: i64) -> Answer {
        let mut packet = [0; 48];
        packet[0] = 0x24;
        packet[1] = 1;
        let stamp = |moment: i64| {
            let secs = u64::try_from(moment / SECOND + 2_208_988_800).unwrap();
            let nanos = u64::try_from(moment % SECOND).unwrap();
            ((secs << 32) | ((nanos << 32) / 1_000_000_000)).to_be_bytes()
        };
        packet[32..40].copy_from_slice(&stamp(received));
        packet[40..48].copy_from_slice(&stamp(transmitted));
        Answer::read(&packet, 0).unwrap()
    }

    /// RFC 4330 §5: offset ((T2 - T1) + (T3 - T4)) / 2, delay (T4 - T1) - (T3 - T2).
    #[test]
    fn offset_and_delay_are_those_of_the_rfc() {
        let base = crate::EARLIEST;
        let said = answer(base + 5 * SECOND + 40 * MS, base + 5 * SECOND + 50 * MS);
        let found = Sample::of(&said, base, Duration::from_millis(90)).unwrap();
        assert_eq!(found.offset / 1000, 5 * SECOND / 1000 - 1);
        assert_eq!((found.delay + 500) / 1000, 80_000);
        assert_eq!((found.distance + 500) / 1000, 40_000);
        // A clock of 1970 is told the whole way.
        let found = Sample::of(&said, 0, Duration::from_millis(90)).unwrap();
        assert!((found.offset - base - 5 * SECOND).abs() < MS);
    }

    #[test]
    fn a_server_that_answers_before_it_heard_or_held_us_too_long_is_unfit() {
        let base = crate::EARLIEST;
        let waited = Duration::from_millis(20);
        let backwards = answer(base + SECOND, base);
        assert_eq!(Sample::of(&backwards, base, waited), Err(Unfit::Times));
        let slow = answer(base, base + SECOND);
        assert_eq!(Sample::of(&slow, base, waited), Err(Unfit::Times));
    }
}
