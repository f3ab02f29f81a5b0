//! Two features that vLLM's matrix forbids together, and that no test of this engine runs.

use engine_runtime::legal::{WorksWith, backend, mark};

fn together<A: WorksWith<B, On>, B, On>() {}

fn main() {
    together::<mark::EncoderDecoder, mark::ChunkedPrefill, backend::Cpu>();
}
