//! Two features that the page forbids together, and that no test of this engine runs.

use engine_runtime::legal::{WorksWith, mark};

fn together<A: WorksWith<B>, B>() {}

fn main() {
    together::<mark::EncoderDecoder, mark::ChunkedPrefill>();
}
