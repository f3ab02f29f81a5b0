//! Whether sampled tokens come with their log probabilities.

use super::{Off, Part};
use crate::backend::{DeviceError, Ops, SamplingTable};
use crate::dtype::WeightFormat;
use crate::legal::mark;

/// What a step reports beside the sampled token.
pub trait Logprobs: Part {
    /// Most candidates that a request may ask for, if it may ask at all.
    const MAX: Option<u32>;
    /// Words of a row of results.
    const STRIDE: usize;

    /// Launches the op that writes behind each row's token.
    #[allow(clippy::too_many_arguments)]
    fn launch<W: WeightFormat, B: Ops<W>>(
        device: &mut B,
        logits: &B::Array<f32>,
        scores: &B::Array<f32>,
        table: SamplingTable<'_, B>,
        rows: usize,
        vocab: usize,
        results: &mut B::Array<u32>,
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

impl Logprobs for Off {
    const MAX: Option<u32> = None;
    const STRIDE: usize = 1;

    fn launch<W: WeightFormat, B: Ops<W>>(
        _: &mut B,
        _: &B::Array<f32>,
        _: &B::Array<f32>,
        _: SamplingTable<'_, B>,
        _: usize,
        _: usize,
        _: &mut B::Array<u32>,
    ) -> Result<(), DeviceError> {
        Ok(())
    }

    fn report(_: &[u32], _: u32) -> Option<TokenLogprobs> {
        None
    }
}

/// The sampled token's logprob and rank, and up to `MAX` candidates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Top<const MAX: usize>;

impl<const MAX: usize> Part for Top<MAX> {
    type Mark = mark::Logprobs;
}

impl<const MAX: usize> Logprobs for Top<MAX> {
    const MAX: Option<u32> = {
        assert!(MAX < 1 << 16, "a profile allows at most 65,535 candidates");
        Some(MAX as u32)
    };
    const STRIDE: usize = 3 + 2 * MAX;

    fn launch<W: WeightFormat, B: Ops<W>>(
        device: &mut B,
        logits: &B::Array<f32>,
        scores: &B::Array<f32>,
        table: SamplingTable<'_, B>,
        rows: usize,
        vocab: usize,
        results: &mut B::Array<u32>,
    ) -> Result<(), DeviceError> {
        device.logprobs(logits, scores, table, rows, vocab, results, Self::STRIDE)
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
