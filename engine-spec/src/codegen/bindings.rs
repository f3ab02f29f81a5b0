//! The types and constants of a plan: what stands in its recipe.

use super::types::{Module, Type};
use crate::features::Feature;
use crate::model::{Dtype, WeightFormat};
use crate::plan::{Answers, Backend, Isa};
use crate::shape::Shape;

/// One associated type and what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The associated type of `Recipe`.
    pub name: &'static str,
    pub bound: Type,
    pub stands_for: StandsFor,
}

/// What a type of a recipe is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandsFor {
    /// Hardware or model.
    Base,
    Feature(Feature),
    /// That a feature is not in the engine.
    Absence(Feature),
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
pub fn bindings(answers: &Answers) -> Vec<Binding> {
    let parts = answers.features.iter().map(|(feature, settings)| Binding {
        name: feature.part().name,
        bound: Type::of(PART, feature.stand_in(settings)),
        stands_for: match settings {
            Some(_) => StandsFor::Feature(feature),
            None => StandsFor::Absence(feature),
        },
    });
    let (weights, dtype) = (answers.model.weights, answers.model.dtype);
    base(backend(answers), model(answers), weights, dtype)
        .into_iter()
        .chain(parts)
        .collect()
}

/// The settings of every feature that is on and has some, in the order of the matrix.
pub fn constants(answers: &Answers) -> Vec<Constant> {
    let constants = answers.features.iter().filter_map(|(feature, settings)| {
        let settings = settings?.numbers();
        Some(Constant { feature, settings })
    });
    constants
        .filter(|constant| !constant.settings.is_empty())
        .collect()
}

/// The recipe with every part neutral, on a backend that compiles anywhere.
pub(super) fn smallest() -> Vec<Binding> {
    let model = Type::of(MODELS, "Llama").with(Type::local("Self"));
    let parts = Feature::ALL.map(|feature| Binding {
        name: feature.part().name,
        bound: Type::of(PART, feature.part().off),
        stands_for: StandsFor::Absence(feature),
    });
    base(cpu(Isa::Portable), model, WeightFormat::Dense, Dtype::F32)
        .into_iter()
        .chain(parts)
        .collect()
}

/// Head and cache are in the profile's dtype, whatever the format of the weights.
fn base(backend: Type, model: Type, weights: WeightFormat, dtype: Dtype) -> [Binding; 5] {
    let bind = |name, bound| Binding {
        name,
        bound,
        stands_for: StandsFor::Base,
    };
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

fn backend(answers: &Answers) -> Type {
    let gpu = |driver: &str| {
        Type::of(GPU, "Gpu")
            .with(Type::of(GPU, driver))
            .with(Type::of(GPU, camel(answers.target.arch.name())))
    };
    match answers.backend {
        Backend::Cpu { isa } => cpu(isa),
        Backend::Cuda => gpu("Cuda"),
        Backend::Hip => gpu("Hip"),
    }
}

fn cpu(isa: Isa) -> Type {
    Type::of(CPU, "Cpu").with(Type::of(CPU, isa.name()))
}

/// The model's code, or the name that it will have: a plan for preview may name one that is not built.
fn model(answers: &Answers) -> Type {
    let family = answers.model.family;
    let code = family
        .code()
        .map_or_else(|| camel(family.name()), |code| code.name().to_owned());
    let model = Type::of(MODELS, code).with(Type::local("Self"));
    match &answers.model.shape {
        Shape::Loaded { .. } => model,
        Shape::Baked(_) => model.with(Type::local(BAKED)),
    }
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
