//! What this machine can do, asked of the machine.
//!
//! `is_x86_feature_detected!` is no help here: what a build has switched on it takes for granted, and the question is
//! whether the build fits the machine.

use std::arch::x86_64::{__cpuid_count, _xgetbv};

#[derive(Clone, Copy)]
pub(super) struct Feature {
    name: &'static str,
    leaf: (u32, u32),
    register: Register,
    bit: u32,
}

#[derive(Clone, Copy)]
enum Register {
    Eax,
    Ebx,
    Ecx,
}

const fn feature(name: &'static str, leaf: (u32, u32), register: Register, bit: u32) -> Feature {
    Feature {
        name,
        leaf,
        register,
        bit,
    }
}

// Bits from the Intel 64 and IA-32 manual, volume 2A, CPUID.
pub(super) const V3: &[Feature] = &[
    feature("fma", (1, 0), Register::Ecx, 12),
    feature("avx", (1, 0), Register::Ecx, 28),
    feature("f16c", (1, 0), Register::Ecx, 29),
    feature("avx2", (7, 0), Register::Ebx, 5),
];
pub(super) const V4: &[Feature] = &[
    feature("avx512f", (7, 0), Register::Ebx, 16),
    feature("avx512dq", (7, 0), Register::Ebx, 17),
    feature("avx512cd", (7, 0), Register::Ebx, 28),
    feature("avx512bw", (7, 0), Register::Ebx, 30),
    feature("avx512vl", (7, 0), Register::Ebx, 31),
];
pub(super) const BF16: &[Feature] = &[feature("avx512_bf16", (7, 1), Register::Eax, 5)];

/// State components of XCR0 that the system must save.
pub(super) const YMM: u64 = 0b110;
pub(super) const ZMM: u64 = 0b1110_0110;

/// Names of the features in `lists` that this machine lacks or its system does not save the registers of.
pub(super) fn missing(lists: &[&[Feature]], state: u64) -> Vec<&'static str> {
    let mut missing: Vec<_> = lists
        .iter()
        .copied()
        .flatten()
        .filter(|feature| !present(feature))
        .map(|feature| feature.name)
        .collect();
    if missing.is_empty() && saved_state() & state != state {
        missing.push("the operating system's support for its registers");
    }
    missing
}

fn present(feature: &Feature) -> bool {
    let (leaf, subleaf) = feature.leaf;
    let known =
        __cpuid_count(0, 0).eax >= leaf && (subleaf == 0 || __cpuid_count(leaf, 0).eax >= subleaf);
    let registers = __cpuid_count(leaf, subleaf);
    let register = match feature.register {
        Register::Eax => registers.eax,
        Register::Ebx => registers.ebx,
        Register::Ecx => registers.ecx,
    };
    known && register & (1 << feature.bit) != 0
}

fn saved_state() -> u64 {
    const OSXSAVE: u32 = 1 << 27;
    if __cpuid_count(1, 0).ecx & OSXSAVE == 0 {
        return 0;
    }
    // SAFETY: OSXSAVE says that the instruction is there and switched on.
    unsafe { read_xcr0() }
}

#[target_feature(enable = "xsave")]
fn read_xcr0() -> u64 {
    // SAFETY: the feature is on in this function, whose caller asked the machine.
    unsafe { _xgetbv(0) }
}
