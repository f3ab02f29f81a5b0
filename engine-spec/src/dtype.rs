//! Number formats: of activations, of keys and values, and of weights that are not quantized.

use crate::arch::Arch;
use crate::family::Family;
use crate::named::named;

named! {
    /// The number format of activations, keys and values, and of weights that are not quantized.
    Dtype {
        F32 = "f32",
        F16 = "f16",
        Bf16 = "bf16",
    }
}

impl Dtype {
    /// Bytes a number.
    pub const fn bytes(self) -> u64 {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }

    /// Whether kernels multiply it there. All multiply f16 and f32. bf16 wants instructions on a GPU; on a CPU without
    /// them kernels widen it to f32, which is a shift.
    pub fn runs_on(self, arch: Arch) -> bool {
        match self {
            Dtype::F32 | Dtype::F16 => true,
            Dtype::Bf16 => arch.has_bf16() || arch.family() == Family::Cpu,
        }
    }
}
