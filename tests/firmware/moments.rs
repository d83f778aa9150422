//! Moments at which the power goes: numbers that look random and come again.

use sbc_tests::kit::firmware::Loader;

/// How many cuts of each kind by each loader, and with `SBC_TESTS=full`; `SBC_CUTS`
/// says another number.
const CUTS: [u32; 2] = [5, 50];
/// The same of cuts that lose writes, which are in the full tests alone.
const LOSSY: u32 = 10;

/// Numbers that look random and come again with the same `SBC_SEED` (SplitMix64).
pub struct Moments {
    pub seed: u64,
    state: u64,
}

impl Moments {
    /// Begins with a number.
    pub fn with(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    pub fn new(loader: Loader) -> Self {
        let given = std::env::var("SBC_SEED").ok();
        let seed = given
            .and_then(|text| text.parse().ok())
            .unwrap_or(20_261_126);
        println!("SBC_SEED={seed}");
        let state = seed ^ (u64::from(loader == Loader::Uefi) << 40);
        Self { seed, state }
    }

    /// Returns a number from 0 up to but not 1.
    pub fn share(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }

    /// Returns the numbers below `kinds`, each as often as the others, in any order.
    pub fn spread(&mut self, count: u32, kinds: usize) -> Vec<usize> {
        let from = self.below(kinds);
        // A step that has no divisor in common with `kinds` comes to all of them.
        let mut all: Vec<_> = (0..count as usize)
            .map(|at| (from + 4 * at) % kinds)
            .collect();
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
        all
    }
}

/// Returns how many cuts of a kind there are.
pub fn cuts(lossy: bool) -> u32 {
    let given = std::env::var("SBC_CUTS").ok();
    let is_full = std::env::var_os("SBC_TESTS").is_some_and(|value| value == "full");
    let usual = if lossy {
        LOSSY
    } else {
        CUTS[usize::from(is_full)]
    };
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}
