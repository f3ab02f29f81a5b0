//! How much of a prompt one step computes.

use super::{Part, settings};
use crate::legal::mark;
use crate::recipe::Recipe;

/// How many rows of a prompt a step takes.
pub trait Prefill<R: Recipe>: Part {
    /// Rows to compute of a prompt with `remaining` rows left, when the step has room for `budget`; 0 waits.
    fn take(remaining: usize, budget: usize) -> usize;
}

/// A prompt is computed in one piece.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whole;

impl Part for Whole {
    type Mark = mark::Nothing;
}

impl<R: Recipe> Prefill<R> for Whole {
    fn take(remaining: usize, budget: usize) -> usize {
        if remaining <= budget { remaining } else { 0 }
    }
}

settings! {
    ChunkedPrefillSettings {
        /// Rows of one prompt in a step.
        tokens,
    }
}

/// A prompt is computed in pieces that share the rows of a step with the sequences that decode (Agrawal et al., arXiv
/// 2308.16369).
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunked;

impl Part for Chunked {
    type Mark = mark::ChunkedPrefill;
}

impl<R: Recipe> Prefill<R> for Chunked {
    fn take(remaining: usize, budget: usize) -> usize {
        const {
            assert!(
                R::CHUNKED_PREFILL.tokens > 0,
                "the recipe says how long a chunk is"
            )
        }
        chunked_prefill::take(remaining, budget.min(R::CHUNKED_PREFILL.tokens))
    }
}

/// Apart, so that an engine's symbols tell whether it cuts prompts.
mod chunked_prefill {
    #[inline(never)]
    pub fn take(remaining: usize, budget: usize) -> usize {
        remaining.min(budget)
    }
}
