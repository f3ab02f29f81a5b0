//! What the tokens of a step are chosen from.

use std::ops::Range;

use super::{CHUNK, Cut, SPAN, plain};
use crate::backend::cpu::memory::Array;
use crate::backend::{RAW_LOGPROBS, SamplingRow};

/// Scores, and what is known of them, for the rows of a table.
pub struct Scores {
    /// [rows, vocab], of rows that are not [`plain`].
    pub(in super::super) scores: Array<f32>,
    /// [rows, chunks]: the largest score of a chunk.
    pub(in super::super) peaks: Array<f32>,
    /// [rows, chunks]: the sum of the weights that the cut keeps.
    pub(in super::super) sums: Array<f32>,
    /// `[rows]`
    pub(in super::super) cuts: Array<Cut>,
}

/// Of a row.
#[derive(Clone, Copy)]
pub(in super::super) struct Size {
    pub vocab: usize,
    pub chunks: usize,
    pub spans: usize,
}

impl Size {
    pub fn of(vocab: usize) -> Self {
        Self {
            vocab,
            chunks: vocab.div_ceil(CHUNK),
            spans: vocab.div_ceil(SPAN),
        }
    }

    /// Bytes of a row of [`Scores`].
    pub fn bytes(self) -> usize {
        (self.vocab + 2 * self.chunks) * size_of::<f32>() + size_of::<Cut>()
    }

    /// The tokens of a span.
    pub fn tokens(self, span: usize) -> Range<usize> {
        span * SPAN..self.vocab.min((span + 1) * SPAN)
    }

    /// Its chunks.
    pub fn chunks_of(self, span: usize) -> Range<usize> {
        span * SPAN / CHUNK..self.chunks.min((span + 1) * SPAN / CHUNK)
    }
}

/// Where the numbers of a row are read.
#[derive(Clone, Copy)]
pub(in super::super) struct Source<'a> {
    size: Size,
    logits: &'a [f32],
    /// Whether logprobs are asked for, which may be of the logits, whatever was made of them.
    logprobs: bool,
}

impl<'a> Source<'a> {
    /// For choosing.
    pub fn of_scores(size: Size, logits: &'a [f32]) -> Self {
        Self {
            size,
            logits,
            logprobs: false,
        }
    }

    /// For reporting.
    pub fn of_logprobs(size: Size, logits: &'a [f32]) -> Self {
        Self {
            size,
            logits,
            logprobs: true,
        }
    }

    /// Whether a row's are the model's own.
    pub fn is_logits(self, row: &SamplingRow) -> bool {
        plain(row) || self.logprobs && row.logprobs == RAW_LOGPROBS
    }

    pub fn logits(self, row: &SamplingRow) -> &'a [f32] {
        &self.logits[row.logits_row as usize * self.size.vocab..][..self.size.vocab]
    }

    /// Those of row `place` of a table, whose scores are `scores`.
    pub fn row<'b>(self, row: &SamplingRow, place: usize, scores: &'b [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        match self.is_logits(row) {
            true => self.logits(row),
            false => &scores[place * self.size.vocab..][..self.size.vocab],
        }
    }
}
