//! Answers: one for each question, whether or not they can work together.

use serde::Serialize;

use super::{Decision, Limits};
use crate::family::BackendKind;
use crate::features::{FeatureSet, Features};
use crate::matrix::{CellId, Mode};
use crate::model::{Dtype, ModelFamily, WeightFormat};
use crate::named::named;
use crate::shape::Shape;
use crate::target::Target;
use crate::toolkit::Toolkit;

/// What a profile asks for. No `Option` and no default is left: that a feature is off is an answer too. Where an
/// answer came from (a line of the profile, a default, a consequence) is kept beside it, in [`Answers::decisions`].
#[derive(Clone, Debug, Serialize)]
pub struct Answers {
    pub name: String,
    pub mode: Mode,
    pub target: Target,
    pub backend: Backend,
    pub toolkit: Toolkit,
    pub model: Model,
    pub features: Features,
    pub limits: Limits,
    /// In the order of the matrix, each once.
    pub accepted: Vec<Accepted>,
    pub(super) decisions: Vec<Decision>,
    #[serde(skip)]
    pub(super) profile: String,
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
    pub shape: Shape,
}

/// An unknown pair that the profile takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub pair: CellId,
    pub reason: String,
}

impl Answers {
    /// The features that are on.
    pub fn set(&self) -> FeatureSet {
        self.features.set()
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
