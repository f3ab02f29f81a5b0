//! The layers of a model as data: what each attends to, and what its feed-forward block is.

use serde::Serialize;
use serde_json::Value;

use crate::dims::{Dims, MAX_LAYERS, MAX_WIDTH};
use crate::family::ModelFamily;
use crate::file::FileError;
use crate::json::Object;

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Layer {
    pub attention: Attention,
    /// Index of the rotary table in [`Config::ropes`](crate::Config::ropes).
    pub rope: usize,
    pub feed_forward: FeedForward,
}

/// Which positions a token sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// Its own and all before it.
    Full,
    /// As many, its own included: position q sees position k where `q - n < k <= q`.
    Sliding(usize),
}

/// What stands behind the attention of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedForward {
    /// One gated block of this width.
    Dense { width: usize },
    /// Of `count` gated blocks of this width a router takes `per_token` for each token.
    Experts {
        count: usize,
        per_token: usize,
        width: usize,
        /// The weights of those that are taken are divided by their sum.
        norm_topk_prob: bool,
    },
}

const MAX_EXPERTS: usize = 1 << 12;
pub(crate) const MAX_POSITIONS: usize = 1 << 28;

/// All layers of a config.
pub(crate) fn layers(
    config: &Object,
    family: ModelFamily,
    dims: &Dims,
) -> Result<Vec<Layer>, FileError> {
    let windows = Windows::read(config, family, dims)?;
    let blocks = Blocks::read(config, family, dims)?;
    let layer = |index| {
        let attention = windows.of(index);
        Layer {
            attention,
            // Gemma 3 has a table for each kind of attention.
            rope: usize::from(family == ModelFamily::Gemma3 && attention != Attention::Full),
            feed_forward: blocks.of(index),
        }
    };
    Ok((0..dims.layers).map(layer).collect())
}

/// Which layers slide, and how far they see.
struct Windows {
    window: Option<usize>,
    slides: Slides,
}

enum Slides {
    Every,
    None,
    From(usize),
    /// All but each n-th.
    AllBut(usize),
    Listed(Vec<bool>),
}

impl Windows {
    fn read(config: &Object, family: ModelFamily, dims: &Dims) -> Result<Self, FileError> {
        let listed = listed(config, dims)?;
        // A family's window where the file has no such field; `null` is a window that is switched off.
        let otherwise = match family {
            ModelFamily::Mixtral | ModelFamily::Phi3 | ModelFamily::Llama => None,
            _ => Some(4096).filter(|_| !config.names("sliding_window")),
        };
        let window = config.count("sliding_window", 1..=MAX_POSITIONS)?;
        let window = window.or(otherwise);
        let switched_on = config.flag("use_sliding_window")?.unwrap_or(false);
        let slides = match family {
            // A Llama has no window, whatever its file says.
            ModelFamily::Llama => Slides::None,
            ModelFamily::Qwen2 | ModelFamily::Qwen3 | ModelFamily::Qwen3Moe if !switched_on => {
                Slides::None
            }
            ModelFamily::Qwen2 | ModelFamily::Qwen3 => match listed {
                Some(listed) => Slides::Listed(listed),
                None => Slides::From(
                    config
                        .count("max_window_layers", 0..=MAX_LAYERS)?
                        .unwrap_or(28),
                ),
            },
            ModelFamily::Gemma2 => listed.map_or(Slides::AllBut(2), Slides::Listed),
            ModelFamily::Gemma3 => match listed {
                Some(listed) => Slides::Listed(listed),
                None => Slides::AllBut(
                    config
                        .count("sliding_window_pattern", 1..=MAX_LAYERS)?
                        .unwrap_or(6),
                ),
            },
            _ => Slides::Every,
        };
        let windows = Self { window, slides };
        if family == ModelFamily::Gemma3 || family == ModelFamily::Gemma2 {
            windows.required(config, dims)?;
        }
        Ok(windows)
    }

    /// A layer that is said to slide must have a window.
    fn required(&self, config: &Object, dims: &Dims) -> Result<(), FileError> {
        let slides = (0..dims.layers).any(|index| self.slides.holds(index));
        match self.window {
            None if slides => Err(config.refuse("sliding_window", "set", "null")),
            _ => Ok(()),
        }
    }

    fn of(&self, index: usize) -> Attention {
        match self.window {
            Some(window) if self.slides.holds(index) => Attention::Sliding(window),
            _ => Attention::Full,
        }
    }
}

impl Slides {
    fn holds(&self, index: usize) -> bool {
        match self {
            Slides::Every => true,
            Slides::None => false,
            Slides::From(first) => index >= *first,
            Slides::AllBut(nth) => !(index + 1).is_multiple_of(*nth),
            Slides::Listed(listed) => listed.get(index).copied().unwrap_or(false),
        }
    }
}

/// Which layers `layer_types` lists as sliding; kinds of layers that are not known are refused.
fn listed(config: &Object, dims: &Dims) -> Result<Option<Vec<bool>>, FileError> {
    let Some(kinds) = config.get("layer_types") else {
        return Ok(None);
    };
    let slides = |kind: &Value| match kind.as_str() {
        Some("full_attention") => Ok(false),
        Some("sliding_attention") => Ok(true),
        _ => Err(config.unsupported(
            "layer type",
            kind.to_string(),
            "full_attention, sliding_attention",
        )),
    };
    let kinds = kinds.as_array().map(Vec::as_slice).unwrap_or_default();
    let listed: Vec<bool> = kinds.iter().map(slides).collect::<Result<_, _>>()?;
    if listed.len() != dims.layers {
        let expected = format!("a list of num_hidden_layers, {}, kinds", dims.layers);
        return Err(config.refuse("layer_types", expected, listed.len().to_string()));
    }
    Ok(Some(listed))
}

/// Which layers have experts.
struct Blocks {
    dense: FeedForward,
    experts: Option<FeedForward>,
    /// Of as many layers the last has experts.
    every: usize,
    /// Layers without, whatever `every` says.
    without: Vec<usize>,
}

impl Blocks {
    fn read(config: &Object, family: ModelFamily, dims: &Dims) -> Result<Self, FileError> {
        let need = |field, max| config.required(field, config.count(field, 1..=max)?);
        let mut blocks = Self {
            dense: FeedForward::Dense { width: dims.ffn },
            experts: None,
            every: 1,
            without: Vec::new(),
        };
        let (count, width, norm_topk_prob) = match family {
            ModelFamily::Mixtral => (need("num_local_experts", MAX_EXPERTS)?, dims.ffn, true),
            ModelFamily::Qwen3Moe => {
                let every = config.count("decoder_sparse_step", 1..=MAX_LAYERS)?;
                blocks.every = every.unwrap_or(1);
                let without = config.counts("mlp_only_layers", 0..=MAX_LAYERS)?;
                blocks.without = without.unwrap_or_default();
                // transformers calls them by either name.
                let count = match config.count("num_experts", 1..=MAX_EXPERTS)? {
                    Some(count) => count,
                    None => need("num_local_experts", MAX_EXPERTS)?,
                };
                let norm = config.flag("norm_topk_prob")?.unwrap_or(false);
                (count, need("moe_intermediate_size", MAX_WIDTH)?, norm)
            }
            _ => return Ok(blocks),
        };
        let per_token = need("num_experts_per_tok", count)?;
        blocks.experts = Some(FeedForward::Experts {
            count,
            per_token,
            width,
            norm_topk_prob,
        });
        Ok(blocks)
    }

    fn of(&self, index: usize) -> FeedForward {
        let sparse = (index + 1).is_multiple_of(self.every) && !self.without.contains(&index);
        match self.experts {
            Some(experts) if sparse => experts,
            _ => self.dense,
        }
    }
}
