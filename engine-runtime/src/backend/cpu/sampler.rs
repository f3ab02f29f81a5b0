//! From logits to a token and its logprobs.
//!
//! A vocabulary is long and a choice is made of few of its tokens, so a row is looked at chunk by chunk: of each chunk
//! the largest score is kept, and where probabilities are needed the sum of its weights. What can matter is then found
//! by its chunk. Top-k, top-p and min-p each keep a beginning of the same order (the largest first, the lowest id
//! first among equals), so all of them together are one [`Cut`] in it, and nothing is written over what they drop.
//!
//! A score that is not a number counts as minus infinity everywhere. Sums have an order that is fixed by the vocabulary.

mod chunk;
mod cut;
mod draw;
mod history;
mod logprobs;
mod nucleus;
mod order;
mod process;
mod scores;
mod scratch;

pub(super) use cut::Cut;
pub(super) use draw::Draw;
pub(super) use history::History;
pub(super) use logprobs::Logprobs;
pub(super) use nucleus::Nucleus;
pub(super) use process::{Change, Peaks, Scale, Sum, Truncate};
pub use scores::Scores;
pub(super) use scores::{Size, Source};
pub(super) use scratch::Scratch;

use crate::backend::SamplingRow;

/// Tokens of a chunk.
const CHUNK: usize = 128;
/// Tokens of a task, in whole chunks.
const SPAN: usize = 1 << 14;
/// Tokens that are put in order at most, where others can be told apart in another way.
const FRONT: usize = 1024;

/// Whether a row's scores are its logits.
pub(super) fn plain(row: &SamplingRow) -> bool {
    !changes(row) && divisor(row) == 1.0
}

/// Whether some logits are changed by themselves.
pub(super) fn changes(row: &SamplingRow) -> bool {
    row.edits_start < row.edits_end || row.seen > 0
}

/// What all logits are divided by.
fn divisor(row: &SamplingRow) -> f32 {
    match row.temperature > 0.0 {
        true => row.temperature,
        false => 1.0,
    }
}

/// How many tokens top-k keeps of `vocab`, where it drops one.
fn top_k(row: &SamplingRow, vocab: usize) -> Option<usize> {
    let k = row.top_k as usize;
    (row.temperature > 0.0 && 0 < k && k < vocab).then_some(k)
}

/// Whether top-p has to know the weight of more tokens than are put in order.
pub(super) fn sums(row: &SamplingRow, vocab: usize) -> bool {
    row.temperature > 0.0 && row.top_p < 1.0 && top_k(row, vocab).is_none_or(|k| k > FRONT)
}

/// The largest of a row's scores.
#[inline(always)]
pub(super) fn largest(peaks: &[f32]) -> f32 {
    peaks.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// A score to compare by: without NaN, and with one zero.
fn number(score: f32) -> f32 {
    match score.is_nan() {
        true => f32::NEG_INFINITY,
        false => score + 0.0,
    }
}
