//! The recipe: a plan as types and constants. `engine!` generates one `impl` from a profile; nothing else in the
//! runtime knows what a deployment chose.

use crate::backend::{self, Advance, Attention, Backend, CopyBlocks, Linear, Pointwise, Sampling};
use crate::dtype::{CacheFormat, WeightFormat};
use crate::model::Model;
use crate::parts::{
    self, BeamSearchSettings, BestOfSettings, ChunkedPrefillSettings, CudaGraphSettings,
    EncoderDecoderSettings, LogprobsSettings, LoraSettings, MultiStepSettings, MultimodalSettings,
    PromptAdapterSettings, PromptLogprobsSettings, SpeculativeDecodingSettings,
};

/// What one engine is made of.
///
/// One associated type for each feature of vLLM's matrix; a feature that is not chosen is its neutral type (`Whole`,
/// `Eager`, `Single`, `Inline`, else `Off`). A feature with settings has a constant of its own name as well, which a
/// recipe gives where the feature is on: its part reads it there.
pub trait Recipe: Sized + Send + 'static {
    /// Name of the profile.
    const NAME: &'static str;
    const LIMITS: Limits;
    /// Sizes of attention heads that there are kernels for; empty where they take any.
    const HEAD_DIMS: &'static [usize] = &[];

    const CHUNKED_PREFILL: ChunkedPrefillSettings = ChunkedPrefillSettings::OFF;
    const LORA: LoraSettings = LoraSettings::OFF;
    const PROMPT_ADAPTER: PromptAdapterSettings = PromptAdapterSettings::OFF;
    const SPECULATIVE_DECODING: SpeculativeDecodingSettings = SpeculativeDecodingSettings::OFF;
    const CUDA_GRAPH: CudaGraphSettings = CudaGraphSettings::OFF;
    const ENCODER_DECODER: EncoderDecoderSettings = EncoderDecoderSettings::OFF;
    const LOGPROBS: LogprobsSettings = LogprobsSettings::OFF;
    const PROMPT_LOGPROBS: PromptLogprobsSettings = PromptLogprobsSettings::OFF;
    const MULTI_STEP: MultiStepSettings = MultiStepSettings::OFF;
    const MULTIMODAL: MultimodalSettings = MultimodalSettings::OFF;
    const BEST_OF: BestOfSettings = BestOfSettings::OFF;
    const BEAM_SEARCH: BeamSearchSettings = BeamSearchSettings::OFF;

    /// Format of the linear layers.
    type Weights: WeightFormat;
    /// Format of the output head and of the embedding, which may be the same table.
    type Head: WeightFormat;
    /// Format of the KV cache.
    type Cache: CacheFormat;
    type Backend: Linear<Self::Weights>
        + backend::Head<Self::Head>
        + CopyBlocks<Self::Cache>
        + Sampling
        + Advance;
    type Model: Model<Self>;

    type Prefill: parts::Prefill<Self>;
    type Prefix: parts::Prefix;
    type Adapters: parts::Adapters<Self>;
    type PromptAdapters: parts::PromptAdapters<Self>;
    type Draft: parts::Draft<Self>;
    type Launch: parts::Launch<Self>;
    type Encoder: parts::Encoder<Self>;
    type Logprobs: parts::Logprobs<Self>;
    type PromptLogprobs: parts::PromptLogprobs<Self>;
    type Output: parts::Output<Self>;
    type Steps: parts::Steps<Self>;
    type Multimodal: parts::Multimodal<Self>;
    type BestOf: parts::BestOf<Self>;
    type BeamSearch: parts::BeamSearch<Self>;
    type Guide: parts::Guide<Self>;
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
    /// What `max_seqs` sequences of `max_model_len` tokens need, with the model that is opened.
    Needed,
    /// So many bytes: the profile says so, or its plan has worked it out.
    Bytes(u64),
    /// What weights and activations leave of so many bytes of the device: the plan could not know the weights.
    Within(u64),
}

/// The element of activations on a recipe's device.
pub type Act<R> = <<R as Recipe>::Backend as Pointwise>::Act;
/// The matrix of a linear layer.
pub type Matrix<R> = <<R as Recipe>::Backend as Linear<<R as Recipe>::Weights>>::Matrix;
/// The matrices of the experts of a layer.
pub type Experts<R> = <<R as Recipe>::Backend as Linear<<R as Recipe>::Weights>>::Experts;
/// The embedding, and the output head.
pub type Table<R> = <<R as Recipe>::Backend as backend::Head<<R as Recipe>::Head>>::Table;
/// The KV cache.
pub type Cache<R> = <<R as Recipe>::Backend as Attention<<R as Recipe>::Cache>>::Cache;
/// An array in device memory.
pub type Array<R, T> = <<R as Recipe>::Backend as Backend>::Array<T>;
/// What the tokens of a step are chosen from.
pub type Scores<R> = <<R as Recipe>::Backend as Sampling>::Scores;
