//! From logits to a token and its logprobs. A row is one task's, and summed in one order.
//!
//! A score that is not a number counts as minus infinity everywhere.

use super::exp::exp;
use super::isa::{Isa, Kernel, Sums};
use super::rows::{load, store};
use crate::backend::{LogitEdit, NO_TOKEN, SamplingRow, SeenToken};

/// Scores whose weights are summed in f32; sums of such chunks are added in f64.
const CHUNK: usize = 128;

/// The weights exp(score - largest) of a row, and their sums by chunk.
#[derive(Default)]
pub(super) struct Weights {
    each: Vec<f32>,
    chunks: Vec<f64>,
    /// Ranks, in whatever order; one more than there are scores.
    order: Vec<u64>,
}

impl Weights {
    /// Bytes for rows of `vocab` scores.
    pub fn bytes_for(vocab: usize) -> usize {
        vocab * size_of::<f32>()
            + vocab.div_ceil(CHUNK) * size_of::<f64>()
            + (vocab + 1) * size_of::<u64>()
    }

    /// Makes room for rows of `vocab` scores, so that nothing up to it grows again.
    pub fn reserve(&mut self, vocab: usize) {
        // Zeroes may be promised by the system and not given.
        self.each.resize(vocab, 1.0);
        self.chunks.resize(vocab.div_ceil(CHUNK), 1.0);
        self.order.resize(vocab + 1, 1);
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.each.capacity() * size_of::<f32>()
            + self.chunks.capacity() * size_of::<f64>()
            + self.order.capacity() * size_of::<u64>()
    }

    /// The total. Where the largest is infinite, those that equal it share the weight.
    #[inline(always)]
    fn fill<I: Isa>(&mut self, isa: I, scores: &[f32], largest: f32) -> f64 {
        self.each.resize(scores.len(), 0.0);
        self.chunks.clear();
        let shift = isa.splat(largest);
        let lowest = isa.splat(f32::NEG_INFINITY);
        for (scores, weights) in scores.chunks(CHUNK).zip(self.each.chunks_mut(CHUNK)) {
            let mut sums = Sums::new(isa);
            let vectors = scores.chunks(I::LANES).zip(weights.chunks_mut(I::LANES));
            for (scores, weights) in vectors {
                if largest.is_finite() {
                    let score = isa.max(load(isa, scores), lowest);
                    store(isa, exp(isa, isa.sub(score, shift)), weights);
                } else {
                    for (weight, score) in weights.iter_mut().zip(scores) {
                        *weight = f32::from(u8::from(*score == largest));
                    }
                }
            }
            for block in weights.chunks(Sums::<I>::BLOCK) {
                sums.add(isa, block);
            }
            self.chunks.push(f64::from(sums.total(isa)));
        }
        self.chunks.iter().sum()
    }

    /// The first token at which the cumulative weight exceeds `target`.
    fn draw(&self, target: f64) -> Option<usize> {
        let mut sum = 0.0;
        for (chunk, weights) in self.chunks.iter().zip(self.each.chunks(CHUNK)).enumerate() {
            let (chunk_sum, weights) = weights;
            if sum + chunk_sum <= target {
                sum += chunk_sum;
                continue;
            }
            let first = chunk * CHUNK;
            let mut last = first;
            for (token, weight) in weights
                .iter()
                .enumerate()
                .filter(|(_, weight)| **weight > 0.0)
            {
                last = first + token;
                sum += f64::from(*weight);
                if sum > target {
                    break;
                }
            }
            // The chunk's own sum reaches the target, its rounding aside.
            return Some(last);
        }
        None
    }
}

#[inline(always)]
fn largest<I: Isa>(isa: I, scores: &[f32]) -> f32 {
    let (vectors, rest) = scores.split_at(scores.len() / I::LANES * I::LANES);
    let mut vector = isa.splat(f32::NEG_INFINITY);
    for scores in vectors.chunks_exact(I::LANES) {
        vector = isa.max(load(isa, scores), vector);
    }
    rest.iter().copied().fold(isa.largest(vector), f32::max)
}

/// Turns one row's logits into scores.
pub(super) struct Process<'a> {
    pub row: &'a SamplingRow,
    pub seen: &'a [SeenToken],
    pub edits: &'a [LogitEdit],
    pub logits: &'a [f32],
    pub scores: &'a mut [f32],
    pub scratch: &'a mut Weights,
}

impl<I: Isa> Kernel<I> for Process<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let (row, scores) = (self.row, self.scores);
        scores.copy_from_slice(self.logits);
        for edit in &self.edits[row.edits_start as usize..row.edits_end as usize] {
            scores[edit.token as usize] += edit.bias;
        }
        for seen in &self.seen[row.seen_start as usize..row.seen_end as usize] {
            penalise(row, seen, &mut scores[seen.token as usize]);
        }
        let lowest = isa.splat(f32::NEG_INFINITY);
        let divisor = isa.splat(if row.temperature > 0.0 {
            row.temperature
        } else {
            1.0
        });
        for scores in scores.chunks_mut(I::LANES) {
            let numbers = isa.max(load(isa, scores), lowest);
            store(isa, isa.div(numbers, divisor), scores);
        }
        if row.temperature > 0.0 && (row.top_k > 0 || row.top_p < 1.0 || row.min_p > 0.0) {
            truncate(isa, row, scores, self.scratch);
        }
    }
}

fn penalise(row: &SamplingRow, seen: &SeenToken, score: &mut f32) {
    if *score > 0.0 {
        *score /= row.repetition_penalty;
    } else {
        *score *= row.repetition_penalty;
    }
    if seen.count > 0 {
        *score -= row.presence_penalty;
        *score -= row.frequency_penalty * seen.count as f32;
    }
}

/// Drops what top-k, then top-p, then min-p do not keep.
#[inline(always)]
fn truncate<I: Isa>(isa: I, row: &SamplingRow, scores: &mut [f32], weights: &mut Weights) {
    let largest = largest(isa, scores);
    if row.top_k > 0 && (row.top_k as usize) < scores.len() {
        let order = &mut weights.order;
        order.clear();
        order.extend(scores.iter().enumerate().map(rank));
        let (_, last, _) = order.select_nth_unstable(row.top_k as usize - 1);
        drop_behind(scores, *last);
    }
    if row.top_p < 1.0 {
        let total = weights.fill(isa, scores, largest);
        if let Some(last) = nucleus(f64::from(row.top_p) * total, scores, weights) {
            drop_behind(scores, last);
        }
    }
    if row.min_p > 0.0 {
        weights.fill(isa, scores, largest);
        for (score, weight) in scores.iter_mut().zip(&weights.each) {
            if *weight < row.min_p {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// The rank of the last token of the smallest set whose weights reach `target`. Sorts no more than it needs.
fn nucleus(target: f64, scores: &[f32], weights: &mut Weights) -> Option<u64> {
    let Weights { each, order, .. } = weights;
    order.clear();
    order.extend(scores.iter().enumerate().map(rank));
    let (mut start, mut size) = (0, 256);
    let mut sum = 0.0;
    while start < order.len() {
        let end = order.len().min(start + size);
        if end < order.len() {
            order[start..].select_nth_unstable(size);
        }
        order[start..end].sort_unstable();
        for &rank in &order[start..end] {
            sum += f64::from(each[token(rank)]);
            if sum >= target {
                return Some(rank);
            }
        }
        (start, size) = (end, 4 * size);
    }
    None
}

/// A number that sorts tokens from the largest score down, the lowest id first among equals.
fn rank((token, score): (usize, &f32)) -> u64 {
    let bits = (number(*score)).to_bits();
    // Ascending with the score: the sign bit turned for positive numbers, all bits for negative ones.
    let ascending = bits ^ (((bits as i32 >> 31) as u32) | 1 << 31);
    u64::from(!ascending) << 32 | token as u64
}

fn token(rank: u64) -> usize {
    (rank & u64::from(u32::MAX)) as usize
}

fn drop_behind(scores: &mut [f32], last: u64) {
    for (token, score) in scores.iter_mut().enumerate() {
        if rank((token, score)) > last {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Draws one row's token.
pub(super) struct Sample<'a> {
    pub row: &'a SamplingRow,
    pub scores: &'a [f32],
    pub scratch: &'a mut Weights,
}

impl<I: Isa> Kernel<I> for Sample<'_> {
    type Out = u32;

    #[inline(always)]
    fn run(self, isa: I) -> u32 {
        let largest = largest(isa, self.scores);
        if largest == f32::NEG_INFINITY {
            return NO_TOKEN;
        }
        let best = || self.scores.iter().position(|score| *score == largest);
        let drawn = if self.row.temperature == 0.0 {
            best()
        } else {
            let total = self.scratch.fill(isa, self.scores, largest);
            self.scratch.draw(f64::from(self.row.uniform) * total)
        };
        drawn.or_else(best).map_or(NO_TOKEN, |token| token as u32)
    }
}

/// Fills in one row's result behind its token.
pub(super) struct Logprobs<'a> {
    pub scores: &'a [f32],
    pub top: usize,
    pub result: &'a mut [u32],
    pub scratch: &'a mut Weights,
}

impl<I: Isa> Kernel<I> for Logprobs<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let scores = self.scores;
        let largest = largest(isa, scores);
        let total = self.scratch.fill(isa, scores, largest);
        let logprob = |token: usize| {
            let score = number(scores[token]);
            let distance = match score {
                f32::NEG_INFINITY => f64::NEG_INFINITY,
                score if score == largest => 0.0,
                score => f64::from(score) - f64::from(largest),
            };
            // The total is 0 only where every score is minus infinity.
            let total = total.max(f64::MIN_POSITIVE);
            ((distance - total.ln()) as f32).to_bits()
        };
        let (token_logprob, rank) = match scores.get(self.result[0] as usize) {
            Some(score) => {
                let larger = scores
                    .iter()
                    .filter(|other| **other > number(*score))
                    .count();
                (logprob(self.result[0] as usize), 1 + larger as u32)
            }
            None => (f32::NAN.to_bits(), 0),
        };
        self.result[1] = token_logprob;
        self.result[2] = rank;
        let pairs = self.result[3..].as_chunks_mut::<2>().0;
        let (given, missing) = pairs[..self.top].split_at_mut(self.top.min(scores.len()));
        top(scores, given, &mut self.scratch.order);
        for pair in given {
            pair[1] = logprob(pair[0] as usize);
        }
        missing.fill([NO_TOKEN, f32::NEG_INFINITY.to_bits()]);
    }
}

/// Ids of the largest scores, in order, to the first of each pair.
fn top(scores: &[f32], pairs: &mut [[u32; 2]], best: &mut Vec<u64>) {
    best.clear();
    // No score below this comes in any more; an equal one has a higher id.
    let mut floor = f32::NEG_INFINITY;
    for (token, score) in scores.iter().enumerate() {
        if best.len() == pairs.len() && (*score <= floor || score.is_nan()) {
            continue;
        }
        let new = rank((token, score));
        let place = best.partition_point(|old| *old < new);
        best.insert(place, new);
        best.truncate(pairs.len());
        floor = best
            .last()
            .map_or(f32::INFINITY, |last| scores[self::token(*last)]);
    }
    for (pair, rank) in pairs.iter_mut().zip(best) {
        pair[0] = token(*rank) as u32;
    }
}

/// A score to compare by: without NaN, and with one zero.
fn number(score: f32) -> f32 {
    if score.is_nan() {
        f32::NEG_INFINITY
    } else {
        score + 0.0
    }
}
