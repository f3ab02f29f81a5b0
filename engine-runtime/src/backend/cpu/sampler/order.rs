//! Tokens from the largest score down, the lowest id first among equals.

use super::chunk::{self, Weights};
use super::{CHUNK, Cut, number};
use crate::backend::cpu::isa::Isa;

/// A number that is smaller the earlier a token comes.
pub(super) fn rank(token: u32, score: f32) -> u64 {
    u64::from(!ascending(score)) << 32 | u64::from(token)
}

pub(super) fn token(rank: u64) -> u32 {
    rank as u32
}

pub(super) fn score(rank: u64) -> f32 {
    let bits = !((rank >> 32) as u32);
    f32::from_bits(match bits >> 31 {
        1 => bits ^ 1 << 31,
        _ => !bits,
    })
}

impl Cut {
    /// Keeps the token of `rank` and all in front of it.
    pub(super) fn at(rank: u64) -> Self {
        Self {
            score: score(rank),
            last: token(rank),
        }
    }
}

/// Bits that ascend with the score: the sign turned for positive numbers, all bits for negative ones.
fn ascending(score: f32) -> u32 {
    let bits = number(score).to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | 1 << 31)
}

/// Ranks of the first `n` tokens, in whatever order; of all where there are fewer.
///
/// At least `n` tokens are as large as the n-th largest peak of a chunk, and those are looked for in chunks that have
/// one.
pub(super) fn front(scores: &[f32], peaks: &[f32], n: usize, order: &mut Vec<u64>) {
    order.clear();
    if n == 0 {
        return;
    }
    let mut floor = f32::NEG_INFINITY;
    if n <= peaks.len() {
        order.extend((0..).zip(peaks).map(|(chunk, peak)| rank(chunk, *peak)));
        floor = score(*order.select_nth_unstable(n - 1).1);
        order.clear();
    }
    let mut equal = 0;
    for (chunk, scores) in scores.chunks(CHUNK).enumerate() {
        if peaks[chunk] < floor {
            continue;
        }
        for (token, score) in ((chunk * CHUNK) as u32..).zip(scores) {
            let score = number(*score);
            if score < floor {
                continue;
            }
            if score == floor {
                equal += 1;
                if equal > n {
                    // As many with a lower id come first.
                    continue;
                }
            }
            order.push(rank(token, score));
        }
    }
    if order.len() > n {
        order.select_nth_unstable(n - 1);
        order.truncate(n);
    }
}

/// The weights of at most a chunk of ranks.
#[inline(always)]
pub(super) fn weigh<I: Isa>(isa: I, ranks: &[u64], largest: f32, weights: &mut Weights) {
    let mut scores = [0.0; CHUNK];
    let scores = &mut scores[..ranks.len()];
    for (score, rank) in scores.iter_mut().zip(ranks) {
        *score = self::score(*rank);
    }
    chunk::weigh(isa, scores, largest, weights);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_holds_token_and_score() {
        let scores = [
            f32::INFINITY,
            3.5,
            1e-40,
            0.0,
            -1e-40,
            -2.0,
            f32::NEG_INFINITY,
        ];
        for pair in scores.windows(2) {
            assert!(rank(9, pair[0]) < rank(2, pair[1]));
        }
        for value in scores {
            assert_eq!((token(rank(7, value)), score(rank(7, value))), (7, value));
        }
        assert_eq!(rank(1, -0.0), rank(1, 0.0));
        assert_eq!(rank(1, f32::NAN), rank(1, f32::NEG_INFINITY));
        assert!(rank(1, 2.0) < rank(2, 2.0));
    }
}
