//! The engines that several files of this suite run, on the reference backend: each is compiled once.

use engine_runtime::backend::reference::Reference;
use engine_runtime::dtype::{Dense, F32};
use engine_runtime::parts::{Chunked, Hashed, Off, Top, Whole};
use engine_runtime::recipe::{KvMemory, Limits};
use engine_runtime::testing::OneStepAhead;

pub const BLOCK: usize = 4;

/// What the recipes are built for; a test lowers what it needs lower.
pub const LIMITS: Limits = Limits {
    max_model_len: 64,
    max_seqs: 6,
    max_batched_tokens: 64,
    block_size: BLOCK,
    kv_memory: KvMemory::Needed,
};

/// One combination of three features on one backend.
macro_rules! combination {
    ($name:ident, $backend:ty, $weights:ty, $prefill:ty, $prefix:ty, $logprobs:ty $(, $output:ty)?) => {
        engine_runtime::recipe! {
            pub $name {
                backend: $backend,
                weights: $weights,
                model: engine_runtime::models::Llama<Self>,
                prefill: $prefill,
                prefix: $prefix,
                logprobs: $logprobs,
                $(output: $output,)?
                limits: $crate::recipes::LIMITS,
                CHUNKED_PREFILL: ChunkedPrefillSettings { tokens: 64 },
                LOGPROBS: LogprobsSettings { max: 5 },
            }
        }
    };
}
pub(crate) use combination;

combination!(Plain, Reference, Dense<F32>, Whole, Off, Off);
combination!(Chunks, Reference, Dense<F32>, Chunked, Off, Off);
combination!(Prefixes, Reference, Dense<F32>, Whole, Hashed, Off);
combination!(Logprobs, Reference, Dense<F32>, Whole, Off, Top);
combination!(ChunksPrefixes, Reference, Dense<F32>, Chunked, Hashed, Off);
combination!(ChunksLogprobs, Reference, Dense<F32>, Chunked, Off, Top);
combination!(PrefixesLogprobs, Reference, Dense<F32>, Whole, Hashed, Top);
combination!(All, Reference, Dense<F32>, Chunked, Hashed, Top);
combination!(
    LogprobsAhead,
    Reference,
    Dense<F32>,
    Whole,
    Off,
    Top,
    OneStepAhead
);
combination!(
    AllAhead,
    Reference,
    Dense<F32>,
    Chunked,
    Hashed,
    Top,
    OneStepAhead
);
