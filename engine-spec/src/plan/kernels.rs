//! Which kernels a plan puts in: the ops of a step, each for one instruction set or architecture and one number format.

use serde::Serialize;

use super::{Answers, Backend, Dims};
use crate::model::ModelCode;

/// One kernel by its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kernel {
    /// The op, as the runtime's backends call it: `matmul`, `attention`.
    pub op: &'static str,
    /// Op, instruction set or architecture, number format and what else is fixed; the symbol's name on a GPU.
    pub symbol: String,
}

/// When a model or a feature needs an op.
enum Needed {
    Always,
    /// Each query and key head has a norm of its own.
    HeadNorms,
    Logprobs,
}

use Needed::{Always, HeadNorms};

/// The ops in the order of a step.
#[rustfmt::skip]
const OPS: &[(&str, Needed)] = &[
    ("embed",          Always),
    ("rms_norm",       Always),
    ("add_rms_norm",   Always),
    ("matmul",         Always),
    ("head_norm",      HeadNorms),
    ("rope",           Always),
    ("store_kv",       Always),
    ("attention",      Always),
    ("silu_mul",       Always),
    ("gather_rows",    Always),
    ("logits",         Always),
    ("process_logits", Always),
    ("sample",         Always),
    ("logprobs",       Needed::Logprobs),
];

impl Answers {
    /// The kernels that the engine has, in the order of a step.
    pub fn kernels(&self) -> Vec<Kernel> {
        let wanted = OPS.iter().filter(|(_, needed)| self.needs(needed));
        wanted
            .map(|(op, _)| Kernel {
                op,
                symbol: self.symbol(op),
            })
            .collect()
    }

    fn needs(&self, needed: &Needed) -> bool {
        match needed {
            Always => true,
            HeadNorms => self.model.family.code() == Some(ModelCode::Qwen3),
            Needed::Logprobs => {
                self.features.logprobs.on().is_some()
                    || self.features.prompt_logprobs.on().is_some()
            }
        }
    }

    fn symbol(&self, op: &str) -> String {
        let unit = match self.backend {
            Backend::Cpu { isa } => isa.name().to_ascii_lowercase(),
            Backend::Cuda | Backend::Hip => self.target.arch.name().replace('_', ""),
        };
        let symbol = format!("{op}_{unit}_{}", self.model.dtype);
        match (op, &self.model.dims) {
            ("attention", Dims::Baked(shape)) => {
                format!("{symbol}_d{}_b{}", shape.head_dim, self.limits.block_size)
            }
            ("attention", Dims::Loaded) => format!("{symbol}_b{}", self.limits.block_size),
            _ => symbol,
        }
    }
}
