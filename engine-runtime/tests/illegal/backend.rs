//! Two features that are proven together on the CPU, on a GPU: a proof counts on its own backend alone.

use engine_runtime::legal::{WorksWith, backend, mark};

fn together<A: WorksWith<B, On>, B, On>() {}

fn main() {
    together::<mark::PrefixCaching, mark::ChunkedPrefill, backend::Cpu>();
    together::<mark::PrefixCaching, mark::ChunkedPrefill, backend::Cuda>();
}
