//! Devices that people rent and buy, with the figures that a plan needs.
//!
//! Only makers' figures, each with the paper it comes from; what follows from them (how many sequences fit, how fast
//! a token can be) is worked out in [`mod@crate::plan`]. A CPU's memory belongs to the machine and not to the part, so a
//! profile for one says how much is for keys and values (`kv-memory`).

use serde::Serialize;

use crate::arch::Arch::{self, *};
use crate::family::Family;

/// One device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sku {
    /// The name in a profile.
    pub name: &'static str,
    pub arch: Arch,
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

/// How much memory a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Soldered on: GiB as the maker counts them.
    Gib(u64),
    /// Whatever the machine was bought with.
    Machine,
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

const fn sku(
    name: &'static str,
    arch: Arch,
    gib: u64,
    bandwidth: f32,
    units: u32,
    scratch: u32,
    source: &'static str,
) -> Sku {
    let memory = if gib == 0 {
        Memory::Machine
    } else {
        Memory::Gib(gib)
    };
    Sku {
        name,
        arch,
        memory,
        bandwidth,
        units,
        scratch,
        source,
    }
}

/// The catalogue, family by family. Shared memory a block is from the CUDA C++ Programming Guide, "Technical
/// specifications per compute capability" (96, 64, 163, 99, 99, 227 KiB), and the LDS size from the AMD instruction
/// set guides (64 KiB); 0 GiB stands for the machine's own.
#[rustfmt::skip]
pub const SKUS: &[Sku] = &[
    //   name                    arch       GiB   GB/s     units scratch  source
    sku("v100-pcie-16gb",        Sm70,       16,  900.0,   80,   96, "NVIDIA V100 datasheet"),
    sku("v100-pcie-32gb",        Sm70,       32,  900.0,   80,   96, "NVIDIA V100 datasheet"),
    sku("v100-sxm2-16gb",        Sm70,       16,  900.0,   80,   96, "NVIDIA V100 datasheet; Tesla V100 whitepaper"),
    sku("v100-sxm2-32gb",        Sm70,       32,  900.0,   80,   96, "NVIDIA V100 datasheet"),
    sku("v100s-pcie-32gb",       Sm70,       32, 1134.0,   80,   96, "NVIDIA V100 datasheet, V100S"),
    sku("jetson-agx-xavier",     Sm72,       32,  136.5,    8,   96, "Jetson AGX Xavier data sheet"),

    sku("t4",                    Sm75,       16,  320.0,   40,   64, "NVIDIA T4 datasheet; Turing whitepaper"),
    sku("rtx-2080-ti",           Sm75,       11,  616.0,   68,   64, "NVIDIA Turing whitepaper"),
    sku("quadro-rtx-8000",       Sm75,       48,  672.0,   72,   64, "Quadro RTX 8000 datasheet; Turing whitepaper"),

    sku("a100-pcie-40gb",        Sm80,       40, 1555.0,  108,  163, "NVIDIA A100 datasheet; Ampere whitepaper"),
    sku("a100-sxm4-40gb",        Sm80,       40, 1555.0,  108,  163, "NVIDIA A100 datasheet; Ampere whitepaper"),
    sku("a100-pcie-80gb",        Sm80,       80, 1935.0,  108,  163, "NVIDIA A100 80GB datasheet"),
    sku("a100-sxm4-80gb",        Sm80,       80, 2039.0,  108,  163, "NVIDIA A100 80GB datasheet"),
    sku("a30",                   Sm80,       24,  933.0,   56,  163, "NVIDIA A30 datasheet"),
    sku("a10",                   Sm86,       24,  600.0,   72,   99, "NVIDIA A10 datasheet"),
    sku("a40",                   Sm86,       48,  696.0,   84,   99, "NVIDIA A40 datasheet"),
    sku("rtx-a6000",             Sm86,       48,  768.0,   84,   99, "NVIDIA RTX A6000 datasheet"),
    sku("rtx-3090",              Sm86,       24,  936.0,   82,   99, "NVIDIA GA102 whitepaper"),
    sku("jetson-agx-orin-64gb",  Sm87,       64,  204.8,   16,  163, "Jetson AGX Orin series data sheet"),

    sku("l4",                    Sm89,       24,  300.0,   58,   99, "NVIDIA L4 datasheet"),
    sku("l40",                   Sm89,       48,  864.0,  142,   99, "NVIDIA L40 datasheet"),
    sku("l40s",                  Sm89,       48,  864.0,  142,   99, "NVIDIA L40S datasheet"),
    sku("rtx-4090",              Sm89,       24, 1008.0,  128,   99, "NVIDIA Ada whitepaper"),
    sku("rtx-6000-ada",          Sm89,       48,  960.0,  142,   99, "NVIDIA RTX 6000 Ada datasheet"),

    sku("h100-pcie-80gb",        Sm90,       80, 2039.0,  114,  227, "NVIDIA H100 whitepaper and PCIe product brief"),
    sku("h100-sxm5-80gb",        Sm90,       80, 3352.0,  132,  227, "NVIDIA H100 whitepaper and datasheet"),
    sku("h100-nvl-94gb",         Sm90,       94, 3938.0,  132,  227, "NVIDIA H100 NVL product brief"),
    sku("h200-sxm-141gb",        Sm90,      141, 4800.0,  132,  227, "NVIDIA H200 datasheet"),
    sku("h200-nvl-141gb",        Sm90,      141, 4800.0,  132,  227, "NVIDIA H200 datasheet"),
    sku("gh200-96gb",            Sm90,       96, 4000.0,  132,  227, "NVIDIA GH200 datasheet"),
    sku("gh200-144gb",           Sm90,      144, 4900.0,  132,  227, "NVIDIA GH200 datasheet"),

    sku("mi50-32gb",             Gfx906,     32, 1024.0,   60,   64, "AMD Radeon Instinct MI50 datasheet"),
    sku("mi60",                  Gfx906,     32, 1024.0,   64,   64, "AMD Radeon Instinct MI60 datasheet"),
    sku("mi100",                 Gfx908,     32, 1228.8,  120,   64, "AMD Instinct MI100 brochure; CDNA whitepaper"),
    sku("mi210",                 Gfx90a,     64, 1638.4,  104,   64, "AMD Instinct MI210 brochure"),
    sku("mi250",                 Gfx90a,     64, 1638.4,  104,   64, "AMD Instinct MI250 datasheet, one of its two dies: each is a device of its own"),
    sku("mi250x",                Gfx90a,     64, 1638.4,  110,   64, "AMD Instinct MI250X datasheet, one of its two dies: each is a device of its own"),
    sku("mi300a",                Gfx942,    128, 5300.0,  228,   64, "AMD Instinct MI300A datasheet"),
    sku("mi300x",                Gfx942,    192, 5300.0,  304,   64, "AMD Instinct MI300X datasheet"),
    sku("mi325x",                Gfx942,    256, 6000.0,  304,   64, "AMD Instinct MI325X datasheet"),
    sku("rx-6900-xt",            Gfx1030,    16,  512.0,   80,   64, "AMD Radeon RX 6900 XT product page"),
    sku("rx-7900-xt",            Gfx1100,    20,  800.0,   84,   64, "AMD Radeon RX 7900 XT product page"),
    sku("rx-7900-xtx",           Gfx1100,    24,  960.0,   96,   64, "AMD Radeon RX 7900 XTX product page"),

    sku("epyc-7543",             X86V3,       0,  204.8,   32,  512, "AMD EPYC 7003 datasheet: 8 x DDR4-3200"),
    sku("epyc-7763",             X86V3,       0,  204.8,   64,  512, "AMD EPYC 7003 datasheet: 8 x DDR4-3200"),
    sku("epyc-9354",             X86V4Bf16,   0,  460.8,   32, 1024, "AMD EPYC 9004 datasheet: 12 x DDR5-4800"),
    sku("epyc-9654",             X86V4Bf16,   0,  460.8,   96, 1024, "AMD EPYC 9004 datasheet: 12 x DDR5-4800"),
    sku("epyc-9754",             X86V4Bf16,   0,  460.8,  128, 1024, "AMD EPYC 97x4 datasheet: 12 x DDR5-4800"),
    sku("epyc-9755",             X86V4Bf16,   0,  576.0,  128, 1024, "AMD EPYC 9005 datasheet: 12 x DDR5-6000"),
    sku("epyc-9965",             X86V4Bf16,   0,  576.0,  192, 1024, "AMD EPYC 9005 datasheet: 12 x DDR5-6000"),
    sku("xeon-8280",             X86V4,       0,  140.8,   28, 1024, "Intel Xeon Platinum 8280 product page: 6 x DDR4-2933"),
    sku("xeon-8358",             X86V4,       0,  204.8,   32, 1280, "Intel Xeon Platinum 8358 product page: 8 x DDR4-3200"),
    sku("xeon-8380",             X86V4,       0,  204.8,   40, 1280, "Intel Xeon Platinum 8380 product page: 8 x DDR4-3200"),
    sku("xeon-8480",             X86V4Bf16,   0,  307.2,   56, 2048, "Intel Xeon Platinum 8480+ product page: 8 x DDR5-4800"),
    sku("xeon-8592",             X86V4Bf16,   0,  358.4,   64, 2048, "Intel Xeon Platinum 8592+ product page: 8 x DDR5-5600"),
    sku("xeon-6980p",            X86V4Bf16,   0,  614.4,  128, 2048, "Intel Xeon 6980P product page: 12 x DDR5-6400"),
    sku("ryzen-9-5950x",         X86V3,       0,   51.2,   16,  512, "AMD Ryzen 9 5950X product page: 2 x DDR4-3200"),
    sku("ryzen-9-7950x",         X86V4Bf16,   0,   83.2,   16, 1024, "AMD Ryzen 9 7950X product page: 2 x DDR5-5200"),
    sku("ryzen-9-9950x",         X86V4Bf16,   0,   89.6,   16, 1024, "AMD Ryzen 9 9950X product page: 2 x DDR5-5600"),
    sku("core-i9-13900k",        X86V3,       0,   89.6,   24, 2048, "Intel Core i9-13900K product page: 2 x DDR5-5600, L2 of a performance core"),
    sku("graviton3",             Aarch64,     0,  307.2,   64, 1024, "AWS Graviton3: 8 x DDR5-4800; Neoverse V1"),
    sku("graviton4",             Aarch64,     0,  537.6,   96, 2048, "AWS Graviton4: 12 x DDR5-5600; Neoverse V2"),
    sku("altra-q80-30",          Aarch64,     0,  204.8,   80, 1024, "Ampere Altra product brief: 8 x DDR4-3200"),
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
            assert_eq!(
                sku.memory == Memory::Machine,
                sku.family() == Family::Cpu,
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
}
