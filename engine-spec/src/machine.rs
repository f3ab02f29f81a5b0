//! The machine that builds: for `target = "native"`, and for what is chosen by what is at hand.
//!
//! It is passed in, so that planning is a function and tests say which machine they mean.

mod tools;

#[cfg(target_arch = "x86_64")]
use engine_model::x86::Instructions;

use crate::arch::Arch;
use crate::family::BackendKind;
use crate::host::{Host, Processor};
use crate::toolkit::{Found, Toolkit};

/// What is known about a machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// The best CPU architecture that it can run.
    pub arch: Arch,
    pub host: Host,
    /// Hardware threads.
    pub threads: usize,
    /// Device compilers, in the order in which they are looked for. Asked only for a target that needs one: to ask is
    /// to run programs.
    pub toolkits: fn() -> &'static [Found],
}

impl Machine {
    /// The one this program runs on.
    pub fn detect() -> Machine {
        Machine {
            arch: arch(),
            host: Host::this(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            toolkits: tools::found,
        }
    }

    /// A server with eight threads and no device compiler, that is the same everywhere: for tests.
    pub const fn imagined(arch: Arch) -> Machine {
        let processor = match arch.processor() {
            Some(processor) => processor,
            None => Processor::X86_64,
        };
        Machine {
            arch,
            host: Host::server(processor),
            threads: 8,
            toolkits: || &[],
        }
    }

    /// What this machine has to compile kernels for an architecture.
    pub fn toolkit_for(&self, arch: Arch) -> Option<&'static Found> {
        match arch.family().backend() {
            BackendKind::Cpu => None,
            BackendKind::Cuda | BackendKind::Hip => {
                (self.toolkits)().iter().find(|found| found.builds(arch))
            }
        }
    }

    /// What will compile an architecture's kernels: what is here, or else what is to be got.
    pub fn toolkit(&self, arch: Arch) -> Toolkit {
        self.toolkit_for(arch).map_or_else(
            || Toolkit::to_get(arch.family().backend()),
            |found| found.toolkit,
        )
    }
}

/// The best level whose instructions the processor has and whose registers the system saves.
#[cfg(target_arch = "x86_64")]
fn arch() -> Arch {
    let is_saved = |arch| match arch {
        Arch::X86V3 => is_x86_feature_detected!("avx2"),
        _ => is_x86_feature_detected!("avx512f"),
    };
    let levels = [Arch::X86V4Bf16, Arch::X86V4, Arch::X86V3];
    let runs = |arch: &Arch| arch.instructions().all(Instructions::are_here) && is_saved(*arch);
    levels.into_iter().find(runs).unwrap_or(Arch::Portable)
}

#[cfg(target_arch = "aarch64")]
fn arch() -> Arch {
    Arch::Aarch64
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn arch() -> Arch {
    Arch::Portable
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    use super::*;
    use crate::toolkit::{Tool, Version};

    static OLD_AND_NEW: LazyLock<Vec<Found>> = LazyLock::new(|| {
        let nvcc = Found::new(Tool::Nvcc, Version(11, 8), PathBuf::from("/old/nvcc"));
        let nvrtc = Found::new(
            Tool::Nvrtc,
            Version(13, 1),
            PathBuf::from("/new/libnvrtc.so.13"),
        );
        [nvcc, nvrtc].into_iter().flatten().collect()
    });

    #[test]
    fn the_toolkit_is_the_first_that_makes_the_code_or_the_one_to_get() {
        let machine = Machine {
            toolkits: || &OLD_AND_NEW,
            ..Machine::imagined(Arch::X86V3)
        };
        for (arch, toolkit) in [
            (Arch::Sm70, Toolkit::Cuda11),
            (Arch::Sm90, Toolkit::Cuda11),
            (Arch::Sm90a, Toolkit::Cuda13),
            (Arch::Gfx942, Toolkit::Clang19),
            (Arch::X86V4, Toolkit::Rustc),
        ] {
            assert_eq!(machine.toolkit(arch), toolkit, "{arch}");
        }
        let bare = Machine::imagined(Arch::X86V3);
        assert_eq!(bare.toolkit(Arch::Sm70), Toolkit::Cuda12);
        assert_eq!(bare.toolkit_for(Arch::Sm70), None);
    }
}
