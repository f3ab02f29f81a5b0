//! Manifest: what an engine says of itself, embedded in the binary as JSON.
//!
//! It can be read from the file without running it. The profile is in it whole, so that any engine can be built again.

use serde::Serialize;

use crate::features::FeatureSet;
use crate::plan::{Accepted, Answers, Decision};

/// What an engine says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The version of Lathe that made the engine.
    pub lathe: &'static str,
    pub name: String,
    pub hash: String,
    pub target: String,
    pub arch: &'static str,
    pub backend: &'static str,
    pub matrix: &'static str,
    pub model: &'static str,
    pub dtype: &'static str,
    pub features: FeatureSet,
    pub accepted: Vec<Accepted>,
    pub decisions: Vec<Decision>,
    /// The profile's whole text.
    pub profile: String,
}

impl Manifest {
    pub fn of(plan: &Answers) -> Manifest {
        Manifest {
            lathe: env!("CARGO_PKG_VERSION"),
            name: plan.name.clone(),
            hash: plan.hash(),
            target: plan.target.name.to_string(),
            arch: plan.target.arch.name(),
            backend: plan.backend.kind().name(),
            matrix: plan.mode.name(),
            model: plan.model.family.name(),
            dtype: plan.model.dtype.name(),
            features: plan.set(),
            accepted: plan.accepted.clone(),
            decisions: plan.decisions().to_vec(),
            profile: plan.profile().to_owned(),
        }
    }

    /// As one line of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and lists are always JSON")
    }
}
