//! What is reported of a row beside its token.

use super::chunk::total;
use super::order::{front, token};
use super::{CHUNK, Cut, Scratch, largest, number};
use crate::backend::NO_TOKEN;
use crate::backend::cpu::isa::{Isa, Kernel};

/// Fills in one row's result behind its token.
pub(in super::super) struct Logprobs<'a> {
    pub scores: &'a [f32],
    pub peaks: &'a [f32],
    /// By chunk, of what `cut` keeps.
    pub sums: &'a [f32],
    /// What it drops has a logprob of minus infinity.
    pub cut: Cut,
    pub top: usize,
    pub result: &'a mut [u32],
    pub scratch: &'a mut Scratch,
}

impl<I: Isa> Kernel<I> for Logprobs<'_> {
    type Out = ();

    #[inline(always)]
    fn run(mut self, _: I) {
        let largest = largest(self.peaks);
        // The total is 0 only where every score is minus infinity.
        let total = total(self.sums).max(f64::MIN_POSITIVE).ln();
        let logprob = |score: f32| {
            let distance = match score {
                f32::NEG_INFINITY => f64::NEG_INFINITY,
                score if score == largest => 0.0,
                score => f64::from(score) - f64::from(largest),
            };
            ((distance - total) as f32).to_bits()
        };
        let chosen = self.result[0];
        let (chosen_logprob, rank) = match chosen < self.scores.len() as u32 {
            true => {
                let score = self.score(chosen);
                (logprob(score), 1 + self.larger(score))
            }
            false => (f32::NAN.to_bits(), 0),
        };
        self.result[1] = chosen_logprob;
        self.result[2] = rank;
        let top = self.top.min(self.scores.len());
        front(self.scores, self.peaks, top, &mut self.scratch.order);
        self.scratch.order.sort_unstable();
        self.complete(top);
        for i in 0..self.top {
            let pair = match self.scratch.order.get(i) {
                Some(&rank) => [token(rank), logprob(self.score(token(rank)))],
                None => [NO_TOKEN, f32::NEG_INFINITY.to_bits()],
            };
            self.result[3 + 2 * i..][..2].copy_from_slice(&pair);
        }
    }
}

impl Logprobs<'_> {
    /// Minus infinity for what is dropped.
    #[inline(always)]
    fn score(&self, token: u32) -> f32 {
        let score = self.scores[token as usize];
        match self.cut.keeps(token, score) {
            true => number(score),
            false => f32::NEG_INFINITY,
        }
    }

    /// How many have a larger score; most chunks have none.
    #[inline(always)]
    fn larger(&self, score: f32) -> u32 {
        let mut larger = 0;
        let chunks = self.scores.chunks(CHUNK).zip(self.peaks).enumerate();
        for (chunk, (scores, peak)) in chunks {
            if *peak > score {
                let first = (chunk * CHUNK) as u32;
                for (token, &other) in (first..).zip(scores) {
                    larger += u32::from(other > score && self.cut.keeps(token, other));
                }
            }
        }
        larger
    }

    /// Replaces what is dropped among the first `top` by the lowest ids that are: all of them come last, and are alike.
    fn complete(&mut self, top: usize) {
        let order = std::mem::take(&mut self.scratch.order);
        let kept = order.partition_point(|&rank| self.score(token(rank)) > f32::NEG_INFINITY);
        self.scratch.order = order;
        self.scratch.order.truncate(kept);
        let mut id = 0;
        while self.scratch.order.len() < top {
            if self.score(id) == f32::NEG_INFINITY {
                self.scratch.order.push(u64::from(id));
            }
            id += 1;
        }
    }
}
