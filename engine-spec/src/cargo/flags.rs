//! What a plan tells cargo and rustc.

use engine_model::x86;
use serde::Serialize;

use crate::arch::Arch;
use crate::plan::{Answers, Backend};

/// What rustc is told of the CPU that runs the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rustc {
    /// The `--target` triple. It is always given, or cargo would compile build scripts for the engine's CPU too.
    pub triple: String,
    /// `-C target-cpu`.
    pub target_cpu: &'static str,
    /// `-C target-feature`, each with its sign.
    pub target_features: Vec<String>,
}

impl Rustc {
    /// As arguments, for `RUSTFLAGS`.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec![format!("-Ctarget-cpu={}", self.target_cpu)];
        if !self.target_features.is_empty() {
            flags.push(format!(
                "-Ctarget-feature={}",
                self.target_features.join(",")
            ));
        }
        flags
    }
}

impl Answers {
    /// The Cargo features of the root package that gate this plan's dependencies; the CPU backend needs none.
    pub fn cargo_features(&self) -> Vec<&'static str> {
        match self.backend {
            Backend::Cpu { .. } => vec![],
            Backend::Cuda => vec!["cuda"],
            Backend::Hip => vec!["hip"],
        }
    }

    /// What rustc is told. The host side of a GPU engine is built for any CPU of its kind.
    pub fn rustc(&self) -> Rustc {
        let host = self.target.host;
        let target_cpu = match self.target.arch {
            Arch::X86V3 => "x86-64-v3",
            Arch::X86V4 | Arch::X86V4Bf16 => "x86-64-v4",
            _ => host.processor.any(),
        };
        let above = match self.target.arch {
            Arch::X86V4Bf16 => x86::BF16,
            _ => &[],
        };
        let target_features = above.iter().map(|one| format!("+{}", one.name)).collect();
        Rustc {
            triple: host.triple(),
            target_cpu,
            target_features,
        }
    }
}
