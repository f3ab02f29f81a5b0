//! Llama 2 and 3 (Touvron et al., arXiv 2307.09288; Grattafiori et al., arXiv 2407.21783), and Mistral
//! (Jiang et al., arXiv 2310.06825), which is the same model with a sliding window in its first version.

use super::decoder::{Biases, Decoder, Family};
use super::shape::Dynamic;
use crate::checkpoint::Config;

/// A Llama or Mistral of the recipe `R`, with dimensions from `S`.
pub type Llama<R, S = Dynamic> = Decoder<R, LlamaFamily, S>;

#[derive(Debug)]
pub enum LlamaFamily {}

impl Family for LlamaFamily {
    const NAME: &'static str = "llama";
    const ARCHITECTURES: &'static [&'static str] = &["LlamaForCausalLM", "MistralForCausalLM"];
    const HEAD_NORM: bool = false;

    fn biases(config: &Config) -> Biases {
        Biases {
            qkv: config.attention_bias,
            attention_out: config.attention_bias,
            mlp: config.mlp_bias,
        }
    }

    /// A Llama has no window, whatever its config says; a Mistral has one in every layer where one is set.
    fn window(config: &Config) -> Option<usize> {
        let window = config.window.as_ref()?;
        (config.architecture == "MistralForCausalLM").then_some(window.positions)
    }
}
