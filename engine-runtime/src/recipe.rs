//! The recipe: a plan as types. `engine!` generates one `impl` from a profile; nothing else in the runtime knows
//! what a deployment chose.

use crate::backend::Ops;
use crate::dtype::WeightFormat;
use crate::model::Model;
use crate::parts;

/// What one engine is made of. One associated type for each of the matrix's feature rows; a feature that is not
/// chosen is its neutral type (`Whole`, `Eager`, `Single`, `Inline`, else `Off`).
pub trait Recipe: Sized + Send + 'static {
    /// Name of the profile.
    const NAME: &'static str;
    const LIMITS: Limits;

    type Weights: WeightFormat;
    type Backend: Ops<Self::Weights>;
    type Model: Model<Self>;

    type Prefill: parts::Prefill;
    type Prefix: parts::Prefix;
    type Adapters: parts::Adapters;
    type SoftPrompts: parts::SoftPrompts;
    type Draft: parts::Draft;
    type Launch: parts::Launch;
    type Encoder: parts::Encoder;
    type Logprobs: parts::Logprobs;
    type PromptLogprobs: parts::PromptLogprobs;
    type Output: parts::Output;
    type Steps: parts::Steps;
    type Media: parts::Media;
    type BestOf: parts::BestOf;
    type Beam: parts::Beam;
    type Guide: parts::Guide;
}

/// Bounds of one deployment, from the profile's `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest sequence, prompt and output together, in tokens.
    pub max_model_len: usize,
    /// Sequences running at once.
    pub max_seqs: usize,
    /// Tokens in one step.
    pub max_batched_tokens: usize,
    /// Positions in a KV block.
    pub block_size: usize,
    pub kv_memory: KvMemory,
}

/// How large the KV cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvMemory {
    /// What `max_seqs` sequences of `max_model_len` tokens need, or half the memory that is free after loading the
    /// weights where that is less.
    Auto,
    Bytes(u64),
}

/// The element of activations, a weight matrix, the KV cache, and a device array of a recipe.
pub type Act<R> = <<R as Recipe>::Backend as Ops<<R as Recipe>::Weights>>::Act;
/// See [`Act`].
pub type Matrix<R> = <<R as Recipe>::Backend as Ops<<R as Recipe>::Weights>>::Matrix;
/// See [`Act`].
pub type Cache<R> = <<R as Recipe>::Backend as Ops<<R as Recipe>::Weights>>::Cache;
/// See [`Act`].
pub type Array<R, T> = <<R as Recipe>::Backend as crate::backend::Backend>::Array<T>;
