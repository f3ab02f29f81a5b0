//! Devices that people rent and buy, with the figures that are asked for when one is chosen.
//!
//! Only makers' figures, each with the paper it comes from. Memory and host go into a plan; the others are what
//! `cargo lathe explain DEVICE` shows, so that devices can be held against each other. A CPU's memory belongs to the
//! machine and not to the part, so a profile for one says how much is for keys and values (`kv-memory`).

use serde::Serialize;

use self::{HostKind::*, Memory::*};
use crate::arch::Arch::{self, *};
use crate::family::Family;
use crate::host::Processor;

/// One device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sku {
    /// The name in a profile.
    pub name: &'static str,
    pub arch: Arch,
    /// The processors that it comes with.
    pub host: HostKind,
    pub memory: Memory,
    /// Peak memory bandwidth in GB/s (10^9 bytes); of one socket for a CPU.
    pub bandwidth: f32,
    /// Streaming multiprocessors, compute units or cores.
    pub units: u32,
    /// KiB that one unit has to itself: shared memory of one block at most (opt-in), LDS of a workgroup, or L2 of a
    /// core.
    pub scratch: u32,
    /// Where the figures come from.
    pub source: &'static str,
}

/// The processors beside a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A card or a board that goes into any server.
    Any,
    X86,
    Arm,
}

impl HostKind {
    /// The processor, where the device leaves no choice.
    pub const fn processor(self) -> Option<Processor> {
        match self {
            HostKind::Any => None,
            HostKind::X86 => Some(Processor::X86_64),
            HostKind::Arm => Some(Processor::Aarch64),
        }
    }
}

/// How much memory a device has: GiB as the maker counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Its own, all of it for programs.
    Own(u64),
    /// Its own, of which error correction takes a sixteenth: GDDR6 stores its check bits among the data. Where it can
    /// be switched off it is counted as on, as servers leave it.
    Checked(u64),
    /// The machine's, which the host's programs use too.
    Shared(u64),
    /// Whatever the machine was bought with.
    Machine,
}

impl Memory {
    /// Bytes as the driver reports them, where the device decides it.
    pub const fn reported(self) -> Option<u64> {
        match self {
            Memory::Own(gib) | Memory::Shared(gib) => Some(gib << 30),
            Memory::Checked(gib) => Some((gib << 30) / 16 * 15),
            Memory::Machine => None,
        }
    }
}

impl Sku {
    pub const fn family(&self) -> Family {
        self.arch.family()
    }

    /// The device with exactly this name.
    pub fn named(name: &str) -> Option<&'static Sku> {
        SKUS.iter().find(|sku| sku.name == name)
    }
}

/// The catalogue, family by family. Shared memory a block is from the CUDA C++ Programming Guide, "Technical
/// specifications per compute capability" (96, 64, 163, 99, 99, 227 KiB), and the LDS size from the AMD instruction
/// set guides (64 KiB).
#[rustfmt::skip]
pub const SKUS: &[Sku] = &[
    Sku { name: "v100-pcie-16gb",        arch: Sm70,      host: Any, memory: Own(16),      bandwidth:  900.0, units:  80, scratch:   96, source: "NVIDIA V100 datasheet" },
    Sku { name: "v100-pcie-32gb",        arch: Sm70,      host: Any, memory: Own(32),      bandwidth:  900.0, units:  80, scratch:   96, source: "NVIDIA V100 datasheet" },
    Sku { name: "v100-sxm2-16gb",        arch: Sm70,      host: Any, memory: Own(16),      bandwidth:  900.0, units:  80, scratch:   96, source: "NVIDIA V100 datasheet; Tesla V100 whitepaper" },
    Sku { name: "v100-sxm2-32gb",        arch: Sm70,      host: Any, memory: Own(32),      bandwidth:  900.0, units:  80, scratch:   96, source: "NVIDIA V100 datasheet" },
    Sku { name: "v100s-pcie-32gb",       arch: Sm70,      host: Any, memory: Own(32),      bandwidth: 1134.0, units:  80, scratch:   96, source: "NVIDIA V100 datasheet, V100S" },
    Sku { name: "jetson-agx-xavier",     arch: Sm72,      host: Arm, memory: Shared(32),   bandwidth:  136.5, units:   8, scratch:   96, source: "Jetson AGX Xavier data sheet" },

    Sku { name: "t4",                    arch: Sm75,      host: Any, memory: Checked(16),  bandwidth:  320.0, units:  40, scratch:   64, source: "NVIDIA T4 datasheet; Turing whitepaper" },
    Sku { name: "rtx-2080-ti",           arch: Sm75,      host: Any, memory: Own(11),      bandwidth:  616.0, units:  68, scratch:   64, source: "NVIDIA Turing whitepaper" },
    Sku { name: "quadro-rtx-8000",       arch: Sm75,      host: Any, memory: Checked(48),  bandwidth:  672.0, units:  72, scratch:   64, source: "Quadro RTX 8000 datasheet; Turing whitepaper" },

    Sku { name: "a100-pcie-40gb",        arch: Sm80,      host: Any, memory: Own(40),      bandwidth: 1555.0, units: 108, scratch:  163, source: "NVIDIA A100 datasheet; Ampere whitepaper" },
    Sku { name: "a100-sxm4-40gb",        arch: Sm80,      host: Any, memory: Own(40),      bandwidth: 1555.0, units: 108, scratch:  163, source: "NVIDIA A100 datasheet; Ampere whitepaper" },
    Sku { name: "a100-pcie-80gb",        arch: Sm80,      host: Any, memory: Own(80),      bandwidth: 1935.0, units: 108, scratch:  163, source: "NVIDIA A100 80GB datasheet" },
    Sku { name: "a100-sxm4-80gb",        arch: Sm80,      host: Any, memory: Own(80),      bandwidth: 2039.0, units: 108, scratch:  163, source: "NVIDIA A100 80GB datasheet" },
    Sku { name: "a30",                   arch: Sm80,      host: Any, memory: Own(24),      bandwidth:  933.0, units:  56, scratch:  163, source: "NVIDIA A30 datasheet" },
    Sku { name: "a10",                   arch: Sm86,      host: Any, memory: Checked(24),  bandwidth:  600.0, units:  72, scratch:   99, source: "NVIDIA A10 datasheet" },
    Sku { name: "a40",                   arch: Sm86,      host: Any, memory: Checked(48),  bandwidth:  696.0, units:  84, scratch:   99, source: "NVIDIA A40 datasheet" },
    Sku { name: "rtx-a6000",             arch: Sm86,      host: Any, memory: Checked(48),  bandwidth:  768.0, units:  84, scratch:   99, source: "NVIDIA RTX A6000 datasheet" },
    Sku { name: "rtx-3090",              arch: Sm86,      host: Any, memory: Own(24),      bandwidth:  936.0, units:  82, scratch:   99, source: "NVIDIA GA102 whitepaper" },
    Sku { name: "jetson-agx-orin-64gb",  arch: Sm87,      host: Arm, memory: Shared(64),   bandwidth:  204.8, units:  16, scratch:  163, source: "Jetson AGX Orin series data sheet" },

    Sku { name: "l4",                    arch: Sm89,      host: Any, memory: Checked(24),  bandwidth:  300.0, units:  58, scratch:   99, source: "NVIDIA L4 datasheet" },
    Sku { name: "l40",                   arch: Sm89,      host: Any, memory: Checked(48),  bandwidth:  864.0, units: 142, scratch:   99, source: "NVIDIA L40 datasheet" },
    Sku { name: "l40s",                  arch: Sm89,      host: Any, memory: Checked(48),  bandwidth:  864.0, units: 142, scratch:   99, source: "NVIDIA L40S datasheet" },
    Sku { name: "rtx-4090",              arch: Sm89,      host: Any, memory: Own(24),      bandwidth: 1008.0, units: 128, scratch:   99, source: "NVIDIA Ada whitepaper" },
    Sku { name: "rtx-6000-ada",          arch: Sm89,      host: Any, memory: Checked(48),  bandwidth:  960.0, units: 142, scratch:   99, source: "NVIDIA RTX 6000 Ada datasheet" },

    Sku { name: "h100-pcie-80gb",        arch: Sm90,      host: Any, memory: Own(80),      bandwidth: 2039.0, units: 114, scratch:  227, source: "NVIDIA H100 whitepaper and PCIe product brief" },
    Sku { name: "h100-sxm5-80gb",        arch: Sm90,      host: Any, memory: Own(80),      bandwidth: 3352.0, units: 132, scratch:  227, source: "NVIDIA H100 whitepaper and datasheet" },
    Sku { name: "h100-nvl-94gb",         arch: Sm90,      host: Any, memory: Own(94),      bandwidth: 3938.0, units: 132, scratch:  227, source: "NVIDIA H100 NVL product brief" },
    Sku { name: "h200-sxm-141gb",        arch: Sm90,      host: Any, memory: Own(141),     bandwidth: 4800.0, units: 132, scratch:  227, source: "NVIDIA H200 datasheet" },
    Sku { name: "h200-nvl-141gb",        arch: Sm90,      host: Any, memory: Own(141),     bandwidth: 4800.0, units: 132, scratch:  227, source: "NVIDIA H200 datasheet" },
    Sku { name: "gh200-96gb",            arch: Sm90,      host: Arm, memory: Own(96),      bandwidth: 4000.0, units: 132, scratch:  227, source: "NVIDIA GH200 datasheet" },
    Sku { name: "gh200-144gb",           arch: Sm90,      host: Arm, memory: Own(144),     bandwidth: 4900.0, units: 132, scratch:  227, source: "NVIDIA GH200 datasheet" },

    Sku { name: "mi50-32gb",             arch: Gfx906,    host: Any, memory: Own(32),      bandwidth: 1024.0, units:  60, scratch:   64, source: "AMD Radeon Instinct MI50 datasheet" },
    Sku { name: "mi60",                  arch: Gfx906,    host: Any, memory: Own(32),      bandwidth: 1024.0, units:  64, scratch:   64, source: "AMD Radeon Instinct MI60 datasheet" },
    Sku { name: "mi100",                 arch: Gfx908,    host: Any, memory: Own(32),      bandwidth: 1228.8, units: 120, scratch:   64, source: "AMD Instinct MI100 brochure; CDNA whitepaper" },
    Sku { name: "mi210",                 arch: Gfx90a,    host: Any, memory: Own(64),      bandwidth: 1638.4, units: 104, scratch:   64, source: "AMD Instinct MI210 brochure" },
    Sku { name: "mi250",                 arch: Gfx90a,    host: Any, memory: Own(64),      bandwidth: 1638.4, units: 104, scratch:   64, source: "AMD Instinct MI250 datasheet, one of its two dies: each is a device of its own" },
    Sku { name: "mi250x",                arch: Gfx90a,    host: Any, memory: Own(64),      bandwidth: 1638.4, units: 110, scratch:   64, source: "AMD Instinct MI250X datasheet, one of its two dies: each is a device of its own" },
    Sku { name: "mi300a",                arch: Gfx942,    host: X86, memory: Shared(128),  bandwidth: 5300.0, units: 228, scratch:   64, source: "AMD Instinct MI300A datasheet" },
    Sku { name: "mi300x",                arch: Gfx942,    host: Any, memory: Own(192),     bandwidth: 5300.0, units: 304, scratch:   64, source: "AMD Instinct MI300X datasheet" },
    Sku { name: "mi325x",                arch: Gfx942,    host: Any, memory: Own(256),     bandwidth: 6000.0, units: 304, scratch:   64, source: "AMD Instinct MI325X datasheet" },
    Sku { name: "rx-6900-xt",            arch: Gfx1030,   host: Any, memory: Own(16),      bandwidth:  512.0, units:  80, scratch:   64, source: "AMD Radeon RX 6900 XT product page" },
    Sku { name: "rx-7900-xt",            arch: Gfx1100,   host: Any, memory: Own(20),      bandwidth:  800.0, units:  84, scratch:   64, source: "AMD Radeon RX 7900 XT product page" },
    Sku { name: "rx-7900-xtx",           arch: Gfx1100,   host: Any, memory: Own(24),      bandwidth:  960.0, units:  96, scratch:   64, source: "AMD Radeon RX 7900 XTX product page" },

    Sku { name: "epyc-7543",             arch: X86V3,     host: X86, memory: Machine,      bandwidth:  204.8, units:  32, scratch:  512, source: "AMD EPYC 7003 datasheet: 8 x DDR4-3200" },
    Sku { name: "epyc-7763",             arch: X86V3,     host: X86, memory: Machine,      bandwidth:  204.8, units:  64, scratch:  512, source: "AMD EPYC 7003 datasheet: 8 x DDR4-3200" },
    Sku { name: "epyc-9354",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  460.8, units:  32, scratch: 1024, source: "AMD EPYC 9004 datasheet: 12 x DDR5-4800" },
    Sku { name: "epyc-9654",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  460.8, units:  96, scratch: 1024, source: "AMD EPYC 9004 datasheet: 12 x DDR5-4800" },
    Sku { name: "epyc-9754",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  460.8, units: 128, scratch: 1024, source: "AMD EPYC 97x4 datasheet: 12 x DDR5-4800" },
    Sku { name: "epyc-9755",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  576.0, units: 128, scratch: 1024, source: "AMD EPYC 9005 datasheet: 12 x DDR5-6000" },
    Sku { name: "epyc-9965",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  576.0, units: 192, scratch: 1024, source: "AMD EPYC 9005 datasheet: 12 x DDR5-6000" },
    Sku { name: "xeon-8280",             arch: X86V4,     host: X86, memory: Machine,      bandwidth:  140.8, units:  28, scratch: 1024, source: "Intel Xeon Platinum 8280 product page: 6 x DDR4-2933" },
    Sku { name: "xeon-8358",             arch: X86V4,     host: X86, memory: Machine,      bandwidth:  204.8, units:  32, scratch: 1280, source: "Intel Xeon Platinum 8358 product page: 8 x DDR4-3200" },
    Sku { name: "xeon-8380",             arch: X86V4,     host: X86, memory: Machine,      bandwidth:  204.8, units:  40, scratch: 1280, source: "Intel Xeon Platinum 8380 product page: 8 x DDR4-3200" },
    Sku { name: "xeon-8480",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  307.2, units:  56, scratch: 2048, source: "Intel Xeon Platinum 8480+ product page: 8 x DDR5-4800" },
    Sku { name: "xeon-8592",             arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  358.4, units:  64, scratch: 2048, source: "Intel Xeon Platinum 8592+ product page: 8 x DDR5-5600" },
    Sku { name: "xeon-6980p",            arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:  614.4, units: 128, scratch: 2048, source: "Intel Xeon 6980P product page: 12 x DDR5-6400" },
    Sku { name: "ryzen-9-5950x",         arch: X86V3,     host: X86, memory: Machine,      bandwidth:   51.2, units:  16, scratch:  512, source: "AMD Ryzen 9 5950X product page: 2 x DDR4-3200" },
    Sku { name: "ryzen-9-7950x",         arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:   83.2, units:  16, scratch: 1024, source: "AMD Ryzen 9 7950X product page: 2 x DDR5-5200" },
    Sku { name: "ryzen-9-9950x",         arch: X86V4Bf16, host: X86, memory: Machine,      bandwidth:   89.6, units:  16, scratch: 1024, source: "AMD Ryzen 9 9950X product page: 2 x DDR5-5600" },
    Sku { name: "core-i9-13900k",        arch: X86V3,     host: X86, memory: Machine,      bandwidth:   89.6, units:  24, scratch: 2048, source: "Intel Core i9-13900K product page: 2 x DDR5-5600, L2 of a performance core" },
    Sku { name: "graviton3",             arch: Aarch64,   host: Arm, memory: Machine,      bandwidth:  307.2, units:  64, scratch: 1024, source: "AWS Graviton3: 8 x DDR5-4800; Neoverse V1" },
    Sku { name: "graviton4",             arch: Aarch64,   host: Arm, memory: Machine,      bandwidth:  537.6, units:  96, scratch: 2048, source: "AWS Graviton4: 12 x DDR5-5600; Neoverse V2" },
    Sku { name: "altra-q80-30",          arch: Aarch64,   host: Arm, memory: Machine,      bandwidth:  204.8, units:  80, scratch: 1024, source: "Ampere Altra product brief: 8 x DDR4-3200" },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_is_what_it_claims_to_be() {
        let names: BTreeSet<_> = SKUS.iter().map(|sku| sku.name).collect();
        assert_eq!(names.len(), SKUS.len(), "a name stands for one device");
        assert!(SKUS.len() >= 30);
        for sku in SKUS {
            assert!(
                sku.bandwidth > 0.0 && sku.units > 0 && sku.scratch > 0 && !sku.source.is_empty(),
                "{}",
                sku.name
            );
            let is_cpu = sku.family() == Family::Cpu;
            assert_eq!(sku.memory == Memory::Machine, is_cpu, "{}", sku.name);
            // A processor is its own host.
            assert!(
                !is_cpu || sku.host.processor() == sku.arch.processor(),
                "{}",
                sku.name
            );
            assert!(
                Arch::named(sku.name).is_none() && Family::named(sku.name).is_none(),
                "{}",
                sku.name
            );
        }
        for family in Family::ALL {
            assert!(
                SKUS.iter().any(|sku| sku.family() == family),
                "{family} has a device"
            );
        }
    }

    /// Grace Hopper and Jetson are soldered to an aarch64 processor, MI300A holds x86-64 cores.
    #[test]
    fn a_device_with_a_processor_of_its_own_has_that_host() {
        let own = |name: &str| name.starts_with("gh200") || name.starts_with("jetson");
        for sku in SKUS.iter().filter(|sku| own(sku.name)) {
            assert_eq!(sku.host, Arm, "{}", sku.name);
        }
        assert_eq!(Sku::named("mi300a").unwrap().host, X86);
    }

    /// What nvidia-smi reports, as far as it was at hand: at most 2 % of difference, which the driver keeps.
    #[test]
    fn memory_is_what_drivers_report() {
        for (name, mib) in [
            ("t4", 15_360_u64),
            ("a10", 23_028),
            ("a40", 46_068),
            ("l4", 23_034),
            ("l40s", 46_068),
            ("v100-sxm2-16gb", 16_160),
            ("rtx-4090", 24_564),
            ("a100-sxm4-80gb", 81_251),
            ("h100-sxm5-80gb", 81_559),
            ("h100-nvl-94gb", 95_830),
            ("h200-sxm-141gb", 143_771),
        ] {
            let counted = Sku::named(name).unwrap().memory.reported().unwrap() >> 20;
            assert!(
                mib <= counted && counted <= mib + mib / 50,
                "{name}: {counted} MiB"
            );
        }
    }
}
