//! Every key that a profile may have: the one list behind the reader, the editor schema and the reference page.

use crate::feature::Feature;
use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::toolkit::Toolkit;

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub otherwise: Otherwise,
    /// One sentence without a full stop.
    pub doc: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    /// A SKU, an architecture, a family or `native`.
    Target,
    /// A file beside the profile.
    Path,
    Choice(&'static [&'static str]),
    /// A whole number, both ends included.
    Integer(u64, u64),
    /// Memory as text with a unit: `4GiB`, `512MiB`.
    Size,
    /// Two names of features.
    Pair,
}

/// What holds if the key is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It must be there.
    Required,
    /// This value, as written in TOML.
    Is(&'static str),
    /// Worked out; the text says how.
    From(&'static str),
}

/// A table of a profile.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Empty for the top of the file.
    pub name: &'static str,
    pub fields: &'static [Field],
    pub doc: &'static str,
}

use Otherwise::{From, Is, Required};

const fn field(key: &'static str, kind: Kind, otherwise: Otherwise, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        otherwise,
        doc,
    }
}

/// Most tokens, sequences and the like that a profile may ask for: past this a number is a slip of the finger.
const MOST: u64 = 1 << 24;

/// What may stand at the top, before any table.
#[rustfmt::skip]
pub const TOP: Section = Section { name: "", doc: "what is built, and for what", fields: &[
    field("name",    Kind::Text,                       Required,                         "the deployment's name in kebab-case: the engine's binary is called `engine-<name>`"),
    field("target",  Kind::Target,                     Required,                         "the hardware: a SKU, an architecture, a family, or `native` for the machine that builds"),
    field("matrix",  Kind::Choice(&["vllm", "engine"]),Is("\"vllm\""),                   "whose verdicts the profile is held to: `vllm` demands yes from vLLM's matrix and from this engine, `engine` from this engine alone"),
    field("toolkit", Kind::Choice(Toolkit::NAMES),     From("the first on this machine that makes code for the target, else the one to get"), "insists on one device compiler"),
]};

#[rustfmt::skip]
pub const MODEL: Section = Section { name: "model", doc: "which model's code goes in", fields: &[
    field("family",  Kind::Choice(ModelFamily::NAMES), Required,                         "the architectures whose code goes in"),
    field("dtype",   Kind::Choice(Dtype::NAMES),       From("bf16 where the hardware multiplies it, else f16"), "the number format of activations, keys and values, and plain weights"),
    field("weights", Kind::Choice(WeightFormat::NAMES),Is("\"dense\""),                  "how the weights of linear layers are stored"),
    field("shape",   Kind::Path,                       From("read from the checkpoint when the engine starts"), "a config.json beside the profile: bakes the dimensions in, and lets the plan count memory"),
]};

#[rustfmt::skip]
pub const LIMITS: Section = Section { name: "limits", doc: "how much at once", fields: &[
    field("max-model-len",      Kind::Integer(1, MOST), From("the shape's own limit, at most 8192; 4096 without a shape"), "tokens of one sequence at most, prompt and answer together"),
    field("max-seqs",           Kind::Integer(1, MOST), From("32 on a CPU, else 256"), "sequences in one step at most"),
    field("max-batched-tokens", Kind::Integer(1, MOST), From("with chunked prefill 512, else the larger of max-model-len and 2048; never less than max-seqs"), "tokens in one step at most"),
    field("block-size",         Kind::Integer(1, MOST), Is("16"),                      "tokens in a KV block, a power of two"),
    field("kv-memory",          Kind::Size,             From("4GiB on a CPU, else what is left of 90 % of the device"), "memory for keys and values, as in \"8GiB\""),
]};

#[rustfmt::skip]
pub const ACCEPT: Section = Section { name: "accept", doc: "unknown pairs, taken knowingly", fields: &[
    field("pair",   Kind::Pair, Required, "two features whose cell in vLLM's matrix is unknown"),
    field("reason", Kind::Text, Required, "why it is taken; it stands in the binary's manifest"),
]};

/// The sections with fields of their own; `[features]` has a key for each feature instead.
pub const SECTIONS: &[Section] = &[TOP, MODEL, LIMITS, ACCEPT];

/// The settings of a feature; empty for one that is only on or off.
pub fn settings(feature: Feature) -> &'static [Field] {
    SETTINGS
        .iter()
        .find(|(of, _)| *of == feature)
        .map_or(&[], |(_, fields)| fields)
}

/// The features that have settings.
#[rustfmt::skip]
const SETTINGS: &[(Feature, &[Field])] = &[
    (Feature::ChunkedPrefill, &[
        field("tokens", Kind::Integer(1, MOST), From("max-batched-tokens, in whole blocks with prefix-caching"), "tokens of one prompt in one step at most"),
    ]),
    (Feature::Lora, &[
        field("max-loras",     Kind::Integer(1, 4096), Is("1"),           "adapters in one step at most"),
        field("max-rank",      Kind::Integer(1, MOST), Is("16"),          "rank of an adapter at most: 8, 16, 32, 64, 128 or 256"),
        field("max-cpu-loras", Kind::Integer(1, MOST), From("max-loras"), "adapters kept in host memory, at least max-loras"),
        field("extra-vocab",   Kind::Integer(0, MOST), Is("0"),           "tokens that an adapter may add to the vocabulary: 0, 256 or 512"),
    ]),
    (Feature::PromptAdapter, &[
        field("max-adapters", Kind::Integer(1, 4096), Is("1"),   "prompt adapters resident at once"),
        field("max-tokens",   Kind::Integer(1, MOST), Is("128"), "virtual tokens of an adapter at most"),
    ]),
    (Feature::SpeculativeDecoding, &[
        field("method",     Kind::Choice(&["ngram", "draft-model"]), Is("\"ngram\""), "who proposes: the prompt's own n-grams, or a smaller model with the same vocabulary"),
        field("tokens",     Kind::Integer(1, MOST), Is("4"),                   "tokens drafted for each pass of the model"),
        field("lookup-min", Kind::Integer(1, 64),   From("1 with `ngram`"),    "shortest n-gram looked for"),
        field("lookup-max", Kind::Integer(1, 64),   From("4 with `ngram`, or lookup-min where that is more"), "longest n-gram looked for"),
    ]),
    (Feature::CudaGraph, &[
        field("max-batch", Kind::Integer(1, MOST), From("max-seqs, at most 256"), "largest decode batch that is captured; larger ones run eagerly"),
    ]),
    (Feature::EncoderDecoder, &[
        field("max-encoder-len", Kind::Integer(1, MOST), From("max-model-len"), "tokens of an encoder prompt at most"),
    ]),
    (Feature::Logprobs, &[
        field("max", Kind::Integer(0, MOST), Is("20"), "alternatives a request may ask for at each generated token"),
    ]),
    (Feature::PromptLogprobs, &[
        field("max", Kind::Integer(0, MOST), Is("20"), "alternatives a request may ask for at each prompt token"),
    ]),
    (Feature::MultiStep, &[
        field("steps", Kind::Integer(2, 64), Is("8"), "decode steps for one schedule"),
    ]),
    (Feature::Multimodal, &[
        field("max-images", Kind::Integer(1, 4096), Is("1"), "images in one prompt at most"),
    ]),
    (Feature::BestOf, &[
        field("max", Kind::Integer(2, MOST), Is("8"), "samples of one prompt at most"),
    ]),
    (Feature::BeamSearch, &[
        field("max-width", Kind::Integer(2, MOST), Is("8"), "beams at most"),
    ]),
];
