//! How weights of linear layers are stored.

use crate::arch::Arch;
use crate::dtype::Dtype;
use crate::family::Family;
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

impl WeightFormat {
    /// Whether there are kernels for it on the architecture; the error says why not. What needs an instruction is
    /// read from the architecture's facts; for the 4-bit formats, which need none, it is vLLM 0.6's table "Supported
    /// Hardware for Quantization Kernels".
    pub fn runs_on(self, arch: Arch) -> Result<(), &'static str> {
        match (self, arch.family()) {
            (WeightFormat::Fp8, _) if !arch.has_fp8() => Err(
                "8-bit floats are multiplied by matrix instructions from sm_89 on and in gfx942",
            ),
            (WeightFormat::Int8, Family::Volta | Family::Amd) => Err(
                "vLLM's kernels for 8-bit integers start with sm_75, and there are none for AMD",
            ),
            (WeightFormat::Awq, Family::Volta) => Err(
                "its kernels are built on the m16n8k8 matrix instruction, which starts with sm_75",
            ),
            (WeightFormat::Awq | WeightFormat::Gptq, Family::Amd) => {
                Err("its kernels existed for NVIDIA and x86 only")
            }
            _ => Ok(()),
        }
    }

    /// Bits a weight of a linear layer takes in this format, where plain weights are of `dtype`; scales come on top.
    pub const fn bits(self, dtype: Dtype) -> u64 {
        match self {
            WeightFormat::Dense => 8 * dtype.bytes(),
            WeightFormat::Fp8 | WeightFormat::Int8 => 8,
            WeightFormat::Awq | WeightFormat::Gptq => 4,
        }
    }

    /// Whether this engine has it.
    pub const fn is_built(self) -> bool {
        matches!(self, WeightFormat::Dense)
    }
}
