//! The numbers of a model.

use serde::Serialize;

use crate::file::FileError;
use crate::json::Object;

/// Dimensions of a decoder with gated feed-forward blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Dims {
    pub layers: usize,
    /// Elements of a row between the blocks.
    pub hidden: usize,
    pub q_heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Elements of a row inside a dense feed-forward block; those of experts stand at their layer.
    pub ffn: usize,
    pub vocab: usize,
}

// No model comes near these. Products of sizes are bounded as well: see `Parameters`.
pub(crate) const MAX_LAYERS: usize = 1 << 12;
const MAX_HEADS: usize = 1 << 14;
const MAX_HEAD_DIM: usize = 1 << 12;
pub(crate) const MAX_WIDTH: usize = 1 << 20;
const MAX_VOCAB: usize = 1 << 24;

impl Dims {
    /// Reads the sizes of a config. `head_dim` is the family's, for a config that names none; without one either, the
    /// heads share the row.
    pub(crate) fn read(config: &Object, head_dim: Option<usize>) -> Result<Self, FileError> {
        let need = |field, max| config.required(field, config.count(field, 1..=max)?);
        let hidden = need("hidden_size", MAX_WIDTH)?;
        let q_heads = need("num_attention_heads", MAX_HEADS)?;
        let kv_heads = config.count("num_key_value_heads", 1..=MAX_HEADS)?;
        let kv_heads = kv_heads.unwrap_or(q_heads);
        if !q_heads.is_multiple_of(kv_heads) {
            return Err(config.refuse(
                "num_key_value_heads",
                format!("a divisor of num_attention_heads, {q_heads}"),
                kv_heads.to_string(),
            ));
        }
        let head_dim = match config.count("head_dim", 1..=MAX_HEAD_DIM)?.or(head_dim) {
            Some(head_dim) => head_dim,
            None if hidden.is_multiple_of(q_heads) => hidden / q_heads,
            None => {
                return Err(config.refuse(
                    "hidden_size",
                    format!(
                        "a multiple of num_attention_heads, {q_heads}, where head_dim is not set"
                    ),
                    hidden.to_string(),
                ));
            }
        };
        if !head_dim.is_multiple_of(2) || !(2..=MAX_HEAD_DIM).contains(&head_dim) {
            let expected = format!("an even number from 2 to {MAX_HEAD_DIM}, for rotary positions");
            return Err(config.refuse("head_dim", expected, head_dim.to_string()));
        }
        Ok(Self {
            layers: need("num_hidden_layers", MAX_LAYERS)?,
            hidden,
            q_heads,
            kv_heads,
            head_dim,
            ffn: need("intermediate_size", MAX_WIDTH)?,
            vocab: need("vocab_size", MAX_VOCAB)?,
        })
    }

    /// Elements of all query heads of a row.
    pub fn q_width(&self) -> usize {
        self.q_heads * self.head_dim
    }

    /// Elements of the keys of a row, and of its values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}
