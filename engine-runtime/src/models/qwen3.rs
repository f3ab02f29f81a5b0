//! Qwen 3 (Yang et al., arXiv 2505.09388): a Llama that normalises each head of q and k before it rotates them.

use super::decoder::{Biases, Decoder, Family};
use super::shape::Dynamic;
use crate::checkpoint::Config;

/// A dense Qwen 3 of the recipe `R`, with dimensions from `S`.
pub type Qwen3<R, S = Dynamic> = Decoder<R, Qwen3Family, S>;

#[derive(Debug)]
pub enum Qwen3Family {}

impl Family for Qwen3Family {
    const NAME: &'static str = "qwen3";
    const ARCHITECTURES: &'static [&'static str] = &["Qwen3ForCausalLM"];
    const HEAD_NORM: bool = true;

    fn biases(config: &Config) -> Biases {
        Biases {
            qkv: config.attention_bias,
            attention_out: config.attention_bias,
            mlp: false,
        }
    }

    fn window(config: &Config) -> Option<usize> {
        config.window.as_ref()?.switched_on()
    }
}
