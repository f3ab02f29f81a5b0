//! What a plan tells cargo and rustc.

use serde::Serialize;

use super::{Backend, Plan};
use crate::arch::Arch;

/// What rustc is told of the CPU that runs the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rustc {
    /// The `--target` triple. It is always given, or cargo would compile build scripts for the engine's CPU too.
    pub triple: &'static str,
    /// `-C target-cpu`.
    pub target_cpu: &'static str,
    /// `-C target-feature`, each with its sign.
    pub target_features: &'static [&'static str],
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

impl Plan {
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
        const X86: &str = "x86_64-unknown-linux-gnu";
        const ARM: Rustc = Rustc {
            triple: "aarch64-unknown-linux-gnu",
            target_cpu: "generic",
            target_features: &[],
        };
        match self.target.arch {
            Arch::X86V3 => Rustc {
                triple: X86,
                target_cpu: "x86-64-v3",
                target_features: &[],
            },
            Arch::X86V4 => Rustc {
                triple: X86,
                target_cpu: "x86-64-v4",
                target_features: &[],
            },
            Arch::X86V4Bf16 => Rustc {
                triple: X86,
                target_cpu: "x86-64-v4",
                target_features: &["+avx512vnni", "+avx512bf16"],
            },
            Arch::Aarch64 => ARM,
            // Anything goes: what this machine is.
            _ if cfg!(target_arch = "aarch64") => ARM,
            _ => Rustc {
                triple: X86,
                target_cpu: "x86-64",
                target_features: &[],
            },
        }
    }
}
