//! Limits: how much at once.

use super::{KvMemory, Model};
use crate::family::BackendKind;
use crate::features;
use crate::profile::fields::MOST;
use crate::profile::{Profile, Spanned, Values};
use crate::settings::{Answer, settings};
use crate::shape::Shape;

settings! {
    /// How much at once.
    Limits(known: &Known<'_>) {
        /// tokens of one sequence at most, prompt and answer together
        max_model_len: u64(1..=MOST) = known.model_len() => "the shape's own limit, at most 8192; 4096 without a shape",
        /// sequences in one step at most
        max_seqs: u64(1..=MOST) = known.seqs() => "32 on a CPU, else 256",
        /// tokens in one step at most
        max_batched_tokens: u64(1..=MOST) = known.step(max_model_len).max(max_seqs)
            => "with chunked prefill its tokens, or 512; else max-model-len, at least 2048; never less than max-seqs",
        /// tokens in a KV block, a power of two
        block_size: u64(1..=MOST) = 16,
        /// memory for keys and values, as in "8GiB"
        kv_memory: KvMemory = KvMemory::Needed
            => "on a CPU what max-seqs sequences of max-model-len tokens take, else what the rest leaves of 90 % of the device",
    }
}

/// What limits follow from.
pub(crate) struct Known<'a> {
    pub profile: &'a Profile,
    pub model: &'a Model,
    pub backend: BackendKind,
}

impl Known<'_> {
    /// A model's own limit is not taken whole without being asked for: keys and values for it fit few devices.
    fn model_len(&self) -> u64 {
        match &self.model.shape {
            Shape::Baked(baked) => 8192.min(baked.config.max_positions as u64),
            Shape::Loaded { .. } => 4096,
        }
    }

    fn seqs(&self) -> u64 {
        match self.backend {
            BackendKind::Cpu => 32,
            BackendKind::Cuda | BackendKind::Hip => 256,
        }
    }

    /// Tokens of a step: a chunk, or a whole prompt and never little.
    fn step(&self, max_model_len: u64) -> u64 {
        let whole = || max_model_len.max(2048);
        features::chunked_prefill::step(self.profile).unwrap_or_else(whole)
    }
}

impl Answer for KvMemory {
    fn written(values: &Values, key: &str) -> Option<Spanned<KvMemory>> {
        let bytes = values.integer(key)?;
        Some(Spanned {
            value: KvMemory::Bytes(bytes.value),
            span: bytes.span,
        })
    }

    fn words(self) -> String {
        match self {
            KvMemory::Bytes(bytes) if bytes.trailing_zeros() >= 40 => format!("{}TiB", bytes >> 40),
            KvMemory::Bytes(bytes) if bytes.trailing_zeros() >= 30 => format!("{}GiB", bytes >> 30),
            // A profile says whole mebibytes, at least.
            KvMemory::Bytes(bytes) => format!("{}MiB", bytes >> 20),
            KvMemory::Needed => "what max-seqs of max-model-len take".to_owned(),
            KvMemory::Within(bytes) => format!("what the rest leaves of {}MiB", bytes >> 20),
        }
    }
}
