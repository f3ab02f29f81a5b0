//! What an engine takes of its device's memory, counted before anything large is there.
//!
//! The lines are those of a plan (`cargo lathe plan`), counted again for the checkpoint and the limits of this run. What
//! is held to be free is then taken at once, so that no request meets a device that is full.

use std::fmt;

use engine_model::Bytes;

use super::Executor;
use crate::backend::{Backend, HeadLayout, Largest, Sampling};
use crate::batch::Capacity;
use crate::checkpoint::Fit;
use crate::recipe::{KvMemory, Limits, Recipe};

/// Bytes of a token's id, which is kept beside its keys and values.
const TOKEN: u64 = 4;

/// What an engine takes, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Everything but keys and values.
    rest: [(&'static str, u64); 6],
    /// Keys and values of all sequences.
    kv: u64,
    per_sequence: u64,
    per_token: u64,
    limits: Limits,
}

/// A device that has less than an engine takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    budget: Budget,
    free: u64,
}

/// What an engine is opened with, as far as it takes memory.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The device's, see [`Backend::threads`].
    pub threads: usize,
    /// The model's end-of-sequence tokens.
    pub eos: &'a [u32],
}

impl Budget {
    /// Counts for a checkpoint that fits, within limits that are the profile's or lower ones.
    pub fn of<R: Recipe>(fit: &Fit, limits: &Limits, host: Host<'_>) -> Self {
        let wide = |size: usize| size as u64;
        let dims = &fit.dims;
        let seqs = wide(limits.max_seqs);
        let blocks = wide(limits.max_model_len.div_ceil(limits.block_size));
        let largest = Largest {
            rows: limits.max_batched_tokens,
            // Counted beside it, for all threads together.
            product: 0,
            heads: HeadLayout {
                q_heads: dims.q_heads,
                kv_heads: dims.kv_heads,
                head_dim: dims.head_dim,
            },
            positions: limits.max_model_len,
            vocab: dims.vocab,
        };
        let thread = wide(R::Backend::scratch_of_thread(&largest));
        let shared = wide(R::Backend::shared_scratch(&largest));
        let capacity = Capacity::of(limits, host.eos.len());
        let logits = seqs.saturating_mul(wide(dims.vocab) * 4);
        let scores = R::Backend::bytes_of_scores(limits.max_seqs, dims.vocab);
        let rest = [
            ("weights", fit.memory.weights),
            ("activations", fit.memory.activations),
            ("scratch", fit.memory.scratch.saturating_add(shared)),
            (
                "scratch of threads",
                thread.saturating_mul(wide(host.threads)),
            ),
            ("logits", logits.saturating_add(wide(scores))),
            ("step inputs", Executor::<R>::bytes_for(capacity)),
        ];
        let per_token = fit.memory.kv_per_token;
        let per_sequence = per_token.saturating_mul(blocks * wide(limits.block_size));
        let mut budget = Self {
            rest,
            kv: 0,
            per_sequence,
            per_token,
            limits: *limits,
        };
        let needed = per_sequence.saturating_mul(seqs);
        budget.kv = match limits.kv_memory {
            KvMemory::Needed => needed,
            KvMemory::Bytes(bytes) => bytes,
            KvMemory::Within(bytes) => {
                let left = bytes.saturating_sub(budget.rest());
                let positions = left / (per_token + TOKEN);
                needed.min(positions.saturating_mul(per_token))
            }
        };
        budget
    }

    /// Bytes of keys and values.
    pub fn kv(&self) -> u64 {
        self.kv
    }

    /// The limits with the size of the cache that was counted, for [`Engine::open`](super::Engine::open): what weights
    /// leave of a device is known here.
    pub fn limits(&self) -> Limits {
        Limits {
            kv_memory: KvMemory::Bytes(self.kv),
            ..self.limits
        }
    }

    /// Whether so much is free.
    pub fn hold(&self, free: Option<u64>) -> Result<(), Box<Shortage>> {
        match free {
            Some(free) if self.all() > free => Err(Box::new(Shortage {
                budget: self.clone(),
                free,
            })),
            _ => Ok(()),
        }
    }

    fn all(&self) -> u64 {
        let kv = self.kv.saturating_add(self.tokens());
        self.rest().saturating_add(kv)
    }

    /// The token ids of all positions.
    fn tokens(&self) -> u64 {
        let positions = self.kv.checked_div(self.per_token).unwrap_or(0);
        positions.saturating_mul(TOKEN)
    }

    fn rest(&self) -> u64 {
        let bytes = self.rest.iter().map(|(_, bytes)| *bytes);
        bytes.fold(0, u64::saturating_add)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kv = [("keys and values", self.kv), ("tokens", self.tokens())];
        for (index, (what, bytes)) in kv.iter().chain(&self.rest).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(out, "{separator}{what} {}", Bytes(*bytes))?;
        }
        Ok(())
    }
}

impl std::error::Error for Shortage {}

impl fmt::Display for Shortage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, free) = (Bytes(self.budget.all()), Bytes(self.free));
        write!(
            out,
            "this engine would take {all} of memory, and {free} are free: {}; {}",
            self.budget,
            self.advice()
        )
    }
}

impl Shortage {
    /// What would fit.
    fn advice(&self) -> String {
        let budget = &self.budget;
        let left = self.free.saturating_sub(budget.rest());
        let block = budget.limits.block_size as u64;
        let per_token = budget.per_token + TOKEN;
        let per_sequence = budget.per_sequence / budget.per_token.max(1) * per_token;
        let sequences = left.checked_div(per_sequence).unwrap_or(0);
        let tokens = left / per_token / block * block;
        match (budget.limits.kv_memory, sequences, tokens) {
            (KvMemory::Bytes(_), 1.., _) => format!(
                "build it with kv-memory of {} MiB or less, or without",
                left >> 20
            ),
            (_, 1.., _) => format!("lower max_num_seqs to {sequences} or less, or max_model_len"),
            (_, 0, 1..) => {
                format!("lower max_num_seqs to 1, and max_model_len to {tokens} or less")
            }
            (_, 0, 0) => "use a smaller model, or a machine with more memory".to_owned(),
        }
    }
}
