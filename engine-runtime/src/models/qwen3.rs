//! Qwen 3 (Yang et al., arXiv 2505.09388): a Llama that normalises each head of q and k before it rotates them.

use engine_model::ModelFamily;

use super::decoder::{Decoder, Family};
use super::shape::LoadedShape;

/// A dense Qwen 3 of the recipe `R`, with dimensions from `S`.
pub type Qwen3<R, S = LoadedShape> = Decoder<R, Qwen3Family, S>;

#[derive(Debug)]
pub enum Qwen3Family {}

impl Family for Qwen3Family {
    const FAMILY: ModelFamily = ModelFamily::Qwen3;
    const HEAD_NORMS: bool = true;
}
