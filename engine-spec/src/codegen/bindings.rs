//! The types and constants of a plan: what stands in its recipe.

use super::parts::PARTS;
use super::types::{Module, Type};
use crate::feature::Feature;
use crate::model::{Dtype, WeightFormat};
use crate::plan::{
    Adapters, Backend, Beam, BestOf, Dims, Draft, Encoder, Features, Guide, Images, Isa, Launch,
    Logprobs, Output, Plan, Prefill, Prefix, PromptAdapters, Steps,
};

/// One associated type and what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The associated type of `Recipe`.
    pub name: &'static str,
    pub bound: Type,
}

/// The settings of a feature that is on, as a constant of the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    pub feature: Feature,
    /// Each setting by its name in Rust.
    pub settings: Vec<(&'static str, u64)>,
}

impl Constant {
    /// The constant's name: `CHUNKED_PREFILL`.
    pub fn name(&self) -> String {
        self.feature.name().to_ascii_uppercase().replace('-', "_")
    }

    /// The type of its value: `ChunkedPrefillSettings`.
    pub fn settings_type(&self) -> Type {
        Type::of(PART, camel(self.feature.name()) + "Settings")
    }
}

/// The name of the type that holds the dimensions of a profile with a shape.
pub(super) const BAKED: &str = "BakedShape";

const DTYPE: Module = &["dtype"];
const CPU: Module = &["backend", "cpu"];
const GPU: Module = &["backend", "gpu"];
const MODELS: Module = &["models"];
const PART: Module = &["parts"];

/// Every type of the plan's recipe: backend and model, then a part for each feature in the order of the matrix.
pub fn bindings(plan: &Plan) -> Vec<Binding> {
    let parts = parts(&plan.features);
    let parts = PARTS.iter().zip(parts);
    let parts = parts.map(|(part, on)| Binding {
        name: part.name,
        bound: Type::of(PART, on.map_or(part.neutral, |(name, _)| name)),
    });
    base(
        backend(plan),
        model(plan),
        plan.model.weights,
        plan.model.dtype,
    )
    .into_iter()
    .chain(parts)
    .collect()
}

/// The settings of every feature that is on and has some, in the order of the matrix.
pub fn constants(plan: &Plan) -> Vec<Constant> {
    let parts = PARTS.iter().zip(parts(&plan.features));
    let constants = parts.filter_map(|(part, on)| {
        on.map(|(_, settings)| Constant {
            feature: part.feature,
            settings,
        })
    });
    constants
        .filter(|constant| !constant.settings.is_empty())
        .collect()
}

/// The recipe with every part neutral, on a backend that compiles anywhere.
pub(super) fn smallest() -> Vec<Binding> {
    let model = Type::of(MODELS, "Llama").with(Type::local("Self"));
    let parts = PARTS.map(|part| Binding {
        name: part.name,
        bound: Type::of(PART, part.neutral),
    });
    base(cpu(Isa::Portable), model, WeightFormat::Dense, Dtype::F32)
        .into_iter()
        .chain(parts)
        .collect()
}

/// Head and cache are in the profile's dtype, whatever the format of the weights.
fn base(backend: Type, model: Type, weights: WeightFormat, dtype: Dtype) -> [Binding; 5] {
    let bind = |name, bound| Binding { name, bound };
    let dtype = Type::of(DTYPE, dtype.name().to_ascii_uppercase());
    [
        bind("Backend", backend),
        bind("Model", model),
        bind(
            "Weights",
            Type::of(DTYPE, camel(weights.name())).with(dtype.clone()),
        ),
        bind("Head", Type::of(DTYPE, "Dense").with(dtype.clone())),
        bind("Cache", Type::of(DTYPE, "Plain").with(dtype)),
    ]
}

fn backend(plan: &Plan) -> Type {
    let gpu = |driver: &str| {
        Type::of(GPU, "Gpu")
            .with(Type::of(GPU, driver))
            .with(Type::of(GPU, camel(plan.target.arch.name())))
    };
    match plan.backend {
        Backend::Cpu { isa } => cpu(isa),
        Backend::Cuda => gpu("Cuda"),
        Backend::Hip => gpu("Hip"),
    }
}

fn cpu(isa: Isa) -> Type {
    Type::of(CPU, "Cpu").with(Type::of(CPU, isa.name()))
}

/// The model's code, or the name that it will have: a plan for preview may name one that is not built.
fn model(plan: &Plan) -> Type {
    let family = plan.model.family;
    let code = family
        .code()
        .map_or_else(|| camel(family.name()), |code| code.name().to_owned());
    let model = Type::of(MODELS, code).with(Type::local("Self"));
    match &plan.model.dims {
        Dims::Loaded => model,
        Dims::Baked(_) => model.with(Type::local(BAKED)),
    }
}

type On = (&'static str, Vec<(&'static str, u64)>);

/// The type and the settings of each part that is on, in the order of [`PARTS`]. No pattern here has a `..`, so that
/// no setting can be lost.
fn parts(features: &Features) -> [Option<On>; PARTS.len()] {
    [
        match features.prefill {
            Prefill::Whole => None,
            Prefill::Chunked { tokens } => Some(("Chunked", vec![("tokens", tokens)])),
        },
        match features.prefix {
            Prefix::Off => None,
            Prefix::Hashed { block: _ } => Some(("Hashed", vec![])),
        },
        match features.adapters {
            Adapters::Off => None,
            Adapters::Lora {
                max_loras,
                max_rank,
                max_cpu_loras,
                extra_vocab,
            } => Some((
                "Lora",
                vec![
                    ("max_loras", max_loras),
                    ("max_rank", max_rank),
                    ("max_cpu_loras", max_cpu_loras),
                    ("extra_vocab", extra_vocab),
                ],
            )),
        },
        match features.prompt_adapters {
            PromptAdapters::Off => None,
            PromptAdapters::Tuned {
                max_adapters,
                max_tokens,
            } => Some((
                "PromptAdapter",
                vec![("max_adapters", max_adapters), ("max_tokens", max_tokens)],
            )),
        },
        match features.draft {
            Draft::Off => None,
            Draft::NGram {
                tokens,
                lookup_min,
                lookup_max,
            } => Some((
                "NGram",
                vec![
                    ("tokens", tokens),
                    ("lookup_min", lookup_min),
                    ("lookup_max", lookup_max),
                ],
            )),
            Draft::Model { tokens } => Some((
                "DraftModel",
                vec![("tokens", tokens), ("lookup_min", 0), ("lookup_max", 0)],
            )),
        },
        match features.launch {
            Launch::Eager => None,
            Launch::Graphs { max_batch } => Some(("Graphs", vec![("max_batch", max_batch)])),
        },
        match features.encoder {
            Encoder::Off => None,
            Encoder::Cross { max_encoder_len } => {
                Some(("CrossAttention", vec![("max_encoder_len", max_encoder_len)]))
            }
        },
        match features.logprobs {
            Logprobs::Off => None,
            Logprobs::Top { max } => Some(("Top", vec![("max", max)])),
        },
        match features.prompt_logprobs {
            Logprobs::Off => None,
            Logprobs::Top { max } => Some(("PromptTop", vec![("max", max)])),
        },
        match features.output {
            Output::Inline => None,
            Output::Async => Some(("Async", vec![])),
        },
        match features.steps {
            Steps::Single => None,
            Steps::Multi { steps } => Some(("Multi", vec![("steps", steps)])),
        },
        match features.images {
            Images::Off => None,
            Images::Embedded { max_images } => Some(("Images", vec![("max_images", max_images)])),
        },
        match features.best_of {
            BestOf::Off => None,
            BestOf::Ranked { max } => Some(("Ranked", vec![("max", max)])),
        },
        match features.beam {
            Beam::Off => None,
            Beam::Width { max } => Some(("Beams", vec![("max_width", max)])),
        },
        match features.guide {
            Guide::Off => None,
            Guide::Grammar => Some(("Grammar", vec![])),
        },
    ]
}

/// `sm_70` as `Sm70`, `qwen2-vl` as `Qwen2Vl`.
fn camel(name: &str) -> String {
    let mut upper = true;
    let letters = name.chars().filter_map(|letter| {
        let first = std::mem::replace(&mut upper, matches!(letter, '-' | '_'));
        match letter {
            '-' | '_' => None,
            letter if first => Some(letter.to_ascii_uppercase()),
            letter => Some(letter),
        }
    });
    letters.collect()
}
