//! Whether sampled tokens come with their log probabilities.

use super::{Off, Part};
use crate::legal::mark;

/// What a step reports beside the sampled token.
pub trait Logprobs: Part {}

impl Logprobs for Off {}

/// The sampled token's logprob and rank, and up to `MAX` candidates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Top<const MAX: usize>;

impl<const MAX: usize> Part for Top<MAX> {
    type Mark = mark::Logprobs;
}

impl<const MAX: usize> Logprobs for Top<MAX> {}
