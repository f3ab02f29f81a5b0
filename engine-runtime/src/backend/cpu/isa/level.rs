//! What a machine must have for an instruction set, asked of the machine.
//!
//! This is the first thing that an engine does, and everything around it may have been compiled with instructions that
//! the machine lacks. So the question is asked with numbers in registers: nothing here allocates, formats or copies more
//! than a word.

use engine_model::x86::{BF16, Instructions, V2, V3, V4};

/// A level of x86-64 processors; on other processors there is [`Level::ANY`] alone.
#[derive(Debug)]
pub struct Level {
    /// Name in messages: a profile's `target`, in words.
    pub name: &'static str,
    instructions: &'static [&'static [Instructions]],
    /// State components in XCR0: registers that the system must save when it changes threads.
    registers: u64,
}

/// What can be asked of a machine.
pub trait Machine {
    /// CPUID's eax to edx for a leaf and subleaf.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];

    /// XCR0; 0 where the system has not switched on that it can be read.
    fn saved_state(&self) -> u64;
}

/// This one.
pub struct ThisMachine;

/// Bits of XCR0 (Intel 64 and IA-32 manual, volume 1, 13.1): SSE and AVX, then also the three parts of AVX-512.
const YMM: u64 = 0b110;
const ZMM: u64 = 0b1110_0110;

impl Level {
    pub const ANY: Self = Self {
        name: "any machine",
        instructions: &[],
        registers: 0,
    };
    pub const V3: Self = Self {
        name: "x86-64-v3",
        instructions: &[V2, V3],
        registers: YMM,
    };
    pub const V4: Self = Self {
        name: "x86-64-v4",
        instructions: &[V2, V3, V4],
        registers: ZMM,
    };
    pub const V4_BF16: Self = Self {
        name: "x86-64-v4 with bf16",
        instructions: &[V2, V3, V4, BF16],
        registers: ZMM,
    };

    /// What the whole program was compiled for, kernels or not: `cargo lathe build` tells rustc of the target's level,
    /// plain `cargo build` of none.
    pub const fn of_this_build() -> &'static Self {
        if cfg!(target_feature = "avx512bf16") {
            &Self::V4_BF16
        } else if cfg!(target_feature = "avx512f") {
            &Self::V4
        } else if cfg!(target_feature = "avx") {
            &Self::V3
        } else {
            &Self::ANY
        }
    }

    /// Calls `found` with the name of each group of instructions that `machine` lacks, or of registers that its system
    /// does not save.
    pub fn each_missing(&self, machine: &impl Machine, found: &mut dyn FnMut(&'static str)) {
        let mut complete = true;
        let cpuid = |leaf, subleaf| machine.cpuid(leaf, subleaf);
        for list in self.instructions {
            for instructions in *list {
                if !instructions.are_in(&cpuid) {
                    complete = false;
                    found(instructions.name);
                }
            }
        }
        // Hidden from the compiler, which would make one instruction of the two that is not there.
        let saved = std::hint::black_box(machine.saved_state() & self.registers);
        if complete && saved != self.registers {
            found("the operating system's support for its registers");
        }
    }

    /// The same for this machine, as a list.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        self.each_missing(&ThisMachine, &mut |name| missing.push(name));
        missing
    }
}

// `is_x86_feature_detected!` is no help here: what a build has switched on it takes for granted, and the question is whether
// the build fits the machine.
#[cfg(target_arch = "x86_64")]
impl Machine for ThisMachine {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let registers = std::arch::x86_64::__cpuid_count(leaf, subleaf);
        [registers.eax, registers.ebx, registers.ecx, registers.edx]
    }

    fn saved_state(&self) -> u64 {
        const OSXSAVE: u32 = 1 << 27;
        let [_, _, ecx, _] = self.cpuid(1, 0);
        if ecx & OSXSAVE == 0 {
            return 0;
        }
        // SAFETY: OSXSAVE says that the instruction is there and switched on.
        unsafe { read_xcr0() }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "xsave")]
fn read_xcr0() -> u64 {
    // SAFETY: the feature is on in this function, whose caller asked the machine.
    unsafe { std::arch::x86_64::_xgetbv(0) }
}

#[cfg(not(target_arch = "x86_64"))]
impl Machine for ThisMachine {
    fn cpuid(&self, _: u32, _: u32) -> [u32; 4] {
        [0; 4]
    }

    fn saved_state(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine in words.
    struct Words {
        /// Leaf, subleaf, eax to edx.
        cpuid: Vec<(u32, u32, [u32; 4])>,
        saved_state: u64,
    }

    impl Machine for Words {
        fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
            let words = self
                .cpuid
                .iter()
                .find(|(l, s, _)| (*l, *s) == (leaf, subleaf));
            words.map_or([0; 4], |(_, _, words)| *words)
        }

        fn saved_state(&self) -> u64 {
            self.saved_state
        }
    }

    fn missing(level: &Level, machine: &Words) -> Vec<&'static str> {
        let mut missing = Vec::new();
        level.each_missing(machine, &mut |name| missing.push(name));
        missing
    }

    /// Zen 4 as its CPUID reads, without what no level asks for.
    fn zen4() -> Words {
        Words {
            cpuid: vec![
                (0, 0, [0x10, 0, 0, 0]),
                (1, 0, [0, 0, 0x7ef8_320b, 0]),
                (7, 0, [1, 0xf1bf_97a9, 0x0040_5fce, 0]),
                (7, 1, [0x20, 0, 0, 0]),
                (0x8000_0000, 0, [0x8000_0028, 0, 0, 0]),
                (0x8000_0001, 0, [0, 0, 0x75c2_37ff, 0]),
            ],
            saved_state: 0b10_1110_0111,
        }
    }

    /// Nehalem, of 2008: SSE 4.2, and no leaf 7.
    fn nehalem() -> Words {
        Words {
            cpuid: vec![
                (0, 0, [0xb, 0, 0, 0]),
                (1, 0, [0, 0, 0x009c_e3bd, 0]),
                (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
                (0x8000_0001, 0, [0, 0, 1, 0]),
            ],
            saved_state: 0,
        }
    }

    #[test]
    fn a_processor_is_held_against_every_instruction_of_a_level() {
        for level in [Level::ANY, Level::V3, Level::V4, Level::V4_BF16] {
            assert!(missing(&level, &zen4()).is_empty(), "{}", level.name);
        }
        assert!(missing(&Level::ANY, &nehalem()).is_empty());
        assert_eq!(
            missing(&Level::V3, &nehalem()),
            [
                "fma", "movbe", "xsave", "avx", "f16c", "bmi1", "avx2", "bmi2", "lzcnt"
            ]
        );
        // Each bit counts by itself.
        for (place, register, bit, name) in [
            (1, 2, 22, "movbe"),
            (1, 2, 0, "sse3"),
            (2, 1, 3, "bmi1"),
            (2, 1, 8, "bmi2"),
            (2, 1, 31, "avx512vl"),
            (2, 2, 11, "avx512vnni"),
            (3, 0, 5, "avx512bf16"),
            (5, 2, 5, "lzcnt"),
            (5, 2, 0, "lahfsahf"),
        ] {
            let mut machine = zen4();
            let (_, _, words) = &mut machine.cpuid[place];
            words[register] &= !(1 << bit);
            assert_eq!(missing(&Level::V4_BF16, &machine), [name]);
        }
    }

    #[test]
    fn a_leaf_that_the_processor_does_not_count_says_nothing() {
        let mut machine = zen4();
        machine.cpuid[0].2[0] = 6;
        assert_eq!(missing(&Level::V3, &machine), ["bmi1", "avx2", "bmi2"]);
        let mut machine = zen4();
        machine.cpuid[2].2[0] = 0;
        assert_eq!(missing(&Level::V4_BF16, &machine), ["avx512bf16"]);
    }

    #[test]
    fn the_system_must_save_the_registers() {
        let saves = |saved_state| Words {
            saved_state,
            ..zen4()
        };
        let system = ["the operating system's support for its registers"];
        assert_eq!(missing(&Level::V3, &saves(0)), system);
        assert!(missing(&Level::V3, &saves(0b111)).is_empty());
        assert_eq!(missing(&Level::V4, &saves(0b111)), system);
        assert!(missing(&Level::ANY, &saves(0)).is_empty());
    }

    /// What rustc switches on for the levels that `cargo lathe build` names to it is what is looked for.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn rustc_switches_on_nothing_that_is_not_looked_for() {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let features = |flags: &[&str]| -> Vec<String> {
            let output = std::process::Command::new(&rustc)
                .args(["--print", "cfg", "--target", "x86_64-unknown-linux-gnu"])
                .args(flags)
                .output()
                .expect("rustc runs where tests are built");
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).expect("rustc prints UTF-8");
            let feature = |line: &str| {
                let name = line.strip_prefix("target_feature=\"")?;
                Some(name.strip_suffix('"')?.to_owned())
            };
            text.lines().filter_map(feature).collect()
        };
        let everywhere = features(&[]);
        for (level, flags) in [
            (Level::V3, &["-Ctarget-cpu=x86-64-v3"][..]),
            (Level::V4, &["-Ctarget-cpu=x86-64-v4"]),
            (
                Level::V4_BF16,
                &[
                    "-Ctarget-cpu=x86-64-v4",
                    "-Ctarget-feature=+avx512vnni,+avx512bf16",
                ],
            ),
        ] {
            let switched_on = features(flags);
            assert!(switched_on.len() > 10, "{switched_on:?}");
            for feature in &switched_on {
                let looked_for = level.instructions.iter().copied().flatten();
                assert!(
                    everywhere.contains(feature)
                        || looked_for.into_iter().any(|one| one.name == feature),
                    "{} can use {feature}, which nobody looks for",
                    level.name
                );
            }
        }
    }
}
