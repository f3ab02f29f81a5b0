//! Qwen 2 and 2.5 (Yang et al., arXiv 2407.10671): a Llama whose q, k and v always have a bias.

use engine_model::ModelFamily;

use super::decoder::{Decoder, Family};
use super::shape::LoadedShape;

/// A Qwen 2 of the recipe `R`, with dimensions from `S`.
pub type Qwen2<R, S = LoadedShape> = Decoder<R, Qwen2Family, S>;

#[derive(Debug)]
pub enum Qwen2Family {}

impl Family for Qwen2Family {
    const FAMILY: ModelFamily = ModelFamily::Qwen2;
}
