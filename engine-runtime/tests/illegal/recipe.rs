//! A whole recipe, no profile behind it, whose prefill claims to be multi-step scheduling: the matrix knows better.

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::dtype::Dense;
use engine_runtime::legal::{Legal, mark};
use engine_runtime::models::Llama;
use engine_runtime::Recipe;
use engine_runtime::parts::{Off, Part, Prefill, Top};

pub struct Several;

impl Part for Several {
    type Mark = mark::MultiStep;
}

impl<R: Recipe> Prefill<R> for Several {
    fn take(remaining: usize, budget: usize) -> usize {
        remaining.min(budget)
    }
}

engine_runtime::recipe! {
    pub Build {
        backend: Cpu<Portable>,
        weights: Dense<f32>,
        model: Llama<Self>,
        prefill: Several,
        prefix: Off,
        logprobs: Top,
        limits: engine_runtime::testing::LIMITS,
    }
}

fn engine<R: Legal>() {}

fn main() {
    engine::<Build>();
}
