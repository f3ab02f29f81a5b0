//! Instructions of the x86-64 levels, and where a processor says that it has them.
//!
//! A plan's compiler flags, the machine that `native` stands for and the check of an engine that starts all go by this
//! list. If they went by lists of their own, an engine could be compiled with an instruction that nobody looked for.

/// A group of instructions that a processor has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// As rustc's `target-feature` calls them, where it does.
    pub name: &'static str,
    leaf: u32,
    subleaf: u32,
    register: Register,
    /// The bit in its place. A shift at run time could be an instruction that is not there.
    mask: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Eax,
    Ebx,
    Ecx,
}

use Register::{Eax, Ebx, Ecx};

const fn instructions(
    name: &'static str,
    (leaf, subleaf): (u32, u32),
    register: Register,
    bit: u32,
) -> Instructions {
    Instructions {
        name,
        leaf,
        subleaf,
        register,
        mask: 1 << bit,
    }
}

// What each level adds is from the x86-64 psABI, "Micro-Architecture Levels"; the bits are from the Intel 64 and IA-32
// manual, volume 2A, CPUID. The first level is what every 64-bit processor has.

/// x86-64-v2.
pub const V2: &[Instructions] = &[
    instructions("sse3", (1, 0), Ecx, 0),
    instructions("ssse3", (1, 0), Ecx, 9),
    instructions("cmpxchg16b", (1, 0), Ecx, 13),
    instructions("sse4.1", (1, 0), Ecx, 19),
    instructions("sse4.2", (1, 0), Ecx, 20),
    instructions("popcnt", (1, 0), Ecx, 23),
    instructions("lahfsahf", (0x8000_0001, 0), Ecx, 0),
];

/// What x86-64-v3 adds to v2.
pub const V3: &[Instructions] = &[
    instructions("fma", (1, 0), Ecx, 12),
    instructions("movbe", (1, 0), Ecx, 22),
    instructions("xsave", (1, 0), Ecx, 26),
    instructions("avx", (1, 0), Ecx, 28),
    instructions("f16c", (1, 0), Ecx, 29),
    instructions("bmi1", (7, 0), Ebx, 3),
    instructions("avx2", (7, 0), Ebx, 5),
    instructions("bmi2", (7, 0), Ebx, 8),
    instructions("lzcnt", (0x8000_0001, 0), Ecx, 5),
];

/// What x86-64-v4 adds to v3.
pub const V4: &[Instructions] = &[
    instructions("avx512f", (7, 0), Ebx, 16),
    instructions("avx512dq", (7, 0), Ebx, 17),
    instructions("avx512cd", (7, 0), Ebx, 28),
    instructions("avx512bw", (7, 0), Ebx, 30),
    instructions("avx512vl", (7, 0), Ebx, 31),
];

/// What Lathe's kernels for bf16 ask for above x86-64-v4: all processors that have the one have the other.
pub const BF16: &[Instructions] = &[
    instructions("avx512vnni", (7, 0), Ecx, 11),
    instructions("avx512bf16", (7, 1), Eax, 5),
];

impl Instructions {
    /// Whether a processor has them whose CPUID gives these words, eax to edx, for a leaf and subleaf.
    pub fn are_in(&self, cpuid: &impl Fn(u32, u32) -> [u32; 4]) -> bool {
        // Extended leaves are counted apart.
        let [most, ..] = cpuid(self.leaf & 0x8000_0000, 0);
        let [subleaves, ..] = cpuid(self.leaf, 0);
        let known = most >= self.leaf && (self.subleaf == 0 || subleaves >= self.subleaf);
        let [eax, ebx, ecx, _] = cpuid(self.leaf, self.subleaf);
        let register = match self.register {
            Eax => eax,
            Ebx => ebx,
            Ecx => ecx,
        };
        known && register & self.mask != 0
    }

    /// Whether this processor has them, asked of the processor: `is_x86_feature_detected!` takes for granted what its
    /// own build has switched on. Whether the system saves their registers is another question.
    #[cfg(target_arch = "x86_64")]
    pub fn are_here(&self) -> bool {
        self.are_in(&|leaf, subleaf| {
            let registers = std::arch::x86_64::__cpuid_count(leaf, subleaf);
            [registers.eax, registers.ebx, registers.ecx, registers.edx]
        })
    }

    /// Another processor has none of them.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn are_here(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_name_and_each_bit_stands_once() {
        let all = || [V2, V3, V4, BF16].into_iter().flatten();
        let names: BTreeSet<_> = all().map(|one| one.name).collect();
        let bits: BTreeSet<_> = all()
            .map(|one| (one.leaf, one.subleaf, one.register as u8, one.mask))
            .collect();
        assert_eq!((names.len(), bits.len()), (all().count(), all().count()));
    }

    /// Where this program is compiled for no more than every 64-bit processor has, std's own detection asks too.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_bits_are_those_that_std_reads() {
        macro_rules! same {
            ($($name:tt)+) => {$({
                let all = [V2, V3, V4, BF16].into_iter().flatten();
                let ours = all.into_iter().find(|one| one.name == $name).unwrap();
                assert_eq!(ours.are_here(), is_x86_feature_detected!($name), $name);
            })+};
        }
        same!("sse3" "ssse3" "cmpxchg16b" "sse4.1" "sse4.2" "popcnt");
        same!("fma" "movbe" "xsave" "avx" "f16c" "bmi1" "avx2" "bmi2" "lzcnt");
        same!("avx512f" "avx512dq" "avx512cd" "avx512bw" "avx512vl" "avx512vnni" "avx512bf16");
    }
}
