//! A weight format that the backend has no kernels for.

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::dtype::WeightFormat;
use engine_runtime::models::Llama;
use engine_runtime::parts::{Off, Whole};

pub struct Fp8;

impl WeightFormat for Fp8 {
    type Stored = f32;
}

engine_runtime::recipe! {
    pub Build {
        backend: Cpu<Portable>,
        weights: Fp8,
        model: Llama<Self>,
        prefill: Whole,
        prefix: Off,
        logprobs: Off,
        limits: engine_runtime::testing::LIMITS,
    }
}

fn main() {}
