//! Qwen 3 with a mixture of experts (Yang et al., arXiv 2505.09388): in most layers a router takes some of many
//! feed-forward blocks for each token.

use engine_model::ModelFamily;

use super::decoder::{Decoder, Family};
use super::shape::LoadedShape;

/// A Qwen 3 with experts of the recipe `R`, with dimensions from `S`.
pub type Qwen3Moe<R, S = LoadedShape> = Decoder<R, Qwen3MoeFamily, S>;

#[derive(Debug)]
pub enum Qwen3MoeFamily {}

impl Family for Qwen3MoeFamily {
    const FAMILY: ModelFamily = ModelFamily::Qwen3Moe;
    const HEAD_NORMS: bool = true;
    const EXPERTS: bool = true;
}
