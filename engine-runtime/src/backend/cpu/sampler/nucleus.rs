//! Top-p where it is not known how many tokens it keeps.

use super::chunk::{Weights, total, weigh_kept};
use super::order::{self, front, rank};
use super::{CHUNK, Cut, FRONT, Scratch, cut, largest};
use crate::backend::SamplingRow;
use crate::backend::cpu::isa::{Isa, Kernel};

/// Bins of one halving of the distance from the largest score, as a power of 2.
const FINE: u32 = 6;
/// The distances that bins tell apart, as powers of 2: nearer ones are in the first bin, farther ones, whose weight is
/// next to nothing, in the last.
const NEAREST: i32 = -13;
const FARTHEST: i32 = 7;
const BINS: usize = ((FARTHEST - NEAREST) as usize) << FINE;

/// The cut of a row by top-p, behind top-k and in front of min-p.
pub(in super::super) struct Nucleus<'a> {
    pub row: &'a SamplingRow,
    pub scores: &'a [f32],
    pub peaks: &'a [f32],
    /// By chunk, of what `cut` keeps.
    pub sums: &'a [f32],
    /// By top-k.
    pub cut: Cut,
    pub scratch: &'a mut Scratch,
}

impl<I: Isa> Kernel<I> for Nucleus<'_> {
    type Out = Cut;

    #[inline(always)]
    fn run(self, isa: I) -> Cut {
        let largest = largest(self.peaks);
        let floor = cut::floor(largest, self.row.min_p);
        self.by_top_p(isa, largest).above(floor)
    }
}

impl Nucleus<'_> {
    /// The smallest set whose weights reach top-p's share of those that top-k keeps.
    #[inline(always)]
    fn by_top_p<I: Isa>(self, isa: I, largest: f32) -> Cut {
        if largest == f32::NEG_INFINITY {
            return self.cut;
        }
        let target = f64::from(self.row.top_p) * total(self.sums);
        let order = &mut self.scratch.order;
        // Mostly a few tokens have most of the weight; none has more than 1.
        for n in [FRONT / 16, FRONT / 4] {
            if target <= n as f64 {
                front(self.scores, self.peaks, n, order);
                if let Some(cut) = reach(isa, largest, 0.0..target, order) {
                    return cut;
                }
            }
        }
        let bins = self.bins(isa, largest);
        let mut before = 0.0;
        let Some(bin) = bins.iter().position(|bin| {
            let reached = before + bin >= target;
            before += if reached { 0.0 } else { *bin };
            reached
        }) else {
            // Rounding can keep the sum of all below a share that is next to 1.
            return self.cut;
        };
        let order = &mut self.scratch.order;
        order.clear();
        for (chunk, scores) in self.scores.chunks(CHUNK).enumerate() {
            let mut places = [0; CHUNK];
            place(largest, scores, &mut places);
            let first = (chunk * CHUNK) as u32;
            for (token, (&score, &place)) in (first..).zip(scores.iter().zip(&places)) {
                if place as usize == bin && self.cut.keeps(token, score) {
                    order.push(rank(token, score));
                }
            }
        }
        let reached = reach(isa, largest, before..target, order);
        let last = || order.last().map(|last| Cut::at(*last));
        reached.or_else(last).unwrap_or(self.cut)
    }

    /// The weight of the tokens in each bin, the largest scores first. Two sums a bin, which alternate, since the next
    /// token is often of the same bin.
    #[inline(always)]
    fn bins<I: Isa>(&self, isa: I, largest: f32) -> [f64; BINS] {
        let mut bins = [[0.0; 2]; BINS];
        let (mut weights, mut places): (Weights, _) = ([0.0; CHUNK], [0; CHUNK]);
        for (chunk, scores) in self.scores.chunks(CHUNK).enumerate() {
            let first = (chunk * CHUNK) as u32;
            weigh_kept(isa, (first, scores), largest, self.cut, &mut weights);
            place(largest, scores, &mut places);
            let places = places.as_chunks::<2>().0;
            for (weights, places) in weights.as_chunks::<2>().0.iter().zip(places) {
                for (side, (&weight, &place)) in weights.iter().zip(places).enumerate() {
                    bins[place as usize % BINS][side] += f64::from(weight);
                }
            }
        }
        bins.map(|[even, odd]| even + odd)
    }
}

/// The bins of a chunk's tokens, by the leading bits of their distance from the largest score.
#[inline(always)]
fn place(largest: f32, scores: &[f32], places: &mut [u32; CHUNK]) {
    const SHIFT: u32 = f32::MANTISSA_DIGITS - 1 - FINE;
    const FIRST: u32 = ((127 + NEAREST) as u32) << FINE;
    const LAST: u32 = BINS as u32 - 1;
    for (place, &score) in places.iter_mut().zip(scores) {
        // An infinite score is no distance from itself.
        let distance = if score == largest {
            0.0
        } else {
            largest - score
        };
        *place = (distance.to_bits() >> SHIFT)
            .saturating_sub(FIRST)
            .min(LAST);
    }
}

/// Puts ranks in order, and finds the one at which the weights, added to the start of `sums`, reach its end.
#[inline(always)]
fn reach<I: Isa>(
    isa: I,
    largest: f32,
    sums: std::ops::Range<f64>,
    order: &mut [u64],
) -> Option<Cut> {
    order.sort_unstable();
    let mut sum = sums.start;
    let mut weights = [0.0; CHUNK];
    for ranks in order.chunks(CHUNK) {
        order::weigh(isa, ranks, largest, &mut weights);
        for (&rank, weight) in ranks.iter().zip(&weights) {
            sum += f64::from(*weight);
            if sum >= sums.end {
                return Some(Cut::at(rank));
            }
        }
    }
    None
}
