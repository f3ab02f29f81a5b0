//! Proofs that claim a feature, and a hardware, that their recipe does not have.

use engine_runtime::backend::cpu::{Cpu, Portable};
use engine_runtime::dtype::Dense;
use engine_runtime::models::Llama;
use engine_runtime::parts::Hashed;
use engine_runtime::proves;

engine_runtime::recipe! {
    pub Build {
        backend: Cpu<Portable>,
        weights: Dense<f32>,
        model: Llama<Self>,
        prefix: Hashed,
        limits: engine_runtime::testing::LIMITS,
    }
}

fn main() {
    let _ = proves!(Build: prefix-caching on cpu: here);
    let _ = proves!(Build: prefix-caching + chunked-prefill on cpu: here);
    let _ = proves!(Build: prefix-caching on volta: emulator);
}
