//! A weight format that the backend has no kernels for.

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::checkpoint::{CheckpointError, Finder};
use engine_runtime::dtype::{Dense, Plain, Stored, WeightFormat};
use engine_runtime::models::Llama;
use engine_runtime::parts::{Off, Whole};

pub struct Fp8;

impl WeightFormat for Fp8 {
    const NAME: &'static str = "fp8";
    type Source<'a> = &'a [u8];

    fn find<'a>(
        _: &mut Finder<'a>,
        _: &str,
        _: usize,
        _: usize,
    ) -> Result<&'a [u8], CheckpointError> {
        Ok(&[])
    }

    fn shape(_: &&[u8]) -> [usize; 2] {
        [0, 0]
    }

    fn widen(_: &&[u8], _: usize, _: &mut [f32]) {}

    fn round(value: f32) -> f32 {
        value
    }

    fn stored(_: &&[u8]) -> Vec<Stored> {
        Vec::new()
    }

    fn bytes(_: usize, _: usize) -> u64 {
        0
    }
}

engine_runtime::recipe! {
    pub Build {
        backend: Cpu<Portable>,
        weights: Fp8,
        head: Dense<f32>,
        cache: Plain<f32>,
        model: Llama<Self>,
        prefill: Whole,
        prefix: Off,
        logprobs: Off,
        limits: engine_runtime::testing::LIMITS,
    }
}

fn main() {}
