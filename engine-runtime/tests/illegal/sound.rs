//! A recipe that is legal, so that the others fail for what they do.

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::dtype::Dense;
use engine_runtime::legal::Legal;
use engine_runtime::models::Llama;
use engine_runtime::parts::{Chunked, Hashed, Top};

engine_runtime::recipe! {
    pub Build {
        backend: Cpu<Portable>,
        weights: Dense<f32>,
        model: Llama<Self>,
        prefill: Chunked,
        prefix: Hashed,
        logprobs: Top,
        limits: engine_runtime::testing::LIMITS,
        CHUNKED_PREFILL: ChunkedPrefillSettings { tokens: 32 },
        LOGPROBS: LogprobsSettings { max: 20 },
    }
}

fn engine<R: Legal>() {}

fn main() {
    engine::<Build>();
}
