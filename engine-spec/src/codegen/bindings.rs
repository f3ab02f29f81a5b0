//! The types of a plan: for each associated type of a recipe, what stands there.

use super::parts::PARTS;
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
    /// The module of `engine_runtime` that the names in `bound` come from.
    pub module: &'static str,
    /// The type as Rust writes it: `Chunked<512>`.
    pub bound: String,
}

impl Binding {
    fn new(name: &'static str, module: &'static str, bound: String) -> Binding {
        Binding {
            name,
            module,
            bound,
        }
    }

    /// The names in its type that are imported.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        let words = self
            .bound
            .split(|letter: char| !letter.is_ascii_alphanumeric());
        words.filter(|word| {
            word.starts_with(|letter: char| letter.is_ascii_uppercase()) && !LOCAL.contains(word)
        })
    }
}

/// Names that stand for themselves.
const LOCAL: [&str; 2] = ["Self", BAKED];

/// The name of the type that holds the dimensions of a profile with a shape.
pub(super) const BAKED: &str = "BakedShape";

const DTYPE: &str = "dtype";
const CPU: &str = "backend::cpu";
const GPU: &str = "backend::gpu";
const MODELS: &str = "models";
const PART: &str = "parts";

/// Every type of the plan's recipe, in the order of the trait.
pub fn bindings(plan: &Plan) -> Vec<Binding> {
    let (module, backend) = backend(plan);
    let mut bindings = vec![
        Binding::new(
            "Weights",
            DTYPE,
            weights(plan.model.weights, plan.model.dtype),
        ),
        Binding::new("Backend", module, backend),
        Binding::new("Model", MODELS, model(plan)),
    ];
    let on = parts(&plan.features);
    let parts = PARTS.iter().zip(on);
    bindings.extend(parts.map(|(part, on)| {
        Binding::new(
            part.name,
            PART,
            on.unwrap_or_else(|| part.neutral.to_owned()),
        )
    }));
    bindings
}

/// The recipe with every part neutral, on a backend that compiles anywhere.
pub(super) fn smallest() -> Vec<Binding> {
    let mut bindings = vec![
        Binding::new("Weights", DTYPE, weights(WeightFormat::Dense, Dtype::F32)),
        Binding::new("Backend", CPU, cpu(Isa::Portable)),
        Binding::new("Model", MODELS, "Llama<Self>".to_owned()),
    ];
    bindings.extend(PARTS.map(|part| Binding::new(part.name, PART, part.neutral.to_owned())));
    bindings
}

fn weights(format: WeightFormat, dtype: Dtype) -> String {
    format!(
        "{}<{}>",
        camel(format.name()),
        dtype.name().to_ascii_uppercase()
    )
}

fn backend(plan: &Plan) -> (&'static str, String) {
    match plan.backend {
        Backend::Cpu { isa } => (CPU, cpu(isa)),
        Backend::Cuda | Backend::Hip => (
            GPU,
            format!(
                "Gpu<{}, {}>",
                camel(plan.backend.kind().name()),
                camel(plan.target.arch.name())
            ),
        ),
    }
}

fn cpu(isa: Isa) -> String {
    format!("Cpu<{}>", isa.name())
}

/// The model's code, or the name that it will have: a plan for preview may name one that is not built.
fn model(plan: &Plan) -> String {
    let family = plan.model.family;
    let code = family
        .code()
        .map_or_else(|| camel(family.name()), |code| code.name().to_owned());
    match &plan.model.dims {
        Dims::Loaded => format!("{code}<Self>"),
        Dims::Baked(_) => format!("{code}<Self, {BAKED}>"),
    }
}

/// The type of each part that is on, in the order of [`PARTS`].
fn parts(features: &Features) -> [Option<String>; PARTS.len()] {
    [
        match features.prefill {
            Prefill::Whole => None,
            Prefill::Chunked { tokens } => Some(format!("Chunked<{tokens}>")),
        },
        match features.prefix {
            Prefix::Off => None,
            Prefix::Hashed { block } => Some(format!("Hashed<{block}>")),
        },
        match features.adapters {
            Adapters::Off => None,
            Adapters::Lora {
                max_loras,
                max_rank,
                ..
            } => Some(format!("Lora<{max_loras}, {max_rank}>")),
        },
        match features.prompt_adapters {
            PromptAdapters::Off => None,
            PromptAdapters::Tuned {
                max_adapters,
                max_tokens,
            } => Some(format!("PromptTuning<{max_adapters}, {max_tokens}>")),
        },
        match features.draft {
            Draft::Off => None,
            Draft::NGram { tokens, .. } => Some(format!("NGram<{tokens}>")),
            Draft::Model { tokens } => Some(format!("DraftModel<{tokens}>")),
        },
        match features.launch {
            Launch::Eager => None,
            Launch::Graphs { .. } => Some("Graphs".to_owned()),
        },
        match features.encoder {
            Encoder::Off => None,
            Encoder::Cross { .. } => Some("CrossAttention".to_owned()),
        },
        match features.logprobs {
            Logprobs::Off => None,
            Logprobs::Top { max } => Some(format!("Top<{max}>")),
        },
        match features.prompt_logprobs {
            Logprobs::Off => None,
            Logprobs::Top { max } => Some(format!("PromptTop<{max}>")),
        },
        match features.output {
            Output::Inline => None,
            Output::Async => Some("Async".to_owned()),
        },
        match features.steps {
            Steps::Single => None,
            Steps::Multi { steps } => Some(format!("Multi<{steps}>")),
        },
        match features.images {
            Images::Off => None,
            Images::Embedded { max_images } => Some(format!("Images<{max_images}>")),
        },
        match features.best_of {
            BestOf::Off => None,
            BestOf::Ranked { .. } => Some("Ranked".to_owned()),
        },
        match features.beam {
            Beam::Off => None,
            Beam::Width { max } => Some(format!("Beams<{max}>")),
        },
        match features.guide {
            Guide::Off => None,
            Guide::Grammar => Some("Grammar".to_owned()),
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
