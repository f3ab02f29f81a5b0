//! Why a cell of the page is not yes, and where that is tracked: the footnotes of [`super::grid`].

use super::CellId::{self, Hardware, Pair};
use crate::family::Family::*;
use crate::feature::Feature::*;

/// What the page says beside a verdict.
#[derive(Clone, Copy)]
pub(super) struct Note {
    pub cell: CellId,
    /// Empty where the page gives none.
    pub link: &'static str,
    pub reason: &'static str,
}

const fn note(cell: CellId, link: &'static str, reason: &'static str) -> Note {
    Note { cell, link, reason }
}

/// One line a cell, in the order of `cells.tsv`.
#[rustfmt::skip]
pub(super) const NOTES: &[Note] = &[
    note(Pair(Lora, ChunkedPrefill),                "https://github.com/vllm-project/vllm/pull/9057",   "adapter index mapping assumed that every prefill is sampled and that prefill rows come before decode rows"),
    note(Pair(SpeculativeDecoding, ChunkedPrefill), "",                                                 "the speculative worker had no mixed batch of prompt chunks and draft scoring; tracker vllm#5016"),
    note(Pair(SpeculativeDecoding, Lora),           "",                                                 "the draft and scoring workers keep no adapter mapping"),
    note(Pair(EncoderDecoder, ChunkedPrefill),      "",                                                 "the encoder is not causal and its cross-attention keys are written in one pass; the decoder runner had no partial prefill"),
    note(Pair(EncoderDecoder, PrefixCaching),       "https://github.com/vllm-project/vllm/issues/7366", "cross-attention keys have their own block table and the encoder input is not part of the block hash"),
    note(Pair(EncoderDecoder, Lora),                "",                                                 "the encoder-decoder runner never sets an adapter mapping"),
    note(Pair(EncoderDecoder, PromptAdapter),       "",                                                 "the encoder-decoder runner never applies soft-prompt rows"),
    note(Pair(EncoderDecoder, SpeculativeDecoding), "https://github.com/vllm-project/vllm/issues/7366", "the draft scorer does not know a second, cross-attention block table"),
    note(Pair(PromptLogprobs, SpeculativeDecoding), "https://github.com/vllm-project/vllm/pull/8199",   "prompt positions are scored by a worker that did not return their logprobs (the linked pull request is about multi-step; the repair was vllm#8047)"),
    note(Pair(AsyncOutput, SpeculativeDecoding),    "",                                                 "the next step cannot be launched before the number of accepted tokens is known"),
    note(Pair(AsyncOutput, EncoderDecoder),         "",                                                 "the encoder-decoder runner has no deferred output path"),
    note(Pair(MultiStep, ChunkedPrefill),           "",                                                 "a step that advances on the device only knows one token per sequence"),
    note(Pair(MultiStep, Lora),                     "",                                                 "the adapter mapping is not refreshed between device steps"),
    note(Pair(MultiStep, SpeculativeDecoding),      "",                                                 "both features want to own the steps that follow one schedule"),
    note(Pair(MultiStep, EncoderDecoder),           "",                                                 "the device-side step only advances decoder token and position"),
    note(Pair(MultiStep, PromptLogprobs),           "https://github.com/vllm-project/vllm/issues/8198", "results are copied back N steps late and prompt logprobs were never among them"),
    note(Pair(Multimodal, ChunkedPrefill),          "https://github.com/vllm-project/vllm/pull/8346",   "placeholder spans could not be prefilled in part"),
    note(Pair(Multimodal, PrefixCaching),           "https://github.com/vllm-project/vllm/pull/8348",   "every image has the same placeholder ids, so the block hash must also cover the image"),
    note(Pair(Multimodal, Lora),                    "https://github.com/vllm-project/vllm/pull/7199",   "adapters apply to the language backbone only and the models lacked the mapping"),
    note(Pair(Multimodal, PromptAdapter),           "",                                                 "never tried upstream"),
    note(Pair(Multimodal, SpeculativeDecoding),     "",                                                 "never tried upstream"),
    note(Pair(Multimodal, EncoderDecoder),          "",                                                 "no multimodal encoder-decoder model was supported"),
    note(Pair(Multimodal, MultiStep),               "",                                                 "never tried upstream"),
    note(Pair(BestOf, SpeculativeDecoding),         "https://github.com/vllm-project/vllm/issues/6137", "the speculative worker assumes one sequence per request; forks need copy-on-write of the draft state"),
    note(Pair(BestOf, AsyncOutput),                 "",                                                 "never stated upstream; the scheduler falls back to synchronous output for a batch with more than one sequence per request"),
    note(Pair(BestOf, MultiStep),                   "https://github.com/vllm-project/vllm/issues/7968", "the sampler writes into fixed-size tensors, one token per request"),
    note(Pair(BeamSearch, SpeculativeDecoding),     "https://github.com/vllm-project/vllm/issues/6137", "as best-of: one sequence per request is assumed"),
    note(Pair(BeamSearch, AsyncOutput),             "",                                                 "never stated upstream"),
    note(Pair(BeamSearch, MultiStep),               "https://github.com/vllm-project/vllm/issues/7968", "as best-of: one token per request per step"),
    note(Pair(BeamSearch, Multimodal),              "",                                                 "never stated upstream; the beam-search entry point took text or token ids only"),
    note(Pair(GuidedDecoding, Lora),                "",                                                 "never stated upstream"),
    note(Pair(GuidedDecoding, PromptAdapter),       "",                                                 "never stated upstream"),
    note(Pair(GuidedDecoding, EncoderDecoder),      "",                                                 "never stated upstream"),
    note(Pair(GuidedDecoding, MultiStep),           "https://github.com/vllm-project/vllm/issues/8985", "logits processors run on the host for each token, and a multi-step batch stays on the device"),
    note(Pair(GuidedDecoding, Multimodal),          "",                                                 "never stated upstream"),
    note(Hardware(ChunkedPrefill, Volta),           "https://github.com/vllm-project/vllm/issues/2729", "chunks attend to a cached prefix through a Triton kernel that aborts on Volta's matrix layout; a missing kernel, not a limit of the chip"),
    note(Hardware(ChunkedPrefill, Cpu),             "",                                                 "the CPU attention backend had no kernel that reads a cached prefix"),
    note(Hardware(PrefixCaching, Volta),            "https://github.com/vllm-project/vllm/issues/3687", "the same Triton prefix kernel, met at the first cache hit"),
    note(Hardware(PrefixCaching, Cpu),              "",                                                 "the CPU attention backend had no kernel that reads a cached prefix"),
    note(Hardware(Lora, Cpu),                       "https://github.com/vllm-project/vllm/pull/4830",   "the adapter kernels existed for CUDA and Triton only"),
    note(Hardware(PromptAdapter, Cpu),              "https://github.com/vllm-project/vllm/issues/8475", "the CPU model runner stored the setting and never applied it"),
    note(Hardware(CudaGraph, Cpu),                  "",                                                 "there is no device graph on a CPU"),
    note(Hardware(EncoderDecoder, Cpu),             "https://github.com/vllm-project/vllm/blob/a84e598e2125960d3b4f716b78863f24ac562947/vllm/worker/cpu_model_runner.py#L125", "the CPU model runner refused encoder-decoder models"),
    note(Hardware(EncoderDecoder, Amd),             "",                                                 "the ROCm attention backend refused cross-attention"),
    note(Hardware(AsyncOutput, Cpu),                "",                                                 "output processing was tied to a device stream"),
    note(Hardware(AsyncOutput, Amd),                "",                                                 "listed as unsupported upstream, without a stated reason"),
    note(Hardware(MultiStep, Cpu),                  "https://github.com/vllm-project/vllm/issues/8477", "the CPU executor had no multi-step worker"),
];
