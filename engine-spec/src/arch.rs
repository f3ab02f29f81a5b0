//! Architectures: what a compiler is told to build for.
//!
//! A family is a column of the matrix; an architecture is finer, and the rules on number formats, toolkits and
//! kernels ask for it. Facts are columns here, so that a rule reads a field and lists nothing itself.

use std::fmt;

use engine_model::x86::{self, Instructions};
use serde::{Serialize, Serializer};

use crate::family::Family;
use crate::host::Processor;
use crate::toolkit::{Version, Versions};

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

/// Which devices run an architecture's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// Its own, and those of later minor revisions of this major one; none of the integrated ones.
    Major(u8),
    /// Its own alone: AMD's code objects, NVIDIA's integrated devices, instructions of one chip.
    Own,
    /// A processor runs what it has the instructions of.
    Cpu,
}

/// The 8-bit floats that an architecture's matrix instructions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fp8 {
    No,
    /// E4M3 and E5M2 of the Open Compute Project, in which checkpoints are.
    Ocp,
    /// AMD's first ones, without negative zero and with another bias: the same bits are half the value.
    Fnuz,
}

/// Facts of one architecture: of the chip, and not of what kernels there are for it.
struct Facts {
    arch: Arch,
    name: &'static str,
    family: Family,
    code: Code,
    /// Multiplies bf16 in matrix or dot product instructions.
    bf16: bool,
    /// Multiplies 8-bit floats in matrix instructions.
    fp8: Fp8,
    /// Multiplies 8-bit integers with 32-bit sums in one instruction (`dp4a`, `imma`, `v_dot4`, VNNI).
    int8: bool,
    toolkits: Versions,
    /// What it is, for the generated reference.
    what: &'static str,
}

/// One row an architecture. Sources: CUDA C++ Programming Guide, "Compute Capabilities", "Binary Compatibility" (a cubin
/// runs on later minor revisions, but not between desktop and Tegra) and "Warp matrix functions" (bf16 from 8.0; fp8
/// `mma` in the PTX ISA from 8.9; `dp4a` from 6.1); CUDA release notes and clang's list of CUDA versions for the
/// toolkits (CUDA 13.0 drops everything before 7.5); AMD CDNA 1 to 3 and RDNA 2 and 3 instruction set guides (bf16 MFMA
/// from gfx908, fp8 MFMA in gfx942, bf16 dot product in gfx1100) and ROCm release notes; x86-64 psABI micro-architecture
/// levels. Newer parts of `aarch64`
/// and `x86-64-v4` have more instructions, which the name does not promise.
#[rustfmt::skip]
const ARCHS: [Facts; Arch::COUNT] = [
    Facts { arch: Sm70,      name: "sm_70",          family: Family::Volta,  code: Code::Major(7), bf16: false, fp8: Fp8::No,   int8: true,  toolkits: Versions::Between(Version(9, 0), Version(12, 9)), what: "V100" },
    Facts { arch: Sm72,      name: "sm_72",          family: Family::Volta,  code: Code::Own,      bf16: false, fp8: Fp8::No,   int8: true,  toolkits: Versions::Between(Version(9, 1), Version(12, 9)), what: "Xavier" },
    Facts { arch: Sm75,      name: "sm_75",          family: Family::Turing, code: Code::Major(7), bf16: false, fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(10, 0)),                   what: "T4, RTX 20" },
    Facts { arch: Sm80,      name: "sm_80",          family: Family::Ampere, code: Code::Major(8), bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(11, 0)),                   what: "A100, A30" },
    Facts { arch: Sm86,      name: "sm_86",          family: Family::Ampere, code: Code::Major(8), bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(11, 1)),                   what: "A10, A40, RTX 30" },
    Facts { arch: Sm87,      name: "sm_87",          family: Family::Ampere, code: Code::Own,      bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(11, 4)),                   what: "Orin" },
    Facts { arch: Sm89,      name: "sm_89",          family: Family::Ada,    code: Code::Major(8), bf16: true,  fp8: Fp8::Ocp,  int8: true,  toolkits: Versions::From(Version(11, 8)),                   what: "L4, L40S, RTX 40" },
    Facts { arch: Sm90,      name: "sm_90",          family: Family::Hopper, code: Code::Major(9), bf16: true,  fp8: Fp8::Ocp,  int8: true,  toolkits: Versions::From(Version(11, 8)),                   what: "H100, H200, GH200" },
    Facts { arch: Sm90a,     name: "sm_90a",         family: Family::Hopper, code: Code::Own,      bf16: true,  fp8: Fp8::Ocp,  int8: true,  toolkits: Versions::From(Version(12, 0)),                   what: "H100, H200, GH200 with their own instructions; runs on no other" },
    Facts { arch: Gfx906,    name: "gfx906",         family: Family::Amd,    code: Code::Own,      bf16: false, fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(5, 0)),                    what: "MI50, MI60" },
    Facts { arch: Gfx908,    name: "gfx908",         family: Family::Amd,    code: Code::Own,      bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(5, 0)),                    what: "MI100" },
    Facts { arch: Gfx90a,    name: "gfx90a",         family: Family::Amd,    code: Code::Own,      bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(5, 0)),                    what: "MI210, MI250, MI250X" },
    Facts { arch: Gfx942,    name: "gfx942",         family: Family::Amd,    code: Code::Own,      bf16: true,  fp8: Fp8::Fnuz, int8: true,  toolkits: Versions::From(Version(6, 0)),                    what: "MI300A, MI300X, MI325X" },
    Facts { arch: Gfx1030,   name: "gfx1030",        family: Family::Amd,    code: Code::Own,      bf16: false, fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(5, 0)),                    what: "RX 6800, RX 6900" },
    Facts { arch: Gfx1100,   name: "gfx1100",        family: Family::Amd,    code: Code::Own,      bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::From(Version(5, 3)),                    what: "RX 7900" },
    Facts { arch: X86V3,     name: "x86-64-v3",      family: Family::Cpu,    code: Code::Cpu,      bf16: false, fp8: Fp8::No,   int8: false, toolkits: Versions::RustcAlone,                             what: "AVX2 and FMA: Haswell, Zen 1 to 3" },
    Facts { arch: X86V4,     name: "x86-64-v4",      family: Family::Cpu,    code: Code::Cpu,      bf16: false, fp8: Fp8::No,   int8: false, toolkits: Versions::RustcAlone,                             what: "AVX-512: Skylake-SP, Ice Lake" },
    Facts { arch: X86V4Bf16, name: "x86-64-v4-bf16", family: Family::Cpu,    code: Code::Cpu,      bf16: true,  fp8: Fp8::No,   int8: true,  toolkits: Versions::RustcAlone,                             what: "AVX-512 with VNNI and bf16: Sapphire Rapids, Zen 4" },
    Facts { arch: Aarch64,   name: "aarch64",        family: Family::Cpu,    code: Code::Cpu,      bf16: false, fp8: Fp8::No,   int8: false, toolkits: Versions::RustcAlone,                             what: "Graviton, Grace, Ampere Altra" },
    Facts { arch: Portable,  name: "portable",       family: Family::Cpu,    code: Code::Cpu,      bf16: false, fp8: Fp8::No,   int8: false, toolkits: Versions::RustcAlone,                             what: "any CPU that Rust compiles for" },
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
        !matches!(self.fp8(), Fp8::No)
    }

    pub const fn fp8(self) -> Fp8 {
        self.facts().fp8
    }

    pub const fn has_int8(self) -> bool {
        self.facts().int8
    }

    /// The versions of its maker's toolkit that make code for it.
    pub const fn toolkits(self) -> Versions {
        self.facts().toolkits
    }

    /// Whether devices of architecture `other` run code that was made for this one. A CPU's levels are asked of the
    /// machine when an engine starts, not here.
    pub const fn runs_on(self, other: Arch) -> bool {
        let (own, others) = (self.facts().code, other.facts().code);
        match (own, others) {
            (Code::Major(own), Code::Major(others)) => {
                own == others && self as usize <= other as usize
            }
            _ => self as usize == other as usize,
        }
    }

    /// What a processor of it has at least, beyond what every one of its kind has: what compilers are told, and what
    /// the engine looks for when it starts.
    pub fn instructions(self) -> impl Iterator<Item = &'static Instructions> {
        let levels: &[&[Instructions]] = match self {
            X86V3 => &[x86::V2, x86::V3],
            X86V4 => &[x86::V2, x86::V3, x86::V4],
            X86V4Bf16 => &[x86::V2, x86::V3, x86::V4, x86::BF16],
            _ => &[],
        };
        levels.iter().copied().flatten()
    }

    /// The kind of processor that it is one of; none for a GPU, and for portable code.
    pub const fn processor(self) -> Option<Processor> {
        match self {
            X86V3 | X86V4 | X86V4Bf16 => Some(Processor::X86_64),
            Aarch64 => Some(Processor::Aarch64),
            _ => None,
        }
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
