//! Drawing a row's token.

use super::chunk::{total, weigh_kept};
use super::{CHUNK, Cut, largest};
use crate::backend::cpu::isa::{Isa, Kernel};
use crate::backend::{NO_TOKEN, SamplingRow};

/// Draws one row's token.
pub(in super::super) struct Draw<'a> {
    pub row: &'a SamplingRow,
    pub scores: &'a [f32],
    pub peaks: &'a [f32],
    /// By chunk, of what `cut` keeps; not read at temperature 0.
    pub sums: &'a [f32],
    pub cut: Cut,
}

impl<I: Isa> Kernel<I> for Draw<'_> {
    type Out = u32;

    #[inline(always)]
    fn run(self, isa: I) -> u32 {
        let largest = largest(self.peaks);
        if largest == f32::NEG_INFINITY {
            return NO_TOKEN;
        }
        let drawn = match self.row.temperature == 0.0 {
            true => None,
            false => self.draw(isa, largest),
        };
        // Rounding can keep the last sum at the threshold: the largest is always a token that could be drawn.
        drawn.or_else(|| self.first(largest)).unwrap_or(NO_TOKEN)
    }
}

impl Draw<'_> {
    /// The first token at which the cumulative weight exceeds the row's share of it.
    #[inline(always)]
    fn draw<I: Isa>(&self, isa: I, largest: f32) -> Option<u32> {
        let target = f64::from(self.row.uniform) * total(self.sums);
        let mut sum = 0.0;
        for (chunk, chunk_sum) in self.sums.iter().enumerate() {
            let chunk_sum = f64::from(*chunk_sum);
            if sum + chunk_sum <= target {
                sum += chunk_sum;
                continue;
            }
            let first = (chunk * CHUNK) as u32;
            let scores = self.scores.chunks(CHUNK).nth(chunk)?;
            let mut weights = [0.0; CHUNK];
            weigh_kept(isa, (first, scores), largest, self.cut, &mut weights);
            // The chunk's own sum reaches the target, its rounding aside.
            let mut last = None;
            for (token, weight) in (first..).zip(weights) {
                if weight > 0.0 {
                    last = Some(token);
                    sum += f64::from(weight);
                    if sum > target {
                        break;
                    }
                }
            }
            return last;
        }
        None
    }

    /// The first of the largest.
    fn first(&self, largest: f32) -> Option<u32> {
        let chunk = self.peaks.iter().position(|peak| *peak == largest)?;
        let scores = self.scores.chunks(CHUNK).nth(chunk)?;
        let place = scores.iter().position(|score| *score == largest)?;
        Some((chunk * CHUNK + place) as u32)
    }
}
