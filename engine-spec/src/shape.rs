//! A model's dimensions, from the config.json that Hugging Face folders have.
//!
//! Only what the plan counts with; the runtime reads the same file of the checkpoint in full, and refuses one that
//! differs.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The dimensions of a decoder with gated feed-forward layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// The path as the profile writes it; of no consequence for the engine.
    #[serde(skip)]
    pub path: String,
    /// `model_type`, for example `llama`.
    pub model_type: String,
    pub layers: u64,
    pub hidden: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub head_dim: u64,
    pub ffn: u64,
    pub vocab: u64,
    /// Whether the output projection is the embedding table.
    pub tied: bool,
    /// Positions that the model was made for.
    pub max_positions: u64,
    pub attention: Attention,
}

/// What a token may attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// Every token before it.
    Full,
    /// As many tokens before it.
    Sliding(u64),
}

/// Why a file is no shape.
#[derive(Debug)]
pub enum ShapeError {
    Unreadable {
        error: std::io::Error,
    },
    NotAConfig {
        error: serde_json::Error,
    },
    /// A dimension that cannot be.
    Impossible {
        key: &'static str,
        why: String,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Unreadable { error } => write!(out, "cannot be read: {error}"),
            ShapeError::NotAConfig { error } => {
                write!(out, "is no config.json of a decoder: {error}")
            }
            ShapeError::Impossible { key, why } => write!(out, "`{key}` {why}"),
        }
    }
}

impl std::error::Error for ShapeError {}

/// The keys of config.json that matter here, by Hugging Face's names.
#[derive(Deserialize)]
struct Config {
    model_type: String,
    num_hidden_layers: u64,
    hidden_size: u64,
    num_attention_heads: u64,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    intermediate_size: u64,
    vocab_size: u64,
    #[serde(default)]
    tie_word_embeddings: bool,
    max_position_embeddings: u64,
    sliding_window: Option<u64>,
    /// Qwen2 writes a window that it does not use.
    use_sliding_window: Option<bool>,
}

/// No dimension of a model comes near it; products of a few stay far inside 64 bits.
const LARGEST: u64 = 1 << 24;

impl Shape {
    /// Reads a config.json beside the profile.
    pub fn read(folder: &Path, path: &str) -> Result<Shape, ShapeError> {
        let text = std::fs::read_to_string(folder.join(path))
            .map_err(|error| ShapeError::Unreadable { error })?;
        Shape::parse(path, &text)
    }

    /// Reads a config.json from its text.
    pub fn parse(path: &str, text: &str) -> Result<Shape, ShapeError> {
        let config: Config =
            serde_json::from_str(text).map_err(|error| ShapeError::NotAConfig { error })?;
        let heads = config.num_attention_heads;
        let kv_heads = config.num_key_value_heads.unwrap_or(heads);
        for (key, number) in [
            ("num_hidden_layers", config.num_hidden_layers),
            ("hidden_size", config.hidden_size),
            ("num_attention_heads", heads),
            ("num_key_value_heads", kv_heads),
            ("head_dim", config.head_dim.unwrap_or(1)),
            ("intermediate_size", config.intermediate_size),
            ("vocab_size", config.vocab_size),
            ("max_position_embeddings", config.max_position_embeddings),
            ("sliding_window", config.sliding_window.unwrap_or(1)),
        ] {
            if !(1..=LARGEST).contains(&number) {
                return Err(ShapeError::Impossible {
                    key,
                    why: format!("is {number}"),
                });
            }
        }
        if !heads.is_multiple_of(kv_heads) {
            let why = format!("is {kv_heads}, which does not divide num_attention_heads, {heads}");
            return Err(ShapeError::Impossible {
                key: "num_key_value_heads",
                why,
            });
        }
        if config.head_dim.is_none() && !config.hidden_size.is_multiple_of(heads) {
            let why = format!(
                "is {}, which num_attention_heads, {heads}, does not divide",
                config.hidden_size
            );
            return Err(ShapeError::Impossible {
                key: "hidden_size",
                why,
            });
        }
        // A Llama has no window, whatever its file says; a Qwen2's is off unless it is switched on.
        let slides = config.model_type != "llama" && config.use_sliding_window.unwrap_or(true);
        let window = config.sliding_window.filter(|_| slides);
        Ok(Shape {
            path: path.to_owned(),
            model_type: config.model_type,
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            heads,
            kv_heads,
            head_dim: config.head_dim.unwrap_or(config.hidden_size / heads),
            ffn: config.intermediate_size,
            vocab: config.vocab_size,
            tied: config.tie_word_embeddings,
            max_positions: config.max_position_embeddings,
            attention: window.map_or(Attention::Full, Attention::Sliding),
        })
    }

    /// Weights of the linear layers: query, key, value, output, gate, up and down of each layer.
    pub fn linear_weights(&self) -> u64 {
        let attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads);
        self.layers * (attention + 3 * self.hidden * self.ffn)
    }

    /// Weights of the embedding table and of the output projection.
    pub fn embedding_weights(&self) -> u64 {
        self.vocab * self.hidden * if self.tied { 1 } else { 2 }
    }

    /// Weights of the norms: two of each layer and the last one. Biases and per-head norms, which some families
    /// have, are left out: less than a ten-thousandth of the whole.
    pub fn norm_weights(&self) -> u64 {
        (2 * self.layers + 1) * self.hidden
    }

    /// Keys and values of one token, in numbers.
    pub fn kv_per_token(&self) -> u64 {
        2 * self.layers * self.kv_heads * self.head_dim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = r#"{"model_type": "llama", "num_hidden_layers": 22, "hidden_size": 2048, "num_attention_heads": 32,
        "num_key_value_heads": 4, "intermediate_size": 5632, "vocab_size": 32000, "max_position_embeddings": 2048}"#;

    #[test]
    fn the_parameters_of_a_known_model_are_counted() {
        let shape = Shape::parse("tiny.json", TINY).unwrap();
        assert_eq!(shape.head_dim, 64);
        let all = shape.linear_weights() + shape.embedding_weights() + shape.norm_weights();
        assert_eq!(all, 1_100_048_384, "TinyLlama-1.1B's model card");
        assert_eq!(shape.kv_per_token(), 2 * 22 * 4 * 64);
    }

    #[test]
    fn an_impossible_shape_is_refused_by_name() {
        for (from, to, message) in [
            (
                "\"num_key_value_heads\": 4",
                "\"num_key_value_heads\": 5",
                "`num_key_value_heads` is 5",
            ),
            (
                "\"hidden_size\": 2048",
                "\"hidden_size\": 2047",
                "`hidden_size` is 2047",
            ),
            (
                "\"vocab_size\": 32000",
                "\"vocab_size\": 0",
                "`vocab_size` is 0",
            ),
            (
                "\"vocab_size\": 32000",
                "\"vocab_size\": -1",
                "is no config.json",
            ),
            ("\"vocab_size\": 32000,", "", "missing field `vocab_size`"),
            (
                "\"hidden_size\": 2048",
                "\"hidden_size\": 99999999999",
                "`hidden_size` is 99999999999",
            ),
        ] {
            let error = Shape::parse("tiny.json", &TINY.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
