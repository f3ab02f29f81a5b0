//! How much of a prompt one step computes.

use super::Part;
use crate::legal::mark;

/// How many rows of a prompt a step takes.
pub trait Prefill: Part {
    /// Rows to compute of a prompt with `remaining` rows left, when the step has room for `budget`; 0 waits.
    fn take(remaining: usize, budget: usize) -> usize;
}

/// A prompt is computed in one piece.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whole;

impl Part for Whole {
    type Mark = mark::Nothing;
}

impl Prefill for Whole {
    fn take(remaining: usize, budget: usize) -> usize {
        if remaining <= budget { remaining } else { 0 }
    }
}

/// A prompt is computed in pieces that share a budget of `TOKENS` rows a step with the sequences that decode
/// (Agrawal et al., arXiv 2308.16369).
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunked<const TOKENS: usize>;

impl<const TOKENS: usize> Part for Chunked<TOKENS> {
    type Mark = mark::ChunkedPrefill;
}

impl<const TOKENS: usize> Prefill for Chunked<TOKENS> {
    fn take(remaining: usize, budget: usize) -> usize {
        chunked_prefill::take(remaining, budget.min(TOKENS))
    }
}

/// Apart, so that an engine's symbols tell whether it cuts prompts.
mod chunked_prefill {
    #[inline(never)]
    pub fn take(remaining: usize, budget: usize) -> usize {
        remaining.min(budget)
    }
}
