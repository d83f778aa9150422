//! Takes a range of UDP ports, gives out pairs in random order: an even port for
//! RTP and the next one for RTCP (RFC 3550 §11), rested before they are used again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::Instant;

/// How long a pair rests, so that late packets of one call meet no other.
pub const REST: Duration = Duration::from_secs(10);

/// How long it rests at least when no other pair is left: a quick turn is better
/// than a refused call, for the next call admits only its own sources anyway.
pub const LEAST_REST: Duration = Duration::from_secs(1);

/// Rested pairs that one call of [`Ports::take`] puts back: two, so that they
/// come back faster than they are given out and no call pays for many.
const RETURNS_PER_TAKE: usize = 2;

/// The ports of one zone.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    /// Where each pair stands; the pair's RTP port is `first + 2 * index`.
    state: Vec<State>,
    /// Pairs ready for use, in no order.
    free: Vec<u16>,
    /// Pairs that rest, the oldest in front, with the moment they were given back.
    resting: VecDeque<(Instant, u16)>,
    taken: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// At this place of the free list.
    Free(u16),
    Resting,
    Taken,
}

/// Why a range of ports cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    #[error("no even port with an odd one after it in {first}-{last}")]
    Empty { first: u16, last: u16 },
    #[error("port 0 cannot carry media")]
    Zero,
}

impl Ports {
    /// Takes the range, both ends included. A lone odd port at the start or a lone
    /// even one at the end stays unused.
    pub fn new(first: u16, last: u16) -> Result<Self, Unusable> {
        if first == 0 {
            return Err(Unusable::Zero);
        }
        let even = first.checked_add(first % 2);
        let pairs = even.map_or(0, |even| {
            (u32::from(last) + 1).saturating_sub(even.into()) / 2
        });
        let pairs = u16::try_from(pairs).unwrap_or(0);
        match even {
            Some(first) if pairs > 0 => Ok(Self {
                first,
                state: (0..pairs).map(State::Free).collect(),
                free: (0..pairs).collect(),
                resting: VecDeque::with_capacity(pairs.into()),
                taken: 0,
            }),
            _ => Err(Unusable::Empty { first, last }),
        }
    }

    /// Returns the RTP port of a pair nobody uses; `random` chooses which. Constant
    /// time, also with one pair left. `None` when all are taken or rest too briefly.
    pub fn take(&mut self, now: Instant, random: u32) -> Option<u16> {
        for _ in 0..RETURNS_PER_TAKE {
            self.wake(now, REST);
        }
        if self.free.is_empty() {
            self.wake(now, LEAST_REST);
        }
        let count = u64::try_from(self.free.len()).unwrap_or(0);
        let place = usize::try_from((u64::from(random) * count) >> 32).unwrap_or(0);
        let pair = *self.free.get(place)?;
        self.remove_free(place);
        self.mark(pair, State::Taken);
        self.taken += 1;
        Some(self.port(pair))
    }

    /// Takes the pair at RTP port `port` by name, as after a restart. Returns false
    /// if it is outside the range, odd or taken already.
    pub fn claim(&mut self, port: u16) -> bool {
        let Some(pair) = self.pair(port) else {
            return false;
        };
        match self.state_of(pair) {
            Some(State::Free(place)) => self.remove_free(place.into()),
            Some(State::Resting) => self.resting.retain(|(_, resting)| *resting != pair),
            Some(State::Taken) | None => return false,
        }
        self.mark(pair, State::Taken);
        self.taken += 1;
        true
    }

    /// Takes a pair back by its RTP port, to rest from `now`. Returns false if it was
    /// not taken.
    pub fn give(&mut self, now: Instant, port: u16) -> bool {
        let Some(pair) = self.pair(port) else {
            return false;
        };
        if self.state_of(pair) != Some(State::Taken) {
            return false;
        }
        self.mark(pair, State::Resting);
        self.resting.push_back((now, pair));
        self.taken -= 1;
        true
    }

    /// Returns how many pairs there are in all.
    pub fn capacity(&self) -> usize {
        self.state.len()
    }

    /// Returns how many pairs are in use.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Frees the pair that rests longest, if it has rested for `rest`.
    fn wake(&mut self, now: Instant, rest: Duration) {
        let rested = |since: Instant| now.saturating_sub(since) >= rest;
        let Some((_, pair)) = self.resting.pop_front_if(|(since, _)| rested(*since)) else {
            return;
        };
        let place = u16::try_from(self.free.len()).unwrap_or(u16::MAX);
        self.free.push(pair);
        self.mark(pair, State::Free(place));
    }

    /// Fills the gap at `place` of the free list with its last entry.
    fn remove_free(&mut self, place: usize) {
        self.free.swap_remove(place);
        if let Some(moved) = self.free.get(place).copied() {
            self.mark(moved, State::Free(u16::try_from(place).unwrap_or(u16::MAX)));
        }
    }

    fn mark(&mut self, pair: u16, state: State) {
        if let Some(slot) = self.state.get_mut(usize::from(pair)) {
            *slot = state;
        }
    }

    fn state_of(&self, pair: u16) -> Option<State> {
        self.state.get(usize::from(pair)).copied()
    }

    fn port(&self, pair: u16) -> u16 {
        self.first.saturating_add(pair.saturating_mul(2))
    }

    fn pair(&self, port: u16) -> Option<u16> {
        let distance = port.checked_sub(self.first)?;
        (distance % 2 == 0 && usize::from(distance / 2) < self.state.len()).then_some(distance / 2)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    const START: Instant = Duration::from_secs(100);

    /// RFC 3550 §11: RTP on an even port, RTCP on the next.
    #[test]
    fn every_port_given_out_is_even_and_its_neighbour_lies_in_the_range() {
        for (first, last) in [(10_000, 10_009), (10_001, 10_010), (65_530, 65_535), (1, 4)] {
            let mut ports = Ports::new(first, last).unwrap();
            let mut seen = BTreeSet::new();
            while let Some(port) = ports.take(START, 0x8000_0000) {
                assert!(port % 2 == 0 && port >= first && port < last);
                assert!(seen.insert(port), "{port} twice");
            }
            assert_eq!(seen.len(), ports.capacity());
        }
    }

    #[test]
    fn a_range_without_a_whole_pair_is_refused() {
        let empty = |first, last| Unusable::Empty { first, last };
        assert_eq!(Ports::new(7, 8).unwrap_err(), empty(7, 8));
        assert_eq!(Ports::new(8, 8).unwrap_err(), empty(8, 8));
        assert_eq!(Ports::new(9, 3).unwrap_err(), empty(9, 3));
        assert_eq!(
            Ports::new(65_535, 65_535).unwrap_err(),
            empty(65_535, 65_535)
        );
        assert_eq!(Ports::new(0, 100).unwrap_err(), Unusable::Zero);
    }

    #[test]
    fn the_whole_range_is_usable_to_the_last_pair() {
        let mut ports = Ports::new(16_384, 32_767).unwrap();
        for number in 0..8_192_u32 {
            assert!(
                ports
                    .take(START, number.wrapping_mul(0x9e37_79b9))
                    .is_some()
            );
        }
        assert_eq!(ports.take(START, 0), None);
        assert_eq!(ports.taken(), 8_192);
    }

    #[test]
    fn the_order_follows_the_randomness() {
        let order = |seed: u32| {
            let mut ports = Ports::new(20_000, 20_199).unwrap();
            (0..100_u32)
                .filter_map(|n| ports.take(START, (n + seed).wrapping_mul(0x9e37_79b9)))
                .collect::<Vec<_>>()
        };
        let (one, other) = (order(1), order(77));
        assert_ne!(one, other);
        assert!(!one.is_sorted());
        let mut sorted = other;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).map(|n| 20_000 + 2 * n).collect::<Vec<_>>());
    }

    #[test]
    fn a_pair_given_back_rests_before_it_is_used_again() {
        let mut ports = Ports::new(20_000, 20_003).unwrap();
        let port = ports.take(START, 0).unwrap();
        assert!(ports.give(START, port));
        // The other pair is preferred, also at the very end of the rest.
        let other = ports
            .take(START + REST - Duration::from_millis(1), u32::MAX)
            .unwrap();
        assert_ne!(other, port);
        assert_eq!(ports.take(START + REST, 0), Some(port));
    }

    #[test]
    fn the_last_pair_is_used_early_but_not_at_once() {
        let mut ports = Ports::new(20_000, 20_001).unwrap();
        let port = ports.take(START, 0).unwrap();
        ports.give(START, port);
        assert_eq!(ports.take(START + LEAST_REST / 2, 0), None);
        assert_eq!(ports.take(START + LEAST_REST, 0), Some(port));
    }

    #[test]
    fn a_pair_is_given_back_once_and_only_if_taken() {
        let mut ports = Ports::new(20_000, 20_007).unwrap();
        let port = ports.take(START, 0).unwrap();
        assert!(!ports.give(START, port + 1));
        assert!(!ports.give(START, 30_000));
        assert!(ports.give(START, port));
        assert!(!ports.give(START, port));
        assert_eq!(ports.taken(), 0);
    }

    #[test]
    fn a_restart_claims_the_ports_it_had_wherever_they_stand() {
        let mut ports = Ports::new(20_000, 20_007).unwrap();
        assert!(ports.claim(20_004));
        assert!(!ports.claim(20_004));
        assert!(!ports.claim(20_005));
        assert!(!ports.claim(19_998));
        assert!(ports.give(START, 20_004));
        assert!(ports.claim(20_004));
        let rest: BTreeSet<_> = (0..3).filter_map(|_| ports.take(START, 0)).collect();
        assert_eq!(rest, BTreeSet::from([20_000, 20_002, 20_006]));
    }

    /// Every mix of take, claim and give of three pairs, seven steps deep.
    #[test]
    fn no_sequence_of_requests_gives_one_pair_to_two_callers() {
        for path in 0..6_u32.pow(7) {
            let (mut ports, mut held) = (Ports::new(100, 105).unwrap(), Vec::new());
            let (mut now, mut choice) = (START, path);
            for _ in 0..7 {
                match choice % 6 {
                    0 => held.extend(ports.take(now, 0)),
                    1 => held.extend(ports.take(now, u32::MAX)),
                    2 => held.extend(ports.claim(102).then_some(102)),
                    3 => drop((!held.is_empty()).then(|| ports.give(now, held.remove(0)))),
                    4 => drop(held.pop().map(|port| ports.give(now, port))),
                    _ => now += Duration::from_millis(600),
                }
                choice /= 6;
                let distinct: BTreeSet<_> = held.iter().collect();
                assert_eq!(distinct.len(), held.len(), "path {path}");
                assert_eq!(ports.taken(), held.len(), "path {path}");
            }
        }
    }
}
