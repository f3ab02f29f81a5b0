//! What a plan takes in memory, line by line, wherever the model's shape is known.
//!
//! Counted also for families and features that are not built yet, so that a fleet can be sized before its engines are
//! there. An engine counts again when it opens a model, by the same lines.

mod count;

use serde::Serialize;

use super::{Answers, KvMemory};
use crate::family::BackendKind;
use count::Count;

/// What a plan takes. All sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// The device's memory as its driver reports it; `None` where the target is no device with memory of its own.
    pub total: Option<u64>,
    /// What of it stays free.
    pub reserve: u64,
    /// Everything but keys and values.
    pub lines: Vec<Line>,
    /// What is in the engine and in no line, because the profile does not say how large it is.
    pub uncounted: Vec<&'static str>,
    pub kv: Kv,
}

/// One thing that takes memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub what: &'static str,
    pub bytes: u64,
    /// Of what, in words.
    pub of: String,
    /// What of a profile makes it less, in words; `None` for the model itself.
    #[serde(skip)]
    pub lower: Option<&'static str>,
}

/// Keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Kv {
    pub per_token: u64,
    pub per_block: u64,
    /// Of one sequence of `max-model-len` tokens, in whole blocks.
    pub per_sequence: u64,
    /// All that there are; 0 where the rest leaves nothing.
    pub pool: u64,
    pub blocks: u64,
    /// Sequences of `max-model-len` tokens that fit at once, at most `max-seqs`.
    pub full_sequences: u64,
}

impl Budget {
    /// All lines together.
    pub fn used(&self) -> u64 {
        self.lines
            .iter()
            .fold(0, |sum, line| sum.saturating_add(line.bytes))
    }

    /// What may be taken in all.
    pub fn usable(&self) -> Option<u64> {
        self.total.map(|total| total.saturating_sub(self.reserve))
    }

    /// What the lines leave for keys and values.
    pub fn left(&self) -> Option<u64> {
        self.usable()
            .map(|usable| usable.saturating_sub(self.used()))
    }
}

impl Answers {
    /// Counts; `None` where the model's shape is read from the checkpoint.
    pub fn budget(&self) -> Option<Budget> {
        let config = &self.model.shape.baked()?.config;
        let count = Count {
            plan: self,
            config,
            activation: match self.backend.kind() {
                BackendKind::Cpu => 4,
                BackendKind::Cuda | BackendKind::Hip => self.model.dtype.bytes(),
            },
        };
        let lines: Vec<Line> = count.lines().into_iter().flatten().collect();
        let mut budget = Budget {
            total: self.device_memory(),
            reserve: self.reserve(),
            lines,
            uncounted: count.uncounted(),
            kv: count.kv(),
        };
        let whole = budget.kv.per_sequence.saturating_mul(self.limits.max_seqs);
        budget.kv.pool = match self.limits.kv_memory {
            KvMemory::Bytes(bytes) => bytes,
            KvMemory::Needed => whole,
            KvMemory::Within(bytes) => bytes.saturating_sub(budget.used()),
        };
        let kv = &mut budget.kv;
        kv.blocks = kv.pool / kv.per_block;
        kv.full_sequences = (kv.pool / kv.per_sequence).min(self.limits.max_seqs);
        Some(budget)
    }
}
