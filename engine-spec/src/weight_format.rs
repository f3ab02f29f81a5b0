//! How weights of linear layers are stored.

use crate::arch::{Arch, Fp8};
use crate::dtype::Dtype;
use crate::family::Family;
use crate::host::Processor;
use crate::named::named;

named! {
    /// How the weights of linear layers are stored.
    WeightFormat {
        Dense = "dense",
        Fp8 = "fp8",
        Int8 = "int8",
        Awq = "awq",
        Gptq = "gptq",
    }
}

/// Where vLLM 0.6.6 has kernels for a format: its table "Supported Hardware for Quantization Kernels", of which `fp8` is
/// the rows FP8 and Marlin (weights alone, multiplied as halves) together. No other processors than x86 are in it, and
/// of AMD's devices those have fp8 whose instructions multiply it. All are facts of that release and none of a chip:
/// kernels can unpack any weights.
#[rustfmt::skip]
const VLLM: [[bool; 7]; WeightFormat::ALL.len()] = [
    //          volta  turing ampere ada    hopper x86    amd
    /* dense */ [true,  true,  true,  true,  true,  true,  true],
    /* fp8   */ [false, false, true,  true,  true,  false, true],
    /* int8  */ [false, true,  true,  true,  true,  true,  false],
    /* awq   */ [false, true,  true,  true,  true,  true,  false],
    /* gptq  */ [true,  true,  true,  true,  true,  true,  false],
];

impl WeightFormat {
    /// Whether vLLM 0.6.6 has kernels for it on the architecture.
    pub fn is_in_vllm(self, arch: Arch) -> bool {
        let in_table = VLLM[self as usize][arch.family().index()];
        in_table
            && match self {
                WeightFormat::Dense => true,
                WeightFormat::Fp8 => arch.family() != Family::Amd || arch.fp8() != Fp8::No,
                WeightFormat::Int8 | WeightFormat::Awq | WeightFormat::Gptq => {
                    arch.family() != Family::Cpu || arch.processor() == Some(Processor::X86_64)
                }
            }
    }

    /// The hardware that vLLM 0.6.6 has kernels for it on, in words.
    pub fn hardware_in_vllm(self) -> String {
        let families = Family::ALL.into_iter().filter_map(|family| {
            let able: Vec<_> = Arch::of(family)
                .filter(|arch| self.is_in_vllm(*arch))
                .map(Arch::name)
                .collect();
            match able.len() {
                0 => None,
                all if all == Arch::of(family).count() => Some(family.name().to_owned()),
                _ if family == Family::Cpu => Some("x86 processors".to_owned()),
                _ => Some(able.join(", ")),
            }
        });
        families.collect::<Vec<_>>().join(", ")
    }

    /// Bits a weight of a linear layer takes in this format, where plain weights are of `dtype`; scales come on top.
    pub const fn bits(self, dtype: Dtype) -> u64 {
        match self {
            WeightFormat::Dense => 8 * dtype.bytes(),
            WeightFormat::Fp8 | WeightFormat::Int8 => 8,
            WeightFormat::Awq | WeightFormat::Gptq => 4,
        }
    }

    /// Whether a checkpoint must have been made in it: others round plain weights when they are loaded.
    pub const fn is_made_beforehand(self) -> bool {
        matches!(self, WeightFormat::Awq | WeightFormat::Gptq)
    }

    /// Whether vLLM's kernels for it take activations in `dtype`: those of the 4-bit formats take halves, AWQ's own
    /// f16 alone (vLLM 0.6, `get_supported_act_dtypes` of each format).
    pub const fn takes(self, dtype: Dtype) -> bool {
        match self {
            WeightFormat::Dense | WeightFormat::Int8 => true,
            WeightFormat::Fp8 | WeightFormat::Gptq => !matches!(dtype, Dtype::F32),
            WeightFormat::Awq => matches!(dtype, Dtype::F16),
        }
    }

    /// Whether this engine has it.
    pub const fn is_built(self) -> bool {
        matches!(self, WeightFormat::Dense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vllm_has_kernels_for_is_its_table() {
        for (format, hardware) in [
            (WeightFormat::Fp8, "ampere, ada, hopper, gfx942"),
            (
                WeightFormat::Int8,
                "turing, ampere, ada, hopper, x86 processors",
            ),
            (
                WeightFormat::Gptq,
                "volta, turing, ampere, ada, hopper, x86 processors",
            ),
        ] {
            assert_eq!(format.hardware_in_vllm(), hardware);
        }
        let everywhere = |arch| WeightFormat::Dense.is_in_vllm(arch);
        assert!(Arch::ALL.into_iter().all(everywhere));
    }
}
