//! Randomness: one seed from the kernel's generator comes in, tags, branches,
//! Call-IDs and jitter go out (RFC 3261 §19.3).

use core::fmt;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A cryptographic generator with a state of its own, so that a test can
/// repeat a run by repeating its seed.
pub struct Random(ChaCha12Rng);

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

/// A random name in lower-case hexadecimal, kept without an allocation.
pub type Hex<const LEN: usize> = heapless::String<LEN>;

impl Random {
    /// Takes 32 bytes that nobody else knows.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number below `bound`, or 0 if `bound` is 0.
    ///
    /// The bias of the multiplication is below 2⁻³², which no peer can see.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// Returns a tag of 64 random bits; RFC 3261 §19.3 asks for 32 at least.
    pub fn tag(&mut self) -> Hex<16> {
        let mut text = Hex::new();
        push_hex(&mut text, self.bits());
        text
    }

    /// Returns a Call-ID of 128 random bits with no host in it.
    pub fn call_id(&mut self) -> Hex<32> {
        let mut text = Hex::new();
        push_hex(&mut text, self.bits());
        push_hex(&mut text, self.bits());
        text
    }
}

fn push_hex<const LEN: usize>(text: &mut Hex<LEN>, bits: u64) {
    for place in (0..16).rev() {
        let digit = u32::try_from((bits >> (place * 4)) & 0xf).unwrap_or(0);
        let _full = text.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_seed_gives_the_same_names_and_another_seed_others() {
        let (mut a, mut b, mut c) = (
            Random::new([1; 32]),
            Random::new([1; 32]),
            Random::new([2; 32]),
        );
        let tag = a.tag();
        assert_eq!(tag, b.tag());
        assert_ne!(tag, c.tag());
    }

    /// RFC 3261 §19.3: at least 32 bits of randomness.
    #[test]
    fn a_tag_has_sixteen_digits_and_a_call_id_thirty_two() {
        let mut random = Random::new([3; 32]);
        assert_eq!(random.tag().len(), 16);
        assert_eq!(random.call_id().len(), 32);
        assert!(random.call_id().bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn below_stays_below() {
        let mut random = Random::new([4; 32]);
        assert!((0..10_000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
