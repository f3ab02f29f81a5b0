//! `config.json`: what the model is, as transformers 4 and 5 write it.
//!
//! Field meanings and defaults are those of transformers 5.23. Reading refuses what is unsound; what is sound and has no
//! code in this engine yet is [`Config::served`]'s to say, so that a plan can count a model that is not built.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::dims::Dims;
use crate::family::ModelFamily;
use crate::file::{FileError, Reason};
use crate::json::Object;
use crate::layer::{Attention, Layer, MAX_POSITIONS, layers};
use crate::quantization::Quantization;
use crate::rope::{Rope, RopeScaling, tables};
use crate::weights::Parameters;

/// The fields that decide what is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub file: PathBuf,
    pub family: ModelFamily,
    /// Class name in transformers, as `LlamaForCausalLM`.
    pub architecture: String,
    pub dims: Dims,
    /// As many as `dims.layers`, first to last.
    pub layers: Vec<Layer>,
    /// Rotary tables, which the layers name by index.
    pub ropes: Vec<Rope>,
    /// `max_position_embeddings`, or what the rope scaling stretches the original context to where that is more.
    pub max_positions: usize,
    pub norm: Norm,
    /// A norm stands behind each block too, before what it adds to the row.
    pub post_norms: bool,
    /// Each head of q and k is normalised before it is rotated.
    pub head_norms: bool,
    pub activation: Activation,
    pub biases: Biases,
    /// What embeddings are multiplied by; transformers rounds it to the format of the table first.
    pub embedding_scale: Option<f32>,
    /// What the products of queries and keys are multiplied by.
    pub attention_scale: f32,
    /// Scores of attention are bent to stay within this: `cap * tanh(score / cap)`.
    pub attention_softcap: Option<f32>,
    /// As for attention, of the logits.
    pub logits_softcap: Option<f32>,
    /// The embedding is also the output matrix.
    pub tied: bool,
    pub eos_token_ids: Vec<u32>,
    pub quantization: Option<Quantization>,
}

/// Root mean square normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Norm {
    pub eps: f32,
    /// Rows are multiplied by one more than the weights (Gemma).
    pub one_plus: bool,
}

/// The function of a gated feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    Silu,
    /// GELU by its approximation with a tanh.
    GeluTanh,
}

/// Which matrices have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Biases {
    pub qkv: bool,
    pub attention_out: bool,
    pub mlp: bool,
}

impl Config {
    /// Bytes of a JSON file that holds settings; real ones have a few thousand, or some hundred thousand with labels.
    pub const LIMIT: u64 = 4 << 20;

    /// Reads the config.json of a model folder.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        Self::read(&folder.join("config.json"))
    }

    /// Reads a file that is a config.json under any name.
    pub fn read(file: &Path) -> Result<Self, FileError> {
        match Object::read(file, Self::LIMIT)? {
            Some(object) => Self::from_object(&object),
            None => Err(FileError {
                file: file.to_path_buf(),
                reason: Reason::Unreadable(std::io::ErrorKind::NotFound.into()),
            }),
        }
    }

    /// Reads the text of a config.json; errors call it `file`.
    pub fn parse(file: &Path, text: &str) -> Result<Self, FileError> {
        Self::from_object(&Object::parse(file, text.as_bytes())?)
    }

    fn from_object(config: &Object) -> Result<Self, FileError> {
        let (family, architecture) = family(config)?;
        let Some(variation) = family.variation() else {
            return Err(unknown(config, &architecture));
        };
        let gemma = variation.gemma;
        let activation = activation(config, gemma)?;
        let quantization = Quantization::read(config)?;
        let eps = config.number("rms_norm_eps", "a number from 0 to 1", |x| {
            (0.0..=1.0).contains(&x)
        })?;
        let field = "max_position_embeddings";
        let positions = config.count(field, 1..=MAX_POSITIONS)?;
        let positions = config.required(field, positions)?;
        let ropes = tables(config, family, variation.theta, positions)?;
        let dims = Dims::read(config, variation.head_dim)?;
        if gemma && config.flag("use_bidirectional_attention")? == Some(true) {
            return Err(config.unsupported("use_bidirectional_attention", "true", "false"));
        }
        let scaled = ropes.iter().filter_map(|rope| rope.scaling.positions());
        let config = Self {
            file: config.file().to_path_buf(),
            family,
            architecture,
            dims,
            layers: layers(config, family, &dims)?,
            max_positions: scaled.fold(positions, usize::max),
            ropes,
            norm: Norm {
                eps: eps.unwrap_or(variation.norm_eps) as f32,
                one_plus: gemma,
            },
            post_norms: gemma,
            head_norms: variation.head_norms,
            activation,
            biases: biases(config, family)?,
            embedding_scale: gemma.then(|| (dims.hidden as f64).sqrt() as f32),
            attention_scale: attention_scale(config, gemma, &dims)?,
            // Gemma 3 has the field too, and its attention does not use it.
            attention_softcap: match family {
                ModelFamily::Gemma2 => softcap(config, "attn_logit_softcapping", Some(50.0))?,
                _ => None,
            },
            logits_softcap: match family {
                ModelFamily::Gemma2 => softcap(config, "final_logit_softcapping", Some(30.0))?,
                ModelFamily::Gemma3 => softcap(config, "final_logit_softcapping", None)?,
                _ => None,
            },
            tied: config
                .flag("tie_word_embeddings")?
                .unwrap_or(variation.tied),
            eos_token_ids: config.token_ids("eos_token_id")?,
            quantization,
        };
        config.bounded()
    }

    /// Refuses sizes whose products no computer can hold, so that nothing that counts with them overflows.
    fn bounded(self) -> Result<Self, FileError> {
        match Parameters::count(&self) {
            Some(_) => Ok(self),
            None => Err(FileError {
                reason: Reason::Field {
                    field: "hidden_size".to_owned(),
                    expected: "such that the model has less than 2^48 weights".to_owned(),
                    found: self.dims.hidden.to_string(),
                },
                file: self.file,
            }),
        }
    }

    /// How many weights the model has.
    pub fn parameters(&self) -> Parameters {
        Parameters::count(self).unwrap_or_default()
    }

    /// Numbers that keys and values of one token take in all layers. A layer with a window keeps them all too: blocks
    /// that slid out of it stay in the cache until their sequence ends.
    pub fn kv_per_token(&self) -> u64 {
        2 * (self.dims.layers as u64) * (self.dims.kv_width() as u64)
    }

    /// The longest sequence in which no layer's window ever slides; `None` where no layer has one.
    pub fn shortest_window(&self) -> Option<usize> {
        let windows = self
            .layers
            .iter()
            .filter_map(|layer| match layer.attention {
                Attention::Sliding(window) => Some(window),
                Attention::Full => None,
            });
        windows.min()
    }

    /// Refuses what is well written and has no code in this engine yet.
    pub fn served(&self) -> Result<(), FileError> {
        let capped = |cap: Option<f32>| cap.map(|cap| cap.to_string());
        let long = self
            .ropes
            .iter()
            .any(|rope| rope.scaling == RopeScaling::LongRope);
        let found = [
            (
                "rope type",
                long.then(|| "longrope".to_owned()),
                "default, linear, dynamic, llama3, yarn",
            ),
            (
                "attn_logit_softcapping",
                capped(self.attention_softcap),
                "null",
            ),
            (
                "final_logit_softcapping",
                capped(self.logits_softcap),
                "null",
            ),
        ];
        for (what, found, supported) in found {
            if let Some(found) = found {
                return Err(self.unsupported(what, found, supported));
            }
        }
        Ok(())
    }

    /// The error for something of this config that an engine has no code for.
    pub fn unsupported(
        &self,
        what: &'static str,
        found: impl Into<String>,
        supported: impl Into<String>,
    ) -> FileError {
        FileError::unsupported(&self.file, what, found, supported)
    }
}

/// The family by the first of `architectures`, of which transformers writes one. A `model_type` of another family is
/// refused: tools differ in which of the two they go by.
fn family(config: &Object) -> Result<(ModelFamily, String), FileError> {
    let first = match config.get("architectures") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        _ => None,
    };
    let Some(architecture) = first else {
        return Err(config.refuse("architectures", "a list of one class name", "none"));
    };
    let Some(family) = ModelFamily::of_architecture(architecture) else {
        return Err(unknown(config, architecture));
    };
    match config.text("model_type")? {
        Some(model_type) if model_type != family.model_type() => Err(config.refuse(
            "model_type",
            format!("{}, as {architecture} is", family.model_type()),
            model_type,
        )),
        _ => Ok((family, architecture.to_owned())),
    }
}

/// The error for a class name whose config this engine cannot read.
fn unknown(config: &Object, architecture: &str) -> FileError {
    let supported = match architecture {
        "Gemma3ForConditionalGeneration" => {
            "Gemma3ForCausalLM, which is its text model saved alone".to_owned()
        }
        _ => {
            let read = ModelFamily::ALL
                .iter()
                .filter(|family| family.code().is_some());
            let names: Vec<_> = read.flat_map(|family| family.architectures()).collect();
            names
                .iter()
                .map(|name| **name)
                .collect::<Vec<_>>()
                .join(", ")
        }
    };
    config.unsupported("architecture", architecture, supported)
}

/// `hidden_activation` is Gemma's field; old files of it have `hidden_act`, which transformers does not look at.
fn activation(config: &Object, gemma: bool) -> Result<Activation, FileError> {
    let (field, supported) = match gemma {
        true => ("hidden_activation", "gelu_pytorch_tanh"),
        false => ("hidden_act", "silu"),
    };
    match (config.text(field)?.as_deref(), gemma) {
        (None, true) | (Some("gelu_pytorch_tanh"), true) => Ok(Activation::GeluTanh),
        (None, false) | (Some("silu" | "swish"), false) => Ok(Activation::Silu),
        (Some(other), _) => Err(config.unsupported(field, other, supported)),
    }
}

fn biases(config: &Object, family: ModelFamily) -> Result<Biases, FileError> {
    let attention = config.flag("attention_bias")?.unwrap_or(false);
    let mlp = config.flag("mlp_bias")?.unwrap_or(false);
    Ok(match family {
        ModelFamily::Llama => Biases {
            qkv: attention,
            attention_out: attention,
            mlp,
        },
        ModelFamily::Qwen2 => Biases {
            qkv: true,
            attention_out: false,
            mlp: false,
        },
        ModelFamily::Mistral | ModelFamily::Mixtral | ModelFamily::Phi3 => Biases {
            qkv: false,
            attention_out: false,
            mlp: false,
        },
        _ => Biases {
            qkv: attention,
            attention_out: attention,
            mlp: false,
        },
    })
}

fn attention_scale(config: &Object, gemma: bool, dims: &Dims) -> Result<f32, FileError> {
    let scalar = match gemma {
        true => {
            let field = "query_pre_attn_scalar";
            let scalar = config.number(field, "a number from 1 to 1e6", |x| {
                (1.0..=1e6).contains(&x)
            })?;
            scalar.unwrap_or(256.0)
        }
        false => dims.head_dim as f64,
    };
    Ok(scalar.sqrt().recip() as f32)
}

/// `otherwise` holds where the field is not written; `null` is none.
fn softcap(config: &Object, field: &str, otherwise: Option<f32>) -> Result<Option<f32>, FileError> {
    if !config.names(field) {
        return Ok(otherwise);
    }
    let cap = config.number(field, "a number above 0 and up to 1e6", |x| {
        x > 0.0 && x <= 1e6
    })?;
    Ok(cap.map(|cap| cap as f32))
}
