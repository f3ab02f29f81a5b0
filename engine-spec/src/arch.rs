//! Architectures: what a compiler is told to build for.
//!
//! A family is a column of the page; an architecture is finer, and the rules on number formats, toolkits and
//! kernels ask for it. Capability facts are columns here, so that a rule reads a field and lists nothing itself.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::family::Family;

/// An instruction set architecture that an engine can be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Arch {
    Sm70,
    Sm72,
    Sm75,
    Sm80,
    Sm86,
    Sm87,
    Sm89,
    Sm90,
    Sm90a,
    Gfx906,
    Gfx908,
    Gfx90a,
    Gfx942,
    Gfx1030,
    Gfx1100,
    X86V3,
    X86V4,
    X86V4Bf16,
    Aarch64,
    Portable,
}

use Arch::*;

/// Facts of one architecture.
struct Facts {
    arch: Arch,
    name: &'static str,
    family: Family,
    /// Multiplies bf16, in matrix or dot-product instructions or, on a CPU, by widening to f32.
    bf16: bool,
    /// Multiplies 8-bit floats in matrix instructions.
    fp8: bool,
    /// Multiplies 8-bit integers with 32-bit sums (`dp4a`, `imma`, `v_dot4`, VNNI; on other CPUs by widening).
    int8: bool,
    /// What it is, for the generated reference.
    what: &'static str,
}

/// One row an architecture. Sources: CUDA C++ Programming Guide, "Compute Capabilities" and "Warp matrix functions"
/// (bf16 from 8.0; fp8 `mma` in the PTX ISA from 8.9; integer `mma` from 7.2), AMD CDNA 1 to 3 and RDNA 2 and 3
/// instruction set guides (bf16 MFMA from gfx908, fp8 MFMA in gfx942, bf16 dot product in gfx1100), x86-64 psABI
/// micro-architecture levels.
#[rustfmt::skip]
const ARCHS: [Facts; Arch::COUNT] = [
    Facts { arch: Sm70,      name: "sm_70",          family: Family::Volta,  bf16: false, fp8: false, int8: false, what: "V100" },
    Facts { arch: Sm72,      name: "sm_72",          family: Family::Volta,  bf16: false, fp8: false, int8: true,  what: "Xavier" },
    Facts { arch: Sm75,      name: "sm_75",          family: Family::Turing, bf16: false, fp8: false, int8: true,  what: "T4, RTX 20" },
    Facts { arch: Sm80,      name: "sm_80",          family: Family::Ampere, bf16: true,  fp8: false, int8: true,  what: "A100, A30" },
    Facts { arch: Sm86,      name: "sm_86",          family: Family::Ampere, bf16: true,  fp8: false, int8: true,  what: "A10, A40, RTX 30" },
    Facts { arch: Sm87,      name: "sm_87",          family: Family::Ampere, bf16: true,  fp8: false, int8: true,  what: "Orin" },
    Facts { arch: Sm89,      name: "sm_89",          family: Family::Ada,    bf16: true,  fp8: true,  int8: true,  what: "L4, L40S, RTX 40" },
    Facts { arch: Sm90,      name: "sm_90",          family: Family::Hopper, bf16: true,  fp8: true,  int8: true,  what: "H100, H200, GH200" },
    Facts { arch: Sm90a,     name: "sm_90a",         family: Family::Hopper, bf16: true,  fp8: true,  int8: true,  what: "H100, H200, GH200 with their own instructions; runs on no other" },
    Facts { arch: Gfx906,    name: "gfx906",         family: Family::Amd,    bf16: false, fp8: false, int8: true,  what: "MI50, MI60" },
    Facts { arch: Gfx908,    name: "gfx908",         family: Family::Amd,    bf16: true,  fp8: false, int8: true,  what: "MI100" },
    Facts { arch: Gfx90a,    name: "gfx90a",         family: Family::Amd,    bf16: true,  fp8: false, int8: true,  what: "MI210, MI250, MI250X" },
    Facts { arch: Gfx942,    name: "gfx942",         family: Family::Amd,    bf16: true,  fp8: true,  int8: true,  what: "MI300A, MI300X, MI325X" },
    Facts { arch: Gfx1030,   name: "gfx1030",        family: Family::Amd,    bf16: false, fp8: false, int8: true,  what: "RX 6800, RX 6900" },
    Facts { arch: Gfx1100,   name: "gfx1100",        family: Family::Amd,    bf16: true,  fp8: false, int8: true,  what: "RX 7900" },
    Facts { arch: X86V3,     name: "x86-64-v3",      family: Family::Cpu,    bf16: true,  fp8: false, int8: true,  what: "AVX2 and FMA: Haswell, Zen 1 to 3" },
    Facts { arch: X86V4,     name: "x86-64-v4",      family: Family::Cpu,    bf16: true,  fp8: false, int8: true,  what: "AVX-512: Skylake-SP, Ice Lake" },
    Facts { arch: X86V4Bf16, name: "x86-64-v4-bf16", family: Family::Cpu,    bf16: true,  fp8: false, int8: true,  what: "AVX-512 with VNNI and bf16: Sapphire Rapids, Zen 4" },
    Facts { arch: Aarch64,   name: "aarch64",        family: Family::Cpu,    bf16: true,  fp8: false, int8: true,  what: "Graviton, Grace, Ampere Altra" },
    Facts { arch: Portable,  name: "portable",       family: Family::Cpu,    bf16: true,  fp8: false, int8: true,  what: "any CPU that Rust compiles for" },
];

impl Arch {
    /// How many there are.
    pub const COUNT: usize = 20;

    /// All of them, family by family.
    pub const ALL: [Arch; Arch::COUNT] = {
        let mut all = [Sm70; Arch::COUNT];
        let mut at = 0;
        while at < Arch::COUNT {
            all[at] = ARCHS[at].arch;
            assert!(
                all[at] as usize == at,
                "ARCHS follows the order of the enum"
            );
            at += 1;
        }
        all
    };

    const fn facts(self) -> &'static Facts {
        &ARCHS[self as usize]
    }

    /// The name in a profile: the compiler's own where it has one.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    pub const fn family(self) -> Family {
        self.facts().family
    }

    pub const fn has_bf16(self) -> bool {
        self.facts().bf16
    }

    pub const fn has_fp8(self) -> bool {
        self.facts().fp8
    }

    pub const fn has_int8(self) -> bool {
        self.facts().int8
    }

    /// Devices that have it, in a few words.
    pub const fn what(self) -> &'static str {
        self.facts().what
    }

    /// The architecture with exactly this name.
    pub fn named(name: &str) -> Option<Arch> {
        Arch::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// The architectures of a family.
    pub fn of(family: Family) -> impl Iterator<Item = Arch> {
        Arch::ALL
            .into_iter()
            .filter(move |arch| arch.family() == family)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl Serialize for Arch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
