//! Which associated type of a recipe stands for which feature.

use crate::feature::Feature::{self, *};

/// A part of a recipe: one for each feature row of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub feature: Feature,
    /// The associated type of `Recipe`.
    pub name: &'static str,
    /// The type in `engine_runtime::parts` that stands for the feature's absence.
    pub neutral: &'static str,
}

/// In the page's order.
#[rustfmt::skip]
pub const PARTS: [Part; Feature::COUNT] = [
    Part { feature: ChunkedPrefill,      name: "Prefill",        neutral: "Whole" },
    Part { feature: PrefixCaching,       name: "Prefix",         neutral: "Off" },
    Part { feature: Lora,                name: "Adapters",       neutral: "Off" },
    Part { feature: PromptAdapter,       name: "PromptAdapters", neutral: "Off" },
    Part { feature: SpeculativeDecoding, name: "Draft",          neutral: "Off" },
    Part { feature: CudaGraph,           name: "Launch",         neutral: "Eager" },
    Part { feature: EncoderDecoder,      name: "Encoder",        neutral: "Off" },
    Part { feature: Logprobs,            name: "Logprobs",       neutral: "Off" },
    Part { feature: PromptLogprobs,      name: "PromptLogprobs", neutral: "Off" },
    Part { feature: AsyncOutput,         name: "Output",         neutral: "Inline" },
    Part { feature: MultiStep,           name: "Steps",          neutral: "Single" },
    Part { feature: Multimodal,          name: "Multimodal",     neutral: "Off" },
    Part { feature: BestOf,              name: "BestOf",         neutral: "Off" },
    Part { feature: BeamSearch,          name: "BeamSearch",     neutral: "Off" },
    Part { feature: GuidedDecoding,      name: "Guide",          neutral: "Off" },
];
