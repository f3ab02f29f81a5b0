//! The machine that builds, for `target = "native"`.
//!
//! It is passed in, so that planning is a function and tests say which machine they mean.

use crate::arch::Arch;

/// What is known about a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The best CPU architecture that it can run.
    pub arch: Arch,
    /// Hardware threads.
    pub threads: usize,
}

impl Machine {
    /// The one this program runs on.
    pub fn detect() -> Machine {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Machine {
            arch: arch(),
            threads,
        }
    }
}

/// The x86-64 levels are those of the psABI; only the instructions that the kernels use are asked for.
#[cfg(target_arch = "x86_64")]
fn arch() -> Arch {
    let v3 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("bmi2");
    let v4 = v3
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let bf16 =
        v4 && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bf16");
    match (bf16, v4, v3) {
        (true, _, _) => Arch::X86V4Bf16,
        (_, true, _) => Arch::X86V4,
        (_, _, true) => Arch::X86V3,
        _ => Arch::Portable,
    }
}

#[cfg(target_arch = "aarch64")]
fn arch() -> Arch {
    Arch::Aarch64
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn arch() -> Arch {
    Arch::Portable
}
