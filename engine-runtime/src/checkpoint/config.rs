//! `config.json`: what the model is, as transformers 4 and 5 write it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{CheckpointError, Object, RopeConfig};
use crate::models::Dims;

/// Bytes of a JSON file that holds settings; real ones have a few thousand, or some hundred thousand with labels.
pub(super) const JSON_LIMIT: u64 = 4 << 20;

/// The fields that decide what is computed. What a family makes of a field is the family's to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub file: PathBuf,
    /// Class name in transformers, as `LlamaForCausalLM`.
    pub architecture: String,
    pub dims: Dims,
    /// `max_position_embeddings`, or what the rope scaling stretches the original context to where that is more.
    pub max_positions: usize,
    pub norm_eps: f32,
    pub rope: RopeConfig,
    pub attention_bias: bool,
    pub mlp_bias: bool,
    /// The embedding is also the output matrix.
    pub tied: bool,
    /// Positions that a sliding window lets a token see, where the config sets one.
    pub window: Option<Window>,
    pub eos_token_ids: Vec<u32>,
}

/// A sliding window; some families have one in the file and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub positions: usize,
    /// `use_sliding_window`, where it is written.
    pub switch: Option<bool>,
    /// Whether a layer is listed as sliding, where layers are listed.
    pub listed: Option<bool>,
}

impl Window {
    /// The window's positions in a family that has it off by default: the switch must be on, and where layers are
    /// listed, one of them slides.
    pub fn switched_on(self) -> Option<usize> {
        let on = self.switch == Some(true) && self.listed != Some(false);
        on.then_some(self.positions)
    }
}

impl Config {
    pub fn read(dir: &Path) -> Result<Self, CheckpointError> {
        let file = dir.join("config.json");
        match Object::read(&file, JSON_LIMIT)? {
            Some(object) => Self::from_object(&object),
            None => Err(CheckpointError::Read {
                file,
                source: std::io::ErrorKind::NotFound.into(),
            }),
        }
    }

    fn from_object(config: &Object) -> Result<Self, CheckpointError> {
        let architecture = architecture(config)?;
        silu_only(config)?;
        unquantised(config)?;
        let eps = config.number("rms_norm_eps", "a number from 0 to 1", |x| {
            (0.0..=1.0).contains(&x)
        })?;
        let max_positions = need(config, "max_position_embeddings", MAX_POSITIONS)?;
        let rope = RopeConfig::from_object(config, max_positions)?;
        Ok(Self {
            file: config.file().to_path_buf(),
            architecture,
            dims: dims(config)?,
            max_positions: max_positions.max(rope.scaling.positions().unwrap_or(0)),
            norm_eps: eps.unwrap_or(DEFAULT_NORM_EPS) as f32,
            rope,
            attention_bias: config.flag("attention_bias")?.unwrap_or(false),
            mlp_bias: config.flag("mlp_bias")?.unwrap_or(false),
            tied: config.flag("tie_word_embeddings")?.unwrap_or(false),
            window: window(config)?,
            eos_token_ids: config.token_ids("eos_token_id")?,
        })
    }
}

/// As in every family here.
const DEFAULT_NORM_EPS: f64 = 1e-6;

// No model comes near these; they keep products of sizes far from overflow.
const MAX_LAYERS: usize = 1 << 12;
const MAX_HEADS: usize = 1 << 14;
const MAX_HEAD_DIM: usize = 1 << 12;
const MAX_WIDTH: usize = 1 << 20;
const MAX_VOCAB: usize = 1 << 24;
const MAX_POSITIONS: usize = 1 << 28;

fn dims(config: &Object) -> Result<Dims, CheckpointError> {
    let hidden = need(config, "hidden_size", MAX_WIDTH)?;
    let q_heads = need(config, "num_attention_heads", MAX_HEADS)?;
    let kv_heads = config
        .count("num_key_value_heads", 1..=MAX_HEADS)?
        .unwrap_or(q_heads);
    if !q_heads.is_multiple_of(kv_heads) {
        return Err(config.refuse(
            "num_key_value_heads",
            format!("a divisor of num_attention_heads, {q_heads}"),
            kv_heads.to_string(),
        ));
    }
    let head_dim = match config.count("head_dim", 1..=MAX_HEAD_DIM)? {
        Some(head_dim) => head_dim,
        None if hidden.is_multiple_of(q_heads) => hidden / q_heads,
        None => {
            return Err(config.refuse(
                "hidden_size",
                format!("a multiple of num_attention_heads, {q_heads}, where head_dim is not set"),
                hidden.to_string(),
            ));
        }
    };
    if !head_dim.is_multiple_of(2) || !(2..=MAX_HEAD_DIM).contains(&head_dim) {
        let expected = format!("an even number from 2 to {MAX_HEAD_DIM}, for rotary positions");
        return Err(config.refuse("head_dim", expected, head_dim.to_string()));
    }
    Ok(Dims {
        layers: need(config, "num_hidden_layers", MAX_LAYERS)?,
        hidden,
        q_heads,
        kv_heads,
        head_dim,
        ffn: need(config, "intermediate_size", MAX_WIDTH)?,
        vocab: need(config, "vocab_size", MAX_VOCAB)?,
    })
}

fn need(config: &Object, field: &str, max: usize) -> Result<usize, CheckpointError> {
    config.required(field, config.count(field, 1..=max)?)
}

/// The first of `architectures`: transformers writes one.
fn architecture(config: &Object) -> Result<String, CheckpointError> {
    let first = match config.get("architectures") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        _ => None,
    };
    match first {
        Some(name) => Ok(name.to_owned()),
        None => Err(config.refuse("architectures", "a list of one class name", "none")),
    }
}

fn silu_only(config: &Object) -> Result<(), CheckpointError> {
    match config.text("hidden_act")?.as_deref() {
        None | Some("silu" | "swish") => Ok(()),
        Some(other) => Err(CheckpointError::Unsupported {
            file: config.file().to_path_buf(),
            what: "hidden_act",
            found: other.to_owned(),
            supported: "silu".to_owned(),
        }),
    }
}

fn unquantised(config: &Object) -> Result<(), CheckpointError> {
    match config.object("quantization_config")? {
        None => Ok(()),
        Some(settings) => Err(CheckpointError::Unsupported {
            file: config.file().to_path_buf(),
            what: "quantization_config",
            found: settings.text("quant_method")?.unwrap_or_default(),
            supported: "weights in f32, f16 or bf16".to_owned(),
        }),
    }
}

fn window(config: &Object) -> Result<Option<Window>, CheckpointError> {
    let listed = listed_sliding(config)?;
    let switch = config.flag("use_sliding_window")?;
    let positions = config.count("sliding_window", 1..=MAX_POSITIONS)?;
    Ok(positions.map(|positions| Window {
        positions,
        switch,
        listed,
    }))
}

/// Whether `layer_types` lists a sliding layer; kinds of layers that are not known are refused.
fn listed_sliding(config: &Object) -> Result<Option<bool>, CheckpointError> {
    let Some(kinds) = config.get("layer_types") else {
        return Ok(None);
    };
    let mut sliding = false;
    for kind in kinds.as_array().into_iter().flatten() {
        match kind.as_str() {
            Some("full_attention") => {}
            Some("sliding_attention") => sliding = true,
            _ => {
                return Err(CheckpointError::Unsupported {
                    file: config.file().to_path_buf(),
                    what: "layer type",
                    found: kind.to_string(),
                    supported: "full_attention, sliding_attention".to_owned(),
                });
            }
        }
    }
    Ok(Some(sliding))
}
