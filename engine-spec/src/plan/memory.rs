//! How much memory a plan takes, and how many sequences fit.

use serde::Serialize;

use super::{Answers, Dims};
use crate::model::Dtype;
use crate::shape::Shape;
use crate::target::TargetName;

/// How much memory keys and values get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvMemory {
    /// So many bytes at most.
    Bytes(u64),
    /// What weights leave of this share of the device's memory.
    DeviceShare { percent: u64 },
}

/// What is known about a plan's memory. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "known")]
pub enum MemoryReport {
    /// The model's shape is read from the checkpoint: only the engine can count.
    AtStart,
    /// The shape is known, the memory of the device is not: an architecture or a family is the target.
    Model {
        weights: u64,
        kv_per_token: u64,
        kv_per_block: u64,
    },
    /// Everything.
    Device {
        weights: u64,
        kv_per_token: u64,
        kv_per_block: u64,
        /// For keys and values, after weights; 0 if they leave nothing.
        kv_pool: u64,
        blocks: u64,
        /// Sequences of `max-model-len` tokens that fit at once, at most `max-seqs`.
        full_sequences: u64,
    },
}

impl Answers {
    /// Counts weights and KV blocks, as far as shape and device are known. Keys and values are kept in the model's
    /// dtype.
    pub fn memory(&self) -> MemoryReport {
        let Dims::Baked(shape) = &self.model.dims else {
            return MemoryReport::AtStart;
        };
        let weights = weight_bytes(shape, self);
        let kv_per_token = shape.kv_per_token() * self.model.dtype.bytes();
        let kv_per_block = kv_per_token.saturating_mul(self.limits.block_size);
        let Some(kv_pool) = self.kv_pool(weights) else {
            return MemoryReport::Model {
                weights,
                kv_per_token,
                kv_per_block,
            };
        };
        let blocks = kv_pool / kv_per_block;
        let blocks_a_sequence = self.limits.max_model_len.div_ceil(self.limits.block_size);
        let full_sequences = (blocks / blocks_a_sequence).min(self.limits.max_seqs);
        MemoryReport::Device {
            weights,
            kv_per_token,
            kv_per_block,
            kv_pool,
            blocks,
            full_sequences,
        }
    }

    /// The device's memory in bytes, as its driver reports it, where the target is one with memory of its own.
    pub fn device_memory(&self) -> Option<u64> {
        match self.target.name {
            TargetName::Sku(sku) => sku.memory.reported(),
            TargetName::Native | TargetName::Arch(_) | TargetName::Family(_) => None,
        }
    }

    /// Bytes for keys and values, if that can be known.
    fn kv_pool(&self, weights: u64) -> Option<u64> {
        match self.limits.kv_memory {
            KvMemory::Bytes(bytes) => Some(bytes),
            KvMemory::DeviceShare { percent } => {
                let usable = self.device_memory()? / 100 * percent;
                Some(usable.saturating_sub(weights))
            }
        }
    }
}

/// Linear layers in the weight format, everything else in the model's dtype. A 4-bit format has an f16 scale and a
/// 4-bit zero for each 128 weights, as AWQ and GPTQ checkpoints do: 20 bits more.
fn weight_bytes(shape: &Shape, plan: &Answers) -> u64 {
    let bits = plan.model.weights.bits(plan.model.dtype);
    let linear = shape.linear_weights();
    let scales = if bits == 4 {
        linear / 128 * (8 * Dtype::F16.bytes() + 4) / 8
    } else {
        0
    };
    let plain = (shape.embedding_weights() + shape.norm_weights()) * plan.model.dtype.bytes();
    linear * bits / 8 + scales + plain
}
