//! From logits to scores, and to the cut behind those that are kept.

use super::chunk::{peak, sum, weigh_kept};
use super::order::{self, front};
use super::{CHUNK, Cut, FRONT, History, Scratch, cut, divisor, largest, sums, top_k};
use crate::backend::cpu::isa::{Isa, Kernel};
use crate::backend::cpu::rows::{load, store};
use crate::backend::{LogitEdit, SamplingRow};

/// The largest score of each chunk of a span.
pub(in super::super) struct Peaks<'a> {
    pub scores: &'a [f32],
    pub peaks: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Peaks<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        for (peak, scores) in self.peaks.iter_mut().zip(self.scores.chunks(CHUNK)) {
            *peak = self::peak(isa, scores);
        }
    }
}

/// scores = logits / temperature in a span, and the largest of each chunk.
pub(in super::super) struct Scale<'a> {
    pub row: &'a SamplingRow,
    pub logits: &'a [f32],
    pub scores: &'a mut [f32],
    pub peaks: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Scale<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let lowest = isa.splat(f32::NEG_INFINITY);
        let divisor = isa.splat(divisor(self.row));
        let chunks = self.logits.chunks(CHUNK).zip(self.scores.chunks_mut(CHUNK));
        for (peak, (logits, scores)) in self.peaks.iter_mut().zip(chunks) {
            for (logits, scores) in logits.chunks(I::LANES).zip(scores.chunks_mut(I::LANES)) {
                let numbers = isa.max(load(isa, logits), lowest);
                store(isa, isa.div(numbers, divisor), scores);
            }
            *peak = self::peak(isa, scores);
        }
    }
}

/// What has happened to a marked token, whose score is on its way from logit to score: it was seen, and in the output so
/// often.
const SEEN: u32 = 1 << 30;
const COUNT: u32 = SEEN - 1;

/// Applies a row's edits and penalties to its scores.
pub(in super::super) struct Change<'a> {
    pub row: &'a SamplingRow,
    pub seen: History<'a>,
    pub edits: &'a [LogitEdit],
    pub logits: &'a [f32],
    pub scores: &'a mut [f32],
    pub peaks: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl<I: Isa> Kernel<I> for Change<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let Self {
            row,
            logits,
            scores,
            peaks,
            ..
        } = self;
        let scratch = self.scratch;
        scratch.unmark(scores.len());
        for edit in &self.edits[row.edits_start as usize..row.edits_end as usize] {
            let token = edit.token as usize;
            if scratch.mark(edit.token) {
                scores[token] = logits[token];
            }
            scores[token] += edit.bias;
        }
        for (position, &id) in (0..).zip(self.seen.of(row).flatten()) {
            let token = id as usize;
            if scratch.mark(id) {
                scores[token] = logits[token];
            }
            scratch.marks[token] |= SEEN;
            scratch.marks[token] += u32::from(position >= row.prompt);
        }
        for &token in &scratch.marked {
            let mark = scratch.marks[token as usize];
            if mark & SEEN != 0 {
                penalise(row, mark & COUNT, &mut scores[token as usize]);
            }
        }
        let divisor = divisor(row);
        for &token in &scratch.marked {
            let token = token as usize;
            let score = scores[token];
            scores[token] = match score.is_nan() {
                true => f32::NEG_INFINITY,
                false => score / divisor,
            };
            // No peak is NaN but one that is to be found again.
            peaks[token / CHUNK] = f32::NAN;
        }
        for (peak, scores) in peaks.iter_mut().zip(scores.chunks(CHUNK)) {
            if peak.is_nan() {
                *peak = self::peak(isa, scores);
            }
        }
    }
}

#[inline(always)]
fn penalise(row: &SamplingRow, count: u32, score: &mut f32) {
    if *score > 0.0 {
        *score /= row.repetition_penalty;
    } else {
        *score *= row.repetition_penalty;
    }
    if count > 0 {
        *score -= row.presence_penalty;
        *score -= row.frequency_penalty * count as f32;
    }
}

/// The cut of a row by top-k, and by the rest if that needs no sums: by top-p where top-k leaves few, then by min-p.
pub(in super::super) struct Truncate<'a> {
    pub row: &'a SamplingRow,
    pub scores: &'a [f32],
    pub peaks: &'a [f32],
    pub scratch: &'a mut Scratch,
}

impl<I: Isa> Kernel<I> for Truncate<'_> {
    type Out = Cut;

    #[inline(always)]
    fn run(self, isa: I) -> Cut {
        let Self {
            row, scores, peaks, ..
        } = self;
        if row.temperature == 0.0 {
            return Cut::NONE;
        }
        let order = &mut self.scratch.order;
        let largest = largest(peaks);
        let mut kept = Cut::NONE;
        if let Some(k) = top_k(row, scores.len()) {
            front(scores, peaks, k, order);
            if let Some(last) = order.iter().max() {
                kept = Cut::at(*last);
            }
            if row.top_p < 1.0 && k <= FRONT {
                order.sort_unstable();
                kept = within(isa, row.top_p, largest, order).unwrap_or(kept);
            }
        }
        match sums(row, scores.len()) {
            true => kept,
            false => kept.above(cut::floor(largest, row.min_p)),
        }
    }
}

/// The cut behind the first of `order` whose weights are `share` of all of `order`.
#[inline(always)]
fn within<I: Isa>(isa: I, share: f32, largest: f32, order: &[u64]) -> Option<Cut> {
    let mut weights = [[0.0; CHUNK]; FRONT / CHUNK];
    for (weights, ranks) in weights.iter_mut().zip(order.chunks(CHUNK)) {
        order::weigh(isa, ranks, largest, weights);
    }
    let weights = weights.as_flattened().iter().zip(order);
    let mut total = 0.0;
    for (weight, _) in weights.clone() {
        total += f64::from(*weight);
    }
    let target = f64::from(share) * total;
    let mut sum = 0.0;
    for (weight, rank) in weights {
        sum += f64::from(*weight);
        if sum >= target {
            return Some(Cut::at(*rank));
        }
    }
    None
}

/// The sums of the weights that a row's cut keeps, for each chunk of a span.
pub(in super::super) struct Sum<'a> {
    /// Id of the first token.
    pub first: u32,
    pub scores: &'a [f32],
    pub peaks: &'a [f32],
    /// Of the whole row.
    pub largest: f32,
    pub cut: Cut,
    pub sums: &'a mut [f32],
}

impl<I: Isa> Kernel<I> for Sum<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self, isa: I) {
        let mut weights = [0.0; CHUNK];
        let chunks = self.scores.chunks(CHUNK).zip(self.peaks);
        for (chunk, (sum, (scores, peak))) in self.sums.iter_mut().zip(chunks).enumerate() {
            *sum = 0.0;
            if *peak >= self.cut.score {
                let first = self.first + (chunk * CHUNK) as u32;
                weigh_kept(isa, (first, scores), self.largest, self.cut, &mut weights);
                *sum = self::sum(isa, &weights);
            }
        }
    }
}
