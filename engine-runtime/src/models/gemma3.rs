//! Gemma 3 (Gemma team, arXiv 2503.19786), text alone: norms in front of each block and behind it, a GELU in the
//! feed-forward block, and windows in five of six layers, which have rotary angles of their own.

use engine_model::{Activation, ModelFamily};

use super::decoder::{Decoder, Family};
use super::shape::LoadedShape;

/// A Gemma 3 of the recipe `R`, with dimensions from `S`.
pub type Gemma3<R, S = LoadedShape> = Decoder<R, Gemma3Family, S>;

#[derive(Debug)]
pub enum Gemma3Family {}

impl Family for Gemma3Family {
    const FAMILY: ModelFamily = ModelFamily::Gemma3;
    const HEAD_NORMS: bool = true;
    const POST_NORMS: bool = true;
    const ACTIVATION: Activation = Activation::GeluTanh;
}
