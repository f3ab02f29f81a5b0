//! Where vLLM's matrix tracks a cell that is not yes: the footnotes of [`super::grid`].
//!
//! The reasons are not here: `matrix/cells.tsv` is their only home.

use super::CellId::{self, Hardware, Pair};
use crate::family::Family::*;
use crate::features::Feature::*;

/// One line a cell, in the order of `cells.tsv`.
#[rustfmt::skip]
pub(super) const LINKS: &[(CellId, &str)] = &[
    (Pair(Lora, ChunkedPrefill),                "https://github.com/vllm-project/vllm/pull/9057"),
    (Pair(EncoderDecoder, PrefixCaching),       "https://github.com/vllm-project/vllm/issues/7366"),
    (Pair(EncoderDecoder, SpeculativeDecoding), "https://github.com/vllm-project/vllm/issues/7366"),
    (Pair(PromptLogprobs, SpeculativeDecoding), "https://github.com/vllm-project/vllm/pull/8199"),
    (Pair(MultiStep, PromptLogprobs),           "https://github.com/vllm-project/vllm/issues/8198"),
    (Pair(Multimodal, ChunkedPrefill),          "https://github.com/vllm-project/vllm/pull/8346"),
    (Pair(Multimodal, PrefixCaching),           "https://github.com/vllm-project/vllm/pull/8348"),
    (Pair(Multimodal, Lora),                    "https://github.com/vllm-project/vllm/pull/7199"),
    (Pair(BestOf, SpeculativeDecoding),         "https://github.com/vllm-project/vllm/issues/6137"),
    (Pair(BestOf, MultiStep),                   "https://github.com/vllm-project/vllm/issues/7968"),
    (Pair(BeamSearch, SpeculativeDecoding),     "https://github.com/vllm-project/vllm/issues/6137"),
    (Pair(BeamSearch, MultiStep),               "https://github.com/vllm-project/vllm/issues/7968"),
    (Pair(GuidedDecoding, MultiStep),           "https://github.com/vllm-project/vllm/issues/8985"),
    (Hardware(ChunkedPrefill, Volta),           "https://github.com/vllm-project/vllm/issues/2729"),
    (Hardware(PrefixCaching, Volta),            "https://github.com/vllm-project/vllm/issues/3687"),
    (Hardware(Lora, Cpu),                       "https://github.com/vllm-project/vllm/pull/4830"),
    (Hardware(PromptAdapter, Cpu),              "https://github.com/vllm-project/vllm/issues/8475"),
    (Hardware(EncoderDecoder, Cpu),             "https://github.com/vllm-project/vllm/blob/a84e598e2125960d3b4f716b78863f24ac562947/vllm/worker/cpu_model_runner.py#L125"),
    (Hardware(MultiStep, Cpu),                  "https://github.com/vllm-project/vllm/issues/8477"),
];
