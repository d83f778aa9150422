//! What a caller hears before anybody speaks: silence, or the ringing tone of its
//! country, as G.711 (frequencies and cadences: supplement 2 to ITU-T E.180).

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::g711::{linear_to_a, linear_to_u};
use crate::rtp::CLOCK;
use crate::sdp::{Agreed, Codec};

/// Something the node itself can say.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Tone {
    Ringing(Ringing),
    Silence,
}

/// A ringing tone: one or two frequencies, switched on and off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ringing {
    /// In hertz; 0 for none.
    pub frequencies: [u16; 2],
    /// On, off, on, off, in milliseconds; then from the start.
    pub cadence_ms: [u16; 4],
}

/// A tone to play to a peer until it hears the other side.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Play {
    pub tone: Tone,
    pub codec: Codec,
    /// The payload number the peer knows the codec by.
    pub number: u8,
    /// How long the other side may be silent first.
    pub after: Duration,
}

impl Play {
    /// Returns `tone` in the codec that a leg agreed on.
    pub fn new(tone: Tone, agreed: &Agreed, after: Duration) -> Self {
        let codec = agreed.codec;
        let number = agreed.to_peer.number(codec).unwrap_or(codec.number());
        Self {
            tone,
            codec,
            number,
            after,
        }
    }
}

impl Ringing {
    /// Returns the tone of a country, by its two letters (ISO 3166-1); that of most
    /// of Europe where the country has no row.
    pub fn of(country: &str) -> Self {
        let row = COUNTRIES.iter().find(|(codes, _)| codes.contains(&country));
        row.map_or(EUROPE, |(_, tone)| *tone)
    }

    /// Returns whether the tone is on at a moment of its cycle.
    fn is_on(&self, millis: u32) -> bool {
        let cycle: u32 = self.cadence_ms.iter().map(|part| u32::from(*part)).sum();
        let mut left = millis.checked_rem(cycle).unwrap_or(0);
        for (place, part) in self.cadence_ms.iter().enumerate() {
            match left.checked_sub(u32::from(*part)) {
                Some(rest) => left = rest,
                None => return place % 2 == 0,
            }
        }
        false
    }
}

const fn ringing(frequencies: [u16; 2], cadence_ms: [u16; 4]) -> Ringing {
    Ringing {
        frequencies,
        cadence_ms,
    }
}

const EUROPE: Ringing = ringing([425, 0], [1_000, 4_000, 0, 0]);

/// Countries whose tone is not that of most of Europe.
const COUNTRIES: &[(&[&str], Ringing)] = &[
    (
        &["US", "CA", "PR"],
        ringing([440, 480], [2_000, 4_000, 0, 0]),
    ),
    (
        &["GB", "IE", "MT", "NZ", "SG", "MY"],
        ringing([400, 450], [400, 200, 400, 2_000]),
    ),
    (&["AU"], ringing([400, 425], [400, 200, 400, 2_000])),
    (&["IN"], ringing([400, 425], [400, 200, 400, 2_000])),
    (&["FR"], ringing([440, 0], [1_500, 3_500, 0, 0])),
    (&["ES"], ringing([425, 0], [1_500, 3_000, 0, 0])),
    (&["BE"], ringing([425, 0], [1_000, 3_000, 0, 0])),
    (&["SE"], ringing([425, 0], [1_000, 5_000, 0, 0])),
    (&["JP"], ringing([384, 416], [1_000, 2_000, 0, 0])),
    (&["CN"], ringing([450, 0], [1_000, 4_000, 0, 0])),
    (&["HK"], ringing([440, 480], [400, 200, 400, 3_000])),
    (&["KR"], ringing([440, 480], [1_000, 2_000, 0, 0])),
];

/// Makes the octets of a tone, one after another.
#[derive(Clone, Debug)]
pub struct Player {
    tone: Tone,
    codec: Codec,
    sample: u32,
    /// Of each frequency; a full turn is 2^32.
    phases: [u32; 2],
}

impl Player {
    /// Starts a tone from its beginning.
    pub const fn new(tone: Tone, codec: Codec) -> Self {
        Self {
            tone,
            codec,
            sample: 0,
            phases: [0; 2],
        }
    }

    /// Writes the next octets.
    pub fn fill(&mut self, out: &mut [u8]) {
        for octet in out {
            let sample = self.next_sample();
            *octet = match self.codec {
                Codec::Pcma => linear_to_a(sample),
                Codec::Pcmu => linear_to_u(sample),
            };
        }
    }

    fn next_sample(&mut self) -> i16 {
        let Tone::Ringing(ringing) = self.tone else {
            return 0;
        };
        let millis = self.sample / (CLOCK / 1_000);
        self.sample = self.sample.wrapping_add(1);
        if !ringing.is_on(millis) {
            self.phases = [0; 2];
            return 0;
        }
        let mut sum = 0;
        for (phase, frequency) in self.phases.iter_mut().zip(ringing.frequencies) {
            sum += i32::from(sine(*phase));
            *phase = phase.wrapping_add(turn(frequency));
        }
        // Two tones share the level of one.
        let shared = if ringing.frequencies.contains(&0) {
            sum
        } else {
            sum * 5 / 7
        };
        i16::try_from(shared).unwrap_or(0)
    }
}

/// How far a frequency turns in one sample.
fn turn(frequency: u16) -> u32 {
    u32::try_from((u64::from(frequency) << 32) / u64::from(CLOCK)).unwrap_or(0)
}

/// The level of one tone, −13 dBm0: full scale is a sine of +3.14 dBm0 (G.711).
const LEVEL: f64 = 5_030.0;

/// One turn in steps: fine enough that the steps stay below the law's own.
const STEPS: usize = 1_024;

const SINE: [i16; STEPS] = sines();

fn sine(phase: u32) -> i16 {
    let step = usize::try_from(phase >> 22).unwrap_or(0);
    SINE.get(step).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler alone")]
const fn sines() -> [i16; STEPS] {
    let mut table = [0; STEPS];
    let mut step = 0;
    while step < STEPS {
        // Into the half turn around zero, where the series is short.
        let half = STEPS as f64 / 2.0;
        let turn = step as f64;
        let (turn, sign) = if turn < half {
            (turn, 1.0)
        } else {
            (turn - half, -1.0)
        };
        let angle = turn / half * core::f64::consts::PI - core::f64::consts::FRAC_PI_2;
        table[step] = (LEVEL * sign * cosine(angle)) as i16;
        step += 1;
    }
    table
}

/// The series of the cosine; below 10^-6 of error up to a quarter turn.
const fn cosine(x: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 12.0 {
        term *= -x * x / (n * (n + 1.0));
        sum += term;
        n += 2.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::g711::{SILENCE_A, SILENCE_U, a_to_linear};

    fn played(ringing: Ringing, octets: usize) -> Vec<i16> {
        let mut out = vec![0; octets];
        Player::new(Tone::Ringing(ringing), Codec::Pcma).fill(&mut out);
        out.into_iter().map(a_to_linear).collect()
    }

    #[test]
    fn silence_is_the_quiet_octet_of_either_law() {
        for (codec, quiet) in [(Codec::Pcma, SILENCE_A), (Codec::Pcmu, SILENCE_U)] {
            let mut out = [0; 160];
            Player::new(Tone::Silence, codec).fill(&mut out);
            assert_eq!(out, [quiet; 160]);
        }
    }

    #[test]
    fn a_tone_keeps_its_cadence_over_packets_and_cycles() {
        for country in ["DE", "US", "GB", "FR"] {
            let ringing = Ringing::of(country);
            let cycle: u32 = ringing.cadence_ms.iter().map(|part| u32::from(*part)).sum();
            let samples = played(ringing, 8 * 2 * cycle as usize);
            for (place, block) in samples.chunks(800).enumerate() {
                let loud = block.iter().any(|sample| sample.abs() > 1_000);
                assert_eq!(
                    loud,
                    ringing.is_on(100 * u32::try_from(place).unwrap()),
                    "{country} {place}"
                );
            }
        }
    }

    /// A second of tone crosses zero upwards as often as its frequency says.
    #[test]
    fn the_frequency_is_the_countrys() {
        for (country, hertz) in [("DE", 425), ("FR", 440), ("CN", 450), ("XX", 425)] {
            let samples = played(Ringing::of(country), 8_000);
            let crossings = samples
                .windows(2)
                .filter(|two| two[0] < 0 && two[1] >= 0)
                .count();
            assert!(crossings.abs_diff(hertz) <= 1, "{country}: {crossings}");
        }
    }

    #[test]
    fn the_level_is_that_of_a_ringing_tone() {
        let level = |country| {
            let samples = played(Ringing::of(country), 8_000);
            let power: f64 = samples
                .iter()
                .map(|sample| f64::from(*sample).powi(2))
                .sum();
            10.0 * (power / 8_000.0).log10() - 10.0 * (32_256_f64.powi(2) / 2.0).log10()
                + 31.4 / 10.0
        };
        for country in ["DE", "US"] {
            assert!(
                (level(country) + 13.0).abs() < 0.5,
                "{country}: {} dBm0",
                level(country)
            );
        }
    }
}
