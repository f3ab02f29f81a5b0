//! Random numbers where a test needs a stream of them and not a property.

use crate::seed;

/// A counter run through a mixing function (Steele et al., "Fast splittable pseudorandom number generators",
/// OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this number under the workspace's seed. Streams of different numbers have nothing in common.
    pub fn stream(number: u64) -> Self {
        let mut random = Self(seed());
        // Not the seed itself, or neighbouring seeds would draw the same numbers one step apart.
        random.0 = random.bits() ^ number.wrapping_mul(0xd134_2543_de82_ef95);
        random.0 = random.bits();
        random
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_itself_and_no_other() {
        let first = |number| {
            let mut random = Random::stream(number);
            [0; 4].map(|_| random.bits())
        };
        assert_eq!(first(1), first(1));
        assert!(first(1).iter().all(|bits| !first(2).contains(bits)));
    }

    #[test]
    fn numbers_are_spread_over_their_range() {
        let mut random = Random::stream(3);
        let mut counts = [0; 8];
        (0..8000).for_each(|_| counts[random.below(8)] += 1);
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
        assert!((0..8000).all(|_| (0.0..1.0).contains(&random.uniform())));
    }
}
