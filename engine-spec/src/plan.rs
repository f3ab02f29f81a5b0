//! Plan: what will be built, every question answered.
//!
//! No `Option` and no default is left: each feature's part is an enum whose `Off`, `Whole` or `Eager` is an answer
//! too. Where an answer came from (a line of the profile, a default, a consequence) is kept beside it, in
//! [`Plan::decisions`]. Only [`crate::plan()`] makes one, and everything after it is infallible.

mod decision;
mod hash;
mod kernels;
mod memory;
mod resolve;

use serde::Serialize;

use crate::family::BackendKind;
use crate::feature::{Feature, FeatureSet};
use crate::matrix::Mode;
use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::named::named;
use crate::shape::Shape;
use crate::target::Target;
use crate::toolkit::Toolkit;

pub use decision::{Decision, Origin};
pub use kernels::Kernel;
pub use memory::{KvMemory, MemoryReport};
pub(crate) use resolve::resolve;

/// What will be built.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub name: String,
    pub mode: Mode,
    pub target: Target,
    pub backend: Backend,
    pub toolkit: Toolkit,
    pub model: Model,
    pub features: Features,
    pub limits: Limits,
    pub accepted: Vec<Accepted>,
    decisions: Vec<Decision>,
    #[serde(skip)]
    profile: String,
}

/// What runs the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    Cpu { isa: Isa },
    Cuda,
    Hip,
}

impl Backend {
    pub const fn kind(self) -> BackendKind {
        match self {
            Backend::Cpu { .. } => BackendKind::Cpu,
            Backend::Cuda => BackendKind::Cuda,
            Backend::Hip => BackendKind::Hip,
        }
    }
}

named! {
    /// The instruction set of the CPU kernels.
    Isa {
        Avx512Bf16 = "Avx512Bf16",
        Avx512 = "Avx512",
        Avx2 = "Avx2",
        Portable = "Portable",
    }
}

/// Which model, in which numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    pub family: ModelFamily,
    pub dtype: Dtype,
    pub weights: WeightFormat,
    pub dims: Dims,
}

/// When the model's dimensions are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dims {
    /// Read from the checkpoint when the engine starts.
    Loaded,
    /// Constants of the binary.
    Baked(Shape),
}

/// One part for each feature, in the page's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Features {
    pub prefill: Prefill,
    pub prefix: Prefix,
    pub adapters: Adapters,
    pub prompt_adapters: PromptAdapters,
    pub draft: Draft,
    pub launch: Launch,
    pub encoder: Encoder,
    pub logprobs: Logprobs,
    pub prompt_logprobs: Logprobs,
    pub output: Output,
    pub steps: Steps,
    pub images: Images,
    pub best_of: BestOf,
    pub beam: Beam,
    pub guide: Guide,
}

/// Declares the enum of one feature's part: `Off` and its like first.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident $({ $($field:ident: $type:ty),* })?,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$inner])* $variant $({ $($field: $type),* })?,)* }
    };
}

part! {
    /// How a prompt is read.
    Prefill {
        Whole,
        /// In pieces of at most so many tokens.
        Chunked { tokens: u64 },
    }
}
part! {
    /// Whether blocks of prompts are found again.
    Prefix {
        Off,
        /// By the hash of full blocks of so many tokens.
        Hashed { block: u64 },
    }
}
part! {
    /// Low-rank adapters.
    Adapters {
        Off,
        Lora { max_loras: u64, max_rank: u64, max_cpu_loras: u64, extra_vocab: u64 },
    }
}
part! {
    /// Learned rows in place of the first embeddings.
    PromptAdapters {
        Off,
        Tuned { max_adapters: u64, max_tokens: u64 },
    }
}
part! {
    /// Who proposes tokens.
    Draft {
        Off,
        /// The sequence's own n-grams.
        NGram { tokens: u64, lookup_min: u64, lookup_max: u64 },
        /// A smaller model.
        Model { tokens: u64 },
    }
}
part! {
    /// How the kernels of a step are launched.
    Launch {
        Eager,
        /// Captured for decode batches up to this size.
        Graphs { max_batch: u64 },
    }
}
part! {
    /// Whether there is an encoder.
    Encoder {
        Off,
        Cross { max_encoder_len: u64 },
    }
}
part! {
    /// Log probabilities, of generated or of prompt tokens.
    Logprobs {
        Off,
        /// With at most so many alternatives.
        Top { max: u64 },
    }
}
part! {
    /// When output is processed.
    Output {
        Inline,
        /// While the next step runs.
        Async,
    }
}
part! {
    /// How many decode steps a schedule serves.
    Steps {
        Single,
        Multi { steps: u64 },
    }
}
part! {
    /// Images in prompts.
    Images {
        Off,
        Embedded { max_images: u64 },
    }
}
part! {
    /// Several samples, the likeliest returned.
    BestOf {
        Off,
        Ranked { max: u64 },
    }
}
part! {
    /// Beam search.
    Beam {
        Off,
        Width { max: u64 },
    }
}
part! {
    /// What restrains the tokens that may follow.
    Guide {
        Off,
        Grammar,
    }
}

/// How much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Tokens of one sequence.
    pub max_model_len: u64,
    /// Sequences in one step.
    pub max_seqs: u64,
    /// Tokens in one step.
    pub max_batched_tokens: u64,
    /// Tokens in a KV block.
    pub block_size: u64,
    pub kv_memory: KvMemory,
}

/// An unknown pair that the profile takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub pair: [Feature; 2],
    pub reason: String,
}

impl Plan {
    /// The features that are on.
    pub fn set(&self) -> FeatureSet {
        let on = |feature: &Feature| self.features.has(*feature);
        Feature::ALL.into_iter().filter(on).collect()
    }

    /// Every answer and where it came from, in the order of the profile reference.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// The profile's text, as read.
    pub fn profile(&self) -> &str {
        &self.profile
    }
}

impl Features {
    /// Whether a feature is compiled in.
    pub fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::ChunkedPrefill => self.prefill != Prefill::Whole,
            Feature::PrefixCaching => self.prefix != Prefix::Off,
            Feature::Lora => self.adapters != Adapters::Off,
            Feature::PromptAdapter => self.prompt_adapters != PromptAdapters::Off,
            Feature::SpeculativeDecoding => self.draft != Draft::Off,
            Feature::CudaGraph => self.launch != Launch::Eager,
            Feature::EncoderDecoder => self.encoder != Encoder::Off,
            Feature::Logprobs => self.logprobs != Logprobs::Off,
            Feature::PromptLogprobs => self.prompt_logprobs != Logprobs::Off,
            Feature::AsyncOutput => self.output != Output::Inline,
            Feature::MultiStep => self.steps != Steps::Single,
            Feature::Multimodal => self.images != Images::Off,
            Feature::BestOf => self.best_of != BestOf::Off,
            Feature::BeamSearch => self.beam != Beam::Off,
            Feature::GuidedDecoding => self.guide != Guide::Off,
        }
    }
}
