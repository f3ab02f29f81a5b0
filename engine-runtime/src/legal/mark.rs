//! One mark for each feature of the matrix; parts name theirs in [`Part::Mark`](crate::parts::Part::Mark).
/// What a neutral part switches on.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

/// Chunked prefill: a long prompt is prefilled in pieces that share each step with the sequences that decode.
#[derive(Debug, Clone, Copy)]
pub struct ChunkedPrefill;

/// Automatic prefix caching: full KV blocks of a prompt are kept and found again by their hash.
#[derive(Debug, Clone, Copy)]
pub struct PrefixCaching;

/// LoRA: low-rank adapters, several of them in one batch.
#[derive(Debug, Clone, Copy)]
pub struct Lora;

/// Prompt adapter: learned rows stand in for the first token embeddings of a prompt.
#[derive(Debug, Clone, Copy)]
pub struct PromptAdapter;

/// Speculative decoding: a cheap proposer drafts tokens that the model scores in one pass.
#[derive(Debug, Clone, Copy)]
pub struct SpeculativeDecoding;

/// CUDA graph: the launches of a decode step are captured once and replayed.
#[derive(Debug, Clone, Copy)]
pub struct CudaGraph;

/// Encoder-decoder: models with an encoder whose output the decoder attends to.
#[derive(Debug, Clone, Copy)]
pub struct EncoderDecoder;

/// Logprobs: log probabilities of the generated tokens and of their best alternatives.
#[derive(Debug, Clone, Copy)]
pub struct Logprobs;

/// Prompt logprobs: log probabilities of the prompt's own tokens.
#[derive(Debug, Clone, Copy)]
pub struct PromptLogprobs;

/// Async output processing: the text of one step is made while the device runs the next.
#[derive(Debug, Clone, Copy)]
pub struct AsyncOutput;

/// Multi-step scheduling: one schedule serves several decode steps.
#[derive(Debug, Clone, Copy)]
pub struct MultiStep;

/// Multimodal input: images among the prompt's tokens.
#[derive(Debug, Clone, Copy)]
pub struct Multimodal;

/// Best-of: several samples of one prompt, of which the likeliest are returned.
#[derive(Debug, Clone, Copy)]
pub struct BestOf;

/// Beam search: the likeliest continuations are followed side by side.
#[derive(Debug, Clone, Copy)]
pub struct BeamSearch;

/// Guided decoding: a grammar, schema, expression or choice says which tokens may follow.
#[derive(Debug, Clone, Copy)]
pub struct GuidedDecoding;

/// The mark of a feature, by its name in a profile.
#[doc(hidden)]
#[macro_export]
macro_rules! mark {
    (chunked - prefill) => {
        $crate::legal::mark::ChunkedPrefill
    };
    (prefix - caching) => {
        $crate::legal::mark::PrefixCaching
    };
    (lora) => {
        $crate::legal::mark::Lora
    };
    (prompt - adapter) => {
        $crate::legal::mark::PromptAdapter
    };
    (speculative - decoding) => {
        $crate::legal::mark::SpeculativeDecoding
    };
    (cuda - graph) => {
        $crate::legal::mark::CudaGraph
    };
    (encoder - decoder) => {
        $crate::legal::mark::EncoderDecoder
    };
    (logprobs) => {
        $crate::legal::mark::Logprobs
    };
    (prompt - logprobs) => {
        $crate::legal::mark::PromptLogprobs
    };
    (async - output) => {
        $crate::legal::mark::AsyncOutput
    };
    (multi - step) => {
        $crate::legal::mark::MultiStep
    };
    (multimodal) => {
        $crate::legal::mark::Multimodal
    };
    (best - of) => {
        $crate::legal::mark::BestOf
    };
    (beam - search) => {
        $crate::legal::mark::BeamSearch
    };
    (guided - decoding) => {
        $crate::legal::mark::GuidedDecoding
    };
}
