//! Qwen 2 and 2.5 (Yang et al., arXiv 2407.10671): a Llama whose q, k and v always have a bias.

use super::decoder::{Biases, Decoder, Family};
use super::shape::Dynamic;
use crate::checkpoint::Config;

/// A Qwen 2 of the recipe `R`, with dimensions from `S`.
pub type Qwen2<R, S = Dynamic> = Decoder<R, Qwen2Family, S>;

#[derive(Debug)]
pub enum Qwen2Family {}

impl Family for Qwen2Family {
    const NAME: &'static str = "qwen2";
    const ARCHITECTURES: &'static [&'static str] = &["Qwen2ForCausalLM"];
    const HEAD_NORM: bool = false;

    fn biases(_: &Config) -> Biases {
        Biases {
            qkv: true,
            attention_out: false,
            mlp: false,
        }
    }

    fn window(config: &Config) -> Option<usize> {
        config.window.as_ref()?.switched_on()
    }
}
