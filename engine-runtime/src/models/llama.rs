//! Llama 2 and 3 (Touvron et al., arXiv 2307.09288; Grattafiori et al., arXiv 2407.21783), and Mistral
//! (Jiang et al., arXiv 2310.06825), which is the same model with a sliding window in its first version.

use engine_model::ModelFamily;

use super::decoder::{Decoder, Family};
use super::shape::LoadedShape;

/// A Llama or Mistral of the recipe `R`, with dimensions from `S`.
pub type Llama<R, S = LoadedShape> = Decoder<R, LlamaFamily, S>;

#[derive(Debug)]
pub enum LlamaFamily {}

impl Family for LlamaFamily {
    const FAMILY: ModelFamily = ModelFamily::Llama;
}
