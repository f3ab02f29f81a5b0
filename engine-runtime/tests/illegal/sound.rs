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
        prefill: Chunked<32>,
        prefix: Hashed<16>,
        logprobs: Top<20>,
        limits: engine_runtime::testing::LIMITS,
    }
}

fn engine<R: Legal>() {}

fn main() {
    engine::<Build>();
}
