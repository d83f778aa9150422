//! What a bad cable does to frames: lose, double, spoil, delay, or nothing at
//! all; the same in every run.

use std::time::Duration;

/// How bad the cable at a port is, for frames on their way out of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// Nothing goes out and nothing comes in.
    pub is_cut: bool,
    /// Of a thousand frames, how many are lost.
    pub lose: u16,
    /// Of a thousand, how many come twice.
    pub double: u16,
    /// Of a thousand, how many have one octet behind the addresses spoiled.
    pub spoil: u16,
    /// How late all are.
    pub delay: Duration,
}

/// What becomes of one frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fate {
    Lost,
    Sent { spoiled: bool, twice: bool },
}

/// The dice of one port (xorshift).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Returns dice that fall the same way for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn throw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn hits(&mut self, of_a_thousand: u16) -> bool {
        of_a_thousand > 0 && (self.throw() >> 20) % 1000 < u64::from(of_a_thousand)
    }

    /// Returns what becomes of a frame; spoils it if that is its fate.
    pub fn fate(&mut self, faults: &Faults, frame: &mut [u8]) -> Fate {
        if faults.is_cut || self.hits(faults.lose) {
            return Fate::Lost;
        }
        let spoiled = self.hits(faults.spoil);
        if spoiled && let Some(body) = frame.get_mut(14..).filter(|body| !body.is_empty()) {
            let at = usize::try_from(self.throw() >> 20).unwrap_or_default() % body.len();
            if let Some(octet) = body.get_mut(at) {
                *octet ^= 0xff;
            }
        }
        let twice = self.hits(faults.double);
        Fate::Sent { spoiled, twice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked_and_the_same_in_every_run() {
        let faults = Faults {
            lose: 100,
            double: 50,
            spoil: 20,
            ..Faults::default()
        };
        let play = || {
            let (mut dice, mut lost, mut twice, mut spoilt) = (Dice::new(7), 0, 0, 0);
            for _ in 0..10_000 {
                let mut frame = [0; 64];
                match dice.fate(&faults, &mut frame) {
                    Fate::Lost => lost += 1,
                    Fate::Sent {
                        spoiled,
                        twice: double,
                    } => {
                        assert_eq!(
                            frame.iter().filter(|octet| **octet != 0).count(),
                            usize::from(spoiled)
                        );
                        assert!(frame[..14].iter().all(|octet| *octet == 0));
                        spoilt += u32::from(spoiled);
                        twice += u32::from(double);
                    }
                }
            }
            (lost, twice, spoilt)
        };
        let (lost, twice, spoilt) = play();
        assert!((900..1100).contains(&lost), "{lost}");
        assert!((380..520).contains(&twice), "{twice}");
        assert!((130..230).contains(&spoilt), "{spoilt}");
        assert_eq!(play(), (lost, twice, spoilt));
    }

    #[test]
    fn a_sound_cable_changes_nothing_and_a_cut_one_carries_nothing() {
        let mut frame = [9; 64];
        let sound = Dice::new(1).fate(&Faults::default(), &mut frame);
        assert_eq!(
            (sound, frame),
            (
                Fate::Sent {
                    spoiled: false,
                    twice: false
                },
                [9; 64]
            )
        );
        let cut = Faults {
            is_cut: true,
            ..Faults::default()
        };
        assert_eq!(Dice::new(1).fate(&cut, &mut frame), Fate::Lost);
    }
}
