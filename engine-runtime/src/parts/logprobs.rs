//! Whether sampled tokens come with their log probabilities.

use super::{Off, Part, settings};
use crate::backend::{DeviceError, Sampling, SamplingTable};
use crate::legal::mark;
use crate::recipe::{Array, Recipe, Scores};

/// What a step reports beside the sampled token.
pub trait Logprobs<R: Recipe>: Part {
    /// Most candidates that a request may ask for, if it may ask at all.
    const MAX: Option<u32>;
    /// Words of a row of results.
    const STRIDE: usize;

    /// Launches the op that writes behind each row's token.
    fn launch(
        device: &mut R::Backend,
        logits: &Array<R, f32>,
        scores: &mut Scores<R>,
        table: SamplingTable<'_, R::Backend>,
        results: &mut Array<R, u32>,
    ) -> Result<(), DeviceError>;

    /// Reads what the op wrote: `result` is one row, with `candidates` of them.
    fn report(result: &[u32], candidates: u32) -> Option<TokenLogprobs>;
}

/// The log probabilities at one position of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprobs {
    /// Of the token that was chosen.
    pub logprob: f32,
    /// From 1: one more than the number of tokens with a larger logprob.
    pub rank: u32,
    /// Token ids and logprobs of the candidates that the request asked for, the likeliest first.
    pub top: Vec<(u32, f32)>,
}

impl<R: Recipe> Logprobs<R> for Off {
    const MAX: Option<u32> = None;
    const STRIDE: usize = 1;

    fn launch(
        _: &mut R::Backend,
        _: &Array<R, f32>,
        _: &mut Scores<R>,
        _: SamplingTable<'_, R::Backend>,
        _: &mut Array<R, u32>,
    ) -> Result<(), DeviceError> {
        Ok(())
    }

    fn report(_: &[u32], _: u32) -> Option<TokenLogprobs> {
        None
    }
}

settings! {
    LogprobsSettings {
        /// Candidates that a request may ask for.
        max,
    }
}

/// The sampled token's logprob and rank, and the likeliest candidates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Top;

impl Part for Top {
    type Mark = mark::Logprobs;
}

impl<R: Recipe> Logprobs<R> for Top {
    const MAX: Option<u32> = {
        let max = R::LOGPROBS.max;
        assert!(max < 1 << 16, "a profile allows at most 65,535 candidates");
        Some(max as u32)
    };
    const STRIDE: usize = 3 + 2 * R::LOGPROBS.max;

    fn launch(
        device: &mut R::Backend,
        logits: &Array<R, f32>,
        scores: &mut Scores<R>,
        table: SamplingTable<'_, R::Backend>,
        results: &mut Array<R, u32>,
    ) -> Result<(), DeviceError> {
        device.logprobs(
            logits,
            scores,
            table,
            results,
            <Self as Logprobs<R>>::STRIDE,
        )
    }

    #[inline(never)]
    fn report(result: &[u32], candidates: u32) -> Option<TokenLogprobs> {
        let (&[_, logprob, rank], top) = result.split_first_chunk()?;
        let pairs = top.chunks_exact(2).take(candidates as usize);
        Some(TokenLogprobs {
            logprob: f32::from_bits(logprob),
            rank,
            top: pairs
                .map(|pair| (pair[0], f32::from_bits(pair[1])))
                .collect(),
        })
    }
}
