//! Chunks of a row: their largest scores, and the weights exp(score - largest) with their sums.

use super::{CHUNK, Cut};
use crate::backend::cpu::exp::exp;
use crate::backend::cpu::isa::{Isa, Sums};
use crate::backend::cpu::rows::{load, store};

/// The weights of a chunk's tokens, 0 behind its end.
pub(super) type Weights = [f32; CHUNK];

/// The largest score of a chunk.
#[inline(always)]
pub(super) fn peak<I: Isa>(isa: I, scores: &[f32]) -> f32 {
    let (vectors, rest) = scores.split_at(scores.len() / I::LANES * I::LANES);
    let mut peak = isa.splat(f32::NEG_INFINITY);
    for scores in vectors.chunks_exact(I::LANES) {
        peak = isa.max(load(isa, scores), peak);
    }
    rest.iter().copied().fold(isa.largest(peak), f32::max)
}

/// Where the largest is infinite, those that equal it share the weight.
#[inline(always)]
pub(super) fn weigh<I: Isa>(isa: I, scores: &[f32], largest: f32, weights: &mut Weights) {
    if scores.len() < CHUNK {
        weights[scores.len()..].fill(0.0);
    }
    if !largest.is_finite() {
        for (weight, score) in weights.iter_mut().zip(scores) {
            *weight = f32::from(u8::from(*score == largest));
        }
        return;
    }
    let (shift, lowest) = (isa.splat(largest), isa.splat(f32::NEG_INFINITY));
    let vectors = scores.chunks(I::LANES).zip(weights.chunks_mut(I::LANES));
    for (scores, weights) in vectors {
        let score = isa.max(load(isa, scores), lowest);
        store(
            isa,
            exp(isa, isa.sub(score, shift)),
            &mut weights[..scores.len()],
        );
    }
}

/// The weights of those tokens of a chunk that `cut` keeps; the first of the chunk is `first`.
#[inline(always)]
pub(super) fn weigh_kept<I: Isa>(
    isa: I,
    (first, scores): (u32, &[f32]),
    largest: f32,
    cut: Cut,
    weights: &mut Weights,
) {
    weigh(isa, scores, largest, weights);
    if cut != Cut::NONE {
        for (token, (weight, score)) in (first..).zip(weights.iter_mut().zip(scores)) {
            *weight = if cut.keeps(token, *score) {
                *weight
            } else {
                0.0
            };
        }
    }
}

#[inline(always)]
pub(super) fn sum<I: Isa>(isa: I, weights: &Weights) -> f32 {
    let mut sums = Sums::new(isa);
    for weights in weights.chunks(Sums::<I>::BLOCK) {
        sums.add(isa, weights);
    }
    sums.total(isa)
}

/// The sum of all chunks.
pub(super) fn total(sums: &[f32]) -> f64 {
    sums.iter().map(|sum| f64::from(*sum)).sum()
}
