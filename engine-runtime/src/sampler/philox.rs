//! Random numbers from counters: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).

/// What a block of random numbers is for; part of the counter, so that uses never share numbers.
const DRAW: u32 = 0;
const SPLIT: u32 = 1;

/// Four random words for a counter under a key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    const ROUNDS: usize = 10;
    const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    let ([mut a, mut b, mut c, mut d], mut key) = (counter, key);
    for _ in 0..ROUNDS {
        let (high0, low0) = multiply(MULTIPLIERS[0], a);
        let (high1, low1) = multiply(MULTIPLIERS[1], c);
        (a, b, c, d) = (high1 ^ b ^ key[0], low1, high0 ^ d ^ key[1], low0);
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    [a, b, c, d]
}

/// The number in [0, 1) that chooses the token at `position` of a sequence: 24 random bits, exact in an f32.
pub fn uniform(seed: u64, position: usize) -> f32 {
    let [low, high] = words(position as u64);
    let [word, ..] = philox4x32([low, high, 0, DRAW], words(seed));
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// The seed of sequence `index` of a request with `seed`. The first keeps the request's own, so a request for one
/// sequence with a split seed repeats that sequence.
pub fn split_seed(seed: u64, index: u32) -> u64 {
    if index == 0 {
        return seed;
    }
    let [low, high, ..] = philox4x32([index, 0, 0, SPLIT], words(seed));
    u64::from(high) << 32 | u64::from(low)
}

fn multiply(a: u32, b: u32) -> (u32, u32) {
    let [low, high] = words(u64::from(a) * u64::from(b));
    (high, low)
}

/// Low word first.
fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that Random123 publishes for philox4x32-10.
    #[test]
    fn known_answers() {
        let cases = [
            (
                [0; 4],
                [0; 2],
                [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
            ),
            (
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0],
                [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    #[test]
    fn uniform_numbers_are_spread_and_below_one() {
        let mut buckets = [0_u32; 16];
        for position in 0..16_000 {
            let value = uniform(5, position);
            assert!((0.0..1.0).contains(&value));
            buckets[(value * 16.0) as usize] += 1;
        }
        // Expected 1,000 each, with a standard deviation of 31.
        assert!(
            buckets.iter().all(|&count| (870..1130).contains(&count)),
            "{buckets:?}"
        );
    }

    #[test]
    fn split_seeds_differ() {
        let seeds: std::collections::BTreeSet<u64> = (0..128).map(|i| split_seed(9, i)).collect();
        assert_eq!(seeds.len(), 128);
        assert_eq!(split_seed(9, 0), 9);
    }
}
