//! Opening an engine: limits held against each other, the cache sized.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Clock, Engine, Executor, RequestId, Stats};
use crate::backend::{CacheShape, DeviceError};
use crate::batch::Capacity;
use crate::dtype::CacheFormat;
use crate::model::{Model, ModelShape};
use crate::parts::{Logprobs, Prefill};
use crate::recipe::{KvMemory, Limits, Recipe};
use crate::request::RequestRules;
use crate::scheduler::Scheduler;
use crate::text::Detokenize;

/// Requests that may wait at once, unless the caller says otherwise.
pub const MAX_QUEUE: usize = 1 << 16;

/// What an engine needs beside its device and model.
#[derive(Clone)]
pub struct EngineOptions {
    /// The profile's, or lower ones; as [`Budget::limits`](super::Budget::limits) gives them where the size of the cache
    /// is what weights leave.
    pub limits: Limits,
    /// The model's end-of-sequence tokens.
    pub eos: Vec<u32>,
    pub text: Arc<dyn Detokenize>,
    /// Sequences that may wait; a request beyond them is rejected.
    pub max_queue: usize,
    pub clock: Clock,
}

impl EngineOptions {
    /// With a queue of [`MAX_QUEUE`], and without times.
    pub fn new(limits: Limits, eos: Vec<u32>, text: Arc<dyn Detokenize>) -> Self {
        Self {
            limits,
            eos,
            text,
            max_queue: MAX_QUEUE,
            clock: Clock::stopped(),
        }
    }
}

/// Why an engine does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{field} is {value}; the profile `{profile}` was built for {limit} at most")]
    AboveProfile {
        field: &'static str,
        value: usize,
        limit: usize,
        profile: &'static str,
    },
    #[error("{field} is 0; it must be 1 or more")]
    Zero { field: &'static str },
    #[error("block_size is {block_size}; the profile `{profile}` was built for {built}")]
    BlockSize {
        block_size: usize,
        built: usize,
        profile: &'static str,
    },
    #[error("max_model_len is {max_model_len}; the model tells {positions} positions apart")]
    TooLong {
        max_model_len: usize,
        positions: usize,
    },
    #[error(
        "max_batched_tokens is {max_batched_tokens}, less than max_seqs, {max_seqs}; each running sequence needs one \
         token a step"
    )]
    FewerTokensThanSeqs {
        max_batched_tokens: usize,
        max_seqs: usize,
    },
    #[error(
        "max_batched_tokens is {max_batched_tokens}, less than max_model_len, {max_model_len}; raise it, lower \
         max_model_len, or build a profile with `chunked-prefill`"
    )]
    WholePrompt {
        max_batched_tokens: usize,
        max_model_len: usize,
    },
    #[error(
        "kv_memory is what weights leave of {bytes} bytes, and no weights are counted; open with the limits of a budget"
    )]
    Uncounted { bytes: u64 },
    #[error("{memory} bytes of KV cache hold no block; one block takes {block} bytes")]
    NoBlock { memory: u64, block: u64 },
    #[error(
        "a KV cache of {blocks} blocks has more positions than 32 bits can number; lower kv_memory"
    )]
    TooManyBlocks { blocks: u64 },
    #[error("the end-of-sequence token {token} is outside the model's vocabulary of {vocab}")]
    Eos { token: u32, vocab: usize },
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl<R: Recipe> Engine<R> {
    /// Whether an engine would open within these limits around a model of this shape, as far as memory allows.
    pub fn check(limits: &Limits, eos: &[u32], shape: &ModelShape) -> Result<(), OpenError> {
        check_limits::<R>(limits, shape)?;
        let vocab = shape.vocab;
        match eos.iter().find(|&&token| token as usize >= vocab) {
            Some(&token) => Err(OpenError::Eos { token, vocab }),
            None => Ok(()),
        }
    }

    /// Opens an engine on `device`, where `model` has its weights.
    pub fn open(
        device: R::Backend,
        model: R::Model,
        options: EngineOptions,
    ) -> Result<Self, OpenError> {
        let EngineOptions {
            limits,
            eos,
            text,
            max_queue,
            clock,
        } = options;
        let shape = model.shape();
        Self::check(&limits, &eos, &shape)?;
        let blocks = blocks::<R>(&limits, &shape)?;
        let cache = CacheShape {
            layers: shape.layers,
            blocks,
            block_size: limits.block_size,
            kv_heads: shape.kv_heads,
            head_dim: shape.head_dim,
        };
        let capacity = Capacity::of(&limits, eos.len());
        Ok(Self {
            executor: Executor::open(device, model, cache, capacity, clock.clone())?,
            scheduler: Scheduler::new(limits, blocks),
            rules: RequestRules {
                profile: R::NAME,
                vocab: shape.vocab,
                max_model_len: limits.max_model_len,
                cache_positions: blocks * limits.block_size,
                max_logprobs: R::Logprobs::MAX,
                eos: eos.into(),
            },
            text,
            // More sequences than 2^32 have no room anywhere.
            max_seqs: u32::try_from(limits.max_seqs).unwrap_or(u32::MAX),
            max_queue,
            clock,
            live: BTreeMap::new(),
            flights: VecDeque::new(),
            outbox: Vec::new(),
            next: RequestId(0),
            stats: Stats::default(),
            tokens: Vec::new(),
            lost: None,
        })
    }
}

fn check_limits<R: Recipe>(limits: &Limits, shape: &ModelShape) -> Result<(), OpenError> {
    let built = R::LIMITS;
    let bounds = [
        ("max_model_len", limits.max_model_len, built.max_model_len),
        ("max_seqs", limits.max_seqs, built.max_seqs),
        (
            "max_batched_tokens",
            limits.max_batched_tokens,
            built.max_batched_tokens,
        ),
        ("block_size", limits.block_size, usize::MAX),
    ];
    for (field, value, limit) in bounds {
        if value == 0 {
            return Err(OpenError::Zero { field });
        }
        if value > limit {
            return Err(OpenError::AboveProfile {
                field,
                value,
                limit,
                profile: R::NAME,
            });
        }
    }
    let Limits {
        max_model_len,
        max_seqs,
        max_batched_tokens,
        block_size,
        ..
    } = *limits;
    if block_size != built.block_size {
        return Err(OpenError::BlockSize {
            block_size,
            built: built.block_size,
            profile: R::NAME,
        });
    }
    if max_model_len > shape.max_positions {
        return Err(OpenError::TooLong {
            max_model_len,
            positions: shape.max_positions,
        });
    }
    if max_batched_tokens < max_seqs {
        return Err(OpenError::FewerTokensThanSeqs {
            max_batched_tokens,
            max_seqs,
        });
    }
    if R::Prefill::take(max_model_len, max_batched_tokens) == 0 {
        return Err(OpenError::WholePrompt {
            max_batched_tokens,
            max_model_len,
        });
    }
    Ok(())
}

/// Blocks of the cache.
fn blocks<R: Recipe>(limits: &Limits, shape: &ModelShape) -> Result<usize, OpenError> {
    let position = 2 * shape.layers * shape.kv_heads * R::Cache::bytes(shape.head_dim);
    let block = (position * limits.block_size) as u64;
    let per_seq = limits.max_model_len.div_ceil(limits.block_size);
    let wanted = ((limits.max_seqs * per_seq) as u64).saturating_mul(block);
    let memory = match limits.kv_memory {
        KvMemory::Bytes(bytes) => bytes,
        KvMemory::Needed => wanted,
        KvMemory::Within(bytes) => return Err(OpenError::Uncounted { bytes }),
    };
    let blocks = memory / block;
    if blocks == 0 {
        return Err(OpenError::NoBlock { memory, block });
    }
    let slots = blocks.saturating_mul(limits.block_size as u64);
    match u32::try_from(slots) {
        Ok(_) => Ok(blocks as usize),
        Err(_) => Err(OpenError::TooManyBlocks { blocks }),
    }
}
