//! What the families differ in.

use crate::checkpoint::Config;

/// What a family adds to the decoder.
pub trait Family: Send + 'static {
    const NAME: &'static str;
    /// Class names in transformers that are this family.
    const ARCHITECTURES: &'static [&'static str];
    /// Each head of q and k is normalised before it is rotated.
    const HEAD_NORM: bool;

    fn biases(config: &Config) -> Biases;

    /// Positions that a token of some layer can look back on, where they are limited.
    fn window(config: &Config) -> Option<usize>;
}

/// Which matrices have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    pub qkv: bool,
    pub attention_out: bool,
    pub mlp: bool,
}
