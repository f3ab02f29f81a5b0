//! Llama 2 and 3 (Touvron et al., arXiv 2307.09288; Grattafiori et al., arXiv 2407.21783), and Mistral
//! (Jiang et al., arXiv 2310.06825), which is the same model with a sliding window in its first version.

use engine_model::ModelCode;

use super::decoder::{Decoder, Family};
use super::shape::Dynamic;

/// A Llama or Mistral of the recipe `R`, with dimensions from `S`.
pub type Llama<R, S = Dynamic> = Decoder<R, LlamaFamily, S>;

#[derive(Debug)]
pub enum LlamaFamily {}

impl Family for LlamaFamily {
    const NAME: &'static str = "llama";
    const CODE: ModelCode = ModelCode::Llama;
    const HEAD_NORM: bool = false;
}
