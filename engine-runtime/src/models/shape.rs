//! Dimensions of a decoder, known when the engine is compiled or when it loads.

use engine_model::{Config, Dims};

use crate::checkpoint::CheckpointError;

/// Where a model's dimensions come from.
pub trait Shape: Send + 'static {
    /// The dimensions, where the profile fixes them; kernels then see constants.
    const KNOWN: Option<Dims>;
}

/// Dimensions come from `config.json`.
#[derive(Debug, Clone, Copy)]
pub struct LoadedShape;

impl Shape for LoadedShape {
    const KNOWN: Option<Dims> = None;
}

/// Refuses a checkpoint of other dimensions than those compiled in, naming the first field that differs.
pub(super) fn check<S: Shape>(config: &Config) -> Result<(), CheckpointError> {
    let Some(known) = S::KNOWN else {
        return Ok(());
    };
    let found = &config.dims;
    let fields = [
        ("num_hidden_layers", known.layers, found.layers),
        ("hidden_size", known.hidden, found.hidden),
        ("num_attention_heads", known.q_heads, found.q_heads),
        ("num_key_value_heads", known.kv_heads, found.kv_heads),
        ("head_dim", known.head_dim, found.head_dim),
        ("intermediate_size", known.ffn, found.ffn),
        ("vocab_size", known.vocab, found.vocab),
    ];
    match fields.into_iter().find(|(_, known, found)| known != found) {
        None => Ok(()),
        Some((field, expected, found)) => Err(CheckpointError::Shape {
            file: config.file.clone(),
            field,
            expected,
            found,
        }),
    }
}
