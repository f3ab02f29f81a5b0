//! Which kernels a plan puts in.

use serde::Serialize;

use super::{Backend, Dims, Plan};

/// One kernel by the facts of its symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// The operation: `matmul`, `paged_attention`.
    pub op: &'static str,
    /// The whole name: operation, instruction set or architecture, number format and what else is fixed.
    pub symbol: String,
}

/// The operations of a decoder, in the order of a step.
const OPS: [&str; 7] = [
    "embed",
    "rms_norm",
    "matmul",
    "rope",
    "paged_attention",
    "silu_mul",
    "argmax",
];

impl Plan {
    /// The kernels that the engine has, in the order of a step.
    pub fn kernels(&self) -> Vec<Kernel> {
        let unit = match self.backend {
            Backend::Cpu { isa } => isa.name().to_ascii_lowercase(),
            Backend::Cuda | Backend::Hip => self.target.arch.name().replace('_', ""),
        };
        let dtype = self.model.dtype;
        let kernel = |op: &'static str| {
            let mut symbol = format!("{op}_{unit}_{dtype}");
            if op == "paged_attention" {
                if let Dims::Baked(shape) = &self.model.dims {
                    symbol += &format!("_d{}", shape.head_dim);
                }
                symbol += &format!("_b{}", self.limits.block_size);
            }
            Kernel { op, symbol }
        };
        OPS.map(kernel).to_vec()
    }
}
